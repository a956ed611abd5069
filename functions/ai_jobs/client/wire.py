"""Requests and responses as the core of the client sees them, and what it asks its driver to do.

The core (`ai_jobs.client.core`) does no input or output: its operations are generators that yield commands. A driver
carries them out, with threads (`ai_jobs.client.sync`) or with asyncio (`ai_jobs.client.asynchronous`), so the rules are
written only once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ai_jobs.client.job import Job

T = TypeVar("T")

CONNECT_TIMEOUT_SECONDS = 5.0

_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Request:
    """One HTTP request, without the headers that `auth` adds.

    Attributes:
        url: with the query; everything is already percent-encoded, and is sent unchanged.
        timeout_seconds: how long the client waits for the response, and then for each further part of it.
        signed: False for a URL that contains its own signature: it gets neither `auth` nor the API key.
        job_id: the job that it is about, which every error names and every response must be about; None for a list.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    timeout_seconds: float = 30.0
    signed: bool = True
    job_id: str | None = None

    @property
    def shown_url(self) -> str:
        """The URL for messages: without the query, which may be a signature."""
        return self.url.partition("?")[0]


@dataclass(frozen=True)
class Response:
    """One response; the headers' names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def request_id(self) -> str | None:
        """API Gateway's id of the request."""
        return self.headers.get("x-amzn-requestid")

    @property
    def retry_after_seconds(self) -> float:
        """What `Retry-After` asks for; 0 if it is missing or a date."""
        text = self.headers.get("retry-after", "")
        return float(text) if text.isascii() and text.isdigit() else 0.0

    def text(self) -> str:
        """The beginning of the body for messages."""
        return self.body[: 4 * _SHOWN_CHARACTERS].decode(errors="replace")[:_SHOWN_CHARACTERS]

    def document(self) -> dict[str, Any] | None:
        """The JSON object of the body; None if it is not one, or is nested more deeply than Python can read."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) else None


@dataclass(frozen=True)
class NoAnswer:
    """The request was sent, or not even that, and nothing came back.

    Attributes:
        may_pass: False if another try would fail the same way (a certificate that is not trusted).
    """

    cause: Exception
    may_pass: bool = True


Outcome = Response | NoAnswer


@dataclass(frozen=True)
class Send:
    """Send these requests all at once. The driver returns a list of `Outcome`, in the same order."""

    requests: tuple[Request, ...]


@dataclass(frozen=True)
class Pause:
    """Let this many seconds pass."""

    seconds: float


@dataclass(frozen=True)
class Emit:
    """Hand this job to the caller."""

    job: Job


Steps = Generator[Send | Pause | Emit, Any, T]
"""The steps of one operation, and what it returns at the end."""

Auth = Callable[[Request], Mapping[str, str]]
"""Returns the headers that authorize a request; called for each try. It may block: the async client uses a thread.

If it has a method `renew() -> bool`, that is called once after a 401, and says whether another try is worth it.
"""
