import pytest

from kubeop.errors import InputError
from kubeop.kube.changes import ApplyResult, Change, shown_pair
from kubeop.kube.prune import Prune


def secret(**data):
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "s",
            "resourceVersion": "1",
            "managedFields": [{}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "cGFzcw=="},
        },
        "data": data,
    }


def test_a_secrets_values_are_hidden_and_only_their_change_shows():
    before, after = shown_pair(secret(a="cGFzcw==", b="b25l"), secret(a="cGFzcw==", b="dHdv", c="bmV3"))
    assert before["data"] == {"a": "(hidden)", "b": "(hidden)"}
    assert after["data"] == {"a": "(hidden)", "b": "(hidden, changed)", "c": "(hidden, changed)"}
    assert "cGFzcw==" not in str((before, after))


def test_a_new_secret_is_hidden_too():
    before, after = shown_pair(None, secret(a="cGFzcw=="))
    assert before is None
    assert after["data"] == {"a": "(hidden)"}
    assert "cGFzcw==" not in str(after)


def test_the_servers_bookkeeping_and_status_are_left_out():
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "uid": "u", "labels": {}}, "status": {"x": 1}}
    assert shown_pair(obj, None)[0] == {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {}}}


def test_a_diff_has_what_changes_and_nothing_else():
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    result = ApplyResult(
        (
            Change("unchanged", "v1", "Pod", "n", "same"),
            Change("create", "v1", "Pod", "n", "p", None, {**pod, "spec": {"x": 1}}),
            Change("delete", "v1", "Pod", "n", "q", pod, None),
            Change("update", "v1", "Pod", "n", "r", pod, pod, "only what m owns changes"),
        )
    )
    assert result.changed
    assert result.summary() == "1 created, 1 updated, 1 deleted, 1 unchanged"
    diff = result.diff()
    assert "same" not in diff["before"] + diff["after"]
    assert "x: 1" in diff["after"]
    assert "Pod q" in diff["before"]
    assert "Pod q" not in diff["after"]
    assert "# only what m owns changes" in diff["after"]
    assert "+spec:\n+  x: 1\n" in result.unified_diff()


def test_nothing_is_nothing():
    result = ApplyResult((Change("unchanged", "v1", "Pod", "n", "p"),))
    assert not result.changed
    assert result.diff() == {"before": "", "after": ""}
    assert ApplyResult(()).summary() == "nothing to do"


@pytest.mark.parametrize("selector", ["", "!app", "app!=web", "app notin (web)", " , "])
def test_a_prune_selector_must_ask_for_a_label(selector):
    with pytest.raises(InputError, match="asks for no label"):
        Prune(selector)


@pytest.mark.parametrize("selector", ["app=web", "app", "app in (web, api)", "!x,app==web"])
def test_a_selector_that_asks_for_one_is_taken(selector):
    assert Prune(selector).label_selector == selector


@pytest.mark.parametrize(
    ("label", "namespaces", "kinds", "said"),
    [
        (None, ["a"], None, "no label"),
        ("", None, ["v1/Secret"], "no label"),
        ("a=b", [], None, "namespaces to prune are empty"),
        ("a=b", [""], None, "namespaces to prune are empty"),
        ("a=b", None, [], "kinds to prune are empty"),
        ("a=b", None, ["Deployment"], "kind to prune 'Deployment' is none"),
        ("a=b", None, ["/Secret"], "is none"),
        ("a=b", None, ["a/b/v1/Secret"], "is none"),
        ("a=b", None, ["apps/v1/"], "is none"),
    ],
)
def test_what_may_not_mean_everything_is_refused(label, namespaces, kinds, said):
    with pytest.raises(InputError, match=said):
        Prune.asked(label, namespaces, kinds)


def test_what_is_to_be_pruned_is_taken_as_it_is_written():
    assert Prune.asked("", None, None) is None
    assert Prune.asked("a=b", None, None) == Prune("a=b")
    asked = Prune.asked("a=b", ["n"], ["apps/v1/Deployment", "v1/Secret"])
    assert asked == Prune("a=b", (("apps/v1", "Deployment"), ("v1", "Secret")), ("n",))


def test_the_fields_that_differ_are_named():
    before = {"spec": {"hard": {"requests.cpu": "1", "pods": "10"}, "egress": [{"a": 1}, {"a": 2}]}, "kind": "X"}
    after = {"spec": {"hard": {"requests.cpu": "2", "pods": "10"}, "egress": [{"a": 1}, {"a": 3}]}, "kind": "X"}
    assert Change("update", "v1", "X", "", "x", before, after).fields == ("spec.egress[1].a", "spec.hard[requests.cpu]")
    after["spec"] = {"hard": before["spec"]["hard"], "egress": [{"a": 1}], "more": 1}
    assert Change("update", "v1", "X", "", "x", before, after).fields == ("spec.egress", "spec.more")
    assert Change("create", "v1", "X", "", "x", None, after).fields == ()
