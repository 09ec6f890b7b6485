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

from kubeop import names
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
    parser.add_argument("--database-url", default="", help="the PostgreSQL that the manager in your cluster uses")
    options = parser.parse_args()
    if options.kubeconfig and not options.registry:
        parser.error("a cluster of your own needs a registry to pull from: add REGISTRY=registry.example.com/team")
    if options.kubeconfig and not options.database_url:
        parser.error(
            "a cluster of your own needs a PostgreSQL: add DATABASE_URL=postgresql://user:password@host/database"
        )

    phases = Phases()
    dev = (*SUDO, BIN / "kubeop", "dev")
    phases.run("packages", *dev, "packages", "--install")
    if options.kubeconfig:
        kubeconfig, database = options.kubeconfig, options.database_url
    else:
        phases.run("binaries", BIN / "kubeop", "dev", "binaries")
        phases.run("cluster", *dev, "up", "--name", options.name)
        kubeconfig = Path(phases.run("cluster", *dev, "kubeconfig", "--name", options.name, read=True))
        database = phases.run("cluster", *dev, "database-url", "--name", options.name, read=True)
    registry = ("--registry", options.registry) if options.registry else ()
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
        env={
            "KUBECONFIG": str(kubeconfig),
            "KUBEOP_DB_URL": database,
            "KUBEOP_MANAGER_IMAGE": images["controller"][0],
            "KUBEOP_OPERATOR_IMAGE": images["controller"][0],
            "KUBEOP_ADMISSION_IMAGE": images["webhook"][0],
            "KUBEOP_LOCAL_NAME": options.name,
        },
    )
    show(kubeconfig, phases)
    return 0


def show(kubeconfig: Path, phases: Phases) -> None:
    """Print the components that the cluster holds, as it says itself, and the phases' times."""
    table = Table("component", "version", "ready", "API", title="kubeop")
    with Client.from_kubeconfig(kubeconfig) as client:
        table.add_row("kubernetes", client.version(), "yes", client.server)
        for deployment in client.list("apps/v1", "Deployment", namespace=names.PLATFORM_NAMESPACE):
            name, wanted = deployment["metadata"]["name"], deployment["spec"]["replicas"]
            ready = deployment.get("status", {}).get("readyReplicas", 0)
            version = deployment["metadata"].get("labels", {}).get(names.LABEL_VERSION, "")
            table.add_row(name, version, f"{ready}/{wanted}", address(client, name))
    console.print(table)
    took = Table("phase", "seconds")
    for phase, seconds in phases.seconds.items():
        took.add_row(phase, f"{seconds:.1f}")
    took.add_row("all", f"{sum(phases.seconds.values()):.1f}")
    console.print(took)


def address(client: Client, name: str) -> str:
    """Where a component's Service answers: on the node where it has a node port, else inside the cluster."""
    service = client.get("v1", "Service", name, names.PLATFORM_NAMESPACE)
    if service is None:
        return ""
    port = service["spec"]["ports"][0]
    scheme = "https" if port["name"] == "https" else "http"
    if "nodePort" in port:
        nodes = client.list("v1", "Node")
        found = [item["address"] for item in nodes[0]["status"]["addresses"] if item["type"] == "InternalIP"]
        return f"{scheme}://{found[0]}:{port['nodePort']}"
    return f"{scheme}://{name}.{names.PLATFORM_NAMESPACE}.svc:{port['port']}"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KubeopError as error:
        sys.stderr.write(f"site: {error}\n")
        sys.exit(1)
