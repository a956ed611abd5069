"""The files of a job: what a message says about them, and the rules of that."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ai_jobs.contract.errors import JobError, shown
from ai_jobs.contract.limits import BUCKET, LIMITS, MEDIA_TYPES
from ai_jobs.contract.locations import job_input_prefix, upload_prefix
from ai_jobs.contract.rules import is_whole_number

MAX_COUNT = LIMITS["attachment_count"].max
MAX_BYTES = LIMITS["attachment_bytes"].max
"""What no job type can allow more of. (A type's own limits are usually lower.)"""

MAX_DOCUMENTS = LIMITS["documents_per_model_call"].max
"""How many documents one model call can have. Images count by themselves.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html
"""

MAX_NAME_CHARACTERS = LIMITS["attachment_name_characters"].max

# Steps of a path, controls, what reverses the reading order (and so shows another extension), halves of characters.
_NOT_IN_NAMES = re.compile("[/\\\\\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Attachment:
    """A file in the bucket.

    Attributes:
        name: what its owner calls it, with an extension that fits the type.
        media_type: one of `ai_jobs.contract.limits.MEDIA_TYPES`.
        bytes: its size.
        key: where it is in the bucket.
    """

    name: str
    media_type: str
    bytes: int
    key: str

    @property
    def is_document(self) -> bool:
        """Does the file go to models as a document, rather than as an image?"""
        return MEDIA_TYPES.get(self.media_type, {}).get("kind") == "document"

    def to_document(self) -> dict[str, Any]:
        """The file as messages describe it."""
        return self.for_prompts() | {"key": self.key}

    def for_prompts(self) -> dict[str, Any]:
        """What a prompt's template may show of it."""
        return {"name": self.name, "mediaType": self.media_type, "bytes": self.bytes}


def media_type_of(name: str) -> str | None:
    """The type that a file's extension stands for; None if no job can have such a file."""
    extension = _extension_of(name)
    return next((one for one, known in MEDIA_TYPES.items() if extension in known["extensions"]), None)


def check_name_and_type(name: object, media_type: object, within: str = "") -> None:
    """Check what a file is called, and that its type is one that models read and that fits its extension.

    Args:
        within: what comes before the fields' names in the error, such as `attachments.0.`.

    Raises:
        JobError: `INVALID_ATTACHMENT`, naming the field.
    """
    _check_name(name, f"{within}name")
    if not isinstance(media_type, str) or media_type not in MEDIA_TYPES:
        rule = f"It must be one of: {', '.join(MEDIA_TYPES)}."
        raise _invalid(f"{within}mediaType", f"is {_given(media_type)}. {rule}")
    extensions = MEDIA_TYPES[media_type]["extensions"]
    if _extension_of(str(name)) not in extensions:
        rule = f"The name of a file of type {media_type} must end in {' or '.join(f'.{one}' for one in extensions)}."
        raise _invalid(f"{within}name", f"is {shown(name)}. {rule}")


def checked_attachments(value: object, user_id: str, job_id: str) -> tuple[Attachment, ...]:
    """The files of a message of this job.

    Raises:
        JobError: `INVALID_ATTACHMENT`, naming the field that breaks its rule.
    """
    documents = checked_list(value)
    found = tuple(_attachment(one, f"attachments.{place}.", user_id, job_id) for place, one in enumerate(documents))
    check_no_key_twice([one.key for one in found])
    check_no_name_twice([one.name for one in found])
    return found


def checked_list(value: object) -> list[Any]:
    """The list of files, of which only the number was checked. Raises JobError `INVALID_ATTACHMENT`."""
    if not isinstance(value, list):
        raise _invalid("attachments", f"is {shown(value, 100)}. It must be a list of files.")
    if len(value) > MAX_COUNT:
        raise _invalid("attachments", f"has {len(value)} files. A job may have at most {MAX_COUNT}. Omit the others.")
    return value


def check_no_key_twice(keys: list[str]) -> None:
    """Raise JobError `INVALID_ATTACHMENT` when two files of a job are the same one."""
    for place, key in enumerate(keys):
        if key in keys[:place]:
            raise _invalid(f"attachments.{place}.key", f"is {shown(key)}, as before. Name each file once.")


def check_no_name_twice(names: Sequence[str | None]) -> None:
    """Raise JobError `INVALID_ATTACHMENT` when two files have the same name: prompts and handlers know them by it.

    Args:
        names: in the order of the files; None for one that gets its name later.
    """
    for place, name in enumerate(names):
        if name is not None and name in names[:place]:
            raise _invalid(f"attachments.{place}.name", f"is {shown(name)}, as before. Give each file its own name.")


def distinct_names(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """The names, of which those that occur again are numbered: `image.jpg`, `image-2.jpg`.

    Phones give every picture from their camera the same name.

    Args:
        taken: names that other files of the job have.
    """
    used, found = set(taken), []
    for name in names:
        found.append(next(one for one in _numbered(name) if one not in used))
        used.add(found[-1])
    return found


def _numbered(name: str) -> Iterator[str]:
    yield name
    stem, dot, extension = name.rpartition(".")
    for number in itertools.count(2):
        ending = f"-{number}{dot}{extension}"
        yield stem[: MAX_NAME_CHARACTERS - len(ending)] + ending


def id_of_upload(key: object, user_id: str, field: str) -> str:
    """The id at the end of an upload's key.

    Raises:
        JobError: `INVALID_ATTACHMENT` when it is not the key of an upload of this user.
    """
    prefix = upload_prefix(user_id)
    if not _is_under(key, prefix):
        raise _invalid(field, f"is {_given(key)}. It must be the key of an upload of the job's user, {prefix}UUID.")
    return str(key).removeprefix(prefix)


def is_upload(key: str) -> bool:
    """Is the file still where it was uploaded? There, its owner can replace it, and it expires in a day."""
    return key.startswith(BUCKET["uploads_prefix"])


def _attachment(document: Any, within: str, user_id: str, job_id: str) -> Attachment:
    if not isinstance(document, dict):
        rule = "It must be an object with name, mediaType, bytes, and key."
        raise _invalid(within.rstrip("."), f"is {shown(document, 100)}. {rule}")
    values: list[Any] = [document.get(field) for field in ("name", "mediaType", "bytes", "key")]
    name, media_type, size, key = values
    check_name_and_type(name, media_type, within)
    if not is_whole_number(size, 1, MAX_BYTES):
        raise _invalid(f"{within}bytes", f"is {_given(size)}. It must be a whole number from 1 to {MAX_BYTES}.")
    # A worker may read every user's files, so a message must not be able to refer to another user's.
    own = (upload_prefix(user_id), job_input_prefix(user_id, job_id))
    if not any(_is_under(key, prefix) for prefix in own):
        rule = f"It must be the key of a file of the job's user, {own[0]}UUID or {own[1]}UUID."
        raise _invalid(f"{within}key", f"is {_given(key)}. {rule}")
    return Attachment(name, media_type, size, key)


def _check_name(name: object, field: str) -> None:
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME_CHARACTERS:
        rule = f"It must be a text of 1 to {MAX_NAME_CHARACTERS} characters."
        raise _invalid(field, f"is {_given(name)}. {rule}")
    if name in (".", "..") or _NOT_IN_NAMES.search(name):
        rule = "It must be the name of a file, without a path and without control characters."
        raise _invalid(field, f"is {_given(name)}. {rule}")


def _given(value: object) -> str:
    return "missing" if value is None else shown(value)


def _is_under(key: object, prefix: str) -> bool:
    return isinstance(key, str) and key.startswith(prefix) and bool(_ID.fullmatch(key.removeprefix(prefix)))


def _extension_of(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def _invalid(field: str, problem: str) -> JobError:
    return JobError("INVALID_ATTACHMENT", f"{field} {problem}", field)
