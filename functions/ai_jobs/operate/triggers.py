"""Triggers (Lambda event source mappings), which run a function on a queue or a stream: find one, switch it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ai_jobs.aws.clients import get_lambda_client
from ai_jobs.aws.errors import CALL_ERRORS, code_of
from ai_jobs.contract.limits import LIVE

if TYPE_CHECKING:
    from collections.abc import Mapping

ENABLED = "enabled"
PAUSED = "paused"

POLL_SECONDS = 2.0
"""How often to poll a trigger that is changing."""

# Lambda's words (https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html#lambda-GetEventSourceMapping-response-State)
# and ours; the other states are transitions and keep their names.
_STATES = {"Enabled": ENABLED, "Disabled": PAUSED}


@dataclass(frozen=True)
class Trigger:
    """What runs a function on a queue, or on the stream of the jobs table.

    Attributes:
        id: the mapping's UUID.
        state: `enabled`, `paused`, or a transition: `creating`, `enabling`, `disabling`, `updating`, `deleting`.
        reports_failures: whether the function reports which messages failed (`ReportBatchItemFailures`).
        last_result: what Lambda says about the last batch; empty if it says nothing.
        batch_size: how many messages or records one invocation gets at most.
        maximum_concurrency: how many concurrent invocations a queue may cause; None if only the account limits it.
        on_failure_arn: where a stream's trigger sends what it gives up on; None if nowhere.
    """

    id: str
    source_arn: str
    state: str
    reports_failures: bool
    last_result: str
    batch_size: int = 1
    maximum_concurrency: int | None = None
    on_failure_arn: str | None = None

    @property
    def settled(self) -> bool:
        """Whether the state stays until someone changes it."""
        return self.state in (ENABLED, PAUSED)


def find_trigger(function_name: str, source_arn: str) -> Trigger | None:
    """The trigger that runs the function's live version on the queue or the table's stream; None if there is none.

    Raises:
        ai_jobs.aws.errors.CALL_ERRORS: if the call fails; `ResourceNotFoundException` if the function does not exist.
    """
    pages = get_lambda_client().get_paginator("list_event_source_mappings")
    for page in pages.paginate(FunctionName=_live_arn(function_name, source_arn), EventSourceArn=source_arn):
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
    """Switch the trigger on or off, and wait until Lambda reports that it is.

    Lambda accepts no change to a trigger that is changing already, so this waits for that change to end first.

    Args:
        timeout_seconds: how long to wait in total.

    Returns:
        The trigger in its new state.

    Raises:
        TimeoutError: if it does not get there in time; Lambda may still finish the switch.
        ai_jobs.aws.errors.CALL_ERRORS: if a call fails; `ResourceNotFoundException` if the trigger was deleted.
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
            except CALL_ERRORS as error:
                # Someone else is changing it at this moment.
                if code_of(error) != "ResourceInUseException":
                    raise
        if clock() >= deadline:
            raise TimeoutError(f"after {timeout_seconds:g} s the trigger is still {trigger.state}, not {wanted}")
        sleep(POLL_SECONDS)
        trigger = _trigger(client.get_event_source_mapping(UUID=trigger.id))
    return trigger


def _live_arn(function_name: str, source_arn: str) -> str:
    """The ARN of the function's live version, which is where the module's queues and table are.

    The name alone stands for the unpublished version, which nothing triggers, and Lambda documents the name with an
    alias only as part of an ARN, whose length is not limited to a name's 64 characters
    (https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html).
    """
    _, partition, _, region, account_id, *_ = source_arn.split(":")
    return f"arn:{partition}:lambda:{region}:{account_id}:function:{function_name}:{LIVE}"


def _trigger(mapping: Mapping[str, Any]) -> Trigger:
    state = mapping["State"]
    return Trigger(
        id=mapping["UUID"],
        source_arn=mapping["EventSourceArn"],
        state=_STATES.get(state, state.lower()),
        reports_failures="ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", []),
        last_result=mapping.get("LastProcessingResult", ""),
        batch_size=mapping.get("BatchSize", 1),
        maximum_concurrency=mapping.get("ScalingConfig", {}).get("MaximumConcurrency"),
        on_failure_arn=mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"),
    )
