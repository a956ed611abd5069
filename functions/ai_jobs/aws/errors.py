"""What boto3 raises, and the job errors of `ai_jobs.contract.errors` that it becomes. Nobody else imports botocore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError, ReadTimeoutError

from ai_jobs.contract.errors import CODES, ErrorClass, JobError

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

_TOO_LONG = ("too long", "too many tokens", "context length", "context window", "maximum number of tokens")

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
    # Whatever its name, such as MPAgreementBeingCreated: the account's first call to a Marketplace model is on its way
    # (https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html).
    if status == 403:
        return "MODEL_ACCESS_DENIED"
    return "MODEL_ERROR" if status >= 500 else "MODEL_REQUEST_REJECTED"


def model_error(error: ClientError | BotoCoreError, model_id: str) -> JobError:
    """The job error for a failed Converse call.

    Its message names the model and AWS's error code; where an operator has to mend something, AWS's own words too.
    """
    if isinstance(error, ReadTimeoutError):
        return JobError("MODEL_TIMEOUT", f"model {model_id} gave no answer within the job type's timeout")
    if isinstance(error, ParamValidationError):
        return JobError("MODEL_REQUEST_REJECTED", f"the call to model {model_id} is malformed: check the job type")
    if isinstance(error, BotoCoreError):
        return JobError("MODEL_UNREACHABLE", f"model {model_id} could not be reached ({type(error).__name__})")
    aws_code, status = _code_and_status(error)
    aws_message = error.response.get("Error", {}).get("Message", "")
    if aws_code == "ValidationException" and any(hint in aws_message.lower() for hint in _TOO_LONG):
        return JobError("INPUT_TOO_LONG", f"the rendered prompt is too long for model {model_id}", "input")
    code = _MODEL_CODES.get(aws_code) or _code_for_status(status)
    answer = f"model {model_id} answered {aws_code} (HTTP {status})"
    needs_operator = CODES[code] is ErrorClass.OPERATOR and aws_message
    return JobError(code, f"{answer}: {aws_message}" if needs_operator else answer)


CALL_ERRORS = (ClientError, BotoCoreError)
"""What a call to AWS raises, for `except`: AWS refused it, or it did not get there."""


def was_refused(error: BaseException) -> bool:
    """Did AWS answer the call with an error (rather than not at all)?"""
    return isinstance(error, ClientError)


def code_of(error: BaseException) -> str:
    """AWS's code of a refusal, or the name of what went wrong on the way there."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__


def operation_of(error: BaseException) -> str:
    """The API operation that AWS refused, such as `GetQueueAttributes`; empty if the call did not get there."""
    return str(error.operation_name) if isinstance(error, ClientError) else ""


@contextmanager
def reported_as_job_error(dependency: str) -> Iterator[None]:
    """What a call to a service that the job needs raises, such as `DynamoDB`, as a JobError."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise dependency_error(error, dependency) from error


def dependency_error(error: ClientError | BotoCoreError, dependency: str) -> JobError:
    """The job error for a failed call to a service the job needs, such as `DynamoDB`: refused, or to be waited out."""
    if isinstance(error, ClientError):
        aws_code, status = _code_and_status(error)
        code = "DEPENDENCY_REFUSED" if aws_code in _REFUSALS else "DEPENDENCY_UNAVAILABLE"
        return JobError(code, f"{dependency} answered {aws_code} (HTTP {status})")
    return JobError("DEPENDENCY_UNAVAILABLE", f"{dependency} could not be reached ({type(error).__name__})")
