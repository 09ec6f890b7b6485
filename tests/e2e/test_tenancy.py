"""Many tenants and projects in one task: as check mode said, once, and without those that the manager refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from installed import BIN, Platform

KEY = "{{ lookup('ansible.builtin.file', lookup('ansible.builtin.env', 'KUBEOP_STATE_DIR') ~ '/jwt_signing_key') }}"
TENANTS = [
    {
        "name": f"bulk-{number}",
        "quota": {"cpu": "2", "memory": "4Gi", "pods": 40},
        "projects": [{"name": "web", "quota": {"cpu": "500m", "memory": "1Gi", "pods": 5}}, {"name": "jobs"}],
    }
    for number in range(3)
]


def tenancy(tenants: list[dict[str, Any]], **keywords: Any) -> dict[str, Any]:
    arguments = {
        "cluster": "local",
        "tenants": tenants,
        "manager_kubeconfig": "{{ lookup('ansible.builtin.env', 'KUBECONFIG') }}",
        "manager_token": "{{ key | kubeop.platform.admin_token }}",
    }
    return {"name": "Ensure", "kubeop.platform.tenancy": arguments, "ignore_errors": True, **keywords}


def play(platform: Platform, folder: Path, *tasks: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of the tasks."""
    variables = {"ansible_python_interpreter": str(BIN / "python"), "key": KEY}
    return platform.results({"vars": variables, "tasks": [*tasks]}, folder / "play.yml")


@pytest.fixture
def folder(platform: Platform, tmp_path: Path) -> Iterator[Path]:
    """A folder for the test's play; its tenants and projects go with it."""
    yield tmp_path
    way = tenancy([])["kubeop.platform.tenancy"]
    way = {name: value for name, value in way.items() if name.startswith("manager_")} | {"cluster": "local"}
    projects = [
        {"kubeop.platform.project": {**way, "tenant": tenant["name"], "name": project, "state": "absent"}}
        for tenant in TENANTS
        for project in ("web", "jobs")
    ]
    play(platform, tmp_path, *[{"name": "Remove", "ignore_errors": True, **task} for task in projects])


def test_many_are_made_as_foretold_and_those_refused_are_named(platform: Platform, folder: Path) -> None:
    greedy = {"name": "web", "quota": {"cpu": "64", "memory": "1Gi", "pods": 5}}
    refused = [{**TENANTS[0], "projects": [greedy]}, {**TENANTS[1], "quota": {"cpu": "3"}}]
    checked, done, again, foretold, failed, twice = play(
        platform,
        folder,
        tenancy(TENANTS, check_mode=True, diff=True),
        tenancy(TENANTS, diff=True),
        tenancy(TENANTS),
        tenancy(refused, check_mode=True),
        tenancy(refused),
        tenancy([TENANTS[0], TENANTS[0]]),
    )
    assert checked["changes"] == done["changes"]
    assert checked["diff"] == done["diff"]
    assert checked["counts"] == done["counts"] == {"create": 9, "update": 0, "unchanged": 0, "delete": 0}
    assert {change["name"] for change in done["changes"] if change["kind"] == "Project"} == {
        f"bulk-{number}/{project}" for number in range(3) for project in ("web", "jobs")
    }
    assert not again["changed"]
    assert again["counts"]["unchanged"] == 9

    for result in (foretold, failed):
        assert result["failed"]
        assert len(result["failures"]) == 1
        assert "bulk-0/web" in result["failures"][0]
        assert [(change["action"], change["name"]) for change in result["changes"]] == [("update", "bulk-1")]
        assert result["changed"]
    assert twice["failed"]
    assert "bulk-0" in twice["msg"]
