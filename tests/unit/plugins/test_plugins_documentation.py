"""The modules' documentation says what their code does."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from plugin_docs import MODULES, ROOT, argument_spec, documented, examples

SECRETS = {
    "kubeconfig_content",
    "manager_kubeconfig_content",
    "manager_token",
    "secret_environment",
    "db_url",
    "kms_master_key",
    "jwt_signing_key",
    "value",
    "keys",
    "ca_private_key",
}


def shape(options: dict[str, Any], nested: str) -> dict[str, Any]:
    return {
        name: (
            option.get("type", "str"),
            option.get("elements"),
            bool(option.get("required", False)),
            option.get("default"),
            tuple(option.get("choices") or ()),
            shape(option.get(nested) or {}, nested),
        )
        for name, option in options.items()
    }


@pytest.mark.parametrize("name", MODULES)
def test_documentation_is_the_argument_spec(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, _ = argument_spec(name, monkeypatch)
    assert shape(documented(name)["options"], "suboptions") == shape(spec, "options")


@pytest.mark.parametrize("name", MODULES)
def test_secrets_are_no_log_and_nothing_else_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, _ = argument_spec(name, monkeypatch)
    assert {option for option, what in spec.items() if what.get("no_log")} == SECRETS & set(spec)


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_accepted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, rules = argument_spec(name, monkeypatch)
    found = 0
    for task in examples(name):
        arguments = task.get(f"kubeop.platform.{name}")
        if arguments is not None:
            found += 1
            result = ArgumentSpecValidator(spec, **rules).validate(arguments)
            assert result.error_messages == [], task["name"]
    assert found


@pytest.mark.parametrize("name", MODULES)
def test_attributes_say_what_check_mode_does(name: str) -> None:
    attributes = documented(name)["attributes"]
    assert {"check_mode", "diff_mode", "idempotent", "action_group"} <= set(attributes)
    assert attributes["check_mode"]["support"] == "full"


def test_action_groups_list_every_module() -> None:
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    assert tuple(sorted(groups["platform"])) == MODULES
    for name in MODULES:
        membership = documented(name)["attributes"]["action_group"]["membership"]
        assert {f"kubeop.platform.{group}" for group in groups if name in groups[group]} == set(membership)


def test_members_of_a_group_share_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    shared = {
        "kubernetes": {"kubeconfig", "kubeconfig_content", "context", "timeout_seconds"},
        "manager": {"manager_url", "manager_kubeconfig", "manager_token", "timeout_seconds"},
    }
    for group, options in shared.items():
        for name in groups[group]:
            assert options <= set(argument_spec(name, monkeypatch)[0]), name
            monkeypatch.undo()
