"""What can go wrong with a job, and what the system then does: the only table of error classes and codes."""

from __future__ import annotations

import json
from enum import StrEnum

from ai_jobs.contract.documents import whole


class ErrorClass(StrEnum):
    """How a failure is handled; the classes are those of the contract (docs/how-it-works.md)."""

    INVALID = "invalid"
    """The job itself is wrong: `failed` immediately. No retry, no dead-lettered message."""

    OPERATOR = "operator"
    """The setup is wrong: `failed` immediately, and sent to the DLQ. A redrive after the fix succeeds."""

    THROTTLED = "throttled"
    """Something is busy: a delayed copy replaces the message. Uses no receive; ends at the deadline."""

    TRANSIENT = "transient"
    """May pass: retried after a backoff, within maxReceiveCount."""

    EXHAUSTED = "exhausted"
    """The last receive is used up or the deadline has passed: `failed`, and sent to the DLQ."""

    CRASH = "crash"
    """Nobody is left to finish the job: the reconciler sets it to `failed`."""

    NOT_A_JOB = "not_a_job"
    """The message does not stand for a job of its own: sent to the DLQ, and no row is written."""

    @property
    def metric_name(self) -> str:
        """The metric that counts failures of this class, such as `ThrottledErrors`."""
        return "".join(word.capitalize() for word in self.value.split("_")) + "Errors"


CODES: dict[str, ErrorClass] = {
    "INVALID_MESSAGE": ErrorClass.INVALID,
    "UNKNOWN_JOB_TYPE": ErrorClass.INVALID,
    "INVALID_INPUT": ErrorClass.INVALID,
    "UNDEFINED_FIELD": ErrorClass.INVALID,
    "INPUT_TOO_LONG": ErrorClass.INVALID,
    "INPUT_NOT_FOUND": ErrorClass.INVALID,
    "INVALID_ATTACHMENT": ErrorClass.INVALID,
    "ATTACHMENT_NOT_FOUND": ErrorClass.INVALID,
    "GIVEN_UP": ErrorClass.INVALID,
    "GUARDRAIL_INTERVENED": ErrorClass.INVALID,
    "CONTENT_FILTERED": ErrorClass.INVALID,
    "JOB_FAILED": ErrorClass.INVALID,
    "UNSUPPORTED_SCHEMA_VERSION": ErrorClass.OPERATOR,
    "INVALID_CONFIGURATION": ErrorClass.OPERATOR,
    "INVALID_PROMPT": ErrorClass.OPERATOR,
    "MODEL_ACCESS_DENIED": ErrorClass.OPERATOR,
    "MODEL_NOT_FOUND": ErrorClass.OPERATOR,
    "MODEL_REQUEST_REJECTED": ErrorClass.OPERATOR,
    "OUTPUT_INVALID": ErrorClass.OPERATOR,
    "HANDLER_NOT_FOUND": ErrorClass.OPERATOR,
    "DEPENDENCY_REFUSED": ErrorClass.OPERATOR,
    "MODEL_THROTTLED": ErrorClass.THROTTLED,
    "MODEL_ACCESS_PENDING": ErrorClass.THROTTLED,
    "DEPENDENCY_UNAVAILABLE": ErrorClass.THROTTLED,
    "NOT_ENOUGH_TIME": ErrorClass.THROTTLED,
    "BUDGET_EXHAUSTED": ErrorClass.THROTTLED,
    "RETRY_LATER": ErrorClass.THROTTLED,
    "MODEL_TIMEOUT": ErrorClass.TRANSIENT,
    "MODEL_ERROR": ErrorClass.TRANSIENT,
    "MODEL_UNREACHABLE": ErrorClass.TRANSIENT,
    "MALFORMED_MODEL_ANSWER": ErrorClass.TRANSIENT,
    "HANDLER_FAILED": ErrorClass.TRANSIENT,
    "HANDLER_TIMEOUT": ErrorClass.TRANSIENT,
    "INTERNAL_ERROR": ErrorClass.TRANSIENT,
    "NO_ROOM_TO_WAIT": ErrorClass.TRANSIENT,
    "RESULT_NOT_STORED": ErrorClass.TRANSIENT,
    "RETRIES_EXHAUSTED": ErrorClass.EXHAUSTED,
    "DEADLINE_EXCEEDED": ErrorClass.EXHAUSTED,
    "WORKER_CRASHED": ErrorClass.CRASH,
    "JOB_STALLED": ErrorClass.CRASH,
    "ENQUEUE_FAILED": ErrorClass.CRASH,
    "NOT_A_JOB": ErrorClass.NOT_A_JOB,
    "NOT_A_RESULT": ErrorClass.NOT_A_JOB,
    "JOB_UNKNOWN": ErrorClass.NOT_A_JOB,
    "JOB_ID_CONFLICT": ErrorClass.NOT_A_JOB,
}
"""Every code that a job's `error` or a dead-lettered message can carry, and its class."""

JOB_ID_TAKEN = "Another job has this jobId. Choose a new one."
"""The message of `JOB_ID_CONFLICT`, wherever it is found."""

NO_ROW = "The jobs table has no row for this job. The row expired, or no worker ever claimed the job."
"""The message of `JOB_UNKNOWN`."""

_MESSAGE_LIMIT = 1000
_FIELD_LIMIT = 256
_VALUE_LIMIT = 200


def _shortened(text: str, limit: int) -> str:
    text = whole(text)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def shown(value: object, limit: int = _VALUE_LIMIT) -> str:
    """A value as messages quote it: in JSON's notation, cut to a length that leaves room for the rest.

    A text keeps its backslashes and quotes as they are: a pattern must look like the one that its author wrote.
    """
    if isinstance(value, str):
        return f'"{_shortened(_printable(value[: limit + 1]), limit - 2)}"'
    try:
        text = json.dumps(value, ensure_ascii=False)
    except TypeError:
        text = repr(value)  # only a caller in Python can pass what JSON does not have
    except (RecursionError, ValueError):  # nested too deeply, or an integer with more digits than Python writes
        text = "too large to show"
    return _shortened(_printable(text), limit)


def plural(number: int, word: str) -> str:
    """`1 message`, `2 messages`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def of_kind(value: object) -> str:
    """The type of a value with its article, as in "is an int"."""
    name = type(value).__name__
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name}"


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in whole(text))


def error_body(code: str, message: str, field: str | None = None) -> dict[str, str]:
    """`{code, message, field?}`, cut to lengths that fit wherever an error goes: it may quote what a caller sent."""
    body = {"code": code, "message": _shortened(message, _MESSAGE_LIMIT)}
    return body | ({"field": _shortened(field, _FIELD_LIMIT)} if field else {})


class AIJobsError(Exception):
    """Whatever this library raises on purpose; the cause, if there is one, is chained.

    Args:
        code: the code of the failure: AWS's, the API's, or one of ours.
        job_id: the job that the error is about, if there is one and it is known.
    """

    def __init__(self, message: str, code: str = "Unknown", job_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.job_id = job_id


class AWSError(AIJobsError):
    """A call to AWS outside a job's work failed: the service was unreachable or refused. `code` is AWS's."""


class JobError(AIJobsError):
    """A failure of one job, with a code from `CODES`.

    Args:
        code: a key of `CODES`; it decides the error class.
        message: for the person who submitted the job; never repeats input or model text.
        field: the field at fault as a dotted path, such as `input.bedrooms`.
        wait_seconds: of a throttled job, how long it waits at least; None for the service's own backoff.

    Raises:
        KeyError: when the code is not in the table.
    """

    def __init__(self, code: str, message: str, field: str | None = None, wait_seconds: int | None = None) -> None:
        self.error_class = CODES[code]
        self.wait_seconds = wait_seconds
        # Both may quote what a caller sent, and must fit into a message and a row no matter what that was.
        self.message = _shortened(message, _MESSAGE_LIMIT)
        self.field = _shortened(field, _FIELD_LIMIT) if field else None
        super().__init__(self.message, code)

    def to_body(self) -> dict[str, str]:
        """The error as it appears in messages, rows, and responses: `{code, message, field?}`."""
        return error_body(self.code, self.message, self.field)


class MisconfiguredError(AIJobsError, ValueError):
    """A part of a job type that can't be used.

    Args:
        place: where in the job type, such as `inputSchema.properties.name.pattern`.
        reason: what is wrong there and how to fix it.
    """

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}", "INVALID_CONFIGURATION")
        self.place = place


class ConfigurationError(AIJobsError):
    """A setting of the process is missing or wrong; the process must not start.

    Args:
        variable: the environment variable's name.
        problem: what is wrong and how to fix it.
    """

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable} {problem}", "INVALID_SETTING")
        self.variable = variable
