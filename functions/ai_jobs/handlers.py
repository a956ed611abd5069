"""What the author of a handler imports: a handler is a job type's own function, in place of a prompt.

    from ai_jobs.handlers import Context, InvalidInput, Job

    def summarize(job: Job, context: Context) -> dict[str, object] | str:
        if not job.input["pages"]:
            raise InvalidInput("pages", message="pages must have at least one page.")
        return context.converse(f"Summarize: {job.input['pages']}").text

What it returns is the job's result: a dict becomes the result's `json`, a string its `text`. `ai_jobs.testing` runs a
handler without AWS.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ai_jobs.contract.attachments import Attachment
from ai_jobs.contract.errors import JobError, of_kind, shown
from ai_jobs.contract.limits import LIMITS
from ai_jobs.contract.result import Usage

_LONGEST_DELAY_SECONDS = LIMITS["delay_seconds"].max


@dataclass(frozen=True)
class Job:
    """The job that the handler works on.

    Attributes:
        input: valid under the type's input schema, whose defaults are filled in. A copy: changes to it have no effect.
        attachments: the files that came with it; `Context.attachment` returns their content.
        created_at: when the job was submitted.
        deadline_at: when the job's time is up. What is left for this attempt is `Context.seconds_left`.
        attempt: 1 for the first. A job may run more than once, so whatever a handler does elsewhere must be idempotent.
        trace_id: the caller's own trace id, or X-Ray's.
    """

    id: str
    user_id: str
    job_type: str
    input: dict[str, Any]
    attachments: tuple[Attachment, ...]
    created_at: datetime
    deadline_at: datetime
    attempt: int
    trace_id: str | None = None


@dataclass(frozen=True)
class ModelAnswer:
    """What a model answered.

    Attributes:
        text: the answer; empty if it is JSON.
        json: the document, if an output schema was given; it satisfies that schema.
        usage: the tokens of all calls that led to the answer.
        model: the id of the model that answered: the type's, or one of its fallback models.
        truncated: True when it reached `max_tokens` and the text is cut off.
    """

    text: str
    json: Any
    usage: Usage
    model: str
    truncated: bool = False


class Context(Protocol):
    """What a handler can use while it works on a job; safe to share between threads that it starts."""

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """Writes to the function's log; each line has the job's `jobId`, `userId`, `jobType`, `attempt`, `traceId`."""

    def converse(
        self,
        prompt: str,
        *,
        system: str | None = None,
        attachments: Sequence[str] = (),
        output_schema: Mapping[str, Any] | None = None,
    ) -> ModelAnswer:
        """Ask the job type's model, with the type's settings.

        The call counts toward the token budget and the job's usage and cost. If a model refuses, the type's next one is
        asked. An answer that breaks the output schema is corrected as often as the type's `output.repairs` allows: once
        by default.

        Args:
            attachments: the names of those files of the job that go to the model with the prompt. At most 5 may be
                documents.
            output_schema: the JSON Schema (draft-04) of a JSON object, if the answer must be one.

        Raises:
            JobError: why there is no answer. A handler that does not catch it leaves the job to the service, which
                waits, retries, or gives up as for any other job, and then runs the handler again from its beginning.
                `ATTACHMENT_NOT_FOUND` if the job has no file of this name, `OUTPUT_INVALID` if the last correction
                still breaks the schema, `INVALID_CONFIGURATION` if a text is blank or the schema can't be used.
        """

    def attachment(self, name: str) -> bytes:
        """The content of one of the job's files.

        Raises:
            JobError: `ATTACHMENT_NOT_FOUND` if the job has no file of this name, or the file is gone;
                `INVALID_ATTACHMENT` if it is not what its media type says.
        """

    def seconds_left(self) -> float:
        """How long the handler may still work: the type's `timeout_seconds`, minus what has passed; never negative."""


Handler = Callable[[Job, Context], dict[str, Any] | str]
"""A job type's own function."""


class InvalidInput(JobError):  # noqa: N818  # raised in authors' code, where it should read well
    """The job can't succeed because of its input: it fails with `INVALID_INPUT`, and is not tried again.

    Args:
        field: the field at fault, as a dotted path below `input`, such as `pages.0`.
        message: for the person who submitted the job: what is wrong, the rule, and what to do.
    """

    def __init__(self, field: str, *, message: str = "") -> None:
        at = f"input.{field}" if field else "input"
        super().__init__("INVALID_INPUT", message or f"{at} is not valid.", at)


class RetryLater(JobError):  # noqa: N818
    """The job should be tried again later: it waits as `RETRY_LATER`, until its deadline, and uses up no retry.

    The handler then starts from its beginning, so that model calls that it has made are made, and billed, again.

    Args:
        seconds: how long to wait at least, from 1 to 900.
        reason: for the person who submitted the job, who sees it if the deadline passes first.

    Raises:
        JobError: `INVALID_CONFIGURATION` when `seconds` is outside its bounds.
    """

    def __init__(self, seconds: float, *, reason: str = "") -> None:
        if (
            isinstance(seconds, bool)
            or not isinstance(seconds, int | float)
            or not 1 <= seconds <= _LONGEST_DELAY_SECONDS
        ):
            # Not a ValueError, whose text the worker keeps to itself; and the next attempt would not be better.
            rule = f"It must be a number from 1 to {_LONGEST_DELAY_SECONDS}, the longest that SQS delays a message"
            given = shown(seconds, 50) if isinstance(seconds, int | float) else of_kind(seconds)
            reason = f"The handler raises RetryLater, and its seconds is {given}. {rule}. Correct the handler."
            raise JobError("INVALID_CONFIGURATION", reason)
        whole = math.ceil(seconds)
        reason = reason or f"The handler asked to be run again after {whole} seconds."
        super().__init__("RETRY_LATER", reason, wait_seconds=whole)


class GiveUp(JobError):  # noqa: N818
    """The job can't succeed for a reason that is not one field of its input: it fails with `GIVEN_UP`, for good.

    Args:
        reason: for the person who submitted the job.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("GIVEN_UP", reason)
