"""The dashboard shows only what somebody writes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ai_jobs.service import metrics
from tests.plans import Plan

NAMESPACE = "bayon-coagent-ai-jobs-test"
TYPES = ["blog-post", "listing-description", "market-update", "social-media"]

# What AWS reports, and by which dimensions:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
OF_AWS: dict[str, dict[tuple[str, ...], set[str]]] = {
    "AWS/SQS": {
        ("QueueName",): {
            "ApproximateNumberOfMessagesVisible",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateAgeOfOldestMessage",
        }
    },
    "AWS/Lambda": {
        ("FunctionName",): {
            "Invocations",
            "Errors",
            "Throttles",
            "Duration",
            "ConcurrentExecutions",
            "IteratorAge",
        },
    },
    "AWS/ApiGateway": {
        ("ApiName", "Stage"): {"Count", "4XXError", "5XXError", "Latency"},
        # Only where the method's settings ask for it: tests/terraform/api.tftest.hcl.
        ("ApiName", "Stage", "Resource", "Method"): {"Count", "4XXError", "5XXError", "Latency"},
    },
    "AWS/DynamoDB": {
        ("TableName",): {
            "ConsumedReadCapacityUnits",
            "ConsumedWriteCapacityUnits",
            "ReadThrottleEvents",
            "WriteThrottleEvents",
        },
        ("TableName", "GlobalSecondaryIndexName"): {"ReadThrottleEvents", "WriteThrottleEvents"},
    },
    NAMESPACE: {
        ("service",): set(metrics.BY_TYPE) | set(metrics.OVERALL),
        ("service", "JobType"): set(metrics.BY_TYPE),
    },
}


@pytest.fixture(scope="module")
def widgets(plan: Plan) -> list[dict[str, Any]]:
    (dashboard,) = plan.of_type("aws_cloudwatch_dashboard")
    found: list[dict[str, Any]] = json.loads(dashboard["dashboard_body"])["widgets"]
    return found


def shown(widgets: list[dict[str, Any]]) -> list[tuple[str, str, dict[str, str]]]:
    """Namespace, name and dimensions of every line of every chart but those that are computed from others."""
    lines = [line for widget in widgets for line in widget["properties"].get("metrics", [])]
    found = []
    for namespace, name, *rest in (line for line in lines if isinstance(line[0], str)):
        assert isinstance(rest[-1], dict), (name, "has no options")
        texts = rest[:-1]
        found.append((namespace, name, dict(zip(texts[::2], texts[1::2], strict=True))))
    return found


def test_every_line_is_of_a_metric_that_is_written(widgets):  # R-M5
    for namespace, name, dimensions in shown(widgets):
        assert name in OF_AWS[namespace][tuple(dimensions)], (namespace, name, dimensions)
        assert dimensions.get("service", metrics.SERVICE) == metrics.SERVICE


def test_every_alarm_looks_at_a_metric_that_is_written(plan: Plan):
    for alarm in plan.of_type("aws_cloudwatch_metric_alarm"):
        single = [alarm] if alarm["metric_name"] else []
        within = [metric for query in alarm["metric_query"] or [] for metric in query["metric"]]
        for metric in [*single, *within]:
            dimensions = metric["dimensions"]
            known = {frozenset(names): found for names, found in OF_AWS[metric["namespace"]].items()}
            assert metric["metric_name"] in known[frozenset(dimensions)], (alarm["alarm_name"], metric["metric_name"])
            assert dimensions.get("service", metrics.SERVICE) == metrics.SERVICE


def test_a_computed_line_is_computed_from_lines_of_its_chart(widgets):
    charts = [[line[-1] for line in widget["properties"].get("metrics", [])] for widget in widgets]
    computed = [(chart, options["expression"]) for chart in charts for options in chart if "expression" in options]
    assert computed
    for chart, expression in computed:
        assert set(re.findall(r"\b[a-z]\w*", expression)) <= {options.get("id") for options in chart}, expression


def test_the_first_widget_shows_the_composite_alarm_and_what_sets_it_off(plan: Plan, widgets):
    (composite,) = plan.of_type("aws_cloudwatch_composite_alarm")
    pages = re.findall(r'(?<!NOT )ALARM\("([^"]+)"\)', composite["alarm_rule"])
    arns = {alarm["alarm_name"]: alarm["arn"] for alarm in plan.of_type("aws_cloudwatch_metric_alarm")}
    assert len(set(arns.values())) == len(arns)
    shown_first = widgets[0]["properties"]["alarms"]
    assert shown_first[0] == composite["arn"]
    assert sorted(shown_first[1:]) == sorted(arns[name] for name in pages)


def test_the_last_widget_shows_every_alarm(plan: Plan, widgets):
    alarms = plan.of_type("aws_cloudwatch_composite_alarm") + plan.of_type("aws_cloudwatch_metric_alarm")
    assert sorted(widgets[-1]["properties"]["alarms"]) == sorted(alarm["arn"] for alarm in alarms)


def test_the_limits_of_the_oldest_job_are_those_of_the_alarms(plan: Plan, widgets):
    (oldest,) = (widget["properties"] for widget in widgets if widget["properties"]["title"].startswith("Oldest job"))
    limits = {limit["yAxis"]: limit["value"] for limit in oldest["annotations"]["horizontal"]}
    queues = {plan.alarm(f"{queue}-queue-age")["threshold"] for queue in ("request", "response")}
    assert queues == {limits["left"]}
    assert plan.alarm("oldest-open-job")["threshold"] == limits["right"]


def test_everything_that_the_functions_write_is_shown(widgets):
    written = {name for namespace, name, _ in shown(widgets) if namespace == NAMESPACE}
    assert written == set(metrics.BY_TYPE) | set(metrics.OVERALL)


def test_job_types_are_those_that_are_configured_and_the_rest_together(widgets):
    types = {dimensions["JobType"] for _, _, dimensions in shown(widgets) if "JobType" in dimensions}
    assert types == {*TYPES, metrics.OTHER_TYPE}


def test_the_dashboard_fits(plan: Plan, widgets):
    (dashboard,) = plan.of_type("aws_cloudwatch_dashboard")
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
    assert len(widgets) <= 500
    assert len(dashboard["dashboard_body"]) < 100_000
    assert all(len(widget["properties"].get("metrics", [])) <= 500 for widget in widgets)
