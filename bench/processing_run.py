"""Runs batches through a handler against the canned AWS, with models of different speed: for `bench.processing`.

    python -m bench.processing_run HANDLER_MODULE <plan.json >report.json

The plan has the events of the warm-up, how long a call to AWS takes (`aws_seconds`), and steps: how long the model
takes, and the events meanwhile. Its `answers_in_one` multiplies the model's response, which has 1,216 bytes.
"""

from __future__ import annotations

import importlib
import time
from typing import Any

from bench.canned_aws import ANSWER, CannedAWS
from bench.canned_function import call, peak_memory_mb, report_on


class Forgotten(list[Any]):
    """A list that keeps nothing."""

    def append(self, _: Any) -> None:
        """Forget it."""


def run(module: str, plan: dict[str, Any]) -> dict[str, Any]:
    """Call the module's handler with each event of the plan, and report each step and the process's peak of memory."""
    # It forgets what was sent and written: that would count as the handler's memory.
    answer = ANSWER * plan.get("answers_in_one", 1)
    aws = CannedAWS(aws_seconds=plan["aws_seconds"], messages=Forgotten(), changes=Forgotten(), answer=answer)
    with aws.installed():
        handler = importlib.import_module(module).handler
        for event in plan["warm_up"]:
            call(handler, event)
        steps = [_step(aws, handler, step) for step in plan["steps"]]
    return {"steps": steps, "peak_rss_mb": peak_memory_mb()}


def _step(aws: CannedAWS, handler: Any, step: dict[str, Any]) -> dict[str, Any]:
    jobs = sum(len(event["Records"]) for event in step["events"])
    aws.model_seconds = step["model_seconds"]
    aws.calls.clear()
    own_before, started = aws.own_cpu_seconds, time.process_time()
    walls = [call(handler, event) for event in step["events"]]
    used = time.process_time() - started - (aws.own_cpu_seconds - own_before)
    return {
        "seconds": walls,
        "cpu_ms": used * 1000 / jobs,
        "calls": {operation: count / jobs for operation, count in sorted(aws.calls.items())},
    }


if __name__ == "__main__":
    report_on(run)
