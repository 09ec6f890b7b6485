"""Objects to apply, and an apply that is also checked: check mode foretells it, and a second one changes nothing."""

import copy

import pytest

from kubeop.errors import ApplyFailed
from kubeop.kube.apply import apply

MANAGER = "kubeop-test"


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
