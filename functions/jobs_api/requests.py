"""What a caller asks for, read from the event that API Gateway passes to the function (Lambda proxy integration)."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ai_jobs.contract.api_errors import RequestError, of_job_error
from ai_jobs.contract.body import json_object
from ai_jobs.contract.errors import JobError, shown
from ai_jobs.contract.limits import LIMITS
from ai_jobs.contract.rules import check_job_id, check_user_id
from jobs_api.settings import TOKEN_MODES

MAX_BODY_BYTES = LIMITS["put_body_bytes"].max
"""The size limit of a body. A function accepts 6 MB, and a body travels inside a JSON string, where it grows."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        resource: the path's pattern that API Gateway matched. Not the path: behind a custom domain, that begins with a
            base path.
        path: the path as the caller wrote it.
        headers: by name in lower case.
        user_id: the user that the caller's token names; None in the modes in which the caller is trusted to say so.
        trusts_caller: whether the caller says who the user is.
        seconds_left: how long the function may still run.
    """

    method: str
    resource: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    path_parameters: Mapping[str, str]
    body: bytes
    user_id: str | None
    trusts_caller: bool
    seconds_left: Callable[[], float] = field(repr=False)

    @classmethod
    def from_event(cls, event: Mapping[str, Any], authorization: str, seconds_left: Callable[[], float]) -> Request:
        """Read the event.

        Args:
            authorization: how the API authorizes its callers (`jobs_api.settings.AUTHORIZATION_MODES`).

        Raises:
            RequestError: `FORBIDDEN` when the token does not name a possible user, or comes in a mode without tokens;
                `BAD_REQUEST` when the body is not what the event says it is.
        """
        context = event["requestContext"]
        # Without a token, some events still have the fields of one, but no values in them.
        authorizer = {name: value for name, value in (context.get("authorizer") or {}).items() if value is not None}
        trusts_caller = authorization not in TOKEN_MODES
        if trusts_caller and authorizer:
            # The API still lets in users with tokens, who must not be trusted with the names of others.
            reason = "The API is changing from tokens to another kind of authorization. Try again in a minute."
            raise RequestError("FORBIDDEN", reason)
        return cls(
            method=event["httpMethod"],
            resource=event["resource"],
            path=context.get("path") or event["path"],
            headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
            query=event.get("multiValueQueryStringParameters") or {},
            path_parameters=event.get("pathParameters") or {},
            body=_body(event),
            user_id=None if trusts_caller else _identity(authorizer, authorization),
            trusts_caller=trusts_caller,
            seconds_left=seconds_left,
        )

    def job_id(self) -> str:
        """The id in the path. Raises RequestError `INVALID_JOB_ID` when it can't be one."""
        try:
            return check_job_id(self.path_parameters.get("jobId"))
        except JobError as error:
            raise RequestError("INVALID_JOB_ID", error.message) from None

    def new_job_id(self) -> str:
        """The id in the path, under which a job is submitted. Raises RequestError `INVALID_JOB_ID`."""
        job_id = self.path_parameters.get("jobId", "")
        if not _UUID.fullmatch(job_id):
            rule = "It must be a UUID in lower case, such as 3f2c1b0a-5d4e-4f6a-8b7c-9d0e1f2a3b4c."
            raise RequestError("INVALID_JOB_ID", f"jobId is {shown(job_id)}. {rule}")
        return job_id

    def parameters(self, *allowed: str) -> dict[str, str]:
        """The query's parameters. Raises RequestError `BAD_REQUEST` for one that is unknown, or passed twice."""
        for name, values in self.query.items():
            if name not in allowed:
                rule = f"It accepts: {', '.join(allowed)}." if allowed else "It accepts none."
                raise RequestError("BAD_REQUEST", f"{shown(name, 100)} is not a query parameter of this path. {rule}")
            if len(values) != 1:
                raise RequestError("BAD_REQUEST", f"{name} is passed {len(values)} times. Pass it once.", name)
        return {name: values[0] for name, values in self.query.items()}

    def with_user(self, fields: Sequence[str]) -> Sequence[str]:
        """The fields that the body may have: also `userId`, if the caller says who the user is."""
        return ("userId", *fields) if self.trusts_caller else fields

    def document(self, allowed: Sequence[str], what: str = "a job") -> dict[str, Any]:
        """The JSON object in the body.

        Args:
            allowed: its fields.
            what: what it describes, for messages.

        Raises:
            RequestError: `UNSUPPORTED_MEDIA_TYPE`, `REQUEST_TOO_LARGE`, or, when it is not a JSON object or has a field
                that is unknown or null, `BAD_REQUEST`.
        """
        media_type = self.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if media_type != "application/json":
            rule = "The body must be JSON, sent with the header Content-Type: application/json."
            raise RequestError("UNSUPPORTED_MEDIA_TYPE", rule)
        if len(self.body) > MAX_BODY_BYTES:
            rule = f"At most {MAX_BODY_BYTES} are allowed. Shorten it."
            raise RequestError("REQUEST_TOO_LARGE", f"The body has {len(self.body)} bytes. {rule}")
        try:
            document = json_object(self.body.decode(), "INVALID_MESSAGE")
        except UnicodeDecodeError:
            raise RequestError("BAD_REQUEST", "The body is not UTF-8. Send JSON in this encoding.") from None
        except JobError as error:
            raise of_job_error(error) from None
        for name, value in document.items():
            if name not in allowed:
                rule = f"{what.capitalize()} has: {', '.join(allowed)}."
                raise RequestError("BAD_REQUEST", f"{shown(name, 100)} is not a field of {what}. {rule}", name)
            if value is None:
                raise RequestError("BAD_REQUEST", f"{name} is null. Give it a value, or omit it.", name)
        return document


def whole_number(text: str, name: str, minimum: int, maximum: int) -> int:
    """A query parameter's number. Raises RequestError `BAD_REQUEST` when it is not a number, or out of range."""
    if not _WHOLE_NUMBER.fullmatch(text) or not minimum <= int(text) <= maximum:
        rule = f"It must be a whole number from {minimum} to {maximum}."
        raise RequestError("BAD_REQUEST", f"{name} is {shown(text, 100)}. {rule}", name)
    return int(text)


def checked_user(value: object) -> str:
    """A user id that the caller passed. Raises RequestError `BAD_REQUEST`."""
    try:
        return check_user_id(value)
    except JobError as error:
        raise of_job_error(error) from None


def _body(event: Mapping[str, Any]) -> bytes:
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(text).encode(errors="surrogatepass")  # half a surrogate pair then fails as UTF-8
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        reason = "The body is not Base64, although the gateway says so. Send it again."
        raise RequestError("BAD_REQUEST", reason) from None


def _identity(authorizer: Mapping[str, Any], authorization: str) -> str:
    # Depends on the configured mode, never on what happens to be there: an authorizer may return whatever it likes.
    if authorization == "COGNITO_USER_POOLS":
        named, place = (authorizer.get("claims") or {}).get("sub"), "The token's claim sub"
    else:
        named, place = authorizer.get("principalId"), "The authorizer's principalId"
    try:
        return check_user_id(named)
    except JobError as error:
        raise RequestError("FORBIDDEN", f"{place} does not name a user of this service. {error.message}") from None
