"""Build the execution environment of execution-environment.yml: ansible-core, the collection and its library.

    python images/ee.py                      build/kubeop-ee.tar, an OCI archive for `podman load` and the like
    python images/ee.py --registry HOST/PATH pushed there
    python images/ee.py --no-archive         only in buildah's storage, in the cache
    python images/ee.py --base IMAGE         on a base image of a registry instead of Debian packages

ansible-builder writes the build's context, buildah builds it. Prints one line: ee=REFERENCE.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import workshop

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PACKAGES = "apt,python3,python3-pip,python3-venv,ca-certificates"
PYTHON = "/usr/bin/python3"  # Debian's, in a base of our own making
CONTEXT = ROOT / "build/ee"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Build the execution environment.")
    parser.add_argument(
        "--registry", default="", help="push to this registry and path, such as registry.example.com/team"
    )
    parser.add_argument(
        "--base", default="", help="base image of a registry, such as docker.io/library/python:3.13-slim"
    )
    parser.add_argument("--no-archive", action="store_true", help="leave the image in buildah's storage alone")
    options = parser.parse_args()
    try:
        image = build(options.base)
        if options.registry:
            registry = options.registry.rstrip("/")
            image, built = f"{registry}/{image.partition('/')[2]}", image
            workshop.buildah("push", "--quiet", *workshop.tls("--tls-verify", registry), built, f"docker://{image}")
        elif not options.no_archive:
            workshop.save(image, ROOT / "build/kubeop-ee.tar")
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"images: {workshop.sentence(error)}", file=sys.stderr)
        return 1
    print(f"ee={image}")
    return 0


def build(base: str) -> str:
    """The image's name in buildah's storage, after a build that takes every step from the cache that it can."""
    release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    image = f"{workshop.LOCAL_REGISTRY}/kubeop/ee:{release}"
    create_context()
    arguments = ["--build-arg", f"EE_BASE_IMAGE={base}"] if base else _debian_arguments()
    workshop.say(f"building {image}")
    workshop.buildah(
        "bud", "--quiet", "--layers", *workshop.HERE, *arguments,
        "--tag", image, "--file", str(CONTEXT / "Containerfile"), str(CONTEXT),
    )  # fmt: skip
    return image


def create_context() -> None:
    """What ansible-builder makes of execution-environment.yml, with the artifact and the wheel of this clone."""
    shutil.rmtree(CONTEXT, ignore_errors=True)
    workshop.run(sys.executable, str(ROOT / "tools/dist.py"))
    workshop.run(
        str(BIN / "ansible-builder"), "create", "--file", str(ROOT / "execution-environment.yml"),
        "--context", str(CONTEXT), "--output-filename", "Containerfile",
    )  # fmt: skip


def _debian_arguments() -> list[str]:
    base = workshop.debian("ee-base", PACKAGES)
    return ["--build-arg", f"EE_BASE_IMAGE={base}", "--build-arg", f"PYCMD={PYTHON}"]


if __name__ == "__main__":
    sys.exit(main())
