"""The JSON Schemas of job types: compiled once. An error names the place of what makes one unusable."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote, unquote

import fastjsonschema

from ai_jobs.contract.errors import MisconfiguredError, shown
from ai_jobs.contract.limits import LIMITS

MAX_DEPTH = LIMITS["schema_depth"].max
"""How deeply the JSON of a schema may be nested. The plan rejects what is certain to exceed it (modules/ai-jobs)."""

_DRAFT_04 = "http://json-schema.org/draft-04/schema#"
_PLACE_LIMIT = 200

_SCHEMAS_BY_NAME = ("properties", "patternProperties", "dependencies")
_SCHEMAS = ("additionalProperties", "items", "additionalItems", "not")
_LISTS_OF_SCHEMAS = ("items", "allOf", "anyOf", "oneOf")

_Path = tuple[str | int, ...]


class _NoRemoteDocuments(dict[str, Callable[[str], NoReturn]]):
    """A handler for every URI scheme: fastjsonschema fetches whatever has no handler, including files."""

    def __contains__(self, scheme: object) -> bool:
        return True

    def __missing__(self, scheme: str) -> Callable[[str], NoReturn]:
        return _refuse_reference


def _refuse_reference(uri: str) -> NoReturn:
    raise ValueError(
        f"It refers to {uri}. Only references within the schema are allowed. Use one such as #/definitions/name."
    )


_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
"""The values of `type`: http://json-schema.org/draft-04/schema."""


def compile_schema(schema: Any, place: str, *, fill_in_defaults: bool = True) -> Callable[[Any, str], Any]:
    """The function that validates a document, whose name in messages is its second argument. It never fetches anything.

    Args:
        place: the schema's name in error messages.
        fill_in_defaults: whether the function fills in the schema's defaults.

    Raises:
        MisconfiguredError: if no document can be validated with the schema; it names the keyword at fault.
    """
    if not isinstance(schema, dict):
        raise MisconfiguredError(place, f"It is {shown(schema)}. It must be a JSON object.")
    _check_values(schema, place)
    _check_top(schema, place)
    error = _failure(schema)
    if error:
        raise _located(schema, place, error) from error
    return _compiled(schema, fill_in_defaults=fill_in_defaults)


def _compiled(schema: Mapping[str, Any], *, fill_in_defaults: bool = True) -> Callable[[Any, str], Any]:
    # If a schema names no draft, fastjsonschema uses its latest one. Ours are draft-04, as in API Gateway.
    whole = {"$schema": _DRAFT_04, **schema}
    validate = fastjsonschema.compile(whole, handlers=_NoRemoteDocuments(), use_default=fill_in_defaults)
    return lambda document, name: validate(document, name_prefix=name)


def _failure(schema: Mapping[str, Any], path: _Path = ()) -> Exception | None:
    """What goes wrong when the schema at this place is compiled and used; None if nothing does."""
    pointer = "/".join(quote(str(step).replace("~", "~0").replace("/", "~1")) for step in path)
    # Draft-04 ignores everything beside a reference: only the schema at this place, and what it refers to, is compiled.
    alone = {**schema, "$ref": f"#/{pointer}"} if path else schema
    try:
        # What fails on an empty document fails on every one, such as a schema that refers to itself.
        _compiled(alone)({}, "input")
    except fastjsonschema.JsonSchemaValueException:
        return None
    except Exception as error:  # noqa: BLE001  # generated code can raise anything
        return error
    return None


def _check_values(schema: dict[str, Any], place: str) -> None:
    for path, value in _values(schema):
        if len(path) >= MAX_DEPTH:
            problem = f"It is nested {MAX_DEPTH} levels deep or more. Nest it less deeply."
            raise MisconfiguredError(_dotted(place, path), problem)
        if isinstance(value, float) and not math.isfinite(value):
            raise MisconfiguredError(_dotted(place, path), f"It is {shown(value)}. It must be a finite number.")


def _values(document: Any) -> Iterator[tuple[_Path, Any]]:
    """All values of a JSON document with their places, found without recursion, because its depth is not known yet."""
    waiting: list[tuple[_Path, Any]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        yield path, value
        inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        waiting += [((*path, key), item) for key, item in inside]


def _check_top(schema: Mapping[str, Any], place: str) -> None:
    if not isinstance(schema.get("$schema", ""), str):
        raise MisconfiguredError(f"{place}.$schema", f"It is {shown(schema['$schema'])}. It must be {_DRAFT_04}.")
    kinds = schema.get("type", "object")
    if "$ref" not in schema and kinds != "object" and not (isinstance(kinds, list) and "object" in kinds):
        problem = f"It is {shown(kinds)}. It must be object, because a job's input or output is an object."
        raise MisconfiguredError(f"{place}.type", problem)


def _located(schema: dict[str, Any], place: str, error: Exception) -> MisconfiguredError:
    """Find the innermost place that fails by itself: fastjsonschema compiles a schema as a whole and names no place."""
    path: _Path = ()
    seen = {path}
    while inner := next((sub for sub in _subschemas(schema, path) if sub not in seen and _failure(schema, sub)), None):
        path = inner
        seen.add(path)
    error = _failure(schema, path) or error
    for word in _at(schema, path):
        if not _failure(_without(schema, path, word), path):
            return MisconfiguredError(_dotted(place, (*path, word)), _reason(error, _at(schema, path)[word]))
    return MisconfiguredError(_dotted(place, path), _reason(error))


def _subschemas(schema: dict[str, Any], path: _Path) -> Iterator[_Path]:
    """The places of the schemas directly inside the one at this place, or of the one that it refers to."""
    here = _at(schema, path)
    if "$ref" in here:
        target = _target(here["$ref"])
        if target is not None and isinstance(_at(schema, target), dict):
            yield target
        return
    found: list[_Path] = [(word,) for word in _SCHEMAS]
    for word in _SCHEMAS_BY_NAME:
        found += [(word, name) for name in here[word]] if isinstance(here.get(word), dict) else []
    for word in _LISTS_OF_SCHEMAS:
        found += [(word, index) for index in range(len(here[word]))] if isinstance(here.get(word), list) else []
    yield from ((*path, *inner) for inner in found if isinstance(_at(here, inner), dict))


def _target(reference: Any) -> _Path | None:
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    steps = unquote(reference.removeprefix("#/")).split("/")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in steps)


def _at(document: Any, path: _Path) -> Any:
    """The value at this place; None if there is none."""
    for step in path:
        try:
            document = document[int(step) if isinstance(document, list) else step]
        except (LookupError, TypeError, ValueError):
            return None
    return document


def _without(schema: dict[str, Any], path: _Path, word: str) -> dict[str, Any]:
    """A copy of the schema that lacks one keyword of the schema at this place; only the path there is copied."""

    def copied(document: Any, steps: _Path) -> Any:
        if not steps:
            return {key: value for key, value in document.items() if key != word}
        if isinstance(document, list):
            return [copied(item, steps[1:]) if str(i) == str(steps[0]) else item for i, item in enumerate(document)]
        return {key: copied(item, steps[1:]) if key == steps[0] else item for key, item in document.items()}

    shortened: dict[str, Any] = copied(schema, path)
    return shortened


def _reason(error: Exception, value: Any = None) -> str:
    if isinstance(error, re.error):
        # Not the error's own pattern: fastjsonschema has replaced the dollar signs in it.
        pattern = value if isinstance(value, str) else error.pattern
        return f"{shown(pattern)} is not a Python regular expression: {error}."
    if isinstance(error, RecursionError | SyntaxError):
        return f"It is nested too deeply, or refers to itself ({type(error).__name__})."
    if str(error) == "Unknown type" and value is not None:  # fastjsonschema says no more
        return f"It is {shown(value)}. It must be {', '.join(_TYPES)}, or a list of these."
    if isinstance(error, ValueError):
        return str(error)
    return f"It can't be used ({type(error).__name__}: {error})."


def _dotted(place: str, path: _Path) -> str:
    dotted = ".".join((place, *map(str, path)))
    half = _PLACE_LIMIT // 2
    return dotted if len(dotted) <= _PLACE_LIMIT else f"{dotted[:half]}…{dotted[-half:]}"


@dataclass(frozen=True)
class Violation:
    """What is wrong with a document, in a sentence that names the field, and that field."""

    message: str
    field: str


def violation_in(document: Any, check: Callable[[Any, str], Any], name: str) -> Violation | None:
    """Validate a document (and fill in the schema's defaults); None if it is valid.

    Args:
        check: what `compile_schema` returned.
        name: the document's name in messages, such as `input`.

    Raises:
        Exception: of any kind, if the schema's generated code fails by itself.
    """
    try:
        check(document, name)
    except fastjsonschema.JsonSchemaValueException as error:
        return _violation(error, ".".join([name, *(str(step) for step in error.path[1:])]))
    except RecursionError:
        return Violation(f"The {name} is nested too deeply.", name)
    except OverflowError:
        return Violation(f"The {name} has a number that is too large to validate.", name)
    return None


def _violation(error: fastjsonschema.JsonSchemaValueException, parent: str) -> Violation:
    """Name the field itself where fastjsonschema names only the object that lacks it, or must not have it."""
    if error.rule == "required":
        missing = next(name for name in error.rule_definition if name not in error.value)
        return Violation(f"{parent}.{missing} is missing. It is required.", f"{parent}.{missing}")
    if error.rule == "additionalProperties":
        known = error.definition.get("properties", {})
        extra = next((name for name in error.value if name not in known), "")[:100]
        fields = ", ".join(sorted(known)) or "none"
        message = f"{parent}.{extra} is not a field of this job type. Its fields are: {fields}."
        return Violation(message, f"{parent}.{extra}")
    if error.rule == "anyOf" and all(list(one) == ["required"] for one in error.rule_definition):
        needed = [" and ".join(one["required"]) for one in error.rule_definition]
        message = f"{parent} must have at least one of these: {', '.join(needed)}."
        return Violation(message, f"{parent}.{error.rule_definition[0]['required'][0]}")
    if error.rule == "enum":
        # The error's own message has the values in Python's notation.
        return Violation(f"{error.name} must be one of {shown(error.rule_definition)}.", parent)
    return Violation(f"{error.message}.", parent)
