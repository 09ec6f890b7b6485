"""Starting, finding and stopping the cluster's processes: by pid, never by name.

A process runs in a session of its own with its output in a log file, so that it outlives the shell that started it. Its
record holds the pid and the kernel's start time of that pid: after a reboot or much forking the same number is another
process, and that one is left alone. What has no record (the start was killed in between, or it is a child such as a
containerd shim) is found by the network namespace it runs in.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from kubeop.devcluster.layout import Layout
from kubeop.devcluster.shell import wait
from kubeop.errors import DevClusterError

STOP_SECONDS = 5.0
READY_SECONDS = 60.0
LOG_KEEP_BYTES = 20 * 1024**2
_DEFAULT_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD)


@dataclass(frozen=True)
class Component:
    """A process of the cluster: what to run, when it is ready, and the signal that ends it politely.

    `files` are what it reads at its start: it is started anew when they, or the command, are no longer the same.
    `clear` takes away what a killed one left; it is called before each start, when none runs.
    """

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    files: tuple[Path, ...] = ()
    clear: Callable[[], None] | None = None

    def digest(self) -> str:
        """What tells one way of running this component from another."""
        parts = [
            *(word.encode() for word in self.command),
            *(path.read_bytes() for path in self.files if path.exists()),
        ]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()


@dataclass(frozen=True)
class Process:
    """A process as it was recorded: `start_time` in clock ticks since boot, `digest` how it was run."""

    pid: int
    start_time: int
    digest: str = ""

    def alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        with contextlib.suppress(ChildProcessError, OSError):
            os.waitpid(self.pid, os.WNOHANG)  # reap it if it is our own child
        return _start_time(self.pid) == self.start_time


def record_path(layout: Layout, name: str) -> Path:
    """The pid file of a component."""
    return layout.run / f"{name}.pid"


def recorded(layout: Layout, name: str) -> Process | None:
    """The process that was last started as `name`, alive or not; None without a readable record."""
    try:
        data = json.loads(record_path(layout, name).read_text())
        if data.get("boot", boot()) != boot():
            return None
        return Process(int(data["pid"]), int(data["start_time"]), str(data.get("digest", "")))
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
        return None


def running(layout: Layout, component: Component) -> bool:
    """Whether the component runs, and in the way that it should."""
    process = recorded(layout, component.name)
    return process is not None and process.alive() and process.digest == component.digest()


def start(layout: Layout, component: Component) -> Process:
    """Start the component in the cluster's network namespace and record it; an older one is stopped first."""
    end(layout, component)
    if component.clear is not None:
        component.clear()
    log = layout.log(component.name)
    if log.exists() and log.stat().st_size > LOG_KEEP_BYTES:
        log.replace(log.with_suffix(".log.old"))
    nsenter = shutil.which("nsenter")
    if nsenter is None:
        raise DevClusterError("The command 'nsenter' is not on this machine.", hint="Install the package util-linux.")
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    pid = os.posix_spawn(
        nsenter,
        # Only the network namespace: `ip netns exec` would remount /sys and hide the control groups.
        [nsenter, f"--net={layout.netns}", "--wd=/", "--", *component.command],
        {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8"},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=_DEFAULT_SIGNALS,
    )
    process = Process(pid, _start_time(pid) or 0, component.digest())
    temporary = record_path(layout, component.name).with_suffix(".new")
    temporary.write_text(json.dumps({**asdict(process), "boot": boot()}))
    temporary.replace(record_path(layout, component.name))
    return process


def ensure(layout: Layout, component: Component) -> bool:
    """Make the component run and be ready; True if it had to be started. DevClusterError quotes its last words."""
    started = False
    log = layout.log(component.name)

    def ready() -> bool:
        nonlocal started
        if not running(layout, component):
            if started:
                raise DevClusterError(
                    f"{component.name} ended while starting: {last_words(log)}", hint=f"Its log is {log}."
                )
            # Not only at first: one that was killed a moment ago runs on until the kernel has taken it apart.
            start(layout, component)
            started = True
        return component.ready is None or component.ready()

    wait(component.name, ready, timeout_seconds=READY_SECONDS, hint=f"Its log is {log}.")
    return started


def end(layout: Layout, component: Component) -> None:
    """End what runs as the component: the recorded process, and one that a killed `up` started but did not record."""
    old = recorded(layout, component.name)
    if old is not None:
        stop([old], component.stop_signal)
    stop(process for process in in_namespace(layout) if _command(process.pid) == component.command)


def stop(
    processes: Iterable[Process], how: signal.Signals = signal.SIGTERM, grace_seconds: float = STOP_SECONDS
) -> None:
    """Ask the processes to end, wait, then end those that did not. Only those that are still the recorded ones."""
    left = [process for process in processes if process.alive()]
    for step, seconds in ((how, grace_seconds), (signal.SIGKILL, STOP_SECONDS)):
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, step)
        deadline = time.monotonic() + seconds
        while left and time.monotonic() < deadline:
            left = [process for process in left if process.alive()]
            if left:
                time.sleep(0.02)
    if left:
        pids = ", ".join(str(process.pid) for process in left)
        raise DevClusterError(
            f"Processes {pids} do not end, not even by SIGKILL.", hint="Look at `ps -o pid,stat,wchan`."
        )


def in_namespace(layout: Layout) -> list[Process]:
    """Every process in the cluster's network namespace, recorded or not."""
    try:
        wanted = layout.netns.stat()
    except OSError:
        return []
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                namespace = (entry / "ns/net").stat()
                if (namespace.st_dev, namespace.st_ino) == (wanted.st_dev, wanted.st_ino):
                    found.extend(identify([int(entry.name)]))
    return [process for process in found if process.pid != os.getpid()]


def identify(pids: Iterable[int]) -> list[Process]:
    """Processes by their present pids; those that are already gone are left out."""
    times = ((pid, _start_time(pid)) for pid in pids)
    return [Process(pid, started) for pid, started in times if started is not None]


def boot() -> str:
    """The kernel's name for this boot: start times count from it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def last_words(log: Path, limit: int = 300) -> str:
    """The last line of a log that says anything, cut to `limit` characters."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return "it left no log"
    return lines[-1][-limit:] if lines else "it left no log"


def _command(pid: int) -> tuple[str, ...]:
    try:
        return tuple(Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")[:-1])
    except OSError:
        return ()


def _start_time(pid: int) -> int | None:
    """Field 22 of /proc/<pid>/stat; None for a process that is gone or a zombie.

    Where only its first thread is a zombie, the others still hold its files, locks and ports (field 20 counts them).
    """
    try:
        # The second field is the command in brackets and may itself hold spaces and brackets.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    gone = fields[0] == "X" or (fields[0] == "Z" and int(fields[17]) <= 1)
    return None if gone else int(fields[19])
