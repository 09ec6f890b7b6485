"""The whole platform, installed once for the session as a user installs it: images, then `playbooks/site.yml`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kubeop import devcluster
from kubeop.devcluster import builds
from kubeop.devcluster.progress import Console
from kubeop.kube.client import Client

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
RECAP = re.compile(r"^(?P<host>\S+)\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+).*failed=(?P<failed>\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Platform:
    """The installed platform: what its commands need in their environment, and the images that run."""

    environment: dict[str, str]
    images: dict[str, str]

    def playbook(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a playbook as the README does."""
        return subprocess.run(
            [BIN / "ansible-playbook", f"playbooks/{name}.yml", "-i", "inventories/local", *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )


def changed(run: subprocess.CompletedProcess[str]) -> int:
    """How many tasks of a playbook run changed something."""
    recap = list(RECAP.finditer(run.stdout))
    assert recap, run.stdout + run.stderr
    return sum(int(host["changed"]) for host in recap)


@pytest.fixture(scope="session")
def platform(cluster: devcluster.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """The platform on the test cluster, after a first `site.yml`."""
    built = subprocess.run([sys.executable, ROOT / "images/build.py"], check=True, stdout=subprocess.PIPE, text=True).stdout
    images: dict[str, str] = {}
    for line in built.splitlines():
        name, _, rest = line.partition("=")
        images[name], archive = rest.split()
        devcluster.load_image(cluster.name, Path(archive))
    kubectl = builds.provide(Console.stderr()).paths["kubectl"]
    made = Platform(
        images=images,
        environment={
            "KUBECONFIG": str(cluster.kubeconfig),
            "KUBEOP_DB_URL": cluster.database_url,
            "KUBEOP_MANAGER_IMAGE": images["controller"],
            "KUBEOP_OPERATOR_IMAGE": images["controller"],
            "KUBEOP_ADMISSION_IMAGE": images["webhook"],
            "KUBEOP_LOCAL_NAME": cluster.name,
            # Keys live as long as the database that they open.
            "KUBEOP_STATE_DIR": os.environ.get("KUBEOP_TEST_STATE_DIR") or str(tmp_path_factory.mktemp("state")),
            "PATH": f"{Path(kubectl).parent}:{os.environ['PATH']}",
            "ANSIBLE_FORCE_COLOR": "0",
        },
    )
    run = made.playbook("site")
    assert run.returncode == 0, run.stdout + run.stderr
    return made


@pytest.fixture(scope="session")
def platform_environment(platform: Platform) -> dict[str, str]:
    """What a shell needs to use the platform."""
    return platform.environment


@pytest.fixture(scope="session")
def governed(platform: Platform) -> Iterator[Client]:
    """A client with the administrator's rights on the governed cluster."""
    with Client.from_kubeconfig(platform.environment["KUBECONFIG"]) as client:
        yield client
