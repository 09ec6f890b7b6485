"""The execution environment: built as `make ee` builds it, with playbooks of the installed collection run inside it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from kubeop import devcluster
from kubeop.kube.client import Client

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "images"))

import workshop  # noqa: E402 - how images/ee.py calls buildah

ENTRYPOINT = ("/opt/builder/bin/entrypoint", "dumb-init")
NAMESPACE = "ee-shop"
PLAY = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/kubeop.platform.kubernetes": {"kubeconfig": "/runner/project/kubeconfig"}},
        "tasks": [
            {
                "name": "Look at the cluster",
                "kubeop.platform.preflight_info": {"images": {"operator": "localhost/kubeop/controller:0.1.0"}},
                "register": "found",
                "failed_when": "found.failures | length > 0",
            },
            {
                "name": "Give a namespace its baseline",
                "kubeop.platform.baseline": {
                    "cluster_name": "ee",
                    "namespaces": [{"name": NAMESPACE, "tenant": "acme", "project": "shop"}],
                },
            },
        ],
    }
]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def inside(cluster: devcluster.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs a command in a container of the image, as the image's user, with the play and the kubeconfig beside it."""
    built = subprocess.run(
        [sys.executable, ROOT / "images/ee.py", "--no-archive"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    project = tmp_path_factory.mktemp("project")
    project.chmod(0o755)
    (project / "play.yml").write_text(yaml.safe_dump(PLAY, sort_keys=False))
    (project / "kubeconfig").write_bytes(cluster.kubeconfig.read_bytes())
    container = workshop.buildah("from", built.removeprefix("ee="))

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *(*workshop.buildah_command(), "run", "--isolation", "chroot", "--network", "host"),
                *("--volume", f"{project}:/runner/project:ro", container, "--", *ENTRYPOINT, *command),
            ],
            stdin=subprocess.DEVNULL,  # buildah would leave ours non-blocking, for every test that comes after
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    try:
        yield run
    finally:
        workshop.buildah("rm", container)


def test_a_play_governs_a_namespace_and_a_second_changes_nothing(inside: Run, kube: Client) -> None:
    try:
        first = inside("ansible-playbook", "/runner/project/play.yml")
        assert "ok=2    changed=1 " in first.stdout, first.stdout
        assert kube.get("v1", "ResourceQuota", "kubeop-quota", NAMESPACE) is not None
        second = inside("ansible-playbook", "/runner/project/play.yml")
        assert "ok=2    changed=0 " in second.stdout, second.stdout
    finally:
        kube.delete("v1", "Namespace", NAMESPACE)


@pytest.mark.parametrize("playbook", sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml")))
def test_the_collections_playbooks_are_found_by_name(inside: Run, playbook: str) -> None:
    listed = inside("ansible-playbook", f"kubeop.platform.{playbook}", "--list-tasks")
    assert listed.returncode == 0, listed.stdout
    assert f"/kubeop/platform/playbooks/{playbook}.yml" in listed.stdout
    assert listed.stdout.partition("tasks:")[2].split(), listed.stdout


def test_it_runs_as_an_ordinary_user(inside: Run) -> None:
    assert inside("id", "-u").stdout.split()[0] == "1000"
