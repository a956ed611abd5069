"""Client library and core of the asynchronous AI job service.

The names here are what other services import; `ai_jobs.store`, `ai_jobs.model` and the rest serve the functions.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ai_jobs.client.asynchronous import AsyncJobsClient
    from ai_jobs.client.auth import BearerAuth, SigV4Auth
    from ai_jobs.client.job import Job, JobFailure
    from ai_jobs.client.problems import (
        ApiConnectionError,
        ApiError,
        AuthError,
        BadRequestError,
        ClientClosedError,
        ConflictError,
        InvalidArgumentError,
        JobCancelledError,
        JobFailedError,
        JobNotEndedError,
        NotAllowedError,
        NotFoundError,
        ThrottledError,
        UnavailableError,
        UnexpectedAnswerError,
        WaitTimeoutError,
    )
    from ai_jobs.client.sync import JobsClient
    from ai_jobs.clients import get_sqs_client
    from ai_jobs.erasing import Erased, erase_user
    from ai_jobs.errors import AIJobsError, ConfigurationError, JobError
    from ai_jobs.messages import AIJobMessage, AIJobResultMessage, JobResult, Usage
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
    "ApiConnectionError",
    "ApiError",
    "AsyncJobsClient",
    "AuthError",
    "BadRequestError",
    "BearerAuth",
    "ClientClosedError",
    "ConfigurationError",
    "ConflictError",
    "Erased",
    "InvalidArgumentError",
    "Job",
    "JobCancelledError",
    "JobError",
    "JobFailedError",
    "JobFailure",
    "JobNotEndedError",
    "JobResult",
    "JobsClient",
    "NotAllowedError",
    "NotFoundError",
    "QueueMessageCount",
    "ReceivedMessage",
    "SigV4Auth",
    "ThrottledError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "Usage",
    "WaitTimeoutError",
    "delete_message",
    "erase_user",
    "get_queue_attributes",
    "get_queue_message_count",
    "get_sqs_client",
    "receive_messages",
    "send_ai_job_request",
    "send_ai_job_result",
]

# `from ai_jobs import *` must work without the extra `async`; type checkers are to see the whole list.
if not TYPE_CHECKING and importlib.util.find_spec("aiohttp") is None:
    __all__.remove("AsyncJobsClient")

_HOMES = {
    "ai_jobs.client.asynchronous": ("AsyncJobsClient",),
    "ai_jobs.client.auth": ("BearerAuth", "SigV4Auth"),
    "ai_jobs.client.job": ("Job", "JobFailure"),
    "ai_jobs.client.problems": (
        "ApiConnectionError",
        "ApiError",
        "AuthError",
        "BadRequestError",
        "ClientClosedError",
        "ConflictError",
        "InvalidArgumentError",
        "JobCancelledError",
        "JobFailedError",
        "JobNotEndedError",
        "NotAllowedError",
        "NotFoundError",
        "ThrottledError",
        "UnavailableError",
        "UnexpectedAnswerError",
        "WaitTimeoutError",
    ),
    "ai_jobs.client.sync": ("JobsClient",),
    "ai_jobs.clients": ("get_sqs_client",),
    "ai_jobs.erasing": ("Erased", "erase_user"),
    "ai_jobs.errors": ("AIJobsError", "ConfigurationError", "JobError"),
    "ai_jobs.messages": ("AIJobMessage", "AIJobResultMessage", "JobResult", "Usage"),
    "ai_jobs.queues": (
        "QueueMessageCount",
        "ReceivedMessage",
        "delete_message",
        "get_queue_attributes",
        "get_queue_message_count",
        "receive_messages",
        "send_ai_job_request",
        "send_ai_job_result",
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    # Imported on first use (PEP 562): boto3 alone takes 0.3 s, and `ai-jobs --help` needs none of it.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
