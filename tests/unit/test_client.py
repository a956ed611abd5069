"""Both clients over HTTP: connections, headers, authorization, proxies. test_client_core.py tests the rules."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth as Signer
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, RefreshableCredentials

from ai_jobs import (
    AIJobsError,
    ApiConnectionError,
    AsyncJobsClient,
    AuthError,
    BadRequestError,
    BearerAuth,
    ClientClosedError,
    InvalidArgumentError,
    Job,
    JobsClient,
    NotAllowedError,
    SigV4Auth,
    UnexpectedAnswerError,
    WaitTimeoutError,
)
from ai_jobs.client import asynchronous, calls, sync, waiting
from ai_jobs.client.wire import Request
from tests.fake_jobs_api import LOST, RESULT, FakeJobsApi, answer, error, served
from tests.forked import Child

TEXT = {"text": "hello"}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeJobsApi]:
    monkeypatch.setattr(calls, "_FIRST_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(waiting, "_FIRST_PAUSE_SECONDS", 0.001)
    # A request that the service holds takes longer than a connection may, here as in production (25 s and 5 s).
    for client in (sync, asynchronous):
        monkeypatch.setattr(client, "CONNECT_TIMEOUT_SECONDS", 0.5)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with served(FakeJobsApi()) as running:
        running.held_second = 0.04
        yield running


class Blocking:
    """The asynchronous client with the synchronous one's methods, so that one test covers both."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncJobsClient(*arguments, **options)

    def __enter__(self) -> Blocking:
        self._runner.run(self._client.__aenter__())
        return self

    def __exit__(self, *problem: object) -> None:
        self._runner.run(self._client.__aexit__(None, None, None))
        self._runner.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            made = getattr(self._client, name)(*arguments, **options)
            return self._runner.run(_all(made) if isinstance(made, AsyncIterator) else made)

        return call


async def _all(jobs: AsyncIterator[Job]) -> list[Job]:
    return [job async for job in jobs]


@pytest.fixture(params=[JobsClient, Blocking], ids=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_the_whole_life_of_jobs(api: FakeJobsApi, make: Any) -> None:
    with make(api.url, api_key="key-1") as client:
        jobs = [client.submit("echo", {"text": str(number)}, user_id="user-1") for number in range(12)]
        assert client.cancel(jobs[0]).status == "cancelled"
        ended = {job.job_id: job.status for job in client.iter_results(jobs)}
        assert ended == {jobs[0].job_id: "cancelled"} | {job.job_id: "completed" for job in jobs[1:]}
        assert client.wait(jobs[1]).result.text == RESULT["text"]
        assert client.get(jobs[2].job_id).attempts == 1
        assert {job.job_id for job in client.list(user_id="user-1", page_size=5)} == set(ended)
        assert {headers["x-api-key"] for headers in api.headers} == {"key-1"}
        api.add("large", "completed", resultUrl=f"{api.url.removesuffix('/v1')}/stored/large?X-Amz-Signature=1")
        assert client.result("large").text == RESULT["text"]
        assert "x-api-key" not in api.headers[-1]


def test_a_request_may_be_held_for_longer_than_a_connection_may_take(api: FakeJobsApi, make: Any) -> None:
    api.add("x")
    with make(api.url, timeout_seconds=5) as client:
        started = time.monotonic()
        assert client.wait("x", 30).has_ended
        assert time.monotonic() - started >= 2 * 20 * api.held_second
    assert len(api.calls) == 3, "none was abandoned and repeated"


def test_times_are_the_libraries_own(api: FakeJobsApi, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five seconds for a connection; 30 for the response, plus the 25 of the wait."""
    import aiohttp
    import urllib3

    monkeypatch.undo()
    given = []
    urllib3_request, aiohttp_request = urllib3.PoolManager.request, aiohttp.ClientSession._request

    def request(self: Any, *arguments: Any, timeout: urllib3.Timeout, **options: Any) -> Any:
        given.append((timeout.connect_timeout, timeout.read_timeout, timeout.total))
        return urllib3_request(self, *arguments, timeout=timeout, **options)

    async def request_async(self: Any, *arguments: Any, timeout: aiohttp.ClientTimeout, **options: Any) -> Any:
        given.append((timeout.sock_connect, timeout.sock_read, timeout.total))
        return await aiohttp_request(self, *arguments, timeout=timeout, **options)

    monkeypatch.setattr(urllib3.PoolManager, "request", request)
    monkeypatch.setattr(aiohttp.ClientSession, "_request", request_async)
    api.add("x", "completed", result=RESULT)
    with make(api.url) as client:
        client.wait("x", 60)
        client.get("x")
    assert given == [(5.0, 55.0, None), (5.0, 30.0, None)]


def test_a_wait_outlives_an_outage_and_says_in_the_end_that_it_is_one(api: FakeJobsApi, make: Any) -> None:
    api.add("x")
    api.faults.extend([LOST, error(503, "STORE_UNAVAILABLE")] * 6)
    with make(api.url) as client:
        assert client.wait("x", 30).has_ended
        assert not api.faults
    with make("http://127.0.0.1:9/v1") as client, pytest.raises(WaitTimeoutError) as raised:
        client.wait("x", 0.2)
    assert isinstance(raised.value.__cause__, ApiConnectionError)
    assert raised.value.job_id == raised.value.__cause__.job_id == "x"


def test_a_cut_connection_is_tried_again_and_a_dead_one_reported(api: FakeJobsApi, make: Any) -> None:
    api.faults.append(LOST)
    with make(api.url) as client:
        assert client.submit("echo", TEXT, user_id="u").status == "queued"
        assert len(api.rows) == 1
    with make("http://127.0.0.1:9/v1") as client, pytest.raises(ApiConnectionError, match=r"GET http://127\.0\.0\.1:9"):
        client.get("x")


def test_a_refusal_has_its_field(api: FakeJobsApi, make: Any) -> None:
    with make(api.url) as client, pytest.raises(BadRequestError) as raised:
        client.submit("echo", {}, user_id="u")
    assert (raised.value.code, raised.value.field) == ("INVALID_INPUT", "input.text")


def test_an_expired_token_is_renewed(api: FakeJobsApi, make: Any) -> None:
    tokens = iter(["old", "new", "newer"])
    api.accepts = lambda headers: headers.get("authorization") == "Bearer new"
    with make(api.url, BearerAuth(lambda: next(tokens))) as client:
        client.submit("echo", TEXT)
        client.submit("echo", TEXT)
    assert next(tokens) == "newer", "it is asked for only after a 401"


class OwnError(RuntimeError):
    pass


def test_a_submit_that_cannot_be_authorized_says_which_job_it_was(
    api: FakeJobsApi, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> Any:
        raise OwnError("the identity provider is down")

    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda session: None)
    for auth, kind, code in (
        (SigV4Auth("eu-west-1"), AuthError, "NO_CREDENTIALS"),
        (BearerAuth(fail), AuthError, "AUTH_FAILED"),
        (fail, AuthError, "AUTH_FAILED"),
        (BearerAuth("secret\n"), InvalidArgumentError, "INVALID_ARGUMENT"),
    ):
        job_id = "0b2c4d6e-0000-4000-8000-000000000000"
        with make(api.url, auth) as client, pytest.raises(kind) as raised:
            client.submit("echo", TEXT, user_id="u", job_id=job_id)
        assert (raised.value.code, raised.value.job_id) == (code, job_id)
        assert "secret" not in str(raised.value)
        assert code != "AUTH_FAILED" or isinstance(raised.value.__cause__, OwnError)
    assert api.calls == []


def test_another_jobs_answer_is_never_returned(api: FakeJobsApi, make: Any) -> None:
    api.faults.append(answer(200, {"jobId": "y", "status": "completed", "result": RESULT}))
    with make(api.url) as client, pytest.raises(AIJobsError, match="returned the job 'y'") as raised:
        client.get("x")
    assert (raised.value.code, raised.value.job_id) == ("WRONG_JOB", "x")


def test_a_closed_client_refuses_further_use(api: FakeJobsApi, make: Any) -> None:
    for number in range(3):
        api.add(f"job-{number}", "completed", result=RESULT)
    with make(api.url) as client:
        client.get("job-0")
        client.close()
        client.close()
        calls = len(api.calls)
        for call in (
            lambda: client.submit("echo", TEXT, user_id="u", job_id="job-0"),
            lambda: client.get("job-0"),
            lambda: client.wait("job-0"),
            lambda: client.cancel("job-0"),
            lambda: client.result("job-0"),
            lambda: list(client.iter_results(["job-0", "job-1"])),
        ):
            with pytest.raises(ClientClosedError, match="the client is closed") as raised:
                call()
            assert raised.value.job_id == "job-0"
        with pytest.raises(ClientClosedError):
            list(client.list(user_id="u"))
        with pytest.raises(ClientClosedError), client:
            pass
    assert len(api.calls) == calls


def test_one_that_was_never_used_is_closed_too(api: FakeJobsApi, make: Any) -> None:
    with make(api.url) as client:
        client.close()
        with pytest.raises(ClientClosedError):
            client.get("x")


def test_a_fixed_token_is_not_tried_twice(api: FakeJobsApi, make: Any) -> None:
    api.accepts = lambda headers: False
    with make(api.url, BearerAuth("old")) as client, pytest.raises(NotAllowedError):
        client.submit("echo", TEXT)
    assert len(api.calls) == 1


def test_any_function_can_authorize(api: FakeJobsApi, make: Any) -> None:
    api.accepts = lambda headers: headers.get("x-session") == "PUT"
    with make(api.url, lambda request: {"X-Session": request.method}) as client:
        assert client.submit("echo", TEXT).user_id is None


def test_a_signature_holds_for_what_arrives(api: FakeJobsApi, make: Any) -> None:
    credentials = Credentials("AKIAEXAMPLE", "secret", "session")
    with make(api.url, SigV4Auth("eu-west-1", credentials)) as client:
        list(client.list(user_id="a b/c&d=é", status="queued"))
        client.submit("echo", {"text": "é"}, user_id="u")
    for (method, target), headers in zip(api.calls, api.headers, strict=True):
        sent = {"X-Amz-Date": headers["x-amz-date"]}
        again = AWSRequest(method, f"{api.url.removesuffix('/v1')}{target}", sent, b"")
        again.context["timestamp"] = headers["x-amz-date"]
        assert headers["x-amz-security-token"] == "session"
        assert "/eu-west-1/execute-api/aws4_request" in headers["authorization"]
        # botocore signs the URL's parameters in alphabetical order: what arrived is what it signed.
        signed = Signer(credentials, "execute-api", "eu-west-1").canonical_query_string(again)
        assert signed == "&".join(sorted(filter(None, target.partition("?")[2].split("&"))))


def _sign(auth: SigV4Auth, url: str) -> str:
    return auth(Request("GET", url, {}))["Authorization"]


def test_the_region_is_the_hosts_or_the_configured_one(monkeypatch: pytest.MonkeyPatch) -> None:
    host = "https://abc.execute-api.ap-south-1.amazonaws.com/v1/jobs/x"
    assert "/ap-south-1/execute-api/" in _sign(SigV4Auth(), host)
    assert "/us-west-2/execute-api/" in _sign(SigV4Auth("us-west-2"), host)
    assert "/eu-west-1/execute-api/" in _sign(SigV4Auth(), "https://jobs.example.com/jobs/x")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "/eu-west-1/execute-api/" in _sign(SigV4Auth(), "https://jobs.example.com/jobs/x"), "AWS_REGION"
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(AIJobsError, match="set AWS_REGION"):
        _sign(SigV4Auth(), "https://jobs.example.com/jobs/x")


def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda session: None)
    with pytest.raises(AIJobsError, match="no AWS credentials"):
        _sign(SigV4Auth("eu-west-1"), "https://x/v1")


def test_temporary_credentials_are_renewed_between_tries() -> None:
    keys = iter(["AKIAONE", "AKIATWO"])

    def fetch() -> dict[str, str]:
        return {
            "access_key": next(keys),
            "secret_key": "s",
            "token": "t",
            "expiry_time": "2020-01-01T00:00:00Z",
        }

    # Expired immediately, so that each signature asks again.
    credentials = RefreshableCredentials.create_from_metadata(
        {"access_key": "AKIAZERO", "secret_key": "s", "token": "t", "expiry_time": "2020-01-01T00:00:00Z"},
        fetch,
        "test",
    )
    auth = SigV4Auth("eu-west-1", credentials)
    with pytest.raises(RuntimeError, match="refreshed credentials are still expired"):
        _sign(auth, "https://x/v1")
    assert next(keys) == "AKIATWO"


def test_one_client_serves_many_threads(api: FakeJobsApi) -> None:
    api.looks.default_factory = lambda: 0
    with JobsClient(api.url, SigV4Auth("eu-west-1")) as client, concurrent.futures.ThreadPoolExecutor(8) as threads:
        jobs = list(threads.map(lambda number: client.submit("echo", {"text": str(number)}, user_id="u"), range(40)))
        assert all(job.has_ended for job in threads.map(client.wait, jobs))
    assert len({job.job_id for job in jobs}) == 40


def test_the_environments_proxy_is_used_but_not_for_what_it_excludes(
    api: FakeJobsApi, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The fake API stands in for the proxy: a request to a proxy has the whole URL as its target.
    monkeypatch.setenv("http_proxy", api.url.removesuffix("/v1").replace("://", "://user:p%40ss@"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    api.add("x")
    with make("http://jobs.invalid/v1") as client:
        client.get("x")
    # aiohttp writes the header's name in another case; the value is "user:p@ss" in base64.
    assert api.headers[-1]["proxy-authorization"] == "Basic dXNlcjpwQHNz"
    assert api.calls[-1][1] == "http://jobs.invalid/v1/jobs/x"
    with make(api.url) as client:
        client.get("x")
    assert api.calls[-1][1] == "/v1/jobs/x"


def test_the_passwords_of_netrc_are_left_alone(
    api: FakeJobsApi, make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("default login someone password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    api.add("x", "completed", resultUrl=f"{api.url.removesuffix('/v1')}/stored/x")
    with make(api.url, BearerAuth("token")) as client:
        client.result("x")
    assert [headers.get("authorization") for headers in api.headers] == ["Bearer token", None]


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "http://user:secret@host:port", "https://"])
def test_a_proxy_that_cannot_be_one_is_named(
    api: FakeJobsApi, make: Any, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with make("http://jobs.invalid/v1") as client, pytest.raises(InvalidArgumentError, match="HTTPS_PROXY") as raised:
        client.get("x")
    assert raised.value.job_id == "x"
    assert "secret" not in str(raised.value)


def test_closing_while_it_iterates_ends_the_iteration(api: FakeJobsApi) -> None:
    for number in range(20):
        api.add(f"job-{number}", "completed", result=RESULT)
    client = JobsClient(api.url)
    results = client.iter_results([f"job-{number}" for number in range(20)])
    next(results)
    client.close()
    with pytest.raises(ClientClosedError):
        list(results)


def test_closing_does_not_wait_for_requests_that_are_held(api: FakeJobsApi) -> None:
    started, go_on = threading.Event(), threading.Event()

    def hold(request: Request) -> dict[str, str]:
        started.set()
        go_on.wait(10)
        return {}

    client = JobsClient(api.url, hold)
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        iterating = threads.submit(lambda: list(client.iter_results(["x", "y"], 5)))
        started.wait(10)
        client.close()
        go_on.set()
        with pytest.raises(ClientClosedError):
            iterating.result(10)


# A fork of a process whose threads and connections are in use: gunicorn with --preload, multiprocessing, Celery.
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def _use(client: JobsClient, names: list[str]) -> list[str]:
    """Read the jobs one by one and all together. Returns the ids that were seen."""
    return [client.get(name).job_id for name in names] + sorted(job.job_id for job in client.iter_results(names, 10))


@forks
def test_a_forked_child_shares_neither_connections_nor_threads(api: FakeJobsApi) -> None:
    api.looks.default_factory = lambda: 0
    names = [[f"{child}-{number}" for number in range(50)] for child in range(4)]
    for name in (name for some in names for name in some):
        api.add(name)
    auth = SigV4Auth("eu-west-1", Credentials("AKIAEXAMPLE", "secret"))
    with JobsClient(api.url, auth) as client, contextlib.ExitStack() as stack:
        list(client.iter_results(names[0][:8]))  # connections and threads
        children = [stack.enter_context(Child(lambda some=some: _use(client, some))) for some in names[1:]]
        assert _use(client, names[0]) == names[0] + sorted(names[0])
        for child, some in zip(children, names[1:], strict=True):
            assert child.result() == some + sorted(some)


@forks
def test_a_forked_child_does_not_wait_for_the_parents_locks(api: FakeJobsApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of the parent is about to get a token, or credentials, at the moment of the fork."""
    api.add("x", "completed", result=RESULT)
    parent, asked, go_on = os.getpid(), threading.Event(), threading.Event()

    def slowly(made: Any) -> Any:
        if os.getpid() == parent:
            asked.set()
            go_on.wait(20)
        return made

    credentials = Credentials("AKIAEXAMPLE", "secret")
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda session: slowly(credentials))
    for auth in (BearerAuth(lambda: slowly("token")), SigV4Auth("eu-west-1")):
        asked.clear()
        go_on.clear()
        with JobsClient(api.url, auth) as client, concurrent.futures.ThreadPoolExecutor(1) as threads:
            in_parent = threads.submit(client.get, "x")
            assert asked.wait(10)
            try:
                with Child(lambda client=client: client.get("x").job_id) as child:
                    assert child.result(10) == "x"
            finally:
                go_on.set()
            assert in_parent.result(10).job_id == "x"


@forks
def test_a_closed_client_is_closed_in_a_child_too(api: FakeJobsApi) -> None:
    client = JobsClient(api.url)
    client.close()
    with Child(lambda: client.get("x")) as child, pytest.raises(ClientClosedError):
        child.result()


@forks
def test_the_asynchronous_client_makes_new_connections_in_a_child(api: FakeJobsApi) -> None:
    api.looks.default_factory = lambda: 0
    names = [f"job-{number}" for number in range(20)]
    for name in names:
        api.add(name)

    async def use() -> list[str]:
        jobs = await asyncio.gather(*(client.get(name) for name in names))
        return [job.job_id for job in jobs] + sorted([job.job_id async for job in client.iter_results(names, 10)])

    client = AsyncJobsClient(api.url)
    with asyncio.Runner() as runner, contextlib.ExitStack() as stack:
        assert runner.run(use()) == names + sorted(names)
        # The parent's loop still runs, and its connections are open.
        children = [stack.enter_context(Child(lambda: asyncio.run(use()))) for _ in range(2)]
        assert runner.run(use()) == names + sorted(names)
        for child in children:
            assert child.result() == names + sorted(names)
        assert runner.run(use()) == names + sorted(names)
        runner.run(client.close())


def test_the_asynchronous_client_goes_from_a_loop_that_is_over_to_the_next(api: FakeJobsApi) -> None:
    api.add("x", "completed", result=RESULT)
    client = AsyncJobsClient(api.url)
    for _ in range(3):
        assert asyncio.run(client.get("x")).job_id == "x"
    asyncio.run(client.close())


def test_the_asynchronous_client_does_not_serve_two_loops_at_once(api: FakeJobsApi) -> None:
    api.add("x", "completed", result=RESULT)
    client = AsyncJobsClient(api.url)
    with asyncio.Runner() as runner:
        runner.run(client.get("x"))
        for call in (client.get("x"), client.close()):
            with pytest.raises(AIJobsError, match="another event loop") as raised:
                asyncio.run(call)
            assert raised.value.code == "WRONG_EVENT_LOOP"
        assert runner.run(client.get("x")).job_id == "x"
        runner.run(client.close())


def test_stopping_early_leaves_nothing_behind(api: FakeJobsApi) -> None:
    for number in range(5):
        api.add(f"job-{number}", "completed", result=RESULT)
    with JobsClient(api.url) as client:
        for _ in client.iter_results([f"job-{number}" for number in range(5)]):
            break
        assert client.get("job-1").has_ended


# What the extras `functions`, `cli`, and `async` install.
OPTIONAL = ("aws_lambda_powertools", "fastjsonschema", "jinja2", "click", "rich", "aiohttp")
BLOCK = f"import sys\nfor name in {OPTIONAL!r}: sys.modules[name] = None\n"


def _run(program: str) -> subprocess.CompletedProcess[str]:
    path = f"import sys; sys.path.insert(0, 'functions')\n{BLOCK}"
    return subprocess.run([sys.executable, "-c", path + program], capture_output=True, text=True, check=False)


def test_the_client_and_the_queue_functions_need_no_extra() -> None:  # R-C1
    names = "JobsClient, SigV4Auth, BearerAuth, WaitTimeoutError, send_ai_job_request, receive_messages, erase_user"
    done = _run(f"from ai_jobs import {names}\nJobsClient('https://x/v1', SigV4Auth()).close()\n")
    assert done.returncode == 0, done.stderr


def test_importing_the_client_imports_neither_botocore_nor_urllib3() -> None:
    done = _run("from ai_jobs import JobsClient, SigV4Auth\nprint({'boto3', 'botocore', 'urllib3'} & set(sys.modules))")
    assert done.stdout.strip() == "set()", done.stderr


def test_a_star_import_works_without_the_extras() -> None:
    done = _run("from ai_jobs import *\nprint('JobsClient' in dir(), 'AsyncJobsClient' in dir())")
    assert done.stdout == "True False\n", done.stderr
    with_it = [sys.executable, "-c", "from ai_jobs import *\nAsyncJobsClient"]
    subprocess.run(with_it, check=True, env=os.environ | {"PYTHONPATH": "functions"})


def test_a_missing_extra_is_named() -> None:
    done = _run("from ai_jobs import AsyncJobsClient")
    assert "pip install 'ai-jobs[async]'" in done.stderr
    done = _run("from ai_jobs.cli.start import main; main()")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "ai-jobs needs click: install the command with: pip install 'ai-jobs[cli]'\n"


# Files


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "Grundriß 1.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100)
    return path


def test_a_file_is_uploaded_without_the_callers_credentials_and_named_by_a_job(
    api: FakeJobsApi, make: Any, photo: Path
) -> None:  # R-A2
    with make(api.url, BearerAuth("secret"), api_key="key") as client:
        attachment = client.upload(photo, user_id="user-1", job_type="echo")
        job = client.submit("echo", TEXT, attachments=[attachment], user_id="user-1")
    assert attachment.key.startswith("uploads/user=user-1/")
    assert (attachment.name, attachment.media_type) == (photo.name, "image/png")
    assert attachment.bytes == len(photo.read_bytes())
    assert api.files == {attachment.key: photo.read_bytes()}
    form, stored, put = api.headers
    assert form["authorization"] == put["authorization"] == "Bearer secret"
    assert {"authorization", "x-api-key"}.isdisjoint(stored)
    named = {"key": attachment.key, "name": photo.name, "mediaType": "image/png"}
    assert api.bodies[job.job_id]["attachments"] == [named]


def test_files_of_one_name_are_numbered(api: FakeJobsApi, make: Any, photo: Path) -> None:  # R-A2
    with make(api.url) as client:
        job = client.submit("echo", TEXT, attachments=[client.upload(photo), client.upload(photo)])
    names = [one["name"] for one in api.bodies[job.job_id]["attachments"]]
    assert names == ["Grundriß 1.png", "Grundriß 1-2.png"]


def test_a_job_without_files_says_nothing_about_files(api: FakeJobsApi, make: Any) -> None:  # R-A2
    with make(api.url) as client:
        job = client.submit("echo", TEXT, attachments=[])
    assert "attachments" not in api.bodies[job.job_id]


def test_the_upload_is_retried_like_a_request(api: FakeJobsApi, make: Any, photo: Path) -> None:  # R-A2
    slow_down = (503, {}, b"<Error><Code>SlowDown</Code><Message>later</Message></Error>")
    api.faults.extend([error(503, "STORE_UNAVAILABLE"), None, slow_down, LOST])
    with make(api.url) as client:
        attachment = client.upload(str(photo))
    assert api.files == {attachment.key: photo.read_bytes()}


def test_what_s3_refuses_is_said_in_its_words(api: FakeJobsApi, make: Any, photo: Path) -> None:  # R-A2
    refusal = b'<?xml version="1.0"?>\n<Error><Code>EntityTooLarge</Code><Message>too large</Message></Error>'
    api.faults.extend([None, (400, {"content-type": "application/xml"}, refusal)])
    with make(api.url) as client, pytest.raises(BadRequestError, match="S3 refused the request: too large") as caught:
        client.upload(photo)
    assert caught.value.code == "EntityTooLarge"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("empty.png", b"", "is empty"),
        ("large.png", b"x" * 1001, "over 1000 bytes"),
        ("notes.doc", b"x", "one of .png"),
        ("missing.png", None, "can't be read: No such file"),
        ("folder.png", (), "can't be read: Is a directory"),
    ],
)
def test_a_file_that_no_job_can_have_is_not_sent(
    api: FakeJobsApi, make: Any, tmp_path: Path, name: str, content: Any, problem: str
) -> None:  # R-A2, R-I1
    api.max_bytes = 1000
    if content == ():
        (tmp_path / name).mkdir()
    elif content is not None:
        (tmp_path / name).write_bytes(content)
    with make(api.url) as client, pytest.raises(InvalidArgumentError, match=problem):
        client.upload(tmp_path / name)
    assert api.files == {}


def test_something_else_than_a_file_is_no_attachment(api: FakeJobsApi, make: Any) -> None:  # R-I1
    with make(api.url) as client, pytest.raises(InvalidArgumentError, match="pass what `upload` returns"):
        client.submit("echo", TEXT, attachments=["photo.png"])


def test_a_response_that_is_no_form_is_unexpected(api: FakeJobsApi, make: Any, photo: Path) -> None:
    for wrong in ({}, {"attachment": {"key": "k"}, "url": "file:///etc", "fields": {}, "maxBytes": 5}):
        api.faults.append(answer(201, wrong))
        with make(api.url) as client, pytest.raises(UnexpectedAnswerError, match="not a form"):
            client.upload(photo)
