"""docs/deployer-policy.json is enough to apply, plan, upgrade, and destroy an environment, and not much less is."""

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

from ai_jobs.contract.limits import LIVE
from scripts.deployer_policy import POLICY
from scripts.project import DIST, LOCAL_ENVIRONMENT, ROOT, TERRAFORM
from scripts.publish import publish

VALUES = {
    "partition": "aws",
    "region": "us-east-1",
    "account_id": "000000000000",
    "name": "deployed",
    "environment": "local",
    "role_path": "/",
    "packages_bucket": "deployed-packages",
}
USER = "deployer"
DOCS = ROOT / "docs/security.md"

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

UPGRADE = (
    f'-var=packages={{"s3": {{"bucket": "{VALUES["packages_bucket"]}", "manifest": "{DIST / "manifest.json"}"}}}}',
    '-var=reconciler={"memory_mb": 512}',
)
"""Every function takes its zip from elsewhere; one has another configuration, too, so that it gets a new version."""


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


def only_reads() -> dict[str, Any]:
    """What docs/security.md makes of the policies for a role that only plans."""
    (reads,) = re.findall(r'reads = "(.+)"', DOCS.read_text("utf-8"))
    policies = filled()
    for policy in policies.values():
        for statement in policy["Statement"]:
            statement["Action"] = [action for action in statement["Action"] if re.search(reads, action)]
        policy["Statement"] = [statement for statement in policy["Statement"] if statement["Action"]]
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
    assert not unnoticed
    check_plan_only(deployer)
    check_upgrade(deployer)
    complaint = deployer.terraform("destroy", "-auto-approve", *UPGRADE)
    assert complaint is None, complaint


def check_plan_only(deployer: Deployer) -> None:
    deployer.may(only_reads())
    complaint = deployer.terraform("plan", "-lock=false")
    assert complaint is None, complaint
    refused = deployer.terraform("apply", "-auto-approve", '-var=reconciler={"memory_mb": 1024}')
    assert "not authorized to perform" in str(refused)


def check_upgrade(deployer: Deployer) -> None:
    boto3.client("s3").create_bucket(Bucket=VALUES["packages_bucket"])
    publish(DIST, VALUES["packages_bucket"])
    # The checksum and the tags of the zips, and the version that was published, which the provider waits for.
    for action, command in (
        ("s3:GetObject", ("plan", "-lock=false")),
        ("s3:GetObjectTagging", ("plan", "-lock=false")),
        ("lambda:GetFunctionConfiguration", ("apply", "-auto-approve")),
    ):
        deployer.may(without(action))
        complaint = deployer.terraform(*command, *UPGRADE) or "nothing shows"
        # To a HEAD request, S3 gives no reason.
        assert "not authorized to perform" in complaint or "StatusCode: 403" in complaint, f"{action}: {complaint}"
    deployer.may(filled())
    complaint = deployer.terraform("apply", "-auto-approve", *UPGRADE)
    assert complaint is None, complaint
    alias = boto3.client("lambda").get_alias(FunctionName="deployed-ai-job-reconciler-local", Name=LIVE)
    assert alias["FunctionVersion"] == "2"
