"""Which permission a call needs on AWS, where MiniStack asks for another one."""

from __future__ import annotations

from typing import Any

# The operations on the left have no action of their own in IAM:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrock.html
PERMISSIONS = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "bedrock:Converse": "bedrock:InvokeModel",
    "bedrock:ConverseStream": "bedrock:InvokeModelWithResponseStream",
}


def install(iam_actions: Any) -> None:
    """Make MiniStack's module look for the permissions that policies on AWS grant."""
    extract = iam_actions.extract_iam_action

    def extract_iam_action(*request: Any) -> str | None:
        action: str | None = extract(*request)
        return PERMISSIONS.get(action, action) if action else action

    iam_actions.extract_iam_action = extract_iam_action
