"""What a task of a peer does, in the peers' own environment: call the model, and write the result where a user polls.

The low-level clients are the fastest that boto3 has: a peer must not lose for how its task is written.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

import boto3
from botocore.config import Config

MODEL = "amazon.nova-lite-v1:0"

_config = Config(max_pool_connections=50, retries={"total_max_attempts": 1})
_bedrock = boto3.client("bedrock-runtime", config=_config)
_dynamodb = boto3.client("dynamodb", config=_config)


def queue_name() -> str:
    """The queue of this run of the peer."""
    return os.environ["BENCH_QUEUE"]


def visibility_seconds() -> int:
    """The queue's visibility timeout, the same as ours."""
    return int(os.environ["BENCH_VISIBILITY_SECONDS"])


def complete(job_id: str, prompt: str) -> None:
    """Run one job."""
    response = _bedrock.converse(
        modelId=MODEL,
        messages=[{"role": "user", "content": [{"text": prompt}]}],
        inferenceConfig={"maxTokens": 100},
    )
    text = response["output"]["message"]["content"][0]["text"]
    row = {"jobId": job_id, "status": "completed", "result": text, "completedAt": datetime.now(UTC).isoformat()}
    _dynamodb.put_item(TableName=os.environ["BENCH_TABLE"], Item={name: {"S": value} for name, value in row.items()})
