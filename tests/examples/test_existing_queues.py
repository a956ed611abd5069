"""examples/existing-queues: what a team has already is taken over, with what is in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

from scripts.project import DIST
from tests.examples.conftest import JOB, Consumer

QUEUES = [f"acme-ai-job-{name}-production" for name in ("request", "request-dlq", "response", "response-dlq")]


def created(sqs: Any, urls: dict[str, str]) -> dict[str, str]:
    """When each queue was created, by its name."""
    return {
        name: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["CreatedTimestamp"])["Attributes"][
            "CreatedTimestamp"
        ]
        for name, url in urls.items()
    }


def test_queues_are_imported_with_their_messages(consumer: Callable[..., Consumer]) -> None:
    acme = consumer("existing-queues")
    acme.ai_jobs("local", "start")
    sqs = acme.client("sqs")
    urls = {
        name: sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "30"})["QueueUrl"] for name in QUEUES
    }
    before = created(sqs, urls)
    waiting = {"jobId": "submitted-before", **JOB}
    sqs.send_message(QueueUrl=urls["acme-ai-job-request-production"], MessageBody=json.dumps(waiting))
    sqs.send_message(QueueUrl=urls["acme-ai-job-response-dlq-production"], MessageBody="kept")

    shutil.copytree(DIST, acme.folder / "dist")
    acme.ai_jobs("local", "up")
    assert created(sqs, urls) == before, "none was created again"
    assert acme.outputs()["response_dlq_url"] == urls["acme-ai-job-response-dlq-production"]
    acme.ai_jobs("--env", "local", "wait", waiting["jobId"])
    (kept,) = sqs.receive_message(QueueUrl=urls["acme-ai-job-response-dlq-production"])["Messages"]
    assert kept["Body"] == "kept"
