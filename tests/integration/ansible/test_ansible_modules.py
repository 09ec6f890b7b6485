"""The modules in real playbook runs on a real cluster: what check mode says is what is then done, and it stays so."""

from __future__ import annotations

import json
from pathlib import Path

from pausing import pause_image
from playing import Play

from kubeop.kube.client import Client


def test_baseline_check_apply_drift_and_repair(play: Play, kube: Client, tenant: str) -> None:
    wanted = [{"tenant": tenant, "project": project, "quota": {"cpu": "2"}} for project in ("one", "two")]
    task = {"kubeop.platform.baseline": {"namespaces": wanted, "egress_cidrs": ["10.0.0.0/8"]}}
    checked, done, again = play({**task, "check_mode": True}, task, task)
    assert checked["changed"]
    assert checked["changes"] == done["changes"]
    assert done["counts"] == {"create": 10, "update": 0, "unchanged": 0, "delete": 0}
    assert done["drifted"] == []
    assert not again["changed"]
    assert again["counts"]["unchanged"] == 10

    namespace = f"kubeop-{tenant}-one"
    kube.delete("networking.k8s.io/v1", "NetworkPolicy", "kubeop-egress", namespace)
    kube.patch("v1", "ResourceQuota", "kubeop-quota", {"spec": {"hard": {"requests.cpu": "9"}}}, namespace)
    forced = {"kubeop.platform.baseline": {**task["kubeop.platform.baseline"], "force": True}}
    checked, repaired, again = play({**forced, "check_mode": True}, forced, forced, arguments=("--diff",))
    assert checked["changes"] == repaired["changes"]
    assert (
        checked["drifted"]
        == repaired["drifted"]
        == [
            f"ResourceQuota {namespace}/kubeop-quota",
            f"NetworkPolicy {namespace}/kubeop-egress",
        ]
    )
    assert checked["changes"] == repaired["changes"]
    assert checked["diff"] == repaired["diff"]
    assert "managedFields" not in repaired["diff"]["before"]
    assert (repaired["counts"]["create"], repaired["counts"]["update"], again["changed"]) == (1, 1, False)
    quota = kube.get("v1", "ResourceQuota", "kubeop-quota", namespace)
    assert quota is not None
    assert quota["spec"]["hard"]["requests.cpu"] == "2"


def test_a_conflict_names_the_other_owner_and_the_rest_is_done(play: Play, kube: Client, tenant: str) -> None:
    task = {"kubeop.platform.baseline": {"namespaces": [{"tenant": tenant, "project": "one"}]}}
    play(task)
    namespace = f"kubeop-{tenant}-one"
    kube.patch(
        "v1", "LimitRange", "kubeop-defaults", {"spec": {"limits": []}}, namespace, field_manager="somebody-else"
    )
    kube.delete("networking.k8s.io/v1", "NetworkPolicy", "kubeop-egress", namespace)
    (failed,) = play(task)
    assert failed["failed"]
    assert "somebody-else" in failed["msg"]
    assert len(failed["failures"]) == 1
    assert failed["changed"]
    assert kube.get("networking.k8s.io/v1", "NetworkPolicy", "kubeop-egress", namespace) is not None


def test_bad_input_is_one_sentence(play: Play, tenant: str, tmp_path: Path) -> None:
    broken = tmp_path / "kubeconfig"
    broken.write_text("clusters: 7\n")
    quota, name, kubeconfig, kind = play(
        {"kubeop.platform.baseline": {"namespaces": [{"tenant": tenant, "project": "a", "quota": {"cpu": "much"}}]}},
        {"kubeop.platform.baseline": {"namespaces": [{"tenant": tenant, "project": "Not_A_Label"}]}},
        {"kubeop.platform.rollout": {"name": "x", "kubeconfig": str(broken)}},
        {
            "kubeop.platform.apply": {
                "definitions": [{"apiVersion": "v1", "kind": "Nonsense", "metadata": {"name": "a"}}]
            }
        },
    )
    assert "much" in quota["msg"]
    assert "Not_A_Label" in name["msg"]
    assert str(broken) in kubeconfig["msg"]
    assert "Nonsense" in kind["msg"]
    assert all(result["failed"] and not result["changed"] for result in (quota, name, kubeconfig, kind))


def test_apply_masks_secrets(play: Play, kube: Client, tenant: str) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": tenant, "namespace": "default"},
        "stringData": {"password": "hunter2-first"},
    }
    task = {"kubeop.platform.apply": {"definitions": [secret]}, "diff": True}
    try:
        done, again = play(task, task)
    finally:
        kube.delete("v1", "Secret", tenant, "default")
    assert (done["changed"], again["changed"]) == (True, False)
    assert "hunter2" not in json.dumps([result["diff"] for result in (done, again)])


def test_rollout_is_taken_back_when_it_fails(play: Play, kube: Client, tenant: str) -> None:
    image = pause_image()
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": tenant, "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": tenant}},
            "template": {
                "metadata": {"labels": {"app": tenant}},
                "spec": {
                    "containers": [{"name": "main", "image": image, "imagePullPolicy": "Never"}],
                },
            },
        },
    }
    where = {"name": tenant, "namespace": "default", "wait_seconds": 90}
    bad = {"kubeop.platform.rollout": {**where, "images": {"main": "registry.invalid/none:1"}}, "diff": True}
    try:
        _, ready, late, checked, failed, back, unknown = play(
            {"kubeop.platform.apply": {"definitions": [deployment]}},
            {"kubeop.platform.rollout": {**where, "wait_images": [image]}},
            {"kubeop.platform.rollout": {**where, "wait_images": ["registry.invalid/later:1"], "wait_seconds": 2}},
            {**bad, "check_mode": True},
            bad,
            {"kubeop.platform.rollout": where},
            {"kubeop.platform.rollout": {**where, "images": {"sidecar": "a"}}},
        )
    finally:
        kube.delete("apps/v1", "Deployment", tenant, "default")
    assert (ready["changed"], ready["images"], ready["ready_replicas"]) == (False, {"main": image}, 1)
    assert "has not got the image registry.invalid/later:1 in 2 s" in late["msg"]
    assert checked["changed"]
    assert checked["diff"]["after"] == {"images": {"main": "registry.invalid/none:1"}}
    assert failed["failed"]
    assert "put back" in failed["msg"]
    assert back["images"] == {"main": image}
    assert back["revision"] > ready["revision"]
    assert "sidecar" in unknown["msg"]


def test_preflight_says_what_is_wrong(play: Play) -> None:
    good, bad = play(
        {"kubeop.platform.preflight_info": {}},
        {
            "kubeop.platform.preflight_info": {
                "minimum_version": "9.9",
                "images": {"operator": ""},
                "deploys_manager": True,
            }
        },
    )
    assert good["failures"] == []
    assert len(bad["failures"]) == 5
    assert "9.9" in bad["failures"][0]
    assert not bad["changed"]
