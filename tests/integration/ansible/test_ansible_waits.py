"""The module apply that waits: for what becomes ready, for what never will, and not in check mode."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from pausing import pause_image
from playing import Play

from kubeop.kube.client import Client

# What needs a process of its own has the same arguments.
BESIDE = {"environment": {"LC_ALL": "C.UTF-8"}}


@pytest.fixture
def workload(kube: Client, tenant: str) -> Iterator[str]:
    """The name of a Deployment in the namespace `default`, deleted after the test."""
    yield tenant
    kube.delete("apps/v1", "Deployment", tenant, "default")


def deployment(name: str, image: str, pull: str = "IfNotPresent") -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": "c", "image": image, "imagePullPolicy": pull}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def test_what_was_applied_is_waited_for(play: Play, kube: Client, workload: str) -> None:
    items = [deployment(workload, pause_image())]
    good = {"definitions": [{"apiVersion": "v1", "kind": "List", "items": items}], "wait": True}
    checked, first, second = play(
        {"kubeop.platform.apply": good, "check_mode": True},
        {"kubeop.platform.apply": good},
        {"kubeop.platform.apply": good},
    )
    assert [bool(result.get("failed")) for result in (checked, first, second)] == [False] * 3
    assert [result["changed"] for result in (checked, first, second)] == [True, True, False]
    live = kube.get("apps/v1", "Deployment", workload, "default")
    assert live is not None
    assert live["status"]["availableReplicas"] == 1


def test_what_never_becomes_ready_is_told_early_with_what_was_done(play: Play, workload: str) -> None:
    bad = {"definitions": [deployment(workload, "localhost/not-there:1", "Never")], "wait": True}
    began = time.monotonic()
    first, second = play({"kubeop.platform.apply": bad}, {"kubeop.platform.apply": bad, **BESIDE})
    assert time.monotonic() - began < 120  # and not 300 seconds, twice
    assert first["failed"]
    assert second["failed"]
    assert first["msg"].startswith(f"Deployment {workload} in namespace default will not become ready: container c of ")
    assert "ErrImageNeverPull" in first["msg"]
    assert first["failures"] == [first["msg"]]
    assert first["changed"]
    assert [(change["action"], change["name"]) for change in first["changes"]] == [("create", workload)]
    assert not second["changed"]
    assert second["changes"] == []
    assert second["counts"]["unchanged"] == 1
