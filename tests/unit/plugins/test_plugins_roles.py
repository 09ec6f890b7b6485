"""Each role's argument spec, defaults, tasks and README name the same variables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from plugin_docs import ROOT

ROLES = tuple(sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir()))
INVENTORIES = ("local", "example")


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_variables_are_named_once_and_everywhere(role: Path) -> None:
    options = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text())
    table = set(re.findall(r"^\| `(\w+)` \|", (role / "README.md").read_text(), re.MULTILINE))
    assert set(options) == set(defaults) == table
    assert all(name.startswith(f"{role.name}_") for name in options)


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_every_variable_is_used(role: Path) -> None:
    options = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    texts = [path.read_text() for folder in ("tasks", "vars", "defaults") for path in (role / folder).glob("*.yml")]
    assert [name for name in options if not any(re.search(rf"\b{name}\b(?!:)", text) for text in texts)] == []


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_secrets_are_no_log(role: Path) -> None:
    options = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    words = ("_content", "_token", "_key", "_db_url", "secret_")
    secret = {name for name in options if any(word in name for word in words)}
    assert {name for name, option in options.items() if option.get("no_log")} == secret
