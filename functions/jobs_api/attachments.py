"""Files: where a caller uploads one, and those of a job that is submitted.

The routes import this module when they first need it: cold starts for jobs without files don't wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ai_jobs.aws.uploads import StoredFile, copy_file, look_at, not_found, upload_form
from ai_jobs.contract import timestamps
from ai_jobs.contract.api_errors import of_job_error
from ai_jobs.contract.attachments import (
    MAX_BYTES,
    MAX_COUNT,
    Attachment,
    check_name_and_type,
    check_no_key_twice,
    check_no_name_twice,
    checked_list,
    distinct_names,
    id_of_upload,
)
from ai_jobs.contract.errors import ErrorClass, JobError, shown
from ai_jobs.contract.locations import job_input_prefix
from ai_jobs.contract.request import AIJobMessage
from ai_jobs.contract.rules import JOB_TYPE, checked_text
from ai_jobs.service.attachment_checks import check_content, check_count, check_rules, check_type_and_size
from ai_jobs.service.job_type import JobType
from jobs_api.requests import Request, checked_user

T = TypeVar("T")
R = TypeVar("R")

_UPLOAD_FIELDS = ("name", "mediaType", "jobType")
_FIELDS = ("key", "name", "mediaType")


@contextmanager
def _reported_to_the_caller() -> Iterator[None]:
    """Raise RequestError for what is wrong with a file; a fault of ours stays what it is."""
    try:
        yield
    except JobError as error:
        if error.error_class is ErrorClass.INVALID:
            raise of_job_error(error) from None
        raise


def upload_answer(request: Request, bucket: str, type_named: Callable[[str], JobType | None]) -> dict[str, Any]:
    """The response of `POST /uploads`.

    Args:
        type_named: returns a job type, or None for one that can't be had. Without a type, the limits are the service's.

    Raises:
        RequestError: what is wrong with the request, naming the field.
    """
    document = request.document(request.with_user(_UPLOAD_FIELDS), "an upload")
    user_id = request.user_id or checked_user(document.get("userId"))
    name, media_type = document.get("name"), document.get("mediaType")
    with _reported_to_the_caller():
        check_name_and_type(name, media_type)
        job_type = type_named(_checked_type(document["jobType"])) if "jobType" in document else None
        max_bytes = _max_bytes(str(media_type), job_type) if job_type else MAX_BYTES
    form = upload_form(bucket, user_id, str(name), str(media_type), max_bytes, timestamps.now)
    return {
        "attachment": {"name": name, "mediaType": media_type, "key": form.key},
        "url": form.url,
        "fields": form.fields,
        "maxBytes": max_bytes,
        "expiresAt": timestamps.to_text(form.expires_at),
    }


def _checked_type(value: object) -> str:
    return checked_text(value, JOB_TYPE, "jobType", "INVALID_MESSAGE")


def _max_bytes(media_type: str, job_type: JobType) -> int:
    rules = job_type.attachments
    if rules is None:
        raise JobError("INVALID_ATTACHMENT", f"A job of type {shown(job_type.name)} takes no files.", "jobType")
    check_type_and_size(media_type, 1, rules, job_type.name, "mediaType")
    return rules.max_bytes


@dataclass(frozen=True)
class _NamedFile:
    """A file that a request names; what it does not say is as it was uploaded.

    Attributes:
        place: where it is in the request.
        key: where the job keeps it.
    """

    place: str
    upload_key: str
    key: str
    name: str | None
    media_type: str | None
    stored: StoredFile | None = field(default=None, compare=False)

    @property
    def attachment(self) -> Attachment:
        """What the job's message says of it, once it was found."""
        stored = self.stored
        if stored is None:
            raise not_found(self.place)
        name = stored.name if self.name is None else self.name
        media_type = stored.media_type if self.media_type is None else self.media_type
        return Attachment(name, media_type, stored.size, self.key)


class JobFiles:
    """The files that a request names for a job: uploads of the job's user, which are copied to the job.

    A copy neither expires with the upload nor can be replaced. If an earlier request has made it, that is the file,
    whatever has become of the upload.

    Args:
        named: the request's `attachments`.

    Raises:
        RequestError: `INVALID_ATTACHMENT`, naming the field.
    """

    def __init__(self, bucket: str, message: AIJobMessage, named: object) -> None:
        self._bucket = bucket
        with _reported_to_the_caller():
            self._files = [
                _named_file(one, f"attachments.{place}", message) for place, one in enumerate(checked_list(named))
            ]
            check_no_key_twice([file.upload_key for file in self._files])
            check_no_name_twice([file.name for file in self._files])

    @property
    def keys(self) -> list[str]:
        """Where the job keeps them."""
        return [file.key for file in self._files]

    def find(self, job_type: JobType | None) -> tuple[Attachment, ...]:
        """Look at the files, and check them against the rules of the type, if that is known.

        Raises:
            RequestError: `INVALID_ATTACHMENT` or `ATTACHMENT_NOT_FOUND`, naming the field.
            JobError: the bucket is unavailable.
        """
        with _reported_to_the_caller():
            if job_type:
                check_count(len(self._files), job_type.attachments, job_type.name)
            self._files = _with_distinct_names(_at_once(self._found, self._files))
            attachments = tuple(file.attachment for file in self._files)
            if job_type:
                check_rules(attachments, job_type.attachments, job_type.name)
        return attachments

    def copy(self) -> tuple[Attachment, ...]:
        """Copy them to the job, where no earlier request has. Returns and raises what `find` does."""
        with _reported_to_the_caller():
            _at_once(self._copy, self._files)
        return tuple(file.attachment for file in self._files)

    def _found(self, file: _NamedFile) -> _NamedFile:
        copied = look_at(self._bucket, file.key, denied_is_missing=True)
        stored = copied or look_at(self._bucket, file.upload_key)
        found = replace(file, stored=stored)
        attachment = found.attachment
        if not attachment.bytes:
            raise JobError("INVALID_ATTACHMENT", f"The file of {file.place} is empty (0 bytes).", file.place)
        check_name_and_type(attachment.name, attachment.media_type, f"{file.place}.")
        check_content(found.stored.beginning if found.stored else b"", attachment, attachment.bytes, file.place)
        return found

    def _copy(self, file: _NamedFile) -> None:
        if file.stored and file.stored.key != file.key:
            copy_file(self._bucket, file.stored, file.key)


def _with_distinct_names(files: list[_NamedFile]) -> list[_NamedFile]:
    """The files; those that the request does not name have their names as uploads, numbered if they occur again."""
    given = [file.name for file in files if file.name is not None]
    unnamed = [file for file in files if file.name is None]
    names = iter(distinct_names([file.attachment.name for file in unnamed], given))
    return [replace(file, name=next(names)) if file.name is None else file for file in files]


def _named_file(document: Any, place: str, message: AIJobMessage) -> _NamedFile:
    if not isinstance(document, dict):
        rule = f"It must be an object with {', '.join(_FIELDS)}; only key is required."
        raise JobError("INVALID_ATTACHMENT", f"{place} is {shown(document, 100)}. {rule}", place)
    for name in document:
        if name not in _FIELDS:
            rule = f"A file has: {', '.join(_FIELDS)}."
            raise JobError("INVALID_ATTACHMENT", f"{shown(name, 100)} is not a field of {place}. {rule}", place)
    key, name, media_type = (document.get(one) for one in _FIELDS)
    for one in ("name", "mediaType"):
        if one in document and not isinstance(document[one], str):
            rule = "It must be a text. Omit it for what was uploaded."
            raise JobError(
                "INVALID_ATTACHMENT", f"{place}.{one} is {shown(document[one], 100)}. {rule}", f"{place}.{one}"
            )
    kept = f"{job_input_prefix(message.user_id, message.job_id)}{id_of_upload(key, message.user_id, f'{place}.key')}"
    return _NamedFile(place, str(key), kept, name, media_type)


def _at_once(work: Callable[[T], R], files: Iterable[T]) -> list[R]:
    """The work on all files, in parallel: each takes S3 some time."""
    with ThreadPoolExecutor(MAX_COUNT) as pool:
        return list(pool.map(work, files))
