"""Going through a dead-letter queue: receives each message once, in parallel, and shows again what stays.

SQS can't filter: to find the one new message in a DLQ, every old one has to be received too. What keeps that cheap is
that most old messages say by themselves that nothing is left to do, so their rows are not read.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from ai_jobs.aws.queues import ReceivedMessage, change_visibility_of_all, receive_messages
from ai_jobs.contract.errors import AWSError, JobError
from ai_jobs.contract.row import JobRow
from ai_jobs.service.dead_letters import failed_at, was_moved_by_sqs
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.safe_logging import describe
from reconciler.message_handling import Handled, MessageHandler, row_key
from reconciler.run_time import RunTime
from reconciler.summary import Summary

logger = Logger()

MAX_HELD = 100_000
"""Messages of one queue that a run keeps hidden at a time. SQS allows 120,000 (received and not yet deleted), and an
operator's command holds up to 20,000 of them (ai_jobs.operate.selection.MAX_LIMIT). SQS delivers messages in no
particular order, so each run looks at different messages of a longer queue."""

SETTLED_AFTER = timedelta(hours=2)
"""How old a message with a reason is when its row no longer has to be read: by then, the lease of the worker that wrote
it has ended (15 minutes at most), and a run has looked since (runs are an hour apart at most)."""

SECOND_LOOKS = 1 / 24
"""The share of those that each run looks at nevertheless. The runs after the lease may have failed, and the job's user
may have been erased since. With a run every five minutes, each message's turn comes every two hours on average."""

LANES = 16
"""How many threads go through a queue, or through the shards of the open jobs."""

_ROUND = 100  # as many rows as one BatchGetItem reads
_POLL_SECONDS = 1


class _Held:
    """Receipt handles of the messages that the lanes keep hidden."""

    def __init__(self) -> None:
        self._handles: set[str] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._handles)

    def add(self, messages: Iterable[ReceivedMessage]) -> None:
        with self._lock:
            self._handles |= {message.receipt_handle for message in messages}

    def drop(self, message: ReceivedMessage) -> None:
        with self._lock:
            self._handles.discard(message.receipt_handle)

    def in_tens(self) -> list[list[str]]:
        """All of them, in groups as large as one call takes."""
        handles = list(self._handles)
        return [handles[start : start + 10] for start in range(0, len(handles), 10)]


class DlqReader:
    """One pass through a DLQ.

    Args:
        until: when the pass has to end.
        chance: gives a number from 0 to 1.
    """

    def __init__(
        self,
        handler: MessageHandler,
        store: JobStore,
        run_time: RunTime,
        until: datetime,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._handler = handler
        self._store = store
        self._time = run_time
        self._until = until
        self._chance = chance
        self._held = _Held()

    def read(self) -> Summary:
        """Handle each message once. Messages that stay are hidden meanwhile, and shown again at the end."""
        try:
            summary, is_long = self._round()
            if is_long:
                with ThreadPoolExecutor(LANES) as pool:
                    lanes = [pool.submit(self._lane) for _ in range(LANES)]
                summary = sum((lane.result() for lane in lanes), summary)
        finally:
            self._show()
        return summary

    def _lane(self) -> Summary:
        summary, goes_on = Summary(), True
        while goes_on:
            done, goes_on = self._round()
            summary += done
        return summary

    def _round(self) -> tuple[Summary, bool]:
        """Handle up to a hundred messages. Returns whether there is time for more, and there may be more."""
        messages, goes_on = self._receive_round()
        fresh = [message for message in messages if not self._is_settled(message)]
        try:
            rows = self._store.find_all(row_key(message) for message in fresh)
        except JobError as error:  # one slow response must not keep the other messages waiting
            logger.error("rows not read", extra={"deadLetters": len(fresh)} | describe(error))
            return Summary(failures=len(fresh)), goes_on
        summary = Summary()
        for message in fresh:
            if self._time.seconds_left <= 0:
                break
            handled = self._guarded(message, rows.get(row_key(message)))
            if handled.gone:
                self._held.drop(message)
            summary += handled.done
        return summary, goes_on

    def _receive_round(self) -> tuple[list[ReceivedMessage], bool]:
        messages: list[ReceivedMessage] = []
        is_empty = False
        while not is_empty and len(messages) < _ROUND and self._has_room():
            received = receive_messages(
                self._handler.dlq_url,
                wait_seconds=_POLL_SECONDS,
                visibility_timeout_seconds=self._time.seconds_to_hide,
            )
            is_empty = not received
            self._held.add(received)
            messages += received
        return messages, not is_empty and self._has_room()

    def _has_room(self) -> bool:
        return len(self._held) < MAX_HELD and self._time.clock() < self._until

    def _is_settled(self, message: ReceivedMessage) -> bool:
        """Does the message by itself say that nothing is left to do for its job?"""
        if was_moved_by_sqs(message) or self._time.clock() - failed_at(message) <= SETTLED_AFTER:
            return False
        return self._chance() >= SECOND_LOOKS

    def _guarded(self, message: ReceivedMessage, row: JobRow | None) -> Handled:
        try:
            return self._handler.handle(message, row)
        except Exception as error:  # noqa: BLE001  # the boundary: one bad message must not keep the others waiting
            logger.error("dead-lettered message not handled", extra={"messageId": message.message_id} | describe(error))
            return Handled(gone=False, done=Summary(failures=1))

    def _show(self) -> None:
        with ThreadPoolExecutor(LANES) as pool:
            for shown in [pool.submit(self._show_some, handles) for handles in self._held.in_tens()]:
                shown.result()

    def _show_some(self, receipt_handles: list[str]) -> None:
        # Not fatal: what can't be shown anymore, or not now, becomes visible when this function's invocation ends.
        if self._time.allows_another_call():
            try:
                change_visibility_of_all(self._handler.dlq_url, receipt_handles, 0)
            except AWSError as error:
                logger.warning("dead-lettered messages stay hidden for now", extra=describe(error))
