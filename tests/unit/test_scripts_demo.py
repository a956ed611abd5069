"""The demo, against a stand-in for the API, and the single calls that tests make."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_jobs.client import calls, waiting
from scripts import demo, local_stack
from scripts.local_api import Api
from scripts.project import Failure
from tests.fake_jobs_api import FakeJobsApi, error, served


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeJobsApi]:
    body = {"userId": "u", "jobType": "blog-post", "input": {"text": "Seven things"}}
    (tmp_path / "post.json").write_text(json.dumps(body))
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    monkeypatch.setattr(demo, "JOBS", tmp_path)
    monkeypatch.setattr(waiting, "_FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(calls, "_FIRST_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(local_stack, "up", lambda: None)
    with served(FakeJobsApi()) as running:
        monkeypatch.setattr(local_stack, "outputs", lambda: {"api_url": running.url})
        running.looks.default_factory = lambda: 0
        yield running


def test_all_completed_ends_well_and_shows_the_text(api: FakeJobsApi, capsys: pytest.CaptureFixture[str]) -> None:
    demo.main()
    printed = capsys.readouterr().out
    assert "blog-post              queued" in printed
    assert "blog-post              completed   after" in printed
    assert "blog-post: completed in" in printed
    assert "    Two rooms, a view." in printed
    assert "1 of 1 jobs completed" in printed
    assert "make local-down" in printed
    assert all(headers["authorization"].startswith("AWS4-HMAC-SHA256 ") for headers in api.headers)


def test_a_failed_job_ends_the_demo_with_its_reason(
    api: FakeJobsApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = {"status": "failed", "error": {"code": "MODEL_NOT_FOUND", "message": "no such model"}}
    monkeypatch.setattr(api, "_get", lambda row, known, get=api._get: get(row | failed, known))
    with pytest.raises(SystemExit) as ended:
        demo.main()
    assert ended.value.code == 1
    assert "MODEL_NOT_FOUND: no such model" in capsys.readouterr().out


def test_a_job_that_never_ends_is_shown_as_it_is(
    api: FakeJobsApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "WAIT_SECONDS", 0.05)
    api.looks.default_factory = lambda: 1000
    with pytest.raises(SystemExit) as ended:
        demo.main()
    assert ended.value.code == 1
    assert "still processing" in capsys.readouterr().out


def test_a_refused_job_is_shown_with_the_answer(api: FakeJobsApi) -> None:
    api.faults.append(error(403, "FORBIDDEN"))
    with pytest.raises(Failure, match=r"the API rejected the job in .*post\.json: 403 FORBIDDEN"):
        demo.main()


def test_an_error_while_waiting_ends_the_demo(api: FakeJobsApi) -> None:
    api.faults.extend([None, *[error(403, "FORBIDDEN")] * 10])
    with pytest.raises(Failure, match="403 FORBIDDEN"):
        demo.main()


def test_a_single_call_has_status_headers_and_body(api: FakeJobsApi) -> None:
    api.add("x")
    status, headers, body = Api(api.url).request("GET", "/jobs/x?wait=1", headers={"If-None-Match": '"other"'})
    assert (status, headers["etag"], body["jobId"]) == (200, '"completed"', "x")
    assert api.headers[-1]["if-none-match"] == '"other"'
    assert Api(api.url).call("GET", "/nothing")[0] == 404


def test_an_api_that_does_not_answer_is_named(api: FakeJobsApi) -> None:
    with pytest.raises(Failure, match=r"GET http://127\.0\.0\.1:9/jobs/x"):
        Api("http://127.0.0.1:9").call("GET", "/jobs/x")
