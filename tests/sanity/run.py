"""`ansible-test sanity` on the collection, without Docker: in a checkout of its own under the cache folder.

ansible-test insists on a folder …/ansible_collections/<namespace>/<name> and on a Git checkout, and bootstraps pip from
a host that may be out of reach. What is committed and what is not are both checked. The environments that the tests
make are kept in the cache, so that a second run needs no package registry.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
CACHE = Path(os.environ.get("KUBEOP_CACHE_DIR") or Path.home() / ".cache" / "kubeop") / "sanity"
CHECKOUT = CACHE / "ansible_collections" / "kubeop" / "platform"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
# What the collection ships, and what the tests want to know of.
PARTS = (
    "COPYING",
    "README.md",
    "changelogs",
    "galaxy.yml",
    "meta",
    "playbooks",
    "plugins",
    "roles",
    "tests/sanity",
)
# ansible-test 2.19 takes this file in place of a download.
BOOTSTRAP = Path.home() / ".ansible" / "test" / "cache" / "get_pip_24_2.py"
BOOTSTRAP_TEXT = '''"""pip from the Python that is here, in place of a download."""

import subprocess
import sys

wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip", "--upgrade"])
subprocess.check_call([sys.executable, "-m", "pip", "install", *wanted])
'''


def main() -> int:
    """Bring the checkout up to date and run the tests there; arguments go to ansible-test."""
    if not BOOTSTRAP.exists():
        BOOTSTRAP.parent.mkdir(parents=True, exist_ok=True)
        BOOTSTRAP.write_text(BOOTSTRAP_TEXT)
    refresh()
    python = shutil.which(f"python{PYTHON}") or sys.executable
    command = [BIN / "ansible-test", "sanity", "--python", PYTHON, "--requirements", "--color", "no", *sys.argv[1:]]
    path = os.pathsep.join([str(BIN), str(Path(python).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "ANSIBLE_COLLECTIONS_PATH": str(CACHE)}
    environment.pop("ANSIBLE_CONFIG", None)
    return subprocess.run([str(part) for part in command], cwd=CHECKOUT, env=environment, check=False).returncode


def refresh() -> None:
    """Copy every part that Git would commit, and commit it in the checkout."""
    CHECKOUT.mkdir(parents=True, exist_ok=True)
    git("init", "--quiet")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *PARTS],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    wanted = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    for path in CHECKOUT.rglob("*"):
        name = path.relative_to(CHECKOUT)
        if path.is_file() and not {".git", "output"} & set(name.parts[:2]) and str(name) not in wanted:
            path.unlink()
    for name in wanted:
        target = CHECKOUT / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    git("add", "--all")
    git(
        "-c",
        "user.name=kubeop",
        "-c",
        "user.email=kubeop@localhost",
        "commit",
        "--quiet",
        "--allow-empty",
        "-m",
        "sanity",
    )


def git(*arguments: str) -> None:
    """Run Git in the checkout, as no one in particular."""
    subprocess.run(["git", *arguments], cwd=CHECKOUT, check=True)


if __name__ == "__main__":
    sys.exit(main())
