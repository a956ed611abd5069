"""Output schemas as models expect them. The type's own schema, in draft-04, decides whether an output is valid."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

_Schema = Mapping[str, Any]

# Where a schema has further schemas in it (draft-04).
_SCHEMAS_BY_NAME = ("properties", "patternProperties", "definitions", "dependencies")
_SCHEMAS = ("items", "additionalItems", "additionalProperties", "allOf", "anyOf", "oneOf", "not")

# What native output knows: https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html
_NATIVE_KEYWORDS = (
    *("type", "properties", "required", "items", "enum", "const", "anyOf", "allOf", "$ref", "definitions"),
    *("title", "description", "additionalProperties"),
)
_NATIVE_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")

# Without them, the rest of a schema would say something else.
_NOT_NATIVE = ("patternProperties", "dependencies", "additionalItems", "not")


class _NotNativeError(Exception):
    """Native output can't express the schema."""


def for_tool(schema: _Schema) -> dict[str, Any]:
    """The schema in draft 2020-12, with an object at the top.

    Only what the drafts write differently is changed: exclusive bounds, and the names of the schema itself.
    """
    return _of_2020(schema) | {"type": "object"}


def for_native_output(schema: _Schema) -> dict[str, Any] | None:
    """The schema as far as native output knows it; None if too little would be left of it.

    Bedrock rejects keywords that it does not know, and objects that allow fields beyond their properties. What is left
    out (bounds, lengths, patterns) becomes a part of the description, which the model reads.
    """
    try:
        return _native(for_tool(schema))
    except (_NotNativeError, RecursionError):
        return None


def _of_2020(schema: _Schema) -> dict[str, Any]:
    rest = {name: value for name, value in schema.items() if name not in ("$schema", "id")}
    converted = _with_parts(rest, _of_2020)
    for bound in ("minimum", "maximum"):
        exclusive = f"exclusive{bound.capitalize()}"
        if isinstance(schema.get(exclusive), bool):
            del converted[exclusive]
            if schema[exclusive] and bound in schema:
                converted[exclusive] = converted.pop(bound)
    return converted


def _with_parts(schema: _Schema, convert: Callable[[_Schema], dict[str, Any]]) -> dict[str, Any]:
    """A copy of the schema in which the schemas directly inside it are converted."""

    def part(value: Any) -> Any:
        return convert(value) if isinstance(value, dict) else value

    def parts(keyword: str, value: Any) -> Any:
        if keyword in _SCHEMAS_BY_NAME and isinstance(value, dict):
            return {name: part(one) for name, one in value.items()}
        if keyword in _SCHEMAS:
            return [part(one) for one in value] if isinstance(value, list) else part(value)
        return value

    return {keyword: parts(keyword, value) for keyword, value in schema.items()}


def _native(schema: _Schema) -> dict[str, Any]:
    if not _can_be_native(schema):
        raise _NotNativeError
    native = _with_parts({name: value for name, value in schema.items() if _is_native(name, value)}, _native)
    if "oneOf" in schema:
        native["anyOf"] = [_native(one) for one in schema["oneOf"]]
    if "properties" in schema:
        native["additionalProperties"] = False
    left_out = {
        name: value for name, value in schema.items() if name not in native and name not in ("oneOf", "default")
    }
    if left_out:
        rules = json.dumps(left_out, ensure_ascii=False)
        native["description"] = f"{native.get('description', '')} Rules: {rules}".strip()
    return native


def _can_be_native(schema: _Schema) -> bool:
    properties = schema.get("properties", {})
    # Its objects have no fields beyond their properties, and references may lead in circles.
    is_open = schema.get("type") == "object" and not properties
    needs_more = not set(schema.get("required", ())) <= set(properties)
    is_a_map = isinstance(schema.get("additionalProperties"), dict)
    is_a_tuple = isinstance(schema.get("items"), list)
    others = any(keyword in schema for keyword in ("$ref", *_NOT_NATIVE))
    return not (is_open or needs_more or is_a_map or is_a_tuple or others)


def _is_native(keyword: str, value: Any) -> bool:
    if keyword == "format":
        return value in _NATIVE_FORMATS
    return keyword in _NATIVE_KEYWORDS or (keyword == "minItems" and value in (0, 1))
