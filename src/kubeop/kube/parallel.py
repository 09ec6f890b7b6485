"""Calls in parallel threads, results in the order in which they come."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(call: Callable[[T], R], items: Sequence[T], workers: int) -> Iterator[R]:
    """Yield `call(item)` for each item, `workers` at a time. The first error ends it: nothing more is begun."""
    if workers <= 1 or len(items) <= 1:
        yield from map(call, items)
        return
    done: queue.SimpleQueue[tuple[R | None, BaseException | None]] = queue.SimpleQueue()
    waiting = iter(items)
    lock = threading.Lock()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            with lock:
                try:
                    item = next(waiting)
                except StopIteration:
                    return
            try:
                done.put((call(item), None))
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
                done.put((None, error))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(workers, len(items)))]
    for thread in threads:
        thread.start()
    try:
        for _ in items:
            result, error = done.get()
            if error is not None:
                raise error
            yield result  # type: ignore[misc]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
