"""Galaxy's own importer on the collection's artifact: what it would refuse or warn of at a release.

Whatever the importer says beyond its progress fails. It leaves out its own run of ansible-lint, for the same files
have just been linted by stricter rules; GALAXY_IMPORTER_RUN_ANSIBLE_LINT=true puts it back in.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
COMPLAINTS = ("WARNING", "ERROR", "CRITICAL")


def main() -> int:
    """Build the artifact, import it in an empty folder, and say what the importer complains of."""
    with tempfile.TemporaryDirectory() as folder:
        built = subprocess.run(
            [sys.executable, ROOT / "tools/dist.py", folder], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.split()
        imported = subprocess.run(
            [sys.executable, "-m", "galaxy_importer.main", built[0]],
            cwd=folder,
            env={
                **os.environ,
                "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
                "GALAXY_IMPORTER_CHECK_REQUIRED_TAGS": "true",
                "GALAXY_IMPORTER_RUN_ANSIBLE_LINT": os.environ.get("GALAXY_IMPORTER_RUN_ANSIBLE_LINT", "false"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        result = Path(folder, "importer_result.json")
        contents = json.loads(result.read_text())["contents"] if result.exists() else []
    complaints = [line for line in imported.stdout.splitlines() if line.startswith(COMPLAINTS)]
    if imported.returncode or complaints or not contents:
        print("\n".join(complaints) or imported.stdout)
        return 1
    print(f"galaxy-importer: {len(contents)} plugins, roles and playbooks, nothing to complain of")
    return 0


if __name__ == "__main__":
    sys.exit(main())
