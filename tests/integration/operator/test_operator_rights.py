"""The rights that the manifests give to the operator are enough for all it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from operator_helpers import await_reason, project_object
from waiting import eventually

from kubeop import names
from kubeop.kube.client import Client


def test_the_rights_in_the_manifests_are_enough(
    kube: Client, tenant: str, start: Any, account: str, limited: Path
) -> None:
    replica = start(limited, lease=names.OPERATOR_LEASE.replace(names.OPERATOR, account))
    follower = start(limited, lease=replica.lease, wait=False)
    project = f"{tenant}-web"
    kube.create(project_object(tenant, "web"))
    await_reason(kube, "Project", project, "BaselineApplied")
    for kind, name in (("LimitRange", names.LIMIT_RANGE), ("ResourceQuota", names.RESOURCE_QUOTA)):
        kube.delete("v1", kind, name, f"kubeop-{project}")
        eventually(lambda kind=kind, name=name: kube.get("v1", kind, name, f"kubeop-{project}"), f"{kind} put back")
    kube.patch("v1", "ResourceQuota", names.RESOURCE_QUOTA, {"spec": {"hard": {"services": "1"}}}, f"kubeop-{project}")

    def hard() -> dict[str, str]:
        return (kube.get("v1", "ResourceQuota", names.RESOURCE_QUOTA, f"kubeop-{project}") or {})["spec"]["hard"]

    eventually(lambda: "services" not in hard(), "what was added taken out")
    events = kube.list("v1", "Event", "default", field_selector=f"involvedObject.name={project}")
    assert {event["reason"] for event in events} == {"Repaired"}
    kube.delete(names.GROUP_VERSION, "Project", project)
    eventually(lambda: kube.get(names.GROUP_VERSION, "Project", project) is None, "the Project gone")
    assert replica.terminate() == 0
    eventually(follower.leads, "the follower led")
    for operator_process in (replica, follower):
        text = operator_process.log.read_text()
        assert "forbidden" not in text.lower()
        assert "Traceback" not in text
