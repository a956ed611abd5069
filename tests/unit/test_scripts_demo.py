"""The demo's client side, against a stand-in for the API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from scripts import demo, local_stack
from scripts.project import Failure


class StandIn(BaseHTTPRequestHandler):
    """Answers POST with a job id and GET with the next of the answers."""

    answers: ClassVar[list[tuple[int, Any]]] = []
    accepted: ClassVar[tuple[int, Any]] = (202, {"jobId": "job-1", "status": "queued"})
    authorizations: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(*self.accepted)

    def do_GET(self) -> None:
        self._answer(*(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]))

    def _answer(self, status: int, body: Any) -> None:
        self.authorizations.append(self.headers.get("Authorization", ""))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "post.json").write_text(json.dumps({"userId": "u", "jobType": "blog-post", "input": {}}))
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    monkeypatch.setattr(demo, "JOBS", tmp_path)
    monkeypatch.setattr(demo, "POLL_SECONDS", 0)
    monkeypatch.setattr(StandIn, "accepted", StandIn.accepted)
    StandIn.authorizations.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}/restapis/x/v1/_user_request_"
    monkeypatch.setattr(local_stack, "up", lambda: None)
    monkeypatch.setattr(local_stack, "outputs", lambda: {"api_url": url})
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


def row(status: str, **more: Any) -> tuple[int, Any]:
    return 200, {"jobId": "job-1", "status": status} | more


NOT_YET = (404, {"error": {"code": "NOT_FOUND"}})


def test_all_completed_ends_well_and_shows_the_text(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    StandIn.answers = [NOT_YET, row("processing"), row("completed", result={"text": "Two rooms,\na view."})]
    demo.main()
    printed = capsys.readouterr().out
    assert "processing" in printed
    assert "blog-post: completed in" in printed
    assert "    a view." in printed
    assert "1 of 1 jobs completed" in printed
    assert "make local-down" in printed
    assert all(value.startswith("AWS4-HMAC-SHA256 ") for value in StandIn.authorizations)


def test_a_failed_job_ends_the_demo_with_its_reason(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    StandIn.answers = [row("failed", error={"code": "INVALID_INPUT", "message": "topic is missing"})]
    with pytest.raises(SystemExit) as ended:
        demo.main()
    assert ended.value.code == 1
    assert "INVALID_INPUT: topic is missing" in capsys.readouterr().out


def test_a_job_that_never_ends_is_shown_as_it_is(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "WAIT_SECONDS", 0.05)
    StandIn.answers = [NOT_YET]
    with pytest.raises(SystemExit) as ended:
        demo.main()
    assert ended.value.code == 1
    assert "still queued" in capsys.readouterr().out


def test_a_refused_job_is_shown_with_the_answer(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StandIn, "accepted", (403, {"error": {"code": "FORBIDDEN"}}))
    with pytest.raises(Failure, match=r"post\.json was answered 403: .*FORBIDDEN"):
        demo.main()


def test_an_error_of_get_is_shown_with_the_answer(url: str) -> None:
    StandIn.answers = [(500, {"error": {"code": "INTERNAL_ERROR"}})]
    with pytest.raises(Failure, match=r"GET /jobs/job-1 was answered 500: .*INTERNAL_ERROR"):
        demo.main()


def test_an_api_that_does_not_answer_is_named(url: str) -> None:
    with pytest.raises(Failure, match=r"GET http://127\.0\.0\.1:9/jobs/x"):
        demo.Api("http://127.0.0.1:9").call("GET", "/jobs/x")
