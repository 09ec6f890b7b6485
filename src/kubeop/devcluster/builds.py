"""The binaries of the embedded cluster: found, or built once from pinned Go modules.

Order: a folder given by the user (`--assets`, KUBEBUILDER_ASSETS) for those that it holds, else the cache, else a build
into the cache. Versions come from the go.mod files beside this module and are the cache's key. Builds hold a lock,
write to a temporary name and rename, so that a half-written binary is never used and nothing is built twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from kubeop.devcluster import gotoolchain
from kubeop.devcluster.layout import give_to_invoking_user
from kubeop.devcluster.progress import Report
from kubeop.errors import DevClusterError
from kubeop.settings import cache_root

_TICK_SECONDS = 0.5


@dataclass(frozen=True)
class Module:
    """A Go module of ours: `name` is its folder, `requirement` the line of its go.mod that gives the version."""

    name: str
    requirement: str
    binaries: tuple[str, ...]
    package: str = "."  # with {binary} in it, a package a binary


MODULES = (
    Module("pause", "", ("pause",)),
    Module("etcd", "go.etcd.io/etcd/server/v3", ("etcd",)),
    Module("coredns", "github.com/coredns/coredns", ("coredns",)),
    Module(
        "kubernetes",
        "k8s.io/kubernetes",
        ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"),
        "k8s.io/kubernetes/cmd/{binary}",
    ),
)


@dataclass(frozen=True)
class Binaries:
    """Where each binary is."""

    paths: Mapping[str, Path]

    def path(self, name: str) -> Path:
        """The path of a binary of the cluster."""
        return self.paths[name]


def source(module: Module) -> Path:
    """The module's folder, part of this package."""
    with as_file(files("kubeop.devcluster") / "binaries" / module.name) as folder:
        return folder


def version(module: Module) -> str:
    """The version that go.mod pins; for a module of our own code alone, the first digits of the code's digest."""
    folder = source(module)
    if not module.requirement:
        code = b"".join(path.read_bytes() for path in sorted(folder.glob("*.go")))
        return hashlib.sha256(code).hexdigest()[:12]
    pattern = rf"^(?:require)?\s*{re.escape(module.requirement)} (v\S+)"
    match = re.search(pattern, (folder / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise DevClusterError(f"{folder / 'go.mod'} does not require {module.requirement}.", hint="Reinstall kubeop.")
    return match[1]


def cached(module: Module, binary: str) -> Path:
    """Where the cache has, or will have, the binary."""
    return cache_root() / "binaries" / f"{module.name}-{version(module)}" / binary


def assets_folder(option: Path | None = None) -> Path | None:
    """The user's folder of ready binaries: the option, else KUBEBUILDER_ASSETS. DevClusterError if it is no folder."""
    named = option or (Path(os.environ["KUBEBUILDER_ASSETS"]) if os.environ.get("KUBEBUILDER_ASSETS") else None)
    if named is not None and not named.is_dir():
        raise DevClusterError(
            f"The folder of binaries {named} does not exist.", hint="See --assets and KUBEBUILDER_ASSETS."
        )
    return named


def find(assets: Path | None = None) -> tuple[Binaries, tuple[tuple[Module, str], ...]]:
    """The binaries that are there, and those that must be built."""
    folder = assets_folder(assets)
    paths: dict[str, Path] = {}
    missing = []
    for module in MODULES:
        for binary in module.binaries:
            given = folder / binary if folder is not None else None
            if given is not None and os.access(given, os.X_OK):
                paths[binary] = given.absolute()
                continue
            paths[binary] = cached(module, binary)
            if not paths[binary].is_file():
                missing.append((module, binary))
    return Binaries(paths), tuple(missing)


def provide(report: Report, assets: Path | None = None) -> Binaries:
    """Every binary, built if need be: the first time takes minutes, which `report` shows."""
    found, missing = find(assets)
    if not missing:
        return found
    with _lock(report):
        found, missing = find(assets)  # another build may have made them while this one waited
        if missing:
            wanted = max((_go_version(module) for module, _ in missing), key=gotoolchain.parse)
            go = gotoolchain.provide(wanted, report)
            for number, (module, binary) in enumerate(missing, start=1):
                text = f"building {binary} {version(module)} ({number} of {len(missing)})"
                with report.phase(text):
                    _build(go, module, binary, report, text)
    return found


def _build(go: Path, module: Module, binary: str, report: Report, text: str) -> None:
    target = cached(module, binary)
    _make_folder(target.parent)
    temporary = target.with_name(f".{binary}.{os.getpid()}")
    with tempfile.TemporaryDirectory(prefix="kubeop-build-") as folder, tempfile.TemporaryFile("w+") as output:
        code = Path(folder) / module.name
        shutil.copytree(source(module), code)
        command = [str(go), "build", "-trimpath", f"-ldflags={_flags(module)}", f"-o={temporary}",
                   module.package.format(binary=binary)]  # fmt: skip
        process = subprocess.Popen(command, cwd=code, env=_environment(), stdout=output, stderr=subprocess.STDOUT)
        begin = time.monotonic()
        try:
            while process.poll() is None:
                report.tick(f"{text}, {time.monotonic() - begin:.0f} s")
                time.sleep(_TICK_SECONDS)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
                temporary.unlink(missing_ok=True)
        if process.returncode != 0:
            temporary.unlink(missing_ok=True)
            output.seek(0)
            last = " ".join(output.read().strip().splitlines()[-2:])[:400]
            raise DevClusterError(f"Building {binary} failed: {last}", hint="Is the Go module proxy within reach?")
    give_to_invoking_user(temporary)
    temporary.replace(target)


def _flags(module: Module) -> str:
    if module.name != "kubernetes":
        return "-s -w"
    full = version(module)
    major, minor, _ = full.lstrip("v").split(".", 2)
    package = "k8s.io/component-base/version"
    return f"-s -w -X {package}.gitVersion={full} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"


def _environment() -> dict[str, str]:
    env = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}
    if os.environ.get("SUDO_USER"):  # leave nothing of root's in the invoking user's own Go folders
        env |= {"GOPATH": str(cache_root() / "go"), "GOCACHE": str(cache_root() / "go-build")}
    return env


def _go_version(module: Module) -> str:
    match = re.search(r"^go (\S+)", (source(module) / "go.mod").read_text(), re.MULTILINE)
    return match[1] if match else "1.0"


@contextmanager
def _lock(report: Report) -> Iterator[None]:
    folder = cache_root() / "binaries"
    _make_folder(folder)
    with (folder / ".lock").open("w") as file:
        give_to_invoking_user(folder / ".lock")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with report.phase("waiting for another build of the binaries"):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents, the invoking user's under sudo."""
    absent = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DevClusterError(
            f"The cache folder {folder} cannot be made ({error.strerror}).", hint="KUBEOP_CACHE_DIR names another one."
        ) from error
    for path in absent:
        give_to_invoking_user(path)
