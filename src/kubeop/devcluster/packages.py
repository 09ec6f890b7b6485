"""The Debian packages that a cluster and the building of images need: one list, what is missing, how to add it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from kubeop.devcluster.shell import run
from kubeop.errors import DevClusterError

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Debian makes and starts a database cluster with the package; ours are made by `kubeop dev up` alone.
_NO_MAIN_CLUSTER = Path("/etc/postgresql-common/createcluster.d/kubeop.conf")


def tool(name: str) -> Callable[[], bool]:
    """A probe for a program, on PATH or where administrators' programs are (an ordinary user's PATH lacks sbin)."""
    return lambda: shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_PATH}") is not None


@dataclass(frozen=True)
class Package:
    """A package, how to see that it is there, and whether a cluster needs it (or only the building of images)."""

    name: str
    installed: Callable[[], bool] = field(repr=False)
    for_cluster: bool = True


def _cni() -> bool:
    return all(Path("/usr/lib/cni", plugin).exists() for plugin in ("ptp", "portmap", "host-local", "loopback"))


def _postgresql() -> bool:
    return any(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


PACKAGES = (
    Package("containerd", tool("containerd")),
    Package("runc", tool("runc")),
    Package("containernetworking-plugins", _cni),
    Package("iproute2", tool("ip")),
    Package("iptables", tool("iptables")),
    Package("nftables", tool("nft")),
    Package("conntrack", tool("conntrack")),
    Package("postgresql", _postgresql),
    Package("util-linux", tool("nsenter")),
    Package("ca-certificates", Path("/etc/ssl/certs/ca-certificates.crt").exists),
    Package("buildah", tool("buildah"), for_cluster=False),
    Package("skopeo", tool("skopeo"), for_cluster=False),
    Package("mmdebstrap", tool("mmdebstrap"), for_cluster=False),
)


def missing(*, for_cluster_only: bool = False) -> tuple[str, ...]:
    """The names of the packages that are not there."""
    wanted = (package for package in PACKAGES if package.for_cluster or not for_cluster_only)
    return tuple(package.name for package in wanted if not package.installed())


def install() -> tuple[str, ...]:
    """Install what is missing with apt-get; returns the names. DevClusterError if that cannot be done here."""
    names = missing()
    if not names:
        return ()
    if os.geteuid() != 0:
        raise DevClusterError(f"Installing {', '.join(names)} takes root.", hint="Run it with sudo.")
    if shutil.which("apt-get") is None:
        raise DevClusterError(
            f"This machine has no apt-get to install {', '.join(names)} with.", hint="Install them by its own means."
        )
    first = not Path("/etc/postgresql-common/createcluster.conf").exists()
    if first:
        _NO_MAIN_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
        _NO_MAIN_CLUSTER.write_text("create_main_cluster = false\n")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        run("apt-get", "update", "-q", env=env, timeout_seconds=600)
        run("apt-get", "install", "-q", "-y", "--no-install-recommends", *names, env=env, timeout_seconds=1800)
    finally:
        if first:
            _NO_MAIN_CLUSTER.unlink(missing_ok=True)
    return names
