"""The spend guard: how many tokens the jobs of a day may use, per user and in total."""

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

# A counter is useless after its day; it expires two days later.
_KEEP = timedelta(days=2)


def counter_key(day: str, user_id: str | None = None) -> str:
    """The key of a day's counter in the jobs table, of one user or of all. A job's id can't contain `#`."""
    return f"spend#{day}" if user_id is None else f"spend#{day}#{user_id}"


@dataclass(frozen=True)
class Reservation:
    """Tokens that are reserved for one model call, and the counters that hold them, with the reservation's id."""

    tokens: int
    counters: tuple[str, ...]
    id: str


class Budget:
    """Counts tokens in the jobs table: the most that running jobs may still use, and what finished jobs have used.

    Each day (UTC) has one counter per user and one for all users, changed by conditional updates. If a worker dies
    before it settles a call, the call stays counted with its `max_tokens`, because it was probably billed.

    A response from DynamoDB can be lost, and botocore then sends the update again. To count it only once, a counter
    holds the ids of the reservations that are not settled (`open`): an update that adds one is done if the id is there,
    and one that settles it is done if the id is gone. An id takes 8 bytes, and a write costs one unit per kilobyte of
    its counter: two units from about 120 concurrent calls. A transaction would always cost two, and two concurrent
    ones would refuse each other on the counter for all users.

    Without limits, nothing is counted and DynamoDB is not called.

    Args:
        daily_tokens_per_user, daily_tokens_total: the limits for input and output tokens together; None means none.
        clock: returns the current time.
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
        """Reserve tokens for a model call that is about to start.

        Raises:
            JobError: `BUDGET_EXHAUSTED` if they would exceed a limit; `DEPENDENCY_UNAVAILABLE` or
                `DEPENDENCY_REFUSED`. Nothing is reserved then (unless returning a part fails too).
        """
        day = self._clock().date().isoformat()
        limits = ((counter_key(day, user_id), self._per_user, "user"), (counter_key(day), self._total, "day"))
        reservation = Reservation(tokens, (), secrets.token_urlsafe(6))
        for counter, limit, whose in limits:
            if limit is None:
                continue
            # Before the outcome is known: if every response is lost, whatever was reserved is returned.
            reservation = replace(reservation, counters=(*reservation.counters, counter))
            try:
                self._take(reservation, counter, limit, whose)
            except JobError:
                with contextlib.suppress(JobError):  # the first error is the one that counts
                    self.settle(reservation, used=0)
                raise
        return reservation

    def settle(self, reservation: Reservation, used: int) -> None:
        """Replace what was reserved with what was actually used.

        Raises:
            JobError: `DEPENDENCY_UNAVAILABLE` or `DEPENDENCY_REFUSED`; the reservation then stays counted.
        """
        for counter in reservation.counters:
            # If it is not open, an earlier try settled it, or the counter was erased with its user and stays erased.
            change = "ADD tokens :tokens DELETE #open :ids"
            self._update(reservation, counter, used - reservation.tokens, change, "contains(#open, :id)")

    def _take(self, reservation: Reservation, counter: str, limit: int, whose: str) -> None:
        tokens = reservation.tokens
        used_up = JobError("BUDGET_EXHAUSTED", f"The {whose}'s {limit} tokens are used up until midnight UTC.")
        if tokens > limit:
            raise used_up
        condition = "(attribute_not_exists(tokens) OR tokens <= :most) AND NOT contains(#open, :id)"
        found = self._update(reservation, counter, tokens, "ADD tokens :tokens, #open :ids", condition, limit - tokens)
        if found is not None and reservation.id not in found.get("open", {}).get("SS", ()):
            raise used_up

    def _update(
        self, reservation: Reservation, counter: str, tokens: int, change: str, condition: str, most: int | None = None
    ) -> Mapping[str, Any] | None:
        """Change a counter if the condition holds; otherwise return its item (`{}` if there is none)."""
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
