"""All checks of `ai-jobs doctor`, in the order in which they run: one module per subject has each of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ai_jobs.operate.doctor.alarms import check_alarms, check_topics
from ai_jobs.operate.doctor.budget import check_budget
from ai_jobs.operate.doctor.credentials import check_credentials
from ai_jobs.operate.doctor.data import check_bucket, check_table
from ai_jobs.operate.doctor.events import EVENT_CHECKS, where_events_are_on
from ai_jobs.operate.doctor.findings import Check, Finding, State, Subject, made
from ai_jobs.operate.doctor.functions import FUNCTIONS, check_builds, check_function, check_schedule
from ai_jobs.operate.doctor.job_types import check_job_types
from ai_jobs.operate.doctor.keys import check_key
from ai_jobs.operate.doctor.layers import check_layers
from ai_jobs.operate.doctor.memory import check_memory, check_memory_for_files
from ai_jobs.operate.doctor.models import check_models
from ai_jobs.operate.doctor.network import check_network
from ai_jobs.operate.doctor.queues import check_dlq, check_queue
from ai_jobs.operate.doctor.quotas import check_quotas
from ai_jobs.operate.doctor.workers import (
    WORKERS,
    check_concurrency,
    check_loop_detection,
    check_trigger,
    check_visibility,
)

_CHECKS: dict[str, Check] = {
    **{queue: partial(check_queue, queue) for queue in WORKERS},
    **{dlq: partial(check_dlq, dlq) for dlq in ("request DLQ", "response DLQ")},
    **{function: partial(check_function, function) for function in FUNCTIONS},
    "event publisher": where_events_are_on("event publisher", partial(check_function, "event publisher")),
    "builds": check_builds,
    **{f"{queue}'s timeout": partial(check_visibility, queue) for queue in WORKERS},
    **{f"{queue}'s trigger": partial(check_trigger, queue) for queue in WORKERS},
    **{f"{function}'s loop detection": partial(check_loop_detection, function) for function in WORKERS.values()},
    "processor's memory": check_memory,
    "processor's layers": check_layers,
    "network": check_network,
    "concurrency": check_concurrency,
    "budget": check_budget,
    "reconciler's schedule": check_schedule,
    **EVENT_CHECKS,
    "table": check_table,
    "bucket": check_bucket,
    "key": check_key,
    "job types": check_job_types,
    "processor's memory for files": check_memory_for_files,
    "models": check_models,
    "quotas": check_quotas,
    "alarms": check_alarms,
    "topics": check_topics,
}


def examine(subject: Subject) -> Iterator[Finding]:
    """Run all checks, one after the other. If the credentials are not valid, only they are checked."""
    for finding in made("credentials", check_credentials(subject)):
        yield finding
        if finding.state is State.FAILED:
            found = "not checked: without valid credentials, no other check says anything"
            yield Finding("all else", State.WARNING, found)
            return
    for name, check in _CHECKS.items():
        yield from made(name, check(subject))
