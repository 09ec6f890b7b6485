"""The work that is waiting: keys, each at most once, with a growing wait after failures.

Watch events, repairs, retries and the periodic resync all end here, and worker threads take from here. A key that is
being worked on is never handed out twice; what is added meanwhile is handed out again afterwards.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

FIRST_BACKOFF = 0.2
LONGEST_BACKOFF = 60.0


class WorkQueue(Generic[Key]):
    """A thread-safe queue of keys. Waits are in seconds; `first_backoff` doubles up to `longest_backoff`."""

    def __init__(self, first_backoff: float = FIRST_BACKOFF, longest_backoff: float = LONGEST_BACKOFF) -> None:
        self._first_backoff = first_backoff
        self._longest_backoff = longest_backoff
        self._changed = threading.Condition()
        self._urgent: deque[Key] = deque()
        self._ready: deque[Key] = deque()  # may hold keys that were handed out as urgent ones meanwhile
        self._waiting: list[tuple[float, int, Key]] = []
        self._due: dict[Key, float] = {}  # the moment that counts for a waiting key; other heap entries are stale
        self._added: set[Key] = set()
        self._working: set[Key] = set()
        self._doubts: dict[Key, list[Callable[[], bool]]] = {}
        self._failures: dict[Key, int] = {}
        self._sequence = 0
        self._closed = False

    def __len__(self) -> int:
        with self._changed:
            return len(self._added) + len(self._due)

    @property
    def working(self) -> int:
        """How many keys are being worked on now."""
        with self._changed:
            return len(self._working)

    def add(self, key: Key, is_echo: Callable[[], bool] | None = None, *, urgent: bool = False) -> None:
        """Hand the key out as soon as a worker is free; an urgent one before all that are not.

        `is_echo` is asked when the work that is under way on this key is over: True takes the addition back, for it was
        nothing but that work's own writing. It must be quick and not call the queue.
        """
        with self._changed:
            if is_echo is not None and key in self._working:
                self._doubts.setdefault(key, []).append(is_echo)
                return
            self._due.pop(key, None)
            self._add(key)
            if urgent and key not in self._working and not self._closed:
                self._urgent.append(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Hand the key out after a wait; if it waits already, the earlier moment counts."""
        with self._changed:
            due = time.monotonic() + seconds
            if self._closed or key in self._added or self._due.get(key, due + 1) <= due:
                return
            self._due[key] = due
            self._sequence += 1
            heapq.heappush(self._waiting, (due, self._sequence, key))
            self._changed.notify()

    def retry(self, key: Key) -> float:
        """Hand the key out again after its backoff, which doubles with every failure. Returns the wait."""
        with self._changed:
            failures = self._failures.get(key, 0)
            self._failures[key] = failures + 1
        wait = float(min(self._first_backoff * 2 ** min(failures, 32), self._longest_backoff))
        self.add_after(key, wait)
        return wait

    def failures(self, key: Key) -> int:
        """How often in a row the key's work has failed."""
        with self._changed:
            return self._failures.get(key, 0)

    def forget(self, key: Key) -> None:
        """The key's work succeeded: its next failure waits the shortest time again."""
        with self._changed:
            self._failures.pop(key, None)

    def get(self) -> Key | None:
        """Wait for a key and take it; None once the queue is closed. Call `done` when its work is over."""
        with self._changed:
            while not self._closed:
                wait = self._promote()
                while self._urgent or self._ready:
                    key = (self._urgent or self._ready).popleft()
                    if key in self._added and key not in self._working:
                        self._added.discard(key)
                        self._working.add(key)
                        return key
                self._changed.wait(wait)
            return None

    def done(self, key: Key) -> None:
        """The key's work is over, well or not. What was added to it meanwhile comes up now."""
        with self._changed:
            self._working.discard(key)
            news = [is_echo for is_echo in self._doubts.pop(key, []) if not is_echo()]
            if key in self._added:
                self._ready.append(key)
            elif news:
                self._add(key)
            self._changed.notify_all()

    def close(self, drain_seconds: float) -> bool:
        """Hand nothing out any more and wait for work under way. False if some is still under way after the wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._working, drain_seconds)

    def _add(self, key: Key) -> None:
        if self._closed or key in self._added:
            return
        self._added.add(key)
        if key not in self._working:
            self._ready.append(key)
            self._changed.notify()

    def _promote(self) -> float | None:
        """Make keys ready whose moment has come. Returns the seconds to the next one, None without any."""
        now = time.monotonic()
        while self._waiting:
            due, _, key = self._waiting[0]
            if self._due.get(key) != due:
                heapq.heappop(self._waiting)
            elif due <= now:
                heapq.heappop(self._waiting)
                del self._due[key]
                self._add(key)
            else:
                return due - now
        return None
