"""The documentation says what happens: every command of a `console` block is run, and what it prints is compared.

A line that starts with `$ ` is a command; the lines under it are what it prints, where … stands for anything.
A block under the comment `<!-- not run: why -->` is left alone.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from installed import Platform

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(?P<skip><!-- not run: .+? -->\n)?```console\n(?P<body>.*?)```", re.DOTALL)
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if "```console" in path.read_text())


@dataclass(frozen=True)
class Step:
    command: str
    expected: tuple[str, ...]


def steps(page: Path) -> list[Step]:
    found: list[Step] = []
    for block in BLOCK.finditer(page.read_text()):
        if block["skip"]:
            continue
        for part in re.split(r"^\$ ", block["body"], flags=re.MULTILINE)[1:]:
            command, *expected = part.rstrip("\n").split("\n")
            while command.endswith("\\"):
                command = command[:-1] + expected.pop(0)
            if here := re.search(r"<<'(\w+)'", command):
                end = expected.index(here[1]) + 1
                command, expected = "\n".join([command, *expected[:end]]), expected[end:]
            found.append(Step(command, tuple(expected)))
    return found


def matches(expected: tuple[str, ...], printed: str) -> bool:
    """Whether the lines say the same; spaces are folded, … is anything, a line of … alone is any number of lines."""
    pattern = ""
    for line in expected:
        words = " ".join(line.split())
        pattern += r"(?:.*\n)*?" if words == "…" else re.escape(words).replace("…", ".*?") + r" ?\n"
    folded = "".join(" ".join(line.split()) + "\n" for line in printed.splitlines())
    return re.fullmatch(pattern, folded) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_what_the_page_shows_happens(page: Path, platform: Platform, tmp_path: Path) -> None:
    environment = {**os.environ, **platform.environment, "SHELL": "/bin/bash", "COLUMNS": "120"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{platform.environment['PATH']}"
    carried = tmp_path / "environment"  # `export` in one command holds for the next
    for step in steps(page):
        script = f"[ -f {carried} ] && . {carried}\n{step.command}\ncode=$?\nexport -p > {carried}\nexit $code"
        done = subprocess.run(
            ["bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        said = f"{page.name}: $ {step.command}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, said
        if step.expected:
            assert matches(step.expected, done.stdout), said
