"""The rows that count a day's tokens, and the leases by which running invocations hold some of them."""

from __future__ import annotations

import contextlib
import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

from ai_jobs.aws.clients import get_dynamodb_client
from ai_jobs.aws.errors import reported_as_job_error
from ai_jobs.contract.errors import JobError

# A counter is useless after its day; it expires two days later.
_KEEP = timedelta(days=2)

# How long after the end of its invocation a lease counts as a dead worker's. Lambda ends an invocation on time, so this
# only has to cover clocks that differ.
_LEASE_MARGIN = timedelta(minutes=1)

# The attributes that are leases; no other attribute of a counter starts with it.
_LEASE_MARK = "~"
_MINUTE_DIGITS = 3

# So many dead leases are removed in one write, whose expressions may take 4 KB.
_MOST_REMOVED = 50


def counter_key(day: str, user_id: str | None = None) -> str:
    """The key of a day's counter in the jobs table, of one user or of all. A job's id can't contain `#`."""
    return f"spend#{day}" if user_id is None else f"spend#{day}#{user_id}"


@dataclass(frozen=True)
class Counter:
    """The tokens of one UTC day, of one user or (`user_id` is None) of all.

    Attributes:
        limit: the most tokens that may be counted.
    """

    table_name: str
    day: date
    user_id: str | None
    limit: int

    @property
    def key(self) -> str:
        """Its key in the jobs table."""
        return counter_key(self.day.isoformat(), self.user_id)


class Lease:
    """The tokens that one invocation holds in one counter, whether its jobs have used them or may still do so.

    A counter is one row: `tokens` is what was used plus what is leased, and each open lease is an attribute whose value
    is the tokens that it holds. Its name (`~2df` and six random characters) says when it expires: in minutes of the
    counter's day, in base 16. Each change is one conditional write that holds only while the lease is as it was, so

    - a write that botocore repeats, because the response was lost, counts once;
    - a lease that its invocation did not settle, because the worker died, counts as used in full: nobody knows what its
      calls used. Once it has expired, the next lease that grows removes the attribute, and leaves `tokens` as it is;
    - a counter that was erased with its user is not written again when the invocation settles. It comes back if another
      of the user's jobs starts, with all that the invocation then holds.

    Cost: a lease takes 14 bytes, and DynamoDB charges a write one unit per KB of its row: one up to 60 open leases, and
    14 at 1,000. An invocation writes twice per counter, whatever its batch. 1,000 jobs per second in batches of 10 are
    200 writes per second; with 2 s per batch, 200 invocations are open at once and use 600 units per second, of the
    1,000 that one key may take. With 13 s, one counter takes only 500 jobs per second. Larger batches help most: the
    cost falls with the square of their size (docs/scaling.md has more figures, `ai_jobs.operate.doctor.budget` the
    formula).

    Not safe for threads: callers hold a lock.

    Args:
        ends_at: when the invocation ends.
        clock: returns the current time.

    Attributes:
        tokens: what the lease holds, as far as is known: no less if a response was lost.
    """

    def __init__(self, counter: Counter, ends_at: datetime, clock: Callable[[], datetime]) -> None:
        self._counter = counter
        self._clock = clock
        self._name = _lease_name(counter.day, ends_at + _LEASE_MARGIN)
        self._requested = 0  # what it holds if the outcome of the last write is not known
        self.tokens = 0

    def grow_to(self, tokens: int) -> bool:
        """Hold this many tokens. Returns False, with nothing changed, if the limit does not allow it.

        Raises:
            JobError: `DEPENDENCY_UNAVAILABLE` or `DEPENDENCY_REFUSED`. Whether the lease has grown is then unknown;
                `settle` finds out.
        """
        if tokens > self._counter.limit:
            return False
        while self.tokens < tokens:
            has_grown, found = self._write_growth(tokens)
            if has_grown:
                self.tokens = tokens
                self._remove_dead_leases(found)
                return True
            is_full = self._held_in(found) == self.tokens
            self.tokens = self._requested = self._held_in(found)  # other than expected: a lost response, or erased
            if is_full:
                return False
        return True

    def settle(self, used: int) -> None:
        """Replace the tokens that it holds with those that were used, and end it. Repeating it changes nothing.

        Raises:
            JobError: `DEPENDENCY_UNAVAILABLE` or `DEPENDENCY_REFUSED`; the lease then stays until it expires.
        """
        while self._requested:
            held = {self._name: self._requested}
            is_settled, found = self._write("ADD tokens :change REMOVE #lease0", held, change=used - self._requested)
            # Nothing is held if an earlier try succeeded, or the counter was erased.
            self.tokens = self._requested = 0 if is_settled else self._held_in(found)

    def _write_growth(self, tokens: int) -> tuple[bool, Mapping[str, Any]]:
        self._requested = tokens
        more = tokens - self.tokens
        return self._write(
            "ADD tokens :change SET #lease0 = :new, expiresAt = :expiresAt",
            {self._name: self.tokens},
            "(attribute_not_exists(tokens) OR tokens <= :most)",
            returns="ALL_OLD",
            change=more,
            most=self._counter.limit - more,
            new=tokens,
            expiresAt=int((self._clock() + _KEEP).timestamp()),
        )

    def _held_in(self, item: Mapping[str, Any]) -> int:
        return int(item[self._name]["N"]) if self._name in item else 0

    def _remove_dead_leases(self, found: Mapping[str, Any]) -> None:
        """Remove what dead workers left in the row, which makes every write of it dearer. Their tokens stay counted."""
        minute = _minute_of(self._counter.day, self._clock())
        dead = [name for name in found if name.startswith(_LEASE_MARK) and _expiry_minute(name) < minute]
        some = {name: int(found[name]["N"]) for name in dead[:_MOST_REMOVED]}
        if not some:
            return
        removed = ", ".join(f"#lease{number}" for number in range(len(some)))
        # If the condition is false, another worker has just removed some of them. Whatever fails, the next one tries.
        with contextlib.suppress(JobError):
            self._write(f"REMOVE {removed}", some)

    def _write(
        self,
        update: str,
        held: Mapping[str, int],
        condition: str = "",
        returns: Literal["NONE", "ALL_OLD"] = "NONE",
        **numbers: int,
    ) -> tuple[bool, Mapping[str, Any]]:
        """Change the counter if the condition holds, and each of its leases (`#lease0`, ...) holds what `held` says.

        Returns:
            Whether it was changed, and its item as it was (`{}` if there was none). After a change, that is only known
            if `returns` asks for it: reading 200 leases takes 0.7 ms of computing.
        """
        client = get_dynamodb_client()
        conditions = [condition] if condition else []
        for number, tokens in enumerate(held.values()):
            conditions.append(f"#lease{number} = :held{number}" if tokens else f"attribute_not_exists(#lease{number})")
            numbers |= {f"held{number}": tokens} if tokens else {}
        with reported_as_job_error("DynamoDB"):
            try:
                response = client.update_item(
                    TableName=self._counter.table_name,
                    Key={"jobId": {"S": self._counter.key}},
                    UpdateExpression=update,
                    ConditionExpression=" AND ".join(conditions),
                    ExpressionAttributeNames={f"#lease{number}": name for number, name in enumerate(held)},
                    ExpressionAttributeValues={f":{name}": {"N": str(number)} for name, number in numbers.items()},
                    ReturnValues=returns,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except client.exceptions.ConditionalCheckFailedException as refused:
                found: Mapping[str, Any] = refused.response.get("Item", {})  # type: ignore[assignment]  # not in the stubs
                return False, found
        return True, response.get("Attributes", {})


def _lease_name(day: date, expires_at: datetime) -> str:
    """A name that no other open lease has: 32 random bits, among a few thousand leases."""
    return f"{_LEASE_MARK}{_minute_of(day, expires_at):0{_MINUTE_DIGITS}x}{secrets.token_urlsafe(4)}"


def _expiry_minute(name: str) -> int:
    return int(name[len(_LEASE_MARK) : len(_LEASE_MARK) + _MINUTE_DIGITS], 16)


def _minute_of(day: date, moment: datetime) -> int:
    """Minutes since the day began, rounded up."""
    return math.ceil((moment - datetime.combine(day, time(), UTC)) / timedelta(minutes=1))
