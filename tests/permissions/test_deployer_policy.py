"""docs/deployer-policy.json is enough to apply, plan, and destroy an environment, and no plan succeeds with less."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from scripts.deployer_policy import POLICY
from scripts.project import LOCAL_ENVIRONMENT, TERRAFORM

VALUES = {
    "partition": "aws",
    "region": "us-east-1",
    "account_id": "000000000000",
    "name": "deployed",
    "environment": "local",
    "role_path": "/",
    "packages_bucket": "no-bucket",
}
USER = "deployer"

# Of these calls, the local AWS does not see the resource or the condition key: it evaluates them as if for "*".
BLIND = [
    "appconfig:DeleteDeploymentStrategy",
    "appconfig:ListTagsForResource",
    "appconfig:TagResource",
    "cloudwatch:DeleteAlarms",
    "cloudwatch:DeleteDashboards",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetDashboard",
    "cloudwatch:ListTagsForResource",
    "cloudwatch:PutDashboard",
    "dynamodb:ListTagsOfResource",
    "dynamodb:TagResource",
    "lambda:CreateEventSourceMapping",
    "lambda:CreateFunction",
    "lambda:ListAliases",  # which it asks for in place of GetAlias
    "lambda:ListEventSourceMappings",  # and this in place of GetEventSourceMapping
    "sns:ListTagsForResource",
    "sns:TagResource",
    "sns:Unsubscribe",
]
EMULATOR = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": BLIND, "Resource": ["*"]}]}

# Of each service, an action without which its resources can't be read: a plan shows that it is missing.
READS = [
    "apigateway:GET",
    "appconfig:GetApplication",
    "dynamodb:DescribeTable",
    "iam:GetRole",
    "lambda:GetFunction",
    "logs:DescribeLogGroups",
    "s3:GetBucketTagging",
    "scheduler:GetSchedule",
    "sns:GetTopicAttributes",
    "sqs:GetQueueAttributes",
]


@dataclass(frozen=True)
class Deployer:
    """A user with the deployer's policies, who runs Terraform in environments/local with a state of their own."""

    folder: Path
    environment: dict[str, str]

    def may(self, policies: dict[str, Any]) -> None:
        for name, document in (policies | {"emulator": EMULATOR}).items():
            boto3.client("iam").put_user_policy(UserName=USER, PolicyName=name, PolicyDocument=json.dumps(document))

    def terraform(self, command: str, *options: str) -> str | None:
        """What Terraform complains about; None if it succeeds."""
        given = [] if command == "init" else [f"-state={self.folder}/state", "-var=name=deployed", *options]
        run = [str(TERRAFORM), f"-chdir={LOCAL_ENVIRONMENT}", command, "-input=false", "-no-color", *given]
        done = subprocess.run(run, env=self.environment, capture_output=True, text=True, check=False)
        return done.stderr if done.returncode else None


def filled() -> dict[str, Any]:
    text = re.sub(r"\$\{(\w+)\}", lambda found: VALUES[found[1]], POLICY.read_text("utf-8"))
    document: dict[str, Any] = json.loads(text)
    return document


def without(action: str) -> dict[str, Any]:
    policies = filled()
    for statement in (one for policy in policies.values() for one in policy["Statement"]):
        statement["Action"] = [given for given in statement["Action"] if given != action] or ["sts:GetCallerIdentity"]
    return policies


@pytest.fixture(scope="module")
def deployer(tmp_path_factory: pytest.TempPathFactory) -> Deployer:
    folder = tmp_path_factory.mktemp("deployer")
    iam = boto3.client("iam")
    iam.create_user(UserName=USER)
    key = iam.create_access_key(UserName=USER)["AccessKey"]
    credentials = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    deployer = Deployer(folder, dict(os.environ) | credentials | {"TF_DATA_DIR": str(folder / "data")})
    assert deployer.terraform("init") is None
    return deployer


def test_the_policy_is_enough_and_no_plan_succeeds_with_less(deployer: Deployer) -> None:  # R-P8
    deployer.may(filled())
    complaint = deployer.terraform("apply", "-auto-approve")
    assert complaint is None, complaint
    unnoticed = []
    for action in READS:
        deployer.may(without(action))
        complaint = deployer.terraform("plan", "-lock=false")
        print(f"{action}: {'a plan fails' if complaint else 'NOTHING shows'}")
        if complaint is None or "not authorized to perform" not in complaint:
            unnoticed.append(action)
    deployer.may(filled())
    assert not unnoticed
    complaint = deployer.terraform("destroy", "-auto-approve")
    assert complaint is None, complaint
