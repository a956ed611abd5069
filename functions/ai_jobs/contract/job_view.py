"""What the API shows of a job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ai_jobs.contract import timestamps
from ai_jobs.contract.row import Row

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


def job_view(row: Row, sign: Callable[[dict[str, Any]], tuple[str, datetime]]) -> dict[str, Any]:
    """The answer of `GET /jobs/{jobId}`: fields that the job does not have (yet) are left out.

    Args:
        sign: gives a URL for the location of a result that lies in the bucket, and when that URL ends.
    """
    view = {name: plain(row[name]) for name in _SHOWN if name in row}
    view["attempts"] = int(row.get("calls", 0))
    if "expiresAt" in row:
        view["expiresAt"] = timestamps.to_text(datetime.fromtimestamp(int(row["expiresAt"]), UTC))
    if "resultLocation" in row:
        url, ends_at = sign(row["resultLocation"])
        view |= {"resultUrl": url, "resultUrlExpiresAt": timestamps.to_text(ends_at)}
    return view


# A number of more digits was a float such as 1e100: an integer of that size has no place in the table.
_INTEGER_DIGITS = 38


def plain(value: Any) -> Any:
    """DynamoDB's decimals as JSON numbers."""
    if isinstance(value, Decimal):
        is_integer = value.adjusted() < _INTEGER_DIGITS and value == value.to_integral_value()
        return int(value) if is_integer else float(value)
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value
