"""The default scenario, run by molecule itself: it makes a cluster of its own, governs it, and removes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from kubeop import devcluster

ROOT = Path(__file__).resolve().parents[2]
SCENARIO_CLUSTER = "kubeop-molecule"


def test_default_scenario_converges_is_idempotent_verifies_and_destroys() -> None:
    try:
        done = subprocess.run(
            [Path(sys.executable).parent / "molecule", "test", "--scenario-name", "default"],
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
        for action in ("create", "converge", "idempotence", "verify", "destroy"):
            assert f"[default > {action}] Executed: Successful" in done.stdout, done.stdout
        assert not devcluster.status(SCENARIO_CLUSTER).exists
    finally:
        devcluster.down(SCENARIO_CLUSTER)
