"""Submitting a job to the request queue: an input that is too large for a message goes to the bucket first."""

from __future__ import annotations

from dataclasses import replace

from ai_jobs.aws import objects, settings
from ai_jobs.aws.queues import about_job, check_message_size, send_message
from ai_jobs.contract.errors import AWSError, JobError
from ai_jobs.contract.request import AIJobMessage


def send_ai_job_request(
    message: AIJobMessage, *, queue_url: str | None = None, delay_seconds: int = 0, bucket: str | None = None
) -> str:
    """Submit a job by sending it to the request queue; an input over 200,000 bytes goes to the bucket, if there is one.

    Args:
        message: the job; its fields were checked when it was created.
        queue_url: the queue, `AI_JOB_REQUEST_QUEUE_URL` by default.
        delay_seconds: delays the start by this many seconds, 0 to 900.
        bucket: for large inputs, `AI_JOB_BUCKET` by default. Without one, the queue's 262,144 bytes are the limit.

    Returns:
        SQS's message id (the job's id is `message.job_id`).

    Raises:
        ConfigurationError: if no URL is passed and the variable is unset.
        ValueError: if the job is too large: over 262,144 bytes without a bucket, over 10,000,000 with one.
        AWSError: if SQS or S3 is unreachable or refuses. It and the ValueError have a `job_id`.
    """
    url = queue_url or settings.request_queue_url()
    store_in = bucket or settings.bucket()
    with about_job(message.job_id):
        if store_in:
            try:
                message = with_large_input_stored(message, store_in)
            except JobError as error:
                raise AWSError(f"Cannot store the input in {store_in}: {error.message}", error.code) from error
        return send_message(url, message.to_body(), message.attributes(), message.user_id, delay_seconds)


def check_size(message: AIJobMessage, bucket: str | None) -> None:
    """Raise the ValueError that `send_ai_job_request` would raise for a job that is too large, without sending it."""
    if bucket and message.has_large_input:
        objects.input_location(bucket, message)
    else:
        check_message_size(message.to_body(), message.attributes())


def with_large_input_stored(message: AIJobMessage, bucket: str) -> AIJobMessage:
    """The job as it goes on the queue: an input over 200,000 bytes is stored in the bucket, and its location is sent.

    Raises:
        ValueError: if the input is over 10,000,000 bytes.
        JobError: `DEPENDENCY_UNAVAILABLE` or `DEPENDENCY_REFUSED` if S3 does not accept it.
    """
    located = with_large_input_located(message, bucket)
    if located is not message and located.input_location:
        objects.put_input(message, located.input_location)
    return located


def with_large_input_located(message: AIJobMessage, bucket: str) -> AIJobMessage:
    """The same, before the input is stored. Raises ValueError as `with_large_input_stored` does."""
    if not message.has_large_input:
        return message
    return replace(message, input={}, input_location=objects.input_location(bucket, message))
