"""A JSON result as an object of the caller's own class."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from ai_jobs.client.arguments import id_of
from ai_jobs.client.exceptions import InvalidArgumentError
from ai_jobs.contract.errors import AIJobsError
from ai_jobs.contract.result import JobResult

T = TypeVar("T")


class ResultShapeError(AIJobsError):
    """The result does not have the shape of the class that it was requested as.

    Attributes:
        result: the result as it is.
        field: where the first difference is, such as `json.rooms`; None if only the chained error of pydantic says it.
    """

    def __init__(self, message: str, job_id: str, result: JobResult, field: str | None = None) -> None:
        super().__init__(message, "RESULT_SHAPE", job_id)
        self.result = result
        self.field = field

    def __reduce__(self) -> tuple[type[ResultShapeError], tuple[Any, ...]]:
        return type(self), (str(self), self.job_id, self.result, self.field)


_JSON_TYPES = (str, int, bool, list, dict, type(None))


class _Mismatch(Exception):  # noqa: N818  # never leaves this module
    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place} {problem}")
        self.place = place


def check_class(into: object, job: object) -> None:
    """Raise InvalidArgumentError if a result can't be requested as this."""
    if into is None or hasattr(into, "model_validate") or (isinstance(into, type) and dataclasses.is_dataclass(into)):
        return
    raise InvalidArgumentError(f"into is {into!r:.140}. It must be a dataclass or a pydantic model.", id_of(job))


def result_into(result: JobResult, into: type[T], job_id: str) -> T:
    """The JSON of a result as an object of this class, which `check_class` has passed.

    A dataclass may have fields of these types: JSON's own, further dataclasses, and lists, optionals, unions, and
    dictionaries of all these. Names in the JSON that it does not have are ignored, as pydantic does.

    Raises:
        ResultShapeError: the result has no JSON, or the JSON does not have that shape.
    """
    validate = getattr(into, "model_validate", None)
    if result.json is None:
        message = (
            f"the result of job {job_id} is text, which does not fit {into.__name__}: its type has no output schema"
        )
        raise ResultShapeError(message, job_id, result)
    try:
        made: T = validate(result.json) if validate else _value(result.json, into, "json")
    except _Mismatch as error:
        message = f"the result of job {job_id} does not fit {into.__name__}: {error}"
        raise ResultShapeError(message, job_id, result, error.place) from None
    except InvalidArgumentError:
        raise
    except ValueError as error:  # pydantic's
        raise ResultShapeError(
            f"the result of job {job_id} does not fit {into.__name__}: {error}", job_id, result
        ) from error
    return made


def _value(value: Any, wanted: Any, place: str) -> Any:
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if dataclasses.is_dataclass(wanted):
        return _instance(value, wanted, place)
    if origin in (typing.Union, types.UnionType):
        return _first_that_fits(value, arguments, place)
    if origin is typing.Literal:
        return _checked(value, value in arguments, f"one of {arguments}", place)
    if origin is list:
        _checked(value, isinstance(value, list), "a list", place)
        return [_value(item, arguments[0], f"{place}.{index}") for index, item in enumerate(value)]
    if origin is dict:
        _checked(value, isinstance(value, dict), "an object", place)
        return {name: _value(item, arguments[1], f"{place}.{name}") for name, item in value.items()}
    if wanted is Any:
        return value
    if wanted is float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(_checked(value, is_number, "a number", place))
    if wanted not in _JSON_TYPES:
        name = getattr(wanted, "__name__", str(wanted))
        rule = "A dataclass may have str, int, float, bool, None, list, dict, and dataclasses. Or use pydantic."
        raise InvalidArgumentError(f"into has {place.removeprefix('json.')} of type {name}. {rule}")
    fits = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
    return _checked(value, fits, "null" if wanted is type(None) else f"of type {wanted.__name__}", place)


def _instance(value: Any, wanted: Any, place: str) -> Any:
    _checked(value, isinstance(value, Mapping), "an object", place)
    hints = typing.get_type_hints(wanted)
    fields = [field for field in dataclasses.fields(wanted) if field.init]
    for field in fields:
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if field.name not in value and not has_default:
            raise _Mismatch(f"{place}.{field.name}", "is missing")
    given = [field.name for field in fields if field.name in value]
    return wanted(**{name: _value(value[name], hints[name], f"{place}.{name}") for name in given})


def _first_that_fits(value: Any, choices: tuple[Any, ...], place: str) -> Any:
    problems = []
    for choice in choices:
        try:
            return _value(value, choice, place)
        except _Mismatch as error:
            problems.append(error)
    # The deepest one is that of the choice that was probably meant.
    raise max(problems, key=lambda problem: problem.place.count("."))


def _checked(value: Any, fits: bool, expected: str, place: str) -> Any:
    if not fits:
        raise _Mismatch(place, f"is {type(value).__name__}, not {expected}")
    return value
