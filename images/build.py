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
import hashlib
import os
import pwd
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("controller", "webhook")
LOCAL_REGISTRY = "localhost"
SUITE = "trixie"
# What an image holds besides Debian's essential packages; the build stage also needs venv to install.
PACKAGES = {"base": "python3,ca-certificates", "build-base": "python3,python3-venv,ca-certificates"}
# Documentation, translations and the package lists are of no use in a container.
TRIM = ("/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/info", "/var/cache", "/var/lib/apt/lists")
SOURCES = ("images/Containerfile", "pyproject.toml", "uv.lock", "README.md", "LICENSE", "src")
TRUST = ("/etc/ssl/certs", "/usr/share/ca-certificates")
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
        print(f"images: {_sentence(error)}", file=sys.stderr)
        return 1
    return 0


def build(registry: str, base: str) -> list[str]:
    """Build what the cache lacks, push where a registry is given; one line an image."""
    tag, revision = version()
    folder = _cache() / "images" / (tag + (f"-{_digest(base.encode())}" if base else ""))
    lines = []
    for target in TARGETS:
        name = f"{registry or LOCAL_REGISTRY}/kubeop/{target}:{tag}"
        archive = folder / f"{target}.tar"
        if not archive.exists():
            _build_target(target, tag, revision, base, archive)
        if registry:
            # As container runtimes do: a registry on this machine may speak plain HTTP.
            tls = ["--dest-tls-verify=false"] if re.match(r"(localhost|127\.0\.0\.1)(:|/|$)", registry) else []
            _run("skopeo", "copy", "--quiet", *tls, f"oci-archive:{archive}", f"docker://{name}")
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
    bases = {name: base or _debian(name) for name in PACKAGES}
    _say(f"building {target} {tag}")
    image = f"{LOCAL_REGISTRY}/kubeop/{target}:{tag}"
    _buildah(
        "bud", "--quiet", "--layers", "--isolation", "chroot", "--network", "host", "--target", target,
        # The build reads PyPI: it must trust what this machine trusts, a TLS-inspecting proxy included.
        *(part for path in TRUST for part in ("--volume", f"{path}:{path}:ro")),
        "--build-arg", f"BASE={bases['base']}", "--build-arg", f"BUILD_BASE={bases['build-base']}",
        "--build-arg", f"VERSION={tag}", "--build-arg", f"REVISION={revision}",
        "--build-arg", f"UV_VERSION={UV_VERSION}",
        "--tag", image, "--file", str(ROOT / "images/Containerfile"), str(ROOT),
    )  # fmt: skip
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    _buildah("push", "--quiet", image, f"oci-archive:{partial}:{image}")
    partial.rename(archive)


def _debian(name: str) -> str:
    """A base image made of Debian packages, for machines that reach Debian's mirror and no image registry."""
    key = _digest(f"{SUITE} {PACKAGES[name]} {TRIM}".encode())
    image = f"{LOCAL_REGISTRY}/kubeop/{name}:{SUITE}-{key}"
    if _buildah("images", "--quiet", "--filter", f"reference={image}"):
        return image
    _say(f"making {name} from Debian {SUITE}: {PACKAGES[name]} (about 30 s, once)")
    folder = _cache() / "images" / f".{name}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        trim = [f"--customize-hook=rm -rf $1{path}/*" for path in TRIM]
        _run(
            "mmdebstrap",
            "--quiet",
            "--variant=essential",
            f"--include={PACKAGES[name]}",
            *trim,
            SUITE,
            str(folder / "root.tar"),
        )
        (folder / "Containerfile").write_text("FROM scratch\nADD root.tar /\n")
        _buildah("bud", "--quiet", "--tag", image, "--file", str(folder / "Containerfile"), str(folder))
    finally:
        shutil.rmtree(folder)
    return image


def _buildah(command: str, *arguments: str) -> str:
    storage = _cache() / "buildah"
    where = ["--root", str(storage / "root"), "--runroot", str(storage / "run"), "--storage-driver", "overlay"]
    return _run("buildah", *where, command, *arguments)


def _run(*command: str) -> str:
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(f"{command[0]} is not installed. Install it with `kubeop dev packages --install`.")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _git(*arguments: str) -> str:
    return _run("git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), *arguments)


def _content() -> str:
    files = sorted(path for name in SOURCES for path in [ROOT / name, *(ROOT / name).rglob("*")] if path.is_file())
    kept = [path for path in files if "__pycache__" not in path.parts]
    return _digest(b"".join(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() for path in kept))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:8]


def _cache() -> Path:
    """The user's cache folder; under sudo, that of the user who called."""
    if given := os.environ.get("KUBEOP_CACHE_DIR"):
        return Path(given)
    user = os.environ.get("SUDO_USER")
    return (Path(pwd.getpwnam(user).pw_dir) if user else Path.home()) / ".cache" / "kubeop"


def _sentence(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        last = (error.stderr or "").strip().splitlines()[-1:] or ["it printed nothing"]
        return f"{error.cmd[0]} failed with exit code {error.returncode}: {last[0]}"
    return str(error)


def _say(text: str) -> None:
    print(f"images: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
