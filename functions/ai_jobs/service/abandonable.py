"""Work with a time limit: Python can't end a thread, but it need not wait for one either."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def in_the_background(work: Callable[[], Result], name: str) -> Future[Result]:
    """Do the work in a thread of its own, which nobody has to wait for: not even the process at its end.

    Whatever the work raises, including SystemExit, is the future's exception.
    """
    # Not an executor: Python waits for an executor's threads before it exits.
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  # of other people's code: SystemExit must not get lost
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
