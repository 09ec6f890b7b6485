"""The installed platform, as the end-to-end tests use it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

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
        return self._run([f"playbooks/{name}.yml", "-i", "inventories/local", *arguments], ROOT)

    def playbook_of_collection(self, name: str, collections: Path) -> subprocess.CompletedProcess[str]:
        """Run a playbook as whoever has installed the collection does, into `collections`, and has no clone."""
        local = ROOT / "inventories" / "local"
        return self._run([f"kubeop.platform.{name}", "-i", str(local)], collections, ANSIBLE_COLLECTIONS_PATH=".")

    def _run(self, arguments: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BIN / "ansible-playbook", *arguments],
            cwd=folder,
            env={**os.environ, **self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def results(self, play: dict[str, Any], path: Path) -> list[dict[str, Any]]:
        """Run a play on localhost, written to `path`; what each task has answered, in order."""
        path.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, **play}]))
        arguments = ["-i", "localhost,", "-c", "local", str(path)]
        done = self._run(
            arguments,
            ROOT,
            ANSIBLE_STDOUT_CALLBACK="results",
            ANSIBLE_CALLBACKS_ENABLED="results",
            ANSIBLE_CALLBACK_PLUGINS=str(ROOT / "tests" / "integration" / "ansible" / "callbacks"),
        )
        assert done.stdout.startswith("["), done.stdout + done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found


def changed(run: subprocess.CompletedProcess[str]) -> int:
    """How many tasks of a playbook run changed something."""
    recap = list(RECAP.finditer(run.stdout))
    assert recap, run.stdout + run.stderr
    return sum(int(host["changed"]) for host in recap)


def in_diff(run: subprocess.CompletedProcess[str], task: str) -> list[str]:
    """The objects in the diff of a role's task, in its order."""
    _, _, after = run.stdout.partition(f" : {task}] *")
    return re.findall(r"^[+-]--- # (.+)$", after.partition("\nTASK [")[0], re.MULTILINE)
