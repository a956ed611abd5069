"""Events: which leaf of modules/ai-jobs is given what, on which bus, and what is left out when they are turned off."""

from __future__ import annotations

import json

import pytest

from tests.plans import Plan, build, statements

DEFAULT_BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
PUBLISHER = "event_publisher[0]"
FUNCTION = f"module.{PUBLISHER}.aws_lambda_function.this"
TRIGGER = f"module.{PUBLISHER}.aws_lambda_event_source_mapping.stream[0]"
FAILURES = f"module.{PUBLISHER}.aws_sqs_queue.failures[0]"
OUTPUTS = (
    "event_publisher_function_name",
    "event_publisher_role_name",
    "event_bus_arn",
    "events_dlq_url",
    "events_dlq_arn",
)


@pytest.fixture(scope="module")
def plan(plans: dict[str, Plan]) -> Plan:
    return plans["defaults"]


def test_the_publishers_function_role_and_queue(plan: Plan) -> None:
    expected = {
        "function_name": "bayon-coagent-ai-job-event-publisher-test",
        "handler": "event_publisher.handler.handler",
        "timeout": 60,
    }
    assert plan.arguments(FUNCTION, expected) == expected
    role = plan[f"module.{PUBLISHER}.aws_iam_role.this"]
    assert role["name"] == "bayon-coagent-ai-job-events-test-eu-west-1"
    assert plan[FAILURES]["name"] == "bayon-coagent-ai-job-events-dlq-test"


def test_the_publisher_is_triggered_by_the_stream_of_the_jobs_table(plan: Plan) -> None:
    assert plan[TRIGGER]["event_source_arn"] == "arn:aws:dynamodb:::jobs/stream/1"
    assert plan["module.store.aws_dynamodb_table.this"]["stream_view_type"] == "NEW_AND_OLD_IMAGES"


def test_the_filter_lets_exactly_the_rows_of_ended_jobs_through(plan: Plan) -> None:
    """A change that it does not let through is not an event, whatever the function would say."""
    (criteria,) = plan[TRIGGER]["filter_criteria"]
    assert [json.loads(one["pattern"]) for one in criteria["filter"]] == [
        {
            "eventName": ["INSERT", "MODIFY"],
            "dynamodb": {
                "NewImage": {
                    "status": {"S": ["completed", "failed", "cancelled"]},
                    "completedAt": {"S": [{"exists": True}]},
                }
            },
        }
    ]


def test_the_environment_variables_of_the_publisher(plan: Plan) -> None:
    assert plan.variables(PUBLISHER) == {
        "AI_JOB_BUILD": build("event_publisher"),
        "POWERTOOLS_SERVICE_NAME": "ai-job-event-publisher",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "AI_JOB_EVENT_BUS_ARN": DEFAULT_BUS,
        "AI_JOB_TABLE_ARN": "arn:aws:dynamodb:::jobs",
        "AI_JOB_EVENTS_INCLUDE_RESULT": "false",
        "AI_JOB_FAILURE_QUEUE_URL": "https://sqs/events-dlq",
    }


def test_the_publisher_may_do_what_it_should_and_no_more(plan: Plan) -> None:
    allowed = {sid: (one["Action"], one["Resource"]) for sid, one in plan.permissions(PUBLISHER).items()}
    assert allowed == {
        "WriteOwnLogs": (["logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:::event-publisher:*"]),
        "WriteTraces": (["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"]),
        "ReadStream": (
            ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
            ["arn:aws:dynamodb:::jobs/stream/1"],
        ),
        "FindStream": (["dynamodb:ListStreams"], ["*"]),
        "GiveUpRecords": (["sqs:SendMessage"], ["arn:aws:sqs:::events-dlq"]),
        "PublishEvents": (["events:PutEvents"], [DEFAULT_BUS]),
    }


def test_the_outputs_describe_the_events(plan: Plan) -> None:
    assert {name: plan.outputs[name] for name in OUTPUTS} == {
        "event_publisher_function_name": "bayon-coagent-ai-job-event-publisher-test",
        "event_publisher_role_name": "bayon-coagent-ai-job-events-test-eu-west-1",
        "event_bus_arn": DEFAULT_BUS,
        "events_dlq_url": "https://sqs/events-dlq",
        "events_dlq_arn": "arn:aws:sqs:::events-dlq",
    }


def test_events_that_are_not_published_are_noticed_and_shown(plan: Plan) -> None:  # R-M1
    assert plan.alarm("events-dlq-messages")["dimensions"] == {"QueueName": "bayon-coagent-ai-job-events-dlq-test"}
    delay = plan.alarm("event-publisher-delay")
    assert delay["dimensions"] == {"FunctionName": "bayon-coagent-ai-job-event-publisher-test"}
    assert plan.alarm("event-publisher-duration")["threshold"] == 54000
    for shown in ("bayon-coagent-ai-job-events-dlq-test", "IteratorAge"):
        assert shown in plan.outputs["dashboard_body"]


@pytest.fixture(scope="module")
def on_another_bus(plans: dict[str, Plan]) -> Plan:
    return plans["events_on_a_bus_of_the_callers"]


def test_events_go_to_the_given_bus_with_their_results(on_another_bus: Plan) -> None:
    bus = "arn:aws:events:eu-west-1:210987654321:event-bus/platform"
    variables = {"AI_JOB_EVENT_BUS_ARN": bus, "AI_JOB_EVENTS_INCLUDE_RESULT": "true"}
    assert on_another_bus.variables(PUBLISHER).items() >= variables.items()
    assert on_another_bus.permissions(PUBLISHER)["PublishEvents"]["Resource"] == [bus]
    assert on_another_bus.outputs["event_bus_arn"] == bus


def test_the_batches_published_at_once_reach_the_trigger(plan: Plan, on_another_bus: Plan) -> None:  # R-S1
    assert plan[TRIGGER]["parallelization_factor"] == 1
    assert on_another_bus[TRIGGER]["parallelization_factor"] == 10


def test_the_customer_key_reaches_the_publishers_queue_and_role(on_another_bus: Plan) -> None:  # R-Q6
    """The role too, because the table's stream is encrypted as the table is."""
    queue = on_another_bus[FAILURES]
    assert queue["kms_master_key_id"] == "arn:aws:kms:eu-west-1:123456789012:key/0001"
    assert statements(queue["policy"]) == []
    assert on_another_bus.permissions(PUBLISHER)["UseCustomerKey"]["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]


def test_the_delay_that_is_tolerated_reaches_its_alarm(on_another_bus: Plan) -> None:
    assert on_another_bus.alarm("event-publisher-delay")["threshold"] == 60000


def test_without_events_there_is_neither_function_nor_stream(plans: dict[str, Plan]) -> None:
    plan = plans["events_turned_off"]
    assert [address for address in plan.resources if "event_publisher" in address] == []
    assert plan["module.store.aws_dynamodb_table.this"]["stream_enabled"] is False
    assert {plan.outputs[name] for name in OUTPUTS} == {None}


def test_without_events_there_is_no_alarm_and_no_chart_of_them(plans: dict[str, Plan]) -> None:
    plan = plans["events_turned_off"]
    assert [name for name in plan.outputs["alarm_names"] if "event" in name] == []
    assert "IteratorAge" not in plan.outputs["dashboard_body"]
