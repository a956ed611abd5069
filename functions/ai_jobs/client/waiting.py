"""Waiting for jobs, without input or output: when to poll which job, and how long the service may hold a request."""

from __future__ import annotations

import dataclasses

from ai_jobs.client.calls import Calls
from ai_jobs.client.exceptions import NotFoundError
from ai_jobs.client.job import Job, WaitTimeoutError
from ai_jobs.client.responses import job_in, may_pass, problem_of, success
from ai_jobs.client.wire import Emit, Outcome, Pause, Request, Response, Steps
from ai_jobs.contract.errors import AIJobsError

CONCURRENCY = 8
"""The most requests that one wait has in flight."""

# A wait polls again after this long, however long `Retry-After` is: what failed may work again long before.
_LONGEST_ASKED_PAUSE_SECONDS = 60.0

# What the API accepts for `wait`; the service may reduce it further.
_LONGEST_WAIT_SECONDS = 25

# The least time that a response gets, however little is left of the wait.
_LEAST_PATIENCE_SECONDS = 5.0

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0
_PAUSE_GROWTH = 1.5

# Polls of many open jobs are spread out, so that a client polls no faster than this, however many jobs there are.
_POLLED_JOBS_PER_SECOND = 20


class Wait:
    """One wait for one or more jobs. A poll that fails in a way that may be temporary counts as one that saw nothing.

    Args:
        job_ids: the jobs, in the caller's order.
        timeout_seconds: how long to wait, from now on.
    """

    def __init__(self, calls: Calls, job_ids: list[str], timeout_seconds: float) -> None:
        self._calls = calls
        self._clock = calls.clock
        self._timeout_seconds = timeout_seconds
        self._ends_at = calls.clock() + timeout_seconds
        self._open_ids = job_ids
        self._jobs: dict[str, Job] = {}
        self._etags: dict[str, str] = {}
        # Polls in a row that failed, why the last of them failed, and until when to leave the service alone.
        self._failures = 0
        self._problem: AIJobsError | None = None
        self._quiet_until = 0.0

    def for_all(self) -> Steps[None]:
        """Emit each job once, when it has ended, in the order in which that is seen.

        Between two sweeps over all open jobs, it long-polls one of them. That is the pause, and it ends early when
        there is news.
        """
        pause = _FIRST_PAUSE_SECONDS
        while len(self._open_ids) > 1:
            news = yield from self._sweep(whole=True)
            self._check_time()
            pause = _FIRST_PAUSE_SECONDS if news else min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS)
            spread = len(self._open_ids) / _POLLED_JOBS_PER_SECOND
            next_sweep = min(self._clock() + max(pause, spread), self._ends_at)
            while len(self._open_ids) > 1 and self._clock() < next_sweep:
                yield from self._await_news(next_sweep)
        if self._open_ids:
            yield Emit((yield from self.for_first()))

    def for_first(self) -> Steps[Job]:
        """Long-poll the first open job until it has ended."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            yield from self._keep_quiet()
            started = self._clock()
            ended, asked_pause = yield from self._long_poll(self._ends_at)
            if ended:
                return ended
            self._check_time()
            # Don't hammer a service that does not hold the request (`max_wait_seconds = 0`, or less than asked for).
            free_at = min(started + max(pause, asked_pause), self._ends_at)
            if free_at > self._clock() and not self._failures:
                yield Pause(free_at - self._clock())
                pause = min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS)

    def _await_news(self, until: float) -> Steps[None]:
        """Wait with the first open job; when it ends, check whether the ones behind it have ended as well."""
        yield from self._keep_quiet()
        can_be_held = until - self._clock() >= 1  # `wait` takes whole seconds
        if can_be_held:
            ended, _ = yield from self._long_poll(until)
            if ended:
                yield Emit(ended)
                yield from self._sweep(whole=False)
                return
            if self._failures:
                return
        if self._clock() < until:
            yield Pause(until - self._clock())

    def _keep_quiet(self) -> Steps[None]:
        """After a failure, leave the service alone for a while, as far as the wait allows."""
        left_seconds = min(self._quiet_until, self._ends_at) - self._clock()
        if self._failures and left_seconds > 0:
            yield Pause(left_seconds)

    def _sweep(self, *, whole: bool) -> Steps[bool]:
        """Poll the open jobs, several at a time, and emit those that have ended.

        Args:
            whole: False stops after the first few of which none has ended.

        Returns:
            Has any of them ended?
        """
        todo, news = self._open_ids.copy(), False
        while todo:
            some, todo = todo[:CONCURRENCY], todo[CONCURRENCY:]
            yield from self._keep_quiet()
            requests = [self._poll_request(job_id, self._ends_at) for job_id in some]
            outcomes = yield from self._polls(requests)
            before = len(self._open_ids)
            for job_id, request, outcome in zip(some, requests, outcomes, strict=True):
                # The next sweep repeats a poll that failed in a way that may be temporary.
                if not may_pass(outcome) and (ended := self._seen(job_id, request, outcome)):
                    yield Emit(ended)
            ended_now = len(self._open_ids) < before
            news = news or ended_now
            over = self._failures and self._clock() >= self._ends_at
            if over or (not ended_now and not whole):
                break
        return news

    def _long_poll(self, until: float) -> Steps[tuple[Job | None, float]]:
        """Poll the first open job; the service holds the request for as long as it can, but not beyond `until`.

        Returns:
            The job if it has ended, and for how many seconds the service does not want to be asked again.
        """
        job_id = self._open_ids[0]
        held_seconds = int(min(_LONGEST_WAIT_SECONDS, max(0, until - self._clock())))
        request = self._poll_request(job_id, until, held_seconds)
        (outcome,) = yield from self._polls([request])
        if may_pass(outcome):
            return None, 0.0
        ended = self._seen(job_id, request, outcome)
        asked_seconds = outcome.retry_after_seconds if isinstance(outcome, Response) else 0.0
        return ended, min(asked_seconds, _LONGEST_ASKED_PAUSE_SECONDS)

    def _poll_request(self, job_id: str, until: float, wait_seconds: int = 0) -> Request:
        query = {"wait": str(wait_seconds)} if wait_seconds else {}
        etag = self._etags.get(job_id)
        request = self._calls.job_request("GET", job_id, query, {"If-None-Match": etag} if etag else {})
        # A service that hangs must not make a short wait a long one.
        patience = min(request.timeout_seconds, max(0, until - self._clock()) + _LEAST_PATIENCE_SECONDS)
        return dataclasses.replace(request, timeout_seconds=patience)

    def _polls(self, requests: list[Request]) -> Steps[list[Outcome]]:
        """Send polls all at once, and note whether the service works."""
        outcomes = yield from self._calls.send(requests)
        failed = [(request, outcome) for request, outcome in zip(requests, outcomes, strict=True) if may_pass(outcome)]
        if not failed:
            self._failures, self._problem = 0, None
            return outcomes
        pause = max(self._calls.backoff_seconds(outcome, self._failures) for _, outcome in failed)
        self._quiet_until = self._clock() + min(pause, _LONGEST_ASKED_PAUSE_SECONDS)
        self._failures += 1
        self._problem = problem_of(*failed[-1])
        return outcomes

    def _seen(self, job_id: str, request: Request, outcome: Outcome) -> Job | None:
        """The job, if this poll says that it has ended; then it is no longer open."""
        if isinstance(outcome, Response) and outcome.status == 304:
            return None
        try:
            response = success(request, outcome)
        except NotFoundError as error:
            if error.code != "JOB_NOT_FOUND":
                raise
            return None  # a job that was POSTed is unknown until a worker picks it up
        job = job_in(request, response)
        if job.has_ended:
            self._open_ids.remove(job_id)
            self._jobs.pop(job_id, None)
            return job
        self._jobs[job_id] = job
        if etag := response.headers.get("etag"):
            self._etags[job_id] = etag
        return None

    def _check_time(self) -> None:
        if self._open_ids and self._clock() >= self._ends_at:
            problem = str(self._problem) if self._problem else None
            raise WaitTimeoutError(self._timeout_seconds, self._open_ids, self._jobs, problem) from self._problem
