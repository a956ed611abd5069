"""The examples. Which plans they are: plans/examples.tftest.hcl. tests/examples applies some of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.plans import FUNCTIONS, MANIFEST, ROOT, Plan, statements

ACCOUNT = "eu-west-1:123456789012"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
BUILTIN = {"blog-post", "listing-description", "market-update", "social-media"}


@pytest.fixture
def complete(plans: dict[str, Plan]) -> Plan:
    return plans["complete"]


@pytest.fixture
def inside(complete: Plan) -> Plan:
    return complete.inside("ai_jobs")


@pytest.fixture
def key_policy(complete: Plan) -> dict[str, dict[str, Any]]:
    """The statements of the key's policy by their id."""
    return {one["Sid"]: one for one in statements(complete["aws_kms_key.ai_jobs"]["policy"])}


def names(plan: Plan, kind: str, attribute: str = "name") -> list[str]:
    return [str(resource[attribute]) for resource in plan.of_type(kind)]


def test_the_minimal_example_is_the_whole_service(plans: dict[str, Plan]) -> None:  # R-P6
    plan = plans["minimal"].inside("ai_jobs")
    assert {f"module.{module}.aws_lambda_function.this" for module in FUNCTIONS.values()} <= plan.resources.keys()
    assert plan.job_types().keys() == BUILTIN


def test_the_complete_example_is_planned_before_its_key_and_network_exist(plans: dict[str, Plan]) -> None:  # R-P6
    """Nothing may depend on the value of an ARN or an id that only the apply knows."""
    first, later = plans["complete_in_a_new_account"], plans["complete"]
    assert first.resources.keys() == later.resources.keys()


def test_the_key_lets_cloudwatch_logs_encrypt_every_log_group(key_policy: dict[str, Any], inside: Plan) -> None:
    statement = key_policy["Logs"]
    assert statement["Principal"] == {"Service": "logs.eu-west-1.amazonaws.com"}
    pattern = statement["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    arns = [f"arn:aws:logs:{ACCOUNT}:log-group:{name}" for name in names(inside, "aws_cloudwatch_log_group")]
    assert len(arns) >= len(FUNCTIONS)
    assert [arn for arn in arns if not fnmatchcase(arn, pattern)] == []


def test_the_key_lets_every_alarm_publish_to_its_topic(key_policy: dict[str, Any], inside: Plan) -> None:
    topics = inside.of_type("aws_sns_topic")
    assert {topic["kms_master_key_id"] for topic in topics} == {KEY}
    statement = key_policy["Alarms"]
    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert set(statement["Action"]) == {"kms:GenerateDataKey*", "kms:Decrypt"}
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
    pattern = statement["Condition"]["ArnLike"]["aws:SourceArn"]
    alarms = names(inside, "aws_cloudwatch_metric_alarm", "alarm_name")
    alarms += names(inside, "aws_cloudwatch_composite_alarm", "alarm_name")
    assert [name for name in alarms if not fnmatchcase(f"arn:aws:cloudwatch:{ACCOUNT}:alarm:{name}", pattern)] == []


def test_the_key_lets_eventbridge_keep_events_on_the_bus(key_policy: dict[str, Any], complete: Plan) -> None:
    bus = complete["aws_cloudwatch_event_bus.platform"]
    assert bus["kms_key_identifier"] == KEY
    statement, find = key_policy["EventBus"], key_policy["EventBusFindsKey"]
    assert statement["Principal"] == find["Principal"] == {"Service": "events.amazonaws.com"}
    assert (set(statement["Action"]), find["Action"]) == ({"kms:GenerateDataKey", "kms:Decrypt"}, "kms:DescribeKey")
    assert statement["Condition"] == {
        "StringEquals": {
            "kms:EncryptionContext:aws:events:event-bus:arn": f"arn:aws:events:{ACCOUNT}:event-bus/{bus['name']}"
        }
    }


def test_failed_jobs_and_alarms_reach_the_encrypted_queue(key_policy: dict[str, Any], complete: Plan) -> None:
    queue = complete["aws_sqs_queue.notices"]
    arn = f"arn:aws:sqs:{ACCOUNT}:{queue['name']}"
    assert queue["kms_master_key_id"] == KEY
    statement = key_policy["SendToNotices"]
    assert set(statement["Principal"]["Service"]) == {"events.amazonaws.com", "sns.amazonaws.com"}
    # AWS does not support aws:SourceArn or aws:SourceAccount here for everything that EventBridge delivers.
    assert statement["Condition"] == {"StringEquals": {"kms:EncryptionContext:aws:sqs:arn": arn}}
    allowed = {one["Principal"]["Service"]: one for one in statements(queue["policy"]) if one["Effect"] == "Allow"}
    rule = complete["aws_cloudwatch_event_rule.failed_jobs"]
    assert allowed["events.amazonaws.com"]["Condition"]["ArnEquals"]["aws:SourceArn"].endswith(
        ":rule/acme-platform/failed"
    )
    assert json.loads(rule["event_pattern"])["resources"] == ["arn:aws:dynamodb:eu-west-1:123456789012:table/one"]
    topic = complete["aws_sns_topic_subscription.notices"]["topic_arn"]
    assert allowed["sns.amazonaws.com"]["Condition"]["ArnEquals"]["aws:SourceArn"] == topic
    assert {one["Resource"] for one in statements(queue["policy"])} == {arn}


def test_the_account_can_still_administer_the_key(key_policy: dict[str, Any]) -> None:
    assert key_policy["IamPolicies"]["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}


def documented_endpoints() -> Iterator[tuple[str, str]]:
    """Each endpoint that docs/how-it-works.md lists, with its kind."""
    text = (ROOT / "docs/how-it-works.md").read_text("utf-8").partition("## In a VPC")[2].partition("\n## ")[0]
    yield from re.findall(r"^\| `([a-z0-9-]+)` \| (gateway|interface) \|", text, re.MULTILINE)


def test_the_network_has_the_endpoints_that_the_docs_list(complete: Plan) -> None:
    planned = {
        (endpoint["service_name"].removeprefix("com.amazonaws.eu-west-1."), endpoint["vpc_endpoint_type"].lower())
        for endpoint in complete.of_type("aws_vpc_endpoint")
    }
    assert planned == set(documented_endpoints())
    interfaces = [one for one in complete.of_type("aws_vpc_endpoint") if one["vpc_endpoint_type"] == "Interface"]
    assert all(endpoint["private_dns_enabled"] for endpoint in interfaces)


def test_the_functions_reach_the_endpoints_and_nothing_else(complete: Plan, inside: Plan) -> None:
    rules = complete.of_type("aws_vpc_security_group_egress_rule")
    assert {(rule["ip_protocol"], rule["from_port"], rule["to_port"]) for rule in rules} == {("tcp", 443, 443)}
    assert not any(rule.get("cidr_ipv4") or rule.get("cidr_ipv6") for rule in rules)
    assert not complete.of_type("aws_internet_gateway") + complete.of_type("aws_nat_gateway")
    for module in FUNCTIONS.values():
        (network,) = inside[f"module.{module}.aws_lambda_function.this"]["vpc_config"]
        assert (network["subnet_ids"], network["security_group_ids"]) == (["subnet-0a1b"], ["sg-0a1b"])


def test_the_complete_example_is_wired_to_its_clients(complete: Plan) -> None:  # R-P3
    assert set(complete.outputs["ai_jobs"]["job_types"]) == BUILTIN | {"offer-data", "review-summary"}
    assert statements(complete["aws_iam_policy.use_ai_jobs"]["policy"])[0]["Resource"] == [
        "arn:aws:execute-api:::api1/v1/PUT/jobs/*",
        "arn:aws:execute-api:::api1/v1/GET/jobs/*",
        "arn:aws:execute-api:::api1/v1/GET/jobs",
        "arn:aws:execute-api:::api1/v1/DELETE/jobs/*",
        "arn:aws:execute-api:::api1/v1/POST/uploads",
    ]
    assert complete["aws_route53_record.api"]["name"] == "jobs.example.com"
    assert complete.outputs["ai_jobs"]["api_url"] == "https://jobs.example.com"


def test_the_example_of_a_handler_gives_its_layer_to_the_processor(plans: dict[str, Plan]) -> None:  # R-A5
    plan = plans["custom_handler"]
    inside = plan.inside("ai_jobs")
    assert inside["module.processor.aws_lambda_function.this"]["layers"] == [
        "arn:aws:lambda:eu-west-1:123456789012:layer:acme-jobs:1"
    ]
    assert not inside["module.jobs_api.aws_lambda_function.this"]["layers"], "nothing else runs the code"
    assert "inspection-report" in plan.outputs["ai_jobs"]["job_types"]


@pytest.mark.parametrize("environment", ["development", "staging", "production"])
def test_an_environment_of_the_repository_runs_the_zips_of_its_manifest(
    plans: dict[str, Plan], environment: str
) -> None:  # R-P3 R-P5 R-P6
    plan = plans[f"platform_{environment}"].inside("ai_jobs")
    for name, module in FUNCTIONS.items():
        function, zip_file = plan[f"module.{module}.aws_lambda_function.this"], MANIFEST["functions"][name]
        assert (function["s3_bucket"], function["s3_key"]) == ("acme-artifacts", f"ai-jobs/{zip_file['key']}")
        assert function["source_code_hash"] == zip_file["base64sha256"]
        assert function["function_name"].endswith(f"-{environment}")
    assert plan.job_types().keys() == {path.stem for path in ROOT.glob("examples/platform-repo/job-types/*.yaml")}


def test_production_of_the_repository_pages_somebody(plans: dict[str, Plan]) -> None:
    plan = plans["platform_production"].inside("ai_jobs")
    assert {one["protocol"] for one in plan.of_type("aws_sns_topic_subscription")} == {"email"}
    assert plan["module.store.aws_dynamodb_table.this"]["deletion_protection_enabled"] is True
