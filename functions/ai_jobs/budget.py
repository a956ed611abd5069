"""The spend guard: how many tokens the jobs of one day may use, per user and in total."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from ai_jobs import timestamps
from ai_jobs.aws_errors import dependency_error
from ai_jobs.clients import get_dynamodb_client
from ai_jobs.errors import JobError

# A counter is of no use after its day; two days later it is gone for good.
_KEEP = timedelta(days=2)


def counter_key(day: str, user_id: str | None = None) -> str:
    """The key of a day's counter in the jobs table, of one user or of all. `#` can't be in a job's id."""
    return f"spend#{day}" if user_id is None else f"spend#{day}#{user_id}"


@dataclass(frozen=True)
class Reservation:
    """Tokens that were set aside for one model call, and the counters that hold them."""

    tokens: int
    counters: tuple[str, ...]


class Budget:
    """Counts tokens in the jobs table: what running jobs may still use at most, and what finished ones have used.

    Each day (UTC) and user has one counter, and each day one for all, changed by conditional updates. A call that
    nobody lived to settle stays counted with its `max_tokens`, since it was probably billed.

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
        taken: tuple[str, ...] = ()
        for counter, limit, whose in limits:
            if limit is None:
                continue
            try:
                self._take(counter, tokens, limit, whose)
            except JobError:
                with contextlib.suppress(JobError):  # the first error is the one that counts
                    self.settle(Reservation(tokens, taken), used=0)
                raise
            taken += (counter,)
        return Reservation(tokens, taken)

    def settle(self, reservation: Reservation, used: int) -> None:
        """Put what was really used in the place of what was set aside.

        Raises:
            JobError: `DEPENDENCY_UNAVAILABLE` or `DEPENDENCY_REFUSED`; the reservation then stays counted.
        """
        client = get_dynamodb_client()
        for counter in reservation.counters:
            # A counter that is gone was erased with its user, and stays gone.
            with contextlib.suppress(client.exceptions.ConditionalCheckFailedException):
                self._add(counter, used - reservation.tokens, "attribute_exists(tokens)")

    def _take(self, counter: str, tokens: int, limit: int, whose: str) -> None:
        client = get_dynamodb_client()
        used_up = JobError("BUDGET_EXHAUSTED", f"the {whose}'s {limit} tokens are used up until midnight UTC")
        if tokens > limit:
            raise used_up
        try:
            self._add(counter, tokens, "attribute_not_exists(tokens) OR tokens <= :most", limit - tokens)
        except client.exceptions.ConditionalCheckFailedException:
            raise used_up from None

    def _add(self, counter: str, tokens: int, condition: str, most: int | None = None) -> None:
        client = get_dynamodb_client()
        expires_at = int((self._clock() + _KEEP).timestamp())
        values = {":tokens": tokens, ":expiresAt": expires_at} | ({} if most is None else {":most": most})
        try:
            client.update_item(
                TableName=self._table_name,
                Key={"jobId": {"S": counter}},
                UpdateExpression="ADD tokens :tokens SET expiresAt = :expiresAt",
                ConditionExpression=condition,
                ExpressionAttributeValues={name: {"N": str(value)} for name, value in values.items()},
            )
        except client.exceptions.ConditionalCheckFailedException:
            raise
        except (ClientError, BotoCoreError) as error:
            raise dependency_error(error, "DynamoDB") from error
