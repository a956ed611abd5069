"""The work on a claimed job: from its message to its result."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from ai_jobs.aws import objects
from ai_jobs.contract.errors import JobError
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.contract.result import JobResult
from ai_jobs.service.answering import Question, answered
from ai_jobs.service.job_type import JobType
from ai_jobs.service.job_types import JobTypes
from processor.model_calls import JobCalls

if TYPE_CHECKING:
    from ai_jobs.service.attached_files import JobFile

logger = Logger()

# What becomes of a model, guardrail, or handler that was replaced: workers keep the old job types for up to
# `config_max_age_seconds`, while the role's policy and the function's layers change at once.
_MAYBE_REPLACED = ("MODEL_ACCESS_DENIED", "MODEL_NOT_FOUND", "HANDLER_NOT_FOUND")


class JobWork:
    """Works on the jobs of one invocation; safe to share between its threads.

    Args:
        bucket: where large inputs and the jobs' files are.
        reread: reads the job types again, for when those at hand may be outdated.
    """

    def __init__(self, bucket: str, reread: Callable[[], JobTypes]) -> None:
        self._bucket = bucket
        self._reread = reread

    def load_handlers(self, job_types: JobTypes) -> None:
        """Begin to import the handlers that the types name."""
        if any(job_type.handler for job_type in job_types.usable):
            from processor.handlers import FUNCTIONS

            FUNCTIONS.load(job_types)

    def result_of(
        self, job: ReceivedJob, attempt: int, deadline_at: datetime, job_types: JobTypes | JobError, calls: JobCalls
    ) -> JobResult:
        """Check the job and return its result.

        If the model denies access or no longer exists, the job's type may name another one by now. Then that is called.
        The same goes for a handler.

        Args:
            attempt: the number of this attempt.
            job_types: the configuration, or why there is none.
            calls: makes the model calls of this attempt.

        Raises:
            JobError: why there is no result; its class says what becomes of the job (ai_jobs.contract.errors).
        """
        job.check()
        if isinstance(job_types, JobError):
            raise JobError(job_types.code, job_types.message)
        job_type = job_types.get(job.job_type)
        result = functools.partial(self._result, job, attempt, self._input_of(job), deadline_at, calls)
        try:
            return result(job_type)
        except JobError as error:
            replacement = self._replacement(job_type, calls) if error.code in _MAYBE_REPLACED else None
            if replacement is None:
                raise
        logger.info("model was replaced", extra={"jobId": job.job_id, "model": replacement.model_ids[0]})
        return result(replacement)

    def _input_of(self, job: ReceivedJob) -> dict[str, Any]:
        if job.input_location is None:
            return dict(job.input)
        return objects.read_input(self._bucket, job.input_location)

    def _replacement(self, job_type: JobType, calls: JobCalls) -> JobType | None:
        """What the job's type has become, if that calls something else and there is time to call it.

        Raises:
            JobError: when the type no longer exists, or is broken now: jobs of later batches fail the same way.
        """
        try:
            calls.check_time(job_type.longest_seconds)
        except JobError:
            return None
        current = self._reread().get(job_type.name)
        unchanged = (current.called, current.handler) == (job_type.called, job_type.handler)
        return None if unchanged else current

    def _result(
        self,
        job: ReceivedJob,
        attempt: int,
        job_input: dict[str, Any],
        deadline_at: datetime,
        calls: JobCalls,
        job_type: JobType,
    ) -> JobResult:
        files = self._files_of(job, job_type)
        if job_type.handler:
            # Imported here: where no type has a handler, no cold start is to wait for it.
            from processor.handlers import result_of_handler

            return result_of_handler(calls, job, attempt, deadline_at, job_type, job_input, files)
        prompt = job_type.prepare(job_input, [file.attachment.for_prompts() for file in files])
        call = functools.partial(calls.call, job_type)
        return answered(Question.of(job_type, replace(prompt, files=files) if files else prompt), call)

    def _files_of(self, job: ReceivedJob, job_type: JobType) -> tuple[JobFile, ...]:
        if not job.attachments:
            return ()
        # Imported here: jobs without files are not to wait for it at a cold start.
        from ai_jobs.service.attached_files import files_of
        from ai_jobs.service.attachment_checks import check_rules

        check_rules(job.attachments, job_type.attachments, job_type.name)
        return files_of(job, self._bucket)
