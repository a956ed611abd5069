"""How many callers may wait at once: each uses one of the account's concurrent Lambda executions, like a worker.

A function can't see the other invocations, and reserved concurrency would refuse submissions along with waits. So the
limit of a deployment is a number of slots in the jobs table. A slot is free again when its lease ends, so that a
function that dies leaves nothing behind, and no key is written more than twice per wait.
"""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger

from ai_jobs.aws.clients import get_dynamodb_client
from ai_jobs.aws.errors import CALL_ERRORS, dependency_error
from ai_jobs.contract import timestamps

logger = Logger()

# How many slots a wait tries: when half of all slots are taken, one caller in 32 is turned away too early.
_TRIES = 5

# A slot that is no longer used is deleted by the table's TTL.
_KEEP = timedelta(hours=1)


def slot_key(number: int) -> str:
    """The key of a slot in the jobs table. A job's id can't contain `#`."""
    return f"wait#{number}"


class WaitSlots:
    """The slots of one deployment.

    Args:
        most: how many callers may wait at once; None for any number, which needs no call.
        clock: returns the current time.
        pick: picks that many different numbers below the first argument.
    """

    def __init__(
        self,
        table_name: str,
        most: int | None,
        clock: Callable[[], datetime] = timestamps.now,
        pick: Callable[[int, int], list[int]] = lambda below, count: random.sample(range(below), count),
    ) -> None:
        self._table_name = table_name
        self._most = most
        self._clock = clock
        self._pick = pick

    @contextmanager
    def taken(self, seconds: float) -> Iterator[bool]:
        """Hold a slot for a wait of at most `seconds`; yields False if no free slot was found.

        If the table is unavailable, there is no free slot, and the caller gets a response immediately.
        """
        if self._most is None:
            yield True
            return
        holder = str(uuid.uuid4())
        slot = self._take(holder, seconds, self._most)
        try:
            yield slot is not None
        finally:
            if slot is not None:
                self._give_back(slot, holder)

    def _take(self, holder: str, seconds: float, most: int) -> int | None:
        now = self._clock()
        # Whole seconds, and one more: the lease must not end before the wait does.
        lease_ends = math.ceil(now.timestamp() + seconds) + 1
        for slot in self._pick(most, min(_TRIES, most)):
            free = "attribute_not_exists(jobId) OR leaseEnds < :now OR holder = :holder"
            values = {
                ":holder": {"S": holder},
                ":leaseEnds": {"N": str(lease_ends)},
                ":expiresAt": {"N": str(lease_ends + int(_KEEP.total_seconds()))},
                ":now": {"N": str(int(now.timestamp()))},
            }
            update = "SET holder = :holder, leaseEnds = :leaseEnds, expiresAt = :expiresAt"
            if self._updated(slot, update, free, values):
                return slot
        return None

    def _give_back(self, slot: int, holder: str) -> None:
        values = {":holder": {"S": holder}, ":over": {"N": "0"}}
        # If it fails, the lease ends by itself.
        self._updated(slot, "SET leaseEnds = :over", "holder = :holder", values)

    def _updated(self, slot: int, update: str, condition: str, values: dict[str, Any]) -> bool:
        client = get_dynamodb_client()
        try:
            client.update_item(
                TableName=self._table_name,
                Key={"jobId": {"S": slot_key(slot)}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
            )
        except client.exceptions.ConditionalCheckFailedException:
            return False
        except CALL_ERRORS as error:
            logger.warning("wait slot not changed", extra={"errorCode": dependency_error(error, "DynamoDB").code})
            return False
        return True
