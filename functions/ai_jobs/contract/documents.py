"""What a JSON document may contain, and how one is written: the only home of both rules.

Half a surrogate pair (`"\\ud83c"`, which is what remains when JavaScript cuts an emoji in two) passes through JSON but
not through UTF-8, and therefore not through SQS, EventBridge, or a terminal. Input that contains one is rejected; in
what the service writes, U+FFFD replaces it.
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
"""Levels of nesting in a document that is stored in a row: DynamoDB allows 32, including the row's own."""

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-data-types-number
_STORED_DIGITS = 38
_STORED_EXPONENTS = range(-130, 126)

# Python does not write integers of more than 4,300 digits.
_MOST_BITS = 14_000

# More than any JSON text that Python can read.
_MOST_LEVELS = 20_000

_LONGEST_STEP = 100

_NO_NUMBER = "is NaN, infinite, or too large, which can't be written as JSON. Send a finite number."

_HALF = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Fault:
    """Something that a document must not contain.

    Attributes:
        place: where it is, as a dotted path.
        problem: what it is, and the rule; it continues the sentence that the place begins.
    """

    place: str
    problem: str

    def __str__(self) -> str:
        return f"{self.place} {self.problem}"


def whole(text: str) -> str:
    """The text with U+FFFD in place of each half of a surrogate pair; two halves that form a pair are joined."""
    if not _HALF.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def whole_document(document: Any) -> Any:
    """The document with every key and every string made `whole`."""
    text = json.dumps(document, ensure_ascii=False)
    return json.loads(whole(text)) if _HALF.search(text) else document


def to_json(document: Any) -> str:
    """The document's JSON, made fit for UTF-8; characters beyond ASCII stay as they are."""
    return whole(json.dumps(document, ensure_ascii=False))


def to_strict_json(document: Any) -> str | None:
    """The document's JSON, unchanged; None if JSON in UTF-8 can't express the document (`fault_in` says why).

    Raises:
        RecursionError: when it is nested too deeply.
    """
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError):
        return None
    return text


def from_json(text: str) -> Any:
    """Read a JSON text. A byte order mark, NaN, or a number beyond all bounds does not make it unreadable.

    Such numbers become infinite floats; `fault_in` says where they are.

    Raises:
        ValueError: when it is not JSON.
        RecursionError: when it is nested too deeply.
    """
    text = text.removeprefix("\ufeff")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer with more digits than Python converts
        return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def fault_in(document: Any, place: str) -> Fault:
    """The first thing in a document that keeps it from being written (`to_strict_json`)."""
    for part in _parts(document, place):
        if part.depth > _MOST_LEVELS:
            break
        if fault := _text_fault(part) or _value_fault(part):
            return fault
    return Fault(place, "contains itself, which can't be written as JSON. Remove the reference.")


def fault_for_table(document: Any, place: str) -> Fault | None:
    """The first thing that the jobs table can't store: a number beyond its bounds, an empty key, or too many levels.

    Half a surrogate pair is not a fault here: it is replaced when the document is written.
    """
    for part in _parts(document, place):
        if part.depth > MAX_STORED_DEPTH:
            return part.fault(f"is nested too deeply. The table stores at most {MAX_STORED_DEPTH} levels. Flatten it.")
        if fault := _value_fault(part) or _number_fault(part) or _key_fault(part):
            return fault
    return None


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a document. `step` leads to it from its parent, so that a path is built only where one is needed."""

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
    """The document and everything in it, in order; without recursion, whose depth Python limits."""
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
        rule = f"has the key {odd!r:.100}, which can't be written as JSON. Keys must be strings."
        return part.fault(rule) if odd is not None else None
    if isinstance(value, int):
        return part.fault(_NO_NUMBER) if value.bit_length() > _MOST_BITS else None
    if isinstance(value, float):
        return None if math.isfinite(value) else part.fault(_NO_NUMBER)
    if value is None or isinstance(value, (str, list, tuple)):
        return None
    return part.fault(f"is a Python {type(value).__name__}, which can't be written as JSON. Convert it first.")


def _half_problem(half: str) -> str:
    found = f"contains half a surrogate pair ({json.dumps(half)}), as happens when an emoji is cut in two"
    return f"{found}. Text must be valid Unicode. Send whole characters."


def _key_fault(part: _Part) -> Fault | None:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
    if isinstance(part.value, dict) and "" in part.value:
        return part.fault("has an empty key, which the table can't store. Keys must have at least one character.")
    return None


def _number_fault(part: _Part) -> Fault | None:
    if isinstance(part.value, bool) or not isinstance(part.value, (int, float)):
        return None
    # As the JSON encoder writes it: a subclass, such as numpy's, may have a repr of its own.
    number = Decimal(float.__repr__(part.value)) if isinstance(part.value, float) else Decimal(part.value)
    if not number or (number.adjusted() in _STORED_EXPONENTS and len(number.as_tuple().digits) <= _STORED_DIGITS):
        return None
    rule = f"A number must be 0 or have a magnitude of 1E-130 to 9.99E+125, with at most {_STORED_DIGITS} digits"
    return part.fault(f"is {number:.3e}, which the table can't store. {rule}. Send it as a string instead.")
