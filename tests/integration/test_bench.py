"""The benchmark's sections on the stack, as small as they get: what they measure has the documented shape."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bench import end_to_end, local_system, submit
from bench.local_system import LocalSystem
from bench.sections import Scale
from scripts import local_aws
from tests.converse_stub import ConverseStub


@pytest.fixture
def system(
    outputs: SimpleNamespace,
    model: ConverseStub,
    local_aws_instance: local_aws.Instance,
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
    system = LocalSystem(local_aws_instance, unused, unused, unused, known, log.parent)
    monkeypatch.setattr(local_system, "shared", lambda: system)
    return system


def test_submitting_is_measured_by_route_and_mode(system: LocalSystem) -> None:  # R-B4
    results = submit.measure(Scale.SMOKE)
    assert set(results["medians"]) == {"put", "get", "post", "send", "nothing"}
    assert all(set(ranks) == {"p50_ms", "p99_ms"} for ranks in results["medians"]["put"].values())
    assert "PUT /jobs/{jobId}" in submit.table(results)


def test_end_to_end_is_measured_without_peers(system: LocalSystem) -> None:  # R-B4
    results = end_to_end.measure(Scale.SMOKE)
    (run,) = results["runs"]["20"]["ours"]
    assert (run["jobs"], run["completed"], len(run["latencies_ms"])) == (10, 10, 10)
    assert {"p50_ms", "p99_ms", "worker_cpu_ms", "local_aws_cpu_ms", "workers", "jobs_per_batch"} <= set(run)
    assert "| 20 per second | ours |" in end_to_end.table(results)
