"""One job: once at most, with a result on the response queue."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.parser import BaseModel, Field
from botocore.config import Config

MODEL_ID = "amazon.nova-lite-v1:0"

logger = Logger(service="usual-way")
tracer = Tracer(service="usual-way")
# As many connections as jobs may run at once; the default, 10, would make threads wait for each other.
_connections = Config(max_pool_connections=50)
sqs = boto3.client("sqs", config=_connections)
bedrock = boto3.client("bedrock-runtime", config=_connections)
# The key's name is that of our table, so that both can use the same canned one.
claims = DynamoDBPersistenceLayer(
    table_name=os.environ["AI_JOB_TABLE_NAME"],
    key_attr="jobId",
    boto3_client=boto3.client("dynamodb", config=_connections),
)
idempotency = IdempotencyConfig(event_key_jmespath="jobId")


class Input(BaseModel):
    """What a job of this type needs."""

    subject: str = Field(min_length=1, max_length=2000)
    audience: str = "the general public"
    tone: str = "plain"
    points: list[str] = Field(default_factory=list)


class Job(BaseModel):
    """A message of the request queue."""

    jobId: str
    userId: str
    jobType: str
    input: Input


@tracer.capture_method(capture_response=False)
@idempotent_function(  # type: ignore[untyped-decorator]
    data_keyword_argument="job", persistence_store=claims, config=idempotency
)
def work_on(job: Job) -> dict[str, Any]:
    """Run the job's model call and send its result."""
    answer = bedrock.converse(
        modelId=MODEL_ID,
        system=[{"text": f"You write for {job.input.audience}. Be brief, and use {job.input.tone} language."}],
        messages=[{"role": "user", "content": [{"text": _prompt(job.input)}]}],
        inferenceConfig={"maxTokens": 600},
    )
    text = answer["output"]["message"]["content"][0]["text"]
    result = {"jobId": job.jobId, "status": "completed", "result": {"text": text, "usage": answer["usage"]}}
    sqs.send_message(QueueUrl=os.environ["AI_JOB_RESPONSE_QUEUE_URL"], MessageBody=json.dumps(result))
    logger.info("job completed", extra={"jobId": job.jobId})
    return {"status": "completed"}


def _prompt(job_input: Input) -> str:
    points = "".join(f"- {point}\n" for point in job_input.points)
    return f"Write about this subject: {job_input.subject}\n{points}"
