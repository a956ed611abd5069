"""Client library and core of the asynchronous AI job service.

The names here are what other services import; `ai_jobs.store`, `ai_jobs.model` and the rest serve the functions.
"""

from ai_jobs.clients import get_sqs_client
from ai_jobs.erasing import Erased, erase_user
from ai_jobs.errors import AIJobsError, ConfigurationError, JobError
from ai_jobs.messages import AIJobMessage, AIJobResultMessage
from ai_jobs.queues import (
    QueueMessageCount,
    ReceivedMessage,
    delete_message,
    get_queue_attributes,
    get_queue_message_count,
    receive_messages,
    send_ai_job_request,
    send_ai_job_result,
)

__all__ = [
    "AIJobMessage",
    "AIJobResultMessage",
    "AIJobsError",
    "ConfigurationError",
    "Erased",
    "JobError",
    "QueueMessageCount",
    "ReceivedMessage",
    "delete_message",
    "erase_user",
    "get_queue_attributes",
    "get_queue_message_count",
    "get_sqs_client",
    "receive_messages",
    "send_ai_job_request",
    "send_ai_job_result",
]
