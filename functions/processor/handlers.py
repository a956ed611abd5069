"""The job types' own functions: imported once per process, and run within what is left of an invocation."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger

from ai_jobs.contract.errors import JobError
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.contract.result import JobResult
from ai_jobs.handlers import Handler, Job
from ai_jobs.service.abandonable import in_the_background
from ai_jobs.service.handler_code import find_handler
from ai_jobs.service.handler_context import HandlerContext, JobFile
from ai_jobs.service.handler_run import run_handler
from ai_jobs.service.job_type import JobType
from ai_jobs.service.job_types import JobTypes
from ai_jobs.service.retries import HANDLER_IMPORT_PAUSE_SECONDS
from ai_jobs.service.safe_logging import describe
from processor.model_calls import JobCalls

logger = Logger()


@dataclass(frozen=True)
class _Import:
    """A handler that is being imported, or was, or could not be."""

    function: Future[Handler]
    started_at: float

    def is_over(self, now: float) -> bool:
        """Did it fail so long ago that it is worth another try?"""
        failed = self.function.done() and self.function.exception() is not None
        return failed and now - self.started_at >= HANDLER_IMPORT_PAUSE_SECONDS


class HandlerFunctions:
    """The handlers of a process; safe to share between threads.

    Each is imported in a thread of its own, because a module can take any time to import, and even forever: only the
    jobs of its type wait for it.

    Args:
        find: imports and checks a type's handler.
        clock: gives a time in seconds that only moves forward.
    """

    def __init__(
        self, find: Callable[[JobType], Handler] = find_handler, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._find = find
        self._clock = clock
        self._imports: dict[tuple[str, str | None, bool], _Import] = {}
        self._lock = threading.Lock()

    def load(self, job_types: JobTypes) -> None:
        """Begin to import the handlers that are not known yet, so that the log names those that can't be used."""
        for job_type in job_types.usable:
            if job_type.handler:
                self._import_of(job_type)

    def get(self, job_type: JobType, seconds: float) -> Handler:
        """The type's handler.

        Args:
            seconds: how long to wait for its import.

        Raises:
            JobError: `HANDLER_NOT_FOUND` or `INVALID_CONFIGURATION` if it can't be used; `HANDLER_TIMEOUT`.
        """
        function = self._import_of(job_type).function
        wait([function], timeout=seconds)
        if not function.done():
            # Not HANDLER_NOT_FOUND: it may only be slow, and the next attempt finds it imported.
            limit = f"the type's timeout_seconds, {job_type.settings.timeout_seconds} seconds"
            reason = f"The module of handler {job_type.handler} was still being imported after {limit}."
            raise JobError("HANDLER_TIMEOUT", reason)
        if isinstance(problem := function.exception(), JobError):
            raise JobError(problem.code, problem.message)
        return function.result()

    def _import_of(self, job_type: JobType) -> _Import:
        # With the type's name, which messages give. Python imports a module that two types have in common only once.
        key = (job_type.name, job_type.handler, job_type.output is not None)
        with self._lock:
            known = self._imports.get(key)
            if known is None or known.is_over(self._clock()):
                function = in_the_background(lambda: self._found(job_type), f"import of {job_type.handler}")
                known = self._imports[key] = _Import(function, self._clock())
            return known

    def _found(self, job_type: JobType) -> Handler:
        try:
            return self._find(job_type)
        except JobError as error:
            logger.error("job type is misconfigured", extra={"jobType": job_type.name, "problem": error.message})
            raise


FUNCTIONS = HandlerFunctions()
"""The handlers of this process."""


def result_of_handler(
    calls: JobCalls,
    received: ReceivedJob,
    attempt: int,
    deadline_at: datetime,
    job_type: JobType,
    job_input: Mapping[str, Any],
    files: Sequence[JobFile] = (),
) -> JobResult:
    """Run a type's handler for a job.

    Args:
        calls: makes the handler's model calls.
        attempt: the number of this attempt.
        job_input: as it was sent: it is validated here.
        files: of the job.

    Raises:
        JobError: why there is no result: what `JobType.checked`, `JobCalls.check_time`, `HandlerFunctions.get`, and
            `ai_jobs.service.handler_run.run_handler` raise.
    """
    job = Job(
        id=received.job_id,
        user_id=received.user_id,
        job_type=job_type.name,
        input=job_type.checked(job_input),
        attachments=tuple(file.attachment for file in files),
        created_at=received.created_at,
        deadline_at=deadline_at,
        attempt=attempt,
        trace_id=received.trace_id,
    )
    seconds = job_type.settings.timeout_seconds
    calls.check_time(seconds)
    call = functools.partial(calls.call, job_type)
    context = HandlerContext(job, job_type, call, files, logging.getLogger(logger.name), seconds)
    function = FUNCTIONS.get(job_type, context.seconds_left())
    try:
        return run_handler(function, job, job_type, context)
    except JobError as error:
        _log(error, context)
        raise
    finally:
        calls.end()


def _log(error: JobError, context: HandlerContext) -> None:
    if error.code in ("HANDLER_FAILED", "HANDLER_TIMEOUT"):
        cause = describe(error.__cause__) if error.__cause__ else {}
        context.logger.error("handler failed", extra=cause | {"problem": error.message})
