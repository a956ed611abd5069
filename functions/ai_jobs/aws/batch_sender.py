"""Sends the messages of many threads with few calls, although none of them waits for another to have one, too."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from ai_jobs.aws.clients import get_sqs_sending_client
from ai_jobs.aws.errors import reported_as_aws_error, was_refused
from ai_jobs.aws.queues import BATCH_LIMIT, check_message_size, message_arguments, send_message, size_of
from ai_jobs.contract.errors import AWSError
from ai_jobs.contract.rules import MAX_MESSAGE_BYTES

# If a call takes longer, something is wrong with it, and what waits behind it goes with another one.
_PATIENCE_SECONDS = 1.0


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A message that waits to be sent.

    Attributes:
        size: in bytes, as SQS counts it.
        sent: SQS's message id, or None if SQS refused it.
    """

    arguments: dict[str, Any]
    size: int
    sent: Future[str | None] = field(default_factory=Future)


class BatchSender:
    """Puts messages on one queue; made to be shared between threads.

    This is a group commit. A thread that finds no call in flight sends at once whatever waits, which is mostly its own
    message. What other threads add meanwhile goes together in the next call. So the first result of a batch never waits
    for the last, and ten results that come at the same time need two calls instead of ten.
    """

    def __init__(self, queue_url: str) -> None:
        self._queue_url = queue_url
        self._waiting: deque[_Waiting] = deque()
        self._is_sending = False
        self._lock = threading.Lock()

    def send(
        self, body: str, attributes: Mapping[str, str], group_id: str | None = None, trace_header: str | None = None
    ) -> str:
        """Put one message on the queue; when this returns, SQS has it. The arguments are those of `send_message`.

        What SQS refuses in a batch, alone or with all the others, is sent once more by itself: botocore retries that,
        and its error is about this message.

        Returns:
            SQS's message id.

        Raises:
            ValueError: if the message is over 262,144 bytes.
            AWSError: if SQS is unreachable or refuses.
        """
        check_message_size(body, attributes)
        arguments = message_arguments(body, attributes, group_id, trace_header=trace_header)
        message_id = self._send(_Waiting(arguments, size_of(body, attributes)))
        return message_id or send_message(self._queue_url, body, attributes, group_id, trace_header=trace_header)

    def _send(self, mine: _Waiting) -> str | None:
        with self._lock:
            self._waiting.append(mine)
            is_free, self._is_sending = not self._is_sending, True
        while True:
            if is_free:
                self._send_what_waits()
            try:
                return mine.sent.result(_PATIENCE_SECONDS)
            except TimeoutError:
                is_free = True

    def _send_what_waits(self) -> None:
        while call := self._next_call():
            _make(self._queue_url, call)

    def _next_call(self) -> list[_Waiting]:
        """Take as many messages, in order, as one call may have; if there are none, the next thread is free to send."""
        call: list[_Waiting] = []
        size = 0
        with self._lock:
            while self._waiting and len(call) < BATCH_LIMIT and size + self._waiting[0].size <= MAX_MESSAGE_BYTES:
                size += self._waiting[0].size
                call.append(self._waiting.popleft())
            self._is_sending = bool(call)
        return call


def _make(queue_url: str, call: list[_Waiting]) -> None:
    """Make one call, and tell the thread of each message what became of it."""
    entries: Any = [{"Id": str(number)} | waiting.arguments for number, waiting in enumerate(call)]
    try:
        with reported_as_aws_error("send to", queue_url):
            answer = get_sqs_sending_client().send_message_batch(QueueUrl=queue_url, Entries=entries)
        ids = {entry["Id"]: entry["MessageId"] for entry in answer.get("Successful", [])}
    except AWSError as error:
        for waiting in call:
            if error.__cause__ and was_refused(error.__cause__):
                waiting.sent.set_result(None)
            else:  # an exception of its own for each thread, since raising one changes it
                waiting.sent.set_exception(AWSError(str(error), error.code))
    except Exception as error:  # noqa: BLE001  # a bug must not leave threads waiting forever
        for waiting in call:
            waiting.sent.set_exception(error)
    else:
        for number, waiting in enumerate(call):
            waiting.sent.set_result(ids.get(str(number)))
