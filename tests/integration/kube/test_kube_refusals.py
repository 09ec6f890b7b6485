"""How a real API server refuses an object: one clear word for it, the others applied, a rerun finishes."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
import uuid

import pytest
import yaml
from hosts import own_address
from waiting import eventually

from kubeop.errors import ApiError, ApplyFailed, ApplyInterrupted, ClusterUnreachable, InputError, NoAnswer
from kubeop.kube.apply import Prune, apply
from kubeop.kube.client import Client
from kubeop.kube.transport import RetryPolicy

MANAGER = "kubeop-test"
SCRIPT = [sys.executable, "-c", "from kubeop.cli.main import main; main()"]


def config_map(name, namespace, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def pod(name, namespace, **resources):
    container = {"name": "c", "image": "localhost/none:1", "resources": resources}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [container]},
    }


def failing(client, objects, **options):
    with pytest.raises(ApplyFailed) as caught:
        apply(client, objects, field_manager=MANAGER, **options)
    return caught.value


@contextlib.contextmanager
def present(kube, *objects):
    """These objects are there for a while."""
    apply(kube, objects, field_manager=MANAGER)
    try:
        yield
    finally:
        for obj in reversed(objects):
            metadata = obj["metadata"]
            kube.delete(obj["apiVersion"], obj["kind"], metadata["name"], metadata.get("namespace"))


def test_admission_is_told_from_missing_rights(kube, namespace):
    kube.patch(
        "v1", "Namespace", namespace, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}
    )
    limits = {"limits": [{"type": "Container", "max": {"cpu": "1"}, "default": {"cpu": "100m"}}]}
    where = {"name": "x", "namespace": namespace}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": where, "spec": {"hard": {"requests.cpu": "500m"}}}
    apply(
        kube,
        [quota, {"apiVersion": "v1", "kind": "LimitRange", "metadata": where, "spec": limits}],
        field_manager=MANAGER,
    )
    root = pod("root", namespace)
    root["spec"]["hostNetwork"] = True
    objects = [
        root,
        pod("large", namespace, limits={"cpu": "2"}),
        pod("greedy", namespace, requests={"cpu": "1"}, limits={"cpu": "1"}),
        config_map("good", namespace),
    ]
    security, limit, quota = failing(kube, objects).failures
    assert "violates PodSecurity" in security.message
    assert "Pod Security level" in security.hint
    assert "maximum cpu usage per Container is 1" in limit.message
    assert "LimitRange" in limit.hint
    assert "exceeded quota" in quota.message
    assert "ResourceQuota" in quota.hint
    assert all("Role" not in one.hint for one in (security, limit, quota))
    assert kube.get("v1", "ConfigMap", "good", namespace)


def test_a_policy_and_a_webhook_that_does_not_answer_are_named(kube, namespace):
    group, name = "admissionregistration.k8s.io/v1", f"kubeop-it-{uuid.uuid4().hex[:8]}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"]}
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    policy = {
        "apiVersion": group,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": selector,
                "resourceRules": [{**rule, "resources": ["configmaps"]}],
            },
            "validations": [{"expression": "!object.metadata.name.startsWith('bad')", "message": "not with bad"}],
        },
    }
    binding = {
        "apiVersion": group,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    hook = {
        "apiVersion": group,
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": "closed.kubeop.io",
                "clientConfig": {"url": "https://127.0.0.1:1/"},
                "rules": [{**rule, "resources": ["secrets"]}],
                "namespaceSelector": selector,
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 2,
            }
        ],
    }
    bad = config_map("bad", namespace)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": namespace}}
    with present(kube, policy, binding, hook):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:  # both are enforced a moment after they are there
            with contextlib.suppress(ApplyFailed):
                apply(kube, [bad], field_manager=MANAGER, dry_run=True)
                time.sleep(0.2)
                continue
            with contextlib.suppress(ApplyFailed):
                apply(kube, [secret], field_manager=MANAGER, dry_run=True)
                time.sleep(0.2)
                continue
            break
        error = failing(kube, [bad, secret, config_map("good", namespace)])
    policed, hooked = error.failures
    assert "denied request: not with bad" in policed.message
    assert "policy" in policed.hint
    assert 'failed calling webhook "closed.kubeop.io"' in hooked.message
    assert "must answer" in hooked.hint
    assert [change.name for change in error.result.changes] == ["good"]
    assert apply(kube, [secret, config_map("good", namespace)], field_manager=MANAGER).count("create") == 1


def test_a_webhook_that_hangs_holds_its_own_object_only(kube, namespace):
    name = f"kubeop-it-{uuid.uuid4().hex[:8]}"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": namespace}}
    with (
        socket.create_server((own_address(kube.server), 0)) as listener,  # takes connections and says nothing
        Client(kube.kubeconfig, timeout_seconds=2) as client,
    ):
        address, port = listener.getsockname()
        hook = {
            "name": "hangs.kubeop.io",
            "clientConfig": {"url": f"https://{address}:{port}/"},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 20,
        }
        api_version, kind = "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"
        configuration = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "webhooks": [hook]}
        with present(kube, configuration):
            eventually(lambda: _ends_with(NoAnswer, client, secret), "the webhook is asked")
            error = failing(client, [config_map("first", namespace), secret, config_map("last", namespace)])
    [held] = error.failures
    assert (
        f"Secret s in namespace {namespace}: {kube.host} did not answer within 2 s, but answers others" in held.message
    )
    assert [change.name for change in error.result.changes] == ["first", "last"]
    assert apply(kube, [secret], field_manager=MANAGER).count("create") == 1


def _ends_with(error, client, obj):
    """Whether trying to apply it does."""
    with contextlib.suppress(error):
        client.server_side_apply(obj, field_manager=MANAGER, dry_run=True)
        return False
    return True


def test_an_api_group_that_is_down_keeps_nothing_else_back(kube, namespace):
    group = f"down{uuid.uuid4().hex[:6]}.kubeop.io"
    service = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1.{group}"},
        "spec": {
            "group": group,
            "version": "v1",
            "groupPriorityMinimum": 10,
            "versionPriority": 10,
            "insecureSkipTLSVerify": True,
            "service": {"name": "none", "namespace": namespace},
        },
    }
    lost = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": namespace}}
    with present(kube, service), Client(kube.kubeconfig, retry=RetryPolicy(busy_seconds=0.1)) as client:
        deadline = time.monotonic() + 30
        error = failing(client, [lost, config_map("good", namespace)])
        while "503" not in str(error) and time.monotonic() < deadline:  # until then the group is not known
            error = failing(client, [lost, config_map("good", namespace)])
        assert f"Thing a in namespace {namespace}: /apis/{group}/v1 cannot be read" in str(error)
    assert kube.get("v1", "ConfigMap", "good", namespace)


def test_what_needs_a_definition_that_is_refused_is_told_so(kube, namespace):
    kind = f"Bad{uuid.uuid4().hex[:6]}"
    group = "test.kubeop.io"
    served = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.lower()}s.{group}"},
        "spec": {
            "group": group,
            "scope": "Nowhere",
            "names": {"plural": f"{kind.lower()}s", "kind": kind},
            "versions": [served],
        },
    }
    objects = [
        {"apiVersion": f"{group}/{version}", "kind": kind, "metadata": {"name": version, "namespace": namespace}}
        for version in ("v1", "v2")
    ]
    for dry_run in (True, False):
        first, second, crd = failing(kube, [*objects, definition], dry_run=dry_run).failures
        assert "for the CustomResourceDefinition of its kind could not be" in first.message
        assert f"has no kind {kind} in {group}/v2" in second.message
        assert 'Unsupported value: "Nowhere"' in crd.message


def test_a_text_with_emoji_is_taken(kube, namespace):
    assert apply(kube, [config_map("a", namespace, text="party \U0001f389")], field_manager=MANAGER).changed
    assert kube.get("v1", "ConfigMap", "a", namespace)["data"] == {"text": "party \U0001f389"}


def test_a_value_that_is_no_text_is_not_repeated(kube, namespace):
    where = {"name": "s", "namespace": namespace}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": where, "data": {"password": 12345678}}
    error = failing(kube, [secret])
    assert "12345678" not in str(error)
    assert ".data.password: expected string" in str(error)
    error = failing(kube, [{**secret, "data": {}, "stringData": {"password": 12345678}}])
    assert "12345678" not in str(error)
    assert "Put it in quotes" in error.hint


def test_a_server_that_hangs_is_given_up_and_a_rerun_finishes(kube, namespace, gate):
    objects = [config_map(f"a{number}", namespace) for number in range(100)]
    resume = threading.Event()

    def hang(sent):
        if sent > 20_000:
            resume.wait(30)

    gate.after = hang
    with Client.from_kubeconfig(gate.kubeconfig, timeout_seconds=1) as client:
        with pytest.raises(ApplyInterrupted, match="did not answer in time") as caught:
            apply(client, objects, field_manager=MANAGER)
        resume.set()
    done = caught.value.result.count("create")
    assert 0 < done < 100
    assert f"{done} objects were applied before that" in str(caught.value)
    assert "Running again finishes" in caught.value.hint
    again = apply(kube, objects, field_manager=MANAGER)
    assert 0 < again.count("create") <= 100 - done
    assert not apply(kube, objects, field_manager=MANAGER).changed


def test_a_server_that_never_answers_is_told_by_the_command(cluster, namespace, tmp_path):
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    path, manifest = tmp_path / "kubeconfig", tmp_path / "a.yaml"
    manifest.write_text(yaml.safe_dump(config_map("a", namespace)))
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts, nobody answers
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{silent.getsockname()[1]}"
        path.write_text(yaml.safe_dump(config))
        command = [*SCRIPT, "apply", "--request-timeout-seconds", "1", "--kubeconfig", str(path), "-f", str(manifest)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("kubeop: The API server at 127.0.0.1:")
    assert done.stderr.count("\n") == 1


def test_the_command_tells_each_failure_on_a_line_and_applies_the_rest(cluster, kube, namespace, tmp_path):
    (tmp_path / "a.yaml").write_text("a: [1\n")
    documents = [config_map("good", namespace), config_map("No_Name", namespace), {"kind": "ConfigMap"}]
    (tmp_path / "b.yaml").write_text(yaml.safe_dump_all(documents))
    command = [*SCRIPT, "apply", "--kubeconfig", str(cluster.kubeconfig), "-f", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == f"+ create ConfigMap good in namespace {namespace}\n1 created\n"
    malformed, name, nameless, last = done.stderr.splitlines()
    assert malformed.startswith(f"! {tmp_path / 'a.yaml'}, line 2 is not YAML: ")
    assert "metadata.name" in name
    assert nameless.startswith(f"! Document 3 of {tmp_path / 'b.yaml'} has no apiVersion.")
    assert last == "kubeop: 3 of 4 objects could not be applied. Correct them and run again."
    (tmp_path / "a.yaml").unlink()
    (tmp_path / "b.yaml").write_text(yaml.safe_dump_all(documents[:1]))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 unchanged\n", "")


def test_pruning_wants_objects_and_says_when_it_is_left_out(kube, namespace):
    with pytest.raises(InputError, match="would delete everything with set=x"):
        apply(kube, [], field_manager=MANAGER, prune=Prune("set=x"))
    error = failing(kube, [config_map("No_Name", namespace)], prune=Prune("set=x"))
    assert "Nothing is pruned" in error.hint


def test_a_server_that_asks_for_less_is_waited_for(kube, namespace, limited):
    api, name = "flowcontrol.apiserver.k8s.io/v1", f"kubeop-it-{uuid.uuid4().hex[:8]}"
    limits = {"nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0}
    level = {
        "apiVersion": api,
        "kind": "PriorityLevelConfiguration",
        "metadata": {"name": name},
        "spec": {"type": "Limited", "limited": {**limits, "limitResponse": {"type": "Reject"}}},
    }
    account = {"kind": "ServiceAccount", "serviceAccount": {"name": "limited", "namespace": namespace}}
    resource = {"verbs": ["*"], "apiGroups": [""], "resources": ["configmaps"], "namespaces": [namespace]}
    schema = {
        "apiVersion": api,
        "kind": "FlowSchema",
        "metadata": {"name": name},
        "spec": {
            "priorityLevelConfiguration": {"name": name},
            "matchingPrecedence": 50,
            "rules": [{"subjects": [account], "resourceRules": [resource]}],
        },
    }

    def rejected():
        metrics = kube.send("GET", "/metrics").body.decode()
        counted = "apiserver_flowcontrol_rejected_requests_total"
        return sum(counted in line and name in line for line in metrics.splitlines())

    with present(kube, level, schema):
        deadline = time.monotonic() + 30
        rounds = 0
        while not rejected() and time.monotonic() < deadline:  # the schema is followed a moment after it is there
            rounds += 1
            objects = [config_map(f"a{number}", namespace, round=str(rounds)) for number in range(16)]
            assert apply(limited, objects, field_manager=MANAGER).changed
        assert rejected()
        assert not apply(limited, objects, field_manager=MANAGER).changed


def test_a_lost_server_before_anything_is_done_is_told(kube, gate):
    with Client.from_kubeconfig(gate.kubeconfig, retry=RetryPolicy(connection_seconds=0)) as client:
        gate.shut()
        with pytest.raises(ClusterUnreachable, match="cannot be reached"):
            apply(client, [config_map("a", "default")], field_manager=MANAGER)


def test_what_cannot_be_used_is_told_though_the_server_is_lost(kube, gate, tmp_path):
    config = tmp_path / "kubeconfig"
    config.write_text(yaml.safe_dump(gate.kubeconfig))
    (tmp_path / "a.yaml").write_text("a: [1\n")
    (tmp_path / "b.yaml").write_text(yaml.safe_dump_all([config_map("a", "default"), {"kind": "ConfigMap"}]))
    files = [part for name in ("a.yaml", "b.yaml") for part in ("-f", str(tmp_path / name))]
    gate.shut()
    done = subprocess.run(
        [*SCRIPT, "apply", "--kubeconfig", str(config), *files], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    malformed, nameless, last = done.stderr.splitlines()
    assert malformed.startswith(f"! {tmp_path / 'a.yaml'}, line 2 is not YAML: ")
    assert nameless.startswith(f"! Document 2 of {tmp_path / 'b.yaml'} has no apiVersion.")
    assert last.startswith("kubeop: The API server at 127.0.0.1:")
    assert "2 failed before that." in last


def test_what_cannot_be_used_is_told_though_the_credentials_are_refused(kube):
    config = yaml.safe_load(kube.kubeconfig.as_bytes())
    config["users"][0]["user"] = {"token": "nobody"}
    with Client.from_kubeconfig(config) as client:
        error = failing(client, [{"kind": "ConfigMap"}, config_map("a", "default")])
        assert not isinstance(error, ClusterUnreachable)
        assert "Unauthorized" in error.message
        assert "Object 1 has no apiVersion" in error.message
        with pytest.raises(ApiError, match="Unauthorized"):
            apply(client, [config_map("a", "default")], field_manager=MANAGER)


def test_a_definition_that_may_not_be_watched_is_told_and_the_rest_is_done(kube, limited, namespace):
    group = f"x{uuid.uuid4().hex[:6]}.kubeop.io"
    rbac, name = "rbac.authorization.k8s.io", f"kubeop-it-{uuid.uuid4().hex[:8]}"
    rule = {
        "apiGroups": ["apiextensions.k8s.io"],
        "resources": ["customresourcedefinitions"],
        "verbs": ["get", "create", "patch"],
    }
    role = {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": [rule]}
    binding = {
        "apiVersion": f"{rbac}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "limited", "namespace": namespace}],
    }
    schema = {"openAPIV3Schema": {"type": "object"}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    try:
        with present(kube, role, binding):
            eventually(lambda: not _ends_with(ApiError, limited, definition), "the role counts")
            error = failing(limited, [definition, config_map("other", namespace)])
            assert apply(limited, [definition, config_map("other", namespace)], field_manager=MANAGER).changes
    finally:
        kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"things.{group}")
    [unseen] = error.failures
    assert "customresourcedefinitions" in unseen.message
    assert "Role" in unseen.hint
    assert {change.name for change in error.result.changes} == {f"things.{group}", "other"}
