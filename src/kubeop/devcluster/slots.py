"""Which cluster has which slot: one small file in each cluster's folder, written under one lock for all."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from kubeop.devcluster import network
from kubeop.devcluster.layout import LOCKS, Addresses, Layout, state_root
from kubeop.errors import DevClusterError


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`; the kernel lets go of it when the process ends, however it ends.

    The holder may delete the file: whoever waited for it then takes the lock on the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _same_file(path, file.fileno()):
                yield
                return


def addresses(layout: Layout) -> Addresses | None:
    """The cluster's addresses; None if there is no such cluster."""
    try:
        return Addresses(int(json.loads(layout.record.read_text())["slot"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise DevClusterError(f"{layout.record} cannot be read.", hint=f"Remove the folder {layout.root}.") from error


def claim(layout: Layout) -> Addresses:
    """The cluster's addresses, new ones for a new cluster."""
    with lock(LOCKS / "slots.lock"):
        present = addresses(layout)
        if present is not None:
            return present
        found = Addresses(network.free_slot(taken()))
        layout.root.mkdir(parents=True, exist_ok=True)
        temporary = layout.record.with_suffix(".new")
        temporary.write_text(json.dumps({"slot": found.slot}))
        temporary.replace(layout.record)
        return found


def names() -> tuple[str, ...]:
    """The clusters on this machine, running or not."""
    root = state_root()
    return tuple(sorted(path.parent.name for path in root.glob("*/cluster.json"))) if root.is_dir() else ()


def taken() -> set[int]:
    """The slots in use."""
    found = (addresses(Layout(name)) for name in names())
    return {entry.slot for entry in found if entry is not None}


def _same_file(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
