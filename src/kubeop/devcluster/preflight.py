"""What must be so before a cluster can start, each with one sentence that says what is missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from kubeop.devcluster import capabilities, database, network, packages
from kubeop.devcluster.layout import MIN_FREE_BYTES, Addresses, state_root
from kubeop.errors import DevClusterError

CAPABILITIES = ("CAP_NET_ADMIN", "CAP_SYS_ADMIN")


def check_privileges() -> None:
    """Root, and the capabilities for namespaces and mounts."""
    if os.geteuid() != 0:
        raise DevClusterError("An embedded cluster needs root.", hint="Run the same command with sudo.")
    for name in CAPABILITIES:
        if not capabilities.has(name):
            raise DevClusterError(
                f"This process lacks the capability {name}.",
                hint="In a container, start it with --privileged or --cap-add.",
            )


def check_machine() -> None:
    """Packages and disk."""
    absent = packages.missing(for_cluster_only=True)
    if absent:
        what = "package" if len(absent) == 1 else "packages"
        raise DevClusterError(
            f"The {what} {', '.join(absent)} must be installed.", hint="`kubeop dev packages --install` does."
        )
    database.binaries()
    check_disk(state_root())


def check_disk(folder: Path) -> None:
    """Enough free space where the cluster's folder is or will be."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        raise DevClusterError(
            f"{folder} has {free / 1024**3:.1f} GiB free; a cluster needs {MIN_FREE_BYTES / 1024**3:.0f} GiB.",
            hint="Free some, or name a folder on another disk with KUBEOP_DEV_STATE_DIR.",
        )


def check_addresses(addresses: Addresses) -> None:
    """Nobody else has the cluster's addresses."""
    network.check_address(addresses)
