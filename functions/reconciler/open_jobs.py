"""Open jobs, from the table's index: closes those that are overdue, and reports the age of the oldest."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

from aws_lambda_powertools import Logger

from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import JobError
from ai_jobs.contract.row import JobRow
from ai_jobs.service import metrics
from ai_jobs.service.job_store import OPEN_SHARDS, JobStore
from reconciler.dlq_reader import LANES
from reconciler.message_handling import report_closed
from reconciler.summary import Summary

logger = Logger()

_MEASURED_PER_SHARD = 25

_STALLED = "there was no outcome until long after its deadline, and no worker has it"
_NEVER_ENQUEUED = "its message never arrived in the queue, or waited there until long after the job's deadline"


class OpenJobs:
    """The open jobs of one table."""

    def __init__(self, store: JobStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def close_overdue(self, until: datetime) -> Summary:
        """Close the jobs that should have ended long ago, as far as there is time."""
        # In another order each time: what one run has no time for must not be the same shards again and again.
        shards = random.sample(range(OPEN_SHARDS), OPEN_SHARDS)
        with ThreadPoolExecutor(LANES) as pool:
            return sum(pool.map(partial(self._close_overdue_of, until=until), shards), Summary())

    def _close_overdue_of(self, shard: int, until: datetime) -> Summary:
        summary = Summary()
        for row in self._store.listing.open_jobs_past_due(shard):
            if self._clock() >= until:
                break
            summary += self._close(row)
        return summary

    def _close(self, row: JobRow) -> Summary:
        started = "startedAt" in row
        error = JobError("JOB_STALLED", _STALLED) if started else JobError("ENQUEUE_FAILED", _NEVER_ENQUEUED)
        try:
            closed = self._store.close_stalled(row["jobId"], error, started=started)
        except JobError as failure:
            logger.error("overdue job not handled", extra={"jobId": row["jobId"], "errorCode": failure.code})
            return Summary(failures=1)
        if closed:
            report_closed(row["jobId"], row["jobType"], error)
        return Summary(closed=int(closed))

    def measure(self) -> Summary:
        """Report the age of the oldest open job, and zeros that keep the series alive with which alarms compute."""
        with ThreadPoolExecutor(LANES) as pool:
            oldest = pool.map(
                lambda shard: self._store.listing.oldest_open_jobs(shard, _MEASURED_PER_SHARD), range(OPEN_SHARDS)
            )
            rows = [row for rows in oldest for row in rows]
        # A redriven job counts from its redrive. A job that no worker has had yet is a matter for the queue's alarms.
        starts = (row["startedAt"] for row in rows if "startedAt" in row)
        since = min(map(timestamps.from_text, starts), default=None)
        age = max(0.0, (self._clock() - since).total_seconds()) if since else 0.0
        zeros = dict.fromkeys((metrics.JOBS_COMPLETED, metrics.JOBS_FAILED, metrics.JOBS_STALLED), 0)
        metrics.emit({metrics.OLDEST_OPEN_JOB_AGE: age} | zeros)
        return Summary()
