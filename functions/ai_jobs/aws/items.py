"""DynamoDB's form of a row, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

# A number of more digits was a float such as 1e100: an integer of that size has no place in the table.
_INTEGER_DIGITS = 38

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """`{name: {"S": ...}}`. Floats must be decimals already: see `exact`."""
    return {name: _serializer.serialize(value) for name, value in values.items()}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an item or of a stream record's image, its numbers as JSON has them."""
    return {name: _plain(_deserializer.deserialize(value)) for name, value in item.items()}


def exact(document: dict[str, Any]) -> dict[str, Any]:
    """A JSON document with decimals in the place of floats, which DynamoDB does not know."""
    copy: dict[str, Any] = json.loads(json.dumps(document), parse_float=Decimal)
    return copy


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        is_integer = value.adjusted() < _INTEGER_DIGITS and value == value.to_integral_value()
        return int(value) if is_integer else float(value)
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value
