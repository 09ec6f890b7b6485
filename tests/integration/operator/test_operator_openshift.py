"""What the operator does on an OpenShift, on an API server that serves OpenShift's kinds by CRDs written for this test.

The CRDs only take objects. Where a real OpenShift would do something with them, PlayedServer does it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from operator_helpers import await_reason, project_object, whole
from waiting import eventually

from kubeop import devcluster, names
from kubeop.domain.policy import Policy
from kubeop.errors import ClusterError
from kubeop.kube.apply import apply
from kubeop.kube.client import Client
from kubeop.kube.files import read
from kubeop.kube.openshift import (
    CLUSTER_RESOURCE_QUOTA,
    PROJECT_API,
    PROJECT_REQUEST,
    QUOTA_API,
    REQUESTER,
    OpenShift,
)
from kubeop.kube.transport import Stop
from kubeop.kube.watch import follow
from kubeop.operator.ledger import Ledger
from kubeop.operator.projects import reconcile_project
from kubeop.operator.status import write_status
from kubeop.operator.survey import survey
from kubeop.operator.tenants import reconcile_tenant

CRDS = Path(__file__).parent / "openshift"
CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
QUOTAS = {"cpu": "4", "memory": "8Gi"}


@pytest.fixture(scope="module", autouse=True)
def openshift(cluster: devcluster.Cluster, platform: None) -> Iterator[None]:
    """The cluster serves OpenShift's kinds while these tests run, and not for a moment longer."""
    with Client.from_kubeconfig(cluster.kubeconfig) as client:
        definitions = list(read(CRDS))
        apply(client, definitions, field_manager="test")
        yield
        for definition in definitions:
            client.delete(*CRD, definition["metadata"]["name"])
        for definition in definitions:
            name = definition["metadata"]["name"]
            eventually(lambda name=name: client.get(*CRD, name) is None, f"CRD {name} gone")


class PlayedServer:
    """The part of OpenShift's API server that the CRD lacks: a request becomes a namespace, and is not stored."""

    def __init__(self, kube: Client, requester: str) -> None:
        self._kube = kube
        self._requester = requester
        self.asked: list[dict[str, Any]] = []

    def run(self, stop: Stop) -> None:
        for event in follow(self._kube, PROJECT_API, PROJECT_REQUEST, stop=stop):
            if event.type == "ADDED":
                self.answer(event.object)

    def answer(self, request: dict[str, Any]) -> None:
        self.asked.append(request)
        self.make(request["metadata"]["name"], **{"openshift.io/display-name": request["displayName"]})
        self._kube.delete(PROJECT_API, PROJECT_REQUEST, request["metadata"]["name"])

    def make(self, name: str, **annotations: str) -> None:
        metadata = {"name": name, "annotations": {REQUESTER: self._requester} | annotations}
        self._kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


@contextmanager
def answering(kube: Client, requester: str) -> Iterator[PlayedServer]:
    server, stop = PlayedServer(kube, requester), Stop()
    thread = threading.Thread(target=server.run, args=(stop,))
    thread.start()
    try:
        yield server
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def limiting(kube: Client, tenant: str) -> str:
    """The tenant with a quota."""
    kube.patch(names.GROUP_VERSION, "Tenant", tenant, {"spec": {"quotas": QUOTAS}})
    return tenant


def quota_of(kube: Client, tenant: str) -> dict[str, Any] | None:
    return kube.get(QUOTA_API, CLUSTER_RESOURCE_QUOTA, f"kubeop-{tenant}")


def look(kube: Client, tenant: str) -> Any:
    """One look at a tenant, and its status written, as the controller does it."""
    found = kube.get(names.GROUP_VERSION, "Tenant", tenant)
    assert found is not None
    status = reconcile_tenant(kube, found, [])
    if not status.gone:
        found = kube.get(names.GROUP_VERSION, "Tenant", tenant)
        assert found is not None
        write_status(kube, found, status)
    return status


def test_a_tenants_quota_lies_over_its_namespaces_as_long_as_it_has_one(kube: Client, limiting: str) -> None:
    assert look(kube, limiting).repaired == ()
    found = quota_of(kube, limiting)
    assert found is not None
    assert found["spec"] == {
        "selector": {"labels": {"matchLabels": {names.LABEL_TENANT: limiting}}},
        "quota": {"hard": {"requests.cpu": "4", "requests.memory": "8Gi", "limits.cpu": "20", "limits.memory": "32Gi"}},
    }
    assert look(kube, limiting).repaired == ()
    again = quota_of(kube, limiting)
    assert again is not None
    assert again["metadata"]["resourceVersion"] == found["metadata"]["resourceVersion"]
    edit = {
        "metadata": {"labels": None},
        "spec": {"quota": {"hard": {"requests.cpu": "99", "secrets": "1"}}, "selector": {"annotations": {"a": "b"}}},
    }
    kube.patch(QUOTA_API, CLUSTER_RESOURCE_QUOTA, f"kubeop-{limiting}", edit)
    assert look(kube, limiting).repaired == (f"ClusterResourceQuota/kubeop-{limiting}",)
    again = quota_of(kube, limiting)
    assert again is not None
    assert (again["spec"], again["metadata"]["labels"]) == (found["spec"], found["metadata"]["labels"])
    kube.patch(names.GROUP_VERSION, "Tenant", limiting, {"spec": {"quotas": {"cpu": None, "memory": None}}})
    assert look(kube, limiting).ready
    assert quota_of(kube, limiting) is None


def test_a_tenant_takes_its_quota_along(kube: Client, limiting: str) -> None:
    look(kube, limiting)
    kube.delete(names.GROUP_VERSION, "Tenant", limiting)
    assert look(kube, limiting).gone
    assert kube.get(names.GROUP_VERSION, "Tenant", limiting) is None
    assert quota_of(kube, limiting) is None


def test_somebody_elses_quota_is_left_alone(kube: Client, limiting: str) -> None:
    foreign = {
        "apiVersion": QUOTA_API,
        "kind": CLUSTER_RESOURCE_QUOTA,
        "metadata": {"name": f"kubeop-{limiting}"},
        "spec": {"selector": {"annotations": {"team": "a"}}, "quota": {"hard": {"pods": "3"}}},
    }
    made = kube.create(foreign)
    with pytest.raises(ClusterError, match=f"kubeop-{limiting} is not the platform's"):
        look(kube, limiting)
    kube.delete(names.GROUP_VERSION, "Tenant", limiting)
    assert look(kube, limiting).gone
    assert quota_of(kube, limiting) == made
    kube.delete(QUOTA_API, CLUSTER_RESOURCE_QUOTA, f"kubeop-{limiting}")


def test_a_projects_namespace_is_asked_for(kube: Client, tenant: str) -> None:
    project = kube.create(project_object(tenant, "web"))
    with answering(kube, OpenShift(kube).username()) as server:
        status = reconcile_project(kube, project, Policy())
        assert (status.reason, status.repaired) == ("BaselineApplied", ())
        assert whole(kube, tenant, "web", openshift=True)
        (request,) = server.asked
        assert request["displayName"] == f"{tenant}/web"
        namespace = kube.get("v1", "Namespace", f"kubeop-{tenant}-web")
        assert namespace is not None
        assert namespace["metadata"]["annotations"]["openshift.io/display-name"] == f"{tenant}/web"
        assert namespace["metadata"]["labels"][names.LABEL_POD_SECURITY_SYNC] == "false"
        write_status(kube, project, status)
        project = kube.get(names.GROUP_VERSION, "Project", f"{tenant}-web")
        assert project is not None
        assert reconcile_project(kube, project, Policy()).ready
        assert len(server.asked) == 1
    assert survey(kube, [project], Policy(), Ledger()) == set()
    kube.patch(
        "v1", "Namespace", f"kubeop-{tenant}-web", {"metadata": {"labels": {names.LABEL_POD_SECURITY_SYNC: None}}}
    )
    assert survey(kube, [project], Policy(), Ledger()) == {f"{tenant}-web"}
    assert reconcile_project(kube, project, Policy()).repaired == (f"Namespace/kubeop-{tenant}-web",)


def test_a_namespace_that_comes_late_is_waited_for_and_known_again(kube: Client, tenant: str) -> None:
    def step() -> Any:
        project = kube.get(names.GROUP_VERSION, "Project", f"{tenant}-web")
        assert project is not None
        return reconcile_project(kube, project, Policy())

    kube.create(project_object(tenant, "web"))
    server = PlayedServer(kube, OpenShift(kube).username())  # not running: the test decides when it answers
    first = step()
    assert (first.ready, first.reason, first.retry) == (False, "NamespaceRequested", True)
    assert "asked for by a ProjectRequest" in first.message
    assert step().reason == "NamespaceRequested"  # asked for already
    (request,) = kube.list(PROJECT_API, PROJECT_REQUEST)
    server.answer(request)
    assert step().reason == "BaselineApplied"
    assert whole(kube, tenant, "web", openshift=True)


def test_a_namespace_that_somebody_else_asked_for_is_left_alone(kube: Client, tenant: str) -> None:
    project = kube.create(project_object(tenant, "web"))
    name = f"kubeop-{tenant}-web"
    PlayedServer(kube, "alice").make(name)
    status = reconcile_project(kube, project, Policy())
    assert (status.ready, status.reason) == (False, "NamespaceTaken")
    namespace = kube.get("v1", "Namespace", name)
    assert namespace is not None
    assert names.LABEL_TENANT not in namespace["metadata"]["labels"]


def test_the_operator_does_all_of_it_with_the_rights_in_the_manifests(
    kube: Client, tenant: str, start: Any, account: str, limited: Path
) -> None:
    replica = start(limited, lease=names.OPERATOR_LEASE.replace(names.OPERATOR, account))
    requester = f"system:serviceaccount:{names.PLATFORM_NAMESPACE}:{account}"
    kube.patch(names.GROUP_VERSION, "Tenant", tenant, {"spec": {"quotas": QUOTAS}})
    with answering(kube, requester) as server:
        kube.create(project_object(tenant, "web"))
        await_reason(kube, "Project", f"{tenant}-web", "BaselineApplied")
        assert [request["metadata"]["name"] for request in server.asked] == [f"kubeop-{tenant}-web"]
    assert whole(kube, tenant, "web", openshift=True)
    before = eventually(lambda: quota_of(kube, tenant), "the tenant's quota made")
    kube.delete(QUOTA_API, CLUSTER_RESOURCE_QUOTA, f"kubeop-{tenant}")
    after = eventually(lambda: quota_of(kube, tenant), "the tenant's quota put back")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    kube.patch(QUOTA_API, CLUSTER_RESOURCE_QUOTA, f"kubeop-{tenant}", {"spec": {"quota": {"hard": {"secrets": "1"}}}})
    eventually(lambda: (quota_of(kube, tenant) or {})["spec"] == before["spec"], "what was added taken out")
    kube.delete(names.GROUP_VERSION, "Project", f"{tenant}-web")
    kube.delete(names.GROUP_VERSION, "Tenant", tenant)
    eventually(lambda: kube.get(names.GROUP_VERSION, "Tenant", tenant) is None, "the Tenant gone")
    assert quota_of(kube, tenant) is None
    assert kube.get("v1", "Namespace", f"kubeop-{tenant}-web") is None
    assert replica.terminate() == 0
    text = replica.log.read_text()
    assert "forbidden" not in text.lower()
    assert "Traceback" not in text
