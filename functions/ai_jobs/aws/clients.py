"""The boto3 clients: one of each per process, with the timeouts and retries that the system relies on."""

from __future__ import annotations

import functools
import os
import threading
from typing import TYPE_CHECKING, Any

import boto3
import botocore
from botocore.config import Config

from ai_jobs.aws import settings
from ai_jobs.aws.connections import make_patient
from ai_jobs.aws.signing import sign_quickly

if TYPE_CHECKING:
    from mypy_boto3_appconfig import AppConfigClient
    from mypy_boto3_appconfigdata import AppConfigDataClient
    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

_CONNECT_TIMEOUT_SECONDS = 1

# A model call is not retried here: a handshake that takes a moment longer must not use a receive of the job.
_MODEL_CONNECT_TIMEOUT_SECONDS = 2

MAX_POOL_CONNECTIONS = 50
"""The number of sockets a client keeps, and so the limit on the jobs that one process works on at once."""

# Longer than SQS's longest poll (20 s).
_SQS_READ_TIMEOUT_SECONDS = 25

# A healthy table, configuration, or queue responds in milliseconds. An unhealthy one must be noticed while there is
# time left to report it: jobs_api writes a row (two tries) and sends a message (three) within its 29 s.
_DATA_READ_TIMEOUT_SECONDS = 3

# How long S3 may take for the next bytes, not for an object as a whole. jobs_api calls AppConfig (two tries), then S3
# (three), and must be able to report within its 29 s that one of them hangs.
_S3_READ_TIMEOUT_SECONDS = 4

# For what only the command `ai-jobs` calls, while a person waits.
_CONTROL_READ_TIMEOUT_SECONDS = 10

# Signed URLs must use signature version 4 and the region's own endpoint, the only one that works for the buckets of
# every region. botocore signs for the global one unless the address is virtual
# (botocore.signers._should_use_global_endpoint).
_SIGNING = Config(
    signature_version="s3v4", s3={"us_east_1_regional_endpoint": "regional", "addressing_style": "virtual"}
)

_CALLING_MODELS = Config(connect_timeout=_MODEL_CONNECT_TIMEOUT_SECONDS)

# For the calls of every job, whose parameters are only made by our own typed code: AWS validates them, too, and to do
# it before is a seventh of a call's CPU time. Not for models: a call that can't be sent is MODEL_REQUEST_REJECTED.
_TRUSTED = Config(parameter_validation=False)

# Otherwise botocore composes its own twice per call, which is a fifth of the call's CPU time.
_USER_AGENT = f"Boto3/{boto3.__version__} Botocore/{botocore.__version__} ai-jobs"

# Creating a client goes through boto3's default session, which is not thread-safe
# (https://boto3.amazonaws.com/v1/documentation/api/latest/guide/clients.html). The clients themselves are.
_creation = threading.Lock()


@functools.cache
def _create(service: str, read_timeout_seconds: int, attempts: int, more: Config | None) -> Any:
    config = Config(
        connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        read_timeout=read_timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=MAX_POOL_CONNECTIONS,
        user_agent=_USER_AGENT,
    )
    client = boto3.client(
        service,  # type: ignore[call-overload]  # the stubs only know literal service names
        endpoint_url=settings.endpoint_url(),
        config=config.merge(more) if more else config,
    )
    sign_quickly(client)
    if more is _CALLING_MODELS:
        make_patient(client)
    return client


def _client(service: str, read_timeout_seconds: int, attempts: int, more: Config | None = None) -> Any:
    with _creation:
        return _create(service, read_timeout_seconds, attempts, more)


def get_sqs_client() -> SQSClient:
    """The process's SQS client, for the endpoint that `USE_LOCAL_AWS` and `AWS_ENDPOINT_URL` choose.

    Raises:
        ConfigurationError: if `USE_LOCAL_AWS` is neither true nor false.
        botocore.exceptions.NoRegionError: if no region is configured.
    """
    client: SQSClient = _client("sqs", _SQS_READ_TIMEOUT_SECONDS, attempts=3)
    return client


def get_sqs_sending_client() -> SQSClient:
    """The process's SQS client for calls other than long polls. Raises what `get_sqs_client` raises."""
    client: SQSClient = _client("sqs", _DATA_READ_TIMEOUT_SECONDS, attempts=3, more=_TRUSTED)
    return client


def get_dynamodb_client() -> DynamoDBClient:
    """The process's DynamoDB client. Raises what `get_sqs_client` raises."""
    client: DynamoDBClient = _client("dynamodb", _DATA_READ_TIMEOUT_SECONDS, attempts=2, more=_TRUSTED)
    return client


def get_appconfigdata_client() -> AppConfigDataClient:
    """The process's AppConfig data client. Raises what `get_sqs_client` raises."""
    client: AppConfigDataClient = _client("appconfigdata", _DATA_READ_TIMEOUT_SECONDS, attempts=2)
    return client


def get_s3_client() -> S3Client:
    """The process's S3 client. Raises what `get_sqs_client` raises."""
    client: S3Client = _client("s3", _S3_READ_TIMEOUT_SECONDS, attempts=3)
    return client


def get_s3_signing_client() -> S3Client:
    """The process's S3 client that only signs URLs. Raises what `get_sqs_client` raises."""
    client: S3Client = _client("s3", _S3_READ_TIMEOUT_SECONDS, attempts=3, more=_SIGNING)
    return client


def get_events_client() -> Any:
    """The process's EventBridge client, untyped because no stubs are installed. Raises what `get_sqs_client` raises."""
    return _client("events", _DATA_READ_TIMEOUT_SECONDS, attempts=2, more=_TRUSTED)


def get_bedrock_client(read_timeout_seconds: int) -> BedrockRuntimeClient:
    """The Bedrock client with this read timeout: botocore has no timeout per call, so each timeout has its own client.

    It does not retry a call: botocore would bill the model a second time behind the retry policy's back. It does retry
    the connection, as long as nothing was sent. Raises what `get_sqs_client` raises.
    """
    client: BedrockRuntimeClient = _client("bedrock-runtime", read_timeout_seconds, attempts=1, more=_CALLING_MODELS)
    return client


def get_lambda_client() -> LambdaClient:
    """The process's Lambda client, for the command. Raises what `get_sqs_client` raises."""
    client: LambdaClient = _client("lambda", _CONTROL_READ_TIMEOUT_SECONDS, attempts=3)
    return client


def get_cloudwatch_client() -> CloudWatchClient:
    """The process's CloudWatch client, for the command. Raises what `get_sqs_client` raises."""
    client: CloudWatchClient = _client("cloudwatch", _CONTROL_READ_TIMEOUT_SECONDS, attempts=3)
    return client


def get_appconfig_client() -> AppConfigClient:
    """The process's client of AppConfig's control plane, for the command. Raises what `get_sqs_client` raises."""
    client: AppConfigClient = _client("appconfig", _CONTROL_READ_TIMEOUT_SECONDS, attempts=3)
    return client


def get_bedrock_control_client() -> BedrockClient:
    """The process's client of Bedrock's control plane, for the command. Raises what `get_sqs_client` raises."""
    client: BedrockClient = _client("bedrock", _CONTROL_READ_TIMEOUT_SECONDS, attempts=3)
    return client


def get_iam_client() -> Any:
    """The process's IAM client, for the command, untyped because no stubs are installed.

    Raises what `get_sqs_client` raises.
    """
    return _client("iam", _CONTROL_READ_TIMEOUT_SECONDS, attempts=3)


def get_service_quotas_client() -> Any:
    """The process's Service Quotas client, for the command, untyped because no stubs are installed.

    Raises what `get_sqs_client` raises.
    """
    return _client("service-quotas", _CONTROL_READ_TIMEOUT_SECONDS, attempts=3)


def get_apigateway_client() -> Any:
    """The process's API Gateway client, for the command, untyped because no stubs are installed.

    Raises what `get_sqs_client` raises.
    """
    return _client("apigateway", _CONTROL_READ_TIMEOUT_SECONDS, attempts=3)


def get_scheduler_client() -> EventBridgeSchedulerClient:
    """The process's EventBridge Scheduler client, for the command. Raises what `get_sqs_client` raises."""
    client: EventBridgeSchedulerClient = _client("scheduler", _CONTROL_READ_TIMEOUT_SECONDS, attempts=3)
    return client


def get_kms_client() -> Any:
    """The process's KMS client, for the command, untyped because no stubs are installed.

    Raises what `get_sqs_client` raises.
    """
    return _client("kms", _CONTROL_READ_TIMEOUT_SECONDS, attempts=3)


def get_ec2_client() -> Any:
    """The process's EC2 client, for the command, untyped because no stubs are installed.

    Raises what `get_sqs_client` raises.
    """
    return _client("ec2", _CONTROL_READ_TIMEOUT_SECONDS, attempts=3)


def get_sns_client() -> SNSClient:
    """The process's SNS client, for the command. Raises what `get_sqs_client` raises."""
    client: SNSClient = _client("sns", _CONTROL_READ_TIMEOUT_SECONDS, attempts=3)
    return client


def get_sts_client() -> STSClient:
    """The process's STS client, for the command. Raises what `get_sqs_client` raises."""
    client: STSClient = _client("sts", _CONTROL_READ_TIMEOUT_SECONDS, attempts=3)
    return client


def forget_clients() -> None:
    """Make the next call of each function above create a new client, from the environment at that time."""
    with _creation:
        _create.cache_clear()


def _start_afresh() -> None:
    """Share no connection with the parent: two processes that read from one get each other's responses."""
    global _creation
    _creation = threading.Lock()  # a thread that the child does not have may hold the parent's
    _create.cache_clear()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_start_afresh)
