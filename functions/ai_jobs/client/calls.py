"""Calls of the jobs API, without input or output: what a request looks like, and when to retry it."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from ai_jobs.client.arguments import HALF_A_CHARACTER, json_of, seconds_of
from ai_jobs.client.auth import check_header
from ai_jobs.client.exceptions import InvalidArgumentError
from ai_jobs.client.files import Form, LocalFile
from ai_jobs.client.job import Job
from ai_jobs.client.responses import may_pass, success
from ai_jobs.client.urls import is_http_url
from ai_jobs.client.wire import Auth, Outcome, Pause, Request, Response, Send, Steps

MAX_ATTEMPTS = 6
RETRY_SECONDS = 60.0
"""A call gives up after this many tries, or this long. A wait does not: it has its own timeout."""

_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 10.0

# Sockets don't accept an infinite timeout; more than a day is a mistake.
_LONGEST_TIMEOUT_SECONDS = 86_400

_NOT_IN_API_URLS = frozenset("?#@")

_USER_AGENT = "ai-jobs-python"
_JSON = {"Content-Type": "application/json"}


class Calls:
    """Calls of one API, as steps for a driver to carry out.

    Args:
        api_url: with the stage, such as `https://x.execute-api.eu-west-1.amazonaws.com/v1`.
        auth: what may be renewed after a 401; the driver calls it for the headers.
        api_key: goes into `x-api-key`.
        timeout_seconds: how long a response may take, in addition to the wait that was asked for.
        clock: seconds that only go forward.
        chance: from 0 to 1.

    Raises:
        InvalidArgumentError: if `api_url` is not an HTTP URL, or another argument is invalid.
    """

    def __init__(
        self,
        api_url: str,
        auth: Auth | None,
        api_key: str | None,
        timeout_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if not is_http_url(api_url) or not _NOT_IN_API_URLS.isdisjoint(api_url):
            rule = (
                "it must be the URL of the API's stage, such as https://host/v1, without a user, a query, or a fragment"
            )
            shown = api_url if not isinstance(api_url, str) else api_url.rpartition("@")[2]  # without a password
            raise InvalidArgumentError(f"api_url is {shown!r}: {rule}")
        if not 0 < seconds_of(timeout_seconds) <= _LONGEST_TIMEOUT_SECONDS:
            rule = f"it must be more than 0 and at most {_LONGEST_TIMEOUT_SECONDS}"
            raise InvalidArgumentError(f"timeout_seconds is {timeout_seconds}: {rule}")
        self.clock = clock
        self._api_url = api_url.rstrip("/")
        self._renew: Callable[[], bool] | None = getattr(auth, "renew", None)
        self._headers = {"Accept": "application/json", "User-Agent": _USER_AGENT}
        if api_key is not None:
            check_header("x-api-key", api_key)
            self._headers["x-api-key"] = api_key
        self._timeout_seconds = timeout_seconds
        self._chance = chance

    def request(self, method: str, path: str, query: Mapping[str, str]) -> Request:
        """A request to the API."""
        try:
            parameters = f"?{urlencode(query, quote_via=quote, safe='')}" if query else ""
        except UnicodeEncodeError as error:
            raise InvalidArgumentError(f"{error.object!r:.140} contains {HALF_A_CHARACTER}") from None
        timeout_seconds = self._timeout_seconds + int(query.get("wait", 0))
        return Request(method, f"{self._api_url}{path}{parameters}", self._headers, None, timeout_seconds)

    def job_request(
        self,
        method: str,
        job_id: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Request:
        """A request about one job."""
        request = self.request(method, f"/jobs/{quote(job_id, safe=':')}", query or {})
        content = _JSON if body is not None else {}
        more = {**request.headers, **content, **(headers or {})}
        return dataclasses.replace(request, headers=more, body=body, job_id=job_id)

    def upload_request(self, body: Mapping[str, Any]) -> Request:
        """A request for an upload's form."""
        request = self.request("POST", "/uploads", {})
        return dataclasses.replace(request, headers={**request.headers, **_JSON}, body=json_of(body))

    def file_request(self, form: Form, file: LocalFile) -> Request:
        """The upload itself. The form has its own signature: it gets neither `auth` nor the API key."""
        body, content_type = form.encoded(file)
        headers = {"User-Agent": _USER_AGENT, "Content-Type": content_type}
        return Request("POST", form.url, headers, body, self._timeout_seconds, signed=False)

    def download_request(self, job: Job, url: str) -> Request:
        """A request to a signed URL: it gets neither `auth` nor the API key."""
        headers = {"User-Agent": _USER_AGENT}
        return Request("GET", url, headers, None, self._timeout_seconds, signed=False, job_id=job.job_id)

    def call(self, request: Request) -> Steps[Response]:
        """The successful response to a request, after retries where they make sense.

        It does not wait for a `Retry-After` that is longer than its retries last: the caller may have better things to
        do.

        Raises:
            ApiError, ApiConnectionError: as documented there.
        """
        gives_up_at = self.clock() + RETRY_SECONDS
        tries = 0
        while True:
            (outcome,) = yield from self.send([request])
            pause = self.backoff_seconds(outcome, tries)
            tries += 1
            if tries >= MAX_ATTEMPTS or self.clock() + pause >= gives_up_at or not may_pass(outcome):
                return success(request, outcome)
            yield Pause(pause)

    def backoff_seconds(self, outcome: Outcome, tries_before: int) -> float:
        """Full jitter (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter), in addition
        to what the service asks for."""
        # A wait of days may see more failures than a float has powers of two.
        ceiling: float = min(_LONGEST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2 ** min(tries_before, 10))
        asked = outcome.retry_after_seconds if isinstance(outcome, Response) else 0.0
        return asked + ceiling * self._chance()

    def send(self, requests: Iterable[Request]) -> Steps[list[Outcome]]:
        """Send requests all at once; those that get a 401 are sent once more with a new token, if there is one."""
        sent = tuple(requests)
        outcomes: list[Outcome] = yield Send(sent)
        refused = [index for index, outcome in enumerate(outcomes) if _is_refused(outcome) and sent[index].signed]
        if refused and self._renew and self._renew():
            again: list[Outcome] = yield Send(tuple(sent[index] for index in refused))
            for index, outcome in zip(refused, again, strict=True):
                outcomes[index] = outcome
        return outcomes


def _is_refused(outcome: Outcome) -> bool:
    return isinstance(outcome, Response) and outcome.status == 401
