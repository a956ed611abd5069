"""Checks of a caller's arguments, before anything is sent."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from ai_jobs.client.exceptions import InvalidArgumentError
from ai_jobs.client.job import Job

# What remains when JavaScript cuts an emoji in two.
HALF_A_CHARACTER = "half a surrogate pair, which is not text: remove it, or replace it with the whole character"


def id_of(job: object) -> str:
    """The id of a job, or the id itself. What else an id must be is the service's rule: its error names the value."""
    job_id = job.job_id if isinstance(job, Job) else str(job) if isinstance(job, uuid.UUID) else job
    # HTTP clients resolve `.` and `..` in a path, so these would never reach the API as ids.
    if not isinstance(job_id, str) or job_id in ("", ".", "..") or not _is_text(job_id):
        raise InvalidArgumentError(f"{job_id!r:.140} is not a job id: pass a `Job`, or its `job_id`")
    return job_id


def ids_of(jobs: object) -> list[str]:
    """The ids of several jobs, each once."""
    if isinstance(jobs, str | bytes | Job | uuid.UUID) or not isinstance(jobs, Iterable):
        one = jobs.job_id if isinstance(jobs, Job) else jobs
        raise InvalidArgumentError(f"jobs is {one!r:.140}, which is not several jobs: pass a list, such as [{one!r}]")
    return list(dict.fromkeys(id_of(job) for job in jobs))


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def seconds_of(value: object, job_id: str | None = None) -> float:
    """`timeout_seconds` as a number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise InvalidArgumentError(f"timeout_seconds is {value!r:.140}: it must be a number of seconds", job_id)
    return value


def json_of(body: Mapping[str, Any], job_id: str | None = None) -> bytes:
    """The body of a request as JSON."""
    try:
        return json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        reason = f"it contains {HALF_A_CHARACTER}"
    except RecursionError:
        reason = "it is nested too deeply"
    except (TypeError, ValueError) as error:
        reason = str(error)
    what = "job" if job_id else "request"
    raise InvalidArgumentError(f"the {what} can't be written as JSON: {reason}", job_id)
