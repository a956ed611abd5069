"""Looking at every message of a dead-letter queue, once.

SQS can't filter, and delivers a message only to the reader that receives it. So a `Sweep` receives every message once,
which hides it from everyone else, and at its end makes visible again what is still there. It hides messages for a
minute at a time: if it is killed, nothing stays out of sight for longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from ai_jobs.aws.queues import change_visibility_of_all, delete_message, get_queue_message_count, receive_messages
from ai_jobs.contract.errors import AWSError
from ai_jobs.operate.dead_lettered_message import DeadLetteredMessage, Side

HIDDEN_SECONDS = 60
"""How long a message is hidden at a time."""

# Far enough below HIDDEN_SECONDS for a round with its pause (10 s at most) and the renewal itself.
_RENEW_SECONDS = 20

# The reconciler hides the messages that it looks at for a few seconds: a sweep looks for missing ones this long.
_PATIENCE_SECONDS = 20

_POLL_SECONDS = 1
_ROUND = 10
_THREADS = 10


@dataclass(frozen=True)
class QueuePair:
    """A queue and the dead-letter queue behind it.

    Attributes:
        queue_url: where a retry sends messages; nothing else needs it.
    """

    side: Side
    queue_url: str | None
    dlq_url: str


class Sweep:
    """One look at the messages of a DLQ, in rounds of ten, each message once.

    Use it in a `with` statement: leaving it makes the messages visible that are still there.

    Args:
        limit: how many messages to look at. It keeps the receipt handles of all of them in memory and hides them again
            every 20 s, so `ai_jobs.operate.selection.MAX_LIMIT` is the maximum.
        clock: seconds that only go forward.

    Attributes:
        looked_at: messages seen so far.
        not_seen: about how many more the queue holds, known once the sweep has ended: they are beyond the limit, or
            another reader held them all the time.
    """

    def __init__(self, pair: QueuePair, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.pair = pair
        self.limit = limit
        self.looked_at = 0
        self.not_seen = 0
        self._clock = clock
        self._hidden: dict[str, str] = {}
        self._gone: set[str] = set()
        self._renewed_at = self._found_at = clock()

    def __enter__(self) -> Sweep:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hide(0)

    def __iter__(self) -> Iterator[list[DeadLetteredMessage]]:
        """The messages, round by round. Raises AWSError if SQS can't be reached or refuses."""
        while self.looked_at < self.limit:
            self._renew_if_due()
            messages = self._receive(min(_ROUND, self.limit - self.looked_at))
            if messages:
                self._found_at = self._clock()
                self.looked_at += len(messages)
                yield messages
            elif self._is_over():
                return
        self._count_the_others()

    def delete(self, message: DeadLetteredMessage) -> None:
        """Delete a message of this sweep for good. Raises AWSError if SQS can't be reached or refuses."""
        delete_message(self.pair.dlq_url, message.received.receipt_handle)
        self._gone.add(message.received.message_id)
        self._hidden.pop(message.received.message_id, None)

    def _receive(self, at_most: int) -> list[DeadLetteredMessage]:
        fresh = []
        for received in receive_messages(
            self.pair.dlq_url,
            max_messages=at_most,
            wait_seconds=_POLL_SECONDS,
            visibility_timeout_seconds=HIDDEN_SECONDS,
        ):
            if received.message_id in self._gone:
                # Once in a while, SQS delivers a deleted message again.
                delete_message(self.pair.dlq_url, received.receipt_handle)
                continue
            if received.message_id not in self._hidden:
                fresh.append(DeadLetteredMessage.read(received, self.pair.side))
            self._hidden[received.message_id] = received.receipt_handle
        return fresh

    def _is_over(self) -> bool:
        """After a round without a new message: does no one else hold any, or has it waited for them long enough?"""
        self._count_the_others()
        return self.not_seen == 0 or self._clock() - self._found_at > _PATIENCE_SECONDS

    def _count_the_others(self) -> None:
        self.not_seen = max(0, get_queue_message_count(self.pair.dlq_url).total - len(self._hidden))

    def _renew_if_due(self) -> None:
        if self._clock() - self._renewed_at > _RENEW_SECONDS:
            self._hide(HIDDEN_SECONDS)
            self._renewed_at = self._clock()

    def _hide(self, seconds: int) -> None:
        handles = list(self._hidden.values())
        rounds = [handles[start : start + _ROUND] for start in range(0, len(handles), _ROUND)]
        with ThreadPoolExecutor(_THREADS) as pool:
            for future in [pool.submit(change_visibility_of_all, self.pair.dlq_url, part, seconds) for part in rounds]:
                # Not fatal: what can't be hidden or shown now becomes visible by itself after HIDDEN_SECONDS.
                with suppress(AWSError):
                    future.result()
