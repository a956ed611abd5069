"""Every policy of the plan means something to AWS; and the checker says so of none that doesn't."""

from __future__ import annotations

import pytest

from tests.alarms.policies import faults, listed, statements
from tests.plans import Plan

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:jobs"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/jobs"
OBJECTS = "arn:aws:s3:::bucket/inputs/*"


def statement(action: str, resource: str, **conditions: dict[str, str]) -> dict[str, object]:
    return {"Effect": "Allow", "Action": [action], "Resource": [resource], "Condition": conditions}


@pytest.fixture(scope="module")
def every_policy(plans: dict[str, Plan]) -> Plan:
    return plans["every_policy"]


def test_every_action_resource_and_condition_key_of_the_plan_is_known_to_aws(every_policy: Plan):  # R-P8
    found = [f"{where}: {fault}" for where, policy in statements(every_policy) for fault in faults(policy)]
    assert not found, "\n".join(found)


def test_no_policy_of_the_plan_is_left_out(every_policy: Plan):
    """What the plan does not know yet would be no text, and checked by nobody."""
    checked = {where.partition(",")[0] for where, _ in statements(every_policy)}
    expected = {
        f"{address}.{argument}"
        for kind, argument in {
            "aws_iam_role_policy": "policy",
            "aws_iam_role": "assume_role_policy",
            "aws_sqs_queue": "policy",
            "aws_s3_bucket_policy": "policy",
            "aws_api_gateway_rest_api_policy": "policy",
        }.items()
        for address in every_policy.resources
        if f".{kind}." in address
    }
    assert checked == expected
    given = {action for _, policy in statements(every_policy) for action in listed(policy["Action"])}
    assert given >= {"kms:Decrypt", "events:PutEvents", "dynamodb:GetRecords", "bedrock:ApplyGuardrail", "s3:*"}


@pytest.mark.parametrize(
    ("policy", "fault"),
    [
        (statement("sqs:SendMessages", QUEUE), "sqs:SendMessages is not an action of AWS"),
        (statement("bedrock:Converse", "*"), "bedrock:Converse is not an action of AWS"),
        (statement("queue:SendMessage", QUEUE), "queue:SendMessage is not an action of AWS"),
        (statement("sqs:SendMessage", TABLE), f"sqs:SendMessage does not act on what {TABLE} is"),
        (statement("s3:ListBucket", OBJECTS), f"s3:ListBucket does not act on what {OBJECTS} is"),
        (statement("s3:GetObject", "arn:aws:s3:::bucket"), "s3:GetObject does not act on what arn:aws:s3:::bucket is"),
        (
            statement("dynamodb:UpdateItem", f"{TABLE}/index/by-user"),
            f"dynamodb:UpdateItem does not act on what {TABLE}/index/by-user is",
        ),
        (
            statement("dynamodb:ListStreams", f"{TABLE}/stream/*"),
            f"dynamodb:ListStreams takes no resource but *: it never matches {TABLE}/stream/*",
        ),
        (statement("sqs:SendMessage", "*"), "sqs:SendMessage takes a resource: * is more than it needs"),
        (
            statement("s3:ListBucket", "arn:aws:s3:::bucket", StringLike={"s3:prefixes": "a"}),
            "s3:ListBucket does not have the condition key s3:prefixes",
        ),
        (
            statement("sqs:*", QUEUE, Bool={"aws:SecureTransports": "false"}),
            "sqs:* does not have the condition key aws:SecureTransports",
        ),
    ],
)
def test_what_aws_does_not_know_is_found(policy: dict[str, object], fault: str):
    assert list(faults(policy)) == [fault]


@pytest.mark.parametrize(
    "policy",
    [
        statement("SQS:sendmessage", QUEUE),
        statement("xray:PutTraceSegments", "*"),
        statement("dynamodb:Query", f"{TABLE}/index/*"),
        statement("s3:*", OBJECTS, Bool={"aws:SecureTransport": "false"}),
        statement("s3:ListBucket", "arn:aws:s3:::bucket", StringLike={"s3:prefix": "inputs/*"}),
        statement("s3:GetObject", OBJECTS, StringEquals={"s3:ExistingObjectTag/kind": "input"}),
        statement("logs:PutLogEvents", "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/jobs:*"),
        statement("bedrock:InvokeModel", "arn:aws:bedrock:::foundation-model/amazon.nova-lite-v1:0"),
    ],
)
def test_what_aws_knows_is_not(policy: dict[str, object]):
    assert list(faults(policy)) == []
