"""Whose credentials these are, and whether they belong to the account and region of the queues."""

from __future__ import annotations

from collections.abc import Iterator

from ai_jobs.aws.clients import get_sqs_client, get_sts_client
from ai_jobs.aws.errors import CALL_ERRORS, code_of
from ai_jobs.operate.doctor.findings import Finding, State, Subject

_NAME = "credentials"

_UNREACHABLE = ("EndpointConnectionError", "ConnectTimeoutError")


def check_credentials(subject: Subject) -> Iterator[Finding]:
    """Do the credentials work, for the account and in the region of the environment's queues?"""
    try:
        identity = get_sts_client().get_caller_identity()
        region = get_sqs_client().meta.region_name
    except CALL_ERRORS as error:
        yield _failed_call(error)
        return
    arn = subject.outputs.get("request_queue_arn")
    # arn:aws:sqs:REGION:ACCOUNT:NAME, or https://HOST/ACCOUNT/NAME
    account = arn.split(":")[4] if arn else subject.need("request_queue_url").split("/")[-2]
    found = f"account {identity['Account']}, {identity['Arn']}, region {region}"
    if identity["Account"] != account:
        advice = f"set AWS_PROFILE to a profile of account {account}"
        yield Finding(_NAME, State.FAILED, f"{found}; but the queues are in account {account}", advice)
    elif arn and arn.split(":")[3] != region:
        there = arn.split(":")[3]
        yield Finding(_NAME, State.FAILED, f"{found}; but the queues are in {there}", f"set AWS_REGION={there}")
    else:
        yield Finding(_NAME, State.OK, found)


def _failed_call(error: Exception) -> Finding:
    if code_of(error) in _UNREACHABLE:
        # A network that does not reach STS may still reach everything else.
        advice = "check the network, AWS_REGION, and AWS_ENDPOINT_URL"
        return Finding(_NAME, State.WARNING, f"not checked: {error}", advice)
    advice = "set AWS_PROFILE, or log in (for example: aws sso login)"
    return Finding(_NAME, State.FAILED, f"can't be used: {error}", advice)
