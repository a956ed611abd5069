"""The JSON of a message: how it is read, checked, written, and measured."""

from __future__ import annotations

import re
from typing import Any

from ai_jobs.contract import documents
from ai_jobs.contract.errors import JobError, shown
from ai_jobs.contract.rules import INLINE_LIMIT_BYTES

SCHEMA_VERSION = 1
"""The newest message version that this code understands."""

# SQS rejects these even inside JSON strings, so they have to be escaped
# (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
_NOT_FOR_SQS = re.compile("[\ufffe\uffff]")

_KINDS: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    type(None): "null",
}


def checked_json(document: Any, place: str) -> str:
    """The document's JSON, unchanged.

    Raises:
        JobError: `INVALID_INPUT`, naming the place, when JSON in UTF-8 can't express the document.
    """
    try:
        text = documents.to_strict_json(document)
    except RecursionError:
        raise JobError("INVALID_INPUT", "The input is nested too deeply. Flatten it.", place or None) from None
    if text is None:
        fault = documents.fault_in(document, place)
        raise JobError("INVALID_INPUT", str(fault), fault.place or None)
    return text


def check_version(value: object, error_code: str) -> None:
    """Raise JobError when a message's version is newer than this code understands, or is not a version at all.

    Args:
        error_code: the code if it is not a version; a newer one is always `UNSUPPORTED_SCHEMA_VERSION`.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        rule = "It must be a whole number of at least 1"
        raise JobError(error_code, f"schemaVersion is {shown(value)}. {rule}.", "schemaVersion")
    if value > SCHEMA_VERSION:
        rule = f"This release understands versions up to {SCHEMA_VERSION}. Deploy a newer release, then redrive"
        raise JobError("UNSUPPORTED_SCHEMA_VERSION", f"schemaVersion is {shown(value)}. {rule}.", "schemaVersion")


def json_object(body: str, error_code: str) -> dict[str, Any]:
    """The JSON object in a body; JobError with this code if there is none, or it is nested too deeply.

    It may contain what JSON can't express (`documents.from_json`): `checked_json` rejects that and says where it is.
    """
    try:
        document = documents.from_json(body)
    except (ValueError, RecursionError):
        reason = "The message body is not JSON, or is nested too deeply. It must be a JSON object."
        raise JobError(error_code, reason) from None
    if not isinstance(document, dict):
        raise JobError(error_code, f"The message body is a JSON {json_kind(document)}. It must be a JSON object.")
    return document


def json_kind(value: object) -> str:
    """What JSON calls such a value: readers of a message do not need to know Python."""
    return _KINDS[type(value)]


def message_json(document: dict[str, Any]) -> str:
    """A document as the body of a message, without the fields that are None."""
    return for_sqs(documents.to_json(without_none(document)))


def for_sqs(json_text: str) -> str:
    """A JSON text in which the characters that SQS rejects are escaped."""
    return _NOT_FOR_SQS.sub(lambda rejected: f"\\u{ord(rejected[0]):04x}", json_text)


def with_field(json_object_text: str, name: str, value_json: str) -> str:
    """The JSON of an object, which must not be empty, with one more field whose JSON is already written."""
    return f'{json_object_text[:-1]}, "{name}": {value_json}}}'


def fits_in_message(json_text: str) -> bool:
    """Does a message have room for this input or result? If not, it goes to the bucket."""
    return len(for_sqs(json_text).encode()) <= INLINE_LIMIT_BYTES


def without_none(document: dict[str, Any]) -> dict[str, Any]:
    """The document without the fields that are None."""
    return {name: value for name, value in document.items() if value is not None}
