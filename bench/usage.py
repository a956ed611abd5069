"""The processor time that a run takes: a contender's workers, the local AWS, the model's stub, and the load client."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import psutil

from bench.contenders import Ours, cpu_milliseconds

if TYPE_CHECKING:
    from bench.contenders import Contender
    from bench.local_system import LocalSystem

# Whose batches are counted, and by what name.
_BATCHES = {"processor": "jobs_per_batch", "event_publisher": "events_per_batch"}
# What computes for a job, besides the workers.
_OTHERS = ("local_aws", "model", "client")


class Usage:
    """The CPU that is used during a block, and our batches."""

    def __init__(self, system: LocalSystem, contender: Contender) -> None:
        self._system = system
        self._contender = contender

    def __enter__(self) -> Usage:
        self._log_size = self._system.log_size()
        self._before = self._milliseconds()
        self._workers = self._contender.worker_cpu()
        return self

    def __exit__(self, *_: object) -> None:
        self._workers = {
            kind: _increase(self._workers.get(kind, {}), after) for kind, after in self._contender.worker_cpu().items()
        }
        self._used = _increase(self._before, self._milliseconds())

    def per_job(self, jobs: int) -> dict[str, Any]:
        """Milliseconds of CPU per job, how many worker processes used some, and how idle the machine was.

        `other_load` is how many processors everything else kept busy, other contenders included.
        """
        kinds = {kind: sum(used.values()) for kind, used in self._workers.items()}
        parts = {"worker": sum(kinds.values())} | kinds | {name: self._used[name] for name in _OTHERS}
        return (
            {f"{name}_cpu_ms": round(milliseconds / jobs, 2) for name, milliseconds in parts.items()}
            | {"local_aws_kernel_share": round(self._used["kernel"] / self._used["local_aws"], 2)}
            | {"workers": sum(spent > 0 for used in self._workers.values() for spent in used.values())}
            | {"other_load": self._other_load(parts["worker"])}
            | (self._batch_sizes() if self._contender.name == Ours.name else {})
        )

    def _other_load(self, worker_ms: float) -> float:
        ours = worker_ms + sum(self._used[name] for name in _OTHERS)
        return round(max(0.0, self._used["machine"] - ours) / self._used["clock"], 2)

    def _milliseconds(self) -> dict[str, float]:
        local_aws = psutil.Process(self._system.instance.pid).cpu_times()
        machine = psutil.cpu_times()
        seconds = {
            "local_aws": local_aws.user + local_aws.system,
            "kernel": local_aws.system,
            "client": time.process_time(),
            "machine": machine.user + machine.nice + machine.system,
            "clock": time.monotonic(),
        }
        return {name: spent * 1000 for name, spent in seconds.items()} | {
            "model": sum(cpu_milliseconds([self._system.model.pid]).values())
        }

    def _batch_sizes(self) -> dict[str, float]:
        sizes = {name: self._system.batches(function, self._log_size) for function, name in _BATCHES.items()}
        return {name: round(statistics.mean(found), 2) for name, found in sizes.items() if found}


def _increase(before: dict[Any, float], after: dict[Any, float]) -> dict[Any, float]:
    return {key: milliseconds - before.get(key, 0.0) for key, milliseconds in after.items()}
