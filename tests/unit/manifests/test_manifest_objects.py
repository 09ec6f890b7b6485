import base64

import pytest

from kubeop import names
from kubeop.domain import pod_security
from kubeop.manifests import admission, crds, manager, platform, webhooks
from kubeop.manifests.common import IMAGE_ANNOTATION, labels

WEBHOOK = platform.Admission("localhost/kubeop/webhook:1", "Q0E=", "abc")
OPTIONS = {"image": "localhost/kubeop/controller:1", "pull_policy": "IfNotPresent", "version": "0.1.0"}


def everything():
    return [
        *platform.platform(
            operator_image="localhost/kubeop/controller:1",
            pull_policy="IfNotPresent",
            version="0.1.0",
            cluster="west",
            webhook=WEBHOOK,
        ),
        *manager.manager(**OPTIONS, env_checksum="1"),
        manager.migrations_job(**OPTIONS),
        manager.env_secret({"KUBEOP_DB_URL": "postgresql://"}),
        admission.tls_secret(cert_pem=b"c", key_pem=b"k", ca_pem=b"a"),
    ]


def of_kind(kind, found=None):
    return [obj for obj in found or everything() if obj["kind"] == kind]


def pod_specs():
    return [obj["spec"]["template"]["spec"] for obj in everything() if obj["kind"] in ("Deployment", "Job")]


def test_every_object_says_what_it_is_part_of():
    for obj in everything():
        found = obj["metadata"]["labels"]
        assert found[names.LABEL_PART_OF] == names.PLATFORM
        assert found[names.LABEL_MANAGED_BY] == names.PLATFORM
        assert {names.LABEL_NAME, names.LABEL_COMPONENT} <= found.keys()
        assert len(found[names.LABEL_NAME]) <= 63


def test_no_two_objects_are_the_same_one():
    found = [(obj["kind"], obj["metadata"].get("namespace"), obj["metadata"]["name"]) for obj in everything()]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("spec", pod_specs(), ids=lambda spec: spec["containers"][0]["name"])
def test_pods_are_restricted(spec):
    context = spec["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == 1000
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod_security.violations(spec) == []
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in spec["volumes"]}
    assert "/tmp" in [mount["mountPath"] for mount in container["volumeMounts"]]


@pytest.mark.parametrize(
    ("name", "requests", "api_token", "scheme"),
    [
        (names.MANAGER, {"cpu": "250m", "memory": "512Mi"}, False, "HTTP"),
        (names.OPERATOR, {"cpu": "200m", "memory": "256Mi"}, True, "HTTP"),
        (names.ADMISSION, {"cpu": "200m", "memory": "256Mi"}, True, "HTTPS"),
    ],
)
def test_deployments_are_as_specified(name, requests, api_token, scheme):
    (found,) = [obj for obj in of_kind("Deployment") if obj["metadata"]["name"] == name]
    spec, pod = found["spec"], found["spec"]["template"]["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    assert names.LABEL_VERSION not in spec["selector"]["matchLabels"]  # a selector cannot be changed
    (container,) = pod["containers"]
    assert container["resources"]["requests"] == requests
    assert pod["automountServiceAccountToken"] is api_token
    for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"]["path"] == path
        assert container[probe]["httpGet"]["scheme"] == scheme
        assert (container[probe]["periodSeconds"], container[probe]["failureThreshold"]) == (5, 3)
    (budget,) = [obj for obj in of_kind("PodDisruptionBudget") if obj["metadata"]["name"] == name]
    assert budget["spec"] == {"minAvailable": 1, "selector": spec["selector"]}
    accounts = {obj["metadata"]["name"] for obj in of_kind("ServiceAccount")}
    assert pod["serviceAccountName"] in accounts


def test_probes_and_services_use_ports_that_the_container_has():
    containers = {
        spec["serviceAccountName"]: spec["containers"][0] for spec in pod_specs() if "ports" in spec["containers"][0]
    }
    for name, container in containers.items():
        ports = {port["name"] for port in container["ports"]}
        assert container["readinessProbe"]["httpGet"]["port"] in ports
        (service,) = [obj for obj in of_kind("Service") if obj["metadata"]["name"] == name]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_roles_are_bound_to_what_exists_and_grant_no_wildcard():
    accounts = {obj["metadata"]["name"] for obj in of_kind("ServiceAccount")}
    for kind in ("Role", "ClusterRole"):
        roles = {obj["metadata"]["name"]: obj for obj in of_kind(kind)}
        bindings = of_kind(f"{kind}Binding")
        assert {binding["roleRef"]["name"] for binding in bindings} == roles.keys()
        assert {binding["subjects"][0]["name"] for binding in bindings} <= accounts
        for role in roles.values():
            for rule in role["rules"]:
                assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])
                assert "secrets" not in rule["resources"]


def test_the_webhook_only_reads():
    for kind in ("Role", "ClusterRole"):
        (role,) = [obj for obj in of_kind(kind) if obj["metadata"]["name"] == names.ADMISSION]
        assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}


def test_the_manager_runs_and_migrates_with_one_image():
    (job,) = of_kind("Job")
    assert job["metadata"]["name"] == names.MIGRATIONS_JOB
    assert job["metadata"]["annotations"] == {IMAGE_ANNOTATION: OPTIONS["image"]}
    assert "ttlSecondsAfterFinished" not in job["spec"]
    (deployment,) = of_kind("Deployment", manager.manager(**OPTIONS, env_checksum="1"))
    for owner, args in ((job, ["migrate"]), (deployment, ["serve"])):
        (container,) = owner["spec"]["template"]["spec"]["containers"]
        assert container["image"] == OPTIONS["image"]
        assert (container["command"], container["args"]) == (["kubeop", "manager"], args)
        assert container["envFrom"] == [{"secretRef": {"name": names.MANAGER_ENV_SECRET}}]


def test_other_settings_roll_the_managers_pods():
    first, same, other = (
        of_kind("Deployment", manager.manager(**OPTIONS, env_checksum=text))[0] for text in ("1", "1", "2")
    )
    assert first == same
    assert first["spec"]["template"] != other["spec"]["template"]


def test_a_node_port_is_set_only_when_asked_for():
    options = {**OPTIONS, "env_checksum": "1"}
    (service,) = of_kind("Service", manager.manager(**options, service_type="NodePort", node_port=30080))
    assert service["spec"]["type"] == "NodePort"
    assert service["spec"]["ports"][0]["nodePort"] == 30080
    (service,) = of_kind("Service", manager.manager(**options))
    assert "nodePort" not in service["spec"]["ports"][0]


def test_secrets_are_in_base64_and_nowhere_else():
    secret = manager.env_secret({"KUBEOP_KMS_MASTER_KEY": "süß"})
    assert base64.b64decode(secret["data"]["KUBEOP_KMS_MASTER_KEY"]).decode() == "süß"
    assert set(admission.tls_secret(cert_pem=b"", key_pem=b"", ca_pem=b"")["data"]) == {"tls.crt", "tls.key", "ca.crt"}


def test_webhooks_fail_closed_where_they_judge_and_open_where_they_label():
    mutating, validating = webhooks.webhook_configurations("Q0E=")
    for configuration, policy, path, seconds in (
        (validating, "Fail", "/validate", 5),
        (mutating, "Ignore", "/mutate", 2),
    ):
        for webhook in configuration["webhooks"]:
            assert webhook["failurePolicy"] == policy
            assert webhook["timeoutSeconds"] == seconds
            assert webhook["sideEffects"] == "None"
            assert webhook["matchPolicy"] == "Equivalent"
            service = webhook["clientConfig"]["service"]
            assert service["path"] == path
            assert f"{service['name']}.{service['namespace']}.svc" in admission.DNS_NAMES


def test_webhooks_ask_only_about_projects_and_never_about_the_system():
    for configuration in webhooks.webhook_configurations("Q0E="):
        for webhook in configuration["webhooks"]:
            if webhook["rules"][0]["scope"] == "Namespaced":
                owned, excluded = webhook["namespaceSelector"]["matchExpressions"]
                assert owned == {"key": names.LABEL_PROJECT, "operator": "Exists"}
                assert {"kubeop-system", "kube-system"} <= set(excluded["values"])
            else:
                assert webhook["matchConditions"]


def test_a_webhook_outside_is_called_by_its_address():
    for configuration in webhooks.webhook_configurations("Q0E=", url="https://192.0.2.1:8443/"):
        for webhook in configuration["webhooks"]:
            assert webhook["clientConfig"]["url"] in (
                "https://192.0.2.1:8443/validate",
                "https://192.0.2.1:8443/mutate",
            )
            assert "service" not in webhook["clientConfig"]


def test_webhooks_come_last_and_crds_before_the_rest():
    kinds = [
        obj["kind"] for obj in platform.platform(operator_image="a", pull_policy="Always", version="1", webhook=WEBHOOK)
    ]
    assert kinds[:3] == ["Namespace", "CustomResourceDefinition", "CustomResourceDefinition"]
    assert kinds[-2:] == ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]


def test_without_a_webhook_nothing_of_it_is_installed():
    found = platform.platform(operator_image="a", pull_policy="Always", version="1")
    assert not [obj for obj in found if obj["metadata"]["name"] == names.ADMISSION]


def test_any_version_makes_a_label():
    assert labels("a", "b", "0.1.0-dev.feature/x.0123abc")[names.LABEL_VERSION] == "0.1.0-dev.feature-x.0123abc"
    assert len(labels("a", "b", "v" * 100)[names.LABEL_VERSION]) == 63
    assert names.LABEL_VERSION not in labels("a", "b", "")


def test_crds_have_a_status_and_columns():
    for crd in crds.crds("0.1.0"):
        (version,) = crd["spec"]["versions"]
        assert version["subresources"] == {"status": {}}
        assert "Ready" in [column["name"] for column in version["additionalPrinterColumns"]]
        assert crd["metadata"]["name"] == f"{crd['spec']['names']['plural']}.{names.API_GROUP}"
