"""Dead letters that the functions write themselves: the message as it came, with the reason beside it."""

from __future__ import annotations

import re
from datetime import datetime

from ai_jobs.aws.queues import ReceivedMessage, send_message, size_of, with_more_attributes
from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import CODES, JobError
from ai_jobs.contract.request import OF_DELAYED_COPIES
from ai_jobs.contract.rules import MAX_MESSAGE_BYTES

ERROR_CODE = "ErrorCode"
"""Attribute of a dead letter: why it is there (`ai_jobs.contract.errors.CODES`)."""

ERROR_MESSAGE = "ErrorMessage"
"""Attribute of a dead letter: the same in words."""

FAILED_AT = "FailedAt"
"""Attribute of a dead letter: when it was given up."""

_REASON_LIMIT = 256

# What SQS refuses in an attribute's value
# (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html). A pattern of all that it
# accepts instead takes 6 ms to compile, at each cold start.
_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def send_to_dlq(
    dlq_url: str,
    message: ReceivedMessage,
    job_id: str | None,
    error: JobError,
    failed_at: datetime,
    user_id: str | None = None,
    attempts: int | None = None,
) -> None:
    """Put a copy of a message into a dead-letter queue: same body, attributes and group, and why it is there.

    A message that leaves no room for all attributes goes with fewer: it must get there in any case.

    Args:
        job_id: the job's id, or None when the message is no job: then SQS's message id stands for it.
        failed_at: when it was given up. A row that says so too must have the same moment as its `completedAt`, or a
            redrive that is sent between the two is taken for a duplicate.
        user_id: the fair queue's group, where it is known; else the one that the message came with.
        attempts: how often work on it began, where that is known; else how often it was received.

    Raises:
        AWSError: when SQS can't be reached or refuses; the original must then stay.
    """
    reason = {
        "JobId": job_id or message.message_id,
        ERROR_CODE: error.code,
        ERROR_MESSAGE: _REFUSED.sub(" ", error.message)[:_REASON_LIMIT],
        "Attempts": str(message.receive_count if attempts is None else attempts),
        FAILED_AT: timestamps.to_text(failed_at),
    }
    # Not what belongs to a delayed copy: a redrive starts the job over.
    own = {name: text for name, text in message.attributes.items() if name not in OF_DELAYED_COPIES}
    short = {"JobId": reason["JobId"], ERROR_CODE: error.code}
    choices = (with_more_attributes(own, reason), reason, short, own)
    fitting = (choice for choice in choices if size_of(message.body, choice) <= MAX_MESSAGE_BYTES)
    group_id = user_id or message.group_id
    send_message(dlq_url, message.body, next(fitting, {}), group_id, trace_header=message.trace_header)


def was_moved_by_sqs(message: ReceivedMessage) -> bool:
    """Did SQS put this dead letter there, as received too often, rather than one of the functions?

    A message that was redriven keeps the attributes of its first dead letter; SQS's own mark tells it apart
    (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html).
    """
    return "DeadLetterQueueSourceArn" in message.system_attributes or ERROR_CODE not in message.attributes


def has_room_for_reason(message: ReceivedMessage, job_id: str) -> bool:
    """Can a copy of this message carry the attributes that say what and why, within SQS's limit?"""
    longest_code = max(CODES, key=len)
    return size_of(message.body, {"JobId": job_id, ERROR_CODE: longest_code}) <= MAX_MESSAGE_BYTES


def reason_of(message: ReceivedMessage) -> JobError:
    """Why a function put this dead letter there."""
    code = message.attributes.get(ERROR_CODE)
    if code not in CODES:
        return JobError("RETRIES_EXHAUSTED", "it was given up, and its dead letter does not say why")
    return JobError(code, message.attributes.get(ERROR_MESSAGE, "its dead letter says no more"))


def failed_at(message: ReceivedMessage) -> datetime:
    """When a function gave this message up."""
    try:
        return timestamps.from_text(message.attributes[FAILED_AT])
    except (KeyError, ValueError):
        return message.sent_at
