"""Celery's task, in the peers' own environment.

Sources: https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/sqs.html and, for the safe settings,
https://docs.celeryq.dev/en/stable/userguide/optimizing.html#reserve-one-task-at-a-time
"""

from __future__ import annotations

import os
from urllib.parse import quote, urlsplit

from celery import Celery

from bench import peer_task

_endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc
_keys = f"{quote(os.environ['AWS_ACCESS_KEY_ID'])}:{quote(os.environ['AWS_SECRET_ACCESS_KEY'])}"

app = Celery("bench", broker=f"sqs://{_keys}@{_endpoint}")
app.conf.update(
    task_default_queue=peer_task.queue_name(),
    task_ignore_result=True,  # the row is the result, and SQS is no result backend
    worker_hijack_root_logger=False,
    broker_transport_options={
        "is_secure": False,
        "region": os.environ["AWS_REGION"],
        "visibility_timeout": peer_task.visibility_seconds(),
        # The defaults, 1 s and 10 s, would make a job wait up to a second between two polls.
        "polling_interval": 0.1,
        "wait_time_seconds": 1,
    },
)
if os.environ["BENCH_SETTINGS"] == "safe":
    app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, worker_prefetch_multiplier=1)

task = app.task(name="complete")(peer_task.complete)


def submit(job_id: str, prompt: str) -> None:
    """Send one job."""
    task.delay(job_id, prompt)
