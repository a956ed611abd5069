"""Work on many things at once that Ctrl-C can end."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(work: Callable[[T], R], items: Sequence[T], threads: int) -> Iterator[tuple[T, R]]:
    """Work on the items, on so many at a time, in their order.

    Nobody waits for what is still running when the caller stops, or at the end of the process: unlike those of a
    ThreadPoolExecutor, the threads are daemons, because a model call can take minutes.

    Yields:
        Each item with its outcome, as soon as that is there. What `work` raises is raised here.
    """
    waiting: queue.SimpleQueue[T] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[T, Future[R]]] = queue.SimpleQueue()
    stopped = threading.Event()
    for item in items:
        waiting.put(item)
    for _ in range(min(threads, len(items))):
        threading.Thread(target=_run, args=(work, waiting, done, stopped), daemon=True).start()
    try:
        for _ in items:
            item, outcome = done.get()
            yield item, outcome.result()
    finally:
        stopped.set()


def _run(
    work: Callable[[T], R],
    waiting: queue.SimpleQueue[T],
    done: queue.SimpleQueue[tuple[T, Future[R]]],
    stopped: threading.Event,
) -> None:
    while not stopped.is_set():
        try:
            item = waiting.get_nowait()
        except queue.Empty:
            return
        outcome: Future[R] = Future()
        try:
            outcome.set_result(work(item))
        except Exception as error:  # noqa: BLE001  # raised where the outcome is read
            outcome.set_exception(error)
        done.put((item, outcome))
