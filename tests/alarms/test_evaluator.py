"""The evaluator itself, by examples of CloudWatch's documentation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.alarms.evaluator import ALARM, INSUFFICIENT, OK, Alarm, Metrics, _Expression


def an_alarm(**changes: Any) -> Alarm:
    definition = {
        "alarm_name": "a",
        "namespace": "N",
        "metric_name": "M",
        "dimensions": {},
        "statistic": "Maximum",
        "extended_statistic": None,
        "period": 60,
        "evaluation_periods": 3,
        "datapoints_to_alarm": 2,
        "comparison_operator": "GreaterThanThreshold",
        "threshold": 0,
        "treat_missing_data": "missing",
    }
    return Alarm(definition | changes)


@pytest.mark.parametrize(
    ("points", "treat", "expected"),
    [
        ("1 1 0", "missing", ALARM),
        ("1 0 0", "missing", OK),
        ("- - -", "missing", INSUFFICIENT),
        ("- - -", "breaching", ALARM),
        ("- - -", "notBreaching", OK),
        ("- 1 1", "notBreaching", ALARM),
        ("- - 1", "notBreaching", OK),
        ("- - 1", "breaching", ALARM),
    ],
)
def test_m_of_n_and_missing_data(points: str, treat: str, expected: str):
    metrics = Metrics()
    for minute, point in enumerate(points.split()):
        if point != "-":
            metrics.add("N", "M", {}, minute, float(point))
    assert an_alarm(treat_missing_data=treat).step(metrics, 3) == expected


def test_ignored_missing_data_keeps_the_state():
    alarm = an_alarm(treat_missing_data="ignore")
    alarm.state = ALARM
    assert alarm.step(Metrics(), 3) == ALARM


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a + b * 2", 7.0),
        ("IF(a > 2, 10, 20)", 20.0),
        ("IF(FILL(c, 0) >= 1, a / FILL(c, 1), 5)", 5.0),
        ("a + c", None),
        ("a / z", None),
        ("DIFF(a)", 1.0),
        ("DIFF(FILL(c, 0) + a)", 1.0),
        ("FILL(c, REPEAT)", None),
        ("FILL(g, REPEAT)", 6.0),
        ("DIFF(FILL(g, REPEAT))", 0.0),
    ],
)
def test_metric_math(text: str, value: float | None):
    # a grows by one a period; c was never written; g has a gap
    series = {"a": [1.0, 0.0], "b": [3.0, 3.0], "c": [], "g": [None, None, 6.0], "z": [0.0, 0.0]}

    def point(name: str, back: int) -> float | None:
        return series[name][back] if back < len(series[name]) else None

    assert _Expression(text, point).at(0) == value


def test_statistics_over_a_period():
    metrics = Metrics()
    for minute in range(5):
        metrics.add("N", "M", {}, minute, minute)
    key = ("N", "M", frozenset[tuple[str, str]]())
    assert [metrics.point(key, statistic, 5, 5) for statistic in ("Sum", "Maximum", "Minimum", "p99")] == [10, 4, 0, 4]
    assert metrics.point(key, "Sum", 100, 5) is None
