"""What a handler sees of the service while it works on a job."""

from __future__ import annotations

import functools
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ai_jobs.contract.attachments import MAX_DOCUMENTS, Attachment
from ai_jobs.contract.documents import whole
from ai_jobs.contract.errors import JobError, MisconfiguredError, of_kind, shown
from ai_jobs.contract.result import JobResult, Usage
from ai_jobs.handlers import Job, ModelAnswer
from ai_jobs.service.answering import Call, Question, answered
from ai_jobs.service.conversation import Answer, Conversation
from ai_jobs.service.job_type import AttachedFile, JobType, Prompt
from ai_jobs.service.model_prices import total_cost
from ai_jobs.service.model_settings import OutputRules
from ai_jobs.service.schemas import compile_schema

# As often as a type whose `output` says nothing (ai_jobs.service.job_type_document).
_REPAIRS = 1


class JobFile(AttachedFile, Protocol):
    """A file of the job: for the handler itself, and for a model."""

    @property
    def attachment(self) -> Attachment:
        """What the handler sees of it in `Job.attachments`."""

    def content(self) -> bytes:
        """Its bytes. Raises JobError `ATTACHMENT_NOT_FOUND` or `INVALID_ATTACHMENT`."""


class HandlerEnded(BaseException):
    """Raised in a thread of a handler that has returned or exceeded its time, so that it stops.

    Not an Exception: `except Exception` in a loop would keep the thread going.
    """


@dataclass(frozen=True)
class Returned:
    """What a handler returned: a text or, if that is None, a document."""

    text: str | None
    json: Any = None


class HandlerContext:
    """`ai_jobs.handlers.Context` for one run of a handler, until it is closed.

    Args:
        call: makes the model calls.
        files: of the job.
        logger: where the handler's lines go.
        seconds: how long the handler may work; an attribute, too.
        clock: gives a time in seconds that only moves forward.
    """

    def __init__(
        self,
        job: Job,
        job_type: JobType,
        call: Call,
        files: Sequence[JobFile],
        logger: logging.Logger,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job_type = job_type
        self._files = {file.attachment.name: file for file in files}
        self._logger = _JobLogger(logger, _ids(job))
        self._clock = clock
        self.seconds = seconds
        self._ends_at = clock() + seconds
        self._model_call = call
        self._answers: list[Answer] = []
        self._closed = threading.Event()

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """See `Context.logger`."""
        return self._logger

    def converse(
        self,
        prompt: str,
        *,
        system: str | None = None,
        attachments: Sequence[str] = (),
        output_schema: Mapping[str, Any] | None = None,
    ) -> ModelAnswer:
        """See `Context.converse`."""
        self._check_open()
        files = tuple(self._file(name) for name in _checked_names(attachments))
        if sum(file.attachment.is_document for file in files) > MAX_DOCUMENTS:
            rule = f"A model call takes at most {MAX_DOCUMENTS} documents. Make several calls."
            raise ValueError(f"attachments is {shown(list(attachments), 200)}. {rule}")
        asked = Prompt(_checked(system, "system") if system is not None else None, _checked(prompt, "prompt"), files)
        output = self._rules(output_schema) if output_schema is not None else None
        result = answered(Question(self._job_type.model_ids, asked, output), self._call)
        text = result.text if output is None else ""
        return ModelAnswer(text, result.json, result.usage, result.model, result.truncated)

    def attachment(self, name: str) -> bytes:
        """See `Context.attachment`."""
        self._check_open()
        return self._file(name).content()

    def seconds_left(self) -> float:
        """See `Context.seconds_left`."""
        return max(0.0, self._ends_at - self._clock())

    def close(self) -> None:
        """Stop the handler's threads that are left: none can call a model for a job that has its verdict."""
        self._closed.set()

    def result(self, returned: Returned) -> JobResult:
        """The job's result: what the handler returned, with the sums of its model calls."""
        last = self._answers[-1] if self._answers else None
        return JobResult(
            text=returned.text or "",
            json=returned.json,
            model=last.model if last else "",
            usage=sum((answer.usage for answer in self._answers), Usage(0, 0)),
            stop_reason="",
            truncated=False,
            model_calls=len(self._answers),
            service_tier=last.service_tier if last else None,
            estimated_cost=total_cost(answer.cost for answer in self._answers) if last else None,
        )

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise HandlerEnded("The handler has ended, or exceeded its time. Its context can't be used any longer.")

    def _call(self, model_id: str, conversation: Conversation, output: OutputRules | None) -> Answer:
        self._check_open()
        answer = self._model_call(model_id, conversation, output)
        # Here, so that answers count that led to none that could be used.
        self._answers.append(answer)
        self._check_open()
        return answer

    def _file(self, name: str) -> JobFile:
        if name not in self._files:
            rule = f"The names of its attachments are: {', '.join(map(shown, self._files)) or 'none'}."
            reason = f"The job has no attachment {shown(name)}. {rule}"
            raise JobError("ATTACHMENT_NOT_FOUND", reason, "attachments")
        return self._files[name]

    def _rules(self, schema: Mapping[str, Any]) -> OutputRules:
        rules = self._job_type.output
        try:
            check = _compiled(json.dumps(schema))
        except MisconfiguredError as error:
            reason = f"The handler {self._job_type.handler} asks a model for JSON with an unusable schema. {error}"
            raise JobError("INVALID_CONFIGURATION", reason) from error
        return OutputRules(schema, rules.mode if rules else None, rules.repairs if rules else _REPAIRS, check)


@functools.lru_cache(maxsize=64)
def _compiled(schema: str) -> Callable[[Any, str], Any]:
    # A handler has a few schemas, and uses them for every job.
    return compile_schema(json.loads(schema), "output_schema", fill_in_defaults=False)


def _checked(text: object, name: str) -> str:
    if not isinstance(text, str) or not text.strip():
        # Not a ValueError, whose text the worker keeps to itself; nor the value, which may come from the input.
        given = "blank" if isinstance(text, str) else of_kind(text)
        reason = f"The handler calls converse, and its {name} is {given}. It must be a non-empty string."
        raise JobError("INVALID_CONFIGURATION", f"{reason} Correct the handler.")
    return whole(text)


def _checked_names(names: Sequence[str]) -> Sequence[str]:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        rule = "It must be a list of names of the job's files."
        raise ValueError(f"attachments is {shown(names, 50)}. {rule}")
    for place, name in enumerate(names):
        if name in names[:place]:
            raise ValueError(f"attachments has {shown(name)} twice. Name each file once.")
    return names


def _ids(job: Job) -> dict[str, object]:
    ids = {"jobId": job.id, "userId": job.user_id, "jobType": job.job_type, "attempt": job.attempt}
    return ids | ({"traceId": job.trace_id} if job.trace_id else {})


class _JobLogger(logging.LoggerAdapter[logging.Logger]):
    """Adds the job's ids to what the caller adds; before Python 3.13, an adapter can only replace it."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return msg, {**kwargs, "extra": {**(kwargs.get("extra") or {}), **(self.extra or {})}}
