"""The rules of the client, without input or output: which requests, when again, and what an answer means."""

from __future__ import annotations

import dataclasses
import json
import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from ai_jobs.client.job import Job, job_of, result_of
from ai_jobs.client.problems import (
    ApiConnectionError,
    ApiError,
    ConflictError,
    NotFoundError,
    WaitTimeoutError,
    error_of,
    unexpected,
)
from ai_jobs.client.wire import Auth, Emit, NoAnswer, Outcome, Pause, Request, Response, Send, Steps
from ai_jobs.errors import AIJobsError
from ai_jobs.messages import JobResult

CONCURRENCY = 8
"""How many requests one operation has under way at most."""

MAX_ATTEMPTS = 6
RETRY_SECONDS = 60.0
"""After so many tries, or so long, a call gives up."""

_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 10.0

# All that the client sends may be sent twice, so that a 500 is tried again as well: the AWS SDKs do the same.
_MAY_PASS = frozenset({429, 500, 502, 503, 504})

# What the API accepts for `wait`; the service may cut it further.
_LONGEST_WAIT_SECONDS = 25

# The least time that an answer gets, however little is left of a wait.
_LEAST_PATIENCE_SECONDS = 5.0

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0
_PAUSE_GROWTH = 1.5

# The looks at many open jobs are spread so that one client asks no more often than this, however many there are.
_SWEPT_JOBS_PER_SECOND = 20

# A signed URL that ends sooner than this is not worth trying.
_URL_MARGIN_SECONDS = 5

_USER_AGENT = "ai-jobs-python"


@dataclass
class _Watched:
    """The open jobs of one wait, in the caller's order, and what was last seen of each."""

    job_ids: list[str]
    jobs: dict[str, Job] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)

    def see(self, job_id: str, job: Job, etag: str | None) -> None:
        """Take note of a job; one that has ended is not watched any more."""
        if job.has_ended:
            self.job_ids.remove(job_id)
            self.jobs.pop(job_id, None)
            return
        self.jobs[job_id] = job
        if etag:
            self.etags[job_id] = etag


class Core:
    """Operations on the jobs API, as steps for a driver to carry out.

    Args:
        api_url: with the stage, such as `https://x.execute-api.eu-west-1.amazonaws.com/v1`.
        auth: what a 401 may renew; the driver calls it for the headers.
        api_key: goes into `x-api-key`.
        timeout_seconds: how long an answer may take, on top of the wait that was asked for.
        clock: seconds that only go forward.
        chance: from 0 to 1.

    Raises:
        ValueError: when `api_url` is no HTTP URL.
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
        parts = urlsplit(api_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"api_url is {api_url!r}: it must be the URL of the API's stage, such as https://host/v1")
        if timeout_seconds <= 0:
            raise ValueError(f"timeout_seconds is {timeout_seconds}: it must be more than 0")
        self._api_url = api_url.rstrip("/")
        self._renew: Callable[[], bool] | None = getattr(auth, "renew", None)
        self._headers = {"Accept": "application/json", "User-Agent": _USER_AGENT}
        if api_key is not None:
            self._headers["x-api-key"] = api_key
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._chance = chance

    def submit(
        self, job_type: str, job_input: Mapping[str, Any], job_id: str | uuid.UUID | None, options: Mapping[str, Any]
    ) -> Steps[Job]:
        """PUT the job under an id that stays the same in every try.

        Args:
            options: further fields of the body by their names on the wire; None is left out.
        """
        given = {name: value for name, value in options.items() if value is not None}
        body = {"jobType": job_type, "input": job_input} | given
        content = json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
        request = self._request("PUT", _path_of(str(uuid.uuid4() if job_id is None else job_id)), body=content)
        response = yield from self._call(request)
        # The answer says the id and that it is queued.
        known = {name: body[name] for name in ("jobType", "userId", "traceId") if name in body}
        return _job_in(request, response, known)

    def get(self, job: Job | str) -> Steps[Job]:
        """GET the job once."""
        request = self._request("GET", _path_of(_id_of(job)))
        return _job_in(request, (yield from self._call(request)))

    def cancel(self, job: Job | str) -> Steps[Job]:
        """DELETE the job; one that is cancelled already counts as done.

        Whose cancellation that was can't be told: this one's answer may have been lost, here or inside an HTTP library
        that sends a DELETE again by itself (aiohttp does).
        """
        request = self._request("DELETE", _path_of(_id_of(job)))
        try:
            return _job_in(request, (yield from self._call(request)))
        except ConflictError:
            now = yield from self.get(job)
            if now.status != "cancelled":
                raise
            return now

    def list_jobs(self, filters: Mapping[str, str | int | None]) -> Steps[None]:
        """Emit all jobs that match, page by page.

        Args:
            filters: query parameters by their names on the wire; None is left out.
        """
        query = {name: str(value) for name, value in filters.items() if value is not None}
        while True:
            request = self._request("GET", "/jobs", query)
            response = yield from self._call(request)
            page = _document_in(request, response)
            try:
                jobs = [job_of(row) for row in page["jobs"]]
            except (LookupError, TypeError, ValueError) as error:
                raise unexpected(request, response, f"something that is no list of jobs ({error!r})") from error
            for job in jobs:
                yield Emit(job)
            if not page.get("nextCursor"):
                return
            query["cursor"] = str(page["nextCursor"])

    def wait(self, job: Job | str, timeout_seconds: float) -> Steps[Job]:
        """Long-poll one job until it has ended."""
        ends_at = self._clock() + timeout_seconds
        return (yield from self._wait_for_first(_Watched([_id_of(job)]), ends_at, timeout_seconds))

    def follow(self, jobs: Iterable[Job | str], timeout_seconds: float) -> Steps[None]:
        """Emit each job once, when it has ended, in the order in which that is seen.

        One open job is long-polled: that is the pause between looks at the others, and ends early when there is news.
        """
        if isinstance(jobs, str):
            raise TypeError(f"jobs is the text {jobs!r}: give a list, such as [{jobs!r}]")
        watched = _Watched(list(dict.fromkeys(_id_of(job) for job in jobs)))
        ends_at = self._clock() + timeout_seconds
        pause = _FIRST_PAUSE_SECONDS
        while len(watched.job_ids) > 1:
            news = yield from self._sweep(watched, whole=True)
            self._check_time(watched, ends_at, timeout_seconds)
            pause = _FIRST_PAUSE_SECONDS if news else min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS)
            spread = len(watched.job_ids) / _SWEPT_JOBS_PER_SECOND
            next_look = min(self._clock() + max(pause, spread), ends_at)
            while len(watched.job_ids) > 1 and self._clock() < next_look:
                yield from self._await_news(watched, next_look, ends_at)
        if watched.job_ids:
            yield Emit((yield from self._wait_for_first(watched, ends_at, timeout_seconds)))

    def _wait_for_first(self, watched: _Watched, ends_at: float, timeout_seconds: float) -> Steps[Job]:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            started = self._clock()
            ended, asked_pause = yield from self._long_poll(watched, ends_at - started, ends_at)
            if ended:
                return ended
            self._check_time(watched, ends_at, timeout_seconds)
            # A service that does not hold the request (`max_wait_seconds = 0`, or less than was asked) is not hammered.
            free_at = min(started + max(pause, asked_pause), ends_at)
            if free_at > self._clock():
                yield Pause(free_at - self._clock())
                pause = min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS)

    def _await_news(self, watched: _Watched, until: float, ends_at: float) -> Steps[None]:
        """Wait with the first open job; when it ends, look whether those behind it have ended as well."""
        left_seconds = until - self._clock()
        if left_seconds >= 1:  # `wait` takes whole seconds
            ended, _ = yield from self._long_poll(watched, left_seconds, ends_at)
            if ended:
                yield Emit(ended)
                yield from self._sweep(watched, whole=False)
                return
        if self._clock() < until:
            yield Pause(until - self._clock())

    def result(self, job: Job | str) -> Steps[JobResult]:
        """The result of a completed job, out of its answer or from where it is stored."""
        known = job if isinstance(job, Job) and job.has_ended else (yield from self.get(job))
        known.raise_for_status()
        if known.result:
            return known.result
        if known.result_url and _is_fresh(known):
            try:
                return (yield from self._download(known.result_url))
            except ApiError as error:
                if error.status not in (400, 403):  # how S3 words a URL or credentials that ended
                    raise
        fresh = yield from self.get(known)
        if fresh.result:
            return fresh.result
        if not fresh.result_url:
            raise AIJobsError(f"job {fresh.job_id} is completed, but the API shows no result of it", "NO_RESULT")
        return (yield from self._download(fresh.result_url))

    def _download(self, url: str) -> Steps[JobResult]:
        request = Request("GET", url, {"User-Agent": _USER_AGENT}, None, self._timeout_seconds, signed=False)
        response = yield from self._call(request)
        try:
            return result_of(response.document())
        except (LookupError, TypeError, ValueError):
            raise unexpected(request, response, "something that is no result document") from None

    def _sweep(self, watched: _Watched, *, whole: bool) -> Steps[bool]:
        """Look at the open jobs, some at a time, and emit those that have ended.

        Args:
            whole: False stops after the first few of which none has ended.

        Returns:
            Was there one that has ended?
        """
        todo, news = watched.job_ids.copy(), False
        while todo:
            some, todo = todo[:CONCURRENCY], todo[CONCURRENCY:]
            requests = [self._look_request(watched, job_id) for job_id in some]
            outcomes = yield from self._send(requests)
            before = len(watched.job_ids)
            for job_id, request, outcome in zip(some, requests, outcomes, strict=True):
                # A look that failed in a way that may pass is repeated by the next sweep; the long poll between them
                # finds out when nothing works any more.
                if not _may_pass(outcome) and (ended := self._seen(watched, job_id, request, outcome)):
                    yield Emit(ended)
            ended_now = len(watched.job_ids) < before
            news = news or ended_now
            if not ended_now and not whole:
                break
        return news

    def _long_poll(self, watched: _Watched, left_seconds: float, ends_at: float) -> Steps[tuple[Job | None, float]]:
        """Look at the first open job, held by the service for as long as it may be.

        Args:
            left_seconds: how long it may be held.
            ends_at: until when it may be tried again, after an answer that says nothing of the job.

        Returns:
            The job when it has ended, and for how many seconds the service does not want to be asked again.
        """
        job_id = watched.job_ids[0]
        left_seconds = max(0, left_seconds)
        request = self._look_request(watched, job_id, int(min(_LONGEST_WAIT_SECONDS, left_seconds)))
        # A service that hangs must not make a short wait a long one.
        patience = min(request.timeout_seconds, left_seconds + _LEAST_PATIENCE_SECONDS)
        request = dataclasses.replace(request, timeout_seconds=patience)
        outcome = yield from self._last_outcome(request, ends_at - self._clock())
        ended = self._seen(watched, job_id, request, outcome)
        return ended, outcome.retry_after_seconds if isinstance(outcome, Response) else 0.0

    def _look_request(self, watched: _Watched, job_id: str, wait_seconds: int = 0) -> Request:
        query = {"wait": str(wait_seconds)} if wait_seconds else {}
        etag = watched.etags.get(job_id)
        return self._request("GET", _path_of(job_id), query, {"If-None-Match": etag} if etag else {})

    def _seen(self, watched: _Watched, job_id: str, request: Request, outcome: Outcome) -> Job | None:
        """The job, when this look says that it has ended."""
        if isinstance(outcome, Response) and outcome.status == 304:
            return None
        try:
            response = _success(request, outcome)
        except NotFoundError as error:
            if error.code != "JOB_NOT_FOUND":
                raise
            return None  # one that was POSTed is unknown until a worker picks it up
        job = _job_in(request, response)
        watched.see(job_id, job, response.headers.get("etag"))
        return job if job.has_ended else None

    def _check_time(self, watched: _Watched, ends_at: float, timeout_seconds: float) -> None:
        if watched.job_ids and self._clock() >= ends_at:
            raise WaitTimeoutError(timeout_seconds, watched.job_ids, watched.jobs)

    def _call(self, request: Request) -> Steps[Response]:
        """The successful answer to a request, after retries where it makes sense.

        Raises:
            ApiError, ApiConnectionError: as documented there.
        """
        return _success(request, (yield from self._last_outcome(request, RETRY_SECONDS)))

    def _last_outcome(self, request: Request, left_seconds: float) -> Steps[Outcome]:
        gives_up_at = self._clock() + min(left_seconds, RETRY_SECONDS)
        tries = 0
        while True:
            (outcome,) = yield from self._send([request])
            pause = self._backoff_seconds(outcome, tries)
            tries += 1
            if tries >= MAX_ATTEMPTS or self._clock() + pause >= gives_up_at or not _may_pass(outcome):
                return outcome
            yield Pause(pause)

    def _backoff_seconds(self, outcome: Outcome, tries_before: int) -> float:
        """Full jitter (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter), on top of
        what the service asks for."""
        ceiling: float = min(_LONGEST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2**tries_before)
        asked = outcome.retry_after_seconds if isinstance(outcome, Response) else 0.0
        return asked + ceiling * self._chance()

    def _send(self, requests: Iterable[Request]) -> Steps[list[Outcome]]:
        """Send requests at once; what is answered 401 is sent once more with a new token, where there is one."""
        sent = tuple(requests)
        outcomes: list[Outcome] = yield Send(sent)
        refused = [index for index, outcome in enumerate(outcomes) if _is_refused(outcome) and sent[index].signed]
        if refused and self._renew and self._renew():
            again: list[Outcome] = yield Send(tuple(sent[index] for index in refused))
            for index, outcome in zip(refused, again, strict=True):
                outcomes[index] = outcome
        return outcomes

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Request:
        query = query or {}
        url = f"{self._api_url}{path}" + (f"?{urlencode(query, quote_via=quote, safe='')}" if query else "")
        content = {"Content-Type": "application/json"} if body is not None else {}
        timeout_seconds = self._timeout_seconds + int(query.get("wait", 0))
        return Request(method, url, self._headers | content | dict(headers or {}), body, timeout_seconds)


def submit_options(
    user_id: str | None, trace_id: str | None, deadline_seconds: int | None, delay_seconds: int | None
) -> dict[str, Any]:
    """Fields of the body of `PUT /jobs/{jobId}`."""
    return {
        "userId": user_id,
        "traceId": trace_id,
        "deadlineSeconds": deadline_seconds,
        "delaySeconds": delay_seconds,
    }


def list_filters(
    user_id: str | None, status: str | None, job_type: str | None, page_size: int | None
) -> dict[str, str | int | None]:
    """Query parameters of `GET /jobs`."""
    return {"userId": user_id, "status": status, "jobType": job_type, "limit": page_size}


def _id_of(job: Job | str) -> str:
    return job.job_id if isinstance(job, Job) else job


def _path_of(job_id: str) -> str:
    """The job's path. HTTP clients resolve `.` and `..` in it, so that these never reach the API as ids."""
    if job_id in ("", ".", ".."):
        raise ValueError(f"{job_id!r} is no job id")
    return f"/jobs/{quote(job_id, safe=':')}"


def _is_fresh(job: Job) -> bool:
    ends_at = job.result_url_expires_at
    return ends_at is None or ends_at.timestamp() - time.time() > _URL_MARGIN_SECONDS


def _is_refused(outcome: Outcome) -> bool:
    return isinstance(outcome, Response) and outcome.status == 401


def _may_pass(outcome: Outcome) -> bool:
    if isinstance(outcome, NoAnswer):
        return outcome.may_pass
    if outcome.status not in _MAY_PASS:
        return False
    # A day's or a month's quota does not come back within the retries.
    return b'"QUOTA_EXCEEDED"' not in outcome.body


def _success(request: Request, outcome: Outcome) -> Response:
    """The answer, when it is a success.

    Raises:
        ApiError: the subclass that fits the answer.
        ApiConnectionError: when there is no answer.
    """
    if isinstance(outcome, NoAnswer):
        reason = str(outcome.cause) or type(outcome.cause).__name__
        message = f"{request.method} {request.shown_url} got no answer: {reason}"
        raise ApiConnectionError(message, "NO_ANSWER") from outcome.cause
    if not 200 <= outcome.status < 300:
        raise error_of(request, outcome)
    return outcome


def _document_in(request: Request, response: Response) -> dict[str, Any]:
    document = response.document()
    if document is None:
        raise unexpected(request, response, "something that is no JSON object")
    return document


def _job_in(request: Request, response: Response, known: Mapping[str, Any] | None = None) -> Job:
    """The job of an answer, with what is known of it already. Raises UnexpectedAnswerError when it is none."""
    document = _document_in(request, response)
    try:
        return job_of({**(known or {}), **document})
    except ValueError as error:
        raise unexpected(request, response, str(error)) from error
