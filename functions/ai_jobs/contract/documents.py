"""What a JSON document may hold, and how one is written: the only place for both rules.

Half a surrogate pair (`"\\ud83c"`, which JavaScript makes of an emoji that it cuts in two) passes through JSON, but not
through UTF-8, and so not through SQS, EventBridge or a terminal. What comes in is refused for it; in what is written
each half is replaced.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

MAX_STORED_DEPTH = 30
"""Levels of a document that goes into a row: DynamoDB takes 32, the row's own among them."""

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-data-types-number
_STORED_DIGITS = 38
_STORED_EXPONENTS = range(-130, 126)

# Python writes no integer of more than 4,300 digits.
_MOST_BITS = 14_000

# More than any JSON text that Python reads can have.
_MOST_LEVELS = 20_000

_LONGEST_STEP = 100

_NO_NUMBER = "is NaN, infinite or too large, which can't be written as JSON: send a finite number."

_HALF = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Fault:
    """Something that a document must not hold.

    Attributes:
        place: where it is, as a dotted path.
        problem: what it is, and the rule: the rest of a sentence that begins with the place.
    """

    place: str
    problem: str

    def __str__(self) -> str:
        return f"{self.place} {self.problem}"


def whole(text: str) -> str:
    """The text, with U+FFFD in the place of each half of a surrogate pair; halves that belong together are joined."""
    if not _HALF.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def whole_document(document: Any) -> Any:
    """The document, with `whole` texts as its keys and values."""
    text = json.dumps(document, ensure_ascii=False)
    return json.loads(whole(text)) if _HALF.search(text) else document


def to_json(document: Any) -> str:
    """The document's JSON, which UTF-8 can carry; characters beyond ASCII stay as they are."""
    return whole(json.dumps(document, ensure_ascii=False))


def from_json(text: str) -> Any:
    """What a JSON text holds. A byte order mark, NaN and numbers beyond all bounds do not make it unreadable.

    Such numbers are infinite floats then: `fault_in` says where they are.

    Raises:
        ValueError: when it is not JSON.
        RecursionError: when it is nested too deeply.
    """
    text = text.removeprefix("\ufeff")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer of more digits than Python converts
        return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def fault_in(document: Any, place: str) -> Fault | None:
    """The first thing in a document that JSON in UTF-8 can't express; None when it can be sent as it is.

    Raises:
        RecursionError: when it is nested too deeply.
    """
    try:
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError):
        for part in _parts(document, place):
            if part.depth > _MOST_LEVELS:
                break
            if fault := _text_fault(part) or _value_fault(part):
                return fault
        return Fault(place, "contains itself, which can't be written as JSON: give it an end.")
    return None


def fault_for_table(document: Any, place: str) -> Fault | None:
    """The first thing that the jobs table can't store: a number beyond its bounds, too many levels.

    Not half a surrogate pair: that is replaced when the document is written.
    """
    for part in _parts(document, place):
        if part.depth > MAX_STORED_DEPTH:
            return part.fault(f"is nested too deeply: at most {MAX_STORED_DEPTH} levels can be stored; flatten it.")
        if fault := _value_fault(part) or _number_fault(part):
            return fault
    return None


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a document; `step` leads to it from its parent, which makes a path only where one is wanted."""

    value: Any
    step: str
    parent: _Part | None = None
    depth: int = 1

    def fault(self, problem: str, step: str = "") -> Fault:
        steps, part = [step[:_LONGEST_STEP]], self
        while part:
            steps.append(part.step[:_LONGEST_STEP])
            part = part.parent  # type: ignore[assignment]  # the loop ends with None
        return Fault(".".join(name for name in reversed(steps) if name), problem)

    def parts(self) -> Iterator[_Part]:
        if isinstance(self.value, dict):
            return (_Part(value, str(name), self, self.depth + 1) for name, value in self.value.items())
        if isinstance(self.value, (list, tuple)):
            return (_Part(value, str(index), self, self.depth + 1) for index, value in enumerate(self.value))
        return iter(())


def _parts(document: Any, place: str) -> Iterator[_Part]:
    """The document and everything in it, in order. Without recursion, which has its limits."""
    whole_of_it = _Part(document, place)
    yield whole_of_it
    waiting = [whole_of_it.parts()]
    while waiting:
        part = next(waiting[-1], None)
        if part is None:
            waiting.pop()
            continue
        yield part
        waiting.append(part.parts())


def _text_fault(part: _Part) -> Fault | None:
    if isinstance(part.value, dict):
        halves = ((name, half) for name in part.value if isinstance(name, str) and (half := _HALF.search(name)))
        return next((part.fault(_half_problem(half[0]), name) for name, half in halves), None)
    half = _HALF.search(part.value) if isinstance(part.value, str) else None
    return part.fault(_half_problem(half[0])) if half else None


def _value_fault(part: _Part) -> Fault | None:
    value = part.value
    if isinstance(value, dict):
        odd = next((name for name in value if not isinstance(name, str)), None)
        rule = f"has the key {odd!r:.100}, which can't be written as JSON: keys must be text."
        return part.fault(rule) if odd is not None else None
    if isinstance(value, int):
        return part.fault(_NO_NUMBER) if value.bit_length() > _MOST_BITS else None
    if isinstance(value, float):
        return None if math.isfinite(value) else part.fault(_NO_NUMBER)
    if value is None or isinstance(value, (str, list, tuple)):
        return None
    return part.fault(f"is a Python {type(value).__name__}, which can't be written as JSON: convert it first.")


def _half_problem(half: str) -> str:
    found = f"contains half of a surrogate pair ({half!r}), as when an emoji is cut in two"
    return f"{found}: text must be valid Unicode; send whole characters."


def _number_fault(part: _Part) -> Fault | None:
    if isinstance(part.value, bool) or not isinstance(part.value, (int, float)):
        return None
    number = Decimal(repr(part.value)) if isinstance(part.value, float) else Decimal(part.value)
    if not number or (number.adjusted() in _STORED_EXPONENTS and len(number.as_tuple().digits) <= _STORED_DIGITS):
        return None
    rule = f"at most {_STORED_DIGITS} digits, and 0 or from 1E-130 to 9.99E+125 in size; send it as text instead"
    return part.fault(f"is {number:.3e}, a number that the table can't store: {rule}.")
