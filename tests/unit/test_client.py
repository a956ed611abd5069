"""Both clients over HTTP: connections, headers, authorisation, proxies. The rules are in test_client_core.py."""

from __future__ import annotations

import asyncio
import concurrent.futures
import subprocess
import sys
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
    BadRequestError,
    BearerAuth,
    Job,
    JobsClient,
    NotAllowedError,
    SigV4Auth,
)
from ai_jobs.client import core
from ai_jobs.client.wire import Request
from tests.fake_jobs_api import LOST, RESULT, FakeJobsApi, served

TEXT = {"text": "hello"}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeJobsApi]:
    monkeypatch.setattr(core, "_FIRST_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(core, "_FIRST_PAUSE_SECONDS", 0.001)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with served(FakeJobsApi()) as running:
        yield running


class Blocking:
    """The asynchronous client with the synchronous one's methods, so that one test is for both."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncJobsClient(*arguments, **options)

    def __enter__(self) -> Blocking:
        return self

    def __exit__(self, *problem: object) -> None:
        self._runner.run(self._client.close())
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


def test_a_fixed_token_is_not_tried_twice(api: FakeJobsApi, make: Any) -> None:
    api.accepts = lambda headers: False
    with make(api.url, BearerAuth("old")) as client, pytest.raises(NotAllowedError):
        client.submit("echo", TEXT)
    assert len(api.calls) == 1


def test_any_function_can_authorise(api: FakeJobsApi, make: Any) -> None:
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
        # botocore signs the parameters as they stand in the URL, in alphabetical order: what arrived is what it signed.
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

    # Expired at once, so that each signature asks again.
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
    # The fake API stands in for the proxy: what a proxy gets has the whole URL as its target.
    monkeypatch.setenv("http_proxy", api.url.removesuffix("/v1").replace("://", "://user:p%40ss@"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    api.add("x")
    with make("http://jobs.invalid/v1") as client:
        client.get("x")
    # aiohttp writes the header's name in another case; "user:p@ss" in base64.
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


def test_stopping_early_leaves_nothing_behind(api: FakeJobsApi) -> None:
    for number in range(5):
        api.add(f"job-{number}", "completed", result=RESULT)
    with JobsClient(api.url) as client:
        for _ in client.iter_results([f"job-{number}" for number in range(5)]):
            break
        assert client.get("job-1").has_ended


# What the extra `functions`, `cli` or `async` brings, and what only the functions have.
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


def test_a_missing_extra_is_named() -> None:
    done = _run("from ai_jobs import AsyncJobsClient")
    assert "pip install 'ai-jobs[async]'" in done.stderr
    done = _run("from ai_jobs.cli.start import main; main()")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "ai-jobs needs click: install the command with: pip install 'ai-jobs[cli]'\n"
