"""One run of the reconciler (docs/reliability.md): it closes what no one works on anymore, and starts no job.

Everything that it does is a conditional write, or a copy followed by a delete. So it is harmless if two runs overlap,
or if one is killed: at worst, a dead-lettered message exists twice.

A run is limited by time, not by numbers, and each of its parts has a share of that time.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime

from aws_lambda_powertools import Logger

from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import AIJobsError
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.safe_logging import describe
from reconciler.dead_lettered_jobs import DeadLetteredJobs
from reconciler.dead_lettered_results import DeadLetteredResults
from reconciler.dlq_reader import DlqReader
from reconciler.message_handling import MessageHandler
from reconciler.open_jobs import OpenJobs
from reconciler.run_time import RunTime
from reconciler.settings import ReconcilerSettings
from reconciler.summary import Summary

logger = Logger()

# What each part may use up of the run's time, together with those before it.
_REQUESTS_UNTIL, _RESULTS_UNTIL, _OVERDUE_UNTIL = 0.6, 0.75, 1.0


class Reconciler:
    """One run.

    Args:
        ends_at: when Lambda will end this invocation.
        clock: gives the current time.
        chance: gives a number from 0 to 1.
    """

    def __init__(
        self,
        settings: ReconcilerSettings,
        store: JobStore,
        ends_at: datetime,
        clock: Callable[[], datetime] = timestamps.now,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._time = RunTime(ends_at, clock)
        self._chance = chance
        self._jobs = DeadLetteredJobs(settings.request_dlq_url, store, settings.retention_days, clock)
        self._results = DeadLetteredResults(settings.response_dlq_url, store, clock)
        self._open_jobs = OpenJobs(store, clock)

    def run(self) -> Summary:
        """Go through the request DLQ, the response DLQ, and the overdue jobs, within the time there is.

        Raises:
            AIJobsError: if a queue or the table failed as a whole, after the other parts were done nevertheless.
        """
        parts: dict[str, Callable[[], Summary]] = {
            "request DLQ": lambda: self._read(self._jobs, _REQUESTS_UNTIL),
            "response DLQ": lambda: self._read(self._results, _RESULTS_UNTIL),
            "overdue jobs": lambda: self._open_jobs.close_overdue(self._time.share(_OVERDUE_UNTIL)),
            "measurement": self._open_jobs.measure,
        }
        summary = Summary()
        broken: AIJobsError | None = None
        for name, part in parts.items():
            try:
                summary += part()
            except AIJobsError as error:
                logger.error("a part of the run failed", extra={"part": name} | describe(error))
                broken = broken or error
        if broken:
            raise broken
        return summary

    def _read(self, handler: MessageHandler, until: float) -> Summary:
        return DlqReader(handler, self._store, self._time, self._time.share(until), self._chance).read()
