"""The rights that the manifests give to the operator are enough for all it does."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from operator_helpers import await_reason, eventually, project_object

from kubeop import devcluster, names
from kubeop.kube.client import Client
from kubeop.manifests.operator import operator

RBAC = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")


@pytest.fixture
def account(kube: Client, platform: None) -> Iterator[str]:
    """A ServiceAccount with just the manifests' rights, under a name of its own."""
    name = f"{names.OPERATOR}-{secrets.token_hex(3)}"
    text = json.dumps(operator(image="unused", pull_policy="Never", version="test"))
    objects = [item for item in json.loads(text.replace(names.OPERATOR, name)) if item["kind"] in RBAC]
    for item in objects:
        kube.create(item)
    yield name
    for item in objects:
        metadata = item["metadata"]
        kube.delete(item["apiVersion"], item["kind"], metadata["name"], metadata.get("namespace"))


@pytest.fixture
def limited(kube: Client, cluster: devcluster.Cluster, account: str, tmp_path: Path) -> Path:
    """A kubeconfig with a token of that ServiceAccount."""
    token = kube.request(
        "POST",
        f"/api/v1/namespaces/{names.PLATFORM_NAMESPACE}/serviceaccounts/{account}/token",
        body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}},
    )["status"]["token"]
    document = yaml.safe_load(cluster.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": token}
    path = tmp_path / "limited"
    path.write_text(yaml.safe_dump(document))
    return path


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
