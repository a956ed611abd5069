"""Dead letters that the functions write themselves: the message as it came, with the reason beside it."""

from __future__ import annotations

import re
from datetime import datetime

from ai_jobs import timestamps
from ai_jobs.errors import JobError
from ai_jobs.messages import FIRST_SENT_AT, MAX_MESSAGE_BYTES, THROTTLE_COUNT
from ai_jobs.queues import ReceivedMessage, send_message, size_of, with_more_attributes

_REASON_LIMIT = 256

# What SQS refuses in an attribute's value
# (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
_REFUSED = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def send_to_dlq(dlq_url: str, message: ReceivedMessage, job_id: str | None, error: JobError, now: datetime) -> None:
    """Put a copy of a message into a dead-letter queue: same body, attributes and group, and why it is there.

    A message that leaves no room for all attributes goes with fewer: it must get there in any case.

    Args:
        job_id: the job's id, or None when the message is no job: then SQS's message id stands for it.

    Raises:
        AIJobsError: when SQS can't be reached or refuses; the original must then stay.
    """
    reason = {
        "JobId": job_id or message.message_id,
        "ErrorCode": error.code,
        "ErrorMessage": _REFUSED.sub(" ", error.message)[:_REASON_LIMIT],
        "Attempts": str(message.receive_count),
        "FailedAt": timestamps.to_text(now),
    }
    # Not what belongs to a delayed copy: a redrive starts the job over.
    own = {name: text for name, text in message.attributes.items() if name not in (FIRST_SENT_AT, THROTTLE_COUNT)}
    short = {"JobId": reason["JobId"], "ErrorCode": error.code}
    choices = (with_more_attributes(own, reason), reason, short, own)
    fitting = (choice for choice in choices if size_of(message.body, choice) <= MAX_MESSAGE_BYTES)
    send_message(dlq_url, message.body, next(fitting, {}), message.group_id)
