"""Delayed copies: how a message waits for better times without using up a receive."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime

from ai_jobs.aws.queues import ReceivedMessage, send_message, with_more_attributes
from ai_jobs.contract import timestamps
from ai_jobs.contract.request import DENIED_SINCE, FIRST_SENT_AT, THROTTLE_COUNT, first_sent_at

_BASE_SECONDS = 10

# Access comes within seconds or minutes, and jobs that wait for it should notice: their wait does not grow.
_DENIED_SECONDS = 30


def send_delayed_copy(
    queue_url: str,
    message: ReceivedMessage,
    job_id: str,
    user_id: str,
    max_backoff_seconds: int,
    jitter: Callable[[float, float], float] = random.uniform,
    denied_since: datetime | None = None,
) -> str:
    """Put a copy of a message into its queue: same body, attributes and group (the user), with its id and its count.

    It stays hidden for 1 s to a ceiling that doubles with each copy, from 10 s to `max_backoff_seconds` (full jitter,
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). The original may go once this returns.

    Args:
        denied_since: for a job whose model denies access, when it first did. The ceiling is then 30 s, and the copy
            does not count. Any other copy says nothing of an earlier denial: it is over, or may be.

    Returns:
        SQS's message id of the copy.

    Raises:
        ValueError: when the message leaves no room for the attributes.
        AWSError: when SQS can't be reached or refuses; the original must then stay.
    """
    own = {name: text for name, text in message.attributes.items() if name != DENIED_SINCE}
    identity = {
        "JobId": job_id,
        FIRST_SENT_AT: timestamps.to_text(first_sent_at(message.attributes, message.sent_at)),
    }
    if denied_since is None:
        count = _copies_so_far(message) + 1
        ceiling = _BASE_SECONDS * 2 ** min(count - 1, 10)
        attributes = with_more_attributes(own, identity | {THROTTLE_COUNT: str(count)})
    else:
        ceiling = _DENIED_SECONDS
        attributes = with_more_attributes(own, identity | {DENIED_SINCE: timestamps.to_text(denied_since)})
    delay_seconds = int(jitter(1, max(1, min(max_backoff_seconds, ceiling))))
    return send_message(queue_url, message.body, attributes, user_id, delay_seconds, message.trace_header)


def _copies_so_far(message: ReceivedMessage) -> int:
    text = message.attributes.get(THROTTLE_COUNT, "")
    return int(text) if text.isascii() and text.isdigit() else 0
