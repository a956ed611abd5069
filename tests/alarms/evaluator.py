"""A small CloudWatch: metrics by the minute, metric math, and the states that alarms take over time.

It knows what the alarms of this project use, and no more. Where CloudWatch looks at more data points than it needs, to
get around missing ones, this looks at exactly the newest `evaluation_periods`
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html).
"""

from __future__ import annotations

import ast
import functools
import math
import operator
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"

Value = float | None
"""A data point; None where there is none."""

Key = tuple[str, str, frozenset[tuple[str, str]]]


def key_of(namespace: str, name: str, dimensions: Mapping[str, str]) -> Key:
    return namespace, name, frozenset(dimensions.items())


class Metrics:
    """Samples by metric and minute; several in one minute are kept apart, as CloudWatch keeps their distribution."""

    def __init__(self) -> None:
        self._samples: dict[Key, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(self, namespace: str, name: str, dimensions: Mapping[str, str], minute: int, value: float) -> None:
        self._samples[key_of(namespace, name, dimensions)][minute].append(value)

    def point(self, key: Key, statistic: str, end: int, minutes: int) -> Value:
        """The statistic over the `minutes` before minute `end`."""
        found = self._samples.get(key, {})
        samples = [value for minute in range(end - minutes, end) for value in found.get(minute, [])]
        return _STATISTICS[statistic](samples) if samples else None


def _p99(samples: list[float]) -> float:
    return sorted(samples)[min(len(samples) - 1, math.ceil(len(samples) * 0.99) - 1)]


_STATISTICS: dict[str, Callable[[list[float]], float]] = {"Sum": sum, "Maximum": max, "Minimum": min, "p99": _p99}

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
}


def _divided(left: float, right: float) -> Value:
    return left / right if right else None  # CloudWatch drops such a point


_OPERATORS: dict[type[ast.AST], Callable[[float, float], Value]] = {
    ast.Add: operator.add,
    ast.Mult: operator.mul,
    ast.Div: _divided,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


# Periods that an alarm fetches beyond those that it judges: REPEAT can't see further.
_LOOK_BACK = 10


@functools.cache
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


class _Expression:
    """Metric math at one moment. What is used of it here is written as in Python, so Python can parse it."""

    def __init__(self, text: str, point: Callable[[str, int], Value]) -> None:
        self._tree = _parsed(text)
        self._point = functools.cache(point)

    def at(self, back: int) -> Value:
        """The value `back` periods before the newest."""
        return self._value(self._tree, back)

    def _value(self, node: ast.AST, back: int) -> Value:
        match node:
            case ast.Constant(value=value):
                return float(value)
            case ast.Name(id=name):
                return self._point(name, back)
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
                sides = self._value(left, back), self._value(right, back)
                # An operand that is missing makes the whole missing: what the alarms must not rely on.
                return None if None in sides else _OPERATORS[type(op)](*sides)
            case ast.Call(func=ast.Name(id="FILL"), args=[series, ast.Name(id="REPEAT")]):
                points = (self._value(series, back + further) for further in range(_LOOK_BACK))
                return next((point for point in points if point is not None), None)
            case ast.Call(func=ast.Name(id="FILL"), args=[series, ast.Constant(value=filler)]):
                found = self._value(series, back)
                return float(filler) if found is None else found
            case ast.Call(func=ast.Name(id="DIFF"), args=[series]):
                now, before = self._value(series, back), self._value(series, back + 1)
                return None if now is None or before is None else now - before
            case ast.Call(func=ast.Name(id="IF"), args=[condition, then, otherwise]):
                held = self._value(condition, back)
                return None if held is None else self._value(then if held else otherwise, back)
        raise AssertionError(f"the evaluator does not know {ast.dump(node)}")


@dataclass
class Alarm:
    """A metric alarm of the plan, and the state that it is in."""

    definition: Mapping[str, Any]
    state: str = INSUFFICIENT

    @property
    def name(self) -> str:
        return str(self.definition["alarm_name"])

    def step(self, metrics: Metrics, minute: int) -> str:
        """The state at this minute; CloudWatch looks at the newest periods once a minute."""
        definition = self.definition
        value_at = self._metric(metrics, minute)
        values = [value_at(back) for back in range(definition["evaluation_periods"])]
        breaches = _COMPARISONS[definition["comparison_operator"]]
        missing = definition["treat_missing_data"]
        bad = sum(
            missing == "breaching" if value is None else breaches(value, definition["threshold"]) for value in values
        )
        if bad >= (definition["datapoints_to_alarm"] or definition["evaluation_periods"]):
            self.state = ALARM
        elif all(value is None for value in values) and missing in ("missing", "ignore"):
            self.state = INSUFFICIENT if missing == "missing" else self.state
        else:
            self.state = OK
        return self.state

    def _metric(self, metrics: Metrics, minute: int) -> Callable[[int], Value]:
        """What the alarm judges, by how many periods before the newest."""
        definition = self.definition
        if definition["metric_name"]:
            statistic = definition["statistic"] or definition["extended_statistic"]
            key = key_of(definition["namespace"], definition["metric_name"], definition["dimensions"])
            minutes = definition["period"] // 60
            return lambda back: metrics.point(key, statistic, minute - back * minutes, minutes)
        queries = {query["id"]: query for query in definition["metric_query"]}
        (result,) = (query for query in queries.values() if query["return_data"])

        def point(name: str, back: int) -> Value:
            (metric,) = queries[name]["metric"]
            minutes = metric["period"] // 60
            key = key_of(metric["namespace"], metric["metric_name"], metric["dimensions"])
            return metrics.point(key, metric["stat"], minute - back * minutes, minutes)

        return _Expression(result["expression"], point).at


@dataclass
class Composite:
    """A composite alarm; its rule is of `ALARM("...")`, AND, OR, NOT and brackets."""

    definition: Mapping[str, Any]
    state: str = INSUFFICIENT

    @property
    def children(self) -> list[str]:
        return re.findall(r'ALARM\("([^"]+)"\)', self.definition["alarm_rule"])

    def step(self, states: Mapping[str, str]) -> str:
        rule = self.definition["alarm_rule"]
        for word in ("AND", "OR", "NOT"):
            rule = re.sub(rf"\b{word}\b", word.lower(), rule)
        self.state = ALARM if _holds(ast.parse(rule, mode="eval").body, states) else OK
        return self.state


def _holds(node: ast.AST, states: Mapping[str, str]) -> bool:
    match node:
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(_holds(part, states) for part in parts)
        case ast.BoolOp(op=ast.Or(), values=parts):
            return any(_holds(part, states) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=part):
            return not _holds(part, states)
        case ast.Call(func=ast.Name(id="ALARM"), args=[ast.Constant(value=name)]):
            return states[name] == ALARM
    raise AssertionError(f"the evaluator does not know {ast.dump(node)}")
