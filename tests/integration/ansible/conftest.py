"""Real playbook runs on the test cluster."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from playing import Play, player

from kubeop import devcluster
from kubeop.kube.client import Client


@pytest.fixture
def play(cluster: devcluster.Cluster, tmp_path: Path) -> Play:
    """Run tasks on localhost; each task's result, in order."""
    return player(cluster.kubeconfig, tmp_path / "play.yml")


@pytest.fixture
def tenant(kube: Client) -> Iterator[str]:
    """A tenant's name of this test's own; its namespaces go with it."""
    name = f"t{secrets.token_hex(4)}"
    yield name
    for namespace in kube.list("v1", "Namespace", label_selector=f"app.kubeop.io/tenant-id={name}"):
        kube.delete("v1", "Namespace", namespace["metadata"]["name"])
