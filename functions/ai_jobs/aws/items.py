"""Rows in DynamoDB's format, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

# A number with more digits was a float such as 1e100: the table does not store integers of that size.
_INTEGER_DIGITS = 38

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """`{name: {"S": ...}}`. Floats must already be decimals: see `exact`."""
    # Most values are strings, which boto3 takes ten times as long to recognize.
    return {
        name: {"S": value} if type(value) is str else _serializer.serialize(value) for name, value in values.items()
    }


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an item or of a stream record's image, with numbers as in JSON."""
    return {
        name: value["S"] if "S" in value else plain(_deserializer.deserialize(value)) for name, value in item.items()
    }


def exact(document: dict[str, Any]) -> dict[str, Any]:
    """A JSON document with decimals in place of floats, which DynamoDB does not support."""
    copy: dict[str, Any] = json.loads(json.dumps(document), parse_float=Decimal)
    return copy


def plain(value: Any) -> Any:
    """The value as `from_item` returns it: with numbers as in JSON."""
    if isinstance(value, Decimal):
        is_integer = value.adjusted() < _INTEGER_DIGITS and value == value.to_integral_value()
        return int(value) if is_integer else float(value)
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value
