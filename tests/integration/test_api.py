"""R-J1, R-J2, R-J6: what the HTTP API answers to good and bad requests."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest

from scripts.local_api import Api

ROOT = Path(__file__).parents[2]

GOOD = {"userId": "user-1", "jobType": "echo", "input": {"text": "hello"}}


@pytest.fixture(scope="session")
def unsigned(api):
    """Sends a request without a signature."""

    def send(method, path, body=None, content_type="application/json"):
        parts = urlsplit(f"{api._url}{path}")
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        connection.request(method, parts.path, body, {"Content-Type": content_type})
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    return send


def test_a_good_job_is_accepted(api):  # R-J2
    status, answer = api.call("POST", "/jobs", json.dumps(GOOD).encode())
    assert (status, answer["status"]) == (202, "queued")
    assert len(answer["jobId"]) == 36


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b'"text"',
        json.dumps({key: value for key, value in GOOD.items() if key != "userId"}),
        json.dumps({key: value for key, value in GOOD.items() if key != "jobType"}),
        json.dumps({key: value for key, value in GOOD.items() if key != "input"}),
        json.dumps(GOOD | {"jobId": "my-own"}),
        json.dumps(GOOD | {"color": "red"}),
        json.dumps(GOOD | {"userId": ""}),
        json.dumps(GOOD | {"userId": "a b"}),
        json.dumps(GOOD | {"userId": "user-1\n"}),
        json.dumps(GOOD | {"jobType": "echo\n"}),
        json.dumps(GOOD | {"userId": "ümlaut"}),
        json.dumps(GOOD | {"userId": "u&Action=PurgeQueue"}),
        json.dumps(GOOD | {"userId": "x" * 129}),
        json.dumps(GOOD | {"userId": 7}),
        json.dumps(GOOD | {"jobType": "Blog Post"}),
        json.dumps(GOOD | {"input": "text"}),
        json.dumps(GOOD | {"traceId": ""}),
        json.dumps(GOOD | {"deadlineSeconds": 0}),
        json.dumps(GOOD | {"deadlineSeconds": "1"}),
    ],
)
def test_a_bad_body_is_refused_by_the_gateway(api, body):  # R-J1
    status, answer = api.call("POST", "/jobs", body if isinstance(body, bytes) else body.encode())
    assert (status, answer["error"]["code"]) == (400, "BAD_REQUEST")
    # What follows is the validator's own words, which MiniStack leaves as a placeholder.
    assert answer["error"]["message"].startswith("The request body is not a valid job: ")


def test_a_body_over_the_queues_limit_is_refused(api):  # R-J2
    body = json.dumps(GOOD | {"input": {"text": "x" * 300_000}}).encode()
    status, answer = api.call("POST", "/jobs", body)
    assert (status, answer["error"]["code"]) == (400, "MESSAGE_REFUSED")
    assert "256" in answer["error"]["message"]


def test_an_unsigned_request_is_refused(unsigned):
    for method, path, body in (("POST", "/jobs", json.dumps(GOOD)), ("GET", "/jobs/some-id", None)):
        status, answer = unsigned(method, path, body)
        assert (status, answer["error"]["code"]) == (403, "FORBIDDEN")


def test_a_bearer_token_where_signatures_are_asked_for_is_told_what_to_do_instead(api):
    plain = Api(api._url, auth=lambda request: {})
    for method, path, body in (("POST", "/jobs", json.dumps(GOOD).encode()), ("GET", "/jobs/some-id", None)):
        status, _, answer = plain.request(method, path, body, {"Authorization": "Bearer abc.def.ghi"})
        assert (status, answer["error"]["code"]) == (403, "FORBIDDEN")
        assert "accepts signed requests, not tokens" in answer["error"]["message"]
        assert "execute-api" in answer["error"]["message"]


@pytest.fixture
def user_key():
    """The access key of a user who may call the API, and whose secret the local AWS checks."""
    iam = boto3.client("iam")
    name = f"reader-{uuid.uuid4()}"
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="call", PolicyDocument=document)
    return iam.create_access_key(UserName=name)["AccessKey"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_the_documented_list_call_is_signed_as_aws_wants_it(api, user_key):
    """As it stands in docs/api.md: older versions of curl sign a query in the order in which it is written."""
    text = ROOT.joinpath("docs/api.md").read_text()
    (define,) = re.findall(r"(?m)^call\(\) .+$", text)
    (listing,) = re.findall(r'(?m)^call "\$API/jobs\?.+$', text)
    keys = {"AWS_ACCESS_KEY_ID": user_key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": user_key["SecretAccessKey"]}
    environment = os.environ | keys | {"API": api._url, "AWS_REGION": "us-east-1", "no_proxy": "*"}
    run = subprocess.run(["bash", "-c", f"{define}\n{listing}"], env=environment, capture_output=True, check=True)
    assert "jobs" in json.loads(run.stdout), run.stdout


def test_an_unknown_job_is_a_404(api):  # R-J6
    status, answer = api.call("GET", "/jobs/nobody")
    assert (status, answer["error"]["code"]) == (404, "JOB_NOT_FOUND")


@pytest.mark.parametrize("job_id", ["a%20b", "%C3%BCmlaut", "x" * 129, "a%26b", "a%0A"])
def test_a_malformed_id_is_a_400(api, job_id):  # R-J6
    status, answer = api.call("GET", f"/jobs/{job_id}")
    assert (status, answer["error"]["code"]) == (400, "INVALID_JOB_ID")
    assert "jobId" in answer["error"]["message"]


@pytest.mark.parametrize(
    "text", ["a&b=c+d %41", "\"quoted\" 'text'", "日本語 🏠", "line\nbreak", "$input.body #set($x=1)"]
)
def test_every_text_arrives_as_it_was_sent(submit, ended, text):  # R-J1
    assert ended(submit(text))["result"]["text"] == f"You said: {text}"
