"""What the collection says of its modules, and what their code says: read once, for the tests that compare the two."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import get_docstring

ROOT = Path(__file__).resolve().parents[3]
MODULES = tuple(sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")))
PACKAGE = "ansible_collections.kubeop.platform.plugins"


def documented(name: str) -> dict[str, Any]:
    """A module's DOCUMENTATION, its fragments merged in."""
    path = ROOT / "plugins" / "modules" / f"{name}.py"
    return get_docstring(str(path), fragment_loader, collection_name="kubeop.platform", plugin_type="module")[0]


def examples(name: str) -> list[dict[str, Any]]:
    """The tasks of a module's EXAMPLES."""
    return yaml.safe_load(module(name).EXAMPLES)


def module(name: str) -> Any:
    """A module's code."""
    return importlib.import_module(f"{PACKAGE}.modules.{name}")


def argument_spec(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], dict[str, Any]]:
    """The argument spec that a module's main() hands over, and its rules."""
    code = module(name)
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    monkeypatch.setattr(code.edge, "run", lambda call, spec, *_, **rules: found.append((spec, rules)))
    code.main()
    return found[0]
