"""Files of jobs: a JSON object, an array of objects, or one object per line."""

from __future__ import annotations

import itertools
import json
from codecs import BOM_UTF8
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from ai_jobs.cli.exits import Problem
from ai_jobs.cli.json_array import NotAnArrayError, elements
from ai_jobs.contract.body import json_kind
from ai_jobs.contract.errors import JobError, shown
from ai_jobs.contract.request import AIJobMessage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FIELDS = {
    "userId": "user_id",
    "jobType": "job_type",
    "input": "input",
    "jobId": "job_id",
    "traceId": "trace_id",
    "deadlineSeconds": "deadline_seconds",
}

_BLANKS = " \t\r\n"


@dataclass(frozen=True)
class WrittenJob:
    """A job, and where it is in the files.

    Attributes:
        place: such as `jobs.jsonl, job 3`.
        has_own_id: whether it has its own jobId, so that submitting it twice is harmless.
    """

    place: str
    message: AIJobMessage
    has_own_id: bool


class WrittenJobs:
    """All jobs in all files. Each iteration reads them again, one by one: they are never all in memory.

    Args:
        files: by name; they must be seekable.
        user_id, job_type: for jobs that omit them.
    """

    def __init__(self, files: Mapping[str, BinaryIO], user_id: str | None = None, job_type: str | None = None) -> None:
        self._files = files
        defaults = {"userId": user_id, "jobType": job_type}
        self._defaults = {name: value for name, value in defaults.items() if value is not None}

    def __iter__(self) -> Iterator[WrittenJob]:
        """Each job, checked. Raises a Problem that names the file, the job, and the field at the first wrong one."""
        numbers: dict[str, int] = {}
        for number, job in enumerate(self._jobs()):
            if job.has_own_id:
                first = numbers.setdefault(job.message.job_id, number)
                if first != number:
                    place = next(itertools.islice(self._jobs(), first, None)).place
                    raise Problem(
                        f"{job.place} has the same jobId as {place} ({job.message.job_id}): give each job its own"
                    )
            yield job

    def _jobs(self) -> Iterator[WrittenJob]:
        for name, content in self._files.items():
            for place, document in _documents(name, content):
                yield _job(place, document, self._defaults)


def _documents(name: str, content: BinaryIO) -> Iterator[tuple[str, Any]]:
    first = _first_byte(content)
    if not first:
        raise Problem(f"{name} is empty: it must contain at least one job")
    _rewind(content)
    yield from _array(name, content) if first == b"[" else _lines(name, content)


def _first_byte(content: BinaryIO) -> bytes:
    """The first byte that is not blank; empty if there is none."""
    _rewind(content)
    while (byte := content.read(1)) and byte in _BLANKS.encode():
        pass
    return byte


def _rewind(content: BinaryIO) -> None:
    """Go to the start, past a byte order mark."""
    content.seek(0)
    if content.read(len(BOM_UTF8)) != BOM_UTF8:
        content.seek(0)


def _array(name: str, content: BinaryIO) -> Iterator[tuple[str, Any]]:
    number = 0
    try:
        for number, document in enumerate(elements(content), start=1):
            yield f"{name}, job {number}", document
    except UnicodeDecodeError as error:
        raise Problem(f"{name} is not UTF-8 text, after job {number}: {error.reason}") from None
    except (ValueError, RecursionError) as error:
        raise Problem(f"{name} is not JSON, after job {number}: {_why(error)}") from None
    if not number:
        raise Problem(f"{name} is an empty array: it must contain at least one job")


def _lines(name: str, content: BinaryIO) -> Iterator[tuple[str, Any]]:
    """A job per line; or a single job, on as many lines as it takes."""
    is_first = True
    # Lines end with \n and nothing else: JSON strings may contain U+2028 and others at which str.splitlines() splits.
    for number, line in enumerate(content, start=1):
        text = _text(line, f"line {number} of {name}")
        if not text.strip(_BLANKS):
            continue
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            if not is_first:
                raise Problem(f"line {number} of {name} is not JSON: {_why(error)}") from None
            yield name, _whole(name, content)
            return
        yield f"{name}, line {number}", document
        is_first = False


def _whole(name: str, content: BinaryIO) -> Any:
    _rewind(content)
    try:
        return json.loads(_text(content.read(), name))
    except (ValueError, RecursionError) as error:
        raise Problem(f"{name} is not JSON: {_why(error)}") from None


def _text(part: bytes, place: str) -> str:
    try:
        return part.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem(f"{place} is not UTF-8 text: {error.reason} at byte {error.start + 1}") from None


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    # The only other error is a number with more digits than Python accepts (sys.get_int_max_str_digits).
    known = isinstance(error, NotAnArrayError | json.JSONDecodeError)
    return str(error) if known else "it has a number with too many digits"


def _job(place: str, document: Any, defaults: dict[str, str]) -> WrittenJob:
    if not isinstance(document, dict):
        raise Problem(f"{place} is a JSON {json_kind(document)}: a job must be an object")
    if unknown := sorted(document.keys() - _FIELDS.keys()):
        advice = "; pass files with --attach" if unknown[0] == "attachments" else ""
        raise Problem(f"{place}: unknown field {shown(unknown[0])}: a job has {', '.join(_FIELDS)}{advice}")
    given = defaults | {name: value for name, value in document.items() if value is not None}
    for name, option in (("userId", "--user"), ("jobType", "--type"), ("input", None)):
        if name not in given:
            where = f", in the file or from {option}" if option else ""
            raise Problem(f"{place}: {name} is missing: every job needs it{where}")
    try:
        message = AIJobMessage(**{_FIELDS[name]: value for name, value in given.items()})
    except JobError as error:
        raise Problem(f"{place}: {error.message}") from None
    return WrittenJob(place, message, "jobId" in given)
