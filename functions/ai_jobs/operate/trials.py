"""Trying an input of a job type: the same model calls as a worker's, with the caller's own credentials."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ai_jobs.aws.clients import get_bedrock_client
from ai_jobs.contract.errors import ErrorClass, JobError
from ai_jobs.contract.result import JobResult, Usage
from ai_jobs.operate.tried_files import TriedFile, prompt_of
from ai_jobs.service.answering import REFUSALS, Question, answered
from ai_jobs.service.conversation import Answer, Conversation
from ai_jobs.service.job_type import JobType
from ai_jobs.service.model import call_model
from ai_jobs.service.model_prices import ModelPrice, total_cost
from ai_jobs.service.model_settings import OutputRules
from ai_jobs.service.retries import throttle_delay_seconds

# A person or a build is waiting: unlike a worker, do not go on for hours, and say at once that there are no credentials
# or that a model is slower than the type's timeout.
_MOST_TRIES_WHEN_BUSY = 6
_MOST_TRIES = {"MODEL_ERROR": 3, "MALFORMED_MODEL_ANSWER": 3}
_LONGEST_PAUSE_SECONDS = 60

Pause = Callable[[JobError, int], None]
"""Waits for these seconds, because of this error."""


def sleep(_: JobError, seconds: int) -> None:
    """Wait, and say nothing."""
    time.sleep(seconds)


@dataclass(frozen=True)
class Trial:
    """What became of an input, and what it took.

    Attributes:
        result: the answer; None if there is none that a job could have completed with.
        error: why there is none.
        answer: the last that a model gave, whether or not it could be used; None if there is none.
        calls: how many calls a model answered, whether or not the answer could be used.
        usage: the tokens of these calls.
        cost: of these calls, in US dollars; None if the price of a model is not known.
        seconds: how long a model worked, without the pauses before further tries.
        retried: the codes of the errors after which the input was tried again, as a worker does.
    """

    result: JobResult | None
    error: JobError | None
    answer: Answer | None
    calls: int
    usage: Usage
    cost: float | None
    seconds: float
    retried: tuple[str, ...] = ()

    def written(self) -> str:
        """What the model wrote last; JSON is indented, with its names in order. Empty without an answer."""
        if self.answer is None or self.answer.json is None:
            return self.answer.text if self.answer else ""
        return json.dumps(self.answer.json, indent=2, ensure_ascii=False, sort_keys=True)

    def to_document(self) -> dict[str, Any]:
        """The trial in JSON."""
        return {
            "status": "completed" if self.result else "failed",
            "result": self.result.to_document() if self.result else None,
            "error": self.error.to_body() if self.error else None,
            "rejectedAnswer": self.written() if self.error and self.answer else None,
            "modelCalls": self.calls,
            "usage": self.usage.to_document(),
            "estimatedCost": self.cost,
            "modelSeconds": round(self.seconds, 3),
            "retriedAfter": list(self.retried),
        }


def try_input(
    job_type: JobType,
    job_input: Mapping[str, Any],
    prices: Mapping[str, ModelPrice],
    files: Sequence[TriedFile] = (),
    pause: Pause = sleep,
) -> Trial:
    """Run an input as a worker would: check it, render the prompts, and call the model until there is an answer.

    After an error that may pass, it is tried again: up to six times if the model is busy, and up to three times if it
    failed by itself.

    Args:
        prices: by model id.
    """
    meter = _Meter(job_type, prices)
    retried: list[str] = []

    def wait(error: JobError, seconds: int) -> None:
        retried.append(error.code)
        pause(error, seconds)

    result = error = None
    try:
        question = Question.of(job_type, prompt_of(job_type, job_input, files))
        result = _until_it_passes(lambda: answered(question, meter.call), wait)
    except JobError as failure:
        error = failure
    return meter.trial(result, error, tuple(retried))


def _until_it_passes(work: Callable[[], JobResult], pause: Pause) -> JobResult:
    number = 1
    while True:
        try:
            return work()
        except JobError as error:
            busy = error.error_class is ErrorClass.THROTTLED
            if number >= (_MOST_TRIES_WHEN_BUSY if busy else _MOST_TRIES.get(error.code, 1)):
                raise
            pause(error, throttle_delay_seconds(number, _LONGEST_PAUSE_SECONDS))
        number += 1


@dataclass
class _Meter:
    """Makes the model calls of one trial, and adds up what they take."""

    job_type: JobType
    prices: Mapping[str, ModelPrice]
    answers: list[Answer] = field(default_factory=list)
    seconds: float = 0

    def call(self, model_id: str, conversation: Conversation, output: OutputRules | None) -> Answer:
        # A new client takes longer than some calls.
        get_bedrock_client(self.job_type.settings.timeout_seconds)
        started = time.monotonic()
        try:
            answer = call_model(self.job_type, model_id, conversation, output)
        except JobError as error:
            if error.code not in REFUSALS:
                self.seconds += time.monotonic() - started
            raise
        self.seconds += time.monotonic() - started
        price = self.prices.get(model_id)
        answer = replace(answer, cost=price.of(answer.usage, answer.service_tier)) if price else answer
        self.answers.append(answer)
        return answer

    def trial(self, result: JobResult | None, error: JobError | None, retried: tuple[str, ...]) -> Trial:
        usage = sum((answer.usage for answer in self.answers), Usage(0, 0))
        cost = total_cost(answer.cost for answer in self.answers)
        last = self.answers[-1] if self.answers else None
        return Trial(result, error, last, len(self.answers), usage, cost, self.seconds, retried)
