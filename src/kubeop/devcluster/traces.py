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
_SET_BY_KUBELET = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
)
# A cluster has 22 inotify instances, and more with its pods: the usual 128 are used up by the sixth.
_AT_LEAST = {"fs/inotify/max_user_instances": 1024, "fs/inotify/max_user_watches": 524288}
_SYSCTLS = Path("/proc/sys")
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
    for name, value in _remembered().items():
        with contextlib.suppress(OSError):
            (_SYSCTLS / name).write_text(value)
    _REMEMBERED.unlink(missing_ok=True)


def prepare_kernel() -> None:
    """Note the kernel's settings before the first kubelet of this boot changes them, and raise what is too low."""
    remembered = _remembered()
    for name in (*_SET_BY_KUBELET, *_AT_LEAST):
        if (_SYSCTLS / name).exists():
            remembered.setdefault(name, (_SYSCTLS / name).read_text().strip())
    temporary = _REMEMBERED.with_suffix(".new")
    temporary.write_text(json.dumps({"boot": boot(), "settings": remembered}))
    temporary.replace(_REMEMBERED)
    for name, least in _AT_LEAST.items():
        with contextlib.suppress(OSError):  # /proc/sys is read-only in some containers: what is there must do then
            if int((_SYSCTLS / name).read_text()) < least:
                (_SYSCTLS / name).write_text(str(least))


def _remembered() -> dict[str, str]:
    """The settings as they were; none if that was in another boot, for the kernel has forgotten them itself."""
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        data = json.loads(_REMEMBERED.read_text())
        if data["boot"] == boot():
            return dict(data["settings"])
    return {}
