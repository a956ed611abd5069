"""Jobs as people write them down: a JSON object, an array of them, or one a line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ai_jobs.cli.problems import Problem
from ai_jobs.errors import JobError
from ai_jobs.messages import AIJobMessage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FIELDS = {
    "userId": "user_id",
    "jobType": "job_type",
    "input": "input",
    "jobId": "job_id",
    "traceId": "trace_id",
    "deadlineSeconds": "deadline_seconds",
}


@dataclass(frozen=True)
class WrittenJob:
    """A job and where it was written.

    Attributes:
        place: such as `jobs.jsonl, job 3`.
        has_own_id: whether it says its jobId, so that submitting it twice is harmless.
    """

    place: str
    message: AIJobMessage
    has_own_id: bool


def read_jobs(texts: Mapping[str, str], user_id: str | None = None, job_type: str | None = None) -> list[WrittenJob]:
    """All jobs of all files, checked.

    Args:
        texts: the files' contents by name.
        user_id, job_type: for jobs that do not say.

    Raises:
        Problem: naming the file, the job and the field, when any of them is wrong.
    """
    defaults = {name: value for name, value in (("userId", user_id), ("jobType", job_type)) if value is not None}
    jobs = [
        _job(place, document, defaults) for name, text in texts.items() for place, document in _documents(name, text)
    ]
    _check_ids(jobs)
    return jobs


def _documents(name: str, text: str) -> list[tuple[str, Any]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        return _lines(name, text, error)
    if not isinstance(document, list):
        return [(name, document)]
    if not document:
        raise Problem(f"{name} is an empty array: there is no job in it")
    return [(f"{name}, job {number}", part) for number, part in enumerate(document, start=1)]


def _lines(name: str, text: str, error: Exception) -> list[tuple[str, Any]]:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        raise Problem(f"{name} is empty: there is no job in it")
    documents: list[tuple[str, Any]] = []
    for number, line in lines:
        try:
            documents.append((f"{name}, line {number}", json.loads(line)))
        except (ValueError, RecursionError) as in_line:
            # A document that is broken, rather than a job a line, is broken in its own first line too.
            where = f"line {number} of {name} is no JSON: {in_line}" if documents else f"{name} is no JSON: {error}"
            raise Problem(where) from None
    return documents


def _job(place: str, document: Any, defaults: dict[str, str]) -> WrittenJob:
    if not isinstance(document, dict):
        raise Problem(f"{place} is a JSON {type(document).__name__}: a job is an object")
    if unknown := sorted(document.keys() - _FIELDS.keys()):
        raise Problem(f"{place}: unknown field {unknown[0]!r}; a job has {', '.join(_FIELDS)}")
    given = defaults | {name: value for name, value in document.items() if value is not None}
    for name, option in (("userId", " or --user"), ("jobType", " or --type"), ("input", "")):
        if name not in given:
            raise Problem(f"{place}: {name} is missing: every job needs it{option and f', in the file{option}'}")
    try:
        message = AIJobMessage(**{_FIELDS[name]: value for name, value in given.items()})
    except JobError as error:
        raise Problem(f"{place}: {error.message}") from None
    return WrittenJob(place, message, "jobId" in given)


def _check_ids(jobs: Iterable[WrittenJob]) -> None:
    places: dict[str, str] = {}
    for job in jobs:
        first = places.setdefault(job.message.job_id, job.place)
        if first != job.place:
            raise Problem(f"{job.place} has the same jobId as {first} ({job.message.job_id}): give each its own")
