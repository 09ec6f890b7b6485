"""The feed on a real API server: what is there, what changes, and what went while nobody looked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from waiting import eventually

from kubeop import names
from kubeop.admission.feed import Feed
from kubeop.admission.state import Ownership, State
from kubeop.domain.baseline import Baseline, objects
from kubeop.domain.policy import Policy
from kubeop.domain.projects import Project, Tenant
from kubeop.domain.quotas import Quota
from kubeop.kube.apply import apply
from kubeop.kube.client import Client
from kubeop.manifests import crds
from kubeop.manifests.common import platform_namespace
from kubeop.manifests.policy import policy_configmap

MANAGER = "kubeop-test"


@pytest.fixture
def prepared(kube: Client) -> Iterator[Client]:
    """The cluster with CRDs, the platform's namespace and no policy."""
    apply(kube, [platform_namespace("test"), *crds.crds("test")], field_manager=MANAGER, force=True)
    kube.delete("v1", "ConfigMap", names.POLICY_CONFIGMAP, names.PLATFORM_NAMESPACE)
    yield kube
    kube.delete("v1", "ConfigMap", names.POLICY_CONFIGMAP, names.PLATFORM_NAMESPACE)


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
def feed(cluster, prepared: Client, state: State) -> Iterator[Feed]:
    """Started, on a client of its own."""
    found = Feed(Client.from_kubeconfig(cluster.kubeconfig), state)
    found.start()
    yield found
    found.stop()
    assert found.stopped() is not None  # the threads have ended


def test_nothing_is_judged_before_there_is_a_policy(prepared, state, feed):
    eventually(lambda: feed.problem() == "not read yet: ConfigMap", "all but the policy is read")
    assert feed.stopped() is None
    policy = policy_configmap(image_allowlist=["localhost/"], quota_max={"requestsCPU": "2"})
    prepared.server_side_apply(policy, field_manager=MANAGER, force=True)
    eventually(lambda: feed.problem() is None, "the policy is read")
    assert state.policy == Policy(image_allowlist=("localhost/",), quota_max=Quota(cpu="2"))
    # Without it, the last one stays in force.
    prepared.delete("v1", "ConfigMap", names.POLICY_CONFIGMAP, names.PLATFORM_NAMESPACE)
    marker = Tenant("feed-marker").to_object()
    prepared.create(marker)
    eventually(lambda: "feed-marker" in state.tenants, "later changes are seen")
    prepared.delete(marker["apiVersion"], "Tenant", "feed-marker")
    assert state.policy.image_allowlist == ("localhost/",)


def test_tenants_projects_and_namespaces_come_change_and_go(prepared, state, feed):
    tenant, project = Tenant("feed", Quota(cpu="4")), Project("feed", "shop")
    namespace = objects(Baseline.of_project(project))[0]
    try:
        for obj in (tenant.to_object(), project.to_object(), namespace):
            prepared.server_side_apply(obj, field_manager=MANAGER, force=True)
        eventually(lambda: state.tenants.get("feed") == tenant, "the tenant is seen")
        eventually(lambda: dict(state.projects_of("feed")) == {"feed-shop": project}, "the project is seen")
        eventually(
            lambda: state.namespaces.get("kubeop-feed-shop") == Ownership("feed", "shop"), "the namespace is seen"
        )
        larger = Tenant("feed", Quota(cpu="8"))
        prepared.server_side_apply(larger.to_object(), field_manager=MANAGER, force=True)
        eventually(lambda: state.tenants.get("feed") == larger, "the change is seen")
    finally:
        prepared.delete("v1", "Namespace", "kubeop-feed-shop")
        prepared.delete(names.GROUP_VERSION, "Project", "feed-shop")
        prepared.delete(names.GROUP_VERSION, "Tenant", "feed")
    eventually(lambda: "feed" not in state.tenants, "the tenant is gone")
    eventually(lambda: not state.projects_of("feed"), "the project is gone")
    eventually(lambda: "kubeop-feed-shop" not in state.namespaces, "the namespace is gone")


def test_what_went_while_nobody_followed_is_forgotten(prepared, state, cluster):
    state.put_tenant("long-gone", Tenant("long-gone"))
    state.put_project("long-gone-shop", Project("long-gone", "shop"))
    state.put_namespace("kubeop-long-gone", Ownership("long", "gone"))
    feed = Feed(Client.from_kubeconfig(cluster.kubeconfig), state)
    feed.start()
    try:
        eventually(lambda: feed.problem() == "not read yet: ConfigMap", "all but the policy is read")
        assert "long-gone" not in state.tenants
        assert not state.projects_of("long-gone")
        assert "kubeop-long-gone" not in state.namespaces
    finally:
        feed.stop()
