"""The queues: send, receive, delete, count, and what a worker needs beyond that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ai_jobs.aws import objects, settings
from ai_jobs.aws.clients import get_sqs_client, get_sqs_sending_client
from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import AIJobsError, AWSError, JobError
from ai_jobs.contract.request import AIJobMessage
from ai_jobs.contract.result import AIJobResultMessage
from ai_jobs.contract.rules import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef, MessageTypeDef

MAX_DELAY_SECONDS = 900
"""The longest delay of one SQS message."""

_MAX_VISIBILITY_SECONDS = 43_200
_BATCH_LIMIT = 10
_ATTRIBUTE_LIMIT = 10


@dataclass(frozen=True)
class ReceivedMessage:
    """A message taken from a queue.

    Attributes:
        attributes: its string message attributes by name.
        system_attributes: SQS's own, such as `SentTimestamp` and `ApproximateReceiveCount`.
    """

    message_id: str
    receipt_handle: str
    body: str
    attributes: dict[str, str]
    system_attributes: dict[str, str]

    @classmethod
    def from_lambda_record(cls, record: Mapping[str, Any]) -> ReceivedMessage:
        """The message in a record of the event that Lambda's SQS trigger passes to a function.

        https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event
        """
        attributes = record.get("messageAttributes", {})
        return cls(
            message_id=record["messageId"],
            receipt_handle=record["receiptHandle"],
            body=record["body"],
            attributes={name: value["stringValue"] for name, value in attributes.items() if value.get("stringValue")},
            system_attributes=dict(record["attributes"]),
        )

    @property
    def sent_at(self) -> datetime:
        """When SQS took the message."""
        return timestamps.from_epoch_milliseconds(self.system_attributes["SentTimestamp"])

    @property
    def receive_count(self) -> int:
        """How often it was received, this time included; SQS dead-letters it after maxReceiveCount."""
        return int(self.system_attributes["ApproximateReceiveCount"])

    @property
    def group_id(self) -> str | None:
        """The fair queue's group it was sent with."""
        return self.system_attributes.get("MessageGroupId")

    @property
    def trace_header(self) -> str | None:
        """The X-Ray trace that it belongs to, as `Root=1-...;Parent=...;Sampled=1`."""
        return self.system_attributes.get("AWSTraceHeader")


@dataclass(frozen=True)
class QueueMessageCount:
    """How many messages a queue holds; SQS's figures are approximate.

    Attributes:
        visible: ready to be received.
        in_flight: received and not yet deleted.
        delayed: not yet visible.
    """

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.visible + self.in_flight + self.delayed


@contextmanager
def _reported(action: str, queue_url: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        raise AWSError(f"cannot {action} {queue_url}: {error}", code) from error


@contextmanager
def _about(job_id: str) -> Iterator[None]:
    """What fails says which job it was about, as `error.job_id`, so that whoever sends many knows which to repeat."""
    try:
        yield
    except (AIJobsError, ValueError) as error:
        vars(error)["job_id"] = job_id  # a ValueError has no such attribute of its own
        raise


def to_message_attributes(attributes: Mapping[str, str]) -> dict[str, MessageAttributeValueTypeDef]:
    """`{Name: text}` in SQS's form. Empty values are left out, since SQS refuses them."""
    return {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items() if text}


def with_more_attributes(own: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Both together. SQS takes ten attributes, so of a stranger's message only the first ones are kept.

    `UserId` is always among them: it says whose job it is, whatever the body says.
    """
    others = sorted((name for name in own if name not in more), key=lambda name: name != "UserId")
    kept = others[: _ATTRIBUTE_LIMIT - len(more)]
    return {name: own[name] for name in kept} | dict(more)


def size_of(body: str, attributes: Mapping[str, str]) -> int:
    """Bytes that a message counts for: its body and its attributes' names, types and values."""
    texts = [body, *(part for name, text in attributes.items() for part in (name, "String", text))]
    return sum(len(text.encode()) for text in texts)


def send_message(
    queue_url: str,
    body: str,
    attributes: Mapping[str, str],
    group_id: str | None = None,
    delay_seconds: int = 0,
    trace_header: str | None = None,
) -> str:
    """Put one message on a queue.

    Args:
        group_id: the fair queue's group (`MessageGroupId`), so that one user's backlog does not hold up the others.
        delay_seconds: 0 to 900.
        trace_header: the X-Ray trace that it belongs to. Without it botocore sends, within a Lambda function, the
            invocation's own (https://docs.aws.amazon.com/xray/latest/devguide/xray-services-sqs.html).

    Returns:
        SQS's message id.

    Raises:
        ValueError: when it is over 262,144 bytes, or the delay is out of range.
        AWSError: when SQS can't be reached or refuses.
    """
    if not 0 <= delay_seconds <= MAX_DELAY_SECONDS:
        raise ValueError(f"delay_seconds is {delay_seconds}: it must be from 0 to {MAX_DELAY_SECONDS}")
    _check_size(body, attributes)
    arguments: dict[str, Any] = {"MessageGroupId": group_id} if group_id else {}
    if delay_seconds:
        arguments["DelaySeconds"] = delay_seconds
    if trace_header:
        trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": trace_header}}
        arguments["MessageSystemAttributes"] = trace
    with _reported("send to", queue_url):
        answer = get_sqs_sending_client().send_message(
            QueueUrl=queue_url, MessageBody=body, MessageAttributes=to_message_attributes(attributes), **arguments
        )
    return answer["MessageId"]


def _check_size(body: str, attributes: Mapping[str, str]) -> None:
    size = size_of(body, attributes)
    if size > MAX_MESSAGE_BYTES:
        raise ValueError(
            f"the message is {size} bytes: SQS takes at most {MAX_MESSAGE_BYTES}; shorten its content, or set "
            "AI_JOB_BUCKET to the module's bucket, where large inputs go"
        )


def send_ai_job_request(
    message: AIJobMessage, *, queue_url: str | None = None, delay_seconds: int = 0, bucket: str | None = None
) -> str:
    """Submit a job by putting it on the request queue; an input over 200,000 bytes goes to the bucket, if one is known.

    Args:
        message: the job; its fields were checked when it was made.
        queue_url: the queue, `AI_JOB_REQUEST_QUEUE_URL` by default.
        delay_seconds: how long it stays hidden from the workers, 0 to 900.
        bucket: for large inputs, `AI_JOB_BUCKET` by default. Without one the queue's 262,144 bytes are the limit.

    Returns:
        SQS's message id (the job is known by `message.job_id`).

    Raises:
        ConfigurationError: when no URL is given and the variable is unset.
        ValueError: when the job is too large: over 262,144 bytes without a bucket, over 10,000,000 with one.
        AWSError: when SQS or S3 can't be reached or refuses. It and the ValueError have a `job_id`.
    """
    url = queue_url or settings.request_queue_url()
    store_in = bucket or settings.bucket()
    with _about(message.job_id):
        if store_in:
            try:
                message = with_large_input_stored(message, store_in)
            except JobError as error:
                raise AWSError(f"cannot store the input in {store_in}: {error.message}", error.code) from error
        return send_message(url, message.to_body(), message.attributes(), message.user_id, delay_seconds)


def check_size(message: AIJobMessage, bucket: str | None) -> None:
    """Raise the ValueError that `send_ai_job_request` would raise for a job that is too large, without sending it."""
    if bucket and message.has_large_input:
        objects.input_location(bucket, message)
    else:
        _check_size(message.to_body(), message.attributes())


def with_large_input_stored(message: AIJobMessage, bucket: str) -> AIJobMessage:
    """The job as it goes on the queue: an input over 200,000 bytes is stored in the bucket, and its location is sent.

    Raises:
        ValueError: when the input is over 10,000,000 bytes.
        JobError: `DEPENDENCY_UNAVAILABLE` or `DEPENDENCY_REFUSED` when S3 does not accept it.
    """
    located = with_large_input_located(message, bucket)
    if located is not message and located.input_location:
        objects.put_input(message, located.input_location)
    return located


def with_large_input_located(message: AIJobMessage, bucket: str) -> AIJobMessage:
    """The same, before the input is stored. Raises ValueError as `with_large_input_stored` does."""
    if not message.has_large_input:
        return message
    return replace(message, input={}, input_location=objects.input_location(bucket, message))


def send_ai_job_result(
    message: AIJobResultMessage, *, queue_url: str | None = None, trace_header: str | None = None
) -> str:
    """Report the outcome of a job by putting it on the response queue (`AI_JOB_RESPONSE_QUEUE_URL` by default).

    Args:
        trace_header: the X-Ray trace of the job's request (`ReceivedMessage.trace_header`).

    Returns and raises as `send_ai_job_request` does.
    """
    url = queue_url or settings.response_queue_url()
    with _about(message.job_id):
        return send_message(url, message.to_body(), message.attributes(), message.user_id, trace_header=trace_header)


def receive_messages(
    queue_url: str, *, max_messages: int = 10, wait_seconds: int = 20, visibility_timeout_seconds: int | None = None
) -> list[ReceivedMessage]:
    """Take up to `max_messages` (1 to 10) messages, waiting up to `wait_seconds` (0 to 20) for the first.

    They stay hidden from other readers for the queue's visibility timeout, or the one given; delete each one that is
    done with. Raises AWSError when SQS can't be reached or refuses.
    """
    arguments: dict[str, Any] = {}
    if visibility_timeout_seconds is not None:
        arguments["VisibilityTimeout"] = visibility_timeout_seconds
    with _reported("receive from", queue_url):
        answer = get_sqs_client().receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=max_messages,
            WaitTimeSeconds=wait_seconds,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
            **arguments,
        )
    return [_received(message) for message in answer.get("Messages", [])]


def _received(message: MessageTypeDef) -> ReceivedMessage:
    attributes = message.get("MessageAttributes", {})
    return ReceivedMessage(
        message_id=message["MessageId"],
        receipt_handle=message["ReceiptHandle"],
        body=message["Body"],
        attributes={name: value["StringValue"] for name, value in attributes.items() if "StringValue" in value},
        system_attributes={str(name): value for name, value in message.get("Attributes", {}).items()},
    )


def delete_message(queue_url: str, receipt_handle: str) -> None:
    """Remove a received message for good. Raises AWSError when SQS can't be reached or refuses."""
    with _reported("delete from", queue_url):
        get_sqs_client().delete_message(QueueUrl=queue_url, ReceiptHandle=receipt_handle)


def get_queue_attributes(queue_url: str) -> dict[str, str]:
    """Every attribute of the queue by its SQS name. Raises AWSError when SQS can't be reached or refuses."""
    with _reported("read the attributes of", queue_url):
        answer = get_sqs_client().get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
    return {str(name): value for name, value in answer["Attributes"].items()}


def get_queue_message_count(queue_url: str) -> QueueMessageCount:
    """How many messages the queue holds. Raises AWSError when SQS can't be reached or refuses."""
    attributes = get_queue_attributes(queue_url)
    return QueueMessageCount(
        visible=int(attributes["ApproximateNumberOfMessages"]),
        in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        delayed=int(attributes["ApproximateNumberOfMessagesDelayed"]),
    )


def change_visibility(queue_url: str, receipt_handle: str, seconds: int) -> None:
    """Hide a received message for `seconds` from now (cut to SQS's 12 hours). Raises AWSError."""
    with _reported("change the visibility of a message in", queue_url):
        get_sqs_client().change_message_visibility(
            QueueUrl=queue_url,
            ReceiptHandle=receipt_handle,
            VisibilityTimeout=max(0, min(seconds, _MAX_VISIBILITY_SECONDS)),
        )


def change_visibility_of_all(queue_url: str, receipt_handles: Iterable[str], seconds: int) -> list[str]:
    """Hide received messages for `seconds` from now, ten a call.

    Returns:
        SQS's error code for each message that it did not hide.

    Raises:
        AWSError: when SQS can't be reached or refuses a call as a whole.
    """
    handles = list(receipt_handles)
    codes: list[str] = []
    for start in range(0, len(handles), _BATCH_LIMIT):
        with _reported("change the visibility of messages in", queue_url):
            answer = get_sqs_client().change_message_visibility_batch(
                QueueUrl=queue_url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
                    for index, handle in enumerate(handles[start : start + _BATCH_LIMIT])
                ],
            )
        codes += [failure["Code"] for failure in answer.get("Failed", [])]
    return codes
