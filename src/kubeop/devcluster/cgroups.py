"""The cluster's control group, the parent of all its pods', so that no kubelet ever removes another cluster's pods.

Version 1: a folder in every hierarchy, a cpuset with its parent's cpus and mems. Version 2: one folder with the
controllers that kubelet needs. Version 2 under systemd, which owns the tree: a unit with `Delegate=yes`, in which we
may do as we like; its only process sits in a leaf, because a group with processes cannot hand controllers on. kubelet
and containerd use the driver `cgroupfs` in all three.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from kubeop.devcluster.layout import Layout
from kubeop.devcluster.shell import run
from kubeop.errors import DevClusterError

CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids", "hugetlb")
NEEDED = ("cpu", "memory", "pids")
_REMOVE_SECONDS = 5.0


@dataclass(frozen=True)
class Tree:
    """What this machine has: `version` 1 or 2, whether systemd owns it, and where its hierarchies are mounted.

    `unified` is the version 2 hierarchy without controllers that a machine with version 1 may have beside: runc
    makes groups there by itself, so they are only ever removed.
    """

    version: int
    systemd: bool
    mounts: tuple[Path, ...]
    unified: tuple[Path, ...] = ()

    def group(self, layout: Layout) -> str:
        """The cluster's group, as a path from the root of the hierarchies: kubelet's `cgroupRoot`."""
        if self.version == 2 and self.systemd:
            return f"/kubeop.slice/{layout.unit}.service"
        return f"/{layout.unit}"

    def folders(self, layout: Layout) -> list[Path]:
        """The group's folder in every hierarchy that has controllers."""
        return [mount / self.group(layout).lstrip("/") for mount in self.mounts]

    def all_folders(self, layout: Layout) -> list[Path]:
        """The group's folder wherever there may be one."""
        return [mount / self.group(layout).lstrip("/") for mount in (*self.mounts, *self.unified)]


def detect(mountinfo: Path = Path("/proc/self/mountinfo"), systemd: Path = Path("/run/systemd/system")) -> Tree:
    """Read what is mounted. DevClusterError if there are no control groups."""
    version1, version2 = [], []
    for line in mountinfo.read_text().splitlines():
        before, _, after = line.partition(" - ")
        mount, kind = Path(before.split()[4]), after.split()[0]
        if kind == "cgroup":
            version1.append(mount)
        elif kind == "cgroup2":
            version2.append(mount)
    if not version1 and not version2:
        raise DevClusterError("This machine has no control groups mounted.", hint="Mount /sys/fs/cgroup.")
    # Some controllers are mounted under two names (cpu and cpu,cpuacct): the folders are the same, and that is fine.
    # A machine with both (hybrid) has its controllers in version 1.
    mounts = version1 or version2[:1]
    unified = tuple(version2) if version1 else ()
    return Tree(1 if version1 else 2, systemd.is_dir(), tuple(dict.fromkeys(mounts)), unified)


def create(layout: Layout, tree: Tree) -> None:
    """Make the group; nothing happens if it is there."""
    if tree.version == 1:
        for folder in tree.folders(layout):
            folder.mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):
                ours = folder / name
                if ours.exists() and not ours.read_text().strip():
                    ours.write_text((folder.parent / name).read_text())
        return
    [folder] = tree.folders(layout)
    if tree.systemd:
        if not folder.is_dir():
            run("systemd-run", f"--unit={layout.unit}", "--slice=kubeop.slice", "--property=Delegate=yes",
                "--property=Description=kubeop embedded cluster", "sleep", "infinity")  # fmt: skip
        leaf = folder / "anchor"
        leaf.mkdir(exist_ok=True)
        for pid in (folder / "cgroup.procs").read_text().split():
            (leaf / "cgroup.procs").write_text(pid)
    else:
        _hand_on(folder.parent)
        folder.mkdir(exist_ok=True)
    _hand_on(folder)
    missing = set(NEEDED) - set((folder / "cgroup.subtree_control").read_text().split())
    if missing:
        raise DevClusterError(
            f"The control group {folder} cannot have the controllers {', '.join(sorted(missing))}.",
            hint="In a container, give it its own delegated control group.",
        )


def pids(layout: Layout, tree: Tree) -> set[int]:
    """Every process in the group and below it, less the anchor that systemd keeps."""
    found: set[int] = set()
    for folder in tree.all_folders(layout):
        for procs in folder.rglob("cgroup.procs"):
            if procs.parent.name != "anchor":
                with contextlib.suppress(OSError):
                    found.update(int(pid) for pid in procs.read_text().split())
    return found


def remove(layout: Layout, tree: Tree) -> None:
    """Delete the group. The kernel lets go of an ended process's group a moment later, so this tries for a while."""
    if tree.version == 2 and tree.systemd and shutil.which("systemctl"):
        run("systemctl", "stop", f"{layout.unit}.service", check=False)
    deadline = time.monotonic() + _REMOVE_SECONDS
    while left := [folder for folder in tree.all_folders(layout) if folder.is_dir()]:
        for folder in left:
            below = [path for path in folder.rglob("*") if path.is_dir()]
            for path in [*sorted(below, key=lambda path: len(path.parts), reverse=True), folder]:
                with contextlib.suppress(OSError):
                    path.rmdir()
        if time.monotonic() > deadline:
            raise DevClusterError(f"The control group {left[0]} cannot be removed.", hint="Something still runs in it.")
        time.sleep(0.02)


def _hand_on(folder: Path) -> None:
    """Let the groups below `folder` have the controllers; one at a time, so that a missing one costs no other."""
    for controller in CONTROLLERS:
        with contextlib.suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")
