"""What the metrics of one job cost: the three lines that the functions write for it.

make benchmark
"""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import sys
import time
from pathlib import Path

os.environ |= {"POWERTOOLS_METRICS_NAMESPACE": "acme-ai-jobs-test", "AI_JOB_TYPES": "echo,blog-post"}

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "functions"))

from ai_jobs.service import metrics

JOBS, ROUNDS = 2000, 5
ROW = {
    "jobId": "job-1",
    "jobType": "echo",
    "status": "completed",
    "calls": 1,
    "createdAt": "2026-01-31T12:00:00.000Z",
    "completedAt": "2026-01-31T12:00:01.500Z",
}


def one_job() -> None:
    metrics.emit({metrics.QUEUE_WAIT: 12}, "echo")
    metrics.emit(
        {
            metrics.MODEL_LATENCY: 812.5,
            metrics.INPUT_TOKENS: 120,
            metrics.OUTPUT_TOKENS: 300,
            metrics.ESTIMATED_COST: 0.0001,
        },
        "echo",
    )
    metrics.count_result(ROW)


def main() -> None:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            for _ in range(JOBS):
                one_job()
        times.append((time.perf_counter() - started) / JOBS * 1000)
    print(
        f"metrics of a job: median {statistics.median(times):.3f} ms of {ROUNDS} rounds of {JOBS} (below 1 ms wanted)"
    )


if __name__ == "__main__":
    main()
