"""The triggers (Lambda event source mappings): what makes a function work on a queue or a stream, and its switch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ai_jobs.aws.clients import get_lambda_client

if TYPE_CHECKING:
    from collections.abc import Mapping

ENABLED = "enabled"
PAUSED = "paused"

POLL_SECONDS = 2.0
"""How often a trigger that changes is looked at."""

# Lambda's words (https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html#lambda-GetEventSourceMapping-response-State)
# and ours; the others are on their way and keep their name.
_STATES = {"Enabled": ENABLED, "Disabled": PAUSED}


@dataclass(frozen=True)
class Trigger:
    """What makes a function work on a queue, or on the stream of the jobs table.

    Attributes:
        id: the mapping's UUID.
        state: `enabled`, `paused`, or what it is on the way from or to: `creating`, `enabling`, `disabling`,
            `updating`, `deleting`.
        reports_failures: whether the function names the messages that failed (`ReportBatchItemFailures`).
        last_result: what Lambda says about the last batch; empty when it says nothing.
        maximum_concurrency: how many invocations at once a queue may cause; None when only the account limits it.
        on_failure_arn: where a stream's trigger sends what it gives up; None when nowhere.
    """

    id: str
    source_arn: str
    state: str
    reports_failures: bool
    last_result: str
    maximum_concurrency: int | None = None
    on_failure_arn: str | None = None

    @property
    def settled(self) -> bool:
        """Whether the state stays until somebody changes it."""
        return self.state in (ENABLED, PAUSED)


def find_trigger(function_name: str, source_arn: str) -> Trigger | None:
    """The trigger by which the queue, or the table's stream, runs the function; None when there is none.

    Raises:
        botocore.exceptions.ClientError: when Lambda refuses; `ResourceNotFoundException`: there is no such function.
    """
    pages = get_lambda_client().get_paginator("list_event_source_mappings")
    for page in pages.paginate(FunctionName=function_name, EventSourceArn=source_arn):
        for mapping in page["EventSourceMappings"]:
            return _trigger(mapping)
    return None


def switch_trigger(
    trigger: Trigger,
    *,
    enabled: bool,
    timeout_seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Trigger:
    """Switch the trigger on or off, and wait until Lambda says that it is.

    A trigger that is changing takes no other change: that is waited for first.

    Args:
        timeout_seconds: how long to wait, all in all.

    Returns:
        The trigger as it is then.

    Raises:
        TimeoutError: when it isn't there in time; the switch may still happen.
        botocore.exceptions.ClientError: when Lambda refuses; `ResourceNotFoundException` when the trigger was deleted.
    """
    client = get_lambda_client()
    wanted = ENABLED if enabled else PAUSED
    deadline = clock() + timeout_seconds
    asked = False
    while trigger.state != wanted:
        if trigger.settled and not asked:
            try:
                trigger = _trigger(client.update_event_source_mapping(UUID=trigger.id, Enabled=enabled))
                asked = True
                continue
            except ClientError as error:
                # Somebody else changes it at this moment.
                if error.response["Error"]["Code"] != "ResourceInUseException":
                    raise
        if clock() >= deadline:
            raise TimeoutError(f"after {timeout_seconds:g} s the trigger is still {trigger.state}, not {wanted}")
        sleep(POLL_SECONDS)
        trigger = _trigger(client.get_event_source_mapping(UUID=trigger.id))
    return trigger


def _trigger(mapping: Mapping[str, Any]) -> Trigger:
    state = mapping["State"]
    return Trigger(
        id=mapping["UUID"],
        source_arn=mapping["EventSourceArn"],
        state=_STATES.get(state, state.lower()),
        reports_failures="ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", []),
        last_result=mapping.get("LastProcessingResult", ""),
        maximum_concurrency=mapping.get("ScalingConfig", {}).get("MaximumConcurrency"),
        on_failure_arn=mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"),
    )
