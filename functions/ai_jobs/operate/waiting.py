"""Waiting for jobs to end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from ai_jobs.contract.errors import ErrorClass, JobError
from ai_jobs.contract.row import JobRow, has_ended
from ai_jobs.service.job_store import JobStore

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0
_PATIENCE = 5


def follow(
    store: JobStore,
    job_ids: Iterable[str],
    timeout_seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[dict[str, JobRow]]:
    """Look at jobs again and again, until all have ended or the time is over.

    A job without a row may be one that no worker has picked up yet, so that it is waited for as well.

    Yields:
        The rows found so far by job id, after each look; the last one is what there is in the end.

    Raises:
        JobError: when the first look fails, or five later ones in a row.
    """
    ends_at = clock() + timeout_seconds
    open_ids = list(dict.fromkeys(job_ids))
    rows: dict[str, JobRow] = {}
    looks, failures, pause = 0, 0, _FIRST_PAUSE_SECONDS
    while True:
        try:
            rows |= store.get_all(open_ids)
            looks, failures = looks + 1, 0
        except JobError as error:
            failures += 1
            if not looks or failures >= _PATIENCE or error.error_class is not ErrorClass.THROTTLED:
                raise
        yield dict(rows)
        open_ids = [job_id for job_id in open_ids if job_id not in rows or not has_ended(rows[job_id])]
        if not open_ids or clock() >= ends_at:
            return
        sleep(max(0.0, min(pause, ends_at - clock())))
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
