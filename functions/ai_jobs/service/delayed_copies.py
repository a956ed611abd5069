"""Delayed copies: how a message waits for better times without using a receive."""

from __future__ import annotations

import random
from datetime import datetime

from ai_jobs.aws.queues import ReceivedMessage, send_message, with_more_attributes
from ai_jobs.contract import timestamps
from ai_jobs.contract.request import DENIED_SINCE, FIRST_SENT_AT, THROTTLE_COUNT, first_sent_at
from ai_jobs.service.retries import Jitter, denied_delay_seconds, requested_delay_seconds, throttle_delay_seconds


def send_delayed_copy(
    queue_url: str,
    message: ReceivedMessage,
    job_id: str,
    user_id: str,
    max_backoff_seconds: int,
    jitter: Jitter = random.uniform,
    denied_since: datetime | None = None,
    seconds: int | None = None,
) -> str:
    """Put a copy of a message into its queue: same body, attributes, and group (the user), plus its id and its count.

    `ai_jobs.service.retries` says how long it stays hidden. The original may be deleted once this returns.

    Args:
        denied_since: when the job's model first denied access, if that is what the job waits for. Such a copy does not
            count. A copy without it says nothing about an earlier denial, which is over, or may be.
        seconds: how long the job's handler asked to wait. Such a copy does not count either.

    Returns:
        SQS's message id of the copy.

    Raises:
        ValueError: when the message leaves no room for the attributes.
        AWSError: when SQS is unreachable or refuses; the original must then stay.
    """
    own = {name: text for name, text in message.attributes.items() if name != DENIED_SINCE}
    more = {
        "JobId": job_id,
        FIRST_SENT_AT: timestamps.to_text(first_sent_at(message.attributes, message.sent_at)),
    }
    if seconds is not None:
        delay_seconds = requested_delay_seconds(seconds, jitter)
    elif denied_since is None:
        number = _copies_so_far(message) + 1
        more[THROTTLE_COUNT] = str(number)
        delay_seconds = throttle_delay_seconds(number, max_backoff_seconds, jitter)
    else:
        more[DENIED_SINCE] = timestamps.to_text(denied_since)
        delay_seconds = denied_delay_seconds(max_backoff_seconds, jitter)
    attributes = with_more_attributes(own, more)
    return send_message(queue_url, message.body, attributes, user_id, delay_seconds, message.trace_header)


def _copies_so_far(message: ReceivedMessage) -> int:
    text = message.attributes.get(THROTTLE_COUNT, "")
    return int(text) if text.isascii() and text.isdigit() else 0
