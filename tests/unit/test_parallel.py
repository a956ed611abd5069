"""Work in parallel: everything is done once, so many at a time, and what is left when the caller stops is not begun."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_jobs.operate.parallel import in_parallel


@given(st.lists(st.integers(), max_size=30), st.integers(1, 8))
def test_each_item_is_worked_on_once(items, threads):
    done = list(in_parallel(lambda item: -item, items, threads))
    assert sorted(item for item, _ in done) == sorted(items)
    assert all(outcome == -item for item, outcome in done)


def test_no_more_than_so_many_at_a_time():
    barrier = threading.Barrier(3)
    running, most, lock = 0, 0, threading.Lock()

    def work(_):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        barrier.wait(timeout=10)  # three have to be there
        with lock:
            running -= 1

    assert len(list(in_parallel(work, range(6), 3))) == 6
    assert most == 3


def test_an_error_is_raised_where_the_outcomes_are_read():
    with pytest.raises(ZeroDivisionError):
        list(in_parallel(lambda item: 1 / item, [0], 2))


def test_nothing_new_is_begun_after_the_caller_stopped():
    begun, go_on = [], threading.Event()

    def work(item):
        begun.append(item)
        if item:
            go_on.wait(timeout=10)

    others = set(threading.enumerate())
    outcomes = in_parallel(work, range(10), 1)
    assert next(outcomes) == (0, None)
    outcomes.close()
    go_on.set()
    for thread in set(threading.enumerate()) - others:
        thread.join(timeout=10)
    assert len(begun) <= 2
