"""Unit tests import the collection by its full name, as Ansible does: pytest-ansible injects this checkout."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_ansible.units import inject_only

ROOT = Path(__file__).resolve().parents[3]
COLLECTIONS = ROOT / ".ansible" / "collections"
LINK = COLLECTIONS / "ansible_collections" / "kubeop" / "platform"

if not LINK.exists():  # as the Makefile does
    LINK.parent.mkdir(parents=True, exist_ok=True)
    LINK.symlink_to(ROOT)
os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(COLLECTIONS)
inject_only()
