from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeop import names
from kubeop.domain import baseline
from kubeop.domain.baseline import Baseline, ContainerDefaults
from kubeop.domain.presets import PRESETS, preset
from kubeop.domain.projects import Project
from kubeop.domain.quotas import Quota
from kubeop.errors import InputError
from kubeop.kube import quantities

SHOP = Baseline(
    namespace="kubeop-acme-shop", tenant="acme", project="shop", cluster="west", egress_cidrs=("10.0.0.0/8", "::/0")
)


def by_name(rules: Baseline) -> dict[str, dict]:
    return {obj["metadata"]["name"]: obj for obj in baseline.objects(rules)}


def test_the_pieces_come_in_order_and_carry_the_ownership_labels():
    found = baseline.objects(SHOP)
    assert [(obj["kind"], obj["metadata"]["name"]) for obj in found] == [
        ("Namespace", "kubeop-acme-shop"),
        ("LimitRange", "kubeop-defaults"),
        ("ResourceQuota", "kubeop-quota"),
        ("NetworkPolicy", "kubeop-egress"),
        ("NetworkPolicy", "kubeop-ingress"),
    ]
    owned = {names.LABEL_CLUSTER: "west", names.LABEL_TENANT: "acme", names.LABEL_PROJECT: "shop"}
    for obj in found:
        assert owned.items() <= obj["metadata"]["labels"].items()
    assert all(obj["metadata"]["namespace"] == "kubeop-acme-shop" for obj in found[1:])


def test_the_namespace_is_held_to_restricted():
    labels = baseline.namespace(SHOP)["metadata"]["labels"]
    assert {labels[names.POD_SECURITY_PREFIX + mode] for mode in ("enforce", "audit", "warn")} == {"restricted"}


def test_only_an_openshift_is_told_to_leave_its_labels_alone():
    elsewhere, there = baseline.namespace(SHOP), baseline.namespace(replace(SHOP, openshift=True))
    added = there["metadata"]["labels"].items() - elsewhere["metadata"]["labels"].items()
    assert added == {("security.openshift.io/scc.podSecurityLabelSync", "false")}


def test_a_project_that_says_nothing_gets_the_numbers_of_the_specification():
    found = by_name(SHOP)
    assert found["kubeop-defaults"]["spec"]["limits"] == [
        {
            "type": "Container",
            "defaultRequest": {"cpu": "100m", "memory": "64Mi"},
            "default": {"cpu": "500m", "memory": "256Mi"},
        }
    ]
    assert found["kubeop-quota"]["spec"]["hard"] == {
        "pods": "10",
        "requests.cpu": "1",
        "requests.memory": "1Gi",
        "limits.cpu": "5",
        "limits.memory": "4Gi",
    }


def test_ten_default_pods_fit_in_a_default_quota():
    hard = baseline.resource_quota(SHOP)["spec"]["hard"]
    defaults_of = baseline.ContainerDefaults()
    for kind, defaults in (("requests", defaults_of.requests), ("limits", defaults_of.limits)):
        for resource, each in defaults.items():
            assert 10 * quantities.parse(each) <= quantities.parse(hard[f"{kind}.{resource}"])


@given(st.integers(1, 10**6), st.integers(1, 2**40), st.integers(0, 1000))
def test_the_quota_is_the_projects_with_limits_in_proportion(milli, size, pods):
    rules = Baseline("n", "t", "p", quota=Quota(cpu=f"{milli}m", memory=str(size), pods=pods))
    hard = baseline.resource_quota(rules)["spec"]["hard"]
    assert quantities.equal(hard["requests.cpu"], f"{milli}m")
    assert quantities.equal(hard["limits.cpu"], f"{5 * milli}m")
    assert quantities.parse(hard["requests.memory"]) == size
    assert quantities.parse(hard["limits.memory"]) == 4 * size
    assert quantities.parse(hard["pods"]) == pods
    assert all(quantities.canonical(text) == text for text in hard.values())


def test_egress_reaches_dns_the_project_and_the_listed_cidrs_and_nothing_else():
    spec = baseline.egress_policy(SHOP)["spec"]
    assert spec["policyTypes"] == ["Egress"]
    assert spec["podSelector"] == {}
    dns, own, listed = spec["egress"]
    assert dns["to"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
    ]
    assert dns["ports"] == [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
    assert own == {"to": [{"podSelector": {}}]}
    assert listed == {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}, {"ipBlock": {"cidr": "::/0"}}]}


def test_egress_on_an_openshift_reaches_its_dns_too():
    elsewhere, there = (baseline.egress_policy(one)["spec"]["egress"] for one in (SHOP, replace(SHOP, openshift=True)))
    (added,) = [rule for rule in there if rule not in elsewhere]
    assert [rule for rule in there if rule != added] == elsewhere
    assert added == {
        "to": [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "openshift-dns"}},
                "podSelector": {"matchLabels": {"dns.operator.openshift.io/daemonset-dns": "default"}},
            }
        ],
        "ports": [{"protocol": "UDP", "port": 5353}, {"protocol": "TCP", "port": 5353}],
    }


def test_without_cidrs_no_rule_is_left_open():
    rules = baseline.egress_policy(Baseline("n", "t", "p"))["spec"]["egress"]
    assert len(rules) == 2
    assert all(rule["to"] for rule in rules)  # a rule without peers would allow everything


def test_only_the_projects_own_pods_come_in():
    spec = baseline.ingress_policy(SHOP)["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {}}]}]}


def test_a_projects_baseline_is_that_of_its_namespace():
    rules = Baseline.of_project(Project("acme", "shop"), cluster="west", egress_cidrs=("10.0.0.0/8", "::/0"))
    assert rules == SHOP


def test_an_unregistered_cluster_has_no_cluster_label():
    assert names.LABEL_CLUSTER not in Baseline("n", "t", "p").labels


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"namespace": "Shop"}, "Namespace"),
        ({"tenant": ""}, "Tenant name"),
        ({"project": "a.b"}, "Project name"),
        ({"cluster": "-"}, "Cluster name"),
        ({"pod_security": "none"}, "Pod Security level"),
        ({"egress_cidrs": ("10.0.0.1/8",)}, "CIDR"),
        ({"isolation": "some"}, "Isolation"),
        ({"network_policies": {"A": {}}}, "NetworkPolicy"),
    ],
)
def test_what_cannot_be_used_is_named(change, what):
    good = {"namespace": "n", "tenant": "t", "project": "p"}
    with pytest.raises(InputError, match=what):
        Baseline(**{**good, **change})


def test_two_calls_share_nothing():
    first, second = baseline.objects(SHOP), baseline.objects(SHOP)
    first[1]["spec"]["limits"][0]["default"]["cpu"] = "9"
    first[0]["metadata"]["labels"].clear()
    assert second == baseline.objects(SHOP)


def test_a_namespace_of_nobody_has_no_owner():
    labels = baseline.namespace(Baseline("n", "", ""))["metadata"]["labels"]
    assert not {names.LABEL_TENANT, names.LABEL_PROJECT} & set(labels)
    assert labels[names.LABEL_MANAGED_BY] == "kubeop"


def test_presets_open_step_by_step_and_the_first_is_that_of_projects():
    found = {
        name: Baseline(
            "n",
            "t",
            "p",
            quota=one.quota,
            pod_security=one.pod_security,
            isolation=one.isolation,
            egress_cidrs=("::/0",),
        )
        for name, one in PRESETS.items()
    }
    assert baseline.objects(found["restricted"]) == baseline.objects(Baseline("n", "t", "p", egress_cidrs=("::/0",)))
    cluster = [{"namespaceSelector": {}}]
    assert baseline.ingress_policy(found["baseline"])["spec"]["ingress"] == [{"from": cluster}]
    assert baseline.egress_policy(found["baseline"])["spec"]["egress"][1:] == [
        {"to": cluster},
        {"to": [{"ipBlock": {"cidr": "::/0"}}]},
    ]
    assert baseline.ingress_policy(found["privileged"])["spec"]["ingress"] == [{}]
    assert baseline.egress_policy(found["privileged"])["spec"]["egress"] == [{}]
    quotas = [quantities.parse(by_name(one)["kubeop-quota"]["spec"]["hard"]["requests.cpu"]) for one in found.values()]
    assert quotas == sorted(set(quotas))
    with pytest.raises(InputError, match="loose"):
        preset("loose")


def test_given_policies_come_beside_the_two_or_in_their_place():
    own = {"policyTypes": ["Ingress"], "ingress": [{}]}
    rules = Baseline("n", "t", "p", network_policies={"kubeop-ingress": own, "more": {**own, "podSelector": {"a": 1}}})
    found = by_name(rules)
    assert list(found)[3:] == ["kubeop-egress", "kubeop-ingress", "more"]
    assert found["kubeop-ingress"]["spec"] == {"podSelector": {}, **own}
    assert found["more"]["spec"]["podSelector"] == {"a": 1}
    assert found["kubeop-egress"] == by_name(Baseline("n", "t", "p"))["kubeop-egress"]


def test_the_quotas_limits_follow_the_containers():
    third = ContainerDefaults(cpu_request="300m", cpu_limit="400m", memory_request="64Mi", memory_limit="64Mi")
    hard = baseline.resource_quota(Baseline("n", "t", "p", containers=third))["spec"]["hard"]
    assert hard["limits.cpu"] == "1333333334n"
    assert hard["limits.memory"] == hard["requests.memory"]
    limits = baseline.limit_range(Baseline("n", "t", "p", containers=third))["spec"]["limits"][0]
    assert limits["defaultRequest"] == {"cpu": "300m", "memory": "64Mi"}
    assert limits["default"] == {"cpu": "400m", "memory": "64Mi"}


@pytest.mark.parametrize("given", [{"cpu_request": "0"}, {"cpu_request": "2"}, {"memory_limit": "much"}])
def test_defaults_of_no_use_are_refused(given):
    with pytest.raises(InputError):
        ContainerDefaults(**given)
