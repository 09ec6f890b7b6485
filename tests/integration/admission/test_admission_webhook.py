"""The real webhook on the host, asked by a real API server through its address, about real objects."""

from __future__ import annotations

import base64
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from hosts import own_address
from served_webhook import MANAGER, Webhook, free_port, issue
from waiting import eventually

from kubeop import names
from kubeop.crypto import certificates
from kubeop.domain.baseline import Baseline, objects
from kubeop.domain.projects import Project, Tenant
from kubeop.domain.quotas import Quota
from kubeop.errors import ApiError, ApplyFailed, ClusterError
from kubeop.kube.apply import apply
from kubeop.kube.client import Client
from kubeop.manifests import crds, manager, platform
from kubeop.manifests.common import platform_namespace
from kubeop.manifests.policy import policy_configmap

NAMESPACE = "kubeop-hooked-shop"
SHOP = Project("hooked", "shop", Quota(cpu="1", memory="1Gi", pods=10))


def pod(image: str = "localhost/app:1", name: str = "app", **metadata: object) -> dict:
    context = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": "app", "image": image, "securityContext": context}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, **metadata},
        "spec": {"containers": [container]},
    }


def deployment(image: str) -> dict:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod(image)["spec"]}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    metadata = {"name": "web", "namespace": NAMESPACE}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def refusal(client: Client, obj: dict) -> str:
    """Why the API server does not take the object; empty if it does."""
    try:
        client.server_side_apply(obj, field_manager=MANAGER, force=True, dry_run=True)
    except ApiError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def admin(cluster) -> Iterator[Client]:
    with Client.from_kubeconfig(cluster.kubeconfig) as client:
        apply(client, [platform_namespace("test"), *crds.crds("test")], field_manager=MANAGER, force=True)
        yield client


@pytest.fixture(scope="module")
def webhook(cluster, admin: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    """The webhook, registered, with a Tenant, a Project and its namespace."""
    policy = policy_configmap(image_allowlist=["localhost/", "registry.k8s.io/"], egress_baseline=["10.0.0.0/8"])
    admin.server_side_apply(policy, field_manager=MANAGER, force=True)
    address = own_address(admin.server)
    port, tls = free_port(address), tmp_path_factory.mktemp("tls")
    issued = issue(tls, address)
    script = "from kubeop.cli.main import main; main()"
    command = [sys.executable, "-c", script, "webhook", "serve", "--kubeconfig", str(cluster.kubeconfig)]
    command += ["--host", address, "--port", str(port), "--metrics-port", "0", "--tls", str(tls)]
    found = Webhook(subprocess.Popen(command), address, port, tls)
    wanted = [Tenant("hooked", Quota(cpu="2", memory="4Gi", pods=20)).to_object(), SHOP.to_object()]
    try:
        eventually(found.ready, "the webhook is ready")
        found.register(admin, issued.ca_pem)
        for obj in [*wanted, *objects(Baseline.of_project(SHOP, egress_cidrs=("10.0.0.0/8",)))]:
            admin.server_side_apply(obj, field_manager=MANAGER, force=True)
        eventually(
            lambda: admin.get("v1", "ServiceAccount", "default", NAMESPACE), "the namespace has its ServiceAccount"
        )
        eventually(lambda: "allow list" in refusal(admin, pod("docker.io/evil/x:1")), "the API server asks the webhook")
        yield found
    finally:
        found.unregister(admin)
        if found.process.poll() is None:
            assert found.stop() == 0
        for obj in reversed(wanted):
            admin.delete(obj["apiVersion"], obj["kind"], obj["metadata"]["name"])
        admin.delete("v1", "Namespace", NAMESPACE)
        admin.delete("v1", "ConfigMap", names.POLICY_CONFIGMAP, names.PLATFORM_NAMESPACE)


def test_all_objects_of_the_platform_pass_the_servers_own_checks(admin):
    bundle = base64.b64encode(certificates.issue_ca("kubeop test", 1).cert_pem).decode()
    options = {"image": "localhost/kubeop/controller:1", "pull_policy": "IfNotPresent", "version": "0.1.0"}
    found = [
        *platform.platform(
            operator_image=options["image"],
            pull_policy="Always",
            version="0.1.0",
            webhook=platform.Admission("localhost/kubeop/webhook:1", bundle, "1"),
        ),
        *manager.manager(**options, env_checksum="1"),
        manager.migrations_job(**options),
    ]
    assert [refusal(admin, obj) for obj in found] == [""] * len(found)


def test_the_crds_are_established(admin):
    for crd in crds.crds():
        found = admin.get(crd["apiVersion"], crd["kind"], crd["metadata"]["name"])
        assert found is not None
        assert {c["type"]: c["status"] for c in found["status"]["conditions"]}["Established"] == "True"


@pytest.mark.parametrize(
    ("obj", "part"),
    [
        ({**Tenant("a").to_object(), "spec": {"name": "a", "quotas": {"cpu": "lots"}}}, "must be a quantity"),
        ({**Tenant("a").to_object(), "spec": {"name": "a", "quotas": {"memory": "-1Gi"}}}, "must be a quantity"),
        ({**Tenant("a").to_object(), "spec": {"name": "a", "quotas": {"pods": -1}}}, "greater than or equal to 0"),
        ({**Tenant("a").to_object(), "spec": {"name": "b"}}, "must be the same as spec.name"),
        ({**Project("a", "b").to_object(), "spec": {"tenantRef": "a", "name": "c"}}, "metadata.name must be"),
        ({**Project("a", "b").to_object(), "spec": {"name": "b"}}, "tenantRef"),
    ],
)
def test_the_schema_refuses_what_cannot_be_right(admin, obj, part):
    assert part in refusal(admin, obj)


def test_numbers_are_quantities_and_names_never_change(admin, webhook):
    tenant = Tenant("hooked").to_object()
    tenant["spec"]["quotas"] = {"cpu": 4, "memory": 8589934592, "pods": 40}
    assert refusal(admin, tenant) == ""
    moved = SHOP.to_object()
    moved["spec"]["tenantRef"] = "other"
    assert "cannot be changed" in refusal(admin, moved)


def test_a_forbidden_image_is_refused_and_a_listed_one_is_not(admin, webhook):
    message = refusal(admin, pod("docker.io/evil/x:1"))
    assert "image docker.io/evil/x:1 is not on the allow list (localhost/, registry.k8s.io/)" in message
    assert "docker.io/evil/x:1" in refusal(admin, deployment("evil/x:1"))
    assert refusal(admin, pod()) == ""


def test_what_the_webhook_denies_keeps_nothing_else_back(admin, webhook):
    def wanted(image: str) -> list[dict]:
        settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "namespace": NAMESPACE}}
        return [deployment(image), settings]

    for dry_run in (True, False):
        with pytest.raises(ApplyFailed) as denied:
            apply(admin, wanted("docker.io/evil/x:1"), field_manager=MANAGER, dry_run=dry_run)
        [failure] = denied.value.failures
        assert str(failure).startswith(f"Deployment web in namespace {NAMESPACE} cannot be applied")
        assert "image docker.io/evil/x:1 is not on the allow list" in failure.message
        assert failure.hint == "Change what the webhook asks for."
        assert denied.value.result.summary() == "1 created"
    rerun = apply(admin, wanted("localhost/app:1"), field_manager=MANAGER)
    assert rerun.summary() == "1 created, 1 unchanged"
    assert not apply(admin, wanted("localhost/app:1"), field_manager=MANAGER).changed


def test_a_pod_that_asks_for_its_node_is_refused(admin, webhook):
    bad = deployment("localhost/app:1")
    bad["spec"]["template"]["spec"]["hostNetwork"] = True
    assert "spec.template.spec.hostNetwork is true; remove it" in refusal(admin, bad)


def test_what_passes_is_labelled(admin, webhook):
    found = admin.server_side_apply(deployment("localhost/app:1"), field_manager=MANAGER, dry_run=True)
    assert found["metadata"]["labels"][names.LABEL_MANAGED_BY] == names.PLATFORM


def test_a_pod_of_another_owner_is_refused(admin, webhook):
    assert "set it to 'hooked'" in refusal(admin, pod(labels={names.LABEL_TENANT: "other"}))


def test_an_ephemeral_container_is_judged_too(admin, webhook):
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    admin.request("POST", path, body=pod(name="debugged"))
    extra = {**pod("docker.io/evil/shell:1")["spec"]["containers"][0], "name": "shell"}
    try:
        with pytest.raises(ApiError, match=r"docker\.io/evil/shell:1 is not on the allow list"):
            admin.patch(
                *("v1", "Pod", "debugged"), {"spec": {"ephemeralContainers": [extra]}}, NAMESPACE,
                subresource="ephemeralcontainers", content_type="application/strategic-merge-patch+json",
            )  # fmt: skip
    finally:
        admin.delete("v1", "Pod", "debugged", NAMESPACE, grace_seconds=0)


def test_egress_stays_inside_the_baseline(admin, webhook):
    def policy(cidr: str) -> dict:
        spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": {"cidr": cidr}}]}]}
        metadata = {"name": "mine", "namespace": NAMESPACE}
        return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}

    assert "outside the egress baseline (10.0.0.0/8)" in refusal(admin, policy("0.0.0.0/0"))
    assert refusal(admin, policy("10.1.0.0/16")) == ""


def test_a_tenant_and_its_project_may_come_together(admin, webhook):
    for number in range(5):
        tenant, project = Tenant(f"quick{number}").to_object(), Project(f"quick{number}", "shop").to_object()
        try:
            admin.create(tenant)
            assert admin.create(project)["metadata"]["name"] == f"quick{number}-shop"
        finally:
            admin.delete(project["apiVersion"], "Project", f"quick{number}-shop")
            admin.delete(tenant["apiVersion"], "Tenant", f"quick{number}")


def test_labels_of_tenants_are_added_and_quotas_must_fit(admin, webhook):
    bare = SHOP.to_object()
    bare["metadata"] = {"name": "hooked-bank"}
    bare["spec"] = {"tenantRef": "hooked", "name": "bank", "quotas": {"cpu": "1"}}
    found = admin.create(bare, dry_run=True)
    assert found["metadata"]["labels"][names.LABEL_TENANT] == "hooked"
    assert found["metadata"]["labels"][names.LABEL_PROJECT] == "bank"
    bare["spec"]["quotas"] = {"cpu": "1001m"}
    with pytest.raises(ApiError, match="cpu 1001m is more than 1, which is what tenant hooked has left"):
        admin.create(bare, dry_run=True)
    bare["metadata"], bare["spec"] = {"name": "nobody-shop"}, {"tenantRef": "nobody", "name": "shop"}
    with pytest.raises(ApiError, match="there is no Tenant nobody"):
        admin.create(bare, dry_run=True)


def test_a_namespace_owned_by_another_project_is_refused(admin, webhook):
    stolen = objects(Baseline(NAMESPACE, "other", "shop"))[0]
    assert "is owned by another project than its labels say" in refusal(admin, stolen)
    # Two pairs of names that meet in one namespace: the first keeps it.
    taken = objects(Baseline("kubeop-hooked-a-b", "hooked-a", "b"))[0]
    admin.server_side_apply(taken, field_manager=MANAGER)
    try:
        second = Project("hooked", "a-b", Quota(cpu="100m", memory="1Mi", pods=1)).to_object()
        eventually(
            lambda: "belongs to tenant hooked-a, project b" in refusal(admin, second), "the taken namespace is seen"
        )
    finally:
        admin.delete("v1", "Namespace", "kubeop-hooked-a-b")


@pytest.fixture
def almighty(admin: Client) -> Iterator[Client]:
    """Somebody with all rights by RBAC who is neither the platform nor one of its admins."""
    account = {"kind": "ServiceAccount", "name": "kubeop-test-almighty", "namespace": "default"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    metadata = {"name": account["name"]}
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": metadata}
    made = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**metadata, "namespace": "default"}},
        {**binding, "roleRef": role, "subjects": [account]},
    ]
    for obj in made:
        admin.server_side_apply(obj, field_manager=MANAGER)
    path = f"/api/v1/namespaces/default/serviceaccounts/{account['name']}/token"
    answer = admin.request("POST", path, body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"})
    cluster = {"server": admin.server, "certificate-authority-data": base64.b64encode(admin.kubeconfig.ca_pem).decode()}
    source = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": answer["status"]["token"]}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    try:
        with Client.from_kubeconfig(source) as client:
            yield client
    finally:
        admin.delete("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", account["name"])
        admin.delete("v1", "ServiceAccount", account["name"], "default")


def test_only_the_platform_makes_and_relabels_project_namespaces(admin, webhook, almighty):
    wanted = objects(Baseline("kubeop-hooked-new", "hooked", "new"))[0]
    assert "only the platform may make namespace kubeop-hooked-new" in refusal(almighty, wanted)
    assert refusal(admin, wanted) == ""
    weaker = {"metadata": {"labels": {names.POD_SECURITY_PREFIX + "enforce": "privileged"}}}
    unowned = {"metadata": {"labels": {names.LABEL_PROJECT: None}}}
    for change in (weaker, unowned):
        with pytest.raises(ApiError, match=f"only the platform may relabel namespace {NAMESPACE}"):
            almighty.patch("v1", "Namespace", NAMESPACE, change, dry_run=True)
    plain = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "hooked-plain"}}
    assert refusal(almighty, plain) == ""


def test_a_policy_that_changes_counts_at_once_and_a_broken_one_does_not(admin, webhook):
    def set_images(text: str) -> None:
        admin.patch("v1", "ConfigMap", names.POLICY_CONFIGMAP, {"data": {"imageAllowlist": text}}, "kubeop-system")

    try:
        set_images("localhost/\nquay.example/acme/")
        eventually(lambda: refusal(admin, pod("quay.example/acme/app:1")) == "", "the new entry counts")
        set_images("*")
        time.sleep(1)
        assert refusal(admin, pod("quay.example/acme/app:1")) == ""
        assert "allow list" in refusal(admin, pod("docker.io/evil/x:1"))
    finally:
        set_images("localhost/\nregistry.k8s.io/")
    eventually(lambda: "allow list" in refusal(admin, pod("quay.example/acme/app:1")), "the old list counts again")


def test_a_new_certificate_is_taken_over_without_a_refused_connection(admin, webhook):
    before = webhook.serves()
    issued = issue(webhook.tls, webhook.address)
    wanted = ssl.PEM_cert_to_DER_cert(issued.cert_pem.decode())
    seen = []

    def renewed() -> bool:
        seen.append(webhook.serves())  # raises if nobody listens
        return seen[-1] == wanted

    eventually(renewed, "the new certificate is served")
    assert before in seen
    webhook.register(admin, issued.ca_pem)
    eventually(lambda: refusal(admin, pod()) == "", "the API server trusts the new certificate")
    eventually(lambda: webhook.serves() == webhook.serves() == wanted, "the old listener is gone")


def test_without_the_webhook_projects_are_closed_and_everything_else_goes_on(admin, webhook):
    admin.request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", body=pod(name="left"))
    assert webhook.stop() == 0
    assert "failed calling webhook" in refusal(admin, pod())
    for namespace in ("kubeop-system", "kube-system", "default"):
        elsewhere = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": namespace}}
        assert refusal(admin, elsewhere) == ""
        assert "webhook" not in refusal(admin, {**pod(), "metadata": {"name": "x", "namespace": namespace}})
    # What is there can be cleaned up: deletions are not asked about, and finalizers come off.
    assert admin.delete("v1", "Pod", "left", NAMESPACE, grace_seconds=0)
    finalized = {"metadata": {"finalizers": [names.FINALIZER]}}
    with pytest.raises(ClusterError, match="failed calling webhook"):
        admin.patch(names.GROUP_VERSION, "Project", "hooked-shop", finalized)
    webhook.unregister(admin)
