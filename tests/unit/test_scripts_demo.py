"""The demo, against a stand-in for the API, and the single calls that tests make."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import hcl2
import pytest

from ai_jobs.client import calls, waiting
from ai_jobs.client.files import read_local_file
from ai_jobs.service.file_content import problem_of
from scripts import demo, local_stack
from scripts.local_api import Api
from scripts.project import LOCAL_ENVIRONMENT, ROOT, Failure
from tests.fake_jobs_api import RESULT, FakeJobsApi, error, served


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


def test_there_is_one_job_of_each_type_of_the_local_stack() -> None:  # R-A1, R-A2
    own = hcl2.loads((LOCAL_ENVIRONMENT / "terraform.tfvars").read_text("utf-8"))["job_types"]
    builtin = (ROOT / "modules/ai-jobs/builtin_job_types").glob("*.yaml")
    bodies = [json.loads(path.read_text("utf-8")) for path in (ROOT / "examples/jobs").glob("*.json")]
    names = sorted(body["jobType"] for body in bodies)
    assert names == sorted([*(name.strip('"') for name in own), *(path.stem for path in builtin)])


def test_the_files_of_the_examples_are_what_their_names_say() -> None:  # R-A2
    folders = [path for path in (ROOT / "examples/jobs").iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        assert folder.with_suffix(".json").is_file()
        for path in folder.iterdir():
            file = read_local_file(path, None)
            assert problem_of(file.content, file.media_type, is_whole=True) is None


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


def test_json_is_shown_as_json(api: FakeJobsApi, capsys: pytest.CaptureFixture[str]) -> None:  # R-A1
    facts = {"title": "Zimmer mit Aussicht über die Elbe " * 4, "rooms": 2}
    api.results["blog-post"] = {name: value for name, value in RESULT.items() if name != "text"} | {"json": facts}
    demo.main()
    shown = capsys.readouterr().out.partition("s (job ")[2].partition("\n")[2].partition("\n\n")[0]
    assert json.loads(shown) == facts
    assert shown.splitlines()[0] == "    {"
    assert "über" in shown


def test_the_files_in_a_jobs_folder_go_with_it(
    api: FakeJobsApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # R-A2
    (tmp_path / "post").mkdir()
    (tmp_path / "post" / "front.png").write_bytes(b"\x89PNG")
    demo.main()
    ((key, content),) = api.files.items()
    assert content == b"\x89PNG"
    assert key.startswith("uploads/user=u/")
    (body,) = api.bodies.values()
    assert body["attachments"] == [{"key": key, "name": "front.png", "mediaType": "image/png"}]
    assert "blog-post with front.png: completed in" in capsys.readouterr().out


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
