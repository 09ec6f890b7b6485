"""Build the trial database's image and keep it as an OCI archive in the cache.

    python images/database.py                      an archive, to load into an embedded cluster
    python images/database.py --registry HOST/PATH the same, pushed there

Prints one line: database=REFERENCE ARCHIVE. The tag is a hash of what goes in, so that a new release of the platform
leaves the database alone. An archive that is there already is not built again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import workshop

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = "postgresql"
FILES = tuple(ROOT / "images/database" / name for name in ("Containerfile", "serve.sh"))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Build the trial database's image.")
    parser.add_argument(
        "--registry", default="", help="push to this registry and path, such as registry.example.com/team"
    )
    options = parser.parse_args()
    try:
        print(build(options.registry.rstrip("/")))
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"images: {workshop.sentence(error)}", file=sys.stderr)
        return 1
    return 0


def build(registry: str) -> str:
    """Build it unless the cache has it, push it where a registry is given; what to print."""
    tag = f"{workshop.SUITE}-{workshop.digest(PACKAGES.encode() + b''.join(path.read_bytes() for path in FILES))}"
    archive = workshop.cache() / "database" / f"{tag}.tar"
    if not archive.exists():
        base = workshop.debian("database-base", PACKAGES)
        local = f"{workshop.LOCAL_REGISTRY}/kubeop/database:{tag}"
        workshop.say(f"building the trial database {tag}")
        workshop.buildah(
            "bud", "--quiet", "--layers", *workshop.HERE, "--build-arg", f"BASE={base}", "--tag", local,
            "--file", str(FILES[0]), str(FILES[0].parent),
        )  # fmt: skip
        workshop.save(local, archive)
    name = f"{registry or workshop.LOCAL_REGISTRY}/kubeop/database:{tag}"
    if registry:
        workshop.copy(archive, name, registry)
    return f"database={name} {archive}"


if __name__ == "__main__":
    sys.exit(main())
