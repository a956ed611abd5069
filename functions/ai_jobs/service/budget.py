"""The spend guard: how many tokens the jobs of one day may use, per user and in total."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ai_jobs.aws.clients import get_dynamodb_client
from ai_jobs.aws.errors import reported_as_job_error
from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import JobError

# A counter is of no use after its day; two days later it is gone for good.
_KEEP = timedelta(days=2)


def counter_key(day: str, user_id: str | None = None) -> str:
    """The key of a day's counter in the jobs table, of one user or of all. `#` can't be in a job's id."""
    return f"spend#{day}" if user_id is None else f"spend#{day}#{user_id}"


@dataclass(frozen=True)
class Reservation:
    """Tokens that were set aside for one model call, and the counters that hold them, under an id of its own."""

    tokens: int
    counters: tuple[str, ...]
    id: str


class Budget:
    """Counts tokens in the jobs table: what running jobs may still use at most, and what finished ones have used.

    Each day (UTC) and user has one counter, and each day one for all, changed by conditional updates. A call that
    nobody lived to settle stays counted with its `max_tokens`, since it was probably billed.

    An answer of DynamoDB can be lost, and botocore then sends the update again. So that it still counts once, a counter
    holds the ids of the reservations that are not settled (`open`): an update that adds one is done if it is there,
    and one that settles it is done if it is gone. An id weighs 8 bytes, and a write one unit for each kilobyte of its
    counter: two units from about 120 calls at a time. A transaction would cost two always, and two at once on the
    counter of all would refuse each other.

    Without limits nothing is counted and no call is made.

    Args:
        daily_tokens_per_user, daily_tokens_total: the limits, input and output tokens together; None means none.
        clock: gives the current time.
    """

    def __init__(
        self,
        table_name: str,
        daily_tokens_per_user: int | None = None,
        daily_tokens_total: int | None = None,
        clock: Callable[[], datetime] = timestamps.now,
    ) -> None:
        self._table_name = table_name
        self._per_user = daily_tokens_per_user
        self._total = daily_tokens_total
        self._clock = clock

    def reserve(self, user_id: str, tokens: int) -> Reservation:
        """Set tokens aside for a model call that is about to start.

        Raises:
            JobError: `BUDGET_EXHAUSTED` when they would exceed a limit; `DEPENDENCY_UNAVAILABLE` or
                `DEPENDENCY_REFUSED`. Nothing is set aside then (unless giving a part back fails too).
        """
        day = self._clock().date().isoformat()
        limits = ((counter_key(day, user_id), self._per_user, "user"), (counter_key(day), self._total, "day"))
        reservation = Reservation(tokens, (), secrets.token_urlsafe(6))
        for counter, limit, whose in limits:
            if limit is None:
                continue
            # Before it is known: should every answer be lost, what was set aside after all is given back.
            reservation = replace(reservation, counters=(*reservation.counters, counter))
            try:
                self._take(reservation, counter, limit, whose)
            except JobError:
                with contextlib.suppress(JobError):  # the first error is the one that counts
                    self.settle(reservation, used=0)
                raise
        return reservation

    def settle(self, reservation: Reservation, used: int) -> None:
        """Put what was really used in the place of what was set aside.

        Raises:
            JobError: `DEPENDENCY_UNAVAILABLE` or `DEPENDENCY_REFUSED`; the reservation then stays counted.
        """
        for counter in reservation.counters:
            # Where it is not open: an earlier try settled it, or the counter was erased with its user and stays gone.
            change = "ADD tokens :tokens DELETE #open :ids"
            self._update(reservation, counter, used - reservation.tokens, change, "contains(#open, :id)")

    def _take(self, reservation: Reservation, counter: str, limit: int, whose: str) -> None:
        tokens = reservation.tokens
        used_up = JobError("BUDGET_EXHAUSTED", f"the {whose}'s {limit} tokens are used up until midnight UTC")
        if tokens > limit:
            raise used_up
        condition = "(attribute_not_exists(tokens) OR tokens <= :most) AND NOT contains(#open, :id)"
        found = self._update(reservation, counter, tokens, "ADD tokens :tokens, #open :ids", condition, limit - tokens)
        if found is not None and reservation.id not in found.get("open", {}).get("SS", ()):
            raise used_up

    def _update(
        self, reservation: Reservation, counter: str, tokens: int, change: str, condition: str, most: int | None = None
    ) -> Mapping[str, Any] | None:
        """Change a counter if the condition holds; else return what stands there (nothing: `{}`)."""
        client = get_dynamodb_client()
        numbers = {":tokens": tokens, ":expiresAt": int((self._clock() + _KEEP).timestamp())}
        if most is not None:
            numbers[":most"] = most
        values: dict[str, Any] = {name: {"N": str(value)} for name, value in numbers.items()}
        with reported_as_job_error("DynamoDB"):
            try:
                client.update_item(
                    TableName=self._table_name,
                    Key={"jobId": {"S": counter}},
                    UpdateExpression=f"{change} SET expiresAt = :expiresAt",
                    ConditionExpression=condition,
                    ExpressionAttributeNames={"#open": "open"},
                    ExpressionAttributeValues=values | {":id": {"S": reservation.id}, ":ids": {"SS": [reservation.id]}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except client.exceptions.ConditionalCheckFailedException as refused:
                found: Mapping[str, Any] = refused.response.get("Item", {})  # type: ignore[assignment]  # not in the stubs
                return found
        return None
