"""Telling the person who waits what is going on and how long it took.

`Report` is what the rest of the package calls; `Silent` says nothing (a library call), `Console` prints through rich: a
spinner on a terminal, a plain line now and then anywhere else.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import rich.console
import rich.status

PLAIN_INTERVAL_SECONDS = 15.0


class Report(Protocol):
    """Receives what happens."""

    def phase(self, text: str) -> contextlib.AbstractContextManager[None]:
        """A phase begins; it ends, with its time shown, when the context does."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def tick(self, text: str) -> None:
        """The running phase goes on: called as often as one likes, shown as often as is bearable."""


class Silent:
    """Says nothing."""

    def phase(self, text: str) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002 - it says nothing
        """Nothing."""
        return contextlib.nullcontext()

    def note(self, text: str) -> None:
        """Nothing."""

    def tick(self, text: str) -> None:
        """Nothing."""


@dataclass
class Console:
    """Prints phases with their times to standard error, which leaves standard output to results."""

    console: rich.console.Console

    def __post_init__(self) -> None:
        self._status: rich.status.Status | None = None
        self._last_line = time.monotonic()

    @classmethod
    def stderr(cls) -> Console:
        """On standard error."""
        return cls(rich.console.Console(stderr=True, highlight=False))

    @contextlib.contextmanager
    def phase(self, text: str) -> Iterator[None]:
        """Show a spinner while the phase runs, then its line with the seconds it took."""
        begin = self._last_line = time.monotonic()
        with self.console.status(text) as status:
            self._status = status
            try:
                yield
            finally:
                self._status = None
        self.console.print(f"  {text} [dim]{time.monotonic() - begin:.1f} s[/dim]")

    def note(self, text: str) -> None:
        """Print a line."""
        self.console.print(f"  {text}")

    def tick(self, text: str) -> None:
        """Change the spinner's text; without a terminal, print a line every 15 seconds."""
        now = time.monotonic()
        if self.console.is_terminal:
            if self._status is not None:
                self._status.update(text)
        elif now - self._last_line >= PLAIN_INTERVAL_SECONDS:
            self._last_line = now
            self.console.print(f"  … {text}")
