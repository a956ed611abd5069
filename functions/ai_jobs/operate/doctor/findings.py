"""How an environment is checked from the outside: findings, and checks that stand by themselves.

A check that can't be made (a permission is missing, an output is not known, a service does not answer) is a warning
that says so; it never ends the others. The checks themselves are in `ai_jobs.operate.doctor.checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from ai_jobs.aws.clients import get_lambda_client
from ai_jobs.aws.errors import code_of
from ai_jobs.aws.queues import get_queue_attributes
from ai_jobs.contract.errors import AIJobsError, AWSError

T = TypeVar("T")

PERMISSIONS = {
    "GetQueueAttributes": "sqs:GetQueueAttributes",
    "GetFunctionConfiguration": "lambda:GetFunctionConfiguration",
    "GetFunctionRecursionConfig": "lambda:GetFunctionRecursionConfig",
    "ListEventSourceMappings": "lambda:ListEventSourceMappings",
    "GetAccountSettings": "lambda:GetAccountSettings",
    "GetSchedule": "scheduler:GetSchedule",
    "DescribeTable": "dynamodb:DescribeTable",
    "DescribeTimeToLive": "dynamodb:DescribeTimeToLive",
    "HeadBucket": "s3:ListBucket",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
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
"""Every call that the checks make, and the IAM action that allows it (sts:GetCallerIdentity needs none)."""

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
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        check: what was looked at.
        advice: what to do about it; empty when there is nothing to do.
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
        command: how `ai-jobs` is called for it, for advice: `ai-jobs --env production`.
        named: whether the outputs are those of an environment, and not a few variables.
    """

    outputs: Mapping[str, Any]
    command: str
    named: bool
    _read: dict[str, Any] = field(default_factory=dict, init=False)

    def need(self, output: str) -> Any:
        """The output. Raises NotCheckedError when it is not known."""
        value = self.outputs.get(output)
        if not value:
            advice = (
                f"pass the module's output {output} on in the environment's root, and terraform apply"
                if self.named
                else "name the environment with --env or --outputs"
            )
            raise NotCheckedError(f"the output {output} is not known", advice)
        return value

    def once(self, name: str, read: Callable[[], T]) -> T:
        """What `read` returns, read once for all checks.

        What could not be read is told by the first check that wanted it; for the others this raises NotCheckedError.
        """
        if name not in self._read:
            try:
                self._read[name] = read()
            except Exception as error:
                self._read[name] = error
                raise
        found = self._read[name]
        if isinstance(found, Exception):
            raise NotCheckedError(f"{name} can't be read, see there")
        result: T = found
        return result

    def queue(self, name: str) -> dict[str, str]:
        """The attributes of a queue, by the name that findings have for it: `request queue`, `request DLQ`."""
        output = f"{name.lower().replace(' ', '_')}_url"
        return self.once(name, lambda: get_queue_attributes(self.need(output)))

    def function(self, name: str) -> dict[str, Any]:
        """The configuration of a function, such as `processor` or `jobs API`."""
        output = f"{name.lower().replace(' ', '_')}_function_name"
        return self.once(
            name,
            lambda: dict(get_lambda_client().get_function_configuration(FunctionName=self.need(output))),
        )


Check = Callable[[Subject], Iterator[Finding]]


def made(name: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """A check's findings as it makes them; what keeps it from going on, or isn't there, is one of them."""
    try:
        yield from findings
    except NotCheckedError as error:
        yield Finding(name, State.WARNING, f"not checked: {error}", error.advice)
    except (AWSError, BotoCoreError, ClientError) as error:
        yield _from_error(name, error)


def _from_error(name: str, error: AWSError | BotoCoreError | ClientError) -> Finding:
    cause = error.__cause__ if isinstance(error, AWSError) and error.__cause__ else error
    code = code_of(cause)
    if isinstance(cause, ClientError) and code in NOT_THERE:
        return Finding(
            name,
            State.FAILED,
            f"does not exist ({cause})",
            "check AWS_PROFILE and the region; if it was deleted, terraform apply creates it again",
        )
    if isinstance(cause, ClientError) and code in _DENIED:
        permission = PERMISSIONS[cause.operation_name]
        return Finding(
            name, State.WARNING, f"not checked: you may not call {permission}", f"have {permission} allowed to you"
        )
    return Finding(name, State.WARNING, f"not checked: {cause}", "try again; the message names what failed")
