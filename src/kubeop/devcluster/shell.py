"""Running a command to its end, with one error that says which command failed and its last words."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from kubeop.errors import DevClusterError


def run(
    *command: str | Path,
    check: bool = True,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    timeout_seconds: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run `command` and return what it printed. DevClusterError if it is missing, hangs or (unless told) fails.

    `stdin` and `env` are never part of the error: that is where a password goes.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            env=dict(env) if env is not None else None,
            timeout=timeout_seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise DevClusterError(
            f"The command {words[0]!r} is not on this machine.", hint="Run `kubeop dev packages --install`."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise DevClusterError(f"`{_short(words)}` did not end within {timeout_seconds:.0f} seconds.") from error
    if check and done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise DevClusterError(f"`{_short(words)}` failed with code {done.returncode}: {''.join(last)[:300]}")
    return done


def wait(what: str, ready: Callable[[], bool], *, timeout_seconds: float, hint: str = "", every: float = 0.1) -> None:
    """Ask `ready` until it says yes; DevClusterError that names `what` when it has not by then."""
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        if time.monotonic() > deadline:
            raise DevClusterError(f"{what} was not ready within {timeout_seconds:.0f} seconds.", hint=hint)
        time.sleep(every)


def _short(words: list[str]) -> str:
    text = " ".join(words)
    return text if len(text) <= 120 else text[:117] + "..."
