"""`make site`: from a bare machine, or a cluster of the user's own, to a governed cluster.

Phases run in order and say what they do; one that fails stops the run with its own message. A second run finds
everything in place and changes nothing. A table at the end shows what is there and how long each phase took.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kubeop.errors import KubeopError
from kubeop.kube.client import Client

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SUDO = () if os.geteuid() == 0 else ("sudo", "--preserve-env")
console = Console()


class Phases:
    """Runs commands one after the other and keeps how long each took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(self, phase: str, *command: object, env: dict[str, str] | None = None, read: bool = False) -> str:
        """Run one command; its output is shown, or read and given back. Exits with the command's code if it fails."""
        if phase not in self.seconds:
            console.rule(f"[bold]{phase}", align="left")
        started = time.monotonic()
        done = subprocess.run(
            [str(part) for part in command],
            env={**os.environ, **(env or {})},
            cwd=ROOT,
            stdout=subprocess.PIPE if read else None,
            text=True,
            check=False,
        )
        self.seconds[phase] = self.seconds.get(phase, 0.0) + time.monotonic() - started
        if done.returncode:
            console.print(f"[red]{phase} failed[/red]: the lines above say why. `make site` goes on from here.")
            sys.exit(done.returncode)
        return (done.stdout or "").strip()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="From a bare machine to a governed cluster.")
    parser.add_argument("--name", default="kubeop", help="the embedded cluster's name")
    parser.add_argument("--kubeconfig", type=Path, help="a cluster of your own instead of the embedded one")
    parser.add_argument(
        "--registry", default="", help="where its nodes pull images from, such as registry.example.com/team"
    )
    options = parser.parse_args()
    if options.kubeconfig and not options.registry:
        parser.error("a cluster of your own needs a registry to pull from: add REGISTRY=registry.example.com/team")
    database = os.environ.get("DATABASE_URL", "")  # not an argument: it holds a password, and `ps` shows arguments

    phases = Phases()
    dev = (*SUDO, BIN / "kubeop", "dev")
    phases.run("packages", *dev, "packages", "--install")
    name, extra = options.name, ()
    if options.kubeconfig:
        kubeconfig = options.kubeconfig
        with Client.from_kubeconfig(kubeconfig) as client:  # its keys are kept by its address
            name = client.host.replace(":", "-")
        extra = ("-e", "kubeop_manager_service_type=ClusterIP")
    else:
        phases.run("binaries", BIN / "kubeop", "dev", "binaries")
        phases.run("cluster", *dev, "up", "--name", options.name)
        kubeconfig = Path(phases.run("cluster", *dev, "kubeconfig", "--name", options.name, read=True))
        database = phases.run("cluster", *dev, "database-url", "--name", options.name, read=True)
    registry = ("--registry", options.registry) if options.registry else ()
    if not database:
        image = phases.run("database", *SUDO, BIN / "python", "images/database.py", *registry, read=True).split()[0]
        trial = (BIN / "python", "tools/trial_database.py", "--kubeconfig", kubeconfig, "--image")
        database = phases.run("database", *trial, image.partition("=")[2], read=True)
    built = phases.run("images", *SUDO, BIN / "python", "images/build.py", *registry, read=True)
    images = {line.split("=")[0]: line.split("=")[1].split() for line in built.splitlines()}
    if not options.kubeconfig:
        phases.run("load", *dev, "load-image", "--name", options.name, *(archive for _, archive in images.values()))
    phases.run(
        "playbook",
        BIN / "ansible-playbook",
        "playbooks/site.yml",
        "-i",
        "inventories/local",
        *extra,
        env={
            "KUBECONFIG": str(kubeconfig),
            "KUBEOP_DB_URL": database,
            "KUBEOP_MANAGER_IMAGE": images["controller"][0],
            "KUBEOP_OPERATOR_IMAGE": images["controller"][0],
            "KUBEOP_ADMISSION_IMAGE": images["webhook"][0],
            "KUBEOP_LOCAL_NAME": name,
        },
    )
    show(kubeconfig, phases)
    return 0


def show(kubeconfig: Path, phases: Phases) -> None:
    """Print what the cluster is and how long the phases took; the playbook has just shown the components."""
    took = Table("phase", "seconds", title="make site", title_justify="left")
    for phase, seconds in phases.seconds.items():
        took.add_row(phase, f"{seconds:.1f}")
    took.add_row("all", f"{sum(phases.seconds.values()):.1f}")
    console.print(took)
    with Client.from_kubeconfig(kubeconfig) as client:
        text = f"Kubernetes {client.version()} at {client.host}. To look around: export KUBECONFIG={kubeconfig}"
        console.print(text, soft_wrap=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KubeopError as error:
        sys.stderr.write(f"site: {error}\n")
        sys.exit(1)
