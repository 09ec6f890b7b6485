"""The module baseline on namespaces that are there: picked by pattern and label, with presets, and what had drifted."""

from __future__ import annotations

from typing import Any

import pytest
from playing import Play

from kubeop import names
from kubeop.kube.client import Client

POLICY = {"policyTypes": ["Ingress"], "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]}]}


@pytest.fixture
def teams(kube: Client, tenant: str) -> str:
    """Three namespaces that begin with the tenant's name; one is another tenant's."""
    owners = {
        "a": {"stage": "prod"},
        "b": {"stage": "dev"},
        "c": {"stage": "prod", names.LABEL_TENANT: f"{tenant}-other"},
    }
    for name, labels in owners.items():
        metadata = {"name": f"{tenant}-{name}", "labels": {"made-for": tenant, **labels}}
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    return tenant


@pytest.fixture(autouse=True)
def cleared(kube: Client, tenant: str) -> Any:
    yield
    for namespace in kube.list("v1", "Namespace", label_selector=f"made-for={tenant}"):
        kube.delete("v1", "Namespace", namespace["metadata"]["name"])


def task(*namespaces: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"kubeop.platform.baseline": {"namespaces": list(namespaces), **options}, "diff": True}


def test_namespaces_are_picked_governed_and_their_drift_is_told(play: Play, kube: Client, teams: str) -> None:
    every = task(
        {
            "pattern": f"{teams}-*",
            "tenant": teams,
            "limit_range": {"memory_limit": "128Mi"},
            "network_policies": [{"name": "from-b", "spec": POLICY}],
        },
        {"name": f"{teams}-b", "preset": "baseline"},
    )
    checked, done, again = play({**every, "check_mode": True}, every, every)
    assert (checked["changes"], checked["diff"], checked["drift"]) == (done["changes"], done["diff"], done["drift"])
    assert sorted(done["governed"]) == [f"{teams}-a", f"{teams}-b"]
    assert done["left_alone"] == {f"{teams}-c": f"it belongs to tenant {teams}-other"}
    assert done["counts"] == {"create": 9, "update": 2, "unchanged": 0, "delete": 0}
    assert {(one["kind"], one["problem"]) for one in done["drift"] if one["name"] == "from-b"} == {
        ("NetworkPolicy", "missing")
    }
    assert not again["changed"] and again["drift"] == []

    one, other = (kube.get("v1", "Namespace", f"{teams}-{name}") for name in "ab")
    assert one is not None and other is not None
    assert one["metadata"]["labels"][names.LABEL_PROJECT] == f"{teams}-a"
    assert one["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert names.LABEL_TENANT not in other["metadata"]["labels"]
    assert other["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    limits = kube.get("v1", "LimitRange", "kubeop-defaults", f"{teams}-a")
    assert limits is not None and limits["spec"]["limits"][0]["default"]["memory"] == "128Mi"
    policy = kube.get("networking.k8s.io/v1", "NetworkPolicy", "from-b", f"{teams}-a")
    assert policy is not None and policy["spec"] == {"podSelector": {}, **POLICY}

    changed = {"spec": {"hard": {"requests.cpu": "9"}}}
    kube.patch("v1", "ResourceQuota", "kubeop-quota", changed, f"{teams}-a", field_manager="kubeop-ansible")
    kube.delete("networking.k8s.io/v1", "NetworkPolicy", "kubeop-egress", f"{teams}-b")
    every["kubeop.platform.baseline"]["force"] = True
    checked, repaired = play({**every, "check_mode": True}, every)
    drift = [
        {
            "namespace": f"{teams}-a",
            "kind": "ResourceQuota",
            "name": "kubeop-quota",
            "problem": "edited",
            "fields": ["spec.hard[requests.cpu]"],
            "owners": [],
        },
        {
            "namespace": f"{teams}-b",
            "kind": "NetworkPolicy",
            "name": "kubeop-egress",
            "problem": "missing",
            "fields": [],
            "owners": [],
        },
    ]
    assert sorted(checked["drift"], key=lambda one: one["namespace"]) == drift
    assert (repaired["drift"], repaired["diff"]) == (checked["drift"], checked["diff"])


def test_a_policy_that_is_no_longer_listed_goes(play: Play, kube: Client, teams: str) -> None:
    made = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": {"podSelector": {}, **POLICY}}
    kube.create({**made, "metadata": {"name": "somebodys", "namespace": f"{teams}-a"}})

    def wanted(*policies: str, **other: Any) -> dict[str, Any]:
        listed = [{"name": name, "spec": POLICY} for name in policies]
        return {"name": f"{teams}-a", "network_policies": listed, **other}

    other = {"name": f"{teams}-b", "network_policies": [{"name": "stays", "spec": POLICY}]}
    _, checked, done, again = play(
        task(wanted("one", "two"), other),
        {**task(wanted("two")), "check_mode": True},
        task(wanted("two")),
        # So many that they are not looked at one by one.
        {**task(wanted("two"), *({"name": f"{teams}-{number}"} for number in range(9))), "check_mode": True},
    )
    gone = {"namespace": f"{teams}-a", "kind": "NetworkPolicy", "name": "one", "problem": "unlisted"}
    gone |= {"fields": [], "owners": []}
    assert checked["drift"] == done["drift"] == [gone]
    assert (checked["changes"], checked["diff"]) == (done["changes"], done["diff"])
    assert done["counts"] == {"create": 0, "update": 0, "unchanged": 6, "delete": 1}
    assert again["drift"] == []
    left = [
        (one["metadata"]["namespace"], one["metadata"]["name"])
        for one in kube.list("networking.k8s.io/v1", "NetworkPolicy")
        if one["metadata"]["namespace"].startswith(teams)
    ]
    own = ["kubeop-egress", "kubeop-ingress"]
    assert sorted(left) == sorted(
        [(f"{teams}-a", name) for name in (*own, "somebodys", "two")]
        + [(f"{teams}-b", name) for name in (*own, "stays")]
    )


def test_selectors_pick_and_the_system_is_left_alone(play: Play, kube: Client, teams: str) -> None:
    prod, both, system, nothing, bad = play(
        task({"label_selector": f"made-for={teams},stage=prod"}),
        task({"label_selector": f"made-for={teams}", "pattern": "*-b"}),
        {**task({"pattern": "kube-*"}), "check_mode": True},
        task({"preset": "baseline"}),
        task({"name": "a", "pattern": "Not-A-Name"}),
    )
    assert sorted(prod["governed"]) == [f"{teams}-a", f"{teams}-c"]
    assert both["governed"] == [f"{teams}-b"]
    assert (system["changed"], system["governed"]) == (False, [])
    assert system["left_alone"]["kube-system"] == "it is part of the system"
    assert nothing["failed"] and "no namespace" in nothing["msg"]
    assert bad["failed"] and "pattern" in bad["msg"]
    labels = (kube.get("v1", "Namespace", f"{teams}-c") or {})["metadata"]["labels"]
    assert (labels[names.LABEL_TENANT], labels[names.LABEL_PROJECT]) == (f"{teams}-other", f"{teams}-c")


def test_what_somebody_else_has_edited_is_drift_and_the_rest_is_told_too(play: Play, kube: Client, teams: str) -> None:
    every = task({"pattern": f"{teams}-*", "tenant": teams})
    play(every)
    levels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    kube.patch("v1", "Namespace", f"{teams}-a", levels, field_manager="kubectl-label")
    kube.delete("v1", "LimitRange", "kubeop-defaults", f"{teams}-a")
    edited = {"spec": {"hard": {"requests.cpu": "9", "pods": "99"}}}
    kube.patch("v1", "ResourceQuota", "kubeop-quota", edited, f"{teams}-b", field_manager="kubectl-edit")
    kube.delete("networking.k8s.io/v1", "NetworkPolicy", "kubeop-egress", f"{teams}-b")

    nothing: dict[str, list[str]] = {"fields": [], "owners": []}
    namespace, limits, quota, policy = (
        {"namespace": f"{teams}-{where}", "kind": kind, "name": name, "problem": problem, **nothing}
        for where, kind, name, problem in (
            ("a", "Namespace", f"{teams}-a", "edited"),
            ("a", "LimitRange", "kubeop-defaults", "missing"),
            ("b", "ResourceQuota", "kubeop-quota", "edited"),
            ("b", "NetworkPolicy", "kubeop-egress", "missing"),
        )
    )
    namespace["fields"] = ["metadata.labels[pod-security.kubernetes.io/enforce]"]
    quota["fields"] = ["spec.hard.pods", "spec.hard[requests.cpu]"]
    forced = [namespace, limits, quota]
    kept = [{**namespace, "owners": ["kubectl-label"]}, limits, {**quota, "owners": ["kubectl-edit"]}]

    checked, done, left = play({**every, "check_mode": True}, every, every)
    assert checked["drift"] == done["drift"] == [policy, *kept]
    assert left["drift"] == kept
    for result in (checked, done, left):
        assert result["failed"]
        assert all(owner in " ".join(result["failures"]) for owner in ("kubectl-edit", "kubectl-label"))
        assert result["drifted"][-1] == f"ResourceQuota {teams}-b/kubeop-quota"
        assert sorted(result["governed"]) == [f"{teams}-a", f"{teams}-b"]
        assert result["left_alone"] == {f"{teams}-c": f"it belongs to tenant {teams}-other"}
    assert (checked["changes"], checked["changed"], checked["diff"]) == (done["changes"], True, done["diff"])
    assert (left["changes"], left["changed"]) == ([], False)

    every["kubeop.platform.baseline"]["force"] = True
    checked, repaired, again = play({**every, "check_mode": True}, every, every)
    assert checked["drift"] == repaired["drift"] == forced
    assert (repaired["changed"], again["changed"], again["drift"]) == (True, False, [])
