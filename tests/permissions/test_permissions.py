"""Each permission of the functions is needed: taken away, one at a time, on the local AWS, and what shows then.

What the local AWS does not enforce, or the stack of the tests does not come to, stands in NOT_SHOWN with its reason.
Any other permission that is taken away unnoticed is one too many.
"""

from __future__ import annotations

import copy
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import urllib3

from ai_jobs import AIJobMessage, send_ai_job_request
from ai_jobs.aws.queues import send_message

SECONDS = 15
# What the functions log of a denial; a result that S3 refuses has a code of its own.
DENIED = ("AccessDenied", "DEPENDENCY_REFUSED", "RESULT_NOT_STORED")
POLICY = "function"

MAPPING = "the local AWS polls queues and streams without asking for it"
NOT_SHOWN = {
    "*": {
        "appconfig:StartConfigurationSession": "the local AWS does not ask for it",
        "appconfig:GetLatestConfiguration": "the local AWS does not ask for it",
        "logs:CreateLogStream": "the local AWS writes the logs itself",
        "logs:PutLogEvents": "the local AWS writes the logs itself",
        "xray:PutTraceSegments": "the local AWS has no X-Ray daemon",
        "xray:PutTelemetryRecords": "the local AWS has no X-Ray daemon",
        "s3:ListBucket": "the local AWS does not ask for it",
    },
    "processor": {
        "bedrock:InvokeModel": "the tests' model is not the local AWS's",
        "sqs:ReceiveMessage": MAPPING,
        "sqs:DeleteMessage": MAPPING,
        "sqs:GetQueueAttributes": MAPPING,
    },
    "result_handler": {
        "sqs:ReceiveMessage": MAPPING,
        "sqs:DeleteMessage": MAPPING,
        "sqs:GetQueueAttributes": MAPPING,
        "WorkOnResults sqs:SendMessage": "only an outage of the table makes a result wait; make chaos makes one",
    },
    "event_publisher": {
        "dynamodb:DescribeStream": MAPPING,
        "dynamodb:GetRecords": MAPPING,
        "dynamodb:GetShardIterator": MAPPING,
        "dynamodb:ListStreams": MAPPING,
        "GiveUpRecords sqs:SendMessage": "only a record that can't be published for 23 hours is given up",
    },
}

Work = Callable[[], None]


@pytest.fixture
def work(outputs: Any, api: Any, submit: Any, text: Any) -> dict[str, Work]:
    """By function: what makes it use all that it may."""

    def put(prompt: str, job_type: str = "echo", **more: Any) -> str:
        job_id = str(uuid.uuid4())
        body = {"userId": "user-1", "jobType": job_type, "input": {"text": prompt}} | more
        status, answer = api.call("PUT", f"/jobs/{job_id}", json.dumps(body).encode())
        assert status == 202, answer
        return job_id

    def upload() -> dict[str, Any]:
        body = {"userId": "user-1", "name": "note.txt", "mediaType": "text/plain"}
        status, form = api.call("POST", "/uploads", json.dumps(body).encode())
        assert status == 201, form
        fields = form["fields"] | {"file": ("note.txt", b"A note.", "text/plain")}
        answer = urllib3.request("POST", form["url"], fields=fields)
        assert answer.status in (200, 201, 204), answer.data
        return {"key": form["attachment"]["key"]}

    # Its result is in the bucket: one that is there before anything is taken away.
    linked = submit(text("large"))

    def processor() -> None:
        # 400 puts the message into the DLQ.
        for answers in ("200", "429,200", "400", "500", "large"):
            submit(text(answers))
        job = AIJobMessage("user-1", "echo", {"text": text() + " " + "x" * 210_000})
        send_ai_job_request(job, queue_url=outputs.request_queue_url, bucket=outputs.bucket_name)

    def result_handler() -> None:
        submit(text())
        send_message(outputs.response_queue_url, "no result", {})

    def jobs_api() -> None:
        put(text())
        put(text() + " " + "x" * 210_000)
        put(text(), "picture", attachments=[upload()])
        assert api.call("GET", "/jobs?userId=user-1")[0] == 200
        status, job = api.call("GET", f"/jobs/{linked}?wait=20")
        assert status == 200, job
        with urllib.request.urlopen(job["resultUrl"], timeout=10) as answer:
            assert answer.status == 200

    def reconciler() -> None:
        send_ai_job_request(AIJobMessage("user-1", "echo", {"text": text()}), queue_url=outputs.request_dlq_url)
        answer = boto3.client("lambda").invoke(FunctionName=outputs.reconciler_function_name)
        done = json.loads(answer["Payload"].read())
        assert done.get("failures") == 0, done

    def event_publisher() -> None:
        submit(text())

    works = (processor, result_handler, jobs_api, reconciler, event_publisher)
    return {function.__name__: function for function in works}


def permissions(document: dict[str, Any]) -> Iterator[tuple[int, str, str]]:
    for number, statement in enumerate(document["Statement"]):
        for action in statement["Action"]:
            yield number, statement["Sid"], action


def without(document: dict[str, Any], number: int, action: str) -> dict[str, Any]:
    less = copy.deepcopy(document)
    less["Statement"][number]["Action"].remove(action)
    less["Statement"] = [statement for statement in less["Statement"] if statement["Action"]]
    return less


def reason(function: str, sid: str, action: str) -> str | None:
    known = NOT_SHOWN["*"] | NOT_SHOWN.get(function, {})
    return known.get(action) or known.get(f"{sid} {action}")


def denials(function_name: str) -> int:
    """How often the function's log says that something was denied. Messages of AWS, which name it, are not logged."""
    group = f"/aws/lambda/{function_name}"
    pages = boto3.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    texts = [event["message"] for page in pages for event in page["events"]]
    return sum(any(word in text for word in DENIED) for text in texts)


def settled(function_name: str) -> int:
    """The denials, once no more are added by what was denied before."""
    before, now = -1, denials(function_name)
    while now > before:
        time.sleep(3)
        before, now = now, denials(function_name)
    return now


def shows(function_name: str, work: Work) -> str | None:
    """What shows while the function works: an answer that is wrong, or a denial in its log."""
    before, end = settled(function_name), time.monotonic() + SECONDS
    try:
        work()
    except (AssertionError, urllib.error.HTTPError) as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"
    while time.monotonic() < end:
        if denials(function_name) > before:
            return "a denial in its log"
        time.sleep(0.5)
    return None


@pytest.mark.parametrize("function", ["jobs_api", "reconciler", "event_publisher", "result_handler", "processor"])
def test_every_permission_is_needed(function: str, outputs: Any, work: dict[str, Work]):  # R-P8
    name = getattr(outputs, f"{function}_function_name")
    role = boto3.client("lambda").get_function_configuration(FunctionName=name)["Role"].rpartition("/")[2]
    iam = boto3.client("iam")
    document = iam.get_role_policy(RoleName=role, PolicyName=POLICY)["PolicyDocument"]
    assert shows(name, work[function]) is None, "it does not work with all of its permissions"
    unnoticed = []
    for number, sid, action in permissions(document):
        if why := reason(function, sid, action):
            print(f"{function}: {sid} {action}: not shown: {why}")
            continue
        less = json.dumps(without(document, number, action))
        iam.put_role_policy(RoleName=role, PolicyName=POLICY, PolicyDocument=less)
        try:
            shown = shows(name, work[function])
        finally:
            iam.put_role_policy(RoleName=role, PolicyName=POLICY, PolicyDocument=json.dumps(document))
        print(f"{function}: {sid} {action}: {shown or 'NOTHING shows'}")
        if shown is None:
            unnoticed.append(f"{sid} {action}")
    assert not unnoticed, f"{function} is not seen to need: {', '.join(unnoticed)}. Take them away, or say why not."
