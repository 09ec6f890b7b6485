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

from kubeop.devcluster import cgroups, network, processes, slots
from kubeop.devcluster.layout import Layout
from kubeop.devcluster.progress import Report
from kubeop.devcluster.shell import wait
from kubeop.errors import DevClusterError

_MNT_DETACH = 2
_SHIM_SOCKETS = Path("/run/containerd/s")
_CONTAINER_LOGS = Path("/var/log/containers")
_CNI_RESULTS = Path("/var/lib/cni/results")


def remove(layout: Layout, report: Report) -> bool:
    """Remove all of the cluster; False if there was nothing."""
    tree = cgroups.detect()
    existed = layout.root.exists() or layout.netns.exists() or any(path.is_dir() for path in tree.folders(layout))
    with report.phase("processes"):
        stop_all(layout, tree)
    with report.phase("mounts, network, files"):
        _shim_sockets(layout)
        unmount(layout.root)
        with contextlib.suppress(DevClusterError):
            network.remove(layout, slots.addresses(layout))
        if layout.netns.exists():
            network.remove(layout, None)
        cgroups.remove(layout, tree)
        _traces(layout)
        if layout.root.exists():
            shutil.rmtree(layout.root)
    return existed


def stop_recorded(layout: Layout) -> None:
    """Stop every process that has a record, and the pods."""
    stop_all(layout, cgroups.detect())


def stop_all(layout: Layout, tree: cgroups.Tree) -> None:
    """End every process of the cluster. kubelet goes first, or it would start again what is ended after it."""
    records = {path.stem: processes.recorded(layout, path.stem) for path in layout.run.glob("*.pid")}
    alive = {name: process for name, process in records.items() if process is not None}
    for names in (("kubelet",), ("kube-controller-manager", "kube-scheduler", "kube-proxy")):
        processes.stop([alive[name] for name in names if name in alive])
    _end_pods(layout, tree)
    if "postgresql" in alive:
        processes.stop([alive["postgresql"]], signal.SIGINT)
    processes.stop([alive[name] for name in ("containerd", "kube-apiserver", "etcd") if name in alive])
    # The rest has no record: shims, and what a killed `up` had just started.
    _end_pods(layout, tree)
    processes.stop(processes.in_namespace(layout), signal.SIGKILL)
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


def _shim_sockets(layout: Layout) -> None:
    """Remove the sockets of containerd's shims, which containerd keeps in a folder for all; each shim notes its own."""
    for note in (layout.containerd / "state").glob("io.containerd.runtime.v2.task/*/*/address"):
        with contextlib.suppress(OSError):
            socket = Path(note.read_text().strip().removeprefix("unix://"))
            if socket.is_relative_to(_SHIM_SOCKETS):
                socket.unlink()


def _traces(layout: Layout) -> None:
    """Remove what kubelet and CNI leave outside of the cluster's folder: links to pods' logs, cached results."""
    if _CONTAINER_LOGS.is_dir():
        for link in _CONTAINER_LOGS.iterdir():
            if link.is_symlink() and link.readlink().is_relative_to(layout.logs):
                link.unlink()
    if _CNI_RESULTS.is_dir():
        ours = re.compile(rf"{re.escape(layout.unit)}-[0-9a-f]{{64}}-\w+")
        for result in _CNI_RESULTS.iterdir():
            if ours.fullmatch(result.name):
                result.unlink()
    for folder in (_CONTAINER_LOGS, _CNI_RESULTS, _SHIM_SOCKETS):
        with contextlib.suppress(OSError):
            folder.rmdir()  # only when empty: then it was ours
