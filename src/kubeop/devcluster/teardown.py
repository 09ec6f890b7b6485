"""Taking a cluster away: processes, mounts, network, control groups, files, in an order in which nothing comes back.

Everything is found by what carries the cluster's name (its records, network namespace, control group, folder), so that
what a killed `up` left without a record is found too, and nothing of anybody else's ever is.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
from pathlib import Path

from kubeop.devcluster import cgroups, database, network, processes, slots, traces
from kubeop.devcluster.layout import Layout
from kubeop.devcluster.progress import Report
from kubeop.devcluster.shell import wait
from kubeop.errors import DevClusterError

_MNT_DETACH = 2


def remove(layout: Layout, report: Report) -> bool:
    """Remove all of the cluster; False if there was nothing."""
    tree = cgroups.detect()
    existed = layout.root.exists() or layout.netns.exists() or any(path.is_dir() for path in tree.all_folders(layout))
    with report.phase("processes"):
        stop_all(layout, tree)
    with report.phase("mounts, network, files"):
        traces.remove(layout)
        unmount(layout.root)
        with contextlib.suppress(DevClusterError):
            network.remove(layout, slots.addresses(layout))
        if layout.netns.exists():
            network.remove(layout, None)
        cgroups.remove(layout, tree)
        if layout.root.exists():
            shutil.rmtree(layout.root)
        if not slots.names():
            traces.remove_last()
    return existed


def stop_all(layout: Layout, tree: cgroups.Tree) -> None:
    """End every process of the cluster. kubelet goes first, or it would start again what is ended after it.

    Only PostgreSQL is asked politely, since it frees shared memory as it goes. For the others being killed is as good:
    what they must not lose is on disk already.
    """
    records = {path.stem: processes.recorded(layout, path.stem) for path in layout.run.glob("*.pid")}
    alive = {name: process for name, process in records.items() if process is not None}
    for name in ("kubelet", "containerd"):
        processes.stop([alive[name]] if name in alive else [], signal.SIGKILL)
    _end_pods(layout, tree)
    processes.stop([alive[database.NAME]] if database.NAME in alive else [], signal.SIGINT)
    processes.stop(alive.values(), signal.SIGKILL)
    # The rest has no record: shims, and what a killed `up` had just started.
    processes.stop(processes.in_namespace(layout), signal.SIGKILL)
    database.end_unrecorded(layout)
    _end_pods(layout, tree)
    database.release(layout)
    for path in layout.run.glob("*.pid"):
        path.unlink()


def unmount(folder: Path) -> None:
    """Unmount everything below `folder`, the newest first."""
    libc = ctypes.CDLL(None, use_errno=True)
    inside = f"{folder}/"
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), line.split()[4]) for line in lines]
    for point in reversed([point for point in points if point.startswith(inside)]):
        if libc.umount2(os.fsencode(point), _MNT_DETACH) != 0:
            reason = os.strerror(ctypes.get_errno())
            raise DevClusterError(f"{point} cannot be unmounted ({reason}).", hint="Look at who uses it with fuser -m.")


def _end_pods(layout: Layout, tree: cgroups.Tree) -> None:
    def ended() -> bool:
        left = processes.identify(cgroups.pids(layout, tree))
        processes.stop(left, signal.SIGKILL)
        return not left

    wait(f"The end of the pods of {layout.name}", ended, timeout_seconds=20)
