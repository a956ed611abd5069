"""What a check reads and reports, and how a check that can't be made becomes a finding.

A check that can't be made (a permission is missing, an output is unknown, a service does not respond) becomes a warning
that says so. It never stops the other checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from ai_jobs.aws.clients import get_lambda_client
from ai_jobs.aws.errors import CALL_ERRORS, code_of, operation_of, was_refused
from ai_jobs.aws.queues import get_queue_attributes
from ai_jobs.contract.errors import AIJobsError, AWSError
from ai_jobs.contract.limits import LIVE

T = TypeVar("T")

APPLY = "run terraform apply"
"""The advice for whatever Terraform restores."""

PERMISSIONS = {
    "GetQueueAttributes": "sqs:GetQueueAttributes",
    "GetLayerVersionByArn": "lambda:GetLayerVersion",
    "GetFunctionConfiguration": "lambda:GetFunctionConfiguration",
    "GetFunctionRecursionConfig": "lambda:GetFunctionRecursionConfig",
    "ListEventSourceMappings": "lambda:ListEventSourceMappings",
    "GetAccountSettings": "lambda:GetAccountSettings",
    "GetServiceQuota": "servicequotas:GetServiceQuota",
    "GetAWSDefaultServiceQuota": "servicequotas:GetAWSDefaultServiceQuota",
    "ListServiceQuotas": "servicequotas:ListServiceQuotas",
    "DescribeRouteTables": "ec2:DescribeRouteTables",
    "DescribeVpcEndpoints": "ec2:DescribeVpcEndpoints",
    "GetStage": "apigateway:GET",
    "GetSchedule": "scheduler:GetSchedule",
    "DescribeTable": "dynamodb:DescribeTable",
    "DescribeTimeToLive": "dynamodb:DescribeTimeToLive",
    "HeadBucket": "s3:ListBucket",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "DescribeKey": "kms:DescribeKey",
    "GetKeyPolicy": "kms:GetKeyPolicy",
    "ListHostedConfigurationVersions": "appconfig:ListHostedConfigurationVersions",
    "GetHostedConfigurationVersion": "appconfig:GetHostedConfigurationVersion",
    "ListDeployments": "appconfig:ListDeployments",
    "GetFoundationModel": "bedrock:GetFoundationModel",
    "GetFoundationModelAvailability": "bedrock:GetFoundationModelAvailability",
    "GetInferenceProfile": "bedrock:GetInferenceProfile",
    "GetGuardrail": "bedrock:GetGuardrail",
    "SimulatePrincipalPolicy": "iam:SimulatePrincipalPolicy",
    "DescribeEventBus": "events:DescribeEventBus",
    "DescribeAlarms": "cloudwatch:DescribeAlarms",
    "GetTopicAttributes": "sns:GetTopicAttributes",
    "ListSubscriptionsByTopic": "sns:ListSubscriptionsByTopic",
}
"""Every call that the checks make, and the IAM action that it needs (sts:GetCallerIdentity needs none)."""

_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403"}
NOT_THERE = {
    "404",
    "AWS.SimpleQueueService.NonExistentQueue",
    "NoSuchBucket",
    "NoSuchEntity",
    "NotFound",
    "NotFoundException",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
}
"""The codes by which the services say that something does not exist."""


class State(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        check: what was checked.
        advice: what to do about it; empty if there is nothing to do.
    """

    check: str
    state: State
    found: str
    advice: str = ""


class NotCheckedError(AIJobsError):
    """A check can't be made.

    Args:
        why: what it lacks.
        advice: how to make it possible.
    """

    def __init__(self, why: str, advice: str = "") -> None:
        super().__init__(why)
        self.advice = advice


@dataclass
class Subject:
    """The environment that is checked.

    Args:
        outputs: its Terraform outputs by name.
        command: how to call `ai-jobs` for it, for advice: `ai-jobs --env production`.
        named: whether the outputs belong to an environment, as opposed to a few variables.
    """

    outputs: Mapping[str, Any]
    command: str
    named: bool
    _read: dict[str, Any] = field(default_factory=dict, init=False)

    def need(self, output: str) -> Any:
        """The output. Raises NotCheckedError if it is unknown."""
        value = self.outputs.get(output)
        if not value:
            advice = (
                f"add the module's output {output} to the environment's root, and run terraform apply"
                if self.named
                else "specify the environment with --env or --outputs"
            )
            raise NotCheckedError(f"the output {output} is not known", advice)
        return value

    def once(self, name: str, read: Callable[[], T]) -> T:
        """What `read` returns, read once for all checks.

        The first check that wants it reports why it can't be read; for the others, this raises NotCheckedError.
        """
        if name not in self._read:
            try:
                self._read[name] = read()
            except Exception as error:
                self._read[name] = error
                raise
        found = self._read[name]
        if isinstance(found, Exception):
            raise NotCheckedError(f"{name} could not be read (see that finding)")
        result: T = found
        return result

    def queue(self, name: str) -> dict[str, str]:
        """The attributes of a queue, by its name in findings: `request queue`, `request DLQ`."""
        return self.once(name, lambda: get_queue_attributes(self.need(f"{_in_outputs(name)}_url")))

    def function_name(self, name: str) -> str:
        """The name in Lambda of a function, such as `processor` or `jobs API`."""
        return str(self.need(f"{_in_outputs(name)}_function_name"))

    def function(self, name: str) -> dict[str, Any]:
        """The configuration of a function's live version."""
        return self.once(name, lambda: self._live_version(self.function_name(name)))

    def _live_version(self, function_name: str) -> dict[str, Any]:
        return dict(get_lambda_client().get_function_configuration(FunctionName=function_name, Qualifier=LIVE))

    def settings(self, name: str) -> dict[str, str]:
        """The environment variables of a function."""
        settings: dict[str, str] = self.function(name).get("Environment", {}).get("Variables", {})
        return settings


def _in_outputs(name: str) -> str:
    return name.lower().replace(" ", "_")


Check = Callable[[Subject], Iterator[Finding]]


def made(name: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """A check's findings as it makes them; whatever stops it becomes the last one."""
    try:
        yield from findings
    except NotCheckedError as error:
        yield Finding(name, State.WARNING, f"not checked: {error}", error.advice)
    except (AWSError, *CALL_ERRORS) as error:
        yield _from_error(name, error)


def _from_error(name: str, error: Exception) -> Finding:
    cause = error.__cause__ if isinstance(error, AWSError) and error.__cause__ else error
    refusal = code_of(cause) if was_refused(cause) else None
    if refusal in NOT_THERE:
        advice = "check AWS_PROFILE and the region; if it was deleted, run terraform apply to create it again"
        return Finding(name, State.FAILED, f"does not exist ({cause})", advice)
    if refusal in _DENIED:
        permission = PERMISSIONS[operation_of(cause)]
        found = f"not checked: your credentials do not allow {permission}"
        return Finding(name, State.WARNING, found, f"ask for the permission {permission}")
    return Finding(name, State.WARNING, f"not checked: {cause}", "try again; the message names what failed")
