"""Any text passes through the whole chain with its real parts: body, queue, worker, row, stream, event, command.

The worst case is half a surrogate pair: JSON can carry it, UTF-8 can't. Wherever it enters, the job ends with a reason,
and nothing that is written contains it.
"""

from __future__ import annotations

import itertools
import json
import uuid
from datetime import timedelta
from types import SimpleNamespace

import boto3
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as of_hypothesis
from hypothesis import strategies as st

from ai_jobs import JobError
from ai_jobs.aws.queues import receive_messages, send_message
from ai_jobs.contract import timestamps
from ai_jobs.contract.api_errors import RequestError
from ai_jobs.contract.result import Usage
from ai_jobs.service.budget import Budget
from ai_jobs.service.conversation import Answer
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.job_types import JobTypes
from ai_jobs.service.wait_slots import WaitSlots
from event_publisher.publish import publish
from event_publisher.settings import EventPublisherSettings
from jobs_api.requests import Request
from jobs_api.routes import JobsApi
from jobs_api.settings import JobsApiSettings
from processor.batch import process_batch
from processor.worker import Worker
from result_handler.batch import apply_batch
from result_handler.settings import ResultHandlerSettings

HALF = "\ud83c"
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from([HALF, "\udf89", "\uffff", "\x00", "\u2028"])), max_size=8)
PLACES = ("value", "key", "extra", "answer", "error", "foreign result", "foreign error", "user", "type", "body")


class Chain:
    """The service, with its functions called one after the other."""

    def __init__(self, aws, worker_settings, type_document, record, cli):
        self.aws, self.record, self.cli = aws, record, cli
        del type_document["inputSchema"]["additionalProperties"]
        self.types = JobTypes.from_document(json.dumps({"version": "1", "jobTypes": {"greeting": type_document}}))
        self.source = SimpleNamespace(get=lambda: self.types)
        self.store = JobStore(aws.table, bucket=aws.bucket)
        self.worker_settings = worker_settings
        self.result_settings = ResultHandlerSettings(aws.response_queue, aws.response_dlq, aws.table, aws.bucket, 900)
        queue = boto3.client("sqs").create_queue(QueueName="events-failed")["QueueUrl"]
        bus = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
        table = f"arn:aws:dynamodb:eu-west-1:123456789012:table/{aws.table}"
        self.event_settings = EventPublisherSettings(bus, table, queue, include_result=True)
        api = JobsApiSettings(aws.table, aws.bucket, aws.request_queue, "a", "e", "p", 60, 600, 900, 30, 25, "AWS_IAM")
        self.api = JobsApi(api, self.store, self.source, WaitSlots(aws.table, None))
        self.numbers = itertools.count()

    def put(self, body):
        """Status of a PUT."""
        event = {
            "httpMethod": "PUT",
            "resource": "/jobs/{jobId}",
            "path": "/jobs",
            "pathParameters": {"jobId": str(uuid.uuid4())},
            "requestContext": {},
            "body": body,
        }
        try:
            return self.api.answer(Request.from_event(event, "AWS_IAM", lambda: 29.0)).status
        except RequestError as error:
            json.dumps(error.to_body(), ensure_ascii=False).encode()
            return error.status

    def worker(self, ends_at, model):
        return Worker(self.worker_settings, self.store, Budget(self.aws.table), self.source.get, ends_at, model)

    def work(self, model):
        """Run the processor, then the result handler, on everything in their queues."""
        ends_at = timestamps.now() + timedelta(minutes=15)
        taken = self._taken(self.aws.request_queue)
        assert process_batch(taken, self.worker(ends_at, model), self.source) == []
        assert apply_batch(self._taken(self.aws.response_queue), self.store, self.result_settings) == []

    def _taken(self, queue_url):
        records = []
        while messages := receive_messages(queue_url, wait_seconds=0):
            for message in messages:
                taken = self.record(message.body, receipt_handle=message.receipt_handle, **message.attributes)
                records.append(taken | {"messageId": message.message_id})
                boto3.client("sqs").delete_message(QueueUrl=queue_url, ReceiptHandle=message.receipt_handle)
        return records

    def item(self, job_id):
        """The row as the stream shows it."""
        found = boto3.client("dynamodb").get_item(TableName=self.aws.table, Key={"jobId": {"S": job_id}})
        return found.get("Item")


@pytest.fixture
def chain(aws, settings, type_document, record, cli, monkeypatch):
    monkeypatch.setattr("ai_jobs.operate.sweep._POLL_SECONDS", 0)
    monkeypatch.setattr("ai_jobs.operate.sweep._PATIENCE_SECONDS", 0)
    return Chain(aws, settings, type_document, record, cli)


def test_no_text_stops_the_chain(chain):
    @of_hypothesis(
        max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(text=TEXTS, place=st.sampled_from(PLACES))
    @example(text=HALF, place="value")
    @example(text=HALF, place="key")
    @example(text=HALF, place="extra")
    @example(text=HALF, place="answer")
    @example(text=HALF, place="error")
    @example(text=HALF, place="foreign result")
    @example(text=HALF, place="foreign error")
    @example(text=HALF, place="user")
    @example(text=HALF, place="type")
    @example(text=HALF, place="body")
    def run(text, place):
        _through(chain, text, place)

    run()


def _through(chain, text, place):
    job_id = f"job-{next(chain.numbers)}"
    document = {"userId": "user-1", "jobType": "greeting", "input": {"name": "Ada"}}
    document["input"] |= {"value": {"name": text}, "key": {text: 1}}.get(place, {})
    document |= {"extra": {f"x{text}": text}, "user": {"userId": text}, "type": {"jobType": text}}.get(place, {})
    body = json.dumps({"jobId": job_id} | document)
    if place in ("value", "key"):
        refused = any("\ud800" <= character <= "\udfff" for character in text)
        assert chain.put(json.dumps(document)) == (400 if refused else 202)
    if place == "body":  # as POST /jobs sends it, which is not JSON
        body = f"{{{json.dumps(text)}"
    attributes = {"JobId": job_id, "UserId": "user-1", "JobType": "greeting"} if place == "body" else {"JobId": job_id}
    send_message(chain.aws.request_queue, body, attributes)

    def model(job_type, model_id, conversation, output):
        if place.startswith("foreign"):
            raise JobError("MODEL_ERROR", "it goes back")  # another producer is faster
        if place == "error":
            raise JobError("GUARDRAIL_INTERVENED", f"it says {text}", f"input.{text}")
        written = text if place == "answer" else "Hello"
        return Answer(written, None, "m", Usage(1, 2), "end_turn", truncated=False)

    chain.work(model) if not place.startswith("foreign") else _answered_elsewhere(chain, job_id, text, place, model)
    item = chain.item(job_id)
    if place in ("user", "type") and item is None:  # no one's job: it is in the DLQ
        messages = json.loads(_printed(chain, "dlq", "list", "--json"))
        assert any(message["jobId"] == job_id for message in messages)
        return
    assert item["status"]["S"] in ("completed", "failed"), item
    json.dumps(item, ensure_ascii=False).encode()
    record = {"eventName": "MODIFY", "dynamodb": {"NewImage": item, "SequenceNumber": "1"}}
    assert publish([record], chain.event_settings) == []
    poisoned = {"error": {"M": {"code": {"S": "X"}, "message": {"S": text}}}, "status": {"S": "failed"}}
    record = {"eventName": "MODIFY", "dynamodb": {"NewImage": item | poisoned, "SequenceNumber": "2"}}
    assert publish([record], chain.event_settings) == [], "such a row does not block its shard"
    _printed(chain, "status", job_id, "--json")
    _printed(chain, "status", job_id)


def _answered_elsewhere(chain, job_id, text, place, model):
    records = chain._taken(chain.aws.request_queue)
    ends_at = timestamps.now() + timedelta(minutes=15)
    process_batch(records, chain.worker(ends_at, model), chain.source)
    outcome = {"result": {f"a{text}": [text]}, "status": "completed"}
    if place == "foreign error":
        outcome = {"error": text, "status": "failed"}
    said = {
        "jobId": job_id,
        "userId": "user-1",
        "jobType": "greeting",
        "timestamp": timestamps.to_text(timestamps.now()),
    }
    send_message(chain.aws.response_queue, json.dumps(said | outcome | {"traceId": text}), {"JobId": job_id})
    chain.work(model)


def _printed(chain, *arguments):
    shown = chain.cli(*arguments).stdout
    shown.encode()
    return shown
