"""When a piece of a baseline is right, and how what is too much is taken out."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kubeop import names
from kubeop.domain.baseline import Baseline, objects
from kubeop.operator.pieces import _undo, is_right

BASELINE = objects(Baseline("kubeop-acme-web", "acme", "web", egress_cidrs=("10.0.0.0/8",)))
NAMESPACE, LIMITS, QUOTA, EGRESS, INGRESS = BASELINE


def edited(obj: dict[str, Any], **spec: Any) -> dict[str, Any]:
    found = copy.deepcopy(obj)
    found["spec"] |= spec
    return found


def labelled(obj: dict[str, Any], **labels: Any) -> dict[str, Any]:
    found = copy.deepcopy(obj)
    found["metadata"]["labels"] |= labels
    return found


@pytest.mark.parametrize("wanted", BASELINE, ids=lambda obj: obj["metadata"]["name"])
def test_a_piece_as_wanted_is_right(wanted: dict[str, Any]) -> None:
    found = copy.deepcopy(wanted)
    found["metadata"] |= {"uid": "1", "resourceVersion": "2"}
    found["status"] = {"used": {"pods": "3"}}
    assert is_right(wanted, found)
    assert is_right(wanted, labelled(found, team="blue"))


def test_quantities_are_compared_by_amount() -> None:
    same = edited(QUOTA, hard=QUOTA["spec"]["hard"] | {"requests.cpu": "1000m"})
    assert is_right(QUOTA, same)
    assert not is_right(QUOTA, edited(QUOTA, hard=QUOTA["spec"]["hard"] | {"requests.cpu": "1001m"}))


@pytest.mark.parametrize(
    "found",
    [
        edited(QUOTA, hard=QUOTA["spec"]["hard"] | {"services": "1"}),
        edited(QUOTA, hard={}),
        edited(QUOTA, scopes=["BestEffort"]),
        {key: value for key, value in QUOTA.items() if key != "spec"},
    ],
    ids=["more", "less", "scoped", "empty"],
)
def test_a_quota_with_more_or_less_is_not_right(found: dict[str, Any]) -> None:
    assert not is_right(QUOTA, found)


def test_a_policy_that_opens_more_is_not_right() -> None:
    assert not is_right(EGRESS, edited(EGRESS, egress=[*EGRESS["spec"]["egress"], {}]))
    assert not is_right(EGRESS, edited(EGRESS, ingress=[{}]))
    assert not is_right(INGRESS, edited(INGRESS, podSelector={"matchLabels": {"app": "none"}}))


def test_labels_that_are_gone_changed_or_weaken_are_not_right() -> None:
    assert not is_right(NAMESPACE, labelled(NAMESPACE, **{names.LABEL_TENANT: "other"}))
    assert not is_right(NAMESPACE, labelled(NAMESPACE, **{f"{names.POD_SECURITY_PREFIX}enforce-version": "v1.20"}))
    bare = copy.deepcopy(NAMESPACE)
    del bare["metadata"]["labels"]
    assert not is_right(NAMESPACE, bare)


def test_undo_is_the_merge_patch_back() -> None:
    found = edited(QUOTA, hard=QUOTA["spec"]["hard"] | {"services": "1", "pods": "99"}, scopes=["BestEffort"])
    assert _undo(QUOTA["spec"], found["spec"]) == {"scopes": None, "hard": {"services": None, "pods": "10"}}
    assert _undo(QUOTA["spec"], QUOTA["spec"]) == {}
    assert _undo({"a": [1]}, {"a": [1, 2], "b": {"c": 1}}) == {"a": [1], "b": None}
