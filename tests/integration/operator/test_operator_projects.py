"""A Project's namespace: its whole baseline, its repair, and what is refused; the real process on a real API server."""

from __future__ import annotations

from typing import Any

import pytest
from operator_helpers import await_reason, project_object, ready, tenant_object, whole
from waiting import eventually

from kubeop import names
from kubeop.domain.quotas import Quota
from kubeop.errors import ApiError
from kubeop.kube.client import Client

NETWORK = "networking.k8s.io/v1"
PIECES = [
    ("v1", "LimitRange", names.LIMIT_RANGE),
    ("v1", "ResourceQuota", names.RESOURCE_QUOTA),
    (NETWORK, "NetworkPolicy", names.NETWORK_POLICY_EGRESS),
    (NETWORK, "NetworkPolicy", names.NETWORK_POLICY_INGRESS),
]
EDITS: dict[str, dict[str, Any]] = {
    names.LIMIT_RANGE: {"spec": {"limits": [{"type": "Container", "default": {"cpu": "9"}}]}},
    names.RESOURCE_QUOTA: {"spec": {"hard": {"pods": "999", "services": "1"}}},
    names.NETWORK_POLICY_EGRESS: {"spec": {"egress": [{}]}},
    names.NETWORK_POLICY_INGRESS: {"spec": {"policyTypes": ["Ingress", "Egress"], "egress": [{}]}},
}


@pytest.fixture
def web(kube: Client, tenant: str, running: Any) -> str:
    """The namespace of a ready project "web", under a running operator."""
    kube.create(project_object(tenant, "web"))
    await_reason(kube, "Project", f"{tenant}-web", "BaselineApplied")
    return f"kubeop-{tenant}-web"


def test_a_project_becomes_a_namespace_with_its_whole_baseline(kube: Client, tenant: str, running: Any) -> None:
    kube.create(project_object(tenant, "web", {"cpu": "2", "memory": "3Gi", "pods": 7}))
    condition = await_reason(kube, "Project", f"{tenant}-web", "BaselineApplied")
    project = kube.get(names.GROUP_VERSION, "Project", f"{tenant}-web")
    assert project is not None
    assert condition["status"] == "True"
    assert condition["observedGeneration"] == project["metadata"]["generation"]
    assert project["status"]["namespace"] == f"kubeop-{tenant}-web"
    assert names.FINALIZER in project["metadata"]["finalizers"]
    assert whole(kube, tenant, "web", quota=Quota("2", "3Gi", 7))
    namespace = kube.get("v1", "Namespace", f"kubeop-{tenant}-web")
    assert namespace is not None
    assert namespace["metadata"]["labels"][f"{names.POD_SECURITY_PREFIX}enforce"] == "restricted"
    # kopf leaves no trace of its own
    assert not [key for key in project["metadata"].get("annotations", {}) if "kopf" in key]
    assert running.metric("controller_runtime_reconcile_total{") > 0
    eventually(lambda: running.metric('kubeop_observed_generation_lag{kind="Project"}') == 0, "no status behind")


def test_a_changed_quota_reaches_the_namespace(kube: Client, tenant: str, web: str) -> None:
    kube.patch(names.GROUP_VERSION, "Project", f"{tenant}-web", {"spec": {"quotas": {"pods": 3}}})

    def pods() -> bool:
        quota = kube.get("v1", "ResourceQuota", names.RESOURCE_QUOTA, web)
        return quota is not None and quota["spec"]["hard"]["pods"] == "3"

    eventually(pods, "the quota of 3 pods")
    eventually(lambda: ready(kube, "Project", f"{tenant}-web").get("observedGeneration") == 2, "generation 2 observed")


def test_every_deleted_or_edited_piece_comes_back(kube: Client, tenant: str, web: str) -> None:
    for api_version, kind, name in PIECES:
        kube.delete(api_version, kind, name, web)
        eventually(lambda: whole(kube, tenant, "web"), f"deleted {kind} {name} put back")
        kube.patch(api_version, kind, name, EDITS[name], web)
        eventually(lambda: whole(kube, tenant, "web"), f"edited {kind} {name} put back")
        kube.patch(api_version, kind, name, {"metadata": {"labels": None}}, web)
        eventually(lambda: whole(kube, tenant, "web"), f"labels of {kind} {name} put back")
    events = kube.list("v1", "Event", "default", field_selector=f"involvedObject.name={tenant}-web,reason=Repaired")
    assert any("NetworkPolicy/kubeop-egress" in event["message"] for event in events)


@pytest.mark.parametrize(
    "labels",
    [
        {names.LABEL_TENANT: None, names.LABEL_PROJECT: None, names.LABEL_MANAGED_BY: None},
        {names.LABEL_TENANT: "somebody-else"},
        {f"{names.POD_SECURITY_PREFIX}enforce": "privileged"},
        {f"{names.POD_SECURITY_PREFIX}enforce-version": "v1.20"},
    ],
    ids=["ownership removed", "ownership changed", "weaker pod security", "older pod security"],
)
def test_edited_namespace_labels_come_back(kube: Client, tenant: str, web: str, labels: dict[str, Any]) -> None:
    kube.patch("v1", "Namespace", web, {"metadata": {"labels": labels}})
    eventually(lambda: whole(kube, tenant, "web"), "the namespace's labels put back")


def test_a_deleted_namespace_is_made_anew(kube: Client, tenant: str, web: str) -> None:
    before = kube.get("v1", "Namespace", web)
    assert before is not None
    kube.delete("v1", "Namespace", web)

    def anew() -> bool:
        found = kube.get("v1", "Namespace", web)
        return bool(found) and found["metadata"]["uid"] != before["metadata"]["uid"] and whole(kube, tenant, "web")

    eventually(anew, "a new namespace with its baseline")


def test_own_writes_cause_no_further_writes(kube: Client, tenant: str, web: str) -> None:
    names_of = [("v1", "Namespace", web, None), *((*piece, web) for piece in PIECES)]
    eventually(lambda: "hard" in (kube.get("v1", "ResourceQuota", names.RESOURCE_QUOTA, web) or {}).get("status", {}),
               "the quota's usage counted")  # fmt: skip
    versions = [kube.get(*piece)["metadata"]["resourceVersion"] for piece in names_of]
    other = f"{tenant}-other"
    for number in range(3):  # work that is not this project's, so that the queue has gone round
        kube.create(project_object(tenant, f"other{number}"))
        await_reason(kube, "Project", f"{other}{number}", "BaselineApplied")
    assert [kube.get(*piece)["metadata"]["resourceVersion"] for piece in names_of] == versions


def test_a_foreign_namespace_is_never_touched(kube: Client, tenant: str, running: Any) -> None:
    name = f"kubeop-{tenant}-web"
    labels = {names.LABEL_TENANT: "another", names.LABEL_PROJECT: "thing"}
    made = kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    kube.create(project_object(tenant, "web"))
    condition = await_reason(kube, "Project", f"{tenant}-web", "NamespaceTaken")
    assert "tenant another, project thing" in condition["message"]
    assert condition["status"] == "False"
    found = kube.get("v1", "Namespace", name)
    assert found is not None
    assert found["metadata"]["labels"] == made["metadata"]["labels"]
    assert kube.get("v1", "ResourceQuota", names.RESOURCE_QUOTA, name) is None
    # The Project goes; the namespace that is not its own stays.
    kube.delete(names.GROUP_VERSION, "Project", f"{tenant}-web")
    eventually(lambda: kube.get(names.GROUP_VERSION, "Project", f"{tenant}-web") is None, "the Project gone")
    found = kube.get("v1", "Namespace", name)
    assert found is not None
    assert "deletionTimestamp" not in found["metadata"]


def test_a_project_waits_for_its_tenant(kube: Client, tenant: str, running: Any) -> None:
    missing = f"{tenant}x"
    kube.create(project_object(missing, "web"))
    try:
        condition = await_reason(kube, "Project", f"{missing}-web", "TenantMissing")
        assert missing in condition["message"]
        assert kube.get("v1", "Namespace", f"kubeop-{missing}-web") is None
        kube.create(tenant_object(missing))
        await_reason(kube, "Project", f"{missing}-web", "BaselineApplied")
    finally:
        kube.delete(names.GROUP_VERSION, "Project", f"{missing}-web")
        kube.delete(names.GROUP_VERSION, "Tenant", missing)
        eventually(lambda: kube.get(names.GROUP_VERSION, "Tenant", missing) is None, "the tenant gone")


def test_a_quota_that_is_no_quantity_is_refused_by_the_api_server(kube: Client, tenant: str) -> None:
    with pytest.raises(ApiError) as refused:
        kube.create(project_object(tenant, "web", {"cpu": "a lot"}))
    assert "quantity" in str(refused.value)


def test_a_deleted_project_takes_its_namespace_along(kube: Client, tenant: str, web: str) -> None:
    kube.delete(names.GROUP_VERSION, "Project", f"{tenant}-web")
    eventually(lambda: kube.get(names.GROUP_VERSION, "Project", f"{tenant}-web") is None, "the Project gone")
    assert kube.get("v1", "Namespace", web) is None
