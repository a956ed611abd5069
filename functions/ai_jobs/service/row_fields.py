"""The fields of a row that transitions set, computed from what callers know."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ai_jobs.aws.items import exact
from ai_jobs.contract import timestamps
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.contract.result import AIJobResultMessage, is_usage
from ai_jobs.service.outcomes import ClaimTerms


def at_fields(now: datetime) -> dict[str, Any]:
    """The current time, in the two forms that conditions use."""
    return {"now": timestamps.to_text(now), "seconds": int(now.timestamp())}


def identity_fields(job: ReceivedJob, now: datetime) -> dict[str, Any]:
    """What the job is, and when its row was written."""
    fields = {
        "userId": job.user_id,
        "jobType": job.job_type,
        "payloadHash": job.payload_hash,
        "updatedAt": timestamps.to_text(now),
    }
    return fields | ({"traceId": job.trace_id} if job.trace_id else {})


def created_fields(job_id: str, moment: datetime) -> dict[str, Any]:
    """When the job was submitted, and its position in its user's list."""
    created_at = timestamps.to_text(moment)
    return {"createdAt": created_at, "createdAt#jobId": f"{created_at}#{job_id}"}


def due_fields(deadline_at: datetime, grace_seconds: int) -> dict[str, Any]:
    """When the job's time is up, and when it counts as stalled."""
    return {
        "deadlineAt": timestamps.to_text(deadline_at),
        "dueAt": timestamps.to_text(deadline_at + timedelta(seconds=grace_seconds)),
    }


def schedule_fields(since: datetime, now: datetime, terms: ClaimTerms) -> dict[str, Any]:
    """When work on the job began, and when its time is up."""
    deadline_at = since + timedelta(seconds=terms.deadline_seconds)
    return {"startedAt": timestamps.to_text(now)} | due_fields(deadline_at, terms.grace_seconds)


def outcome_fields(message: AIJobResultMessage, now: datetime) -> dict[str, Any]:
    """How an attempt ended, according to its result."""
    ended = {"completedAt": timestamps.to_text(min(message.timestamp, now))}
    if message.failure is not None:
        return ended | {"error": message.failure, "errorCode": message.failure["code"]}
    place = message.result_location
    if place is not None:
        documents: dict[str, Any] = {"resultLocation": {name: place[name] for name in ("bucket", "key", "bytes")}}
        model, usage = message.model, message.usage
    else:
        result = message.result or {}
        documents = {"result": result}
        model, usage = result.get("model"), result.get("usage")
    if isinstance(model, str):
        documents["model"] = model
    if is_usage(usage):
        documents["usage"] = usage
    return ended | exact(documents)
