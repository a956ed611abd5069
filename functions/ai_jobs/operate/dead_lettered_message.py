"""A dead-lettered message as an operator sees it: whose job it holds, why it is in the DLQ, and if it is usable."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ai_jobs.aws.queues import ReceivedMessage
from ai_jobs.contract.errors import JobError
from ai_jobs.contract.request import ReceivedJob, known_job_id
from ai_jobs.contract.result import AIJobResultMessage
from ai_jobs.service.dead_letters import ERROR_CODE, ERROR_MESSAGE, failed_at, was_moved_by_sqs

Side = Literal["request", "response"]
"""Which of the two queues: it determines whether its messages hold jobs or results."""

_UNUSABLE_CODES = {"NOT_A_JOB", "NOT_A_RESULT"}


@dataclass(frozen=True)
class DeadLetteredMessage:
    """A message in a DLQ, and what is known about it.

    Attributes:
        received: the message as SQS delivered it.
        job_id: the job's id; SQS's message id if the message does not name a job.
        error_code, error_message, attempts: why it is there. None if SQS moved it, which gives no reason.
        failed_at: when its sender gave up on it; when it was sent, if nothing says more.
        payload_hash: of a job, to distinguish it from another one with the same id.
        unusable: why no worker could use it; None if one could.
        names_its_job: whether its body contains the job's id.
    """

    received: ReceivedMessage
    job_id: str
    user_id: str | None
    job_type: str | None
    error_code: str | None
    error_message: str | None
    attempts: int | None
    failed_at: datetime
    payload_hash: str | None = None
    unusable: str | None = None
    names_its_job: bool = False

    @classmethod
    def read(cls, received: ReceivedMessage, side: Side) -> DeadLetteredMessage:
        """What a message from a DLQ is; one that is not a job still tells what it can."""
        job_id = known_job_id(received.body, received.attributes) or received.message_id
        payload_hash = unusable = None
        try:
            if side == "request":
                job = ReceivedJob.parse(received.body, received.attributes, received.message_id, received.sent_at)
                job_id, payload_hash = job.job_id, job.payload_hash
            else:
                AIJobResultMessage.from_body(received.body)
        except JobError as error:
            # Any other code belongs to a message that the right release of the functions could use.
            unusable = error.message if error.code in _UNUSABLE_CODES else None
        document = _document(received.body)
        moved = was_moved_by_sqs(received)
        reason = {} if moved else received.attributes
        return cls(
            received=received,
            job_id=job_id,
            user_id=_text(document, "userId") or received.attributes.get("UserId"),
            job_type=_text(document, "jobType") or received.attributes.get("JobType"),
            error_code=reason.get(ERROR_CODE),
            error_message=reason.get(ERROR_MESSAGE),
            attempts=_whole_number(reason.get("Attempts", "")),
            failed_at=received.sent_at if moved else failed_at(received),
            payload_hash=payload_hash,
            unusable=unusable,
            names_its_job=bool(_text(document, "jobId")),
        )


def _document(body: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _text(document: dict[str, Any], name: str) -> str | None:
    value = document.get(name)
    return value if isinstance(value, str) else None


def _whole_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
