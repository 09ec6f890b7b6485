"""A module inside Ansible's process, and the same module beside it."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from playing import Play

from kubeop import devcluster
from kubeop.kube.client import Client

# What needs a process of its own has the same arguments. Ansible adds `invocation` to what such a one answers.
BESIDE = {"environment": {"LC_ALL": "C.UTF-8"}}


def answers(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key != "invocation"}


def test_both_answer_the_same(play: Play, kube: Client, tenant: str) -> None:
    namespaces = [{"name": f"{tenant}-{letter}", "tenant": tenant, "project": letter} for letter in "ab"]
    baseline = {"kubeop.platform.baseline": {"namespaces": namespaces, "preset": "baseline"}, "diff": True}
    wrong = {"kubeop.platform.baseline": {"namespaces": [{"name": "x", "colour": "red"}]}}
    unknown = {"kubeop.platform.apply": {"definitions": [{"apiVersion": "v1", "kind": "Nonesuch"}]}}
    nothing = {"kubeop.platform.apply": {}}
    checked = {**baseline, "check_mode": True}
    tasks = (checked, wrong, unknown, nothing)
    *results, first, second = play(*(one for task in tasks for one in (task, {**task, **BESIDE})), baseline, baseline)
    for inside, beside in zip(results[::2], results[1::2], strict=True):
        assert "invocation" in beside
        assert "invocation" not in inside
        assert answers(inside) == answers(beside)
    assert results[0]["changed"]
    assert all(result["failed"] for result in results[2:])
    assert (first["changed"], second["changed"]) == (True, False)
    assert first["diff"] == results[0]["diff"]
    assert kube.get("v1", "ResourceQuota", "kubeop-quota", f"{tenant}-a") is not None


@pytest.mark.skipif(Path("/dev/log").exists(), reason="this machine has a log of its own")
def test_beside_too_a_manifest_is_neither_logged_nor_returned(play: Play, kube: Client, tenant: str) -> None:
    metadata = {"name": tenant, "namespace": "default"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"password": "hunter2"}}
    given = {"definitions": [secret]}
    baseline = {"kubeop.platform.baseline": {"namespaces": [{"name": tenant, "tenant": tenant, "project": "a"}]}}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind("/dev/log")
        log.setblocking(False)
        try:
            done, wrong, _ = play(
                {"kubeop.platform.apply": given, **BESIDE},
                {"kubeop.platform.apply": {**given, "colour": "red"}, **BESIDE},
                {**baseline, **BESIDE, "check_mode": True},
            )
            said = b"".join(iter(lambda: _next(log), b""))
        finally:
            Path("/dev/log").unlink()
            kube.delete("v1", "Secret", tenant, "default")
    assert (done["changed"], wrong["failed"]) == (True, True)
    assert b"kubeop.platform.baseline" in said  # so that there is a log at all
    assert "hunter2" not in json.dumps([done, wrong]) + said.decode()


def _next(log: socket.socket) -> bytes:
    with contextlib.suppress(BlockingIOError):
        return log.recv(1 << 16)
    return b""


def test_the_same_python_by_another_way_is_the_same(play: Play, tenant: str) -> None:
    python = Path(sys.executable)
    roundabout = f"{python.parent}/../{python.parent.name}/{python.name}"
    task = {"kubeop.platform.baseline": {"namespaces": [{"name": tenant, "tenant": tenant, "project": "a"}]}}
    [result] = play({**task, "check_mode": True, "vars": {"ansible_python_interpreter": roundabout}})
    assert result["changed"]
    assert "invocation" not in result


def test_paths_are_those_of_a_module(play: Play, kube: Client, tenant: str, tmp_path: Path) -> None:
    # Beside the playbook, wherever `ansible-playbook` was called.
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": tenant, "namespace": "default"}}
    (tmp_path / "manifest.yml").write_text(json.dumps(manifest))
    task = {"kubeop.platform.apply": {"src": ["manifest.yml"]}}
    try:
        first, second = play(task, {**task, **BESIDE})
    finally:
        kube.delete("v1", "ConfigMap", tenant, "default")
    assert (first["changed"], second["changed"]) == (True, False)


def test_a_kubeconfig_given_as_text_is_never_shown(play: Play, cluster: devcluster.Cluster) -> None:
    content = cluster.kubeconfig.read_text()
    cut = content.replace("client-key-data", "client-key-date")
    task = {"kubeop.platform.apply": {"kubeconfig_content": cut, "content": cut, "kubeconfig": None}}
    [result] = play(task)
    assert result["failed"]
    assert not [line for line in content.split() if len(line) > 40 and line in json.dumps(result)]
