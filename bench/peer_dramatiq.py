"""dramatiq's actor, in the peers' own environment. Source: https://github.com/Bogdanp/dramatiq_sqs#usage"""

from __future__ import annotations

import dramatiq
from dramatiq.middleware import AgeLimit, Callbacks, Pipelines, Retries, ShutdownNotifications, TimeLimit
from dramatiq_sqs import SQSBroker

from bench import peer_task

# dramatiq's own middleware without Prometheus, which would need a port of its own for each worker. The default
# visibility timeout, 12 hours, would keep a killed worker's jobs that long.
broker = SQSBroker(
    middleware=[AgeLimit(), TimeLimit(), ShutdownNotifications(), Callbacks(), Pipelines(), Retries()],
    visibility_timeout=peer_task.visibility_seconds(),
)
dramatiq.set_broker(broker)

actor = dramatiq.actor(actor_name="complete", queue_name=peer_task.queue_name())(peer_task.complete)


def submit(job_id: str, prompt: str) -> None:
    """Send one job."""
    actor.send(job_id, prompt)
