"""Alarms as they were put. Of a composite alarm, and in the Query protocol of any, MiniStack describes hardly anything;
of metric math, it keeps nothing.

Without this, every plan would change every alarm, right after the apply that created it.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Callable

_KINDS = ("MetricAlarms", "CompositeAlarms")

# What MiniStack knows better than the request.
_STATE = ("AlarmName", "AlarmArn", "StateValue", "StateReason", "ActionsEnabled")
_TIMESTAMPS = ("StateUpdatedTimestamp", "AlarmConfigurationUpdatedTimestamp", "StateTransitionedTimestamp")

# What is in a request, and not in a description.
_OF_REQUESTS = {"Action", "Version", "Tags"}

# In the Query protocol, everything is text.
_TYPES: dict[str, Callable[[str], Any]] = {
    "ActionsEnabled": "true".__eq__,
    "ReturnData": "true".__eq__,
    "DatapointsToAlarm": int,
    "EvaluationPeriods": int,
    "Period": int,
    "Threshold": float,
}


def install(cloudwatch: Any) -> None:
    """Make MiniStack's module describe alarms completely, in each of its protocols."""
    requested: dict[str, dict[str, Any]] = {}
    for name in ("_put_metric_alarm", "_put_composite_alarm"):
        setattr(cloudwatch, name, _remembering(getattr(cloudwatch, name), requested))
    describe = cloudwatch._describe_alarms

    def describe_alarms(params: Any, data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        status, _, body = describe({}, data if is_cbor or is_json else from_query(params), False, True)
        if status != 200:
            return describe(params, data, is_cbor, is_json)
        found = json.loads(body)
        for kind in _KINDS:
            found[kind] = [_described(alarm, requested.get(alarm["AlarmName"], {})) for alarm in found[kind]]
        return _encoded(cloudwatch, found, is_cbor, is_json)

    cloudwatch._describe_alarms = describe_alarms


def _remembering(put_alarm: Callable[..., Any], requested: dict[str, dict[str, Any]]) -> Callable[..., Any]:
    def put_and_remember(params: Any, data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        response = put_alarm(params, data, is_cbor, is_json)
        fields = data if is_cbor or is_json else from_query(params)
        if response[0] == 200:
            kept = {name: value for name, value in fields.items() if name not in _OF_REQUESTS}
            requested[fields["AlarmName"]] = kept
        return response

    return put_and_remember


def _described(alarm: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    return (request or alarm) | {name: alarm[name] for name in (*_STATE, *_TIMESTAMPS) if name in alarm}


def _encoded(cloudwatch: Any, found: dict[str, Any], is_cbor: bool, is_json: bool) -> Any:
    if is_cbor:
        return cloudwatch._cbor_ok(
            found | {kind: [cloudwatch._cbor_alarm(alarm) for alarm in found[kind]] for kind in _KINDS}
        )
    if is_json:
        return cloudwatch._json_ok(found)
    for kind in _KINDS:
        for alarm in found[kind]:
            for name in _TIMESTAMPS:
                alarm.pop(name, None)  # in this protocol, they would be written in another way
    return cloudwatch._xml(200, "DescribeAlarmsResponse", to_xml("DescribeAlarmsResult", found))


def from_query(params: dict[str, Any]) -> dict[str, Any]:
    """The fields of a request in the Query protocol: {"A.member.1.B": ["x"]} is {"A": [{"B": "x"}]}.

    https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
    """
    tree: dict[str, Any] = {}
    for path, values in params.items():
        *parents, last = path.split(".")
        branch = tree
        for part in parents:
            branch = branch.setdefault(part, {})
        branch[last] = values[0] if isinstance(values, list) else values
    return {name: _typed(name, branch) for name, branch in tree.items()}


def _typed(name: str, tree: Any) -> Any:
    if not isinstance(tree, dict):
        return _TYPES.get(name, str)(tree)
    if tree.keys() == {"member"}:
        return [_typed(name, tree["member"][number]) for number in sorted(tree["member"], key=int)]
    return {part: _typed(part, branch) for part, branch in tree.items()}


def to_xml(name: str, value: Any) -> str:
    """A value as an element of a response in the Query protocol."""
    if isinstance(value, dict):
        content = "".join(to_xml(field, part) for field, part in value.items())
    elif isinstance(value, list):
        content = "".join(to_xml("member", part) for part in value)
    else:
        content = escape(str(value).lower() if isinstance(value, bool) else str(value))
    return "" if value is None else f"<{name}>{content}</{name}>"
