"""The benchmark's sections, as small as they get: what they measure has the documented shape, and can be shown."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ai_jobs.local import instances
from bench import end_to_end, local_system, page, results, sections, submit
from bench.local_system import LocalSystem
from bench.sections import Scale
from tests.converse_stub import ConverseStub


@pytest.fixture
def system(
    outputs: SimpleNamespace,
    model: ConverseStub,
    local_aws_instance: instances.Instance,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> LocalSystem:
    """The tests' own stack instead of one that the benchmark applies."""
    stack = f"{outputs.api_id}/{outputs.api_stage_name}"
    known: dict[str, Any] = vars(outputs) | {
        "api_url": f"{local_aws_instance.endpoint_url}/restapis/{stack}/_user_request_"
    }
    # pytest links the latest of its folders a second time.
    (log,) = {path.resolve() for path in tmp_path_factory.getbasetemp().glob("local-aws*/ministack.log")}
    unused: Any = None
    stub: Any = SimpleNamespace(pid=os.getpid())  # the tests' own model is a thread of this process
    system = LocalSystem(local_aws_instance, stub, unused, unused, known, log.parent)
    monkeypatch.setattr(local_system, "shared", lambda: system)
    return system


def test_submitting_is_measured_by_route_and_mode(system: LocalSystem) -> None:  # R-B4
    found = submit.measure(Scale.SMOKE)
    assert set(found["medians"]) == {"put", "get", "post", "send", "nothing"}
    assert all(set(ranks) == {"p50_ms", "p99_ms"} for ranks in found["medians"]["put"].values())
    assert "PUT /jobs/{jobId}" in submit.table(found)


def test_end_to_end_is_measured_without_peers(system: LocalSystem) -> None:  # R-B4
    found = end_to_end.measure(Scale.SMOKE)
    (run,) = found["runs"]["20"]["ours"]
    assert (run["jobs"], run["completed"], len(run["latencies_ms"])) == (10, 10, 10)
    assert {"p50_ms", "p99_ms", "worker_cpu_ms", "local_aws_cpu_ms", "workers", "jobs_per_batch"} <= set(run)
    assert "| 20 per second | ours |" in end_to_end.table(found)


@pytest.mark.parametrize("name", ["cold_start", "processing", "cost"])
def test_a_small_run_gives_what_the_page_shows(name: str, tmp_path: Path) -> None:  # R-B4
    found = json.loads(json.dumps(results.measured(sections.load(name), Scale.SMOKE)))
    document = {"runs": {"noon": results.machine()}, "sections": {name: found | {"run": "noon"}}}
    assert all(isinstance(figure, int | float) for figure in found["figures"].values())
    text = page.text(document)
    assert f"## {sections.load(name).TITLE}\n\n![{sections.load(name).PICTURE}](img/bench-{name}.png)" in text
    assert "| --- |" in sections.load(name).table(found)
    page.draw(document, tmp_path)
    assert (tmp_path / f"docs/img/bench-{name}.png").read_bytes().startswith(b"\x89PNG")
