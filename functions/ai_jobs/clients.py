"""The boto3 clients: one of each per process, with the time-outs and retries that the system counts on."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from ai_jobs import configuration

if TYPE_CHECKING:
    from mypy_boto3_appconfigdata import AppConfigDataClient
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

MAX_POOL_CONNECTIONS = 50
"""Sockets a client keeps, and so the bound on the jobs that one process works on at once."""

_CONNECT_TIMEOUT_SECONDS = 5

# Longer than SQS's longest poll (20 s), shorter than any visibility timeout worth having.
_READ_TIMEOUT_SECONDS = 30

# Creating a client goes through boto3's default session, which is not safe to use from two threads at once
# (https://boto3.amazonaws.com/v1/documentation/api/latest/guide/clients.html); the clients themselves are.
_creation = threading.Lock()


def _config(read_timeout: float, attempts: int) -> Config:
    return Config(
        connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=MAX_POOL_CONNECTIONS,
        user_agent_extra="ai-jobs",
    )


@functools.cache
def get_sqs_client() -> SQSClient:
    """The process's SQS client; `USE_LOCAL_AWS` and `AWS_ENDPOINT_URL` say where it points.

    Raises:
        ConfigurationError: when `USE_LOCAL_AWS` is neither true nor false.
        botocore.exceptions.NoRegionError: when no region is configured.
    """
    with _creation:
        return boto3.client("sqs", endpoint_url=configuration.endpoint_url(), config=_config(_READ_TIMEOUT_SECONDS, 3))


@functools.cache
def get_dynamodb_client() -> DynamoDBClient:
    """The process's DynamoDB client. Raises as `get_sqs_client` does."""
    with _creation:
        return boto3.client("dynamodb", endpoint_url=configuration.endpoint_url(), config=_config(10, 3))


@functools.cache
def get_appconfigdata_client() -> AppConfigDataClient:
    """The process's AppConfig data client. Raises as `get_sqs_client` does."""
    with _creation:
        return boto3.client("appconfigdata", endpoint_url=configuration.endpoint_url(), config=_config(10, 2))


@functools.cache
def get_bedrock_client(read_timeout_seconds: int) -> BedrockRuntimeClient:
    """The Bedrock client for this read time-out: botocore has no time-out per call, so there is one client for each.

    It tries once: a retry inside botocore would bill the model a second time behind the retry policy's back.
    Raises as `get_sqs_client` does.
    """
    with _creation:
        return boto3.client(
            "bedrock-runtime", endpoint_url=configuration.endpoint_url(), config=_config(read_timeout_seconds, 1)
        )
