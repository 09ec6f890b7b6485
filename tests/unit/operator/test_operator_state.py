"""What the operator remembers and says: ledger, index, ownership, the Ready condition."""

from __future__ import annotations

from typing import Any

import pytest

from kubeop import names
from kubeop.domain.quotas import Quota
from kubeop.operator.index import Index
from kubeop.operator.ledger import Ledger, Ref, digest
from kubeop.operator.projects import namespace_of, owns, project_of
from kubeop.operator.status import Status, condition
from kubeop.operator.watch import Backoffs


def project(tenant: str = "acme", name: str = "web", **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": names.GROUP_VERSION,
        "kind": "Project",
        "metadata": {"name": f"{tenant}-{name}", "uid": "u1", "generation": 2},
        "spec": {"tenantRef": tenant, "name": name} | more,
    }


def namespace(name: str = "kubeop-acme-web", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **metadata}, "spec": {}}


def test_the_ledger_knows_what_was_right_and_expects_once() -> None:
    ledger, obj = Ledger(), project()
    ref = Ref.of(obj)
    assert not ledger.knows(ref, digest(obj))
    ledger.note(ref, obj)
    between = project(quotas={"cpu": "1"})
    ledger.expect(ref, between)
    assert [ledger.knows(ref, digest(between)) for _ in range(2)] == [True, False]
    assert ledger.knows(ref, digest(obj))
    ledger.forget(ref)
    assert not ledger.knows(ref, digest(obj))


def test_a_namespace_is_forgotten_with_what_is_in_it() -> None:
    ledger = Ledger()
    inside = Ref("LimitRange", "kubeop-acme-web", names.LIMIT_RANGE)
    other = Ref("LimitRange", "kubeop-acme-api", names.LIMIT_RANGE)
    for ref in (inside, other, Ref("Namespace", "", "kubeop-acme-web")):
        ledger.note(ref, namespace())
    ledger.forget(Ref("Namespace", "", "kubeop-acme-web"))
    assert len(ledger) == 1
    assert ledger.knows(other, digest(namespace()))


def test_the_digest_leaves_out_what_others_count() -> None:
    quota = {"apiVersion": "v1", "metadata": {"name": "q", "resourceVersion": "1"}, "spec": {"hard": {"pods": "1"}}}
    used = quota | {"metadata": {"name": "q", "resourceVersion": "2"}, "status": {"used": {"pods": "1"}}}
    assert digest(quota) == digest(used)
    assert digest(quota) != digest(quota | {"spec": {"hard": {"pods": "2"}}})
    assert digest(project()) != digest(project() | {"status": {"namespace": "x"}})


def test_names_of_projects_and_namespaces() -> None:
    assert namespace_of("acme-web") == "kubeop-acme-web"
    assert project_of("kubeop-acme-web") == "acme-web"
    assert project_of("default") is None


@pytest.mark.parametrize(
    ("labels", "manager", "recorded", "expected"),
    [
        ({names.LABEL_TENANT: "acme", names.LABEL_PROJECT: "web"}, "kubectl", "", True),
        ({}, names.FIELD_MANAGER_OPERATOR, "kubeop-acme-web", True),
        ({names.LABEL_TENANT: "other"}, names.FIELD_MANAGER_OPERATOR, "kubeop-acme-web", True),
        ({}, names.FIELD_MANAGER_OPERATOR, "", False),
        ({}, "kubectl", "kubeop-acme-web", False),
        ({names.LABEL_TENANT: "acme", names.LABEL_PROJECT: "other"}, "kubectl", "", False),
    ],
    ids=["labelled", "labels removed", "labels edited", "not recorded", "made by another", "another's"],
)
def test_whose_namespace_it_is(labels: dict[str, str], manager: str, recorded: str, expected: bool) -> None:
    found = namespace(labels=labels, managedFields=[{"manager": manager}])
    owner = project() | {"status": {"namespace": recorded}}
    assert owns(owner, found) is expected


def test_the_index_tells_which_tenants_change() -> None:
    index = Index()
    assert index.put_project(project(quotas={"cpu": "2"})) == {"acme"}
    assert index.put_project(project(quotas={"cpu": "2"})) == set()
    assert index.put_project(project(quotas={"cpu": "3"})) == {"acme"}
    index.put_project(project("zeta", "web", quotas={"cpu": "not a quantity"}))
    assert index.quotas_of("acme") == [Quota(cpu="3")]
    assert index.quotas_of("zeta") == [Quota()]
    assert index.projects_of("acme") == ["acme-web"]
    assert sorted(index.projects()) == ["acme-web", "zeta-web"]
    assert index.drop_project("acme-web") == {"acme"}
    assert index.drop_project("acme-web") == set()
    assert not index.has_project("acme-web")


def test_the_lag_is_summed_by_kind() -> None:
    index = Index()
    ref = Ref.of(project())
    index.note_generation(ref, project())
    index.note_generation(Ref("Tenant", "", "acme"), project() | {"status": {"observedGeneration": 1}})
    assert dict(index.lag()) == {"Project": 2, "Tenant": 1}
    index.note_generation(ref, project() | {"status": {"observedGeneration": 2}})
    index.note_generation(Ref("Tenant", "", "acme"), None)
    assert dict(index.lag()) == {}


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    obj = project()
    first = Status(False, "TenantMissing", "There is no Tenant acme.").to_status(obj)
    assert first["observedGeneration"] == 2
    assert condition(obj) == {}
    first["conditions"][0]["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    again = Status(False, "NamespaceTaken", "Taken.").to_status(obj | {"status": first})
    assert again["conditions"][0]["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    ready = Status(True, "BaselineApplied", "Done.", fields={"namespace": "n"}).to_status(obj | {"status": first})
    assert ready["conditions"][0]["lastTransitionTime"] != "2026-01-01T00:00:00Z"
    assert ready["namespace"] == "n"
    assert condition({"status": ready})["observedGeneration"] == 2


def test_watch_requests_are_retried_without_end() -> None:
    waits = [wait for wait, _ in zip(Backoffs(), range(50), strict=False)]
    assert len(waits) == 50
    assert max(waits) == 1.0
