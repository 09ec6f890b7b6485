"""The queue: each key once, never twice at a time, growing waits, echoes taken back."""

from __future__ import annotations

import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from kubeop.operator.workqueue import WorkQueue


def test_a_key_added_often_is_handed_out_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for _ in range(3):
        queue.add("a")
    queue.add("b")
    assert [queue.get(), queue.get()] == ["a", "b"]
    assert len(queue) == 0
    assert queue.working == 2


def test_a_key_under_work_is_handed_out_again_only_afterwards() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert queue.get() == "a"
    queue.add("a")
    queue.add("b")
    assert queue.get() == "b"
    queue.done("a")
    assert queue.get() == "a"


def test_an_echo_of_the_work_under_way_is_taken_back() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.get()
    queue.add("a", is_echo=lambda: True)
    queue.done("a")
    assert len(queue) == 0


def test_news_among_echoes_is_not_lost() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.get()
    queue.add("a", is_echo=lambda: True)
    queue.add("a", is_echo=lambda: False)
    queue.done("a")
    assert queue.get() == "a"


def test_a_key_that_nobody_works_on_is_added_whatever_it_may_be() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a", is_echo=lambda: True)
    assert queue.get() == "a"


def test_the_wait_doubles_up_to_the_longest_and_starts_anew_after_success() -> None:
    queue: WorkQueue[str] = WorkQueue(first_backoff=1, longest_backoff=5)
    assert [queue.retry("a") for _ in range(4)] == [1, 2, 4, 5]
    assert queue.failures("a") == 4
    queue.forget("a")
    assert queue.retry("a") == 1
    assert len(queue) == 1


def test_of_two_waits_the_earlier_counts_and_an_addition_ends_them() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 3600)
    queue.add_after("a", 0.01)
    assert queue.get() == "a"
    queue.done("a")
    queue.add_after("a", 3600)
    queue.add("a")
    assert queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


def test_what_is_urgent_goes_first_and_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in "abc":
        queue.add(key)
    queue.add("c", urgent=True)
    queue.add("d", urgent=True)
    assert [queue.get() for _ in range(4)] == ["c", "d", "a", "b"]
    queue.add("a", urgent=True)  # under work: again afterwards
    queue.done("a")
    assert queue.get() == "a"
    assert len(queue) == 0


def test_closing_wakes_workers_and_waits_for_work() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert queue.get() == "a"
    got: list[str | None] = []
    waiter = threading.Thread(target=lambda: got.append(queue.get()))
    waiter.start()
    assert queue.close(drain_seconds=0.01) is False
    queue.done("a")
    assert queue.close(drain_seconds=5) is True
    waiter.join(5)
    assert got == [None]
    queue.add("b")
    assert len(queue) == 0


@given(st.lists(st.sampled_from("abc"), max_size=30))
def test_nothing_that_was_added_is_lost(added: list[str]) -> None:
    queue: WorkQueue[str] = WorkQueue()
    seen = []
    for key in added:
        queue.add(key)
    for _ in set(added):
        key = queue.get()
        assert key is not None
        seen.append(key)
        queue.done(key)
    assert sorted(seen) == sorted(set(added))


def test_no_key_is_worked_on_by_two_threads() -> None:
    queue: WorkQueue[int] = WorkQueue()
    busy: set[int] = set()
    lock = threading.Lock()
    clashes: list[int] = []
    done: list[int] = []

    def work() -> None:
        while (key := queue.get()) is not None:
            with lock:
                if key in busy:
                    clashes.append(key)
                busy.add(key)
            time.sleep(0.0005)
            with lock:
                busy.discard(key)
                done.append(key)
            queue.done(key)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for number in range(200):
        queue.add(number % 7)
    while len(queue) or queue.working:
        time.sleep(0.001)
    queue.close(5)
    for worker in workers:
        worker.join(5)
    assert clashes == []
    assert set(done) == set(range(7))
