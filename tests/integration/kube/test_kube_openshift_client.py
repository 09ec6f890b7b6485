"""The `openshift` client with our connections and our errors, on a kind that every cluster has."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path

import pytest

from kubeop.errors import ApiError, ApplyConflict, ClusterUnreachable
from kubeop.kube.client import Client
from kubeop.kube.openshift import OpenShift

API = "rbac.authorization.k8s.io/v1"
KIND = "ClusterRole"


@pytest.fixture
def role(kube):
    """A ClusterRole that is not there yet, and not there any more afterwards."""
    name = f"kubeop-it-{uuid.uuid4().hex[:8]}"
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    yield {"apiVersion": API, "kind": KIND, "metadata": {"name": name}, "rules": rules}
    kube.delete(API, KIND, name)


def test_an_object_comes_changes_and_goes(kube, role):
    openshift, name = OpenShift(kube), role["metadata"]["name"]
    assert openshift.serves(API, KIND)
    assert not openshift.serves("quota.openshift.io/v1", "NoSuchKind")
    assert openshift.get(API, KIND, name) is None
    made = openshift.create(role)
    assert made == openshift.get(API, KIND, name) == kube.get(API, KIND, name)
    labelled = openshift.patch(API, KIND, name, {"metadata": {"labels": {"a": "b"}}}, field_manager="one")
    assert labelled["metadata"]["labels"] == {"a": "b"}
    assert not openshift.delete(API, KIND, name + "-other", uid=made["metadata"]["uid"])
    with pytest.raises(ApiError) as caught:
        openshift.delete(API, KIND, name, uid="another")
    assert caught.value.status == 409
    assert openshift.delete(API, KIND, name, uid=made["metadata"]["uid"])
    assert kube.get(API, KIND, name) is None


def test_a_conflict_names_the_owner_and_force_takes_over(kube, role):
    openshift = OpenShift(kube)
    openshift.server_side_apply(role, field_manager="one")
    other = role | {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]}
    with pytest.raises(ApplyConflict, match='rules of field manager "one"'):
        openshift.server_side_apply(other, field_manager="two")
    taken = openshift.server_side_apply(other, field_manager="two", force=True)
    assert taken["rules"] == other["rules"]
    with pytest.raises(ApiError) as caught:
        openshift.create(role)
    assert (caught.value.status, caught.value.reason) == (409, "AlreadyExists")


def test_a_token_is_used_and_its_limits_are_told(limited, role):
    openshift = OpenShift(limited)
    assert openshift.username().endswith(":limited")
    with pytest.raises(ApiError) as caught:
        openshift.create(role)
    assert caught.value.status == 403
    assert "cannot be created" in caught.value.message
    assert "ClusterRole" in caught.value.hint


def test_a_server_that_is_gone_is_said_to_be_unreachable(gate, role):
    with Client.from_kubeconfig(gate.kubeconfig) as client:
        openshift = OpenShift(client)
        assert openshift.get(API, KIND, role["metadata"]["name"]) is None
        gate.shut()
        with pytest.raises(ClusterUnreachable, match="cannot be reached: the connection"):
            openshift.get(API, KIND, role["metadata"]["name"])
        gate.open()
        assert openshift.create(role)["metadata"]["uid"]


def test_nothing_is_left_in_files(kube, role, tmp_path, monkeypatch):
    """By itself the package would keep what it knows of the cluster in a file whose name anyone can tell."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    OpenShift(kube).create(role)
    assert list(Path(tmp_path).iterdir()) == []
