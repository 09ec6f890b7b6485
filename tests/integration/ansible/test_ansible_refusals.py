"""The module apply with input of which a part is of no use: what is told, what is done, and a run after it."""

from __future__ import annotations

from pathlib import Path

from playing import Play

from kubeop.kube.client import Client


def test_a_part_that_fails_is_told_and_the_rest_is_done(play: Play, kube: Client, tenant: str, tmp_path: Path) -> None:
    def config_map(name: str) -> dict[str, object]:
        metadata = {"name": name, "namespace": "default", "labels": {"set": tenant}}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1"}}

    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1\n")
    first, second = f"{tenant}-1", f"{tenant}-2"
    bad = {"definitions": [config_map(first), config_map("No_Name"), config_map(second)], "src": [str(broken)]}
    good = {"definitions": [config_map(first)], "prune_label": f"set={tenant}"}
    try:
        checked, failed, again, preview, pruned, last = play(
            {"kubeop.platform.apply": {**bad, "prune_label": f"set={tenant}"}, "check_mode": True},
            {"kubeop.platform.apply": {**bad, "prune_label": f"set={tenant}"}},
            {"kubeop.platform.apply": {"definitions": [config_map(first), config_map(second)]}},
            {"kubeop.platform.apply": good, "check_mode": True},
            {"kubeop.platform.apply": good},
            {"kubeop.platform.apply": good},
        )
    finally:
        for name in (first, second):
            kube.delete("v1", "ConfigMap", name, "default")
    assert checked["failed"]
    assert failed["failed"]
    assert checked["changed"]
    assert failed["changed"]
    assert checked["changes"] == failed["changes"]
    assert [change["name"] for change in failed["changes"]] == [first, second]
    assert checked["failures"] == failed["failures"]
    malformed, refused = failed["failures"]
    assert malformed.startswith(f"{broken}, line 2 is not YAML")
    assert 'Invalid value: "No_Name"' in refused
    assert "Nothing is pruned until all are applied" in failed["msg"]
    assert not again["changed"]
    assert preview["changes"] == pruned["changes"]
    assert [(change["action"], change["name"]) for change in pruned["changes"]] == [("delete", second)]
    assert not last["changed"]


def test_pruning_is_kept_to_namespaces_and_no_empty_list_means_all(play: Play, kube: Client, tenant: str) -> None:
    labels = {"app.kubeop.io/tenant-id": tenant}
    here, there = f"{tenant}-a", f"{tenant}-b"
    namespaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for name in (here, there)
    ]

    def config_map(name: str, namespace: str) -> dict[str, object]:
        metadata = {"name": name, "namespace": namespace, "labels": {"set": tenant}}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}

    old = [config_map("old", here), config_map("old", there)]
    new = {"definitions": [config_map("new", here)], "prune_label": f"set={tenant}"}
    _, empty, unlabelled, preview, pruned = play(
        {"kubeop.platform.apply": {"definitions": [*namespaces, *old]}},
        {"kubeop.platform.apply": {**new, "prune_namespaces": []}},
        {"kubeop.platform.apply": {**new, "prune_label": "", "prune_kinds": ["v1/ConfigMap"]}},
        {"kubeop.platform.apply": {**new, "prune_namespaces": [here]}, "check_mode": True},
        {"kubeop.platform.apply": {**new, "prune_namespaces": [here], "prune_kinds": ["v1/ConfigMap"]}},
    )
    assert empty["failed"]
    assert unlabelled["failed"]
    assert "The namespaces to prune are empty" in empty["msg"]
    assert "no label" in unlabelled["msg"]
    assert preview["changes"] == pruned["changes"]
    gone = [(change["namespace"], change["name"]) for change in pruned["changes"] if change["action"] == "delete"]
    assert gone == [(here, "old")]
    assert kube.get("v1", "ConfigMap", "old", there) is not None
