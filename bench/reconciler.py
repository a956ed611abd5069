"""R-S2: how long the reconciler takes with 100,000 dead letters in a DLQ and 10,000 crashed jobs.

make bench-reconciler

It runs in one process; the table is on a local AWS of its own, and the queues are on sqs_stand_in.py. What the process
used of a processor is what a function with one vCPU has to get through; the rest of the time is waiting, here for two
servers on the same machine. Two cases: all the dead letters have just come, so that each one's row is read; and they
are settled, as on every later run, and the crashed jobs are new.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import boto3

os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"  # read at import; a line for each closed job would hide the figures

from ai_jobs.aws.queues import get_queue_message_count
from ai_jobs.contract import timestamps
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.local import instances
from ai_jobs.local.environment import local_environment
from ai_jobs.service.job_store import JobStore, open_shard
from reconciler.dlq_reader import SETTLED_AFTER
from reconciler.reconcile import Reconciler
from reconciler.settings import ReconcilerSettings

TIMEOUT_SECONDS = 240
"""As reconciler.timeout_seconds."""

_SEEDERS = 8
_KEYS: dict[str, Literal["N", "S"]] = {"jobId": "S", "openShard": "N", "dueAt": "S"}


def _in_parts(items: range, size: int) -> Iterator[range]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _body(job_id: str) -> str:
    return json.dumps({"jobId": job_id, "userId": "user-1", "jobType": "echo", "input": {"text": "hello"}})


def _create(name: str) -> ReconcilerSettings:
    sqs = boto3.client("sqs")
    request, response = (
        sqs.create_queue(QueueName=f"{name}-{suffix}")["QueueUrl"] for suffix in ("request-dlq", "response-dlq")
    )
    boto3.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "jobId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in _KEYS.items()],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "open-jobs",
                "KeySchema": [
                    {"AttributeName": "openShard", "KeyType": "HASH"},
                    {"AttributeName": "dueAt", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return ReconcilerSettings(request, response, name, "objects", retention_days=30)


def _row(job_id: str, now: datetime, **more: Any) -> dict[str, Any]:
    job = ReceivedJob.parse(_body(job_id), {}, job_id, now)
    moment = timestamps.to_text(now)
    row = {"jobId": job_id, "userId": "user-1", "jobType": "echo", "payloadHash": job.payload_hash, "messageId": job_id}
    numbers = {"attempt": 3, "calls": 3, "expiresAt": int((now + timedelta(days=30)).timestamp())}
    return row | numbers | {"createdAt": moment, "startedAt": moment, "updatedAt": moment} | more


def _seed_rows(settings: ReconcilerSettings, rows: Iterable[dict[str, Any]]) -> None:
    with boto3.resource("dynamodb").Table(settings.table_name).batch_writer() as batch:
        for row in rows:
            batch.put_item(Item=row)


def _send(queue_url: str, bodies: Iterable[str], attributes: dict[str, str]) -> dict[str, str]:
    """The ids of what was sent, by body."""
    entries = [
        {
            "Id": str(number),
            "MessageBody": body,
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        }
        for number, body in enumerate(bodies)
    ]
    answer = boto3.client("sqs").send_message_batch(QueueUrl=queue_url, Entries=entries)  # type: ignore[arg-type]
    return {entries[int(sent["Id"])]["MessageBody"]: sent["MessageId"] for sent in answer["Successful"]}  # type: ignore[misc]


def _seed_given_up(settings: ReconcilerSettings, number: int, failed_at: datetime) -> None:
    """Dead letters that the processor wrote, and the rows of their jobs, which have failed."""
    moment = timestamps.to_text(failed_at)
    reason = {"ErrorCode": "MODEL_NOT_FOUND", "ErrorMessage": "no such model", "Attempts": "3", "FailedAt": moment}
    error = {"code": "MODEL_NOT_FOUND", "message": "no such model"}
    ended = {"status": "failed", "completedAt": moment, "error": error, "errorCode": error["code"]}

    def seed(part: range) -> None:
        ids = [f"given-up-{n}" for n in part]
        _seed_rows(settings, (_row(job_id, failed_at, **ended) for job_id in ids))
        for start in range(0, len(ids), 10):
            _send(settings.request_dlq_url, map(_body, ids[start : start + 10]), reason)

    with ThreadPoolExecutor(_SEEDERS) as pool:
        list(pool.map(seed, _in_parts(range(number), 100)))


def _seed_crashed(settings: ReconcilerSettings, number: int, now: datetime) -> None:
    """Messages as SQS dead-letters them, and the rows that their workers left behind."""
    lease = timestamps.to_text(now - timedelta(minutes=1))
    due = {"deadlineAt": timestamps.to_text(now + timedelta(hours=6)), "dueAt": timestamps.to_text(now + timedelta(7))}

    def seed(part: range) -> None:
        ids = [f"crashed-{n}" for n in part]
        sent: dict[str, str] = {}
        for start in range(0, len(ids), 10):
            sent |= _send(settings.request_dlq_url, map(_body, ids[start : start + 10]), {})
        held = {"status": "processing", "leaseExpiresAt": lease} | due
        rows = (
            _row(job_id, now, **held, openShard=open_shard(job_id)) | {"messageId": sent[_body(job_id)]}
            for job_id in ids
        )
        _seed_rows(settings, rows)

    with ThreadPoolExecutor(_SEEDERS) as pool:
        list(pool.map(seed, _in_parts(range(number), 100)))


@contextlib.contextmanager
def _queues() -> Iterator[str]:
    """The endpoint of a stand-in for SQS."""
    command = [sys.executable, "-m", "bench.sqs_stand_in"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        server.stdin.close()


def _timed(name: str, settings: ReconcilerSettings) -> None:
    store = JobStore(settings.table_name)
    started, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):  # the metrics
        done = Reconciler(settings, store, timestamps.now() + timedelta(seconds=TIMEOUT_SECONDS)).run()
    took, used = time.perf_counter() - started, time.process_time() - cpu
    count = get_queue_message_count(settings.request_dlq_url)
    shown = f"{count.visible} of {count.total} dead letters visible afterwards"
    print(f"{name}: {took:.0f} s, {used:.0f} s of processor time; {done}; {shown}", flush=True)


def main() -> None:
    """Print the seconds of each run, and what it did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dead-letters", type=int, default=100_000)
    parser.add_argument("--crashed", type=int, default=10_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, instances.running(Path(folder)) as instance, _queues() as sqs_url:
        os.environ |= local_environment(instance.endpoint_url) | {"AWS_ENDPOINT_URL_SQS": sqs_url}
        for name, age in (("all new", timedelta()), ("settled", SETTLED_AFTER + timedelta(minutes=1))):
            settings, now = _create(name.replace(" ", "-")), timestamps.now()
            _seed_given_up(settings, wanted.dead_letters, now - age)
            _seed_crashed(settings, wanted.crashed, now)
            _timed(f"{wanted.dead_letters} dead letters, {name}, and {wanted.crashed} crashed jobs", settings)
            _timed("  the next run", settings)


if __name__ == "__main__":
    main()
