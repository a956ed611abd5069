"""One run of a contender: jobs at a fixed rate or in a burst, when each of them was done, and what that took."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from bench.contenders import Job
from bench.load import closed_loop, open_loop, percentiles, sqs_request
from bench.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.contenders import Contender
    from bench.local_system import LocalSystem

_BATCH = 10
_BURST_CALLERS = 4
_PATIENCE_SECONDS = 45
_POLL_SECONDS = 0.25


def at_rate(system: LocalSystem, contender: Contender, rate: int, count: int) -> dict[str, Any]:
    """Submit so many jobs, `rate` of them per second; the result is that of `figures` with that of `Usage`."""
    jobs = make_jobs(count)
    endpoint_url = system.instance.endpoint_url
    requests = [sqs_request(endpoint_url, "SendMessage", message) for message in contender.messages(jobs)]
    with Usage(system, contender) as usage:
        sent = open_loop(requests, rate)
        done = wait_for(contender, jobs, time.monotonic() + _PATIENCE_SECONDS)
    due = {job.job_id: one.due for job, one in zip(jobs, sent, strict=True)}
    return figures(due, done) | usage.per_job(count)


def burst(
    system: LocalSystem, contender: Contender, count: int, patience_seconds: float = _PATIENCE_SECONDS
) -> dict[str, Any]:
    """Submit so many jobs at once, ten in a request; the result is as that of `at_rate`."""
    jobs = make_jobs(count)
    messages = contender.messages(jobs)
    requests = [
        sqs_request(system.instance.endpoint_url, "SendMessageBatch", _batch(messages[start : start + _BATCH]))
        for start in range(0, count, _BATCH)
    ]
    with Usage(system, contender) as usage:
        started = time.time()
        closed_loop(requests, _BURST_CALLERS)
        done = wait_for(contender, jobs, time.monotonic() + patience_seconds)
    return figures(dict.fromkeys((job.job_id for job in jobs), started), done) | usage.per_job(count)


def make_jobs(count: int, cue: str = "") -> list[Job]:
    """New jobs; the cue tells the model's stub (tests/converse_stub.py) what to do."""
    ids = [str(uuid.uuid4()) for _ in range(count)]
    return [Job(job_id, f"job {job_id}{cue}") for job_id in ids]


def _batch(messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    entries = [message | {"Id": str(number)} for number, message in enumerate(messages)]
    queue_url = messages[0]["QueueUrl"]
    return {
        "QueueUrl": queue_url,
        "Entries": [{name: value for name, value in entry.items() if name != "QueueUrl"} for entry in entries],
    }


def wait_for(contender: Contender, jobs: Sequence[Job], deadline: float) -> dict[str, float]:
    """When each job was completed; those that are not by the deadline are left out.

    As long as one job isn't done, only that one is read: polling must not use the CPU that it measures.
    """
    missing = [job.job_id for job in jobs]
    done: dict[str, float] = {}
    while missing:
        if contender.completed(missing[-1:]):
            done |= contender.completed(missing)
            missing = [job_id for job_id in missing if job_id not in done]
        elif time.monotonic() > deadline:
            return done | contender.completed(missing)
        else:
            time.sleep(_POLL_SECONDS)
    return done


def figures(due: dict[str, float], done: dict[str, float]) -> dict[str, Any]:
    """The figures of one run.

    Args:
        due: when each job was to be submitted, by its id.
        done: when it was completed.
    """
    latencies = [done[job_id] - moment for job_id, moment in due.items() if job_id in done]
    if not latencies:
        return {"latencies_ms": [], "jobs": len(due), "completed": 0}
    last = max(done.values())
    between = last - min(done.values())
    return percentiles(latencies) | {
        "jobs": len(due),
        "completed": len(done),
        "per_second": round(len(done) / (last - min(due.values())), 1),
        # From the first end to the last one, which is the rate at which they came if the system keeps up.
        "ended_per_second": round((len(done) - 1) / between, 1) if between else 0.0,
        "latencies_ms": [round(latency * 1000, 1) for latency in latencies],
    }
