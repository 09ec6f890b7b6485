"""What the building of images has in common: buildah with a storage of its own, bases made of Debian packages."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path

LOCAL_REGISTRY = "localhost"
SUITE = "trixie"
# Documentation, translations and the package lists are of no use in a container.
TRIM = ("/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/info", "/var/cache", "/var/lib/apt/lists")
# A build reads PyPI: it must trust what this machine trusts, a TLS-inspecting proxy included.
TRUST = ("/etc/ssl/certs", "/usr/share/ca-certificates")
# Chroot isolation and the host's network need no capability that a container or a small machine may lack.
HERE = ("--isolation", "chroot", "--network", "host", *(f"--volume={path}:{path}:ro" for path in TRUST))


def debian(name: str, packages: str) -> str:
    """A base image made of Debian packages, for machines that reach Debian's mirror and no image registry."""
    key = digest(f"{SUITE} {packages} {TRIM}".encode())
    image = f"{LOCAL_REGISTRY}/kubeop/{name}:{SUITE}-{key}"
    if buildah("images", "--quiet", "--filter", f"reference={image}"):
        return image
    say(f"making {name} from Debian {SUITE}: {packages} (about 30 s, once)")
    folder = cache() / "images" / f".{name}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        trim = [f"--customize-hook=rm -rf $1{path}/*" for path in TRIM]
        root = str(folder / "root.tar")
        run("mmdebstrap", "--quiet", "--variant=essential", f"--include={packages}", *trim, SUITE, root)
        (folder / "Containerfile").write_text("FROM scratch\nADD root.tar /\n")
        buildah("bud", "--quiet", "--tag", image, "--file", str(folder / "Containerfile"), str(folder))
    finally:
        shutil.rmtree(folder)
    return image


def save(image: str, archive: Path) -> None:
    """Keep an image as an OCI archive; the file is there whole or not at all."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    buildah("push", "--quiet", image, f"oci-archive:{partial}:{image}")
    partial.rename(archive)


def copy(archive: Path, name: str, registry: str) -> None:
    """Push an archive to a registry as `name`."""
    run("skopeo", "copy", "--quiet", *tls("--dest-tls-verify", registry), f"oci-archive:{archive}", f"docker://{name}")


def tls(option: str, registry: str) -> list[str]:
    """As container runtimes do: a registry on this machine may speak plain HTTP."""
    return [f"{option}=false"] if re.match(r"(localhost|127\.0\.0\.1)(:|/|$)", registry) else []


def buildah(command: str, *arguments: str) -> str:
    """Run buildah on the cache's storage; what it printed."""
    return run(*buildah_command(), command, *arguments)


def buildah_command() -> tuple[str, ...]:
    """How buildah is called, so that it meets no other storage of this machine."""
    storage = cache() / "buildah"
    return (
        "buildah", "--root", str(storage / "root"), "--runroot", str(storage / "run"), "--storage-driver", "overlay",
    )  # fmt: skip


def run(*command: str) -> str:
    """Run a command; what it printed."""
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(f"{command[0]} is not installed. Install it with `kubeop dev packages --install`.")
    # Given the caller's standard input, buildah would leave it non-blocking, and Ansible refuses such a one.
    nothing = subprocess.DEVNULL
    return subprocess.run(command, check=True, stdin=nothing, capture_output=True, text=True).stdout.strip()


def digest(data: bytes) -> str:
    """A short name of some content."""
    return hashlib.sha256(data).hexdigest()[:8]


def cache() -> Path:
    """The user's cache folder; under sudo, that of the user who called."""
    if given := os.environ.get("KUBEOP_CACHE_DIR"):
        return Path(given)
    user = os.environ.get("SUDO_USER")
    return (Path(pwd.getpwnam(user).pw_dir) if user else Path.home()) / ".cache" / "kubeop"


def sentence(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, subprocess.CalledProcessError):
        last = (error.stderr or "").strip().splitlines()[-1:] or ["it printed nothing"]
        return f"{error.cmd[0]} failed with exit code {error.returncode}: {last[0]}"
    return str(error)


def say(text: str) -> None:
    """Progress, on stderr: stdout is for what was built."""
    print(f"images: {text}", file=sys.stderr, flush=True)
