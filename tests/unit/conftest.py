"""What the unit tests share: fake AWS with the system's queues and table, records, the API's function, and a clock that
stands still."""

from __future__ import annotations

import functools
import importlib
import itertools
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.exceptions
import botocore.loaders
import botocore.session
import botocore.validate
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result
from moto import mock_aws
from moto.dynamodb.responses import DynamoHandler

from ai_jobs.aws import clients
from ai_jobs.aws.queues import ReceivedMessage
from ai_jobs.cli.main import main
from ai_jobs.contract import timestamps
from ai_jobs.contract.api_errors import API_CODES
from ai_jobs.contract.result import Usage
from ai_jobs.service.conversation import Answer
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.job_types import JobTypes
from ai_jobs.service.lifecycle import INDEXES
from ai_jobs.service.wait_slots import WaitSlots
from processor.settings import ProcessorSettings

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session", autouse=True)
def _descriptions_are_read_once() -> Iterator[None]:
    """botocore's descriptions of the services; moto starts a new session for each test, and that reads them anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.loaders.create_loader))
        yield


@pytest.fixture(scope="session", autouse=True)
def _conditional_writes_are_atomic() -> Iterator[None]:
    """As DynamoDB's are; moto reads the old row, looks at the condition, and writes without a lock.

    Reads as well: moto copies a row while it is written.
    """
    lock = threading.RLock()

    def locked(operation: Callable[..., Any]) -> Callable[..., Any]:
        def one_at_a_time(*args: Any, **kwargs: Any) -> Any:
            with lock:
                return operation(*args, **kwargs)

        return one_at_a_time

    with pytest.MonkeyPatch.context() as patch:
        for name in ("update_item", "get_item", "batch_get_item", "query", "scan", "put_item", "delete_item"):
            patch.setattr(DynamoHandler, name, locked(getattr(DynamoHandler, name)))
        yield


@pytest.fixture(autouse=True)
def _fake_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test may reach a real account, and no client may outlive its test's fake one."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):  # boto3 reads the first, Lambda sets the second
        monkeypatch.setenv(name, "eu-west-1")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "USE_LOCAL_AWS", "AWS_CA_BUNDLE", "AI_JOBS_ENV", "AI_JOBS_OUTPUTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "unit-tests")
    clients.forget_clients()
    yield
    clients.forget_clients()


@dataclass
class Clock:
    """A clock that moves when told to."""

    time: datetime = START

    def __call__(self) -> datetime:
        return self.time

    def forward(self, **parts: float) -> None:
        self.time += timedelta(**parts)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _create_table(name: str) -> None:
    keys = {"jobId": "S", "userId": "S", "createdAt#jobId": "S", "openShard": "N", "dueAt": "S"}
    boto3.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "jobId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in keys.items()],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index.name,
                "KeySchema": [
                    {"AttributeName": index.keys[0], "KeyType": "HASH"},
                    {"AttributeName": index.keys[1], "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.projects)},
            }
            for index in INDEXES
        ],
    )


@pytest.fixture
def aws() -> Iterator[SimpleNamespace]:
    """A fake account with the four queues, the jobs table and the bucket; its attributes are their URLs and names."""
    with mock_aws():
        sqs = boto3.client("sqs")
        urls = {
            name: sqs.create_queue(QueueName=name.replace("_", "-"))["QueueUrl"]
            for name in ("request_queue", "response_queue", "request_dlq", "response_dlq")
        }
        _create_table("jobs")
        boto3.client("s3").create_bucket(
            Bucket="objects", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        yield SimpleNamespace(table="jobs", bucket="objects", **urls)


@dataclass
class Calls:
    """Stands in for AWS where moto does not have the call, or not the answer that is wanted.

    Attributes:
        answers: by operation, such as `GetSchedule`: a document, an exception, or a function of the parameters that
            gives (or raises) either. Documents are checked against the operation's shape, as parameters are.
        made: the operations called, with their parameters.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    made: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def of(self, operation: str) -> list[dict[str, Any]]:
        """The parameters of each call of this operation."""
        return [parameters for name, parameters in self.made if name == operation]

    def refuse(self, operation: str, code: str, message: str = "refused") -> None:
        """Let AWS refuse the operation with this code."""
        self.answers[operation] = botocore.exceptions.ClientError(
            {"Error": {"Code": code, "Message": message}}, operation
        )

    def _remember(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["parameters"] = dict(params)

    def _answer(self, model: Any, context: dict[str, Any], **_: Any) -> tuple[SimpleNamespace, dict[str, Any]]:
        self.made.append((model.name, context["parameters"]))
        answer = self.answers[model.name]
        if callable(answer):
            answer = answer(context["parameters"])
        if isinstance(answer, botocore.exceptions.ClientError):
            return SimpleNamespace(status_code=400), {**answer.response, "ResponseMetadata": {}}
        if isinstance(answer, Exception):
            raise answer
        botocore.validate.validate_parameters(answer, model.output_shape)
        return SimpleNamespace(status_code=200), {**answer, "ResponseMetadata": {}}


@pytest.fixture(scope="session")
def _session_of_calls() -> boto3.Session:
    """One for all tests: reading the services' descriptions anew for each would take most of their time."""
    return boto3.Session("testing", "testing", region_name="eu-west-1")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, _session_of_calls: boto3.Session) -> Iterator[Calls]:
    """Answers every AWS call of the test; one that the test gave no answer for fails it (KeyError)."""
    fake = Calls()
    events = _session_of_calls.events
    events.register("before-parameter-build", fake._remember)
    events.register("before-call", fake._answer)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", _session_of_calls)
    yield fake
    events.unregister("before-parameter-build", fake._remember)
    events.unregister("before-call", fake._answer)


@pytest.fixture
def settings(aws: SimpleNamespace) -> ProcessorSettings:
    return ProcessorSettings(
        request_queue_url=aws.request_queue,
        request_dlq_url=aws.request_dlq,
        response_queue_url=aws.response_queue,
        table_name=aws.table,
        bucket=aws.bucket,
        config_application="application",
        config_environment="environment",
        config_profile="profile",
        config_max_age_seconds=60,
        visibility_timeout_seconds=900,
        max_receive_count=3,
        default_deadline_seconds=21_600,
        max_backoff_seconds=900,
        model_access_wait_seconds=600,
        retention_days=30,
    )


@pytest.fixture
def store(aws: SimpleNamespace, clock: Clock) -> JobStore:
    return JobStore(aws.table, retention_days=30, clock=clock, bucket=aws.bucket)


@pytest.fixture
def body() -> Callable[..., str]:
    """Makes the body of a request message; keyword arguments replace fields, None drops one."""

    def make(**fields: Any) -> str:
        document = {"jobId": "job-1", "userId": "user-1", "jobType": "greeting", "input": {"name": "Ada"}} | fields
        return json.dumps({name: value for name, value in document.items() if value is not None})

    return make


@pytest.fixture
def record(clock: Clock) -> Callable[..., dict[str, Any]]:
    """Makes a record of a Lambda event, each with a message id of its own."""
    numbers = itertools.count(1)

    def make(
        body: str,
        *,
        receive_count: int = 1,
        sent_at: datetime | None = None,
        receipt_handle: str = "",
        **attributes: str,
    ) -> dict[str, Any]:
        number = next(numbers)
        return {
            "messageId": f"message-{number}",
            "receiptHandle": receipt_handle or f"receipt-{number}",
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": str(receive_count),
                "SentTimestamp": str(int((sent_at or clock()).timestamp() * 1000)),
                "MessageGroupId": "user-1",
            },
            "messageAttributes": {
                name: {"stringValue": value, "dataType": "String"} for name, value in attributes.items()
            },
            "eventSource": "aws:sqs",
        }

    return make


@pytest.fixture
def received(record: Callable[..., dict[str, Any]]) -> Callable[..., ReceivedMessage]:
    """Makes a received message, as `record` does."""
    return lambda *args, **kwargs: ReceivedMessage.from_lambda_record(record(*args, **kwargs))


@pytest.fixture
def type_document() -> dict[str, Any]:
    """One job type as it stands in the configuration document."""
    return {
        "modelId": "amazon.nova-lite-v1:0",
        "systemPrompt": "You greet people in {{ language }}.",
        "prompt": "Greet {{ name }}.",
        "maxTokens": 100,
        "timeoutSeconds": 60,
        "inputSchema": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "language": {"type": "string", "default": "English"}},
            "additionalProperties": False,
        },
    }


@pytest.fixture
def photos_document(type_document: dict[str, Any]) -> dict[str, Any]:
    """A job type that takes files."""
    rules = {"mediaTypes": ["image/png", "application/pdf"], "maxCount": 2, "maxBytes": 10_000}
    prompt = "Describe{% for one in attachments %} {{ one.name }}{% endfor %} for {{ name }}."
    return type_document | {"prompt": prompt, "attachments": rules}


@pytest.fixture
def job_types(type_document: dict[str, Any], photos_document: dict[str, Any]) -> JobTypes:
    types = {"greeting": type_document, "photos": photos_document}
    return JobTypes.from_document(json.dumps({"version": "v1", "jobTypes": types}))


@pytest.fixture
def answer() -> Answer:
    """A model's answer to one call."""
    return Answer("Hello, Ada.", None, "amazon.nova-lite-v1:0", Usage(12, 5), "end_turn", truncated=False)


@pytest.fixture
def measured(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, list[Any]]]:
    """What was written as metrics since the last call: `{name: [value, ...]}`; of a job's metrics `[(type, value)]`."""
    monkeypatch.setenv("AI_JOB_TYPES", "greeting")

    def read() -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for line in capsys.readouterr().out.splitlines():
            document = json.loads(line)
            for metric in document["_aws"]["CloudWatchMetrics"][0]["Metrics"] if "_aws" in document else []:
                (value,) = document[metric["Name"]]
                job_type = document.get("JobType")
                found.setdefault(metric["Name"], []).append((job_type, value) if job_type else value)
        return found

    return read


@pytest.fixture
def messages_in() -> Callable[[str], list[ReceivedMessage]]:
    """Everything that is visible in a queue."""
    from ai_jobs.aws.queues import receive_messages

    def read(queue_url: str) -> list[ReceivedMessage]:
        found: list[ReceivedMessage] = []
        while batch := receive_messages(queue_url, wait_seconds=0):
            found += batch
        return found

    return read


@pytest.fixture
def cli(aws: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command `ai-jobs` on the fake account, as a pipe does: no terminal anywhere."""
    for variable, value in {
        "AI_JOB_REQUEST_QUEUE_URL": aws.request_queue,
        "AI_JOB_RESPONSE_QUEUE_URL": aws.response_queue,
        "AI_JOB_REQUEST_DLQ_URL": aws.request_dlq,
        "AI_JOB_RESPONSE_DLQ_URL": aws.response_dlq,
        "AI_JOB_TABLE_NAME": aws.table,
        "AI_JOB_BUCKET": aws.bucket,
    }.items():
        monkeypatch.setenv(variable, value)
    for variable in ("AI_JOBS_ENV", "AI_JOBS_OUTPUTS"):
        monkeypatch.delenv(variable, raising=False)

    def run(*arguments: str, stdin: str | None = None, charset: str = "utf-8") -> Result:
        result = CliRunner(charset=charset).invoke(main, arguments, input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "\x1b" not in result.output, "escape codes in a pipe"
        return result

    return run


@pytest.fixture
def refusing() -> Callable[..., None]:
    """Makes a call of a client fail with an AWS error code, from the nth on (0: at once)."""

    def refuse(client: Any, operation: str, code: str = "AccessDenied", after: int = 0) -> None:
        calls = itertools.count()

        def fail(**_: Any) -> None:
            if next(calls) >= after:
                raise ClientError({"Error": {"Code": code, "Message": f"on cue: {code}"}}, operation)

        client.meta.events.register(f"before-call.{client.meta.service_model.service_id.hyphenize()}.{operation}", fail)

    return refuse


class Context(SimpleNamespace):
    """What Lambda passes in addition to the event."""

    def get_remaining_time_in_millis(self):
        return self.milliseconds_left


class Api:
    """The function behind API Gateway; calls return status and body, `headers` are those of the last response."""

    def __init__(self, module, clock):
        self.module, self.clock, self.slept, self.headers = module, clock, [], {}
        self.authorizer = None
        self.milliseconds_left = 29_000
        self.while_asleep = lambda: None

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.clock.forward(seconds=seconds)
        self.while_asleep()

    def __call__(self, method, path="/jobs/job-1", body=None, headers=None, base64_encoded=False, **query):
        is_job = path.startswith("/jobs/")
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        answer = self.module.handler(
            {
                "resource": "/jobs/{jobId}" if is_job else path,
                "path": f"/behind/a/base/path{path}",  # as a custom domain may have it
                "httpMethod": method,
                "headers": headers,
                "multiValueHeaders": {},
                "queryStringParameters": {
                    name: values[-1] if isinstance(values, list) else values for name, values in query.items()
                }
                or None,
                "multiValueQueryStringParameters": {
                    name: values if isinstance(values, list) else [values] for name, values in query.items()
                }
                or None,
                "pathParameters": {"jobId": path.removeprefix("/jobs/")} if is_job else None,
                "requestContext": {
                    "stage": "v1",
                    "requestId": "r",
                    "path": f"/v1{path}",
                    "authorizer": self.authorizer,
                },
                "body": text,
                "isBase64Encoded": base64_encoded,
            },
            Context(
                function_name="f",
                memory_limit_in_mb=128,
                invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:f",
                aws_request_id="r",
                milliseconds_left=self.milliseconds_left,
            ),
        )
        self.headers = answer["headers"]
        if not answer["body"]:
            assert "Content-Type" not in answer["headers"]
            return answer["statusCode"], None
        assert answer["headers"]["Content-Type"] == "application/json"
        shown = json.loads(answer["body"])
        if "error" in shown and "jobId" not in shown:
            assert API_CODES[shown["error"]["code"]] == answer["statusCode"]
            assert set(shown["error"]) <= {"code", "message", "field"}
        return answer["statusCode"], shown

    def refused(self, *args, **kwargs):
        """The status, code, and field of an error."""
        status, shown = self(*args, **kwargs)
        return status, shown["error"]["code"], shown["error"].get("field")


@pytest.fixture
def start(aws, clock, monkeypatch, job_types):
    """Starts the function in a mode of authorization."""

    def begin(authorization="AWS_IAM", max_wait_seconds=25, max_concurrent_waits=None):
        if max_concurrent_waits:
            monkeypatch.setenv("AI_JOB_MAX_CONCURRENT_WAITS", str(max_concurrent_waits))
        for name, value in {
            "AI_JOB_TABLE_NAME": aws.table,
            "AI_JOB_BUCKET": aws.bucket,
            "AI_JOB_REQUEST_QUEUE_URL": aws.request_queue,
            "AI_JOB_CONFIG_APPLICATION": "a",
            "AI_JOB_CONFIG_ENVIRONMENT": "e",
            "AI_JOB_CONFIG_PROFILE": "p",
            "AI_JOB_CONFIG_MAX_AGE_SECONDS": "60",
            "AI_JOB_DEFAULT_DEADLINE_SECONDS": "21600",
            "AI_JOB_VISIBILITY_TIMEOUT_SECONDS": "900",
            "AI_JOB_RETENTION_DAYS": "30",
            "AI_JOB_MAX_WAIT_SECONDS": str(max_wait_seconds),
            "AI_JOB_AUTHORIZATION": authorization,
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delitem(sys.modules, "jobs_api.handler", raising=False)
        module = importlib.import_module("jobs_api.handler")
        api = Api(module, clock)
        source = SimpleNamespace(get=lambda: job_types)
        module.api = module.JobsApi(
            module.settings,
            JobStore(aws.table, clock=clock),
            source,
            WaitSlots(aws.table, module.settings.max_concurrent_waits, clock),
            clock=lambda: clock().timestamp(),
            sleep=api.sleep,
        )
        monkeypatch.setattr(timestamps, "now", clock)
        return api

    return begin


@pytest.fixture
def api(start):
    return start()
