"""The whole platform, installed once for the session as a user installs it: images, then `playbooks/site.yml`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from installed import ROOT, Platform, in_diff

from kubeop import devcluster, names
from kubeop.devcluster import builds
from kubeop.devcluster.progress import Console
from kubeop.kube.client import Client


@pytest.fixture(scope="session")
def platform(cluster: devcluster.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """The platform on the test cluster, after a first `site.yml`, which check mode has foretold."""
    built = subprocess.run(
        [sys.executable, ROOT / "images/build.py"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
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
    with Client.from_kubeconfig(cluster.kubeconfig) as client:
        manager = ("apps/v1", "Deployment", names.MANAGER, names.PLATFORM_NAMESPACE)
        first = client.get(*manager) is None  # not so on a cluster that an earlier session has left running
        foretold = made.playbook("site", "--check", "--diff")
        assert foretold.returncode == 0, foretold.stdout + foretold.stderr
        if first:
            assert "kind: Deployment" in foretold.stdout, foretold.stdout
            assert client.get(*manager) is None
    run = made.playbook("site", "--diff")
    assert run.returncode == 0, run.stdout + run.stderr
    if first:
        assert in_diff(run, "Run the manager") == in_diff(foretold, "Run the manager") != []
    return made


@pytest.fixture(scope="session")
def governed(platform: Platform) -> Iterator[Client]:
    """A client with the administrator's rights on the governed cluster."""
    with Client.from_kubeconfig(platform.environment["KUBECONFIG"]) as client:
        yield client
