import pytest

from kubeop.domain import selection
from kubeop.domain.selection import Pick
from kubeop.errors import InputError


def namespace(name, *, leaving=False, **labels):
    metadata = {"name": name, "labels": {f"app.kubeop.io/{key}-id": value for key, value in labels.items()}}
    return {"metadata": metadata | ({"deletionTimestamp": "2026-01-01T00:00:00Z"} if leaving else {})}


@pytest.mark.parametrize(
    "name", ["kube-system", "kube-public", "kube-node-lease", "default", "kubeop-system", "openshift", "openshift-dns"]
)
def test_the_system_is_never_picked(name):
    assert selection.pick(namespace(name), tenant="acme").skipped == "it is part of the system"


def test_what_is_somebody_elses_is_skipped_and_why():
    assert "deleted" in selection.pick(namespace("a", leaving=True)).skipped
    assert "operator" in selection.pick(namespace("a"), {"a"}).skipped
    assert selection.pick(namespace("a", tenant="other", project="x"), tenant="acme").skipped == (
        "it belongs to tenant other"
    )


@pytest.mark.parametrize(
    ("found", "given", "picked"),
    [
        (namespace("kubernetes"), {}, Pick("kubernetes")),
        (namespace("a"), {"tenant": "acme"}, Pick("a", "acme", "a")),
        (namespace("a"), {"tenant": "acme", "project": "shop"}, Pick("a", "acme", "shop")),
        (namespace("a", tenant="acme", project="shop"), {}, Pick("a", "acme", "shop")),
        (namespace("a", tenant="acme", project="shop"), {"tenant": "acme"}, Pick("a", "acme", "shop")),
        (namespace("a", tenant="acme"), {}, Pick("a", "acme", "a")),
    ],
)
def test_a_picked_namespace_stays_whose_it_is(found, given, picked):
    assert selection.pick(found, **given) == picked


@pytest.mark.parametrize(
    ("pattern", "match"),
    [("team-*", True), ("*", True), ("", True), ("team-?", True), ("[st]eam-a", True), ("team", False)],
)
def test_a_pattern_is_for_the_whole_name(pattern, match):
    assert selection.matches("team-a", pattern) is match


@pytest.mark.parametrize("pattern", ["", "Team-*", "a b", "a.*", "a,b"])
def test_a_pattern_that_can_match_nothing_is_refused(pattern):
    with pytest.raises(InputError, match="pattern"):
        selection.check_pattern(pattern)
