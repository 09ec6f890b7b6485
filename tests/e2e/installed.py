"""The installed platform, as the end-to-end tests use it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
RECAP = re.compile(
    r"^(?P<host>\S+)\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+).*failed=(?P<failed>\d+)", re.MULTILINE
)


@dataclass(frozen=True)
class Platform:
    """The installed platform: what its commands need in their environment, and the images that run."""

    environment: dict[str, str] = field(repr=False)  # a failed test shows its arguments, and this has a password
    images: dict[str, str]

    def playbook(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a playbook as the README does."""
        return subprocess.run(
            [BIN / "ansible-playbook", f"playbooks/{name}.yml", "-i", "inventories/local", *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )


def changed(run: subprocess.CompletedProcess[str]) -> int:
    """How many tasks of a playbook run changed something."""
    recap = list(RECAP.finditer(run.stdout))
    assert recap, run.stdout + run.stderr
    return sum(int(host["changed"]) for host in recap)
