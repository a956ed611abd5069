"""Draws the dashboard with the numbers of a run on this machine: docs/dashboard.png.

    make picture

The widgets are those of the dashboard that Terraform made. The local AWS has no CloudWatch to ask, so the numbers come
from where CloudWatch has them from: the functions' logs (embedded metrics, and Lambda's REPORT lines), the queues'
counts, and the answers of the API. How old the oldest request is follows from when the jobs came and ended. What it
can't give (the age of results, DynamoDB's metrics, the alarms' states) is left out. A point stands for two seconds.
"""

from __future__ import annotations

import json
import os
import random
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import boto3

from ai_jobs.aws.queues import get_queue_message_count
from ai_jobs.local.environment import local_environment
from ai_jobs.operate.triggers import find_trigger, switch_trigger
from scripts import local_stack
from scripts.dashboard_drawing import draw
from scripts.local_api import Api
from scripts.project import ROOT, Failure, run

PICTURE = ROOT / "docs" / "dashboard.png"
JOBS = ROOT / "examples" / "jobs"
SECONDS = 80
POINT_SECONDS = 2
PAUSED = (20, 45)
"""The worker stands still in these seconds, so that there is a backlog to see."""

_REPORT = re.compile(r"REPORT RequestId: \S+\tDuration: ([\d.]+) ms")

Line = tuple[str, ...]
"""A metric as a widget names it: namespace, name, dimension, value, ..."""


@dataclass
class Samples:
    """What was measured: by metric, the moment (seconds since 1970) and the value."""

    by_metric: dict[Line, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, metric: Line, moment: float, value: float) -> None:
        self.by_metric[metric].append((moment, value))

    def series(self, metric: Line, statistic: str, start: float) -> dict[float, float]:
        """The statistic of each point's samples, by the seconds since `start`."""
        points: dict[int, list[float]] = defaultdict(list)
        for moment, value in self.by_metric.get(metric, []):
            points[int((moment - start) // POINT_SECONDS)].append(value)
        last = SECONDS // POINT_SECONDS
        indexes = [index for index in range(last) if points.get(index) or (points and statistic == "Sum")]
        return {float(index * POINT_SECONDS): _STATISTICS[statistic](points[index]) for index in indexes}


def _percentile(share: float) -> Callable[[list[float]], float]:
    return lambda values: sorted(values)[min(len(values) - 1, int(len(values) * share))]


_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "Average": lambda values: sum(values) / len(values),
    "p50": _percentile(0.5),
    "p95": _percentile(0.95),
    "p99": _percentile(0.99),
}


class Run:
    """A run of the local stack: jobs come in, the worker pauses for a while, and all of it is measured."""

    def __init__(self, outputs: dict[str, Any]) -> None:
        self._outputs = outputs
        self.samples = Samples()
        self.start = time.time()
        self._api = Api(outputs["api_url"])
        self._random = random.Random(1)  # noqa: S311 - the same jobs each time
        self._bodies = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(JOBS.glob("*.json"))]

    def measure(self) -> None:
        """Let it happen, and collect what the logs say afterwards."""
        self._warm_up()
        self.start = time.time()
        done = threading.Event()
        sampler = threading.Thread(target=self._sample_queues, args=(done,))
        sampler.start()
        with ThreadPoolExecutor(8) as pool:
            for second in range(SECONDS):
                if second in PAUSED:
                    self._switch_worker(enabled=second == PAUSED[1])
                if second % 20 == 10:
                    self._run_reconciler()
                if second in (55, 65):
                    self._send_what_is_no_job()
                for _ in range(3 + 2 * (second // 10 % 3)):
                    pool.submit(self._submit_and_look)
                time.sleep(max(0.0, self.start + second + 1 - time.time()))
        time.sleep(15)
        done.set()
        sampler.join()
        self._read_logs()

    def _warm_up(self) -> None:
        """Functions take seconds to start on a small machine, and that would be all there is to see."""
        with ThreadPoolExecutor(8) as pool:
            for _ in range(60):
                pool.submit(self._submit_and_look)
        self._run_reconciler()
        time.sleep(15)

    def _run_reconciler(self) -> None:
        boto3.client("lambda").invoke(
            FunctionName=self._outputs["reconciler_function_name"], InvocationType="Event", Payload=b"{}"
        )

    def _send_what_is_no_job(self) -> None:
        boto3.client("sqs").send_message(QueueUrl=self._outputs["request_queue_url"], MessageBody="no job")

    def _submit_and_look(self) -> None:
        body = dict(self._random.choice(self._bodies))
        chance = self._random.random()
        if chance < 0.05:
            body["input"] = {"nonsense": True}
        elif chance < 0.08:
            body["jobType"] = "made-up"
        elif chance < 0.1:
            body.pop("userId")  # the gateway refuses it
        answer = self._call("POST", "/jobs", json.dumps(body).encode())
        if "jobId" in answer:
            self._call("GET", f"/jobs/{answer['jobId']}")

    def _call(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        began = time.time()
        status, answer = self._api.call(method, path, body)
        dimensions = ("ApiName", self._name("ai-jobs"), "Stage", self._outputs["api_stage_name"])
        measured = {
            "Count": 1.0,
            "Latency": (time.time() - began) * 1000,
            "4XXError": float(400 <= status < 500),
            "5XXError": float(status >= 500),
        }
        for name, value in measured.items():
            self.samples.add(("AWS/ApiGateway", name, *dimensions), began, value)
        return answer if isinstance(answer, dict) else {}

    def _name(self, middle: str) -> str:
        return str(self._outputs["table_name"]).replace("ai-jobs", middle)

    def _sample_queues(self, done: threading.Event) -> None:
        names = ("request_queue", "request_dlq", "response_queue", "response_dlq", "events_dlq")
        urls = [self._outputs[f"{name}_url"] for name in names]
        while not done.wait(0.5):
            for url in urls:
                count = get_queue_message_count(url)
                for metric, value in (
                    ("ApproximateNumberOfMessagesVisible", count.visible),
                    ("ApproximateNumberOfMessagesNotVisible", count.in_flight),
                    ("ApproximateNumberOfMessagesDelayed", count.delayed),
                ):
                    self.samples.add(("AWS/SQS", metric, "QueueName", url.rsplit("/", 1)[-1]), time.time(), value)

    def _switch_worker(self, *, enabled: bool) -> None:
        trigger = find_trigger(self._outputs["processor_function_name"], self._outputs["request_queue_arn"])
        if trigger is None:
            raise Failure("the processor has no trigger: run make local-down, then this again")
        switch_trigger(trigger, enabled=enabled, timeout_seconds=30)

    def _read_logs(self) -> None:
        for output in ("processor", "result_handler", "jobs_api", "reconciler", "event_publisher"):
            function = self._outputs[f"{output}_function_name"]
            ends: list[tuple[float, float]] = []
            for moment, text in _log_lines(f"/aws/lambda/{function}", self.start):
                if text.startswith('{"_aws"'):
                    self._add_embedded(json.loads(text))
                elif found := _REPORT.match(text):
                    ends.append((moment, float(found[1])))
            self._add_function(function, ends)
        self._add_ages()

    def _add_embedded(self, document: dict[str, Any]) -> None:
        moment = document["_aws"]["Timestamp"] / 1000
        (directive,) = document["_aws"]["CloudWatchMetrics"]
        for names in directive["Dimensions"]:
            dimensions = [part for name in names for part in (name, document[name])]
            for metric in directive["Metrics"]:
                for value in document[metric["Name"]]:
                    self.samples.add((directive["Namespace"], metric["Name"], *dimensions), moment, value)

    def _add_ages(self) -> None:
        """SQS counts a message's age until it is deleted, which is when its job has ended."""
        total_times = self.samples.by_metric[self._outputs["metrics_namespace"], "TotalTime", "service", "ai-jobs"]
        jobs = [(end - took / 1000, end) for end, took in total_times]
        queue = self._outputs["request_queue_url"].rpartition("/")[2]
        for second in range(SECONDS):
            moment = self.start + second
            oldest = max((moment - came for came, end in jobs if came <= moment < end), default=0.0)
            self.samples.add(("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue), moment, oldest)

    def _add_function(self, function: str, ends: list[tuple[float, float]]) -> None:
        for end, duration in ends:
            for name, value in (("Invocations", 1.0), ("Duration", duration), ("Errors", 0.0), ("Throttles", 0.0)):
                self.samples.add(("AWS/Lambda", name, "FunctionName", function), end, value)
            at_once = sum(other - length / 1000 < end <= other for other, length in ends)
            self.samples.add(("AWS/Lambda", "ConcurrentExecutions", "FunctionName", function), end, at_once)


def _log_lines(group: str, start: float) -> Iterator[tuple[float, str]]:
    pages = boto3.client("logs").get_paginator("filter_log_events")
    for page in pages.paginate(logGroupName=group, startTime=int(start * 1000)):
        for event in page["events"]:
            yield from ((event["timestamp"] / 1000, line) for line in event["message"].splitlines())


def main() -> None:
    instance = local_stack.up()
    os.environ.update(local_environment(instance.endpoint_url))
    outputs = local_stack.outputs()
    measured = Run(outputs)
    measured.measure()
    paused = f"the worker paused from {PAUSED[0]} s to {PAUSED[1]} s"
    draw(
        json.loads(outputs["dashboard_body"]),
        lambda metric, statistic: measured.samples.series(metric, statistic, measured.start),
        SECONDS,
        f"The dashboard with the numbers of a local run: {SECONDS} s, {paused} (grey: no data)",
        PICTURE,
    )
    print(f"drew {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    run(main, local_stack.what_is_left)
