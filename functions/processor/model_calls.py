"""The model call of a claimed job, within the day's token budget and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger

from ai_jobs.aws import objects
from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import ErrorClass, JobError
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.contract.result import JobResult
from ai_jobs.service import metrics
from ai_jobs.service.budget import InvocationBudget, estimated_tokens
from ai_jobs.service.job_types import JobType, JobTypes, Prompt
from ai_jobs.service.model import call_model
from ai_jobs.service.retries import PROCESSOR_MARGIN_SECONDS
from processor.settings import ProcessorSettings

logger = Logger()

# A model call that ends this way was rejected before any work: it cost no tokens and says nothing about the model's
# speed.
_REJECTED_UNWORKED = (ErrorClass.THROTTLED, ErrorClass.OPERATOR)

# How a model or guardrail that was replaced answers: workers keep the old job types for up to `config_max_age_seconds`,
# while the role's policy changes at once.
_MAYBE_REPLACED = ("MODEL_ACCESS_DENIED", "MODEL_NOT_FOUND")


@dataclass
class _Spent:
    """The tokens that one model call has cost so far, as far as we know."""

    tokens: int = 0


class ModelCalls:
    """Calls models for the jobs of one invocation; safe to share between its threads.

    Args:
        budget: what this invocation's jobs may use of the day's tokens.
        reread: reads the job types again, for when those at hand may be outdated.
        ends_at: when Lambda will end this invocation.
        model: makes the model call.
        clock: gives the current time.
    """

    def __init__(
        self,
        settings: ProcessorSettings,
        budget: InvocationBudget,
        reread: Callable[[], JobTypes],
        ends_at: datetime,
        model: Callable[[JobType, Prompt], JobResult] = call_model,
        clock: Callable[[], datetime] = timestamps.now,
    ) -> None:
        self._settings = settings
        self._budget = budget
        self._reread = reread
        self._ends_at = ends_at
        self._model = model
        self._clock = clock

    def answer(self, job: ReceivedJob, deadline_at: datetime, job_types: JobTypes | JobError) -> JobResult:
        """Check the job and return the model's answer to it.

        If the model denies access or no longer exists, the job's type may name another one by now. Then that is called.

        Args:
            job_types: the configuration, or why there is none.

        Raises:
            JobError: why there is no answer; its class says what becomes of the job (ai_jobs.contract.errors).
        """
        job.check()
        if isinstance(job_types, JobError):
            raise JobError(job_types.code, job_types.message)
        job_type = job_types.get(job.job_type)
        job_input = self._input_of(job)
        try:
            return self._call(job, job_type, job_type.prepare(job_input), deadline_at)
        except JobError as error:
            replacement = self._replacement(job_type, deadline_at) if error.code in _MAYBE_REPLACED else None
            if replacement is None:
                raise
        logger.info("model was replaced", extra={"jobId": job.job_id, "model": replacement.model_id})
        return self._call(job, replacement, replacement.prepare(job_input), deadline_at)

    def _input_of(self, job: ReceivedJob) -> dict[str, Any]:
        if job.input_location is None:
            return dict(job.input)
        return objects.read_input(self._settings.bucket, job.input_location)

    def _replacement(self, job_type: JobType, deadline_at: datetime) -> JobType | None:
        """What the job's type has become, if that calls something else and there is time to call it.

        Raises:
            JobError: when the type no longer exists, or is broken now: jobs of later batches fail the same way.
        """
        try:
            self._check_time(job_type, deadline_at)
        except JobError:
            return None
        current = self._reread().get(job_type.name)
        return None if current.called == job_type.called else current

    def _call(self, job: ReceivedJob, job_type: JobType, prompt: Prompt, deadline_at: datetime) -> JobResult:
        most = estimated_tokens(prompt.system, prompt.user) + job_type.max_tokens
        with self._reserved(job.user_id, most) as spent:
            # Not earlier: everything up to this line may have taken a while.
            self._check_time(job_type, deadline_at)
            spent.tokens = most  # the cost of a call whose outcome is unknown
            started = time.monotonic()
            try:
                result = self._model(job_type, prompt)
            except JobError as error:
                if error.error_class in _REJECTED_UNWORKED:
                    spent.tokens = 0
                _measure_failure(error, job, job_type, started)
                raise
            spent.tokens = result.usage.input_tokens + result.usage.output_tokens
            self._measure(result, job, job_type, started)
            return result

    def _check_time(self, job_type: JobType, deadline_at: datetime) -> None:
        now = self._clock()
        if now >= deadline_at:
            reason = f"The job could not be started before its deadline, {timestamps.to_text(deadline_at)}."
            raise JobError("DEADLINE_EXCEEDED", reason)
        if (self._ends_at - now).total_seconds() < job_type.timeout_seconds + PROCESSOR_MARGIN_SECONDS:
            reason = (
                "The function does not have enough time left for this model call. The job waits for another invocation."
            )
            raise JobError("NOT_ENOUGH_TIME", reason)

    @contextmanager
    def _reserved(self, user_id: str, tokens: int) -> Iterator[_Spent]:
        """Reserve tokens of the budget; in the end, what was spent replaces the reservation."""
        reservation = self._budget.reserve(user_id, tokens)
        spent = _Spent()
        try:
            yield spent
        finally:
            reservation.settle(spent.tokens)

    def _measure(self, result: JobResult, job: ReceivedJob, job_type: JobType, started: float) -> None:
        values: dict[str, float] = {
            metrics.MODEL_LATENCY: _milliseconds_since(started),
            metrics.INPUT_TOKENS: result.usage.input_tokens,
            metrics.OUTPUT_TOKENS: result.usage.output_tokens,
        }
        price = self._settings.prices.get(job_type.model_id)
        if price:
            values[metrics.ESTIMATED_COST] = price.of(result.usage)
        metrics.emit(values, job_type.name, job.job_id)


def _measure_failure(error: JobError, job: ReceivedJob, job_type: JobType, started: float) -> None:
    if error.code == "MODEL_THROTTLED":
        metrics.count(metrics.MODEL_THROTTLES)
    if error.error_class not in _REJECTED_UNWORKED:
        metrics.emit({metrics.MODEL_LATENCY: _milliseconds_since(started)}, job_type.name, job.job_id)


def _milliseconds_since(started: float) -> float:
    return (time.monotonic() - started) * 1000
