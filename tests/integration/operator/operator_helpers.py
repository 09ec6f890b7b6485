"""Watching a running operator from a test, and the objects it works on."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from waiting import PATIENCE_SECONDS, eventually

from kubeop import names
from kubeop.domain.baseline import Baseline, objects
from kubeop.kube.client import Client
from kubeop.operator.pieces import is_right


@dataclass
class Operator:
    """One running replica."""

    process: subprocess.Popen[bytes]
    log: Path
    health_port: int
    metrics_port: int
    lease: str = ""

    def fetch(self, path: str, port: int | None = None) -> tuple[int, str]:
        answer = urllib3.request("GET", f"http://127.0.0.1:{port or self.health_port}{path}", retries=False)
        return answer.status, answer.data.decode()

    def metric(self, sample: str) -> float:
        lines = self.fetch("/metrics", self.metrics_port)[1].splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(sample))

    def leads(self) -> bool:
        return self.metric("kubeop_leader{") == 1

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


Start = Callable[..., Operator]


def ports(log: Path) -> tuple[int, int] | None:
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        if entry["event"] == "started":
            return entry["health_port"], entry["metrics_port"]
    return None


def projects_of(kube: Client, tenant: str) -> list[dict[str, Any]]:
    found = kube.list(names.GROUP_VERSION, "Project")
    return [project for project in found if project["spec"]["tenantRef"] == tenant]


def tenant_object(name: str, quotas: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "apiVersion": names.GROUP_VERSION,
        "kind": "Tenant",
        "metadata": {"name": name},
        "spec": {"name": name, "quotas": quotas or {}},
    }


def project_object(tenant: str, name: str, quotas: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "apiVersion": names.GROUP_VERSION,
        "kind": "Project",
        "metadata": {"name": f"{tenant}-{name}"},
        "spec": {"tenantRef": tenant, "name": name, "quotas": quotas or {}},
    }


def ready(kube: Client, kind: str, name: str) -> dict[str, Any]:
    """The Ready condition, empty while there is none."""
    found = kube.get(names.GROUP_VERSION, kind, name) or {}
    conditions = (found.get("status") or {}).get("conditions") or [{}]
    return conditions[0]


def await_reason(kube: Client, kind: str, name: str, reason: str) -> dict[str, Any]:
    """Wait for a reason in the Ready condition."""
    return eventually(
        lambda: (found := ready(kube, kind, name)).get("reason") == reason and found,
        f"{kind} {name} with reason {reason}",
    )


def whole(kube: Client, tenant: str, project: str, **more: Any) -> bool:
    """Whether a project's namespace has every piece of its baseline as it should be."""
    baseline = Baseline(names.project_namespace(tenant, project), tenant, project, **more)
    for wanted in objects(baseline):
        metadata = wanted["metadata"]
        found = kube.get(wanted["apiVersion"], wanted["kind"], metadata["name"], metadata.get("namespace"))
        if found is None or found["metadata"].get("deletionTimestamp") or not is_right(wanted, found):
            return False
    return True
