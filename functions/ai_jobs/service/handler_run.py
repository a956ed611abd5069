"""One run of a handler: its time limit, what its errors mean, and what it may return."""

from __future__ import annotations

import json
import sys
import traceback
from concurrent.futures import wait
from typing import Any, cast

from ai_jobs.contract import documents
from ai_jobs.contract.errors import CODES, ErrorClass, JobError, of_kind
from ai_jobs.contract.result import JobResult
from ai_jobs.handlers import Handler, Job, RetryLater
from ai_jobs.service import structured_output
from ai_jobs.service.abandonable import in_the_background
from ai_jobs.service.answering import problem_of
from ai_jobs.service.handler_context import HandlerContext, Returned
from ai_jobs.service.job_type import JobType

# What can go wrong with a job while a handler works on it, and the deadline, which `Context.converse` may find passed.
# The other codes are verdicts of the service: whoever finds one in a row concludes that the worker died, for example.
_CLASSES = (ErrorClass.INVALID, ErrorClass.OPERATOR, ErrorClass.THROTTLED, ErrorClass.TRANSIENT)
_CODES = {code for code, error_class in CODES.items() if error_class in _CLASSES} | {"DEADLINE_EXCEEDED"}

_RULE = "A handler must return a dict, whose keys are strings and whose values JSON can express, or a str."


def run_handler(function: Handler, job: Job, job_type: JobType, context: HandlerContext) -> JobResult:
    """Call the handler, and wait for it as long as the context allows.

    Raises:
        JobError: what the handler raised, if it is one; `HANDLER_FAILED` for every other exception, which is its
            cause; `HANDLER_TIMEOUT`; `OUTPUT_INVALID` if what it returned can't be the job's result;
            `INVALID_CONFIGURATION` if the type's output schema itself fails.
    """
    # What it returned is checked there, too: a dict of a class of its own can do anything when it is read.
    running = in_the_background(lambda: _checked(function(job, context), job_type), f"handler of {job.id}")
    done, _ = wait([running], timeout=context.seconds_left())
    context.close()
    if not done:
        raise JobError("HANDLER_TIMEOUT", _timeout(job_type, context.seconds))
    error = running.exception()
    if error is not None:
        raise _job_error(error, function) from error
    return context.result(running.result())


def _timeout(job_type: JobType, seconds: float) -> str:
    rule = "Raise the type's timeout_seconds, or let the handler look at context.seconds_left()"
    return f"The handler {job_type.handler} did not return within its timeout_seconds, {seconds:g} seconds. {rule}."


def _job_error(error: BaseException, function: Handler) -> JobError:
    # As a new one: the handler's may be of a class whose attributes are missing or of other types.
    try:
        if isinstance(error, RetryLater):
            return RetryLater(cast("int", error.wait_seconds), reason=error.message)
        if isinstance(error, JobError) and error.code in _CODES:
            return JobError(error.code, error.message, error.field)
    except Exception:  # noqa: BLE001
        return _failed(error, function)
    return _failed(error, function)


def _failed(error: BaseException, function: Handler) -> JobError:
    # Not the exception's text, which may quote the input.
    reason = f"The handler raised {type(error).__name__}{_line(error, function)}. The function's log has the traceback."
    return JobError("HANDLER_FAILED", reason)


def _line(error: BaseException, function: Handler) -> str:
    """Where in the handler's own file the exception came from; else where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    file = getattr(sys.modules.get(getattr(function, "__module__", "")), "__file__", None)
    frame = next((frame for frame in reversed(frames) if frame.filename == file), frames[-1] if frames else None)
    return f" in {frame.filename.rsplit('/', 1)[-1]}, line {frame.lineno}" if frame else ""


def _checked(value: object, job_type: JobType) -> Returned:
    if isinstance(value, str):
        if job_type.output:
            rule = "The job type has an output_schema, so that its handler must return a dict."
            raise JobError("OUTPUT_INVALID", f"The handler returned a str. {rule}", structured_output.NAME)
        return Returned(_plain(value))
    if not isinstance(value, dict):
        raise JobError("OUTPUT_INVALID", f"The handler returned {of_kind(value)}. {_RULE}")
    fault = structured_output.fault_for_row(value)
    if fault:
        raise JobError("OUTPUT_INVALID", f"In what the handler returned, {fault}", fault.place)
    document = _plain(value)
    problem = problem_of(document, job_type.output)
    if problem:
        reason = f"What the handler returned breaks the type's output schema: {problem[0]}"
        raise JobError("OUTPUT_INVALID", reason, problem[1])
    return Returned(None, document)


def _plain(value: Any) -> Any:
    """A copy as JSON has it: a thread that the handler left behind may still change what it returned."""
    return json.loads(documents.to_json(value))
