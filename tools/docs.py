"""`make docs`: the pages of the collection's modules, plugins and roles, as HTML, without the network.

    python tools/docs.py [FOLDER]       build/docs unless told otherwise

antsibull-docs writes the pages, Sphinx makes HTML of them. A warning of either fails. Prints where to begin reading.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
COLLECTION = "kubeop.platform"
# What our pages refer to on Ansible's own, by kind; Sphinx would otherwise fetch the whole list.
SETTINGS = "reference_appendices/config.html"
CACHE_VARIABLES = (
    "ANSIBLE_CACHE_PLUGIN",
    "ANSIBLE_CACHE_PLUGIN_CONNECTION",
    "ANSIBLE_CACHE_PLUGIN_PREFIX",
    "ANSIBLE_CACHE_PLUGIN_TIMEOUT",
)
REFERENCES = {
    "label": {
        "action_plugins": "plugins/action.html",
        "ansible_configuration_settings": SETTINGS,
        "callback_plugins": "plugins/callback.html",
        "common_return_values": "reference_appendices/common_return_values.html",
    },
    "envvar": dict.fromkeys(CACHE_VARIABLES, SETTINGS),
}
INVENTORY_HEAD = """# Sphinx inventory version 2
# Project: Ansible
# Version:
# The remainder of this file is compressed using zlib.
"""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make the collection's pages as HTML.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build/docs")
    folder = parser.parse_args().folder.resolve()
    try:
        write_pages(folder / "rst")
        run(
            "sphinx-build",
            "-M",
            "html",
            folder / "rst",
            folder,
            "-c",
            ROOT / "docs/docsite",
            "-W",
            "--keep-going",
            "-q",
        )
    except subprocess.CalledProcessError as error:
        print(f"docs: {Path(error.cmd[0]).name} failed with exit code {error.returncode}: the lines above say why.")
        return 1
    print(folder / "html/index.html")
    return 0


def write_pages(folder: Path) -> None:
    """A page for every module, plugin and role, made anew, and the inventory of Ansible's own beside them."""
    if folder.parent.exists():
        shutil.rmtree(folder.parent)
    folder.mkdir(parents=True)
    folder.chmod(0o755)  # antsibull-docs warns of a folder that others may write in
    run(
        "antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir", folder,
        COLLECTION,
    )  # fmt: skip
    lines = "".join(
        f"{name} std:{kind} -1 {page} {name.replace('_', ' ') if kind == 'label' else '-'}\n"
        for kind, names in REFERENCES.items()
        for name, page in names.items()
    )
    (folder / "ansible.inv").write_bytes(INVENTORY_HEAD.encode() + zlib.compress(lines.encode()))


def run(name: str, *arguments: object) -> None:
    """Run a tool of the locked environment on this clone's collection."""
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections"),
    }
    subprocess.run([str(BIN / name), *map(str, arguments)], check=True, env=environment)


if __name__ == "__main__":
    sys.exit(main())
