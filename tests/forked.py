"""Runs a function in a forked child, which may hang, and brings back what it returned or raised."""

from __future__ import annotations

import os
import pickle
import select
import signal
import warnings
from collections.abc import Callable
from typing import Any


class Child:
    """A forked child that runs `function`; `result()` is what it returned."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._reads, writes = os.pipe()
        with warnings.catch_warnings():
            # Python warns that locks may be held in the child: that is what is tested.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if self._pid == 0:
            try:
                outcome: Any = function()
            except BaseException as error:  # noqa: BLE001 - it is raised in the parent
                outcome = error
            os.write(writes, pickle.dumps(outcome))
            os._exit(0)
        os.close(writes)

    def result(self, timeout_seconds: float = 20.0) -> Any:
        """What the function returned; raises what it raised, or TimeoutError when it hangs (and ends it)."""
        try:
            if not select.select([self._reads], [], [], timeout_seconds)[0]:
                os.kill(self._pid, signal.SIGKILL)
                raise TimeoutError("the child hangs")
            with os.fdopen(self._reads, "rb", closefd=False) as pipe:
                outcome = pickle.load(pipe)  # noqa: S301 - our own
        finally:
            os.close(self._reads)
            os.waitpid(self._pid, 0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome
