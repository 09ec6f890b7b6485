"""The scenarios, run by molecule itself: each makes clusters of its own, governs them, and removes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kubeop import devcluster

ROOT = Path(__file__).resolve().parents[2]
ACTIONS = ("create", "converge", "idempotence", "verify", "destroy")


@pytest.mark.parametrize(
    ("scenario", "clusters", "actions"),
    [
        ("default", ["kubeop-molecule"], ACTIONS),
        ("fleet", ["kubeop-fleet-one", "kubeop-fleet-two"], (*ACTIONS, "side_effect")),
    ],
)
def test_scenario_converges_is_idempotent_verifies_and_destroys(
    scenario: str, clusters: list[str], actions: tuple[str, ...]
) -> None:
    try:
        done = subprocess.run(
            [Path(sys.executable).parent / "molecule", "test", "--scenario-name", scenario],
            cwd=ROOT / "extensions",
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "ANSIBLE_FORCE_COLOR": "0",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        for action in actions:
            assert f"[{scenario} > {action}] Executed: Successful" in done.stdout, done.stdout
        assert not any(devcluster.status(name).exists for name in clusters)
    finally:
        for name in clusters:
            devcluster.down(name)
