"""A worker is killed in the middle of its jobs: what becomes of them, for each contender in several rounds."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.load import open_loop, percentiles, sqs_request
from bench.runs import figures, make_jobs, wait_for
from bench.terraform import VISIBILITY_SECONDS
from scripts.project import Failure
from tests.chaos import faults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.contenders import Contender, Job
    from bench.load import Request
    from bench.local_system import LocalSystem

# Everyone takes a turn in each round, which lasts 12 s for four: what a killed worker had comes back between two kills,
# and not while the next one is looked for.
ROUNDS = 3
RATE = 20
MODEL_SECONDS = 0.5
_JOBS = 60
_KILL_AFTER_SECONDS = 1.5
# What a killed worker had comes back after the visibility timeout, and is then worked on. What isn't there by then is
# lost, or would come back much later.
PATIENCE_SECONDS = VISIBILITY_SECONDS + 10
_LOOKS, _LOOK_SECONDS = 1000, 0.01


@dataclass(frozen=True)
class _Round:
    """One kill.

    Attributes:
        due: when each job was to be submitted, in seconds since 1970.
        cut_off: the prompts of the model calls that the worker waited for when it died.
        deadline: until when the jobs are waited for, by the monotonic clock.
    """

    due: dict[Job, float]
    cut_off: list[str]
    deadline: float


def measure(system: LocalSystem, contenders: Sequence[Contender]) -> dict[str, dict[str, Any]]:
    """Kill a worker of each, in turns; what becomes of the jobs by contender, summed over the rounds."""
    prepared = {contender.name: _prepare(system, contender) for contender in contenders}
    killed: dict[str, list[_Round]] = {contender.name: [] for contender in contenders}
    for number in range(ROUNDS):
        for contender in contenders:
            jobs, requests = prepared[contender.name][number]
            killed[contender.name].append(_submit_and_kill(system, contender, jobs, requests))
            contender.restore()
    return {
        contender.name: summary([_outcome(system, contender, one) for one in killed[contender.name]])
        for contender in contenders
    }


def _prepare(system: LocalSystem, contender: Contender) -> list[tuple[list[Job], list[Request]]]:
    """The jobs of each round, with the requests that submit them."""
    jobs = make_jobs(_JOBS * ROUNDS, f" answers=slow:{MODEL_SECONDS}")
    endpoint_url = system.instance.endpoint_url
    requests = [sqs_request(endpoint_url, "SendMessage", message) for message in contender.messages(jobs)]
    return [(jobs[start : start + _JOBS], requests[start : start + _JOBS]) for start in range(0, len(jobs), _JOBS)]


def _submit_and_kill(
    system: LocalSystem, contender: Contender, jobs: Sequence[Job], requests: Sequence[Request]
) -> _Round:
    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(_kill_later, system, contender)
        sent = open_loop(requests, RATE)
    due = {job: one.due for job, one in zip(jobs, sent, strict=True)}
    return _Round(due, killed.result(), time.monotonic() + PATIENCE_SECONDS)


def _kill_later(system: LocalSystem, contender: Contender) -> list[str]:
    time.sleep(_KILL_AFTER_SECONDS)
    return kill_busiest(system, contender)


def kill_busiest(system: LocalSystem, contender: Contender) -> list[str]:
    """`kill -9` the worker that waits for the most model calls.

    Returns:
        The prompts of those calls.

    Raises:
        Failure: if no worker called the model for ten seconds.
    """
    for _ in range(_LOOKS):
        if (cut_off := _kill_if_busy(system, contender)) is not None:
            return cut_off
        time.sleep(_LOOK_SECONDS)
    waited = _LOOKS * _LOOK_SECONDS
    raise Failure(f"{contender.name}: no worker called the model for {waited:g} s, so that killing one shows nothing.")


def _kill_if_busy(system: LocalSystem, contender: Contender) -> list[str] | None:
    workers = contender.workers()
    waiting = _waiting_calls(system, workers)
    busiest = workers[waiting.index(max(waiting, key=len))] if any(waiting) else []
    for pid in busiest:
        faults.pause(pid)
    # A call that has its response by now is not cut off; a paused worker gets no more of them.
    (cut_off,) = _waiting_calls(system, [busiest])
    for pid in busiest:
        (faults.kill if cut_off else faults.resume)(pid)
    return cut_off or None


def _waiting_calls(system: LocalSystem, workers: Sequence[Sequence[int]]) -> list[list[str]]:
    """The prompts of the model calls that each of these workers waits for.

    One look at all connections, because a model call is over soon. Source: proc_pid_net(5).
    """
    calls = system.model.in_flight()
    lines = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()[1:]]
    by_socket = {f"socket:[{line[9]}]": calls.get(int(line[1].rpartition(":")[2], 16)) for line in lines}
    # Processes of one worker may share a connection.
    found = [{by_socket.get(handle) for pid in pids for handle in _handles(pid)} for pids in workers]
    return [sorted(prompt for prompt in prompts if prompt) for prompts in found]


def _handles(pid: int) -> set[str]:
    """What a process has open; nothing if it is gone."""
    handles = set()
    with contextlib.suppress(OSError):
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                handles.add(str(handle.readlink()))
    return handles


def _outcome(system: LocalSystem, contender: Contender, killed: _Round) -> dict[str, Any]:
    jobs = list(killed.due)
    done = wait_for(contender, jobs, killed.deadline)
    calls = system.model.calls([job.prompt for job in jobs])
    run = figures({job.job_id: moment for job, moment in killed.due.items()}, done)
    return run | {
        "cut_off": len(killed.cut_off),
        "run_twice": sum(count > 1 for count in calls),
        "late": sum(latency > VISIBILITY_SECONDS * 1000 for latency in run["latencies_ms"]),
        "lost": len(jobs) - len(done),
    }


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The sums over the rounds, and the percentiles of all their jobs."""
    counts = {name: sum(one[name] for one in rounds) for name in ("jobs", "cut_off", "run_twice", "late", "lost")}
    latencies = [latency / 1000 for one in rounds for latency in one["latencies_ms"]]
    return {"rounds": rounds} | counts | (percentiles(latencies) if latencies else {})
