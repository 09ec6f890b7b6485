"""What a benchmark gives back, and how one process is measured."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One figure beside a peer's, both measured in the same run. Less is better.

    `ratio`: how many times the peer's figure is ours, above 1 when ours is better. `goal`: the ratio to reach, or, with
    `goal_value`, the value not to exceed; without either nothing is asked of it and `met` is None.
    """

    name: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    goal: float | None = None
    goal_value: float | None = None

    @property
    def ratio(self) -> float | None:
        """The peer's value in ours."""
        return self.peer_value / self.value if self.peer_value is not None and self.value else None

    @property
    def goal_text(self) -> str | None:
        """The goal as a person reads it."""
        if self.goal is not None:
            return f"ratio >= {self.goal:g}"
        return f"<= {self.goal_value:g} {self.unit}" if self.goal_value is not None else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached."""
        if self.goal is not None:
            return self.ratio is not None and self.ratio >= self.goal
        return self.value <= self.goal_value if self.goal_value is not None else None

    def as_json(self) -> dict[str, Any]:
        """The row as it is stored."""
        plain = asdict(self)
        del plain["goal_value"]
        ratio = self.ratio
        return plain | {"ratio": None if ratio is None else round(ratio, 3), "goal": self.goal_text, "met": self.met}


@dataclass(frozen=True)
class Run:
    """One finished process: seconds on the clock, seconds of CPU with its children's, peak memory of the largest."""

    seconds: float
    cpu_seconds: float
    peak_mebibytes: float
    output: str


def run(command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end and measure it. Raises RuntimeError with its last lines when it fails."""
    with tempfile.TemporaryFile("w+") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            list(command), cwd=cwd, env={**os.environ, **(env or {})}, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        last = "\n".join(text.splitlines()[-25:])
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{last}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text)


def median(runs: Sequence[Run]) -> Run:
    """The run with the middle time."""
    middle = statistics.median_low(one.seconds for one in runs)
    return next(one for one in runs if one.seconds == middle)
