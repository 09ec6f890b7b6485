"""`make docs`: a page for every module, plugin and role, and no warning from antsibull-docs or Sphinx."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# Plugins that have a page; the rest of plugins/ is what they share.
KINDS = ("callback", "filter", "inventory", "lookup")


def test_every_module_plugin_and_role_has_a_page(tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "tools/docs.py", tmp_path / "docs"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout
    assert "WARNING" not in made.stdout
    pages = {page.stem for page in (tmp_path / "docs/html").glob("*.html")}
    wanted = {f"{module.stem}_module" for module in (ROOT / "plugins/modules").glob("*.py")}
    wanted |= {f"{plugin.stem}_{kind}" for kind in KINDS for plugin in (ROOT / "plugins" / kind).glob("*.py")}
    wanted |= {f"{role.name}_role" for role in (ROOT / "roles").iterdir() if role.is_dir()}
    assert {"index", *wanted} <= pages
