"""The rules of the client, without input or output: which requests, when again, and what an answer means."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from ai_jobs.client.auth import check_header
from ai_jobs.client.exceptions import (
    ApiConnectionError,
    ApiError,
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    WaitTimeoutError,
    about_another_job,
    error_of,
    unexpected,
)
from ai_jobs.client.job import Job, job_of, result_of
from ai_jobs.client.urls import is_http_url
from ai_jobs.client.wire import Auth, Emit, NoAnswer, Outcome, Pause, Request, Response, Send, Steps
from ai_jobs.contract.errors import AIJobsError
from ai_jobs.contract.result import JobResult

CONCURRENCY = 8
"""How many requests one operation has under way at most."""

MAX_ATTEMPTS = 6
RETRY_SECONDS = 60.0
"""After so many tries, or so long, a call gives up. A wait does not: it has a time of its own."""

_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 10.0

# A wait asks again after so long, however long `Retry-After` is: what failed may work again long before.
_LONGEST_ASKED_PAUSE_SECONDS = 60.0

# All that the client sends may be sent twice, so that a 500 is tried again as well: the AWS SDKs do the same.
_MAY_PASS = frozenset({429, 500, 502, 503, 504})

# What the API accepts for `wait`; the service may cut it further.
_LONGEST_WAIT_SECONDS = 25

# The least time that an answer gets, however little is left of a wait.
_LEAST_PATIENCE_SECONDS = 5.0

# Sockets take no infinite time-out; more than a day is a mistake.
_LONGEST_TIMEOUT_SECONDS = 86_400

_NOT_IN_API_URLS = frozenset("?#@")

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
    """The open jobs of one wait, in the caller's order, and what was last seen of each.

    Attributes:
        failures: how many looks in a row failed in a way that may pass.
        problem: what the last of these was; None when the last look worked.
        quiet_until: not before this is the service asked again, after a failure.
    """

    job_ids: list[str]
    timeout_seconds: float
    ends_at: float
    jobs: dict[str, Job] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    failures: int = 0
    problem: AIJobsError | None = None
    quiet_until: float = 0.0

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
        InvalidArgumentError: when `api_url` is not an HTTP URL, or another argument cannot be right.
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
        if not 0 < _seconds(timeout_seconds) <= _LONGEST_TIMEOUT_SECONDS:
            rule = f"it must be more than 0 and at most {_LONGEST_TIMEOUT_SECONDS}"
            raise InvalidArgumentError(f"timeout_seconds is {timeout_seconds}: {rule}")
        self._api_url = api_url.rstrip("/")
        self._renew: Callable[[], bool] | None = getattr(auth, "renew", None)
        self._headers = {"Accept": "application/json", "User-Agent": _USER_AGENT}
        if api_key is not None:
            check_header("x-api-key", api_key)
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
        name = _id_of(uuid.uuid4() if job_id is None else job_id)
        given = {name: value for name, value in options.items() if value is not None}
        body = {"jobType": job_type, "input": job_input} | given
        request = self._job_request("PUT", name, body=_json(body, name))
        response = yield from self._call(request)
        # The answer says the id and that it is queued.
        known = {name: body[name] for name in ("jobType", "userId", "traceId") if name in body}
        return _job_in(request, response, known)

    def get(self, job: Job | str | uuid.UUID) -> Steps[Job]:
        """GET the job once."""
        request = self._job_request("GET", _id_of(job))
        return _job_in(request, (yield from self._call(request)))

    def cancel(self, job: Job | str | uuid.UUID) -> Steps[Job]:
        """DELETE the job; one that is cancelled already counts as done.

        Whose cancellation that was can't be told: this one's answer may have been lost, here or inside an HTTP library
        that sends a DELETE again by itself (aiohttp does).
        """
        request = self._job_request("DELETE", _id_of(job))
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
                raise unexpected(request, response, f"something that is not a list of jobs ({error!r})") from error
            for job in jobs:
                yield Emit(job)
            if not page.get("nextCursor"):
                return
            query["cursor"] = str(page["nextCursor"])

    def wait(self, job: Job | str | uuid.UUID, timeout_seconds: float) -> Steps[Job]:
        """Long-poll one job until it has ended. A look that fails in a way that may pass is one that saw nothing."""
        job_id = _id_of(job)
        watched = _Watched([job_id], timeout_seconds, self._clock() + _seconds(timeout_seconds, job_id))
        return (yield from self._wait_for_first(watched))

    def follow(self, jobs: Iterable[Job | str | uuid.UUID], timeout_seconds: float) -> Steps[None]:
        """Emit each job once, when it has ended, in the order in which that is seen.

        One open job is long-polled: that is the pause between looks at the others, and ends early when there is news.
        The arguments are checked here and not with the first step, so that a mistake shows where it was made.
        """
        return self._follow(_ids_of(jobs), timeout_seconds, _seconds(timeout_seconds))

    def _follow(self, job_ids: list[str], timeout_seconds: float, seconds: float) -> Steps[None]:
        watched = _Watched(job_ids, timeout_seconds, self._clock() + seconds)
        pause = _FIRST_PAUSE_SECONDS
        while len(watched.job_ids) > 1:
            news = yield from self._sweep(watched, whole=True)
            self._check_time(watched)
            pause = _FIRST_PAUSE_SECONDS if news else min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS)
            spread = len(watched.job_ids) / _SWEPT_JOBS_PER_SECOND
            next_look = min(self._clock() + max(pause, spread), watched.ends_at)
            while len(watched.job_ids) > 1 and self._clock() < next_look:
                yield from self._await_news(watched, next_look)
        if watched.job_ids:
            yield Emit((yield from self._wait_for_first(watched)))

    def _wait_for_first(self, watched: _Watched) -> Steps[Job]:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            yield from self._keep_quiet(watched)
            started = self._clock()
            ended, asked_pause = yield from self._long_poll(watched, watched.ends_at)
            if ended:
                return ended
            self._check_time(watched)
            # A service that does not hold the request (`max_wait_seconds = 0`, or less than was asked) is not hammered.
            free_at = min(started + max(pause, asked_pause), watched.ends_at)
            if free_at > self._clock() and not watched.failures:
                yield Pause(free_at - self._clock())
                pause = min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS)

    def _await_news(self, watched: _Watched, until: float) -> Steps[None]:
        """Wait with the first open job; when it ends, look whether those behind it have ended as well."""
        yield from self._keep_quiet(watched)
        can_be_held = until - self._clock() >= 1  # `wait` takes whole seconds
        if can_be_held:
            ended, _ = yield from self._long_poll(watched, until)
            if ended:
                yield Emit(ended)
                yield from self._sweep(watched, whole=False)
                return
            if watched.failures:
                return
        if self._clock() < until:
            yield Pause(until - self._clock())

    def _keep_quiet(self, watched: _Watched) -> Steps[None]:
        """After a failure, let the time pass in which the service is not to be asked, as far as the wait goes."""
        left_seconds = min(watched.quiet_until, watched.ends_at) - self._clock()
        if watched.failures and left_seconds > 0:
            yield Pause(left_seconds)

    def result(self, job: Job | str | uuid.UUID) -> Steps[JobResult]:
        """The result of a completed job, out of its answer or from where it is stored."""
        known = job if isinstance(job, Job) and job.has_ended else (yield from self.get(job))
        known.raise_for_status()
        if known.result:
            return known.result
        if known.result_url and _is_fresh(known):
            try:
                return (yield from self._download(known, known.result_url))
            except ApiError as error:
                if error.status not in (400, 403):  # how S3 words a URL or credentials that ended
                    raise
        fresh = yield from self.get(known)
        if fresh.result:
            return fresh.result
        if not fresh.result_url:
            message = f"job {fresh.job_id} is completed, but the API shows no result of it"
            raise AIJobsError(message, "NO_RESULT", fresh.job_id)
        return (yield from self._download(fresh, fresh.result_url))

    def _download(self, job: Job, url: str) -> Steps[JobResult]:
        if not is_http_url(url):
            message = f"the result of job {job.job_id} is at {url!r:.140}, which is not an HTTP URL"
            raise AIJobsError(message, "NO_RESULT", job.job_id)
        headers = {"User-Agent": _USER_AGENT}
        request = Request("GET", url, headers, None, self._timeout_seconds, signed=False, job_id=job.job_id)
        response = yield from self._call(request)
        try:
            return result_of(response.document())
        except ValueError:
            raise unexpected(request, response, "something that is not a result document") from None

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
            yield from self._keep_quiet(watched)
            requests = [self._look_request(watched, job_id, watched.ends_at) for job_id in some]
            outcomes = yield from self._looks(watched, requests)
            before = len(watched.job_ids)
            for job_id, request, outcome in zip(some, requests, outcomes, strict=True):
                # A look that failed in a way that may pass is repeated by the next sweep.
                if not _may_pass(outcome) and (ended := self._seen(watched, job_id, request, outcome)):
                    yield Emit(ended)
            ended_now = len(watched.job_ids) < before
            news = news or ended_now
            over = watched.failures and self._clock() >= watched.ends_at
            if over or (not ended_now and not whole):
                break
        return news

    def _long_poll(self, watched: _Watched, until: float) -> Steps[tuple[Job | None, float]]:
        """Look at the first open job, held by the service for as long as it may be, but not longer than `until`.

        Returns:
            The job when it has ended, and for how many seconds the service does not want to be asked again.
        """
        job_id = watched.job_ids[0]
        held_seconds = int(min(_LONGEST_WAIT_SECONDS, max(0, until - self._clock())))
        request = self._look_request(watched, job_id, until, held_seconds)
        (outcome,) = yield from self._looks(watched, [request])
        if _may_pass(outcome):
            return None, 0.0
        ended = self._seen(watched, job_id, request, outcome)
        asked_seconds = outcome.retry_after_seconds if isinstance(outcome, Response) else 0.0
        return ended, min(asked_seconds, _LONGEST_ASKED_PAUSE_SECONDS)

    def _look_request(self, watched: _Watched, job_id: str, until: float, wait_seconds: int = 0) -> Request:
        query = {"wait": str(wait_seconds)} if wait_seconds else {}
        etag = watched.etags.get(job_id)
        request = self._job_request("GET", job_id, query, {"If-None-Match": etag} if etag else {})
        # A service that hangs must not make a short wait a long one.
        patience = min(request.timeout_seconds, max(0, until - self._clock()) + _LEAST_PATIENCE_SECONDS)
        return dataclasses.replace(request, timeout_seconds=patience)

    def _looks(self, watched: _Watched, requests: list[Request]) -> Steps[list[Outcome]]:
        """Send looks at once, and take note of whether the service works."""
        outcomes = yield from self._send(requests)
        failed = [(request, outcome) for request, outcome in zip(requests, outcomes, strict=True) if _may_pass(outcome)]
        if not failed:
            watched.failures, watched.problem = 0, None
            return outcomes
        pause = max(self._backoff_seconds(outcome, watched.failures) for _, outcome in failed)
        watched.quiet_until = self._clock() + min(pause, _LONGEST_ASKED_PAUSE_SECONDS)
        watched.failures += 1
        watched.problem = _problem_of(*failed[-1])
        return outcomes

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

    def _check_time(self, watched: _Watched) -> None:
        if watched.job_ids and self._clock() >= watched.ends_at:
            problem = str(watched.problem) if watched.problem else None
            error = WaitTimeoutError(watched.timeout_seconds, watched.job_ids, watched.jobs, problem)
            raise error from watched.problem

    def _call(self, request: Request) -> Steps[Response]:
        """The successful answer to a request, after retries where it makes sense.

        A `Retry-After` that ends after the retries would is not waited for: the caller may have better things to do.

        Raises:
            ApiError, ApiConnectionError: as documented there.
        """
        gives_up_at = self._clock() + RETRY_SECONDS
        tries = 0
        while True:
            (outcome,) = yield from self._send([request])
            pause = self._backoff_seconds(outcome, tries)
            tries += 1
            if tries >= MAX_ATTEMPTS or self._clock() + pause >= gives_up_at or not _may_pass(outcome):
                return _success(request, outcome)
            yield Pause(pause)

    def _backoff_seconds(self, outcome: Outcome, tries_before: int) -> float:
        """Full jitter (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter), on top of
        what the service asks for."""
        # A wait of days may see more failures than a float has powers of two.
        ceiling: float = min(_LONGEST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2 ** min(tries_before, 10))
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

    def _job_request(
        self,
        method: str,
        job_id: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Request:
        request = self._request(method, f"/jobs/{quote(job_id, safe=':')}", query or {})
        content = {"Content-Type": "application/json"} if body is not None else {}
        more = {**request.headers, **content, **(headers or {})}
        return dataclasses.replace(request, headers=more, body=body, job_id=job_id)

    def _request(self, method: str, path: str, query: Mapping[str, str]) -> Request:
        try:
            parameters = f"?{urlencode(query, quote_via=quote, safe='')}" if query else ""
        except UnicodeEncodeError as error:
            raise InvalidArgumentError(f"{error.object!r:.140} contains {_HALF_A_CHARACTER}") from None
        timeout_seconds = self._timeout_seconds + int(query.get("wait", 0))
        return Request(method, f"{self._api_url}{path}{parameters}", self._headers, None, timeout_seconds)


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


# What JavaScript makes of an emoji that it cuts in two.
_HALF_A_CHARACTER = "half a surrogate pair, which is not text: remove it or put the whole character there"


def _id_of(job: object) -> str:
    """The id of a job, or the one given. Which other ids there can be is the service's rule: it names the value."""
    job_id = job.job_id if isinstance(job, Job) else str(job) if isinstance(job, uuid.UUID) else job
    # HTTP clients resolve `.` and `..` in a path, so that these would never reach the API as ids.
    if not isinstance(job_id, str) or job_id in ("", ".", "..") or not _is_text(job_id):
        raise InvalidArgumentError(f"{job_id!r:.140} is not a job id: give a `Job`, or the text that its `job_id` is")
    return job_id


def _ids_of(jobs: object) -> list[str]:
    """The ids of several jobs, each once."""
    if isinstance(jobs, str | bytes | Job | uuid.UUID) or not isinstance(jobs, Iterable):
        one = jobs.job_id if isinstance(jobs, Job) else jobs
        raise InvalidArgumentError(f"jobs is {one!r:.140}, which is not several jobs: give a list, such as [{one!r}]")
    return list(dict.fromkeys(_id_of(job) for job in jobs))


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _seconds(value: object, job_id: str | None = None) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise InvalidArgumentError(f"timeout_seconds is {value!r:.140}: it must be a number of seconds", job_id)
    return value


def _json(body: Mapping[str, Any], job_id: str) -> bytes:
    try:
        return json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        reason = f"it contains {_HALF_A_CHARACTER}"
    except RecursionError:
        reason = "it is nested too deeply"
    except (TypeError, ValueError) as error:
        reason = str(error)
    raise InvalidArgumentError(f"the job cannot be written as JSON: {reason}", job_id)


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
    if isinstance(outcome, NoAnswer) or not 200 <= outcome.status < 300:
        raise _problem_of(request, outcome)
    return outcome


def _problem_of(request: Request, outcome: Outcome) -> AIJobsError:
    """The exception for what is not a success."""
    if isinstance(outcome, Response):
        return error_of(request, outcome)
    reason = str(outcome.cause) or type(outcome.cause).__name__
    error = ApiConnectionError(f"{request.method} {request.shown_url} got no answer: {reason}", request.job_id)
    error.__cause__ = outcome.cause
    return error


def _document_in(request: Request, response: Response) -> dict[str, Any]:
    document = response.document()
    if document is None:
        raise unexpected(request, response, "something that is not a JSON object")
    return document


def _job_in(request: Request, response: Response, known: Mapping[str, Any] | None = None) -> Job:
    """The job of an answer, with what is known of it already.

    Raises:
        UnexpectedAnswerError: when it is not a job, or not the one that was asked for.
    """
    document = _document_in(request, response)
    try:
        job = job_of({**(known or {}), **document})
    except ValueError as error:
        raise unexpected(request, response, str(error)) from error
    if job.job_id != request.job_id:
        raise about_another_job(request, response, job.job_id)
    return job
