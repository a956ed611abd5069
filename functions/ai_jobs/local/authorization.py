"""Which permission a call needs on AWS, where MiniStack asks for another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

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


def as_on_aws(extract: Callable[..., str | None]) -> Callable[..., str | None]:
    """MiniStack's function that finds the action of a request, with the names that policies on AWS use."""

    def action_of(*request: object) -> str | None:
        action = extract(*request)
        return PERMISSIONS.get(action, action) if action else action

    return action_of
