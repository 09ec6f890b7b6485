import subprocess
import sys
import uuid

import pytest
import yaml
from applying import MANAGER, config_map, crd, failing, new_namespace, told

from kubeop.kube import prune
from kubeop.kube.apply import Prune, apply

SCRIPT = [sys.executable, "-c", "from kubeop.cli.main import main; main()"]


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
