"""The cluster's PostgreSQL: the machine's own package, run as the user `postgres`, with data and socket of its own.

A PostgreSQL that the machine runs for itself is never touched: ours lives in the cluster's network namespace, and its
processes are known by their working directory, which is the data folder.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import secrets
import shutil
import signal
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from kubeop.devcluster.layout import DATABASE, DATABASE_PORT, Addresses, Layout, give_to_invoking_user
from kubeop.devcluster.processes import Component, identify, recorded, stop
from kubeop.devcluster.shell import run
from kubeop.errors import DevClusterError

USER = "kubeop"
SYSTEM_USER = "postgres"
MAX_CONNECTIONS = 300
INSTALLATIONS = Path("/usr/lib/postgresql")
NAME = "postgresql"


def binaries(installations: Path = INSTALLATIONS) -> Path:
    """The programs of the newest PostgreSQL on this machine."""
    found = [
        path for path in installations.glob("*/bin") if (path / "postgres").is_file() and path.parent.name.isdigit()
    ]
    if not found:
        raise DevClusterError("PostgreSQL is not on this machine.", hint="Run `kubeop dev packages --install`.")
    return max(found, key=lambda path: int(path.parent.name))


def component(layout: Layout, addresses: Addresses) -> Component:
    """The server, on the node's address (host and pods) and on loopback."""
    postgres = binaries()
    socket_folder = _sockets(layout)

    def ready() -> bool:
        answer = run(postgres / "pg_isready", "-h", addresses.node, "-p", str(DATABASE_PORT), "-t", "1", check=False)
        return answer.returncode == 0

    return Component(
        NAME,
        (
            *_as_postgres(),
            str(postgres / "postgres"),
            f"-D{_data(layout)}",
            f"-clisten_addresses={addresses.node},127.0.0.1",
            f"-cport={DATABASE_PORT}",
            f"-cunix_socket_directories={socket_folder}",
            f"-chba_file={layout.postgres}/pg_hba.conf",
            f"-cmax_connections={MAX_CONNECTIONS}",
            "-cdynamic_shared_memory_type=mmap",  # in the data folder, so that it goes when that does
            "-cpassword_encryption=scram-sha-256",
            "-clog_timezone=UTC",
            "-ctimezone=UTC",
        ),
        ready=ready,
        stop_signal=signal.SIGINT,  # a fast shutdown: sessions are cut, nothing is lost
        clear=partial(_clear_leftovers, layout),
    )


def prepare(layout: Layout, addresses: Addresses) -> None:
    """Make the data folder unless it is there."""
    folder = layout.postgres
    folder.mkdir(exist_ok=True)
    _own(folder, 0o700)
    sockets = _sockets(layout)
    sockets.mkdir(exist_ok=True)
    _own(sockets, 0o700)
    if not layout.database_url.exists():
        url = f"postgresql://{USER}:{secrets.token_urlsafe(24)}@{addresses.node}:{DATABASE_PORT}/{DATABASE}"
        temporary = layout.root / "database-url.new"
        temporary.touch(mode=0o600)
        temporary.write_text(url + "\n")
        give_to_invoking_user(temporary)
        temporary.replace(layout.database_url)
        shutil.rmtree(_data(layout), ignore_errors=True)  # initialised with a password that is gone
    hba = folder / "pg_hba.conf"
    lines = ["local all all scram-sha-256"]
    lines += [f"host all all {net} scram-sha-256" for net in (addresses.link, addresses.pods, "127.0.0.1/32")]
    hba.write_text("\n".join(lines) + "\n")
    _own(hba, 0o600)
    if not _data(layout).exists():
        # Into another folder first: a half-made one must never be taken for a whole one.
        temporary, password = _unfinished_data(layout), folder / "password"
        end_unrecorded(layout)
        shutil.rmtree(temporary, ignore_errors=True)
        password.touch(mode=0o600)
        _own(password, 0o600)
        try:
            password.write_text(_password(layout) + "\n")
            options = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", f"--username={USER}")
            run(*_as_postgres(), binaries() / "initdb", _data_option(layout), f"--pwfile={password}", *options)
        finally:
            password.unlink()
        temporary.rename(_data(layout))


def end_unrecorded(layout: Layout) -> None:
    """End what works in the data folder without a record: a killed server's children, a killed `up`'s initdb."""
    while found := identify(_in_data_folder(layout)):  # again, since one may have started another meanwhile
        stop(found, signal.SIGKILL)


def release(layout: Layout) -> None:
    """Free the shared memory of a server that was killed: the kernel keeps it until somebody says otherwise."""
    process = recorded(layout, NAME)
    if process is None or process.alive():
        return
    header, *rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()]
    for row in rows:
        segment = dict(zip(header, row, strict=True))
        if segment["cpid"] == str(process.pid) and segment["nattch"] == "0":
            run("ipcrm", "--shmem-id", segment["shmid"], check=False)


def create(layout: Layout, addresses: Addresses) -> None:
    """Create the database `kubeop` unless it is there."""
    where = ("-h", addresses.node, "-p", str(DATABASE_PORT), "-U", USER, "-d", "postgres")
    psql = (binaries() / "psql", "-X", "-A", "-t", *where)
    env = {"PATH": os.environ.get("PATH", ""), "PGPASSWORD": _password(layout)}
    there = run(*psql, "-c", "SELECT datname FROM pg_database", env=env).stdout.split()
    if DATABASE not in there:
        run(*psql, "-c", f"CREATE DATABASE {DATABASE}", env=env)


def url(layout: Layout) -> str:
    """The administrator's URL, with the password. DevClusterError before the first start."""
    try:
        return layout.database_url.read_text().strip()
    except FileNotFoundError as error:
        raise DevClusterError(
            f"The cluster {layout.name!r} has no database yet.", hint=f"Run `kubeop dev up --name {layout.name}`."
        ) from error


def version() -> str:
    """The server's version, such as 15.18."""
    found = re.search(r"(\d+(\.\d+)*)", run(binaries() / "postgres", "--version").stdout)
    return found[1] if found else ""


def _clear_leftovers(layout: Layout) -> None:
    """End the children of a killed server, and remove the lock files of a process that is no more."""
    end_unrecorded(layout)
    for lock_file in (_data(layout) / "postmaster.pid", *_sockets(layout).iterdir()):
        lock_file.unlink(missing_ok=True)


def _in_data_folder(layout: Layout) -> list[int]:
    folders = (_data(layout), _unfinished_data(layout))
    initdb = os.fsencode(_data_option(layout))
    pids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "cwd").readlink() in folders or initdb in (entry / "cmdline").read_bytes().split(b"\0"):
                    pids.append(int(entry.name))
    return pids


def _data_option(layout: Layout) -> str:
    return f"--pgdata={_unfinished_data(layout)}"


def _password(layout: Layout) -> str:
    return urlsplit(url(layout)).password or ""


def _data(layout: Layout) -> Path:
    return layout.postgres / "data"


def _unfinished_data(layout: Layout) -> Path:
    return layout.postgres / "data.new"


def _sockets(layout: Layout) -> Path:
    return layout.postgres / "sockets"


def _as_postgres() -> tuple[str, ...]:
    return ("setpriv", f"--reuid={SYSTEM_USER}", f"--regid={SYSTEM_USER}", "--init-groups", "--")


def _own(path: Path, mode: int) -> None:
    try:
        user = pwd.getpwnam(SYSTEM_USER)
    except KeyError as error:
        raise DevClusterError(
            f"The user {SYSTEM_USER!r}, which PostgreSQL runs as, does not exist.",
            hint="Run `kubeop dev packages --install`.",
        ) from error
    os.chown(path, user.pw_uid, user.pw_gid)
    path.chmod(mode)
