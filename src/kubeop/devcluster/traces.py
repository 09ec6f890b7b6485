"""What the cluster's programs leave outside of its folder, and how it is put right.

containerd, CNI and kubelet have a few paths that no setting moves, and kubelet sets a handful of the kernel's switches.
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

from kubeop.devcluster.layout import LOCKS, Layout
from kubeop.devcluster.processes import boot

SHIM_SOCKETS = Path("/run/containerd/s")
CONTAINER_LOGS = Path("/var/log/containers")
CNI_RESULTS = Path("/var/lib/cni/results")
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
_DEVICE_PLUGIN_FILES = ("kubelet.sock", "kubelet_internal_checkpoint", "DEPRECATION")
_KERNEL_SETTINGS = tuple(
    Path("/proc/sys", name)
    for name in (
        "vm/overcommit_memory",
        "vm/panic_on_oom",
        "kernel/panic",
        "kernel/panic_on_oops",
        "kernel/keys/root_maxbytes",
        "kernel/keys/root_maxkeys",
    )
)
_REMEMBERED = LOCKS / "kernel-settings.json"


def remove(layout: Layout) -> None:
    """Remove one cluster's traces. Its processes have ended, its folder is still there: it names them."""
    for note in (layout.containerd / "state").glob("io.containerd.runtime.v2.task/*/*/address"):
        with contextlib.suppress(OSError):
            socket = Path(note.read_text().strip().removeprefix("unix://"))
            if socket.is_relative_to(SHIM_SOCKETS):
                socket.unlink()
    if CONTAINER_LOGS.is_dir():
        for link in CONTAINER_LOGS.iterdir():
            if link.is_symlink() and link.readlink().is_relative_to(layout.logs):
                link.unlink()
    if CNI_RESULTS.is_dir():
        ours = re.compile(rf"{re.escape(layout.unit)}-([0-9a-f]{{64}})-\w+")
        for result in CNI_RESULTS.iterdir():
            if match := ours.fullmatch(result.name):
                result.unlink()
                (CNI_RESULTS / f"cni-loopback-{match[1]}-lo").unlink(missing_ok=True)


def remove_last() -> None:
    """After the last cluster: put the kernel's settings back, and remove folders that are empty now."""
    for name in _DEVICE_PLUGIN_FILES:
        # A machine that is itself a node has more in kubelet's folder, and keeps it.
        if DEVICE_PLUGINS.is_dir() and [path.name for path in DEVICE_PLUGINS.parent.iterdir()] == [DEVICE_PLUGINS.name]:
            (DEVICE_PLUGINS / name).unlink(missing_ok=True)
    for folder in (
        CONTAINER_LOGS,
        CNI_RESULTS,
        CNI_RESULTS.parent,
        SHIM_SOCKETS,
        DEVICE_PLUGINS,
        DEVICE_PLUGINS.parent,
    ):
        with contextlib.suppress(OSError):
            folder.rmdir()
    with contextlib.suppress(FileNotFoundError, ValueError):
        remembered = json.loads(_REMEMBERED.read_text())
        if remembered["boot"] == boot():
            for name, value in remembered["settings"].items():
                with contextlib.suppress(OSError):
                    Path(name).write_text(value)
        _REMEMBERED.unlink()


def remember_kernel_settings() -> None:
    """Note the settings as they are before the first kubelet of this boot changes them."""
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
        if json.loads(_REMEMBERED.read_text())["boot"] == boot():
            return
    settings = {str(path): path.read_text().strip() for path in _KERNEL_SETTINGS if path.exists()}
    temporary = _REMEMBERED.with_suffix(".new")
    temporary.write_text(json.dumps({"boot": boot(), "settings": settings}))
    temporary.replace(_REMEMBERED)
