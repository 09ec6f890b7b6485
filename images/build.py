"""Build the images `controller` and `webhook` from images/Containerfile, and keep them as OCI archives in the cache.

    python images/build.py                      archives, for the embedded cluster
    python images/build.py --registry HOST/PATH the same, pushed there
    python images/build.py --base IMAGE         on a base image of a registry instead of Debian packages

Prints one line an image: NAME=REFERENCE ARCHIVE. The tag carries the build: MAJOR.MINOR.PATCH on a commit that has the
tag vMAJOR.MINOR.PATCH, -dev.<branch>.<sha> elsewhere, and a hash of the content where the work tree was changed.
An archive that is there already is not built again.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import workshop

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("controller", "webhook")
# What an image holds besides Debian's essential packages; the build stage also needs venv to install.
PACKAGES = {"base": "python3,ca-certificates", "build-base": "python3,python3-venv,ca-certificates"}
SOURCES = ("images/Containerfile", "pyproject.toml", "uv.lock", "README.md", "LICENSE", "src")
KEEP = 4  # tags whose archives stay in the cache
UV_VERSION = "0.13.8"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Build the images controller and webhook.")
    parser.add_argument(
        "--registry", default="", help="push to this registry and path, such as registry.example.com/team"
    )
    parser.add_argument(
        "--base", default="", help="base image of a registry, such as docker.io/library/python:3.13-slim"
    )
    options = parser.parse_args()
    try:
        for line in build(options.registry.rstrip("/"), options.base):
            print(line)
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"images: {workshop.sentence(error)}", file=sys.stderr)
        return 1
    return 0


def build(registry: str, base: str) -> list[str]:
    """Build what the cache lacks, push where a registry is given; one line an image."""
    tag, revision = version()
    folder = workshop.cache() / "images" / (tag + (f"-{workshop.digest(base.encode())}" if base else ""))
    lines = []
    for target in TARGETS:
        name = f"{registry or workshop.LOCAL_REGISTRY}/kubeop/{target}:{tag}"
        archive = folder / f"{target}.tar"
        if not archive.exists():
            _build_target(target, tag, revision, base, archive)
        if registry:
            workshop.copy(archive, name, registry)
        lines.append(f"{target}={name} {archive}")
    os.utime(folder)
    for old in sorted(folder.parent.iterdir(), key=lambda path: path.stat().st_mtime)[:-KEEP]:
        shutil.rmtree(old)
    return lines


def version() -> tuple[str, str]:
    """The images' tag and the commit that they are built from."""
    release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    revision = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", *SOURCES)
    if not changed and f"v{release}" in _git("tag", "--points-at", "HEAD").split():
        return release, revision
    branch = re.sub(r"[^A-Za-z0-9]+", "-", _git("rev-parse", "--abbrev-ref", "HEAD")).strip("-").lower()
    tag = f"{release}-dev.{branch}.{revision[:8]}"
    return (f"{tag}.{_content()}" if changed else tag), revision


def _build_target(target: str, tag: str, revision: str, base: str, archive: Path) -> None:
    bases = {name: base or workshop.debian(name, packages) for name, packages in PACKAGES.items()}
    workshop.say(f"building {target} {tag}")
    image = f"{workshop.LOCAL_REGISTRY}/kubeop/{target}:{tag}"
    workshop.buildah(
        "bud", "--quiet", "--layers", *workshop.HERE, "--target", target,
        "--build-arg", f"BASE={bases['base']}", "--build-arg", f"BUILD_BASE={bases['build-base']}",
        "--build-arg", f"VERSION={tag}", "--build-arg", f"REVISION={revision}",
        "--build-arg", f"UV_VERSION={UV_VERSION}",
        "--tag", image, "--file", str(ROOT / "images/Containerfile"), str(ROOT),
    )  # fmt: skip
    workshop.save(image, archive)


def _git(*arguments: str) -> str:
    return workshop.run("git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), *arguments)


def _content() -> str:
    files = sorted(path for name in SOURCES for path in [ROOT / name, *(ROOT / name).rglob("*")] if path.is_file())
    kept = [path for path in files if "__pycache__" not in path.parts]
    return workshop.digest(b"".join(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() for path in kept))


if __name__ == "__main__":
    sys.exit(main())
