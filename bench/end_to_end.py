"""End to end: from submitting a job until its result is in DynamoDB, at fixed rates, in a burst, and through a kill."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from bench import local_system
from bench.contenders import CELERY, CELERY_DEFAULT, DRAMATIQ, Job, Ours, create_table
from bench.end_to_end_page import PICTURE, TITLE, plot, table
from bench.load import closed_loop, open_loop, percentiles, sqs_request
from bench.scale_check import LIGHT_RATE
from bench.sections import Scale
from bench.terraform import VISIBILITY_SECONDS
from bench.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.contenders import Contender, Peer
    from bench.local_system import LocalSystem

__all__ = ["PICTURE", "TITLE", "measure", "plot", "table"]

# Jobs at each rate, in each of so many rounds.
RATES = {1: 8, 20: 60, 40: 100, 100: 200}
ROUNDS = {1: 1, 20: 2, 40: 2, 100: 2}
# One burst is already an average over a hundred batches.
BURST_JOBS = 1000
BURST_ROUNDS = 1
_BATCH = 10
_BURST_CALLERS = 4

# From this run of ours, scale_check.py predicts the others. It comes before the peers start: their polling makes the
# local AWS work, which would count as work for our jobs.
LIGHT_JOBS = 40

# While one worker is killed, the model takes a while, so that the worker has jobs in its hands.
KILL_RATE = 20
KILL_JOBS = 80
KILL_AFTER_SECONDS = 2
KILL_MODEL_SECONDS = 0.5

# Enough batches at once to start all workers; whoever starts in the middle of a run would be in its figures.
_WARM_UP_JOBS = {Scale.FULL: 300, Scale.SMOKE: 20}
_PATIENCE_SECONDS = 45
# Cold workers on a busy machine: what is left of the warm-up would be in the figures of the first run.
_WARM_UP_SECONDS = 180
# What a killed worker had comes back after the visibility timeout, and is then worked on. What isn't there by then is
# lost, or would come back much later.
_KILL_PATIENCE_SECONDS = VISIBILITY_SECONDS + 10
_POLL_SECONDS = 0.25


def measure(scale: Scale) -> dict[str, Any]:
    """Run every load on every contender, in turns."""
    system = local_system.shared()
    ours = Ours(system)
    _burst(system, ours, _WARM_UP_JOBS[scale], _WARM_UP_SECONDS)
    if scale is Scale.SMOKE:
        runs = {"20": {"ours": [_at_rate(system, ours, 20, 10)]}}
        return {"runs": runs, "medians": _medians(runs), "kill": {}, "figures": {}}
    light = _at_rate(system, ours, LIGHT_RATE, LIGHT_JOBS)
    create_table(system)
    with contextlib.ExitStack() as stack:
        contenders: list[Contender] = [ours, *_peers(stack, system, (CELERY, DRAMATIQ), _WARM_UP_JOBS[scale])]
        runs = {str(rate): _in_turns(system, contenders, rate) for rate in RATES}
        runs["burst"] = _in_turns(system, contenders, None)
        kill = _through_a_kill(system, [*contenders, *_peers(stack, system, (CELERY_DEFAULT,), 20)])
    medians = _medians(runs)
    return {"runs": runs, "medians": medians, "light": light, "kill": kill, "figures": _figures(medians)}


def _peers(stack: contextlib.ExitStack, system: LocalSystem, peers: Sequence[Peer], jobs: int) -> list[Contender]:
    """These peers, started and warmed up by so many jobs."""
    started: list[Contender] = [stack.enter_context(peer.running(system)) for peer in peers]
    for contender in started:
        _burst(system, contender, jobs, _WARM_UP_SECONDS)
    return started


def _in_turns(
    system: LocalSystem, contenders: Sequence[Contender], rate: int | None
) -> dict[str, list[dict[str, Any]]]:
    """The runs of each contender at a rate; without one, of the burst."""
    runs: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender in contenders}
    for _ in range(ROUNDS[rate] if rate else BURST_ROUNDS):
        for contender in contenders:
            run = _at_rate(system, contender, rate, RATES[rate]) if rate else _burst(system, contender, BURST_JOBS)
            runs[contender.name].append(run)
    return runs


def _at_rate(system: LocalSystem, contender: Contender, rate: int, count: int) -> dict[str, Any]:
    jobs = _jobs(count)
    endpoint_url = system.instance.endpoint_url
    requests = [sqs_request(endpoint_url, "SendMessage", message) for message in contender.messages(jobs)]
    with Usage(system, contender) as usage:
        sent = open_loop(requests, rate)
        done = _wait_for(contender, jobs, time.monotonic() + _PATIENCE_SECONDS)
    due = {job.job_id: one.due for job, one in zip(jobs, sent, strict=True)}
    return _run(due, done) | usage.per_job(count)


def _burst(
    system: LocalSystem, contender: Contender, count: int, patience_seconds: float = _PATIENCE_SECONDS
) -> dict[str, Any]:
    jobs = _jobs(count)
    messages = contender.messages(jobs)
    requests = [
        sqs_request(system.instance.endpoint_url, "SendMessageBatch", _batch(messages[start : start + _BATCH]))
        for start in range(0, count, _BATCH)
    ]
    with Usage(system, contender) as usage:
        started = time.time()
        closed_loop(requests, _BURST_CALLERS)
        done = _wait_for(contender, jobs, time.monotonic() + patience_seconds)
    return _run(dict.fromkeys((job.job_id for job in jobs), started), done) | usage.per_job(count)


def _through_a_kill(system: LocalSystem, contenders: Sequence[Contender]) -> dict[str, dict[str, Any]]:
    """Kill a worker of each in the middle of its jobs; the wait for what comes back is the same one for all."""
    submitted = [_submit_and_kill(system, contender) for contender in contenders]
    deadline = time.monotonic() + _KILL_PATIENCE_SECONDS
    found = {}
    for contender, due in zip(contenders, submitted, strict=True):
        done = _wait_for(contender, list(due), deadline)
        calls = system.model.calls([job.prompt for job in due])
        run = _run({job.job_id: moment for job, moment in due.items()}, done)
        found[contender.name] = run | {"lost": len(due) - len(done), "run_twice": sum(count > 1 for count in calls)}
    return found


def _submit_and_kill(system: LocalSystem, contender: Contender) -> dict[Job, float]:
    """When each job was due."""
    jobs = _jobs(KILL_JOBS, f" answers=slow:{KILL_MODEL_SECONDS}")
    endpoint_url = system.instance.endpoint_url
    requests = [sqs_request(endpoint_url, "SendMessage", message) for message in contender.messages(jobs)]
    timer = threading.Timer(KILL_AFTER_SECONDS, contender.kill_worker)
    timer.start()
    sent = open_loop(requests, KILL_RATE)
    timer.join()
    return {job: one.due for job, one in zip(jobs, sent, strict=True)}


def _jobs(count: int, cue: str = "") -> list[Job]:
    ids = [str(uuid.uuid4()) for _ in range(count)]
    return [Job(job_id, f"job {job_id}{cue}") for job_id in ids]


def _batch(messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    entries = [message | {"Id": str(number)} for number, message in enumerate(messages)]
    queue_url = messages[0]["QueueUrl"]
    return {
        "QueueUrl": queue_url,
        "Entries": [{name: value for name, value in entry.items() if name != "QueueUrl"} for entry in entries],
    }


def _wait_for(contender: Contender, jobs: Sequence[Job], deadline: float) -> dict[str, float]:
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


def _run(due: dict[str, float], done: dict[str, float]) -> dict[str, Any]:
    """The figures of one run.

    Args:
        due: when each job was to be submitted, by its id.
        done: when it was completed.
    """
    latencies = [done[job_id] - due[job_id] for job_id in done]
    if not latencies:
        return {"latencies_ms": [], "jobs": len(due), "completed": 0}
    seconds = max(done.values()) - min(due.values())
    return percentiles(latencies) | {
        "jobs": len(due),
        "completed": len(done),
        "per_second": round(len(done) / seconds, 1),
        "latencies_ms": [round(latency * 1000, 1) for latency in latencies],
    }


def _medians(runs: dict[str, dict[str, list[dict[str, Any]]]]) -> dict[str, dict[str, dict[str, float]]]:
    """The median of each number over the rounds, by load and contender."""
    return {
        load: {name: _median_run(rounds) for name, rounds in by_contender.items()}
        for load, by_contender in runs.items()
    }


def _median_run(rounds: list[dict[str, Any]]) -> dict[str, float]:
    names = [name for name, value in rounds[0].items() if isinstance(value, int | float)]
    return {name: round(statistics.median(run[name] for run in rounds if name in run), 2) for name in names}


def _figures(medians: dict[str, Any]) -> dict[str, float]:
    ours = {
        f"{rank}_{rate}": medians[str(rate)]["ours"][f"{rank}_ms"] for rate in (20, 40, 100) for rank in ("p50", "p99")
    }
    burst = {name: run["per_second"] for name, run in medians["burst"].items()}
    return ours | {"burst_to_celery": round(burst["ours"] / burst[CELERY.name], 2)}
