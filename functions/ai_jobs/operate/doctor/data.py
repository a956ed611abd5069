"""Where jobs are kept: the table with its indexes and expiry, and the bucket."""

from __future__ import annotations

from collections.abc import Iterator

from ai_jobs.aws.clients import get_dynamodb_client, get_s3_client
from ai_jobs.aws.errors import CALL_ERRORS, code_of
from ai_jobs.contract.limits import TABLE
from ai_jobs.operate.doctor.findings import APPLY, Finding, State, Subject
from ai_jobs.service.lifecycle import INDEXES

_TTL_ATTRIBUTE = TABLE["ttl_attribute"]
_PUBLIC_ACCESS_BLOCK = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def check_table(subject: Subject) -> Iterator[Finding]:
    """Is the table active, with its indexes, and do its rows expire?"""
    name = "table"
    client, table_name = get_dynamodb_client(), subject.need("table_name")
    table = client.describe_table(TableName=table_name)["Table"]
    findings = []
    if table["TableStatus"] != "ACTIVE":
        findings.append(Finding(name, State.WARNING, f"is {table['TableStatus']}", "check again in a minute"))
    indexes = {index["IndexName"]: index["IndexStatus"] for index in table.get("GlobalSecondaryIndexes", [])}
    for index in INDEXES:
        status = indexes.get(index.name, "missing")
        if status != "ACTIVE":
            state, advice = (State.WARNING, "check again later") if index.name in indexes else (State.FAILED, APPLY)
            findings.append(Finding(name, state, f"index {index.name} is {status}", advice))
    ttl = client.describe_time_to_live(TableName=table_name)["TimeToLiveDescription"]
    if ttl.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING") or ttl.get("AttributeName") != _TTL_ATTRIBUTE:
        found = f"expiry by {_TTL_ATTRIBUTE} is off: jobs are kept forever"
        findings.append(Finding(name, State.FAILED, found, APPLY))
    names = " and ".join(index.name for index in INDEXES)
    yield from findings or [Finding(name, State.OK, f"active, with its indexes {names}; jobs expire")]


def check_bucket(subject: Subject) -> Iterator[Finding]:
    """Does the bucket exist, and is public access blocked?"""
    name = "bucket"
    client, bucket = get_s3_client(), subject.need("bucket_name")
    client.head_bucket(Bucket=bucket)
    try:
        block = client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    except CALL_ERRORS as error:
        if code_of(error) != "NoSuchPublicAccessBlockConfiguration":
            raise
        block = {}
    if all(block.get(setting) for setting in _PUBLIC_ACCESS_BLOCK):
        yield Finding(name, State.OK, "exists, and public access is blocked")
    else:
        yield Finding(name, State.FAILED, "public access is not blocked", APPLY)
