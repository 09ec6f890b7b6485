"""Check mode, apply and the comparison agree with the API server, over objects that nobody has thought of."""

import copy
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubeop.kube.apply import apply
from kubeop.kube.compare import settled

MANAGER = "kubeop-test"
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "samples.test.kubeop.io"},
    "spec": {
        "group": "test.kubeop.io",
        "scope": "Namespaced",
        "names": {"plural": "samples", "singular": "sample", "kind": "Sample"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "x-kubernetes-preserve-unknown-fields": True,
                                "properties": {
                                    "tags": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "set",
                                        "items": {"type": "string"},
                                    },
                                    "size": {"type": "integer", "default": 3},
                                    "rules": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["name"],
                                        "items": {
                                            "type": "object",
                                            "required": ["name"],
                                            "properties": {
                                                "name": {"type": "string"},
                                                "weight": {"type": "integer", "default": 1},
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}

words = st.sampled_from(["a", "b", "c"])
labels = st.dictionaries(words, st.sampled_from(["1", "2", ""]), max_size=3)
cpu = st.sampled_from(["100m", "0.1", "1", "1000m", 1, 2])
memory = st.sampled_from(["64Mi", "65536Ki", "67108864", "1Gi", "1024Mi"])
resources = st.fixed_dictionaries({}, optional={"cpu": cpu, "memory": memory})
ports = st.lists(
    st.fixed_dictionaries(
        {"containerPort": st.sampled_from([80, 81])},
        optional={"protocol": st.sampled_from(["TCP", "UDP"]), "name": st.sampled_from(["http", "web"])},
    ),
    max_size=2,
    unique_by=(
        lambda port: (port["containerPort"], port.get("protocol", "TCP")),
        lambda port: port.get(
            "name",
            port["containerPort"],
        ),
    ),
)
env = st.lists(
    st.one_of(
        st.fixed_dictionaries({"name": words}, optional={"value": st.sampled_from(["", "x", "1000m"])}),
        st.fixed_dictionaries(
            {"name": words, "valueFrom": st.just({"fieldRef": {"fieldPath": "metadata.name"}})},
        ),
    ),
    max_size=3,
    unique_by=lambda one: one["name"],
)
containers = st.lists(
    st.fixed_dictionaries(
        {"name": words, "image": st.sampled_from(["x:1", "x:2"])},
        optional={
            "ports": ports,
            "env": env,
            "args": st.lists(words, max_size=2),
            "resources": st.fixed_dictionaries({}, optional={"limits": resources}),
            "securityContext": st.fixed_dictionaries({}, optional={"runAsNonRoot": st.booleans()}),
        },
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda one: one["name"],
)
rules = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "ports": st.lists(
                st.fixed_dictionaries({"port": st.sampled_from([53, "dns"])}, optional={"protocol": st.just("UDP")}),
                max_size=2,
            ),
            "to": st.lists(
                st.one_of(
                    st.builds(lambda found: {"podSelector": {"matchLabels": found}}, labels),
                    st.just({"ipBlock": {"cidr": "10.0.0.0/8"}}),
                    st.just({"namespaceSelector": {}}),
                ),
                max_size=2,
            ),
        },
    ),
    max_size=2,
)
free = st.recursive(
    st.one_of(st.booleans(), st.integers(0, 2), st.sampled_from(["", "1000m", "1"])),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(words, inner, max_size=2)),
    max_leaves=5,
)


def _pod_template(found, annotations):
    # All that a workload has, and no controller that changes it while the test looks.
    return {
        "apiVersion": "v1",
        "kind": "PodTemplate",
        "metadata": {"annotations": annotations},
        "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": found}},
    }


objects = st.one_of(
    st.builds(
        lambda data, found: {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": found}, "data": data},
        st.dictionaries(words, st.sampled_from(["1", "1000m", ""]), max_size=3),
        labels,
    ),
    st.builds(
        lambda data: {"apiVersion": "v1", "kind": "Secret", "metadata": {}, "stringData": data},
        st.dictionaries(words, words, max_size=2),
    ),
    st.builds(_pod_template, containers, labels),
    st.builds(
        lambda hard: {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {}, "spec": {"hard": hard}},
        st.dictionaries(
            st.sampled_from(["pods", "requests.cpu"]), st.sampled_from(["1", "1000m", 2, "2k"]), max_size=2
        ),
    ),
    st.builds(
        lambda default: {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": {},
            "spec": {"limits": [{"type": "Container", "default": default}]},
        },
        resources,
    ),
    st.builds(
        lambda found, selector: {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {},
            "spec": {"podSelector": selector, "policyTypes": ["Egress"], "egress": found},
        },
        rules,
        st.one_of(st.just({}), st.builds(lambda found: {"matchLabels": found}, labels)),
    ),
    st.builds(
        lambda spec, tags, items: {
            "apiVersion": "test.kubeop.io/v1",
            "kind": "Sample",
            "metadata": {},
            "spec": {**spec, "tags": tags, "rules": items},
        },
        st.dictionaries(words, free, max_size=3),
        # Never emptied: the server drops an emptied list of this sort on one apply and adds it again on the next.
        st.lists(words, min_size=1, max_size=3, unique=True),
        st.lists(
            st.fixed_dictionaries({"name": words}, optional={"weight": st.integers(0, 2)}),
            min_size=1,
            max_size=3,
            unique_by=lambda one: one["name"],
        ),
    ),
)
# What somebody else does to the object in between: a merge patch.
meddling = st.one_of(
    st.none(),
    st.builds(lambda found: {"metadata": {"labels": found}}, st.dictionaries(words, st.sampled_from(["1", "9"]))),
    st.builds(lambda found: {"data": found}, st.dictionaries(words, st.sampled_from(["MQ==", "OQ=="]))),
    st.just({"spec": {"replicas": 0, "hard": {"requests.cpu": "1"}, "tags": ["z"], "policyTypes": ["Egress"]}}),
)


@pytest.fixture
def namespace(kube):
    name = f"kubeop-property-{uuid.uuid4().hex[:8]}"
    apply(kube, [CRD, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}], field_manager=MANAGER)
    yield name
    kube.delete("v1", "Namespace", name)


def _named(obj, namespace, name):
    found = copy.deepcopy(obj)
    found["metadata"] |= {"namespace": namespace, "name": name}
    return found


def _actions(result):
    return [change.action for change in result.changes]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(first=objects, second=objects, patch=meddling, force=st.booleans())
def test_check_apply_and_the_server_agree(kube, namespace, first, second, patch, force):
    if second["kind"] != first["kind"]:
        second = first
    name = f"x{uuid.uuid4().hex[:10]}"
    wanted, then = _named(first, namespace, name), _named(second, namespace, name)

    assert _actions(apply(kube, [wanted], field_manager=MANAGER, dry_run=True)) == ["create"]
    assert _actions(apply(kube, [wanted], field_manager=MANAGER)) == ["create"]
    assert _actions(apply(kube, [wanted], field_manager=MANAGER, dry_run=True)) == ["unchanged"]
    assert _actions(apply(kube, [wanted], field_manager=MANAGER)) == ["unchanged"]

    place = wanted["apiVersion"], wanted["kind"], name
    if patch is not None:
        fields = {key: value for key, value in patch.items() if key in ("metadata", "spec") or key in wanted}
        if wanted["kind"] in ("ResourceQuota", "Sample", "PodTemplate", "NetworkPolicy", "ConfigMap"):
            kube.patch(*place, fields, namespace, field_manager="somebody-else")

    # Taken over by force, or the property would be about conflicts, which have their own tests.
    live = _content(kube.get(*place, namespace))
    told = apply(kube, [then], field_manager=MANAGER, force=True, dry_run=True)
    assert _content(kube.get(*place, namespace)) == live  # a dry run leaves no trace
    done = apply(kube, [then], field_manager=MANAGER, force=True)
    assert _actions(told) == _actions(done)
    assert told.diff() == done.diff()
    after = _content(kube.get(*place, namespace))
    assert (after == live) is not done.changed

    # What the comparison takes for settled, the server leaves alone as well; and it settles what was just applied.
    plain = _plain(then)
    if after["metadata"].get("managedFields"):  # an object with no field at all gets strange ones on its second apply
        again = kube.server_side_apply(plain, field_manager=MANAGER, force=True)
        assert _content(again) == after
    if settled(plain, live, MANAGER):
        assert not done.changed
    assert _actions(apply(kube, [then], field_manager=MANAGER, force=force)) == ["unchanged"]


def _content(obj):
    """All but status and what counts versions: the server makes a new one for an empty list that it does not store."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in ("resourceVersion", "generation")}
    metadata["managedFields"] = [
        {key: value for key, value in one.items() if key != "time"}
        for one in metadata.get("managedFields", [])
        if not one.get("subresource")
    ]
    return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": metadata}


def _plain(obj):
    """The object as the engine sends it: a Secret's texts as data."""
    import base64

    found = copy.deepcopy(obj)
    texts = found.pop("stringData", None)
    if texts:
        found["data"] = {key: base64.b64encode(value.encode()).decode() for key, value in texts.items()}
    return found
