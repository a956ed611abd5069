"""The JSON of a message: how it is read, written and measured."""

from __future__ import annotations

import re
from typing import Any

from ai_jobs.contract import documents
from ai_jobs.contract.errors import JobError

SCHEMA_VERSION = 1
"""The newest message version that this code understands."""


# SQS refuses these even inside JSON strings, so they have to be escaped
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


def check_document(document: Any, place: str) -> None:
    """Raise JobError `INVALID_INPUT`, which names the place, when JSON in UTF-8 can't express the document."""
    try:
        fault = documents.fault_in(document, place)
    except RecursionError:
        raise JobError("INVALID_INPUT", "the input is nested too deeply: flatten it", place or None) from None
    if fault:
        raise JobError("INVALID_INPUT", str(fault), fault.place or None)


def check_version(value: object, error_code: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise JobError(error_code, "schemaVersion must be a whole number from 1", "schemaVersion")
    if value > SCHEMA_VERSION:
        raise JobError(
            "UNSUPPORTED_SCHEMA_VERSION",
            f"schemaVersion is {value}: this release knows up to {SCHEMA_VERSION}; deploy a newer one, then redrive",
            "schemaVersion",
        )


def json_object(body: str, error_code: str) -> dict[str, Any]:
    """The JSON object in a body; JobError with this code when it is none, or nested too deeply.

    It may hold what JSON does not know (`documents.from_json`): `check_document` refuses that by name.
    """
    try:
        document = documents.from_json(body)
    except (ValueError, RecursionError):
        raise JobError(error_code, "the message body is no JSON, or is nested too deeply") from None
    if not isinstance(document, dict):
        raise JobError(error_code, f"the message body is a JSON {json_kind(document)}: it must be an object")
    return document


def json_kind(value: object) -> str:
    """What JSON calls such a value: the reader of a message need not know Python."""
    return _KINDS[type(value)]


def message_json(document: dict[str, Any]) -> str:
    """A document as the body of a message, without fields that are None; what SQS refuses is escaped."""
    text = documents.to_json(without_none(document))
    return _NOT_FOR_SQS.sub(lambda refused: f"\\u{ord(refused[0]):04x}", text)


def size_in_message(document: dict[str, Any]) -> int:
    """Bytes that a document takes within a message's body."""
    return len(message_json(document).encode())


def without_none(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}
