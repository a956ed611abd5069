"""Client library and core of the asynchronous AI job service.

The names here are what other services import. The folders beside this file are layers, each of which imports only from
those below it: `cli`, `operate`, `service`, `aws`, `contract`; `client` stands on `contract` alone.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ai_jobs.aws.clients import get_sqs_client as get_sqs_client
    from ai_jobs.aws.queues import QueueMessageCount as QueueMessageCount
    from ai_jobs.aws.queues import ReceivedMessage as ReceivedMessage
    from ai_jobs.aws.queues import delete_message as delete_message
    from ai_jobs.aws.queues import get_queue_attributes as get_queue_attributes
    from ai_jobs.aws.queues import get_queue_message_count as get_queue_message_count
    from ai_jobs.aws.queues import receive_messages as receive_messages
    from ai_jobs.aws.queues import send_ai_job_result as send_ai_job_result
    from ai_jobs.aws.submission import send_ai_job_request as send_ai_job_request
    from ai_jobs.client.asynchronous import AsyncJobsClient as AsyncJobsClient
    from ai_jobs.client.auth import BearerAuth as BearerAuth
    from ai_jobs.client.auth import SigV4Auth as SigV4Auth
    from ai_jobs.client.exceptions import ApiConnectionError as ApiConnectionError
    from ai_jobs.client.exceptions import ApiError as ApiError
    from ai_jobs.client.exceptions import AuthError as AuthError
    from ai_jobs.client.exceptions import BadRequestError as BadRequestError
    from ai_jobs.client.exceptions import ClientClosedError as ClientClosedError
    from ai_jobs.client.exceptions import ConflictError as ConflictError
    from ai_jobs.client.exceptions import InvalidArgumentError as InvalidArgumentError
    from ai_jobs.client.exceptions import NotAllowedError as NotAllowedError
    from ai_jobs.client.exceptions import NotFoundError as NotFoundError
    from ai_jobs.client.exceptions import ThrottledError as ThrottledError
    from ai_jobs.client.exceptions import UnavailableError as UnavailableError
    from ai_jobs.client.exceptions import UnexpectedAnswerError as UnexpectedAnswerError
    from ai_jobs.client.into import ResultShapeError as ResultShapeError
    from ai_jobs.client.job import Job as Job
    from ai_jobs.client.job import JobCancelledError as JobCancelledError
    from ai_jobs.client.job import JobFailedError as JobFailedError
    from ai_jobs.client.job import JobFailure as JobFailure
    from ai_jobs.client.job import JobNotEndedError as JobNotEndedError
    from ai_jobs.client.job import WaitTimeoutError as WaitTimeoutError
    from ai_jobs.client.sync import JobsClient as JobsClient
    from ai_jobs.contract.attachments import Attachment as Attachment
    from ai_jobs.contract.errors import AIJobsError as AIJobsError
    from ai_jobs.contract.errors import AWSError as AWSError
    from ai_jobs.contract.errors import ConfigurationError as ConfigurationError
    from ai_jobs.contract.errors import JobError as JobError
    from ai_jobs.contract.request import AIJobMessage as AIJobMessage
    from ai_jobs.contract.result import AIJobResultMessage as AIJobResultMessage
    from ai_jobs.contract.result import JobResult as JobResult
    from ai_jobs.contract.result import Usage as Usage
    from ai_jobs.operate.erasing import Erased as Erased
    from ai_jobs.operate.erasing import erase_user as erase_user

_HOMES = {
    "ai_jobs.aws.clients": ("get_sqs_client",),
    "ai_jobs.aws.queues": (
        "QueueMessageCount",
        "ReceivedMessage",
        "delete_message",
        "get_queue_attributes",
        "get_queue_message_count",
        "receive_messages",
        "send_ai_job_result",
    ),
    "ai_jobs.aws.submission": ("send_ai_job_request",),
    "ai_jobs.client.asynchronous": ("AsyncJobsClient",),
    "ai_jobs.client.auth": (
        "BearerAuth",
        "SigV4Auth",
    ),
    "ai_jobs.client.exceptions": (
        "ApiConnectionError",
        "ApiError",
        "AuthError",
        "BadRequestError",
        "ClientClosedError",
        "ConflictError",
        "InvalidArgumentError",
        "NotAllowedError",
        "NotFoundError",
        "ThrottledError",
        "UnavailableError",
        "UnexpectedAnswerError",
    ),
    "ai_jobs.client.into": ("ResultShapeError",),
    "ai_jobs.client.job": (
        "Job",
        "JobCancelledError",
        "JobFailedError",
        "JobFailure",
        "JobNotEndedError",
        "WaitTimeoutError",
    ),
    "ai_jobs.client.sync": ("JobsClient",),
    "ai_jobs.contract.attachments": ("Attachment",),
    "ai_jobs.contract.errors": (
        "AIJobsError",
        "AWSError",
        "ConfigurationError",
        "JobError",
    ),
    "ai_jobs.contract.request": ("AIJobMessage",),
    "ai_jobs.contract.result": (
        "AIJobResultMessage",
        "JobResult",
        "Usage",
    ),
    "ai_jobs.operate.erasing": (
        "Erased",
        "erase_user",
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)
# `from ai_jobs import *` must work without the extra `async`.
if importlib.util.find_spec("aiohttp") is None:
    __all__.remove("AsyncJobsClient")


def __getattr__(name: str) -> Any:
    # Imported on first use (PEP 562): boto3 alone takes 0.3 s, and `ai-jobs --help` needs none of it.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
