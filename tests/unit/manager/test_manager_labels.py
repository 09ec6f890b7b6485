"""Labels of a registered cluster: set, kept, changed and removed, although the cluster does not answer."""

from __future__ import annotations

import pytest


def put(api, query="", **fields):
    return api("PUT", f"/v1/clusters/west{query}", json={"kubeconfig": api.kubeconfig, **fields})


def test_labels_change_alone_and_what_is_left_out_stays(api):
    api.cluster()
    before = api("GET", "/v1/clusters/west").json()
    assert before["labels"] == {}
    wanted = {"region": "eu", "ring": "1_dev"}
    assert put(api, "?dryRun=true", labels=wanted).json()["changed"]
    assert api("GET", "/v1/clusters/west").json() == before
    for fields, changed, labels in (
        ({"labels": wanted}, True, wanted),
        ({"labels": wanted}, False, wanted),
        ({}, False, wanted),
        ({"labels": {"ring": "2"}}, True, {"ring": "2"}),
        ({"labels": {}}, True, {}),
    ):
        answer = put(api, **fields)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["changed"], answer.json()["labels"]) == (changed, labels)
        assert api("GET", "/v1/clusters/west").json()["labels"] == labels
    after = api("GET", "/v1/clusters/west").json()
    assert after["updated_at"] > before["updated_at"]
    with api.services.database.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT outcome FROM audit_log ORDER BY at").all()
    assert [row[0] for row in rows] == ["done", "unchanged", "unchanged", "done", "done"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("labels", "field", "said"),
    [
        ({"a b": "x"}, "labels", "'a b'"),
        ({"ring": "a secret"}, "labels", "the label ring"),
        ({f"k{number}": "" for number in range(65)}, "labels", "65 labels are too many"),
        ({"ring": 1}, "labels.ring", "string"),
        (["ring"], "labels", "dictionary"),
    ],
)
def test_bad_labels_are_one_sentence(api, method, labels, field, said):
    path = "/v1/clusters" + ("/west" if method == "PUT" else "")
    answer = api(method, path, json={"name": "west", "kubeconfig": api.kubeconfig, "labels": labels})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert said in answer.json()["detail"]
    assert "a secret" not in answer.text
