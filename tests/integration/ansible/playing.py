"""Tasks run by `ansible-playbook` itself, and what each has answered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
ANSIBLE = Path(sys.executable).parent / "ansible-playbook"
CALLBACK = {
    "ANSIBLE_STDOUT_CALLBACK": "results",
    "ANSIBLE_CALLBACKS_ENABLED": "results",
    "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
}
Play = Callable[..., list[dict[str, Any]]]


def player(kubeconfig: Path, path: Path) -> Play:
    """Runs tasks on localhost; each task's result, in order. The playbook is written to `path`."""

    def run(*tasks: dict[str, Any], arguments: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        playbook = [
            {
                "hosts": "localhost",
                "gather_facts": False,
                "vars": {"ansible_python_interpreter": sys.executable},
                "module_defaults": {"group/kubeop.platform.kubernetes": {"kubeconfig": str(kubeconfig)}},
                "tasks": [{"ignore_errors": True, "name": str(number), **task} for number, task in enumerate(tasks)],
            }
        ]
        path.write_text(yaml.safe_dump(playbook))
        done = subprocess.run(
            [str(ANSIBLE), "-i", "localhost,", "-c", "local", *arguments, str(path)],
            cwd=ROOT,
            env={**os.environ, **CALLBACK},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.startswith("["), done.stdout + done.stderr
        return json.loads(done.stdout)

    return run
