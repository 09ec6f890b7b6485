import threading
import time
import uuid

import pytest
from applying import MANAGER, config_map, crd, failing, new_namespace, told

from kubeop.errors import ApplyConflict, ClusterUnreachable
from kubeop.kube.apply import apply
from kubeop.kube.client import Client
from kubeop.kube.transport import RetryPolicy


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
