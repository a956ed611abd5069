"""No job is lost, billed twice or stuck: R-E1 to R-E3, R-T3 to R-T5 under every fault, alone and all together.

`make chaos` runs all of it; `make test` a shorter version. Where a test waits it waits for an end, with a bound.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ai_jobs.local import instances
from scripts.local_api import Api
from tests.chaos import faults, scenarios
from tests.chaos.ledger import Job, end_of, judge
from tests.chaos.report import Report
from tests.chaos.system import BACKOFF_SECONDS, MAX_AGE_SECONDS, VISIBILITY_SECONDS, System
from tests.converse_stub import ConverseStub

RECOVERY_SECONDS = 2 * VISIBILITY_SECONDS + BACKOFF_SECONDS
"""How soon after the last fault all should be quiet: a figure to compare with, not an assertion."""

# Before the invariants are looked at, whatever still goes on then. It bounds the test; it judges no speed.
PATIENCE_SECONDS = 3 * VISIBILITY_SECONDS + 30


@pytest.fixture(scope="session")
def seed() -> int:
    """Of the suite's choices; AI_JOBS_CHAOS_SEED repeats a run's."""
    return int(os.environ.get("AI_JOBS_CHAOS_SEED") or time.time())


@pytest.fixture(scope="session")
def report(full: bool, seed: int) -> Iterator[Report]:
    """Collects the figures, and prints them in the end."""
    collected = Report(seed, full)
    yield collected
    collected.write()


@pytest.fixture(scope="session")
def system(
    outputs: SimpleNamespace,
    api: Api,
    model: ConverseStub,
    local_aws_instance: instances.Instance,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
) -> Iterator[System]:
    """The applied stack with the proxy in the way and the reconciler at work."""
    log: Path = tmp_path_factory.mktemp("chaos") / "microburst.log"
    with contextlib.ExitStack() as stack:
        proxy = stack.enter_context(faults.proxy(local_aws_instance.endpoint_url, log))
        made = System(outputs, api, model, proxy, local_aws_instance.pid, seed)
        stack.enter_context(made.tuned())
        yield made


def _judge(system: System, report: Report, title: str, jobs: list[Job], since: float) -> None:
    """Wait until all is quiet and check every invariant; `since` is when the last fault ended."""
    with system.reconciled():
        system.wait_until_quiet(PATIENCE_SECONDS)
        recovered = time.monotonic() - since
    state = system.state()
    verdict = judge(list(system.ledger), system.ledger.strangers, state)
    report.add(title, jobs, state, f"{recovered:.0f} s (wanted: {RECOVERY_SECONDS} s)", verdict)
    assert not verdict.broken, f"seed {report.seed}\n{verdict}"


def test_each_fault_alone(system: System, report: Report, full: bool) -> None:  # R-E1 R-E2 R-E3 R-T3 R-T4 R-T5
    if not full:
        pytest.skip("only in make chaos")
    count = 100
    with system.reconciled():
        jobs = [job for fault in scenarios.PER_JOB for job in fault(system, count)]
        ordinary = [job for job in jobs if job.fault != "redrive"]
        system.wait_until_over(ordinary, PATIENCE_SECONDS)
        system.proxy.clear()
        scenarios.conflicts(system, [job for job in jobs if job.fault == "poison"][:10])
        _redrive(system, [job for job in jobs if job.fault == "redrive"])
        doomed = scenarios.doomed(system, count)
        for word in ("kill", "kill-after", "kill-late"):
            jobs += scenarios.killed(system, count, word)
            time.sleep(4)
        jobs += scenarios.crashing_functions(system, count)
        time.sleep(4)
        system.proxy.clear()
        jobs += doomed + _while_something_is_down(system, count)
        system.wait_until_over(doomed, PATIENCE_SECONDS)
        _redrive(system, doomed)
        ended = time.monotonic()
    _judge(system, report, "each fault alone", jobs, ended)


def _redrive(system: System, jobs: list[Job]) -> None:
    """Half of them by a tool that keeps all attributes, half by one that keeps the suite's own."""
    system.redrive(jobs[::2], PATIENCE_SECONDS, keeps_attributes=True)
    system.redrive(jobs[1::2], PATIENCE_SECONDS, keeps_attributes=False)


def _while_something_is_down(system: System, count: int) -> list[Job]:
    lossy = ("completed", *scenarios.CRASHED)
    timed_out = [system.job("function timeout", allowed=lossy) for _ in range(count)]
    jobs = scenarios.during(scenarios.function_timeout, system, timed_out, 3)
    handled_late = [system.job("result handler paused", allowed=lossy) for _ in range(count)]
    jobs += scenarios.during(scenarios.result_handler_paused, system, handled_late, 5)
    unwritten = [system.job("table outage", "slow:1", allowed=lossy) for _ in range(count)]
    jobs += scenarios.during(scenarios.table_outage, system, unwritten, 5)
    unconfigured = [system.job("configuration outage", allowed=lossy) for _ in range(count)]
    # Longer than job types stay fresh, or no worker would notice.
    jobs += scenarios.during(scenarios.configuration_outage, system, unconfigured, MAX_AGE_SECONDS + 3)
    jobs += _while_a_model_is_out(system, count)
    jobs += _with_a_broken_type(system, count)
    late = [system.job("late start", "long", job_type="patient", allowed=lossy) for _ in range(20)]
    return jobs + scenarios.during(scenarios.late_start, system, late, 13)


def _while_a_model_is_out(system: System, count: int) -> list[Job]:
    """The fallback model completes every job, with one call beside each refusal."""  # R-A4
    jobs = [system.job("model outage", job_type="doubled") for _ in range(count)]
    with scenarios.model_outage(system):
        system.send(jobs)
        system.wait_until_over(jobs, PATIENCE_SECONDS)
    rows = system.rows()
    served = [rows[job.job_id] for job in jobs if end_of(rows.get(job.job_id)) == "completed"]
    assert len(served) >= 0.99 * len(jobs)
    assert {row["model"] for row in served} == {"amazon.nova-micro-v1:0"}
    return jobs


def _with_a_broken_type(system: System, count: int) -> list[Job]:
    """Its jobs fail alone, and a redrive after the fix completes them."""
    lossy = ("completed", *scenarios.CRASHED)
    broken = [system.job("broken type", job_type=scenarios.BROKEN, allowed=lossy) for _ in range(count // 2)]
    others = [system.job("broken type", job_type="brief", allowed=lossy) for _ in range(count // 2)]
    with scenarios.broken_type(system):
        system.send(broken + others)
        system.wait_until_over(broken + others, PATIENCE_SECONDS)
    rows = system.rows()
    ends = {end_of(rows.get(job.job_id)) for job in broken}
    assert "INVALID_CONFIGURATION" in ends, ends
    _redrive(system, broken)
    return broken + others


def test_all_faults_together(system: System, report: Report, full: bool) -> None:  # R-E1 R-E2 R-E3 R-T3 R-T5
    count = 1000 if full else 120
    share = count // 20
    with system.reconciled():
        everything = [job for fault in scenarios.PER_JOB for job in fault(system, share)]
        everything += [
            job for word in ("kill", "kill-after", "kill-late") for job in scenarios.killed(system, share, word)
        ]
        everything += scenarios.crashing_functions(system, share)
        everything += scenarios.doomed(system, share)
        others = [system.job("all at once", "slow:0.5") for _ in range(max(0, count - len(everything)))]
        # Receives that others' crashes and outages have used up are lost to any job.
        for job in everything + others:
            job.allowed |= {"completed", *scenarios.CRASHED}
        scenarios.during(scenarios.result_handler_paused, system, others[0::3], 2)
        system.send(others[1::3])
        down = (scenarios.table_down(), scenarios.configuration_down(), scenarios.slow_start(20_000, times=1))
        system.proxy.add(*down)
        time.sleep(3)
        system.send(others[2::3])
        time.sleep(2)
        system.proxy.clear()
        _redrive(system, [job for job in everything if job.fault == "redrive"])
        doomed = [job for job in everything if job.fault == "kills every worker"]
        system.wait_until_over(doomed, PATIENCE_SECONDS)
        ended = time.monotonic()  # they were the last to be killed
        _redrive(system, doomed)
    _judge(system, report, "all faults together", everything + others, ended)
