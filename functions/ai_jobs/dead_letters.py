"""Dead letters that the functions write themselves: the message as it came, with the reason beside it."""

from __future__ import annotations

import re
from datetime import datetime

from ai_jobs import timestamps
from ai_jobs.errors import JobError
from ai_jobs.queues import ReceivedMessage, send_message, with_more_attributes

_REASON_LIMIT = 256

# What SQS refuses in an attribute's value
# (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
_REFUSED = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def send_to_dlq(dlq_url: str, message: ReceivedMessage, job_id: str | None, error: JobError, now: datetime) -> None:
    """Put a copy of a message into a dead-letter queue: same body, attributes and group, and why it is there.

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
    send_message(dlq_url, message.body, with_more_attributes(message.attributes, reason), message.group_id)
