import copy

import pytest

from kubeop.kube.compare import settled, touched

WANTED = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"a": "1"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "c",
                        "image": "x:1",
                        "args": ["a", "b"],
                        "ports": [{"containerPort": 80}],
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                        "resources": {"limits": {"cpu": "1000m", "memory": "1Gi"}},
                    }
                ]
            }
        },
    },
}
OWNED = {
    "f:metadata": {"f:labels": {"f:a": {}}},
    "f:spec": {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {
            "f:spec": {
                "f:containers": {
                    'k:{"name":"c"}': {
                        ".": {},
                        "f:name": {},
                        "f:image": {},
                        "f:args": {},
                        "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                        "f:env": {
                            'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}},
                            'k:{"name":"B"}': {".": {}, "f:name": {}, "f:value": {}},
                        },
                        "f:resources": {"f:limits": {"f:cpu": {}, "f:memory": {}}},
                    }
                }
            }
        },
    },
}


def live(change=None, owned=OWNED, others=(), manager="kubeop", version="apps/v1"):
    """What the server makes of WANTED: with its defaults, and in its own order of keys."""
    found = copy.deepcopy(WANTED)
    container = found["spec"]["template"]["spec"]["containers"][0]
    container["ports"][0]["protocol"] = "TCP"
    container["resources"]["limits"] = {"cpu": "1", "memory": "1024Mi"}
    container["terminationMessagePath"] = "/dev/termination-log"
    found["spec"]["strategy"] = {"type": "RollingUpdate"}
    found["status"] = {"replicas": 2}
    entry = {"manager": manager, "operation": "Apply", "apiVersion": version, "fieldsV1": owned}
    found["metadata"] |= {"uid": "u", "resourceVersion": "5", "managedFields": [entry, *others]}
    if change:
        change(found)
    return found


def container_of(obj):
    return obj["spec"]["template"]["spec"]["containers"][0]


def test_defaults_and_other_writings_of_a_quantity_are_no_difference():
    assert settled(WANTED, live(), "kubeop")


def test_fields_of_others_are_no_difference():
    def add(found):
        found["metadata"]["labels"]["z"] = "9"
        container_of(found)["env"].append({"name": "Z", "value": "9"})
        found["spec"]["template"]["spec"]["containers"].append({"name": "sidecar", "image": "y"})

    other = {"manager": "x", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {"f:z": {}}}}}
    assert settled(WANTED, live(add, others=[other]), "kubeop")


def wanting(change):
    found = copy.deepcopy(WANTED)
    change(found)
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda o: o["spec"].update(replicas=3),
        lambda o: o["spec"].update(replicas=True),
        lambda o: o["spec"].update(replicas="2"),
        lambda o: o["spec"].pop("replicas"),
        lambda o: o["spec"].update(paused=False),
        lambda o: o["metadata"].update(labels={"a": "2"}),
        lambda o: o["metadata"].update(labels={"a": "1", "b": "1"}),
        lambda o: o["metadata"].pop("labels"),
        lambda o: o["metadata"].update(annotations={"a": "1"}),
        lambda o: o["spec"].update(selector={"matchLabels": {"app": "web", "x": "y"}}),
        lambda o: o["spec"].update(selector={}),
        lambda o: container_of(o).update(image="x:2"),
        lambda o: container_of(o).update(image=None),
        lambda o: container_of(o).update(args=["a"]),
        lambda o: container_of(o).update(args=["b", "a"]),
        lambda o: container_of(o)["env"].reverse(),
        lambda o: container_of(o)["env"].pop(),
        lambda o: container_of(o)["env"].append({"name": "C", "value": "3"}),
        lambda o: container_of(o)["env"].append({"name": "A", "value": "1"}),
        lambda o: container_of(o)["env"][0].update(value="1000m"),
        lambda o: container_of(o)["ports"][0].update(protocol="UDP"),
        lambda o: container_of(o)["ports"][0].update(protocol="TCP"),  # the same, but we would own one field more
        lambda o: container_of(o)["resources"]["limits"].update(cpu="2"),
        lambda o: container_of(o)["resources"].update(limits={}),
        lambda o: o.update(apiVersion="apps/v1beta1"),
        lambda o: o["spec"].update(template="text"),
    ],
)
def test_a_difference_is_seen(change):
    assert not settled(wanting(change), live(), "kubeop")


@pytest.mark.parametrize(
    "change",
    [
        lambda o: o["spec"].update(replicas=5),
        lambda o: o["metadata"].update(labels={}),
        lambda o: o["spec"].pop("replicas"),
        lambda o: container_of(o)["env"].reverse(),
        lambda o: container_of(o).update(args=["a", "b", "c"]),
        lambda o: o["spec"]["template"]["spec"].update(containers=[]),
        lambda o: o["spec"]["template"]["spec"].update(containers={}),
        lambda o: o["spec"].update(selector={"matchLabels": {"app": "web", "more": "1"}}),
    ],
)
def test_drift_is_seen(change):
    assert not settled(WANTED, live(change), "kubeop")


def test_what_another_manager_applied_is_not_ours():
    assert not settled(WANTED, live(manager="kubectl"), "kubeop")
    assert not settled(WANTED, live(version="apps/v1beta2"), "kubeop")


def test_a_custom_resource_keeps_its_texts():
    owned = {"f:spec": {"f:limits": {"f:cpu": {}}}}
    entry = {"manager": "kubeop", "operation": "Apply", "apiVersion": "a.example/v1", "fieldsV1": owned}
    wanted = {
        "apiVersion": "a.example/v1",
        "kind": "X",
        "metadata": {"name": "x"},
        "spec": {"limits": {"cpu": "1000m"}},
    }
    found = {**wanted, "spec": {"limits": {"cpu": "1"}}, "metadata": {"name": "x", "managedFields": [entry]}}
    assert not settled(wanted, found, "kubeop")
    assert settled({**wanted, "spec": {"limits": {"cpu": "1"}}}, found, "kubeop")


def policy(ports, live_ports, others=()):
    owned = {"f:spec": {"f:egress": {}, "f:podSelector": {}}}
    entry = {"manager": "m", "operation": "Apply", "apiVersion": "networking.k8s.io/v1", "fieldsV1": owned}
    wanted = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "n"},
        "spec": {"podSelector": {}, "egress": [{"ports": ports}]},
    }
    found = copy.deepcopy(wanted) | {"metadata": {"name": "n", "managedFields": [entry, *others]}}
    found["spec"]["egress"] = [{"ports": live_ports}]
    return wanted, found


def test_in_a_list_kept_whole_only_known_defaults_are_passed_over():
    assert settled(*policy([{"port": 53}], [{"port": 53, "protocol": "TCP"}]), "m")
    assert not settled(*policy([{"port": 53}], [{"port": 53, "protocol": "UDP"}]), "m")
    assert not settled(*policy([{"port": 53}], [{"port": 53, "endPort": 60}]), "m")
    assert not settled(*policy([{"port": 53, "protocol": "UDP"}], [{"port": 53}]), "m")


def test_an_empty_list_that_the_server_does_not_store_is_settled():
    wanted, found = policy([], [])
    wanted["spec"]["egress"] = []
    del found["spec"]["egress"]
    assert settled(wanted, found, "m")


def test_a_map_that_others_have_filled_is_not_settled_by_its_value():
    filled = {"manager": "x", "operation": "Update", "fieldsV1": {"f:spec": {"f:podSelector": {"f:matchLabels": {}}}}}
    wanted, found = policy([], [], [filled])
    wanted["spec"]["podSelector"] = {"matchLabels": {"a": "1"}}
    found["spec"]["podSelector"] = {"matchLabels": {"a": "1"}}
    assert not settled(wanted, found, "m")


def test_a_set_is_compared_by_its_members():
    def case(wanted, owned, found):
        entry = {"manager": "m", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:tags": owned}}
        obj = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "tags": wanted}
        return settled(obj, {**obj, "tags": found, "metadata": {"name": "x", "managedFields": [entry]}}, "m")

    owned = {'v:"a"': {}, 'v:"b"': {}}
    assert case(["a", "b"], owned, ["a", "z", "b"])
    assert not case(["b", "a"], owned, ["a", "b"])
    assert not case(["a"], owned, ["a", "b"])
    assert not case(["a", "b", "c"], owned, ["a", "b", "c"])


def test_an_object_without_fields_is_settled_when_it_is_there():
    obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
    assert settled(obj, {**obj, "status": {"phase": "Active"}}, "m")


def test_touched_sees_what_is_ours_and_nothing_else():
    before = live()
    assert not touched(before, live(lambda o: o["status"].update(replicas=9)), "kubeop")
    assert not touched(
        before, live(lambda o: o["metadata"].update(resourceVersion="9", annotations={"x": "y"})), "kubeop"
    )
    assert touched(before, live(lambda o: o["spec"].update(replicas=9)), "kubeop")
    assert touched(before, live(lambda o: container_of(o)["env"][1].update(value="9")), "kubeop")
    assert touched(before, live(owned={**OWNED, "f:data": {}}), "kubeop")
    assert touched(live(manager="other"), before, "kubeop")
