"""The examples in docs/client.md run in their order on the page, and its table of errors is complete."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import ai_jobs
from ai_jobs.client import waiting
from tests.fake_jobs_api import RESULT, FakeJobsApi, served

TEXT = Path(__file__).parents[2].joinpath("docs/client.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_examples_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("living-room.jpg").write_bytes(b"\xff\xd8\xff")
    monkeypatch.setattr(waiting, "_FIRST_PAUSE_SECONDS", 0.001)
    api = FakeJobsApi()
    api.looks.default_factory = lambda: 0
    api.results["listing-facts"] = RESULT | {"json": {"city": "Cascais", "pool": True}}
    with served(api):
        monkeypatch.setenv("AI_JOBS_API_URL", api.url)
        names: dict[str, Any] = {"__name__": "example"}
        printed = []
        for example in EXAMPLES:
            exec(compile(example, "docs/client.md", "exec", dont_inherit=True), names)  # noqa: S102 - our own
            printed.append(capsys.readouterr().out)
        for made in ("signed", "with_token", "with_header", "with_key"):
            names[made].close()
    assert len(EXAMPLES) == 7
    one, facts, many, listed, asynchronous, auth, errors = printed
    assert one == f"{RESULT['text']}\n"
    assert facts == "Cascais\n"
    assert many.count(RESULT["text"]) == 2
    assert many.count("cancelled None") == 1
    assert listed.count("social-media") == 3
    assert asynchronous == one * 2
    assert auth == "queued\n"
    first, second = errors.splitlines()
    assert first == "INVALID_INPUT input.subject"
    assert re.fullmatch(r"CANCELLED ([0-9a-f-]{36}) job \1 is cancelled", second)


def test_every_error_is_in_the_table() -> None:
    table = TEXT.partition("## When it goes wrong")[2]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`(\w+Error)`", row)} - {"TimeoutError"}
    homes = {module: names for module, names in ai_jobs._HOMES.items() if module.startswith("ai_jobs.client.")}
    errors = {name for names in homes.values() for name in names if name.endswith("Error")}
    assert documented == errors - {"ApiError"}
