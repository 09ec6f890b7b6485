"""The peers' programs: kubectl of the embedded cluster, and kubernetes.core in a virtual environment of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from kubeop.devcluster import builds
from kubeop.settings import cache_root

_ANSIBLE = "12.*"  # the last with ansible-core 2.19, which is ours too


@dataclass(frozen=True)
class Ansible:
    """An `ansible-playbook` and the interpreter that its modules run with."""

    playbook: Path
    python: Path


def kubectl() -> Path:
    """The kubectl that was built with the embedded cluster."""
    binaries, _ = builds.find()
    return binaries.path("kubectl")


def ours() -> Ansible:
    """This checkout's own."""
    return Ansible(Path(sys.executable).with_name("ansible-playbook"), Path(sys.executable))


def kubernetes_core() -> Ansible:
    """Ansible with its community collections and the same `kubernetes` client as ours; installed when it is missing."""
    folder = cache_root() / "bench-venv"
    found = Ansible(folder / "bin" / "ansible-playbook", folder / "bin" / "python")
    done = folder / f"installed-{_ANSIBLE.removesuffix('.*')}"
    if not done.exists():
        sys.stderr.write(f"Installing the peer, PyPI package ansible {_ANSIBLE}, in {folder} (minutes, once) …\n")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        wanted = [f"ansible=={_ANSIBLE}", f"kubernetes=={metadata.version('kubernetes')}"]
        subprocess.run([str(found.python), "-m", "pip", "install", "--quiet", *wanted], check=True)
        done.touch()
    return found
