"""The rules of the client, against an API in memory, with a clock that only pauses and waits move."""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from ai_jobs import (
    AIJobsError,
    ApiConnectionError,
    ApiError,
    BadRequestError,
    ConflictError,
    InvalidArgumentError,
    Job,
    JobCancelledError,
    JobFailedError,
    JobNotEndedError,
    NotAllowedError,
    NotFoundError,
    ThrottledError,
    UnavailableError,
    UnexpectedAnswerError,
    WaitTimeoutError,
)
from ai_jobs.client import calls, waiting
from ai_jobs.client.core import Core
from ai_jobs.client.job import job_of
from ai_jobs.client.wire import Emit, NoAnswer, Outcome, Pause, Request, Response, Steps
from ai_jobs.contract.result import Usage
from ai_jobs.contract.row import TERMINAL, JobStatus
from tests.fake_jobs_api import LOST, MOMENT, RESULT, FakeJobsApi, answer, error

URL = "https://api.example/v1"
TEXT = {"text": "hello"}


@dataclass
class Driver:
    """Carries out steps: requests go to the fake API, pauses move the clock.

    Attributes:
        held: does the API hold a request for as long as `wait` asks?
    """

    api: FakeJobsApi = field(default_factory=FakeJobsApi)
    time: float = 0.0
    pauses: list[float] = field(default_factory=list)
    emitted: list[Job] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    held: bool = False
    patience: list[float] = field(default_factory=list)

    def run(self, steps: Steps[Any]) -> Any:
        given: Any = None
        while True:
            try:
                command = steps.send(given)
            except StopIteration as end:
                return end.value
            given = None
            if isinstance(command, Pause):
                assert command.seconds >= 0
                self.pauses.append(command.seconds)
                self.time += command.seconds
            elif isinstance(command, Emit):
                self.emitted.append(command.job)
            else:
                self.batches.append(len(command.requests))
                given = [self._send(request) for request in command.requests]

    def _send(self, request: Request) -> Outcome:
        self.patience.append(request.timeout_seconds)
        parts = urlsplit(request.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        given = self.api.handle(request.method, target, request.headers, request.body)
        if given is None:
            return NoAnswer(OSError("cut"))
        wait = int(dict(parse_qsl(parts.query)).get("wait", 0))
        if self.held and (given[0] == 304 or given[1].get("retry-after")):
            self.time += wait
        return Response(*given)

    @property
    def emitted_ids(self) -> list[str]:
        return [job.job_id for job in self.emitted]


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.fixture
def client(driver: Driver) -> Core:
    return Core(URL, None, None, 30.0, clock=lambda: driver.time, chance=lambda: 1.0)


def submitted(client: Core, job_id: str | None = None, **options: Any) -> Steps[Job]:
    return client.submit("echo", TEXT, job_id, {"userId": "user-1"} | options)


def test_a_lost_answer_does_not_make_a_second_job(driver: Driver, client: Core) -> None:
    driver.api.faults.extend([LOST, error(503, "QUEUE_UNAVAILABLE", retry_after="7"), error(500, "INTERNAL_ERROR")])
    job = driver.run(submitted(client))
    assert list(driver.api.rows) == [job.job_id]
    assert len(set(driver.api.calls)) == 1
    assert (job.status, job.user_id, job.job_type) == ("queued", "user-1", "echo")
    assert driver.pauses == [0.5, 7 + 1.0, 2.0], "growing, in addition to what the service asks for"


def test_tries_are_bounded_in_number(driver: Driver, client: Core) -> None:
    driver.api.faults.extend([error(503, "QUEUE_UNAVAILABLE")] * 20)
    with pytest.raises(UnavailableError) as raised:
        driver.run(submitted(client))
    assert len(driver.api.calls) == calls.MAX_ATTEMPTS
    assert (raised.value.status, raised.value.code, raised.value.request_id) == (503, "QUEUE_UNAVAILABLE", "req-1")


def test_tries_are_bounded_in_time(driver: Driver, client: Core) -> None:
    driver.api.faults.extend([error(429, "THROTTLED", retry_after="45")] * 20)
    with pytest.raises(ThrottledError):
        driver.run(submitted(client))
    assert driver.time <= calls.RETRY_SECONDS
    assert len(driver.api.calls) == 2


def test_a_used_up_quota_is_not_asked_again(driver: Driver, client: Core) -> None:
    driver.api.faults.append(error(429, "QUOTA_EXCEEDED"))
    with pytest.raises(ThrottledError, match="QUOTA_EXCEEDED"):
        driver.run(submitted(client))
    assert len(driver.api.calls) == 1


def test_no_answer_at_all_names_the_request_and_chains_the_cause(driver: Driver, client: Core) -> None:
    driver.api.faults.extend([LOST] * 20)
    with pytest.raises(ApiConnectionError, match=r"GET https://api\.example/v1/jobs/x got no response: cut") as raised:
        driver.run(client.get("x"))
    assert isinstance(raised.value.__cause__, OSError)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "BAD_REQUEST", BadRequestError),
        (401, "UNAUTHORIZED", NotAllowedError),
        (403, "FORBIDDEN", NotAllowedError),
        (404, "JOB_NOT_FOUND", NotFoundError),
        (405, "METHOD_NOT_ALLOWED", BadRequestError),
        (409, "JOB_ID_CONFLICT", ConflictError),
        (413, "REQUEST_TOO_LARGE", BadRequestError),
        (415, "UNSUPPORTED_MEDIA_TYPE", BadRequestError),
        (418, "TEAPOT", ApiError),
    ],
)
def test_a_refusal_is_raised_at_once_as_what_it_is(
    driver: Driver, client: Core, status: int, code: str, kind: type[ApiError]
) -> None:
    driver.api.faults.append(error(status, code, "so it is", field="input.text"))
    with pytest.raises(kind) as raised:
        driver.run(submitted(client))
    assert type(raised.value) is kind
    assert len(driver.api.calls) == 1
    expected = (status, code, "so it is", "input.text", "req-1")
    for problem in (raised.value, pickle.loads(pickle.dumps(raised.value))):  # noqa: S301 - our own
        assert (problem.status, problem.code, problem.message, problem.field, problem.request_id) == expected
    assert str(raised.value) == f"{status} {code}: so it is (field input.text) [request req-1]"


@pytest.mark.parametrize(
    "given",
    [
        (200, {"content-type": "text/html"}, b"<html>Sign in</html>"),
        (302, {"location": "https://login.example"}, b""),
        (403, {}, b"<html>Sign in</html>"),
        answer(200, ["no", "job"]),
        answer(200, {"jobId": "x"}),
        answer(200, {"jobId": "x", "status": "queued", "createdAt": "yesterday"}),
        answer(404, {"error": "text"}),
    ],
)
def test_what_is_not_the_apis_answer_is_told_apart(driver: Driver, client: Core, given: Any) -> None:
    driver.api.faults.append(given)
    with pytest.raises(UnexpectedAnswerError, match="check the API's URL"):
        driver.run(client.get("x"))
    assert len(driver.api.calls) == 1


def test_a_proxys_own_503_is_retried_too(driver: Driver, client: Core) -> None:
    driver.api.faults.extend([(503, {}, b"<html>busy</html>")] * 20)
    with pytest.raises(UnavailableError, match="not the API's own: '<html>busy</html>'"):
        driver.run(client.get("x"))
    assert len(driver.api.calls) == calls.MAX_ATTEMPTS


def test_a_new_token_is_asked_for_once(driver: Driver) -> None:
    renewals = []

    class Auth:
        def __call__(self, request: Request) -> dict[str, str]:
            return {}

        def renew(self) -> bool:
            renewals.append(1)
            return True

    client = Core(URL, Auth(), None, 30.0, clock=lambda: driver.time)
    driver.api.add("x", "completed", result=RESULT)
    driver.api.faults.append(error(401, "UNAUTHORIZED"))
    assert driver.run(client.get("x")).status == "completed"
    driver.api.faults.extend([error(401, "UNAUTHORIZED")] * 2)
    with pytest.raises(NotAllowedError):
        driver.run(client.get("x"))
    assert len(renewals) == 2


def test_a_submit_sends_what_was_given_and_nothing_else(driver: Driver, client: Core) -> None:
    driver.run(submitted(client, "0b2c", deadlineSeconds=60, delaySeconds=None))
    assert driver.api.bodies["0b2c"] == {
        "userId": "user-1",
        "jobType": "echo",
        "input": TEXT,
        "deadlineSeconds": 60,
    }
    with pytest.raises(ValueError, match="JSON"):
        driver.run(client.submit("echo", {"number": float("nan")}, None, {}))


def test_cancel_answers_with_the_job_as_it_is(driver: Driver, client: Core) -> None:
    driver.api.add("x")
    assert driver.run(client.cancel("x")).status == "cancelled"
    assert len(driver.api.calls) == 1
    assert driver.run(client.cancel("x")).status == "cancelled", "again is not an error"


def test_a_cancel_whose_answer_was_lost_is_done(driver: Driver, client: Core) -> None:
    driver.api.add("x")
    driver.api.faults.append(LOST)
    assert driver.run(client.cancel("x")).status == "cancelled"
    assert [method for method, _ in driver.api.calls] == ["DELETE", "DELETE", "GET"]


def test_a_job_that_completed_can_not_be_cancelled(driver: Driver, client: Core) -> None:
    driver.api.add("x", "completed", result=RESULT)
    with pytest.raises(ConflictError, match="JOB_ENDED"):
        driver.run(client.cancel("x"))


def test_a_list_goes_through_all_pages(driver: Driver, client: Core) -> None:
    for number in range(7):
        driver.api.add(f"job-{number}")
    driver.run(client.list_jobs({"userId": "a b&c", "limit": 3, "status": None}))
    assert driver.emitted_ids == [f"job-{number}" for number in reversed(range(7))]
    assert [target for _, target in driver.api.calls] == [
        "/v1/jobs?userId=a%20b%26c&limit=3",
        "/v1/jobs?userId=a%20b%26c&limit=3&cursor=3",
        "/v1/jobs?userId=a%20b%26c&limit=3&cursor=6",
    ]


def test_a_held_wait_asks_again_at_once(driver: Driver, client: Core) -> None:
    driver.held = True
    driver.api.add("x")
    assert driver.run(client.wait("x", 300)).status == "completed"
    assert [target for _, target in driver.api.calls] == ["/v1/jobs/x?wait=25"] * 3
    assert driver.pauses == []
    assert driver.api.headers[1]["if-none-match"] == '"processing"'


def test_a_service_that_does_not_hold_is_not_hammered(driver: Driver, client: Core) -> None:
    driver.api.add("x")
    driver.api.looks["x"] = 5
    driver.run(client.wait("x", 300))
    # A 200 has a Retry-After; a 304 has none, and the pause grows by itself.
    assert driver.pauses == pytest.approx([2, 0.75, 1.125, 1.6875, 2.53125])


def test_a_wait_returns_the_job_whatever_its_end(driver: Driver, client: Core) -> None:
    driver.api.add("x")
    driver.api.endings["x"] = {"status": "failed", "error": {"code": "INVALID_INPUT", "message": "m", "field": "f"}}
    job = driver.run(client.wait("x", 300))
    with pytest.raises(JobFailedError, match=r"job x is failed: INVALID_INPUT: m \(field f\)") as raised:
        job.raise_for_status()
    assert raised.value.code == "INVALID_INPUT"
    assert pickle.loads(pickle.dumps(raised.value)).job == job  # noqa: S301 - our own


def test_a_wait_ends_in_time_and_says_what_it_saw(driver: Driver, client: Core) -> None:
    driver.api.add("x")
    driver.api.looks["x"] = 1000
    with pytest.raises(WaitTimeoutError, match=r"not ended after 60 s: x \(processing\)") as raised:
        driver.run(client.wait("x", 60))
    assert driver.time == pytest.approx(60)
    assert isinstance(raised.value, TimeoutError)
    assert raised.value.open_ids == ("x",)
    assert raised.value.jobs["x"].status == "processing"
    assert pickle.loads(pickle.dumps(raised.value)).open_ids == ("x",)  # noqa: S301 - our own


def test_a_service_that_hangs_does_not_make_a_short_wait_a_long_one(driver: Driver, client: Core) -> None:
    driver.api.add("x", "completed", result=RESULT)
    driver.run(client.wait("x", 3))
    driver.run(client.wait("x", 300))
    driver.run(client.get("x"))
    assert driver.patience == [8, 55, 30]


def test_an_unknown_job_is_waited_for_but_a_wrong_url_is_not(driver: Driver, client: Core) -> None:
    with pytest.raises(WaitTimeoutError, match=r"x \(unknown to the service\)"):
        driver.run(client.wait("x", 10))
    wrong = Core("https://api.example/v2", None, None, 30.0, clock=lambda: driver.time)
    with pytest.raises(NotFoundError, match="nothing at this path"):
        driver.run(wrong.wait("x", 10))


def test_many_jobs_are_handed_out_once_each_as_they_end(driver: Driver, client: Core) -> None:
    driver.held = True
    names = [f"job-{number}" for number in range(30)]
    for number, name in enumerate(names):
        driver.api.add(name)
        driver.api.looks[name] = 30 - number
    driver.run(client.follow([*names, names[0]], 3000))
    assert sorted(driver.emitted_ids) == sorted(names)
    assert driver.emitted_ids[0] != "job-0", "the order is the one in which they end"
    assert max(driver.batches) == waiting.CONCURRENCY


def test_looks_at_very_many_jobs_are_spread(driver: Driver, client: Core) -> None:
    driver.held = True
    names = [f"job-{number}" for number in range(400)]
    for name in names:
        driver.api.add(name)
        driver.api.looks[name] = 10**6
    with pytest.raises(WaitTimeoutError, match="and 390 more"):
        driver.run(client.follow(names, 100))
    # 400 jobs at 20 a second: a poll of each every 20 seconds, and a long poll in between.
    assert 400 * 5 <= len(driver.api.calls) <= 400 * 6 + 20
    assert driver.time == pytest.approx(100)


def test_what_ended_is_handed_out_before_the_time_is_up(driver: Driver, client: Core) -> None:
    driver.api.add("done", "completed", result=RESULT)
    driver.api.add("open")
    driver.api.looks["open"] = 10**6
    with pytest.raises(WaitTimeoutError) as raised:
        driver.run(client.follow(["open", "unknown", "done"], 30))
    assert driver.emitted_ids == ["done"]
    assert raised.value.open_ids == ("open", "unknown")


def test_a_sweep_outlives_faults_but_not_an_outage(driver: Driver, client: Core) -> None:
    names = [f"job-{number}" for number in range(3)]
    for name in names:
        driver.api.add(name)
    driver.api.faults.extend([LOST, error(503, "STORE_UNAVAILABLE"), error(429, "THROTTLED")])
    driver.run(client.follow(names, 300))
    assert sorted(driver.emitted_ids) == names
    driver.api.add("late")
    driver.api.add("later")
    driver.api.faults.extend([error(503, "STORE_UNAVAILABLE")] * 1000)
    started = driver.time
    with pytest.raises(WaitTimeoutError, match=r"later \(not seen\); the last poll failed: 503 STORE") as raised:
        driver.run(client.follow(["late", "later"], 300))
    assert isinstance(raised.value.__cause__, UnavailableError)
    assert driver.time - started == pytest.approx(300)
    assert len(driver.api.calls) < 120, "it polls at growing intervals"


OUTAGES = {"no connection": LOST, "503": error(503, "STORE_UNAVAILABLE"), "proxy": (502, {}, b"<html>")}


@pytest.mark.parametrize("fault", OUTAGES.values(), ids=OUTAGES)
@pytest.mark.parametrize("held", [True, False])
def test_a_wait_goes_on_until_its_own_time_is_up(driver: Driver, client: Core, fault: Any, held: bool) -> None:
    driver.held = held
    for names in (["x"], ["a", "b", "c"]):
        for name in names:
            driver.api.add(name)
        driver.api.faults.extend([fault] * 3 * calls.MAX_ATTEMPTS)
        driver.run(client.wait("x", 1000) if len(names) == 1 else client.follow(names, 1000))
        assert not driver.api.faults
    assert sorted(driver.emitted_ids) == ["a", "b", "c"]
    driver.api.faults.extend([fault] * 10_000)
    with pytest.raises(WaitTimeoutError, match="the last poll failed") as raised:
        driver.run(client.wait("y", 20_000))
    again = pickle.loads(pickle.dumps(raised.value))  # noqa: S301 - our own
    assert (again.job_id, again.open_ids, str(again)) == ("y", ("y",), str(raised.value))
    assert raised.value.__cause__


def test_a_long_retry_after_ends_no_wait(driver: Driver, client: Core) -> None:
    driver.api.add("x", "completed", result=RESULT)
    driver.api.add("y", "completed", result=RESULT)
    busy = error(429, "THROTTLED", retry_after="3600")
    driver.api.faults.extend([busy, busy])
    assert driver.run(client.wait("x", 300)).has_ended
    assert driver.pauses == [60, 60], "what failed may work again long before"
    driver.api.faults.append(busy)
    assert driver.run(client.wait("x", 10)).has_ended
    assert driver.pauses[2:] == [10], "a last poll when the time is up"
    driver.api.faults.extend([busy, busy])
    driver.run(client.follow(["x", "y"], 300))
    assert sorted(driver.emitted_ids) == ["x", "y"]
    calls = len(driver.api.calls)
    driver.api.faults.append(busy)
    with pytest.raises(ThrottledError):
        driver.run(client.get("x"))
    assert len(driver.api.calls) == calls + 1, "any other call leaves it to the caller what to do in the meantime"


def test_a_long_retry_after_of_an_open_job_ends_no_wait(driver: Driver, client: Core) -> None:
    """A proxy or a cache adds it to a response that is not an error."""
    driver.api.add("x")
    driver.api.looks["x"] = 0
    still_open = answer(200, driver.api.rows["x"] | {"status": "processing"}, retry_after="3600")
    driver.api.faults.extend([still_open, still_open])
    assert driver.run(client.wait("x", 300)).status == "completed"
    assert driver.pauses == [60, 60]


def test_a_service_that_hangs_does_not_make_a_short_sweep_a_long_one(driver: Driver, client: Core) -> None:
    names = [f"job-{number}" for number in range(200)]

    def hang(request: Request) -> Outcome:
        driver.time += request.timeout_seconds / waiting.CONCURRENCY  # they hang together
        return NoAnswer(TimeoutError())

    driver._send = hang  # type: ignore[method-assign]
    with pytest.raises(WaitTimeoutError):
        driver.run(client.follow(names, 10))
    assert driver.time <= 10 + 2 * waiting._LEAST_PATIENCE_SECONDS


def test_a_fault_while_it_waits_for_news_ends_nothing(driver: Driver, client: Core) -> None:
    """However little is left of the pause between two sweeps: that limits the long poll, not the tries."""
    driver.api.looks = {"one": 6, "two": 6}
    for name in driver.api.looks:
        driver.api.add(name)
    handle, faults = driver.api.handle, [error(503, "STORE_UNAVAILABLE"), error(429, "THROTTLED"), LOST]

    def fail_some_long_polls(method: str, target: str, *rest: Any) -> Any:
        if "wait=" in target and faults and driver.time:
            fault = faults.pop()
            return None if fault is LOST else fault
        return handle(method, target, *rest)

    driver.api.handle = fail_some_long_polls  # type: ignore[method-assign]
    driver.run(client.follow(["one", "two"], 300))
    assert sorted(driver.emitted_ids) == ["one", "two"]
    assert not faults


def test_an_empty_id_is_no_wish_for_a_new_one(driver: Driver, client: Core) -> None:
    with pytest.raises(ValueError, match="'' is not a job id"):
        driver.run(client.submit("echo", TEXT, "", {}))


@pytest.mark.parametrize("jobs", ["x-1", job_of({"jobId": "x-1", "status": "queued"})])
def test_one_id_is_not_taken_for_many(client: Core, jobs: Any) -> None:
    with pytest.raises(TypeError, match=r"pass a list, such as \['x-1'\]") as raised:
        client.follow(jobs, 300)  # immediately, not with the first job
    assert isinstance(raised.value, AIJobsError)


@pytest.mark.parametrize("jobs", [7, None, ["x", 7], ["x", None], [""]])
def test_what_is_not_a_list_of_jobs_is_refused(client: Core, jobs: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        client.follow(jobs, 300)


def test_following_nothing_asks_nothing(driver: Driver, client: Core) -> None:
    driver.run(client.follow([], 300))
    assert driver.api.calls == []


def test_a_result_comes_from_the_answer_or_from_where_it_is_stored(driver: Driver, client: Core) -> None:
    driver.api.add("x", "completed", result=RESULT)
    assert driver.run(client.result("x")).text == RESULT["text"]
    driver.api.add("y", "completed", resultUrl="https://bucket.example/stored/y?signature=1")
    assert driver.run(client.result("y")).usage.output_tokens == 5
    assert "accept" not in driver.api.headers[-1], "neither auth nor an API key goes to the bucket"


def test_a_result_of_another_producer_may_be_any_object(driver: Driver, client: Core) -> None:
    result = {"content": "Five tips", "wordCount": 850, "usage": "none"}
    driver.api.add("x", "completed", result=result)
    got = driver.run(client.result("x"))
    assert (got.document, got.text, got.usage.input_tokens) == (result, "", 0)
    driver.api.faults.append(
        (
            200,
            {},
            b'{"jobId": "x", "status": "completed", "result": {"usage": {"inputTokens": 1e999, "outputTokens": 0}}}',
        )
    )
    assert driver.run(client.get("x")).result.usage.input_tokens == 0, "a number that is not one counts as nothing"
    usage = {"inputTokens": 7, "outputTokens": 1, "cacheReadInputTokens": None, "cacheWriteInputTokens": "many"}
    stored = job_of({"jobId": "x", "status": "completed", "usage": usage, "result": {"text": "hi", "usage": usage}})
    assert (stored.usage, stored.result.text) == (Usage(7, 1), "hi"), "an older version stored such rows"
    for nothing in ("text", [], None):
        with pytest.raises(ValueError, match="not a result as documented"):
            job_of({"jobId": "x", "status": "completed", "result": nothing})


def test_a_result_url_that_ended_is_asked_for_again(driver: Driver, client: Core) -> None:
    url = "https://bucket.example/stored/y"
    driver.api.add("y", "completed", resultUrl=url)
    old = {"jobId": "y", "status": "completed", "resultUrl": url}
    assert driver.run(client.result(job_of(old | {"resultUrlExpiresAt": MOMENT}))).text
    assert [target for _, target in driver.api.calls] == ["/v1/jobs/y", "/stored/y"]
    driver.api.calls.clear()
    driver.api.faults.append((403, {}, b"<Error><Code>AccessDenied</Code></Error>"))
    assert driver.run(client.result(job_of(old))).text
    assert [target for _, target in driver.api.calls] == ["/stored/y", "/v1/jobs/y", "/stored/y"]


def test_a_job_without_a_result_says_why(driver: Driver, client: Core) -> None:
    driver.api.add("open")
    with pytest.raises(JobNotEndedError, match="job open is processing: wait for it first"):
        driver.run(client.result("open"))
    driver.api.add("gone", "cancelled")
    with pytest.raises(JobCancelledError, match="job gone is cancelled"):
        driver.run(client.result("gone"))


@pytest.mark.parametrize("status", JobStatus)
def test_a_job_has_ended_in_the_terminal_states_and_no_others(status: JobStatus) -> None:
    assert job_of({"jobId": "x", "status": status.value}).has_ended == (status in TERMINAL)


def test_a_newer_service_may_say_more() -> None:
    job = job_of({"jobId": "x", "status": "paused", "createdAt": MOMENT, "color": "red"})
    assert not job.has_ended
    assert job.created_at is not None
    assert job.created_at.utcoffset() is not None
    assert job.document["color"] == "red"
    assert hash(job) == hash(job_of({"jobId": "x", "status": "paused", "createdAt": MOMENT}))


@pytest.mark.parametrize("job_id", ["", ".", ".."])
def test_ids_that_would_be_another_path_are_refused(driver: Driver, client: Core, job_id: str) -> None:
    with pytest.raises(ValueError, match="is not a job id"):
        driver.run(client.get(job_id))


def test_ids_are_encoded(driver: Driver, client: Core) -> None:
    with pytest.raises(NotFoundError):
        driver.run(client.get("a/../b?c=ü"))
    assert driver.api.calls[0][1] == "/v1/jobs/a%2F..%2Fb%3Fc%3D%C3%BC"


@pytest.mark.parametrize(
    "url",
    [
        *("", None, "api.example", "ftp://x/v1", "https:///v1", "https://x/v1?a=b", "https://[x/v1", "https://x:y/v1"),
        *("https://a..b/v1", f"https://{'a' * 64}.b/v1", "https://a b/v1", "https://a\nb/v1", "https://me:secret@x/v1"),
    ],
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="api_url is") as raised:
        Core(url, None, None, 30.0)
    assert "secret" not in str(raised.value)
    with pytest.raises(ValueError, match="timeout_seconds is 0"):
        Core(URL, None, None, 0)
    with pytest.raises(ValueError, match="timeout_seconds is inf"):
        Core(URL, None, None, float("inf"))


OPERATIONS: dict[str, Callable[[Core], Steps[Any]]] = {
    "submit": lambda client: submitted(client, "x"),
    "get": lambda client: client.get("x"),
    "wait": lambda client: client.wait("x", 0),
    "iter_results": lambda client: client.follow(["x"], 0),
    "cancel": lambda client: client.cancel("x"),
    "result": lambda client: client.result("x"),
}
each_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)

PROBLEMS = {
    "refused": error(400, "INVALID_INPUT"),
    "not found": error(404, "NOT_FOUND"),
    "busy": error(429, "QUOTA_EXCEEDED"),
    "failed": error(503, "QUEUE_UNAVAILABLE"),
    "proxy": (403, {}, b"<html>Sign in</html>"),
    "no connection": LOST,
    "not a job": answer(200, ["no", "job"]),
    "another job": answer(200, {"jobId": "y", "status": "completed", "result": RESULT}),
}


@each_operation
@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_every_error_says_which_job_it_is_about(driver: Driver, client: Core, operation: Any, problem: Any) -> None:
    driver.api.add("x")
    driver.api.faults.extend([problem] * 50)
    with pytest.raises(AIJobsError) as raised:
        driver.run(operation(client))
    assert raised.value.job_id == "x"
    assert pickle.loads(pickle.dumps(raised.value)).job_id == "x"  # noqa: S301 - our own


def test_a_submit_that_fails_says_which_id_was_made_up(driver: Driver, client: Core) -> None:
    driver.api.faults.extend([LOST] * calls.MAX_ATTEMPTS)
    with pytest.raises(ApiConnectionError) as raised:
        driver.run(submitted(client))
    assert list(driver.api.rows) == [raised.value.job_id], "the job may exist nevertheless"
    with pytest.raises(InvalidArgumentError) as refused:
        driver.run(client.submit("echo", {"a set": {1}}, None, {}))  # type: ignore[dict-item]
    assert uuid.UUID(refused.value.job_id)


def test_errors_about_how_a_job_ended_name_it_and_a_lists_name_none(driver: Driver, client: Core) -> None:
    for status, kind in (("queued", JobNotEndedError), ("failed", JobFailedError), ("cancelled", JobCancelledError)):
        with pytest.raises(kind) as raised:
            job_of({"jobId": "x", "status": status}).raise_for_status()
        assert raised.value.job_id == "x"
    driver.api.add("x", "completed")
    with pytest.raises(AIJobsError, match="shows no result") as without:
        driver.run(client.result("x"))
    assert without.value.job_id == "x"
    driver.api.faults.append(error(400, "BAD_REQUEST"))
    with pytest.raises(BadRequestError) as listed:
        driver.run(client.list_jobs({}))
    assert listed.value.job_id is None


@each_operation
@pytest.mark.parametrize("status", ["queued", "completed", "cancelled"])
def test_another_jobs_answer_is_never_returned(driver: Driver, client: Core, operation: Any, status: str) -> None:
    driver.api.faults.append(answer(200, {"jobId": "y", "status": status, "result": RESULT}))
    with pytest.raises(UnexpectedAnswerError, match="returned the job 'y'") as raised:
        driver.run(operation(client))
    assert raised.value.code == "WRONG_JOB"
    assert driver.emitted == []


def test_a_sweep_checks_whose_answers_it_gets(driver: Driver, client: Core) -> None:
    driver.api.add("x", "completed", result=RESULT)
    driver.api.faults.extend([None, answer(200, {"jobId": "x", "status": "completed", "result": RESULT})])
    with pytest.raises(UnexpectedAnswerError, match="WRONG_JOB") as raised:
        driver.run(client.follow(["x", "y"], 300))
    assert raised.value.job_id == "y"


DEEP = b"[" * 200_000
DEEP_BUT_READABLE = b'{"jobId": ' + b"[" * 900 + b"]" * 900 + b', "status": "queued"}'


@each_operation
@pytest.mark.parametrize("status", [200, 400, 404, 418])
def test_an_answer_nested_too_deeply_is_an_error_of_ours(
    driver: Driver, client: Core, operation: Any, status: int
) -> None:
    for body in (DEEP, b'{"error": ' + DEEP, b'{"error": {"code": ' + DEEP_BUT_READABLE + b"}}", DEEP_BUT_READABLE):
        driver.api.faults.append((status, {}, body))
        with pytest.raises(UnexpectedAnswerError) as raised:
            driver.run(operation(client))
        assert len(str(raised.value)) < 1000


def test_a_stored_result_and_a_list_nested_too_deeply_are_too(driver: Driver, client: Core) -> None:
    driver.api.faults.append((200, {}, DEEP))
    with pytest.raises(UnexpectedAnswerError, match="not a JSON object"):
        driver.run(client.list_jobs({}))
    stored = {"jobId": "x", "status": "completed", "resultUrl": "https://bucket.example/stored/x"}
    driver.api.faults.append((200, {}, DEEP))
    with pytest.raises(UnexpectedAnswerError, match="not a result document") as raised:
        driver.run(client.result(job_of(stored)))
    assert raised.value.job_id == "x"


@pytest.mark.parametrize(
    "fields",
    [
        b'"attempts": 1e400',
        b'"attempts": []',
        b'"completedAt": "0001-01-01T00:00:00+14:00"',
        b'"completedAt": 7',
        b'"result": "text"',
        b'"usage": {"inputTokens": Infinity, "outputTokens": NaN}',
        b'"error": "text"',
    ],
)
def test_a_field_of_another_shape_is_an_error_of_ours(driver: Driver, client: Core, fields: bytes) -> None:
    driver.api.faults.append((200, {}, b'{"jobId": "x", "status": "completed", ' + fields + b"}"))
    with pytest.raises(UnexpectedAnswerError, match="not a (job|result) as documented"):
        driver.run(client.get("x"))


@pytest.mark.parametrize("url", ["ftp://host/x", "https://", "/stored/x", "https://host:port/x", 7])
def test_a_result_url_that_is_not_one_is_not_asked(driver: Driver, client: Core, url: Any) -> None:
    driver.api.add("x", "completed", resultUrl=url)
    with pytest.raises(AIJobsError, match="not an HTTP URL") as raised:
        driver.run(client.result("x"))
    assert (raised.value.code, raised.value.job_id) == ("NO_RESULT", "x")


def _nested(depth: int) -> Any:
    nested: Any = {}
    for _ in range(depth):
        nested = {"a": nested}
    return nested


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"text": "\ud83c"}, "half a surrogate pair"),
        ({"\ud83c": "text"}, "half a surrogate pair"),
        (_nested(200_000), "nested too deeply"),
        ({"text": float("inf")}, "JSON compliant"),
        ({"text": b"bytes"}, "bytes is not JSON serializable"),
    ],
    ids=["value", "key", "deep", "infinite", "bytes"],
)
def test_an_input_that_cannot_be_sent_is_refused_here(driver: Driver, client: Core, given: Any, reason: str) -> None:
    with pytest.raises(InvalidArgumentError, match=reason):
        driver.run(client.submit("echo", given, None, {}))
    assert driver.api.calls == []


@pytest.mark.parametrize("job", [None, 7, b"x", "\ud83c", ["x"]])
def test_what_is_not_a_job_is_refused_here(driver: Driver, client: Core, job: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="is not a job id"):
        driver.run(client.get(job))
    with pytest.raises(InvalidArgumentError, match="half a surrogate pair"):
        driver.run(client.list_jobs({"userId": "\ud83c"}))


def test_an_id_may_be_a_uuid(driver: Driver, client: Core) -> None:
    job_id = uuid.uuid4()
    driver.run(client.submit("echo", TEXT, job_id, {"userId": "u"}))
    assert driver.run(client.get(job_id)).job_id == str(job_id)
    driver.run(client.follow([job_id], 300))
    assert driver.emitted_ids == [str(job_id)]


@pytest.mark.parametrize("seconds", ["60", None, float("nan"), True])
def test_a_time_that_is_not_a_number_is_refused(driver: Driver, client: Core, seconds: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="it must be a number of seconds") as raised:
        driver.run(client.wait("x", seconds))
    assert raised.value.job_id == "x"
    with pytest.raises(InvalidArgumentError, match="it must be a number of seconds"):
        client.follow(["x"], seconds)
    with pytest.raises(InvalidArgumentError, match="it must be a number of seconds"):
        Core(URL, None, None, seconds)


def test_an_api_key_that_is_not_a_header_is_refused_without_showing_it() -> None:
    with pytest.raises(InvalidArgumentError, match="x-api-key is not a single line") as raised:
        Core(URL, None, "secret\n", 30.0)
    assert "secret" not in str(raised.value)
