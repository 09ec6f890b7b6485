"""`make dist`: what a release publishes, in dist/: the collection's artifact for Galaxy, the library's wheel for PyPI.

    python tools/dist.py [FOLDER]       dist unless told otherwise

Prints the path of each. Older ones of the same folder are removed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PATTERNS = ("kubeop-platform-*.tar.gz", "kubeop-*.whl")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Build the collection's artifact and the library's wheel.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in PATTERNS:
        for old in folder.glob(pattern):
            old.unlink()
    try:
        run(BIN / "ansible-galaxy", "collection", "build", "--output-path", folder, ROOT)
        run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder)
    except subprocess.CalledProcessError as error:
        print(f"dist: {error.stderr.strip() or error.stdout.strip()}", file=sys.stderr)
        return 1
    for pattern in PATTERNS:
        print(next(folder.glob(pattern)))
    return 0


def run(*command: object) -> None:
    """Run a tool of the locked environment in this clone, silently."""
    subprocess.run([str(part) for part in command], cwd=ROOT, check=True, capture_output=True, text=True)


if __name__ == "__main__":
    sys.exit(main())
