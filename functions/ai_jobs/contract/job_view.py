"""A job as the API shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ai_jobs.contract import timestamps
from ai_jobs.contract.row import JobRow

_SHOWN = (
    "jobId",
    "userId",
    "jobType",
    "status",
    "createdAt",
    "startedAt",
    "updatedAt",
    "completedAt",
    "deadlineAt",
    "result",
    "error",
    "errorCode",
    "model",
    "usage",
    "traceId",
)


def job_view(row: JobRow, sign: Callable[[dict[str, Any]], tuple[str, datetime]]) -> dict[str, Any]:
    """The response of `GET /jobs/{jobId}`, without the fields that the job does not have (yet).

    Args:
        sign: gives a URL for the location of a result in the bucket, and the moment that URL expires.
    """
    fields: Mapping[str, Any] = row
    view = {name: fields[name] for name in _SHOWN if name in fields}
    view["attempts"] = row.get("calls", 0)
    if "expiresAt" in row:
        view["expiresAt"] = timestamps.to_text(datetime.fromtimestamp(row["expiresAt"], UTC))
    if "resultLocation" in row:
        url, ends_at = sign(row["resultLocation"])
        view |= {"resultUrl": url, "resultUrlExpiresAt": timestamps.to_text(ends_at)}
    return view
