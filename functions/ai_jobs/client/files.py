"""Files for jobs, without input or output over the network: what is uploaded, and how."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ai_jobs.client.exceptions import InvalidArgumentError
from ai_jobs.client.urls import is_http_url
from ai_jobs.contract.attachments import MAX_BYTES, Attachment, distinct_names, media_type_of
from ai_jobs.contract.limits import MEDIA_TYPES


@dataclass(frozen=True)
class LocalFile:
    """A file of this machine, read."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


def read_local_file(path: str | os.PathLike[str], media_type: str | None) -> LocalFile:
    """Read a file.

    Args:
        media_type: by default, the one that its extension stands for.

    Raises:
        InvalidArgumentError: if it can't be read, is empty or too large for any job, or its type is not known.
    """
    name = Path(path).name
    kind = media_type or media_type_of(name)
    if kind is None:
        known = ", ".join(f".{one}" for type_ in MEDIA_TYPES.values() for one in type_["extensions"])
        raise InvalidArgumentError(f"{name!r:.140} is not a file that a job can have: it must be one of {known}")
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidArgumentError(f"{str(path)!r:.500} can't be read: {error.strerror or error}") from error
    _check_size(name, len(content), MAX_BYTES)
    return LocalFile(name, kind, content)


@dataclass(frozen=True)
class Form:
    """What the API returned for an upload."""

    key: str
    url: str
    fields: Mapping[str, str]
    max_bytes: int

    def check(self, file: LocalFile) -> None:
        """Raise InvalidArgumentError if S3 would refuse the file for its size."""
        _check_size(file.name, len(file.content), self.max_bytes)

    def attachment(self, file: LocalFile) -> Attachment:
        """The file as jobs name it."""
        return Attachment(file.name, file.media_type, len(file.content), self.key)

    def encoded(self, file: LocalFile) -> tuple[bytes, str]:
        """The filled form, and its content type."""
        from urllib3.filepost import encode_multipart_formdata

        # S3 ignores what comes after the file.
        return encode_multipart_formdata({**self.fields, "file": ("file", file.content, file.media_type)})


def form_of(document: Mapping[str, Any]) -> Form:
    """The form in a response of `POST /uploads`. Raises ValueError if there is none."""
    try:
        key, most = document["attachment"]["key"], int(document["maxBytes"])
        url, fields = document["url"], document["fields"]
        if not (is_http_url(url) and all(isinstance(value, str) for value in (key, *fields.values()))):
            raise ValueError("not a form")
        return Form(key, url, dict(fields), most)
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"not a form as documented: {error!r}") from error


def attachments_of(attachments: Iterable[Attachment]) -> list[dict[str, str]] | None:
    """The field `attachments` of `PUT /jobs/{jobId}`; None if there are no files.

    Files from different folders may have the same name; in a job, these are numbered.
    """
    found = list(attachments)
    for one in found:
        if not isinstance(one, Attachment):
            raise InvalidArgumentError(f"{one!r:.140} is not an attachment: pass what `upload` returns")
    names = distinct_names(one.name for one in found)
    return [
        {"key": one.key, "name": name, "mediaType": one.media_type} for one, name in zip(found, names, strict=True)
    ] or None


def _check_size(name: str, size: int, most: int) -> None:
    if not size:
        raise InvalidArgumentError(f"{name!r:.140} is empty: a job can't have such a file")
    if size > most:
        raise InvalidArgumentError(f"{name!r:.140} has over {most} bytes: shrink or split it")
