"""What a response means: a job, another document, or one of the exceptions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ai_jobs.client.exceptions import (
    ApiConnectionError,
    ApiError,
    BadRequestError,
    ConflictError,
    NotAllowedError,
    NotFoundError,
    ThrottledError,
    UnavailableError,
    UnexpectedAnswerError,
)
from ai_jobs.client.job import Job, job_of
from ai_jobs.client.wire import NoAnswer, Outcome, Request, Response
from ai_jobs.contract.errors import AIJobsError

# Everything that the client sends can safely be sent twice, so it also retries a 500, as the AWS SDKs do.
_MAY_PASS = frozenset({429, 500, 502, 503, 504})

_S3_ERROR = re.compile(r"<Error><Code>([A-Za-z0-9.]{1,64})</Code><Message>([^<]{0,500})")

_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequestError,
    401: NotAllowedError,
    403: NotAllowedError,
    404: NotFoundError,
    405: BadRequestError,
    409: ConflictError,
    413: BadRequestError,
    415: BadRequestError,
    429: ThrottledError,
}


def may_pass(outcome: Outcome) -> bool:
    """Is this a failure that may be temporary?"""
    if isinstance(outcome, NoAnswer):
        return outcome.may_pass
    if outcome.status not in _MAY_PASS:
        return False
    # The quota of a day or a month does not come back while the client retries.
    return b'"QUOTA_EXCEEDED"' not in outcome.body


def success(request: Request, outcome: Outcome) -> Response:
    """The response, if it is a success.

    Raises:
        ApiError: the subclass that fits the response.
        ApiConnectionError: if there is no response.
    """
    if isinstance(outcome, NoAnswer) or not 200 <= outcome.status < 300:
        raise problem_of(request, outcome)
    return outcome


def problem_of(request: Request, outcome: Outcome) -> AIJobsError:
    """The exception for what is not a success."""
    if isinstance(outcome, Response):
        return _error_of(request, outcome)
    reason = str(outcome.cause) or type(outcome.cause).__name__
    error = ApiConnectionError(f"{request.method} {request.shown_url} got no response: {reason}", request.job_id)
    error.__cause__ = outcome.cause
    return error


def document_in(request: Request, response: Response) -> dict[str, Any]:
    """The JSON object of a response. Raises UnexpectedAnswerError if there is none."""
    document = response.document()
    if document is None:
        raise unexpected(request, response, "something that is not a JSON object")
    return document


def job_in(request: Request, response: Response, known: Mapping[str, Any] | None = None) -> Job:
    """The job of a response, with what is known about it already.

    Raises:
        UnexpectedAnswerError: if it is not a job, or not the one that the request is about.
    """
    document = document_in(request, response)
    try:
        job = job_of({**(known or {}), **document})
    except ValueError as error:
        raise unexpected(request, response, str(error)) from error
    if job.job_id != request.job_id:
        raise _about_another_job(request, response, job.job_id)
    return job


def _error_of(request: Request, response: Response) -> ApiError:
    """The exception for a response that is not a success."""
    error = _documented_error(response) or (None if request.signed else _error_of_s3(response))
    if error is None:
        return _without_document(request, response)
    kind = UnavailableError if response.status >= 500 else _BY_STATUS.get(response.status, ApiError)
    return kind(response.status, *error, response.request_id, request.job_id)


def unexpected(request: Request, response: Response, problem: str) -> UnexpectedAnswerError:
    """The exception for a response that this API would not send; it shows the beginning."""
    message = f"{request.method} {request.shown_url} returned {problem}: {response.text()!r}; check the API's URL"
    return UnexpectedAnswerError(
        response.status, "UNEXPECTED_ANSWER", message, None, response.request_id, request.job_id
    )


def _about_another_job(request: Request, response: Response, other_id: str) -> UnexpectedAnswerError:
    """The exception for a response about another job, which the caller must not take for their own."""
    message = (
        f"{request.method} {request.shown_url} returned the job {other_id!r:.140}: something on the way mixes up "
        "responses; look for a cache or a proxy in front of the API, and for a connection that two processes share"
    )
    return UnexpectedAnswerError(response.status, "WRONG_JOB", message, None, response.request_id, request.job_id)


def _documented_error(response: Response) -> tuple[str, str, str | None] | None:
    error = (response.document() or {}).get("error")
    if not isinstance(error, dict):
        return None
    code, message, field = error.get("code"), error.get("message"), error.get("field")
    if not (isinstance(code, str) and isinstance(message, str)):
        return None
    return code, message, field if isinstance(field, str) else None


def _error_of_s3(response: Response) -> tuple[str, str, None] | None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#RESTErrorResponses"""
    found = _S3_ERROR.search(response.body.decode(errors="replace"))
    return (found[1], f"S3 refused the request: {found[2]}", None) if found else None


def _without_document(request: Request, response: Response) -> ApiError:
    # Whatever is in front of the API (a load balancer, a proxy) has its own words for a temporary failure.
    if response.status >= 500 or response.status == 429:
        kind = ThrottledError if response.status == 429 else UnavailableError
        message = f"{request.method} {request.shown_url} got a response that is not the API's own: {response.text()!r}"
        return kind(response.status, "UNEXPECTED_ANSWER", message, None, response.request_id, request.job_id)
    return unexpected(request, response, f"status {response.status} and no error document")
