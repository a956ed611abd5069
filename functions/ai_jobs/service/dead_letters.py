"""Dead-lettered messages that the functions send themselves: the message as it came, with the reason attached."""

from __future__ import annotations

import re
from datetime import datetime

from ai_jobs.aws.queues import ReceivedMessage, send_message, size_of, with_more_attributes
from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import CODES, JobError
from ai_jobs.contract.request import OF_DELAYED_COPIES
from ai_jobs.contract.rules import MAX_MESSAGE_BYTES

ERROR_CODE = "ErrorCode"
"""Attribute of a dead-lettered message: why it is there (`ai_jobs.contract.errors.CODES`)."""

ERROR_MESSAGE = "ErrorMessage"
"""Attribute of a dead-lettered message: the same in words."""

FAILED_AT = "FailedAt"
"""Attribute of a dead-lettered message: when it was given up."""

_REASON_LIMIT = 256

# What SQS rejects in an attribute's value
# (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html). A pattern of all that it
# accepts instead takes 6 ms to compile, at each cold start.
_REJECTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def send_to_dlq(
    dlq_url: str,
    message: ReceivedMessage,
    job_id: str | None,
    error: JobError,
    failed_at: datetime,
    user_id: str | None = None,
    attempts: int | None = None,
) -> None:
    """Put a copy of a message into a dead-letter queue: same body, attributes, and group, plus why it is there.

    A message that leaves no room for all attributes is sent with fewer: it must get there in any case.

    Args:
        job_id: the job's id, or None when the message is not a job; SQS's message id then takes its place.
        failed_at: when it was given up. If a row says so too, its `completedAt` must be the same moment, or a redrive
            that is sent between the two is taken for a duplicate.
        user_id: the fair queue's group, if it is known; otherwise the message keeps the group that it came with.
        attempts: how often work on the job began, if that is known; otherwise the number of receives is used.

    Raises:
        AWSError: when SQS is unreachable or refuses; the original must then stay.
    """
    reason = {
        "JobId": job_id or message.message_id,
        ERROR_CODE: error.code,
        ERROR_MESSAGE: _REJECTED.sub(" ", error.message)[:_REASON_LIMIT],
        "Attempts": str(message.receive_count if attempts is None else attempts),
        FAILED_AT: timestamps.to_text(failed_at),
    }
    # Without what belongs to a delayed copy: a redrive starts the job over.
    own = {name: text for name, text in message.attributes.items() if name not in OF_DELAYED_COPIES}
    short = {"JobId": reason["JobId"], ERROR_CODE: error.code}
    choices = (with_more_attributes(own, reason), reason, short, own)
    fitting = (choice for choice in choices if size_of(message.body, choice) <= MAX_MESSAGE_BYTES)
    group_id = user_id or message.group_id
    send_message(dlq_url, message.body, next(fitting, {}), group_id, trace_header=message.trace_header)


def was_moved_by_sqs(message: ReceivedMessage) -> bool:
    """Did SQS move this message to the DLQ, because it was received too often, rather than one of the functions?

    A message that was redriven keeps the attributes of its first time in the DLQ; SQS's own mark tells it apart
    (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html).
    """
    return "DeadLetterQueueSourceArn" in message.system_attributes or ERROR_CODE not in message.attributes


def has_room_for_reason(message: ReceivedMessage, job_id: str) -> bool:
    """Can a copy of this message carry the attributes that say which job and why, within SQS's size limit?"""
    longest_code = max(CODES, key=len)
    return size_of(message.body, {"JobId": job_id, ERROR_CODE: longest_code}) <= MAX_MESSAGE_BYTES


def reason_of(message: ReceivedMessage) -> JobError:
    """Why a function sent this message to the DLQ."""
    code = message.attributes.get(ERROR_CODE)
    if code not in CODES:
        return JobError("RETRIES_EXHAUSTED", "The job was given up, and its dead-lettered message does not say why.")
    return JobError(code, message.attributes.get(ERROR_MESSAGE, "The dead-lettered message does not say more."))


def failed_at(message: ReceivedMessage) -> datetime:
    """When a function gave up on this message."""
    try:
        return timestamps.from_text(message.attributes[FAILED_AT])
    except (KeyError, ValueError):
        return message.sent_at
