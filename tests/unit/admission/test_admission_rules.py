import copy

import pytest

from kubeop import names
from kubeop.admission.reviews import GroupResource, Request, User
from kubeop.admission.rules import RULES, judge
from kubeop.admission.state import Ownership, State
from kubeop.domain.baseline import Baseline, objects
from kubeop.domain.policy import Policy
from kubeop.domain.projects import Project, Tenant
from kubeop.domain.quotas import Quota
from kubeop.manifests import webhooks

ADMIN = User("kubernetes-admin", ("system:masters", "system:authenticated"))
OPERATOR = User(
    "system:serviceaccount:kubeop-system:kubeop-operator",
    ("system:serviceaccounts", "system:serviceaccounts:kubeop-system"),
)
ALICE = User("alice", ("system:authenticated",))
NAMESPACE = "kubeop-acme-shop"
GROUPS = {
    "pods": "",
    "pods/ephemeralcontainers": "",
    "replicationcontrollers": "",
    "resourcequotas": "",
    "namespaces": "",
    "deployments": "apps",
    "statefulsets": "apps",
    "daemonsets": "apps",
    "replicasets": "apps",
    "jobs": "batch",
    "cronjobs": "batch",
    "networkpolicies": "networking.k8s.io",
    "tenants": names.API_GROUP,
    "projects": names.API_GROUP,
}
TEMPLATED = ["replicationcontrollers", "deployments", "statefulsets", "daemonsets", "replicasets", "jobs"]


@pytest.fixture
def state() -> State:
    found = State(policy=Policy(image_allowlist=("localhost/", "registry.k8s.io/"), egress_baseline=("10.0.0.0/8",)))
    found.put_tenant("acme", Tenant("acme", Quota(cpu="4", memory="8Gi", pods=40)))
    found.put_project("acme-shop", Project("acme", "shop"))
    found.put_namespace(NAMESPACE, Ownership("acme", "shop", "west"))
    return found


def ask(resource, obj, *, old=None, user=ALICE, namespace=NAMESPACE, operation=""):
    kind, _, sub = resource.partition("/")
    return Request(
        uid="1",
        resource=GroupResource(GROUPS[resource], kind),
        sub_resource=sub,
        operation=operation or ("UPDATE" if old is not None else "CREATE"),
        name=obj.get("metadata", {}).get("name", ""),
        namespace=namespace,
        user_info=user,
        object=obj,
        old_object=old,
    )


def told(request, state):
    return [refusal.message for refusal in judge(request, state)]


def pod(image="localhost/app:1", labels=None, **spec):
    return {
        "metadata": {"name": "app", "labels": labels or {}},
        "spec": {"containers": [{"name": "app", "image": image}], **spec},
    }


def workload(resource, template):
    if resource in ("pods", "pods/ephemeralcontainers"):
        return template
    if resource == "cronjobs":
        return {"metadata": {"name": "app"}, "spec": {"jobTemplate": {"spec": {"template": template}}}}
    return {"metadata": {"name": "app"}, "spec": {"template": template}}


def registered(configuration):
    return {
        (rule["apiGroups"][0], resource)
        for webhook in configuration["webhooks"]
        for rule in webhook["rules"]
        for resource in rule["resources"]
    }


def test_every_rule_is_registered_and_nothing_is_registered_without_a_rule():
    _, validating = webhooks.webhook_configurations("Q0E=")
    assert frozenset().union(*(rule.resources for rule in RULES)) == registered(validating)


def test_rules_have_names_of_their_own():
    assert len({rule.name for rule in RULES}) == len(RULES)


# Images


@pytest.mark.parametrize("resource", ["pods", "pods/ephemeralcontainers", "cronjobs", *TEMPLATED])
def test_an_image_that_is_not_listed_is_refused_wherever_pods_come_from(resource, state):
    assert told(ask(resource, workload(resource, pod("docker.io/evil/x:1"))), state) == [
        "image docker.io/evil/x:1 is not on the allow list (localhost/, registry.k8s.io/); "
        "use one of these registries or ask a platform admin to add it"
    ]
    assert told(ask(resource, workload(resource, pod())), state) == []


@pytest.mark.parametrize("group", ["initContainers", "ephemeralContainers"])
def test_all_containers_of_a_pod_are_looked_at(group, state):
    (message,) = told(ask("pods", pod(**{group: [{"name": "x", "image": "evil"}]})), state)
    assert "image docker.io/library/evil:latest" in message


def test_an_image_volume_is_an_image_too(state):
    (message,) = told(ask("pods", pod(volumes=[{"name": "v", "image": {"reference": "evil/data:1"}}])), state)
    assert "docker.io/evil/data:1" in message


def test_an_unreadable_image_is_refused(state):
    (message,) = told(ask("pods", pod("HTTP://x")), state)
    assert "is not an image reference" in message


def test_an_empty_list_restricts_no_image(state):
    state.policy = Policy()
    assert told(ask("pods", pod("docker.io/evil/x:1")), state) == []


def test_what_runs_may_be_changed_while_its_pods_stay_as_they_are(state):
    old = workload("deployments", pod("docker.io/evil/x:1"))
    scaled = copy.deepcopy(old)
    scaled["spec"]["replicas"] = 0
    assert told(ask("deployments", scaled, old=old), state) == []
    scaled["spec"]["template"]["spec"]["containers"][0]["image"] = "docker.io/evil/x:2"
    assert told(ask("deployments", scaled, old=old), state) != []


def test_what_is_going_away_is_let_go(state):
    leaving = pod("docker.io/evil/x:1")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert told(ask("pods", leaving, old=pod("localhost/app:1")), state) == []


def test_deletions_are_never_judged(state):
    assert told(ask("pods", {}, old=pod("evil"), operation="DELETE"), state) == []


# Pod Security and labels


def test_a_pod_that_asks_for_its_node_is_refused_with_every_reason(state):
    bad = pod(hostNetwork=True, volumes=[{"name": "root", "hostPath": {"path": "/"}}])
    bad["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    messages = told(ask("deployments", workload("deployments", bad)), state)
    assert len(messages) == 3
    assert any(message.startswith("spec.template.spec.hostNetwork is true") for message in messages)


@pytest.mark.parametrize(
    ("labels", "part"),
    [
        ({names.LABEL_TENANT: "other"}, "set it to 'acme'"),
        ({names.LABEL_PROJECT: "bank"}, "set it to 'shop'"),
        ({names.LABEL_CLUSTER: "east"}, "set it to 'west'"),
    ],
)
@pytest.mark.parametrize("resource", ["pods", "cronjobs", "deployments"])
def test_labels_of_another_owner_are_refused(resource, labels, part, state):
    (message,) = told(ask(resource, workload(resource, pod(labels=labels))), state)
    assert part in message
    assert "belongs to tenant acme, project shop" in message


def test_true_labels_are_fine(state):
    labels = {names.LABEL_TENANT: "acme", names.LABEL_PROJECT: "shop", "app": "web"}
    assert told(ask("pods", pod(labels=labels)), state) == []


def test_a_namespace_that_was_not_seen_yet_is_waited_for(state):
    request = ask("pods", pod(labels={names.LABEL_TENANT: "acme"}), namespace="kubeop-acme-new")
    (refusal,) = judge(request, state)
    assert refusal.unseen
    state.put_namespace("kubeop-acme-new", Ownership("acme", "new"))
    assert judge(request, state) == []


# Network policies


def policy(*egress, name="mine"):
    return {"metadata": {"name": name}, "spec": {"podSelector": {}, "egress": list(egress)}}


def block(cidr, *excluded):
    return {"to": [{"ipBlock": {"cidr": cidr, **({"except": list(excluded)} if excluded else {})}}]}


DNS = [{"protocol": "UDP", "port": 53}]


@pytest.mark.parametrize(
    "rule",
    [
        block("10.1.0.0/16"),
        block("10.0.0.0/7", "11.0.0.0/8"),
        {"to": [{"podSelector": {}}]},
        {"to": [{"namespaceSelector": {"matchLabels": {names.LABEL_TENANT: "acme"}}}]},
        {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}}]},
        {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}], "ports": DNS},
        {
            "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "openshift-dns"}}}],
            "ports": [{"protocol": "UDP", "port": 5353}],
        },
    ],
)
def test_egress_inside_the_baseline_is_fine(rule, state):
    assert told(ask("networkpolicies", policy(rule)), state) == []


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        (block("0.0.0.0/0"), "outside the egress baseline (10.0.0.0/8)"),
        (block("10.0.0.0/7"), "opens 11.0.0.0/8"),
        (block("10.0.0.0/7", "10.0.0.0/8"), "opens 11.0.0.0/8"),
        (block("::/0"), "outside the egress baseline"),
        (block("ten"), "is not a CIDR"),
        ({}, "opens everything"),
        ({"ports": DNS}, "opens everything"),
        ({"to": []}, "opens everything"),
        ({"to": [{"namespaceSelector": {}}]}, "other tenants' namespaces"),
        ({"to": [{"namespaceSelector": {"matchLabels": {names.LABEL_TENANT: "other"}}}]}, "other tenants'"),
        ({"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}]}, "other"),
        (
            {
                "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "openshift-dns"}}}],
                "ports": DNS,
            },
            "other",
        ),
        (
            {
                "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
                "ports": [{"port": 53, "endPort": 6443}],
            },
            "other",
        ),
    ],
)
def test_egress_beyond_the_baseline_is_refused(rule, part, state):
    (message,) = told(ask("networkpolicies", policy(rule)), state)
    assert message.startswith("spec.egress[0]")
    assert part in message


def test_ingress_is_the_projects_own_business(state):
    obj = {"metadata": {"name": "web"}, "spec": {"podSelector": {}, "ingress": [{}]}}
    assert told(ask("networkpolicies", obj), state) == []


def test_an_empty_baseline_allows_no_cidr(state):
    state.policy = Policy()
    (message,) = told(ask("networkpolicies", policy(block("10.0.0.0/8"))), state)
    assert "which is empty" in message


@pytest.mark.parametrize("user", [OPERATOR, ADMIN])
def test_the_platforms_own_pieces_are_not_judged_when_the_platform_writes_them(user, state):
    wide = Baseline(NAMESPACE, "acme", "shop", egress_cidrs=("192.0.2.0/24",), quota=Quota(cpu="100"))
    state.policy = Policy(egress_baseline=("10.0.0.0/8",), quota_max=Quota(cpu="1"))
    for obj in objects(wide):
        resource = {"NetworkPolicy": "networkpolicies", "ResourceQuota": "resourcequotas"}.get(obj["kind"])
        if resource:
            assert told(ask(resource, obj, user=user), state) == []
    egress = policy(block("192.0.2.0/24"), name=names.NETWORK_POLICY_EGRESS)
    assert told(ask("networkpolicies", egress, user=ALICE), state) != []
    assert told(ask("networkpolicies", policy(block("192.0.2.0/24")), user=user), state) != []


# Resource quotas


def resource_quota(**hard):
    return {"metadata": {"name": "mine"}, "spec": {"hard": {key.replace("_", "."): v for key, v in hard.items()}}}


def test_a_quota_has_both_requests_and_stays_below_the_maximum(state):
    state.policy = Policy(quota_max=Quota(cpu="2", memory="4Gi"))
    assert told(ask("resourcequotas", resource_quota(requests_cpu="2", requests_memory="1Gi")), state) == []
    assert told(ask("resourcequotas", resource_quota(cpu="2000m", memory="4096Mi")), state) == []
    (memory,) = told(ask("resourcequotas", resource_quota(requests_cpu="1")), state)
    assert "has no requests.memory" in memory
    (cpu,) = told(ask("resourcequotas", resource_quota(requests_cpu="2001m", requests_memory="1Gi")), state)
    assert "set it to 2 or less" in cpu
    (unreadable,) = told(ask("resourcequotas", resource_quota(requests_cpu="x", requests_memory="1Gi")), state)
    assert "not a Kubernetes quantity" in unreadable


# Namespaces


def namespace(name, tenant="", project="", **labels):
    owned = {names.LABEL_TENANT: tenant, names.LABEL_PROJECT: project}
    return {"metadata": {"name": name, "labels": {k: v for k, v in owned.items() if v} | labels}}


def ask_namespace(obj, **options):
    return ask("namespaces", obj, namespace=obj["metadata"]["name"], **options)


@pytest.mark.parametrize(
    "obj", [namespace(NAMESPACE, "acme", "shop"), namespace("kubeop-x"), namespace("mine", "acme", "shop")]
)
def test_only_the_platform_makes_project_namespaces(obj, state):
    state.put_project("acme-shop", None)
    (message,) = told(ask_namespace(obj), state)
    assert "only the platform may make namespace" in message
    assert "create or change a Project" in message
    assert told(ask_namespace(obj, user=OPERATOR), state) == []


def test_on_an_openshift_its_api_server_makes_those_that_the_operator_asked_for(state):
    server = User("system:serviceaccount:openshift-apiserver:x", ("system:serviceaccounts:openshift-apiserver",))
    requested = namespace(NAMESPACE)
    requested["metadata"]["annotations"] = {"openshift.io/requester": OPERATOR.username}
    assert told(ask_namespace(requested, user=server), state) == []
    assert "only the platform" in told(ask_namespace(requested), state)[0]
    labelled = namespace(NAMESPACE, "acme", "shop")
    labelled["metadata"]["annotations"] = requested["metadata"]["annotations"]
    assert "only the platform" in told(ask_namespace(labelled, user=server), state)[0]
    assert "only the platform" in told(ask_namespace(requested, old=labelled, user=server), state)[0]
    requested["metadata"]["annotations"] = {"openshift.io/requester": "alice"}
    assert "only the platform" in told(ask_namespace(requested, user=server), state)[0]
    assert told(ask_namespace(labelled, old=namespace(NAMESPACE), user=OPERATOR), state) == []


def test_those_whom_the_policy_names_may_make_them_too(state):
    state.policy = Policy(admin_groups=("ops",), admin_users=("bob",))
    obj = namespace(NAMESPACE, "acme", "shop")
    assert told(ask_namespace(obj, user=User("eve", ("ops",))), state) == []
    assert told(ask_namespace(obj, user=User("bob")), state) == []
    assert told(ask_namespace(obj), state) != []


def test_other_namespaces_are_nobodys_business(state):
    assert told(ask_namespace(namespace("mine")), state) == []
    assert told(ask_namespace(namespace(names.PLATFORM_NAMESPACE)), state) == []


@pytest.mark.parametrize(
    ("obj", "part"),
    [
        (namespace(NAMESPACE, "acme", "bank"), "owned by another project than its labels say"),
        (namespace(NAMESPACE), "owned by another project than its labels say (tenant (none), project (none))"),
        (namespace("kubeop-acme-bank", "acme", "tank"), "whose namespace is kubeop-acme-tank"),
        (namespace("mine", "acme", "shop"), "whose namespace is kubeop-acme-shop"),
        (namespace("mine", "acme"), "has only one of"),
    ],
)
def test_an_administrator_too_is_held_to_the_truth(obj, part, state):
    (message,) = told(ask_namespace(obj, user=ADMIN), state)
    assert part in message


def test_a_namespace_does_not_change_hands(state):
    old = namespace("mine", "acme", "bank")
    (message,) = told(ask_namespace(namespace("mine", "other", "bank"), old=old, user=ADMIN), state)
    assert "owned by another project (tenant acme, project bank)" in message


def test_labels_and_pod_security_of_a_project_namespace_are_the_platforms(state):
    old = namespace(NAMESPACE, "acme", "shop", **{names.POD_SECURITY_PREFIX + "enforce": "restricted"})
    weaker = namespace(NAMESPACE, "acme", "shop", **{names.POD_SECURITY_PREFIX + "enforce": "privileged"})
    (message,) = told(ask_namespace(weaker, old=old), state)
    assert "relabel" in message
    (message,) = told(ask_namespace(namespace(NAMESPACE), old=old), state)
    assert "relabel" in message
    noted = copy.deepcopy(old)
    noted["metadata"]["labels"]["team"] = "blue"
    assert told(ask_namespace(noted, old=old), state) == []


# Tenants and projects


def test_a_tenant_is_judged_by_its_quota_name_and_label(state):
    good = Tenant("acme", Quota(cpu="4", memory="8Gi")).to_object()
    assert told(ask("tenants", good, namespace=""), state) == []
    small = Tenant("acme", Quota(cpu="500m")).to_object()
    (message,) = told(ask("tenants", small, old=good, namespace=""), state)
    assert "already have more: cpu 1 is more than 500m" in message
    bad = Tenant("acme").to_object()
    bad["metadata"] = {"name": "other"}
    assert len(told(ask("tenants", bad, namespace=""), state)) == 2
    bad = Tenant("acme").to_object()
    bad["spec"]["quotas"] = {"cpu": "lots"}
    (message,) = told(ask("tenants", bad, namespace=""), state)
    assert "Quota cpu" in message


def test_a_project_fits_in_what_its_tenant_has_left(state):
    fits = Project("acme", "bank", Quota(cpu="3", memory="7Gi", pods=30)).to_object()
    assert told(ask("projects", fits, namespace=""), state) == []
    large = Project("acme", "bank", Quota(cpu="3001m", memory="1Gi")).to_object()
    (message,) = told(ask("projects", large, namespace=""), state)
    assert "cpu 3001m is more than 3, which is what tenant acme has left" in message


def test_a_project_may_grow_into_its_own_share(state):
    old = Project("acme", "shop").to_object()
    grown = Project("acme", "shop", Quota(cpu="4", memory="8Gi", pods=40)).to_object()
    assert told(ask("projects", grown, old=old, namespace=""), state) == []


def test_a_project_stays_below_the_policys_maximum(state):
    state.policy = Policy(quota_max=Quota(cpu="2"))
    large = Project("acme", "bank", Quota(cpu="3")).to_object()
    (message,) = told(ask("projects", large, namespace=""), state)
    assert "the platform's maximum" in message


def test_a_project_without_a_tenant_waits_for_it(state):
    request = ask("projects", Project("new", "shop").to_object(), namespace="")
    (refusal,) = judge(request, state)
    assert refusal.unseen
    assert "there is no Tenant new" in refusal.message
    state.put_tenant("new", Tenant("new"))
    assert judge(request, state) == []


def test_a_project_is_named_after_its_tenant_and_says_so(state):
    obj = Project("acme", "bank").to_object()
    obj["metadata"] = {"name": "bank", "labels": {names.LABEL_TENANT: "other"}}
    messages = told(ask("projects", obj, namespace=""), state)
    assert any("make it 'acme-bank'" in message for message in messages)
    assert any(f"label {names.LABEL_TENANT} is 'other'; set it to 'acme'" in message for message in messages)
    assert any(f"label {names.LABEL_PROJECT} is None" in message for message in messages)


@pytest.mark.parametrize(
    ("owner", "part"),
    [(Ownership("a", "cme-bank"), "belongs to tenant a, project cme-bank"), (Ownership(), "is not a project's")],
)
def test_a_namespace_that_is_taken_is_refused(owner, part, state):
    state.put_namespace("kubeop-acme-bank", owner)
    (message,) = told(ask("projects", Project("acme", "bank").to_object(), namespace=""), state)
    assert part in message


def test_the_operators_finalizer_is_never_refused(state):
    state.put_tenant("acme", None)
    old = Project("acme", "shop").to_object()
    new = copy.deepcopy(old)
    new["metadata"]["finalizers"] = [names.FINALIZER]
    assert told(ask("projects", new, old=old, namespace="", user=OPERATOR), state) == []


def test_a_project_that_moves_or_goes_leaves_its_tenants_sum(state):
    state.put_project("acme-shop", Project("acme", "shop", Quota(cpu="2")))
    assert state.projects_of("acme")["acme-shop"].quota == Quota(cpu="2")
    state.put_project("acme-shop", None)
    assert not state.projects_of("acme")
    assert not state.projects
