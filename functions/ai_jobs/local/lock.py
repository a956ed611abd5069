"""Only one command at a time changes a root's stack: a second one would stop the local AWS under the first."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from ai_jobs.local.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from ai_jobs.local.root import Root


@contextlib.contextmanager
def exclusive(root: Root) -> Iterator[None]:
    """While the block runs, no other command changes the stack. If this process dies, the system lets go of the lock.

    Raises:
        Failure: if another process has it; the message names that process.
    """
    if not root.folder.is_dir():
        yield  # nothing was ever started here
        return
    with root.lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(
                f"process {_written(file)} is working on the local stack of {root.path} (its log: {root.log}). "
                "Wait until it ends, or stop it with Ctrl-C, and run this again."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def holder(root: Root) -> str | None:
    """The id of the process that is changing the stack now; None if none is."""
    with contextlib.suppress(FileNotFoundError), root.lock.open(encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _written(file)
    return None


def _written(file: IO[str]) -> str:
    file.seek(0)
    return file.read()
