"""Model calls, within the day's token budget and the time that is left; each is counted and priced."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from aws_lambda_powertools import Logger

from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import ErrorClass, JobError
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.service import metrics
from ai_jobs.service.budget import InvocationBudget, estimated_tokens
from ai_jobs.service.conversation import Answer, Conversation
from ai_jobs.service.job_type import JobType
from ai_jobs.service.model import call_model
from ai_jobs.service.model_settings import OutputRules
from ai_jobs.service.retries import PROCESSOR_MARGIN_SECONDS, Jitter, correction_pauses_seconds
from processor.settings import ProcessorSettings

logger = Logger()

# A model call that ends this way was rejected before any work: it cost no tokens and says nothing about the model's
# speed.
_REJECTED_UNWORKED = (ErrorClass.THROTTLED, ErrorClass.OPERATOR)

Model = Callable[[JobType, str, Conversation, OutputRules | None], Answer]
"""Makes one model call: `ai_jobs.service.model.call_model`, or a stand-in for it."""


@dataclass
class Spent:
    """The tokens that one model call has cost so far, as far as we know."""

    tokens: int = 0


class ModelCalls:
    """Makes the model calls of one invocation; safe to share between its threads.

    Args:
        budget: what this invocation's jobs may use of the day's tokens.
        ends_at: when Lambda will end this invocation.
        model: makes the model call.
        clock: gives the current time.
        jitter: picks a number of seconds between two bounds.
    """

    def __init__(
        self,
        settings: ProcessorSettings,
        budget: InvocationBudget,
        ends_at: datetime,
        model: Model = call_model,
        clock: Callable[[], datetime] = timestamps.now,
        jitter: Jitter = random.uniform,
    ) -> None:
        self._settings = settings
        self._budget = budget
        self._ends_at = ends_at
        self._model = model
        self._clock = clock
        self._jitter = jitter

    def of(self, job: ReceivedJob, deadline_at: datetime) -> JobCalls:
        """The model calls of one attempt at a job."""
        return JobCalls(self, job, deadline_at, self._jitter)

    def check_time(self, seconds: float, deadline_at: datetime) -> None:
        """Check that there is time for work that may take this many seconds.

        Raises:
            JobError: `DEADLINE_EXCEEDED`, or `NOT_ENOUGH_TIME` if another invocation could do it.
        """
        now = self._clock()
        if now >= deadline_at:
            reason = f"The job could not be started before its deadline, {timestamps.to_text(deadline_at)}."
            raise JobError("DEADLINE_EXCEEDED", reason)
        if (self._ends_at - now).total_seconds() < seconds + PROCESSOR_MARGIN_SECONDS:
            reason = "The function does not have enough time left for this job. The job waits for another invocation."
            raise JobError("NOT_ENOUGH_TIME", reason)

    def call(
        self,
        job: ReceivedJob,
        job_type: JobType,
        deadline_at: datetime,
        model_id: str,
        conversation: Conversation,
        output: OutputRules | None,
        spent: Spent,
    ) -> Answer:
        """Call a model once for a job.

        Args:
            spent: is told what the call cost.

        Raises:
            JobError: why there is no answer; `BUDGET_EXHAUSTED` and what `check_time` raises among others.
        """
        most = _estimated_input(conversation, output) + job_type.settings.max_tokens
        with self._reserved(job.user_id, most, spent):
            for file in conversation.prompt.files:
                file.content_block(model_id)  # reads it: a file that is gone must not count as a call
            # Not earlier: everything up to this line may have taken a while.
            self.check_time(_seconds_needed(job_type, is_first=conversation.is_first), deadline_at)
            spent.tokens = most  # the cost of a call whose outcome is unknown
            started = time.monotonic()
            try:
                answer = self._model(job_type, model_id, conversation, output)
            except JobError as error:
                if error.error_class in _REJECTED_UNWORKED:
                    spent.tokens = 0
                _measure_failure(error, job, job_type, started)
                raise
            spent.tokens = answer.usage.total
        answer = self._priced(answer)
        _measure(answer, job, job_type, started, is_first=conversation.is_first)
        return answer

    @contextmanager
    def _reserved(self, user_id: str, tokens: int, spent: Spent) -> Iterator[None]:
        """Reserve tokens of the budget; in the end, what was spent replaces the reservation."""
        reservation = self._budget.reserve(user_id, tokens)
        try:
            yield
        finally:
            reservation.settle(spent.tokens)

    def _priced(self, answer: Answer) -> Answer:
        price = self._settings.prices.get(answer.model)
        return replace(answer, cost=price.of(answer.usage, answer.service_tier)) if price else answer


class JobCalls:
    """The model calls of one attempt at a job; safe to share between the threads of its handler."""

    def __init__(self, calls: ModelCalls, job: ReceivedJob, deadline_at: datetime, jitter: Jitter) -> None:
        self._calls = calls
        self._job = job
        self._deadline_at = deadline_at
        self._jitter = jitter
        self._spent: list[Spent] = []
        self._ended = threading.Event()

    @property
    def work_began(self) -> bool:
        """Has a model worked for the job in this attempt? Then the attempt counts, whatever it waits for now."""
        return any(spent.tokens for spent in self._spent)

    def end(self) -> None:
        """The attempt is over: no call that waits for its next try is made any longer."""
        self._ended.set()

    def check_time(self, seconds: float) -> None:
        """Check that there is time for work that may take this many seconds; see `ModelCalls.check_time`."""
        self._calls.check_time(seconds, self._deadline_at)

    def call(self, job_type: JobType, model_id: str, conversation: Conversation, output: OutputRules | None) -> Answer:
        """Call a model for the job. A correction is tried again for some seconds if the model is busy.

        Raises:
            JobError: what `ModelCalls.call` raises.
        """
        # If the job started over instead, the answer that is to be corrected would be paid for again.
        pauses = iter(()) if conversation.is_first else correction_pauses_seconds(self._jitter)
        while True:
            try:
                return self._call(job_type, model_id, conversation, output)
            except JobError as error:
                pause = next(pauses, None) if error.code == "MODEL_THROTTLED" else None
                if pause is None or not self._waited(pause, job_type):
                    raise

    def _call(self, job_type: JobType, model_id: str, conversation: Conversation, output: OutputRules | None) -> Answer:
        spent = Spent()
        self._spent.append(spent)
        return self._calls.call(self._job, job_type, self._deadline_at, model_id, conversation, output, spent)

    def _waited(self, pause_seconds: float, job_type: JobType) -> bool:
        """Wait, if there is time for that and for one more call."""
        try:
            self.check_time(pause_seconds + _seconds_needed(job_type, is_first=False))
        except JobError:
            return False
        return not self._ended.wait(pause_seconds)


def _seconds_needed(job_type: JobType, *, is_first: bool) -> int:
    if job_type.handler:
        return 0  # there was time for all of it when it began, and its own limit ends it
    # The first call needs time for those that may have to correct its answer.
    return job_type.longest_seconds if is_first else job_type.settings.timeout_seconds


def _estimated_input(conversation: Conversation, output: OutputRules | None) -> int:
    prompt = conversation.prompt
    texts = [prompt.system, prompt.user]
    # A model's reasoning may have bytes in it.
    texts += [json.dumps(message, ensure_ascii=False, default=repr) for message in conversation.further]
    if output:
        texts.append(json.dumps(output.schema, ensure_ascii=False))
    return estimated_tokens(*texts) + sum(file.estimated_tokens for file in prompt.files)


def _measure(answer: Answer, job: ReceivedJob, job_type: JobType, started: float, *, is_first: bool) -> None:
    values: dict[str, float] = {
        metrics.MODEL_LATENCY: _milliseconds_since(started),
        metrics.INPUT_TOKENS: answer.usage.input_tokens,
        metrics.OUTPUT_TOKENS: answer.usage.output_tokens,
    }
    if answer.cost is not None:
        values[metrics.ESTIMATED_COST] = answer.cost
    if answer.usage.cache_read_tokens or answer.usage.cache_write_tokens:
        values[metrics.CACHE_READ_TOKENS] = answer.usage.cache_read_tokens
        values[metrics.CACHE_WRITE_TOKENS] = answer.usage.cache_write_tokens
    if not is_first:
        values[metrics.OUTPUT_REPAIRS] = 1
    if answer.model != job_type.model_ids[0]:
        values[metrics.MODEL_FALLBACKS] = 1
        logger.info("fallback model answered", extra={"jobId": job.job_id, "model": answer.model})
    metrics.emit(values, job_type.name, job.job_id)


def _measure_failure(error: JobError, job: ReceivedJob, job_type: JobType, started: float) -> None:
    if error.code == "MODEL_THROTTLED":
        metrics.count(metrics.MODEL_THROTTLES)
    if error.error_class not in _REJECTED_UNWORKED:
        metrics.emit({metrics.MODEL_LATENCY: _milliseconds_since(started)}, job_type.name, job.job_id)


def _milliseconds_since(started: float) -> float:
    return (time.monotonic() - started) * 1000
