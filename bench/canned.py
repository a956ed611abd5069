"""What a job costs our functions in CPU time and in calls to AWS, measured without a server.

    python -m bench.canned [--code FOLDER] [--batch N ...] [--jobs N] [--model-seconds S [--model-p99-seconds S]]

The real handlers of the processor, the result handler, and the event publisher work on Lambda events, each in a fresh
process; botocore's HTTP session answers from memory (`bench.canned_aws`). So the figure has everything that we and
botocore do for a job, but no socket and no server. It is CPU time, by default on one processor, which varies
less than wall time.

Each function receives what the one before it sent, so the path is the happy one from the message to the event; anything
else raises.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
QUEUES = "https://sqs.us-east-1.amazonaws.com/123456789012/acme-ai-jobs-test"
TABLE_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/acme-ai-jobs-test"
FUNCTIONS = ("processor", "result_handler", "event_publisher")
_TRACE = "Root=1-6b05d9f8-46de5acfb95438bbeff5aaae;Parent=53995c3f42cd8ad8;Sampled=0"

AWS_SECONDS = 0.005
"""How long SQS and DynamoDB take for a call, seen from a function in the same region, when they are quick."""

# At least so many jobs, and so many batches, come before those that count: clients, connections, and caches exist then.
_WARM_UP_JOBS, _WARM_UP_BATCHES = 50, 3

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    # As long as those of a Lambda function's role are.
    "AWS_SESSION_TOKEN": "x" * 900,
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    "AWS_LAMBDA_FUNCTION_NAME": "acme-ai-jobs-test",
    "_X_AMZN_TRACE_ID": _TRACE,
    "POWERTOOLS_METRICS_NAMESPACE": "acme-ai-jobs-test",
    "POWERTOOLS_SERVICE_NAME": "ai-jobs",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "AI_JOB_TYPES": "short-text",
    "AI_JOB_BUILD": "0123456789ab",
    "AI_JOB_REQUEST_QUEUE_URL": f"{QUEUES}-requests",
    "AI_JOB_REQUEST_DLQ_URL": f"{QUEUES}-requests-dlq",
    "AI_JOB_RESPONSE_QUEUE_URL": f"{QUEUES}-responses",
    "AI_JOB_RESPONSE_DLQ_URL": f"{QUEUES}-responses-dlq",
    "AI_JOB_FAILURE_QUEUE_URL": f"{QUEUES}-events-failed",
    "AI_JOB_TABLE_NAME": "acme-ai-jobs-test",
    "AI_JOB_TABLE_ARN": TABLE_ARN,
    "AI_JOB_BUCKET": "acme-ai-jobs-test",
    "AI_JOB_CONFIG_APPLICATION": "application",
    "AI_JOB_CONFIG_ENVIRONMENT": "environment",
    "AI_JOB_CONFIG_PROFILE": "profile",
    "AI_JOB_CONFIG_MAX_AGE_SECONDS": "60",
    "AI_JOB_VISIBILITY_TIMEOUT_SECONDS": "900",
    "AI_JOB_MAX_RECEIVE_COUNT": "3",
    "AI_JOB_DEFAULT_DEADLINE_SECONDS": "21600",
    "AI_JOB_MAX_BACKOFF_SECONDS": "900",
    "AI_JOB_MODEL_ACCESS_WAIT_SECONDS": "600",
    "AI_JOB_RETENTION_DAYS": "30",
    "AI_JOB_MODEL_PRICES": '{"amazon.nova-lite-v1:0": {"input": 0.06, "output": 0.24}}',
    "AI_JOB_EVENT_BUS_ARN": "arn:aws:events:us-east-1:123456789012:event-bus/default",
    "AI_JOB_EVENTS_INCLUDE_RESULT": "false",
}


@dataclass(frozen=True)
class Conditions:
    """What the functions run with.

    Attributes:
        model_seconds: how long the model takes; with `model_p99_seconds`, for half of the calls.
        model_p99_seconds: what 1% of its calls take longer than; if it is None, all of them take the same time.
        aws_seconds: how long any other call to AWS takes: what can go together in one call depends on it.
        processors: how many of the machine's each function has.
    """

    model_seconds: float = 0.0
    model_p99_seconds: float | None = None
    aws_seconds: float = AWS_SECONDS
    processors: int = 1


AT_ONCE = Conditions()
"""A model that answers at once: then, results come close together."""


def measure(code: Path, batch: int, jobs: int, conditions: Conditions = AT_ONCE) -> dict[str, dict[str, Any]]:
    """Bring jobs from the request queue to their events, and return what each function needed for one of them.

    Args:
        code: an unpacked zip that contains the three functions (or a folder into which all three were unpacked), or
            functions/, which is run with this environment's libraries.
        batch: how many records each invocation gets.
        jobs: how many jobs to measure, after the warm-up; rounded up to whole batches.

    Returns:
        By function: `cpu_ms` per job, of all threads, without the canned AWS's own; `calls` per job by operation, such
        as `sqs:SendMessage`; `batch_ms`, the median wall time of an invocation; `log_bytes` per job; `peak_rss_mb`.

    Raises:
        AssertionError: if a job did not complete, or a message came back.
    """
    warm_up = max(_WARM_UP_BATCHES, -(-_WARM_UP_JOBS // batch))
    batches = warm_up + -(-jobs // batch)
    state: dict[str, Any] = {"rows": {}}
    records = list(submitted(batches * batch))
    figures = {}
    for function in FUNCTIONS:
        events = [{"Records": records[start : start + batch]} for start in range(0, batches * batch, batch)]
        plan = {"events": events, "warm_up": warm_up, "rows": state["rows"]}
        plan |= vars(conditions)
        state = _run(code, function, plan)
        figures[function] = _figures(state, (batches - warm_up) * batch)
        _check(function, state, batches * batch)
        received = stream_records(state["changes"]) if function == "result_handler" else _messages(state["messages"])
        records = list(received)
    return figures


def _check(function: str, state: dict[str, Any], jobs: int) -> None:
    """Raise AssertionError unless the function brought every job one step further on the happy path."""
    done = {
        "processor": sum('"completed"' in message["body"] for message in state["messages"]),
        "result_handler": sum(after["status"]["S"] == "completed" for _, after in state["changes"]),
        "event_publisher": state["published"],
    }[function]
    if done != jobs or len(state["messages"]) != (jobs if function == "processor" else 0):
        raise AssertionError(
            f"{function} was done with {done} of {jobs} jobs, and sent {len(state['messages'])} messages."
        )


def _run(code: Path, function: str, plan: dict[str, Any]) -> dict[str, Any]:
    """The report of `bench.canned_function` on one function."""
    # An unpacked zip has all its libraries: -S keeps this environment's out.
    isolated = ["-S"] if (code / "botocore").is_dir() else []
    return report([sys.executable, *isolated, "-m", "bench.canned_function", function], [code, ROOT], plan)


def report(command: list[str], path: Iterable[Path], plan: dict[str, Any]) -> dict[str, Any]:
    """What a program that runs a function (`bench.canned_function.report_on`) reports.

    Args:
        path: where it finds the function.
    """
    environment = ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(map(str, path)), "HOME": "/nonexistent"}
    done = subprocess.run(
        command,
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{command[-1]} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _figures(report: dict[str, Any], jobs: int) -> dict[str, Any]:
    return {
        "cpu_ms": report["cpu_seconds"] * 1000 / jobs,
        "calls": {operation: count / jobs for operation, count in sorted(report["calls"].items())},
        "batch_ms": report["batch_seconds"] * 1000,
        "log_bytes": report["log_bytes"] / jobs,
        "peak_rss_mb": report["peak_rss_mb"],
    }


def submitted(jobs: int) -> Iterator[dict[str, Any]]:
    """Records of jobs as a caller sends them."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    points = ["What it is good for", "What it costs", "Where to find out more"]
    for number in range(jobs):
        job = {
            "jobId": f"7d1f2c3a-0000-4000-8000-{number:012}",
            "userId": f"user-{number % 7}",
            "jobType": "short-text",
        }
        job_input = {"subject": f"The {number}th subject of the day", "audience": "first-time buyers", "points": points}
        body = {"schemaVersion": 1} | job | {"input": job_input, "timestamp": now}
        attributes = {"JobId": job["jobId"], "UserId": job["userId"], "JobType": "short-text"}
        yield sqs_record(number, json.dumps(body), attributes)


def _messages(sent: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Records of the messages that a function sent."""
    for number, message in enumerate(sent):
        yield sqs_record(number, message["body"], message["attributes"], message["trace_header"] or _TRACE)


def sqs_record(number: int, body: str, attributes: dict[str, str], trace: str = _TRACE) -> dict[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event"""
    now = str(int(datetime.now(UTC).timestamp() * 1000))
    return {
        "messageId": f"11111111-0000-4000-8000-{number:012}",
        "receiptHandle": f"receipt-{number:012}" + "x" * 380,
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": now,
            "SenderId": "AROAIOSFODNN7EXAMPLE:acme",
            "ApproximateFirstReceiveTimestamp": now,
            "MessageGroupId": attributes["UserId"],
            "AWSTraceHeader": trace,
        },
        "messageAttributes": {
            name: {"stringValue": text, "stringListValues": [], "binaryListValues": [], "dataType": "String"}
            for name, text in attributes.items()
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:acme-ai-jobs-test",
        "awsRegion": "us-east-1",
    }


def stream_records(changes: Iterable[tuple[dict[str, Any], dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Stream records of the ends of jobs, which is what the event publisher's filter lets through."""
    for number, (before, after) in enumerate(changes):
        yield {
            "eventID": f"{number:032}",
            "eventName": "MODIFY",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": {
                "Keys": {"jobId": after["jobId"]},
                "OldImage": before,
                "NewImage": after,
                "SequenceNumber": f"{number:021}",
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
            "eventSourceARN": f"{TABLE_ARN}/stream/2026-11-29T00:00:00.000",
        }


def main() -> None:
    """Print CPU milliseconds and calls per job, by function and size of the batch."""
    parser = argparse.ArgumentParser(prog="python -m bench.canned", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--code", type=Path, default=ROOT / "functions", help="default: functions/")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--jobs", type=int, default=500, help="how many to measure per size of the batch")
    parser.add_argument("--model-seconds", type=float, default=0.0)
    parser.add_argument("--model-p99-seconds", type=float)
    parser.add_argument("--aws-seconds", type=float, default=AWS_SECONDS)
    parser.add_argument("--processors", type=int, default=1)
    arguments = parser.parse_args()
    conditions = Conditions(**{name: getattr(arguments, name) for name in vars(AT_ONCE)})
    for batch in arguments.batch:
        figures = measure(arguments.code, batch, arguments.jobs, conditions)
        cpu = sum(of["cpu_ms"] for of in figures.values())
        calls = sum(count for of in figures.values() for count in of["calls"].values())
        print(f"batch {batch}: {cpu:.2f} ms CPU, {calls:.2f} calls per job")
        for function, of in figures.items():
            made = ", ".join(f"{operation} {count:.2f}" for operation, count in of["calls"].items())
            print(
                f"  {function:<16} {of['cpu_ms']:.2f} ms, {of['batch_ms']:.1f} ms per batch,"
                f" {of['log_bytes']:.0f} bytes of log per job, {of['peak_rss_mb']:.0f} MB; {made}"
            )


if __name__ == "__main__":
    main()
