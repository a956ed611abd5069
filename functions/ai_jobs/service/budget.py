"""The token budget: how many tokens the jobs of a day may use, per user and in total."""

from __future__ import annotations

import threading
from collections import Counter as Tally
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime

from ai_jobs.aws.clients import MAX_POOL_CONNECTIONS
from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import JobError
from ai_jobs.service.token_counters import Counter, Lease

# Tokenizers of current models make a token of about four bytes of English, and of about three of code and of most other
# languages. Bedrock's CountTokens is exact, but takes a call per job, and supports few models
# (https://docs.aws.amazon.com/bedrock/latest/userguide/count-tokens.html).
_BYTES_PER_TOKEN = 3

# How long the end of an invocation waits for DynamoDB: its messages must be reported before the function's timeout.
_SETTLE_SECONDS = 2

_MOST_THREADS = 10


def estimated_tokens(*texts: str | None) -> int:
    """How many tokens a model will probably count for a prompt of these texts: a third of their bytes in UTF-8."""
    size = sum(len(text.encode(errors="replace")) for text in texts if text)
    return -(-size // _BYTES_PER_TOKEN)


@dataclass(frozen=True)
class Budget:
    """The limits for input and output tokens together, for each UTC day. None means no limit.

    Without limits, nothing is counted and DynamoDB is not called.

    Args:
        table_name: the jobs table, which holds the counters.
        clock: returns the current time.
    """

    table_name: str
    daily_tokens_per_user: int | None = None
    daily_tokens_total: int | None = None
    clock: Callable[[], datetime] = timestamps.now

    def for_invocation(self, ends_at: datetime) -> InvocationBudget:
        """The part of the budget that one invocation works with.

        Args:
            ends_at: when the invocation ends; what it holds and has not settled by then counts as used.
        """
        return InvocationBudget(self, ends_at)

    def counters(self, user_id: str) -> list[Counter]:
        """The counters of a call of this user that starts now."""
        today = self.clock().date()
        limits = ((user_id, self.daily_tokens_per_user), (None, self.daily_tokens_total))
        return [Counter(self.table_name, today, user, limit) for user, limit in limits if limit is not None]


class InvocationBudget:
    """What the jobs of one invocation may use; safe to share between its threads.

    The first job that needs tokens of a counter leases a block for all jobs of the batch that share the counter (but no
    more than run at once) or, if the limit does not allow that, for itself. The others take from the block and return
    what they did not use. At the end, one write replaces the block with what was used. So a counter is written twice
    per invocation, rather than twice per call, and never exceeds its limit by more than the estimates of inputs were
    too low.

    If the worker dies, its blocks count as used in full (`ai_jobs.service.token_counters.Lease`): nobody knows what its
    calls used, and workers that die again and again must not get past the limit.
    """

    def __init__(self, budget: Budget, ends_at: datetime) -> None:
        self._budget = budget
        self._ends_at = ends_at
        self._jobs_of: Tally[str | None] = Tally()
        self._blocks: dict[Counter, _Block] = {}
        self._lock = threading.Lock()

    def expect(self, user_ids: Iterable[str | None]) -> None:
        """Say whose jobs the batch holds, one entry per job; None if that is not known yet."""
        users = list(user_ids)
        self._jobs_of = Tally(user for user in users if user is not None)
        self._jobs_of[None] = len(users)

    def reserve(self, user_id: str, tokens: int) -> Reservation:
        """Reserve the most tokens that a model call which is about to start may use.

        Raises:
            JobError: `BUDGET_EXHAUSTED` if they would exceed a limit; `DEPENDENCY_UNAVAILABLE` or
                `DEPENDENCY_REFUSED`. Nothing is reserved then.
        """
        taken: list[_Block] = []
        try:
            for block in map(self._block, self._budget.counters(user_id)):
                block.take(tokens)
                taken.append(block)
        except JobError:
            Reservation(tokens, tuple(taken)).settle(used=0)
            raise
        return Reservation(tokens, tuple(taken))

    def settle(self) -> list[str]:
        """Count what was used instead of the blocks, once all jobs have their verdict. Never raises.

        A job that outlives its function stays counted with all that it reserved.

        Returns:
            Why counters were not settled, as error codes. Their blocks count in full, like those of a dead worker.
        """
        blocks = list(self._blocks.values())
        if not blocks:
            return []
        pool = ThreadPoolExecutor(min(len(blocks), _MOST_THREADS))
        futures = [pool.submit(block.settle) for block in blocks]
        done, late = wait(futures, timeout=_SETTLE_SECONDS)
        pool.shutdown(wait=False, cancel_futures=True)
        return sorted({"TIMEOUT"} if late else set()) + sorted({code for future in done if (code := future.result())})

    def _block(self, counter: Counter) -> _Block:
        with self._lock:
            if counter not in self._blocks:
                lease = Lease(counter, self._ends_at, self._budget.clock)
                self._blocks[counter] = _Block(counter, lease, self._jobs_of[counter.user_id])
            return self._blocks[counter]


class _Block:
    """The tokens that an invocation has leased from one counter, and how many of them its jobs have taken."""

    def __init__(self, counter: Counter, lease: Lease, jobs: int) -> None:
        self._counter = counter
        self._lease = lease
        self._jobs_to_come = jobs
        self._taken = 0
        self._refused: int | None = None
        self._lock = threading.Lock()

    def take(self, tokens: int) -> None:
        with self._lock:
            jobs = max(1, min(self._jobs_to_come, MAX_POOL_CONNECTIONS))
            self._jobs_to_come -= 1
            if self._lease.tokens < self._taken + tokens and not self._extend(tokens, jobs):
                raise JobError("BUDGET_EXHAUSTED", self._refusal(tokens))
            self._taken += tokens

    def give_back(self, tokens: int) -> None:
        with self._lock:
            self._taken -= tokens

    def settle(self) -> str | None:
        """Returns the code of what kept it from being settled."""
        try:
            with self._lock:
                self._lease.settle(self._taken)
        except JobError as error:
            return error.code
        except Exception as error:  # noqa: BLE001  # a bug here must not bring back a batch that has been paid for
            return type(error).__name__
        return None

    def _extend(self, tokens: int, jobs: int) -> bool:
        """Lease enough for these jobs, or else for one of them."""
        # Without this, every job of every batch would write the counter of a day whose budget is used up.
        if self._refused is not None and tokens >= self._refused:
            return False
        if any(self._lease.grow_to(self._taken + tokens * many) for many in sorted({jobs, 1}, reverse=True)):
            return True
        self._refused = tokens
        return False

    def _refusal(self, tokens: int) -> str:
        limit, whose = self._counter.limit, "user" if self._counter.user_id else "day"
        if tokens <= limit:
            return f"The {whose}'s {limit} tokens are used up until midnight UTC."
        return (
            f"The job may use {tokens} tokens with its input and its type's max_tokens. The {whose}'s budget is "
            f"{limit} tokens. Shorten the input, or have the budget raised."
        )


@dataclass(frozen=True)
class Reservation:
    """The tokens that one model call may use, and the blocks that they were taken from."""

    tokens: int
    _blocks: tuple[_Block, ...]

    def settle(self, used: int) -> None:
        """Replace what was reserved with what was actually used."""
        for block in self._blocks:
            block.give_back(self.tokens - used)
