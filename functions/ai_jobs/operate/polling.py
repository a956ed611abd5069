"""Polling the jobs table until jobs have ended, for the commands that wait for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from ai_jobs.contract.errors import ErrorClass, JobError
from ai_jobs.contract.row import JobRow, has_ended
from ai_jobs.service import retries
from ai_jobs.service.job_store import JobStore

# Polls in a row that may fail because the table is busy.
_MOST_FAILURES = 4


def poll_until_ended(
    store: JobStore,
    job_ids: Iterable[str],
    timeout_seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[dict[str, JobRow]]:
    """Read the rows of jobs again and again, until all jobs have ended or the time is up.

    This also waits for a job that does not have a row: a worker may not have picked it up yet.

    Yields:
        The rows found so far by job id, after each poll; the last ones are the final state.

    Raises:
        JobError: if the first poll fails, or five later ones in a row.
    """
    ends_at = clock() + timeout_seconds
    open_ids = list(dict.fromkeys(job_ids))
    rows: dict[str, JobRow] = {}
    failures, pauses = _MOST_FAILURES, iter(retries.PAUSES_OF_A_COMMAND)  # the first poll must not fail
    while True:
        try:
            rows |= store.get_all(open_ids)
            failures = 0
        except JobError as error:
            failures += 1
            if failures > _MOST_FAILURES or error.error_class is not ErrorClass.THROTTLED:
                raise
        yield dict(rows)
        open_ids = [job_id for job_id in open_ids if job_id not in rows or not has_ended(rows[job_id])]
        if not open_ids or clock() >= ends_at:
            return
        sleep(max(0.0, min(next(pauses), ends_at - clock())))
