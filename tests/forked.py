"""Runs a function in a forked child, which may hang, and brings back what it returned or raised."""

from __future__ import annotations

import os
import pickle
import select
import signal
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self


class Child:
    """A forked child that runs `function`; `result()` is what it returned.

    It is a context: on leaving it, the child is dead and gone, even if the test fails before it asks for the result. A
    child that outlives its test keeps pytest's output open, and whoever reads that waits forever.
    """

    def __init__(self, function: Callable[[], Any]) -> None:
        self._reads, writes = os.pipe()
        with warnings.catch_warnings():
            # Python warns that locks may be held in the child: that is what is tested.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            # Whatever happens, the child must not return into the tests.
            try:
                os.write(writes, pickle.dumps(_outcome_of(function)))
            finally:
                os._exit(0)
        os.close(writes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._reads)
        os.kill(self.pid, signal.SIGKILL)  # it exists until it is waited for, even if it has ended
        os.waitpid(self.pid, 0)

    def result(self, timeout_seconds: float = 20.0) -> Any:
        """What the function returned; raises what it raised, or TimeoutError when it hangs."""
        if not select.select([self._reads], [], [], timeout_seconds)[0]:
            raise TimeoutError("the child hangs")
        with os.fdopen(self._reads, "rb", closefd=False) as pipe:
            outcome = pickle.load(pipe)  # noqa: S301 - our own
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def _outcome_of(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except BaseException as error:  # noqa: BLE001 - it is raised in the parent
        return error
