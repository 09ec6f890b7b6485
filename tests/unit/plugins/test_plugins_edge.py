"""The edge of the modules: an absent library, an error of the library, and a module run as Ansible runs it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from plugin_docs import module

from kubeop.crypto.envelope import Context, open_token
from kubeop.crypto.keyring import Keyring, generate_key


def run(which: str, capsys: pytest.CaptureFixture[str], /, **arguments: Any) -> dict[str, Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module(which).main()
    return json.loads(capsys.readouterr().out)


def test_a_missing_library_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kubeop", None)
    result = run("seal", capsys, value="plain text", keys="some keys")
    assert result["failed"]
    assert "pip install kubeop" in result["msg"]


def test_an_unreadable_kubeconfig_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = run("rollout", capsys, name="x", kubeconfig=str(tmp_path / "none"))
    assert result["failed"]
    assert str(tmp_path / "none") in result["msg"]
    assert "exception" not in result


def test_a_kubeconfig_given_as_text_is_never_shown(capsys: pytest.CaptureFixture[str]) -> None:
    result = run("rollout", capsys, name="x", kubeconfig_content="users: [{token: hunter2}]\nclusters: 7")
    assert result["failed"]
    assert "hunter2" not in json.dumps(result)


def test_a_cluster_that_does_not_answer_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {"token": "hunter2"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    result = run("preflight_info", capsys, kubeconfig_content=json.dumps(kubeconfig), timeout_seconds=2)
    assert not result["changed"]
    assert "127.0.0.1:9" in result["failures"][0]
    assert "hunter2" not in json.dumps(result)


def test_seal_is_idempotent_and_its_check_is_true(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path, key = tmp_path / "sealed.yml", generate_key("k1")
    path.write_text("---\n# kept\nother: 1\n")
    arguments = {"value": "hunter2", "keys": key, "path": str(path), "variable": "password", "field": "f"}
    checked = run("seal", capsys, **arguments, _ansible_check_mode=True, _ansible_diff=True)
    assert checked["changed"]
    assert path.read_text() == "---\n# kept\nother: 1\n"
    done = run("seal", capsys, **arguments, _ansible_diff=True)
    assert done["changed"]
    assert done["diff"]["before"] == checked["diff"]["before"]
    assert path.read_text() == done["diff"]["after"] == f'---\n# kept\nother: 1\npassword: "{done["token"]}"\n'
    assert open_token(Keyring.parse(key), done["token"], Context(field="f")) == b"hunter2"
    again = run("seal", capsys, **arguments)
    assert (again["changed"], again["token"]) == (False, done["token"])
    assert "hunter2" not in json.dumps([checked, done, again])


def test_seal_makes_a_new_token_for_a_new_value_or_key(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path, old, new = tmp_path / "sealed.yml", generate_key("k1"), generate_key("k2")
    arguments = {"path": str(path), "variable": "password"}
    assert run("seal", capsys, value="plain text", keys=old, **arguments)["key_id"] == "k1"
    assert run("seal", capsys, value="b", keys=old, **arguments)["changed"]
    rotated = run("seal", capsys, value="b", keys=f"{new},{old}", **arguments)
    assert (rotated["changed"], rotated["key_id"]) == (True, "k2")


def test_seal_without_a_file_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    key = generate_key()
    result = run("seal", capsys, value="plain text", keys=key)
    assert not result["changed"]
    assert open_token(Keyring.parse(key), result["token"], Context()) == b"plain text"


@pytest.mark.parametrize("text", ["- a list\n", "a: [\n"])
def test_seal_refuses_a_file_that_holds_no_variables(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str
) -> None:
    path = tmp_path / "sealed.yml"
    path.write_text(text)
    result = run("seal", capsys, value="plain text", keys=generate_key(), path=str(path), variable="v")
    assert result["failed"]
    assert str(path) in result["msg"]
    assert path.read_text() == text
