"""How long a batch of ten jobs takes whose model needs a second for each: `make benchmark`.

In-process, against moto: it times our own code and threads, not AWS.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import statistics
import time
from datetime import timedelta

import boto3
from moto import mock_aws

os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "POWERTOOLS_LOG_LEVEL": "ERROR",
}

from ai_jobs.contract import timestamps
from ai_jobs.contract.result import JobResult, Usage
from ai_jobs.service.budget import Budget
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.job_types import JobTypes
from processor.batch import process_batch
from processor.settings import ProcessorSettings
from processor.worker import Worker

JOBS = 10
RUNS = 5
MODEL_SECONDS = 1.0

TYPES = {
    "version": "1",
    "jobTypes": {
        "echo": {"modelId": "m", "prompt": "{{ text }}", "maxTokens": 10, "timeoutSeconds": 60, "inputSchema": {}}
    },
}


def _slow_model(*_: object) -> JobResult:
    time.sleep(MODEL_SECONDS)
    return JobResult("text", "m", Usage(1, 1), "end_turn", truncated=False)


class _Source:
    def get(self) -> JobTypes:
        return JobTypes.from_document(json.dumps(TYPES))


def _settings() -> ProcessorSettings:
    sqs = boto3.client("sqs")
    urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("request", "dlq", "response")]
    boto3.client("dynamodb").create_table(
        TableName="jobs",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "jobId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "jobId", "AttributeType": "S"}],
    )
    return ProcessorSettings(*urls, "jobs", "bucket", "a", "e", "p", 60, 900, 3, 21_600, 900, 600, 30)


def _batch(settings: ProcessorSettings, run: int) -> list[dict[str, object]]:
    sqs = boto3.client("sqs")
    for number in range(JOBS):
        job = {"jobId": f"{run}-{number}", "userId": "u", "jobType": "echo", "input": {"text": "hello"}}
        sqs.send_message(QueueUrl=settings.request_queue_url, MessageBody=json.dumps(job))
    answer = sqs.receive_message(
        QueueUrl=settings.request_queue_url, MaxNumberOfMessages=JOBS, MessageSystemAttributeNames=["All"]
    )
    return [
        {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
        }
        for message in answer["Messages"]
    ]


def main() -> None:
    """Print the seconds of each run, and their median."""
    with mock_aws():
        settings = _settings()
        seconds = []
        for run in range(RUNS):
            records = _batch(settings, run)
            ends_at = timestamps.now() + timedelta(minutes=15)
            worker = Worker(settings, JobStore("jobs"), Budget("jobs"), _Source().get, ends_at, _slow_model)
            started = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()):  # the metrics
                failed = process_batch(records, worker, _Source())
            seconds.append(time.perf_counter() - started)
            if failed or len(records) != JOBS:
                raise SystemExit(f"run {run}: {len(records)} jobs received, {len(failed)} failed")
    print(f"{JOBS} jobs of {MODEL_SECONDS:.0f} s each, one batch: " + ", ".join(f"{value:.2f}" for value in seconds))
    print(f"median {statistics.median(seconds):.2f} s")


if __name__ == "__main__":
    main()
