"""The queues: send, receive, delete, count, and what a worker needs in addition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ai_jobs.aws import settings
from ai_jobs.aws.clients import get_sqs_client, get_sqs_sending_client
from ai_jobs.aws.errors import reported_as_aws_error
from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import AIJobsError
from ai_jobs.contract.limits import LIMITS
from ai_jobs.contract.result import AIJobResultMessage
from ai_jobs.contract.rules import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef, MessageTypeDef

MAX_DELAY_SECONDS = LIMITS["delay_seconds"].max
"""The longest delay of one SQS message."""

BATCH_LIMIT = 10
"""How many messages one call takes."""

_MAX_VISIBILITY_SECONDS = LIMITS["visibility_timeout_seconds"].max
_ATTRIBUTE_LIMIT = 10


@dataclass(frozen=True)
class ReceivedMessage:
    """A message received from a queue.

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
        """When SQS accepted the message."""
        return timestamps.from_epoch_milliseconds(self.system_attributes["SentTimestamp"])

    @property
    def receive_count(self) -> int:
        """How often it was received, including this time; SQS dead-letters it after maxReceiveCount receives."""
        return int(self.system_attributes["ApproximateReceiveCount"])

    @property
    def group_id(self) -> str | None:
        """The fair queue's group that it was sent with."""
        return self.system_attributes.get("MessageGroupId")

    @property
    def trace_header(self) -> str | None:
        """The X-Ray trace that it belongs to, as `Root=1-...;Parent=...;Sampled=1`."""
        return self.system_attributes.get("AWSTraceHeader")


@dataclass(frozen=True)
class QueueMessageCount:
    """How many messages a queue holds; SQS's numbers are approximate.

    Attributes:
        visible: available to be received.
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
def about_job(job_id: str) -> Iterator[None]:
    """Name the job in whatever fails, as `error.job_id`, so that whoever sends many knows which one to repeat."""
    try:
        yield
    except (AIJobsError, ValueError) as error:
        vars(error)["job_id"] = job_id  # a ValueError has no such attribute of its own
        raise


def to_message_attributes(attributes: Mapping[str, str]) -> dict[str, MessageAttributeValueTypeDef]:
    """`{Name: text}` in SQS's format, without empty values, which SQS rejects."""
    return {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items() if text}


def with_more_attributes(own: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Both together. SQS accepts ten attributes, so only the first ones of a message that has many of its own are kept.

    `UserId` is always among them: it says whose job it is, regardless of the body.
    """
    others = sorted((name for name in own if name not in more), key=lambda name: name != "UserId")
    kept = others[: _ATTRIBUTE_LIMIT - len(more)]
    return {name: own[name] for name in kept} | dict(more)


def size_of(body: str, attributes: Mapping[str, str]) -> int:
    """The size of a message in bytes, as SQS counts it: its body and its attributes' names, types, and values."""
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
        group_id: the fair queue's group (`MessageGroupId`), so that one user's backlog does not delay the others.
        delay_seconds: 0 to 900.
        trace_header: the X-Ray trace that it belongs to. Without it, botocore sends the invocation's own trace from
            within a Lambda function (https://docs.aws.amazon.com/xray/latest/devguide/xray-services-sqs.html).

    Returns:
        SQS's message id.

    Raises:
        ValueError: if the message is over 262,144 bytes, or the delay is out of range.
        AWSError: if SQS is unreachable or refuses.
    """
    if not 0 <= delay_seconds <= MAX_DELAY_SECONDS:
        raise ValueError(f"delay_seconds is {delay_seconds}. It must be from 0 to {MAX_DELAY_SECONDS}.")
    check_message_size(body, attributes)
    arguments = message_arguments(body, attributes, group_id, delay_seconds, trace_header)
    with reported_as_aws_error("send to", queue_url):
        answer = get_sqs_sending_client().send_message(QueueUrl=queue_url, **arguments)
    return answer["MessageId"]


def message_arguments(
    body: str,
    attributes: Mapping[str, str],
    group_id: str | None = None,
    delay_seconds: int = 0,
    trace_header: str | None = None,
) -> dict[str, Any]:
    """The arguments of SendMessage, or an entry of SendMessageBatch, from those of `send_message`."""
    arguments: dict[str, Any] = {"MessageBody": body, "MessageAttributes": to_message_attributes(attributes)}
    if group_id:
        arguments["MessageGroupId"] = group_id
    if delay_seconds:
        arguments["DelaySeconds"] = delay_seconds
    if trace_header:
        trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": trace_header}}
        arguments["MessageSystemAttributes"] = trace
    return arguments


def check_message_size(body: str, attributes: Mapping[str, str]) -> None:
    """Raise ValueError if SQS would reject a message for its size."""
    size = size_of(body, attributes)
    if size > MAX_MESSAGE_BYTES:
        raise ValueError(
            f"The message has {size} bytes. SQS accepts at most {MAX_MESSAGE_BYTES}. Shorten its content, or set "
            "AI_JOB_BUCKET to the module's bucket, which stores large inputs."
        )


def send_ai_job_result(
    message: AIJobResultMessage, *, queue_url: str | None = None, trace_header: str | None = None
) -> str:
    """Report the outcome of a job by putting it on the response queue (`AI_JOB_RESPONSE_QUEUE_URL` by default).

    Args:
        trace_header: the X-Ray trace of the job's request (`ReceivedMessage.trace_header`).

    Returns:
        SQS's message id.

    Raises:
        ConfigurationError: if no URL is passed and the variable is unset.
        ValueError: if the result is over 262,144 bytes.
        AWSError: if SQS is unreachable or refuses. It and the ValueError have a `job_id`.
    """
    url = queue_url or settings.response_queue_url()
    with about_job(message.job_id):
        return send_message(url, message.to_body(), message.attributes(), message.user_id, trace_header=trace_header)


def receive_messages(
    queue_url: str, *, max_messages: int = 10, wait_seconds: int = 20, visibility_timeout_seconds: int | None = None
) -> list[ReceivedMessage]:
    """Receive up to `max_messages` (1 to 10) messages, waiting up to `wait_seconds` (0 to 20) for the first.

    They stay hidden from other receivers for the queue's visibility timeout, or the one passed. Delete each one when
    you are done with it. Raises AWSError if SQS is unreachable or refuses.
    """
    arguments: dict[str, Any] = {}
    if visibility_timeout_seconds is not None:
        arguments["VisibilityTimeout"] = visibility_timeout_seconds
    with reported_as_aws_error("receive from", queue_url):
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
    """Delete a received message. Raises AWSError if SQS is unreachable or refuses."""
    with reported_as_aws_error("delete from", queue_url):
        get_sqs_client().delete_message(QueueUrl=queue_url, ReceiptHandle=receipt_handle)


def get_queue_attributes(queue_url: str) -> dict[str, str]:
    """Every attribute of the queue by its SQS name. Raises AWSError if SQS is unreachable or refuses."""
    with reported_as_aws_error("read the attributes of", queue_url):
        answer = get_sqs_client().get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
    return {str(name): value for name, value in answer["Attributes"].items()}


def get_queue_message_count(queue_url: str) -> QueueMessageCount:
    """How many messages the queue holds. Raises AWSError if SQS is unreachable or refuses."""
    attributes = get_queue_attributes(queue_url)
    return QueueMessageCount(
        visible=int(attributes["ApproximateNumberOfMessages"]),
        in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        delayed=int(attributes["ApproximateNumberOfMessagesDelayed"]),
    )


def change_visibility(queue_url: str, receipt_handle: str, seconds: int) -> None:
    """Hide a received message for `seconds` from now (SQS allows at most 12 hours). Raises AWSError."""
    with reported_as_aws_error("change the visibility of a message in", queue_url):
        get_sqs_sending_client().change_message_visibility(
            QueueUrl=queue_url,
            ReceiptHandle=receipt_handle,
            VisibilityTimeout=max(0, min(seconds, _MAX_VISIBILITY_SECONDS)),
        )


def change_visibility_of_all(queue_url: str, receipt_handles: Iterable[str], seconds: int) -> list[str]:
    """Hide received messages for `seconds` from now, ten per call.

    Returns:
        SQS's error code for each message that it did not hide.

    Raises:
        AWSError: if SQS is unreachable or refuses a call as a whole.
    """
    handles = list(receipt_handles)
    codes: list[str] = []
    for start in range(0, len(handles), BATCH_LIMIT):
        with reported_as_aws_error("change the visibility of messages in", queue_url):
            answer = get_sqs_sending_client().change_message_visibility_batch(
                QueueUrl=queue_url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
                    for index, handle in enumerate(handles[start : start + BATCH_LIMIT])
                ],
            )
        codes += [failure["Code"] for failure in answer.get("Failed", [])]
    return codes
