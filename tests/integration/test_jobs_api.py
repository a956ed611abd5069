"""R-J1, R-J6: what the routes of the jobs API function answer through the gateway, bad input first."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import boto3
import botocore.auth
import pytest
from botocore.credentials import Credentials

from ai_jobs import SigV4Auth
from tests.signed import Caller

JOB = {"userId": "user-1", "jobType": "echo", "input": {"text": "hello"}}


@pytest.fixture(scope="module")
def caller(api):
    """Calls the deployed API."""
    return Caller(api._url)


@pytest.fixture
def job_id():
    return str(uuid.uuid4())


@pytest.fixture
def user():
    """A user whom no other test knows."""
    return f"user-{uuid.uuid4()}"


# --- a job's life


def test_a_job_can_be_read_as_soon_as_it_is_accepted(caller, paused, outputs, job_id):  # R-J6
    paused(outputs.processor_function_name)
    answer = caller("PUT", f"/jobs/{job_id}", JOB)
    assert (answer.status, answer.body) == (202, {"jobId": job_id, "status": "queued"})
    assert answer.headers["location"].endswith(f"/jobs/{job_id}")
    found = caller("GET", f"/jobs/{job_id}")
    assert (found.status, found.body["status"], found.headers["retry-after"]) == (200, "queued", "2")


def test_a_repeat_is_the_same_answer_and_runs_nothing_twice(caller, job_id):
    first = caller("PUT", f"/jobs/{job_id}", JOB)
    ended = caller("GET", f"/jobs/{job_id}?wait=20").body
    assert ended["status"] == "completed"
    again = caller("PUT", f"/jobs/{job_id}", JOB)
    assert (again.status, again.body, again.headers["location"]) == (202, first.body, first.headers["location"])
    assert caller("GET", f"/jobs/{job_id}").body == ended


@pytest.mark.parametrize("change", [{"userId": "user-2"}, {"input": {"text": "other"}}])
def test_another_payload_or_user_under_an_id_is_one_and_the_same_conflict(caller, job_id, change):
    caller("PUT", f"/jobs/{job_id}", JOB)
    answer = caller("PUT", f"/jobs/{job_id}", JOB | change)
    assert (answer.status, answer.body["error"]) == (
        409,
        {"code": "JOB_ID_CONFLICT", "message": "Another job has this jobId. Choose a new one."},
    )


def test_a_wait_ends_with_the_job_and_not_before(caller, job_id):
    caller("PUT", f"/jobs/{job_id}", JOB)
    answer = caller("GET", f"/jobs/{job_id}?wait=20")
    assert answer.body["status"] == "completed"
    assert "retry-after" not in answer.headers
    same = caller("GET", f"/jobs/{job_id}?wait=20", None, {"If-None-Match": answer.headers["etag"]})
    assert (same.status, same.body) == (304, None)


def test_pages_hold_each_job_once_newest_first(caller, user):
    ids = [str(uuid.uuid4()) for _ in range(5)]
    for job_id in ids:
        caller("PUT", f"/jobs/{job_id}", JOB | {"userId": user, "delaySeconds": 900})
    caller("DELETE", f"/jobs/{ids[1]}")
    found, query = [], ""
    while True:
        page = caller("GET", f"/jobs?userId={user}&limit=2{query}").body
        found += [job["jobId"] for job in page["jobs"]]
        if "nextCursor" not in page:
            break
        query = f"&cursor={page['nextCursor']}"
    assert found == ids[::-1]
    cancelled = caller("GET", f"/jobs?userId={user}&status=cancelled").body
    assert [job["jobId"] for job in cancelled["jobs"]] == [ids[1]]
    assert caller("GET", f"/jobs?userId={user}&jobType=brief").body == {"jobs": []}


# --- bad input


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("userId=user-1&limit=0", "limit"),
        ("userId=user-1&limit=10000", "limit"),
        ("userId=user-1&limit=-1", "limit"),
        ("userId=user-1&limit=1.5", "limit"),
        ("userId=user-1&limit=%D9%A1", "limit"),
        ("userId=user-1&status=done", "status"),
        ("userId=user-1&cursor=abc", "cursor"),
        ("userId=user-1&cursor=bnVsbA", "cursor"),
        ("userId=user-1&cursor=W10", "cursor"),
        ("userId=user-1&userId=user-2", "userId"),
        ("userId=", "userId"),
        ("userId=a%20b", "userId"),
        ("userId=user-1%27%20OR%201%3D1", "userId"),
        ("limit=5", "userId"),
    ],
)
def test_a_bad_parameter_of_a_list_is_named(caller, query, field):
    answer = caller("GET", f"/jobs?{query}")
    assert (answer.status, answer.code, answer.body["error"].get("field")) == (400, "BAD_REQUEST", field)


def test_a_cursor_of_someone_else_shows_nothing_of_theirs(caller, user):
    for _ in range(2):
        caller("PUT", f"/jobs/{uuid.uuid4()}", JOB | {"userId": user, "delaySeconds": 900})
    cursor = caller("GET", f"/jobs?userId={user}&limit=1").body["nextCursor"]
    answer = caller("GET", f"/jobs?userId=nobody-{user}&cursor={cursor}")
    assert (answer.status, answer.body) == (200, {"jobs": []})


@pytest.mark.parametrize("wait", ["abc", "26", "-1", "1.5", "", "1e1", "%D9%A1"])
def test_a_bad_wait_is_refused_before_anything_waits(caller, wait):
    answer = caller("GET", f"/jobs/some-id?wait={wait}")
    assert (answer.status, answer.code, answer.body["error"]["field"]) == (400, "BAD_REQUEST", "wait")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_parameter_is_refused(caller, method):
    answer = caller(method, "/jobs/some-id?color=red")
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")


BAD_IDS = ["a%20b", "%C3%BCmlaut", "x" * 129, "a%26b", "a%0A", "%27%3B--", "%24%7Bx%7D", "%3Cscript%3E", "%00"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("job_id", BAD_IDS)
def test_what_can_be_no_id_is_refused(caller, method, job_id):
    answer = caller(method, f"/jobs/{job_id}", JOB if method == "PUT" else None)
    assert (answer.status, answer.code) == (400, "INVALID_JOB_ID")


@pytest.mark.parametrize("job_id", ["my-job", str(uuid.uuid4()).upper(), uuid.uuid4().hex])
def test_a_new_id_must_be_a_uuid_in_lower_case(caller, job_id):
    answer = caller("PUT", f"/jobs/{job_id}", JOB)
    assert (answer.status, answer.code) == (400, "INVALID_JOB_ID")


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"userId": None}, "BAD_REQUEST", "userId"),
        ({"userId": "a b"}, "BAD_REQUEST", "userId"),
        ({"userId": "user-1\n"}, "BAD_REQUEST", "userId"),
        ({"jobType": "Echo"}, "BAD_REQUEST", "jobType"),
        ({"jobType": "unknown"}, "UNKNOWN_JOB_TYPE", "jobType"),
        ({"input": "text"}, "BAD_REQUEST", "input"),
        ({"input": {}}, "INVALID_INPUT", "input.text"),
        ({"input": {"text": 7}}, "INVALID_INPUT", "input.text"),
        ({"traceId": ""}, "BAD_REQUEST", "traceId"),
        ({"deadlineSeconds": 0}, "BAD_REQUEST", "deadlineSeconds"),
        ({"deadlineSeconds": 1_209_601}, "BAD_REQUEST", "deadlineSeconds"),
        ({"deadlineSeconds": 5, "delaySeconds": 5}, "BAD_REQUEST", "deadlineSeconds"),
        ({"delaySeconds": 901}, "BAD_REQUEST", "delaySeconds"),
        ({"delaySeconds": True}, "BAD_REQUEST", "delaySeconds"),
        ({"jobId": "x"}, "BAD_REQUEST", "jobId"),
    ],
)
def test_a_bad_job_is_refused_with_the_field_that_is_wrong(caller, job_id, change, code, field):
    answer = caller("PUT", f"/jobs/{job_id}", JOB | change)
    assert (answer.status, answer.code, answer.body["error"].get("field")) == (400, code, field)
    assert caller("GET", f"/jobs/{job_id}").status == 404  # nothing of it was kept


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"\xff", b"[" * 100_000, b'{"input": NaN}'])
def test_a_body_that_is_no_json_object_is_refused(caller, job_id, body):
    answer = caller("PUT", f"/jobs/{job_id}", body)
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")


def test_a_body_over_the_limit_is_refused(caller, job_id):
    answer = caller("PUT", f"/jobs/{job_id}", JOB | {"input": {"text": "x" * 4_000_000}})
    assert (answer.status, answer.code) == (413, "REQUEST_TOO_LARGE")


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_another_content_type_is_refused(caller, job_id, content_type):
    answer = caller("PUT", f"/jobs/{job_id}", JOB, {"Content-Type": content_type})
    assert (answer.status, answer.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    ("path", "methods", "allow"),
    [
        ("/jobs", ["PUT", "PATCH", "DELETE"], "GET, POST"),
        ("/jobs/some-id", ["POST", "PATCH", "OPTIONS"], "DELETE, GET, PUT"),
    ],
)
def test_a_wrong_method_is_told_which_there_are(caller, path, methods, allow):
    for method in methods:
        answer = caller(method, path, {} if method != "OPTIONS" else None)
        assert (answer.status, answer.code, answer.headers["allow"]) == (405, "METHOD_NOT_ALLOWED", allow)


@pytest.fixture(scope="module")
def service():
    """The keys of a service that may call the API; MiniStack lets the local ones, the root user's, in at any time."""
    iam = boto3.client("iam")
    iam.create_user(UserName="service")
    policy = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    iam.put_user_policy(UserName="service", PolicyName="call", PolicyDocument=document)
    key = iam.create_access_key(UserName="service")["AccessKey"]
    return SigV4Auth("us-east-1", Credentials(key["AccessKeyId"], key["SecretAccessKey"]))


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (timedelta(), (404, "JOB_NOT_FOUND")),
        (timedelta(minutes=-6), (403, "FORBIDDEN")),
        (timedelta(minutes=6), (403, "FORBIDDEN")),
    ],
)
def test_a_signature_of_another_time_is_refused(caller, service, monkeypatch, late, expected):
    """Expired, and from a clock that is ahead: AWS allows five minutes in both directions."""
    moment = datetime.now(UTC) + late
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: moment)
    answer = Caller(caller.url, service)("GET", "/jobs/some-id")
    assert (answer.status, answer.code) == expected


def test_a_signature_with_another_secret_is_refused(caller, service):
    wrong = SigV4Auth("us-east-1", Credentials(service._credentials.access_key, "wrong"))
    answer = Caller(caller.url, wrong)("GET", "/jobs/some-id")
    assert (answer.status, answer.code) == (403, "FORBIDDEN")


@pytest.mark.parametrize(("method", "path"), [("GET", "/jobs?userId=user-1"), ("PUT", ""), ("GET", ""), ("DELETE", "")])
def test_an_unsigned_request_is_refused(caller, method, path, job_id):
    answer = caller(method, path or f"/jobs/{job_id}", JOB if method == "PUT" else None, sign=False)
    assert (answer.status, answer.code) == (403, "FORBIDDEN")


def test_someone_elses_path_of_results_is_no_query(caller):
    answer = caller("GET", "/jobs/..%2Fresults%2Fuser-2")
    assert answer.status in (400, 403)  # which of the two is the gateway's choice: it may take %2F for a slash
