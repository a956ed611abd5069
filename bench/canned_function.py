"""Runs one function against the canned AWS, in a process of its own, and says what its jobs cost.

    python -m bench.canned_function FUNCTION <plan.json >report.json

`bench.canned` starts it, with the code on `PYTHONPATH`. The plan has the events (the first `warm_up` of them do not
count) and the state of the table; the report has the figures, and what the next function on the path receives.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.canned_aws import CannedAWS
from bench.fresh_start import Context


def run(function: str, plan: dict[str, Any]) -> dict[str, Any]:
    """Call the function's handler with each event of the plan."""
    aws = CannedAWS(
        plan["model_seconds"], plan["aws_seconds"], plan["rows"], model_p99_seconds=plan["model_p99_seconds"]
    )
    with aws.installed():
        handler = importlib.import_module(f"{function}.handler").handler
        for event in plan["events"][: plan["warm_up"]]:
            call(handler, event)
        aws.calls.clear()
        logged_before = os.fstat(1).st_size
        own_before, started = aws.own_cpu_seconds, time.process_time()
        walls = [call(handler, event) for event in plan["events"][plan["warm_up"] :]]
        cpu_seconds = time.process_time() - started - (aws.own_cpu_seconds - own_before)
    return {
        "cpu_seconds": cpu_seconds,
        "batch_seconds": statistics.median(walls),
        "calls": dict(aws.calls),
        "log_bytes": os.fstat(1).st_size - logged_before,
        "peak_rss_mb": peak_memory_mb(),
        "messages": aws.messages,
        "rows": aws.rows,
        "changes": aws.changes,
        "published": aws.published,
    }


def peak_memory_mb() -> float:
    """The most memory that this process has had resident, in MB."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    except OSError:
        found = None
    # Elsewhere than on Linux. On Linux, ru_maxrss is at least what the parent had when it started this process.
    return int(found[1]) / 1024 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def call(handler: Any, event: dict[str, Any]) -> float:
    """How long one invocation took, in seconds. Raises AssertionError if messages came back."""
    started = time.perf_counter()
    answer = handler(event, Context())
    took = time.perf_counter() - started
    if answer != {"batchItemFailures": []}:
        raise AssertionError(f"Messages came back: {answer}. The log says why.")
    return took


def _keep_to(processors: int) -> None:
    """One is what a function with at most 1,769 MB has, more or less: its threads take turns in Python anyway.

    On two processors, each turn moves to the other one's cold caches, which costs a third more CPU time, and more or
    less of it with every run.
    """
    if hasattr(os, "sched_setaffinity"):  # not on macOS
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:processors])


def report_on(run: Callable[[str, dict[str, Any]], dict[str, Any]]) -> None:
    """Read the plan, run it, and write the report; what the function logs goes to a file, as it does on Lambda."""
    plan = json.load(sys.stdin)
    _keep_to(plan.get("processors", 1))
    report_to = os.dup(1)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 1)
        try:
            report = run(sys.argv[1], plan)
        except BaseException:
            sys.stdout.flush()
            log.seek(0)
            sys.stderr.write(log.read().decode()[-5000:])
            raise
        sys.stdout.flush()
    with os.fdopen(report_to, "w") as out:
        json.dump(report, out)


if __name__ == "__main__":
    report_on(run)
