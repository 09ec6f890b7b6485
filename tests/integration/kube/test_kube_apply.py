import copy
import subprocess
import sys
import threading
import time
import uuid

import pytest
import yaml

from kubeop.errors import ApplyConflict, ApplyFailed, ClusterUnreachable
from kubeop.kube import prune
from kubeop.kube.apply import Prune, apply
from kubeop.kube.client import Client
from kubeop.kube.transport import RetryPolicy

MANAGER = "kubeop-test"
SCRIPT = [sys.executable, "-c", "from kubeop.cli.main import main; main()"]


def config_map(name, namespace, labels=None, **data):
    metadata = {"name": name, "namespace": namespace} | ({"labels": labels} if labels else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {"a": "1"}}


def new_namespace(name):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"x": "y"}}}


def told(client, objects, **options):
    """What check mode says, which must be what apply then does, and what a second apply says."""
    options.setdefault("field_manager", MANAGER)
    check = apply(client, copy.deepcopy(objects), dry_run=True, **options)
    done = apply(client, copy.deepcopy(objects), **options)
    assert [str(one) for one in check.changes] == [str(one) for one in done.changes]
    assert check.diff() == done.diff()
    assert not apply(client, copy.deepcopy(objects), **options).changed
    assert not apply(client, copy.deepcopy(objects), dry_run=True, **options).changed
    return [one.action for one in done.changes], done


def failing(client, objects, **options):
    """The failures, which check mode must foretell."""
    options.setdefault("field_manager", MANAGER)
    with pytest.raises(ApplyFailed) as check:
        apply(client, copy.deepcopy(objects), dry_run=True, **options)
    with pytest.raises(ApplyFailed) as real:
        apply(client, copy.deepcopy(objects), **options)
    assert [one.message for one in check.value.failures] == [one.message for one in real.value.failures]
    return real.value


def test_a_namespace_and_what_is_in_it_come_in_one_go(kube):
    name = f"kubeop-it-{uuid.uuid4().hex[:8]}"
    try:
        objects = [config_map("a", name), new_namespace(name), config_map("b", name)]
        assert told(kube, objects)[0] == ["create"] * 3
        assert kube.get("v1", "ConfigMap", "a", name)["data"] == {"a": "1"}
    finally:
        kube.delete("v1", "Namespace", name)


def test_only_what_differs_is_sent_and_what_is_left_out_is_removed(kube, namespace):
    told(kube, [config_map("a", namespace, x="1", y="2"), config_map("b", namespace)])
    before = kube.get("v1", "ConfigMap", "b", namespace)
    actions, done = told(kube, [config_map("a", namespace, y="3"), config_map("b", namespace)])
    assert actions == ["update", "unchanged"]
    assert kube.get("v1", "ConfigMap", "a", namespace)["data"] == {"y": "3"}
    assert kube.get("v1", "ConfigMap", "b", namespace) == before
    assert "x: '1'" in done.diff()["before"]
    assert "managedFields" not in str(done.diff())


def test_drift_is_put_back(kube, namespace):
    told(kube, [config_map("a", namespace)])
    kube.patch("v1", "ConfigMap", "a", {"data": {"a": "9", "other": "x"}}, namespace, field_manager="somebody")
    # Who edits a field takes it over; the engine says so, and takes it back only when it is told to.
    error = failing(kube, [config_map("a", namespace)])
    assert isinstance(error.failures[0], ApplyConflict)
    assert 'field .data.a of field manager "somebody"' in str(error)
    assert told(kube, [config_map("a", namespace)], force=True)[0] == ["update"]
    assert kube.get("v1", "ConfigMap", "a", namespace)["data"] == {"a": "1", "other": "x"}


def test_a_deleted_object_comes_back(kube, namespace):
    told(kube, [config_map("a", namespace)])
    kube.delete("v1", "ConfigMap", "a", namespace)
    assert told(kube, [config_map("a", namespace)])[0] == ["create"]


def test_what_somebody_else_made_is_taken_up_once(kube, namespace):
    kube.create(config_map("a", namespace))
    actions, done = told(kube, [config_map("a", namespace)])
    assert actions == ["update"]
    assert done.changes[0].note == f"only what {MANAGER} owns changes"


def test_a_secret_is_never_shown(kube, namespace):
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": namespace},
        "stringData": {"password": "hunter2"},
    }
    told(kube, [secret])
    secret["stringData"]["password"] = "hunter3"
    actions, done = told(kube, [secret])
    assert actions == ["update"]
    assert "(hidden, changed)" in done.diff()["after"]
    for text in ("hunter", "aHVudGVy"):
        assert text not in str(done.diff()) + repr(done) + str(done.changes[0].after)


def crd(plural):
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.test.kubeop.io"},
        "spec": {
            "group": "test.kubeop.io",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": plural.capitalize()},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                }
            ],
        },
    }


def test_a_kind_and_its_first_object_come_in_one_go(kube, namespace):
    plural = f"things{uuid.uuid4().hex[:6]}"
    thing = {
        "apiVersion": "test.kubeop.io/v1",
        "kind": plural.capitalize(),
        "metadata": {"name": "one", "namespace": namespace},
        "spec": {"cpu": "1000m", "none": None, "empty": {}, "list": [1, {"a": "b"}]},
    }
    try:
        assert told(kube, [thing, crd(plural)])[0] == ["create", "create"]
        thing["spec"]["cpu"] = "1"  # another text, and no built-in quantity: a change
        assert told(kube, [thing])[0] == ["update"]
    finally:
        kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{plural}.test.kubeop.io")


def test_one_failure_does_not_stop_the_others(kube, namespace):
    objects = [
        {"apiVersion": "nobody.example/v1", "kind": "Foo", "metadata": {"name": "x"}},
        config_map("Not_A_Name", namespace),
        config_map("a", "kubeop-it-not-there"),
        {**config_map("typo", namespace), "dta": {}},
        config_map("good", namespace),
    ]
    error = failing(kube, objects)
    assert len(error.failures) == 4
    for part in (
        "4 of 5 objects could not be applied",
        "has no kind Foo in nobody.example/v1",
        'metadata.name: Invalid value: "Not_A_Name"',
        'namespaces "kubeop-it-not-there" not found',
        ".dta: field not declared in schema",
    ):
        assert part in str(error)
    assert kube.get("v1", "ConfigMap", "good", namespace)
    assert [one.name for one in error.result.changes] == ["good"]


def test_of_many_failures_ten_are_told(kube, namespace):
    error = failing(kube, [config_map(f"No_{number}", namespace) for number in range(13)])
    assert len(error.failures) == 13
    assert "And 3 more." in str(error)


def test_webhooks_are_held_back_when_something_failed(kube, namespace):
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"kubeop-it-{uuid.uuid4().hex[:8]}"},
        "webhooks": [],
    }
    error = failing(kube, [hook, config_map("No_Name", namespace)])
    assert "for other objects failed before it" in str(error)
    assert kube.get(hook["apiVersion"], hook["kind"], hook["metadata"]["name"]) is None


def test_an_immutable_field_gets_a_clear_word(kube, namespace):
    def job(image):
        template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": image}]}}
        metadata = {"name": "j", "namespace": namespace}
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": metadata,
            "spec": {"suspend": True, "template": template},
        }

    assert told(kube, [job("localhost/a:1")])[0] == ["create"]
    error = failing(kube, [job("localhost/b:1")])
    assert "Job j" in str(error)
    assert "spec.template.spec: field is immutable" in str(error)
    assert "delete the object" in error.hint


def test_an_object_that_is_too_large_is_refused_alone(kube, namespace):
    error = failing(kube, [config_map("big", namespace, x="y" * 4_000_000), config_map("small", namespace)])
    assert "limit is 3145728" in str(error)
    assert kube.get("v1", "ConfigMap", "small", namespace)


def test_a_namespace_that_is_being_deleted_is_named(kube):
    name = f"kubeop-it-{uuid.uuid4().hex[:8]}"
    held = {**new_namespace(name)}
    kube.create(held)
    # A finalizer of ours keeps something in the namespace, and so the namespace, until it is taken away.
    stuck = config_map("stuck", name)
    stuck["metadata"]["finalizers"] = ["kubeop.io/test"]
    kube.create(stuck)
    kube.delete("v1", "Namespace", name)
    try:
        error = failing(kube, [new_namespace(name), config_map("a", name)])
        assert f"Namespace {name} is being deleted" in str(error)
        assert "its namespace could not be" in str(error)
        error = failing(kube, [config_map("a", name)])
        assert "because it is being terminated" in str(error)
        assert "Wait until the namespace is gone" in error.hint
    finally:
        kube.patch("v1", "ConfigMap", "stuck", {"metadata": {"finalizers": None}}, name)


def test_a_user_with_few_rights_can_do_what_is_allowed(limited, namespace):
    many = [config_map(f"a{number}", namespace) for number in range(6)]
    assert told(limited, many)[0] == ["create"] * 6
    error = failing(limited, [new_namespace("kubeop-it-forbidden"), *many])
    assert len(error.failures) == 1
    assert "cannot" in str(error)
    assert "Role" in error.hint


def test_pruning_deletes_what_has_the_label_and_is_not_wanted(kube, namespace):
    label = {"set": uuid.uuid4().hex}
    selector = f"set={label['set']}"
    told(kube, [*(config_map(f"p{number}", namespace, label) for number in range(3)), config_map("free", namespace)])
    owner = kube.get("v1", "ConfigMap", "p0", namespace)
    child = config_map("child", namespace, label)
    child["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "p0", "uid": owner["metadata"]["uid"], "controller": True}
    ]
    kube.create(child)

    actions, done = told(kube, [config_map("p0", namespace, label)], prune=Prune(selector))
    assert actions == ["unchanged", "delete", "delete"]
    assert [one.name for one in done.changes if one.action == "delete"] == ["p1", "p2"]
    left = {one["metadata"]["name"] for one in kube.list("v1", "ConfigMap", namespace)}
    assert left - {"kube-root-ca.crt"} == {"p0", "free", "child"}


@pytest.fixture
def labelled(kube, namespace):
    """A label that a ConfigMap and an autoscaler have in two namespaces, and the two."""
    other, label = f"kubeop-it-{uuid.uuid4().hex[:8]}", {"set": uuid.uuid4().hex}

    def autoscaler(where):
        return {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "old", "namespace": where, "labels": label},
            "spec": {"maxReplicas": 2, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}},
        }

    there = [one for where in (namespace, other) for one in (config_map("old", where, label), autoscaler(where))]
    try:
        apply(kube, [new_namespace(other), *there], field_manager=MANAGER)
        yield label, namespace, other
    finally:
        kube.delete("v1", "Namespace", other)


def left(kube, namespace):
    kinds = ("v1", "ConfigMap"), ("autoscaling/v2", "HorizontalPodAutoscaler")
    return [kind for api, kind in kinds if kube.get(api, kind, "old", namespace)]


def test_pruning_stays_in_its_namespaces(kube, labelled):
    label, namespace, other = labelled
    wanted = Prune.asked(f"set={label['set']}", [namespace], None)
    actions, _ = told(kube, [config_map("new", namespace, label)], prune=wanted)
    assert actions == ["create", "delete", "delete"]
    assert left(kube, namespace) == []
    assert left(kube, other) == ["ConfigMap", "HorizontalPodAutoscaler"]


def test_pruning_keeps_to_its_kinds(kube, labelled):
    label, namespace, other = labelled
    new, selector = [config_map("new", namespace, label)], f"set={label['set']}"
    # None of the kinds is in a namespace, or there at all: that is told, for nothing would ever be pruned.
    role, unknown = failing(
        kube, new, prune=Prune.asked(selector, [other], ["rbac.authorization.k8s.io/v1/ClusterRole", "apps/v1/Deploy"])
    ).failures
    assert f"ClusterRole lives in no namespace, so that none is pruned in {other}" in role.message
    assert "no kind Deploy in apps/v1" in unknown.message
    told(kube, new, prune=Prune.asked(selector, None, ["autoscaling/v2/HorizontalPodAutoscaler"]))
    assert left(kube, namespace) == left(kube, other) == ["ConfigMap"]


def test_a_kind_that_comes_with_its_definition_is_pruned(kube, namespace):
    plural = f"kinds{uuid.uuid4().hex[:6]}"
    label = {"set": uuid.uuid4().hex}
    wanted = Prune.asked(f"set={label['set']}", [namespace], [f"test.kubeop.io/v1/{plural.capitalize()}"])
    try:
        assert told(kube, [crd(plural)], prune=wanted)[0] == ["create"]
    finally:
        kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{plural}.test.kubeop.io")


def test_the_command_prunes_a_namespace(cluster, kube, labelled, tmp_path):
    label, namespace, other = labelled
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(config_map("new", namespace, label)))
    base = [*SCRIPT, "apply", "--kubeconfig", str(cluster.kubeconfig), "-f", str(tmp_path), "--prune-namespace", other]
    done = subprocess.run(base, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no label" in done.stderr
    chosen = ["--prune-label", f"set={label['set']}", "--prune-kind", "v1/ConfigMap"]
    done = subprocess.run([*base, *chosen], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1:] == [f"- delete ConfigMap old in namespace {other}", "1 created, 1 deleted"]
    assert left(kube, namespace) == ["ConfigMap", "HorizontalPodAutoscaler"]
    assert left(kube, other) == ["HorizontalPodAutoscaler"]


def test_who_may_not_list_the_cluster_prunes_namespace_by_namespace(limited, namespace, monkeypatch):
    monkeypatch.setattr(prune, "_FEW_NAMESPACES", 0)  # or six namespaces would have to be made
    label = {"set": uuid.uuid4().hex}
    told(limited, [config_map("old", namespace, label), config_map("new", namespace, label)])
    wanted = Prune(f"set={label['set']}", (("v1", "ConfigMap"),), (namespace,))
    assert told(limited, [config_map("new", namespace, label)], prune=wanted)[0] == ["unchanged", "delete"]


def test_nothing_is_pruned_after_a_failure(kube, namespace):
    label = {"set": uuid.uuid4().hex}
    told(kube, [config_map("keep", namespace, label)])
    failing(kube, [config_map("No_Name", namespace)], prune=Prune(f"set={label['set']}"))
    assert kube.get("v1", "ConfigMap", "keep", namespace)


def test_many_namespaces_are_read_in_pages(kube, monkeypatch):
    monkeypatch.setattr("kubeop.kube.client.PAGE", 4)
    mark = uuid.uuid4().hex[:6]
    names = [f"kubeop-it-{mark}-{number}" for number in range(8)]
    objects = [one for name in names for one in (new_namespace(name), config_map("a", name))]
    steps = []
    try:
        assert told(kube, objects)[0] == ["create"] * 16
        apply(kube, objects, field_manager=MANAGER, progress=lambda _, done, total: steps.append((done, total)))
        assert steps == [(number + 1, 16) for number in range(16)]
    finally:
        for name in names:
            kube.delete("v1", "Namespace", name)


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        ([1], "Object 2 is int"),
        ([{}], "no apiVersion"),
        ([{"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "x"}}], "fixed name"),
        ([config_map("a", "default"), config_map("a", "default")], "given more than once"),
    ],
)
def test_what_is_no_object_is_named_by_its_place_and_the_others_are_applied(kube, namespace, objects, said):
    good = config_map("good", namespace)
    error = failing(kube, [good, *objects])
    assert said in str(error)
    assert len(error.failures) == len(objects)
    assert kube.get("v1", "ConfigMap", "good", namespace)


def test_a_list_is_its_items(kube, namespace):
    items = [config_map("a", namespace), config_map("b", namespace)]
    assert told(kube, [{"apiVersion": "v1", "kind": "List", "items": items}])[0] == ["create", "create"]


def test_a_server_that_restarts_in_the_middle_is_waited_for(kube, namespace, gate):
    objects = [config_map(f"a{number}", namespace) for number in range(150)]
    shut = threading.Event()

    def interrupt(sent):
        if sent > 30_000 and not shut.is_set():
            shut.set()
            gate.shut()
            threading.Timer(1.5, gate.open).start()

    gate.after = interrupt
    with Client.from_kubeconfig(gate.kubeconfig) as client:
        done = apply(client, objects, field_manager=MANAGER)
    assert shut.is_set()
    assert len(done.changes) == 150
    # A request whose answer was lost has been sent again: it may have found its own work done, never anything else.
    assert {one.action for one in done.changes} == {"create"}
    assert not apply(kube, objects, field_manager=MANAGER).changed


def test_a_server_that_goes_away_is_told_with_what_was_done(kube, namespace, gate):
    objects = [config_map(f"a{number}", namespace) for number in range(150)]

    def interrupt(sent):
        if sent > 30_000:
            gate.shut()

    gate.after = interrupt
    with Client.from_kubeconfig(gate.kubeconfig, retry=RetryPolicy(connection_seconds=0.5)) as client:
        began = time.monotonic()
        with pytest.raises(ClusterUnreachable, match="objects were applied before that") as caught:
            apply(client, objects, field_manager=MANAGER)
        assert time.monotonic() - began < 20
    assert "Running again finishes" in str(caught.value)
    assert apply(kube, objects, field_manager=MANAGER).count("create") < 150
    assert not apply(kube, objects, field_manager=MANAGER).changed
