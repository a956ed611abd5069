"""What boto3 raises, and which error of `ai_jobs.contract.errors` it becomes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from ai_jobs.contract.errors import CODES, AWSError, ErrorClass, JobError

CALL_ERRORS = (ClientError, BotoCoreError)
"""What a call to AWS raises, for `except`: AWS refused the call, or was not reached."""

_MODEL_CODES = {
    # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors
    "ThrottlingException": "MODEL_THROTTLED",
    "ServiceUnavailableException": "MODEL_THROTTLED",
    "ModelNotReadyException": "MODEL_THROTTLED",
    "ServiceQuotaExceededException": "MODEL_THROTTLED",
    "ModelTimeoutException": "MODEL_TIMEOUT",
    "ModelErrorException": "MODEL_ERROR",
    "InternalServerException": "MODEL_ERROR",
    "AccessDeniedException": "MODEL_ACCESS_DENIED",
    "ResourceNotFoundException": "MODEL_NOT_FOUND",
}

# Bedrock has one code for whatever is wrong with a request: only the message says that it is the prompt's length, or a
# model that does not exist.
_TOO_LONG = (
    "too long",
    "too many tokens",
    "context length",
    "context limit",  # "input length and `max_tokens` exceed context limit", of Claude
    "context window",
    "maximum number of tokens",
)
_NO_SUCH_MODEL = "model identifier is invalid"

# What models say about a file that they can't use. AWS documents no messages: most of these are from public reports of
# users of Claude. What a model does not support is not among them: that is for an operator to fix.
_UNUSABLE_FILE = re.compile(
    r"could not process (?:the )?(?:image|pdf|document)"
    r"|\b(?:images?|documents?|pdfs?)\b[\w ]{0,40}\bexceeds?\b"
    r"|image\b[\w ,]{0,80}\b(?:does not match|appears to be|corrupted|invalid|aspect ratio)"
    r"|pdf specified (?:is|was) |pdf is (?:password|encrypted)|maximum of \d+ pdf pages"
    r"|source bytes could not be parsed",
    re.IGNORECASE,
)

_REFUSALS = {
    "AccessDeniedException",
    "AccessDenied",
    "NoSuchBucket",
    "ResourceNotFoundException",
    "ValidationException",
}


def _code_and_status(error: ClientError) -> tuple[str, int]:
    details = error.response.get("Error", {})
    return details.get("Code", "Unknown"), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _code_for_status(status: int) -> str:
    if status in (429, 503):
        return "MODEL_THROTTLED"
    # Whatever the code: the account's first call of a Marketplace model, for example, gets MPAgreementBeingCreated
    # (https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html).
    if status == 403:
        return "MODEL_ACCESS_DENIED"
    return "MODEL_ERROR" if status >= 500 else "MODEL_REQUEST_REJECTED"


@contextmanager
def reported_as_model_error(
    model_id: str, named_setting: Callable[[str], str | None] = lambda _message: None
) -> Iterator[None]:
    """Raise whatever a model call raises as the JobError for that failure.

    Args:
        named_setting: which of the job type's settings a message of AWS is about, if any.
    """
    try:
        yield
    except ResponseParserError as error:
        raise malformed_model_answer(model_id, type(error).__name__) from error
    except CALL_ERRORS as error:
        raise _model_error(error, model_id, named_setting) from error


def malformed_model_answer(model_id: str, reason: str) -> JobError:
    """The job error for a model's answer that has no usable text."""
    return JobError("MALFORMED_MODEL_ANSWER", f"Model {model_id} sent an answer that can't be used ({reason}).")


def _model_error(
    error: ClientError | BotoCoreError, model_id: str, named_setting: Callable[[str], str | None]
) -> JobError:
    """The message names the model and AWS's error code, and quotes AWS if an operator has to fix something."""
    if isinstance(error, ReadTimeoutError):
        return JobError("MODEL_TIMEOUT", f"Model {model_id} gave no answer within the job type's timeout.")
    if isinstance(error, ParamValidationError):
        return JobError("MODEL_REQUEST_REJECTED", f"The call to model {model_id} is malformed. Check the job type.")
    if isinstance(error, BotoCoreError):
        return JobError("MODEL_UNREACHABLE", f"Model {model_id} could not be reached ({type(error).__name__}).")
    aws_code, status = _code_and_status(error)
    aws_message = error.response.get("Error", {}).get("Message", "")
    if aws_code == "ValidationException" and any(hint in aws_message.lower() for hint in _TOO_LONG):
        return JobError("INPUT_TOO_LONG", f"The rendered prompt is too long for model {model_id}.", "input")
    if aws_code == "ValidationException" and _UNUSABLE_FILE.search(aws_message):
        reason = f"Model {model_id} can't use a file of the job: {aws_message.rstrip('.')}."
        return JobError("INVALID_ATTACHMENT", f"{reason} Replace the file, or omit it.", "attachments")
    code = _MODEL_CODES.get(aws_code) or _code_for_status(status)
    if aws_code == "ValidationException" and _NO_SUCH_MODEL in aws_message.lower():
        code = "MODEL_NOT_FOUND"
    answer = f"Model {model_id} answered {aws_code} (HTTP {status})"
    setting = named_setting(aws_message) if code == "MODEL_REQUEST_REJECTED" else None
    if setting:
        advice = f"It does not accept the job type's {setting}. Change or omit it."
        return JobError(code, f"{answer}: {aws_message} {advice}", setting)
    needs_operator = CODES[code] is ErrorClass.OPERATOR and aws_message
    return JobError(code, f"{answer}: {aws_message}" if needs_operator else f"{answer}.")


def was_refused(error: BaseException) -> bool:
    """Did AWS answer the call with an error (rather than not at all)?"""
    return isinstance(error, ClientError)


def code_of(error: BaseException) -> str:
    """AWS's error code if AWS refused the call, otherwise the name of what went wrong on the way."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__


def message_of(error: BaseException) -> str:
    """AWS's own message if AWS refused the call and gave one, otherwise empty."""
    return str(error.response["Error"].get("Message", "")) if isinstance(error, ClientError) else ""


@contextmanager
def reported_as_aws_error(action: str, target: str) -> Iterator[None]:
    """Raise whatever a call to AWS outside a job's work raises as an AWSError.

    Args:
        action, target: what the call does and to what, such as `send to` and a queue's URL.
    """
    try:
        yield
    except CALL_ERRORS as error:
        raise AWSError(f"Cannot {action} {target}: {error}", code_of(error)) from error


def operation_of(error: BaseException) -> str:
    """The API operation that AWS refused, such as `GetQueueAttributes`; empty if the call did not get there."""
    return str(error.operation_name) if isinstance(error, ClientError) else ""


@contextmanager
def reported_as_job_error(dependency: str) -> Iterator[None]:
    """Raise whatever a call to a service that the job needs, such as `DynamoDB`, raises as a JobError."""
    try:
        yield
    except CALL_ERRORS as error:
        raise dependency_error(error, dependency) from error


def dependency_error(error: ClientError | BotoCoreError, dependency: str) -> JobError:
    """The job error for a failed call to a service that the job needs: it refused, or is unavailable for now."""
    if isinstance(error, ClientError):
        aws_code, status = _code_and_status(error)
        code = "DEPENDENCY_REFUSED" if aws_code in _REFUSALS else "DEPENDENCY_UNAVAILABLE"
        return JobError(code, f"{dependency} answered {aws_code} (HTTP {status}).")
    return JobError("DEPENDENCY_UNAVAILABLE", f"{dependency} could not be reached ({type(error).__name__}).")
