"""Who may do what in the token modes: the table of docs/access.md. For AWS_IAM: test_jobs_api.py.

What the local AWS can't show is held elsewhere. It takes access tokens without scopes, and evaluates neither resource
policies nor firewalls: the methods' scopes and the policy are asserted in tests/terraform/api.tftest.hcl. It does not
ask whether the gateway may call the authorizer: likewise.
"""

from __future__ import annotations

import json
import uuid

import pytest


@pytest.fixture(params=["cognito", "custom"])
def mode(modes, request):
    return modes[request.param]


@pytest.fixture
def job_id():
    return str(uuid.uuid4())


def a_job(text="hello", **fields):
    return {"jobType": "echo", "input": {"text": text}} | fields


def routes(job_id):
    """Every route, with a call of it that would be answered 2xx or 404."""
    return [
        ("POST", "/jobs", a_job()),
        ("PUT", f"/jobs/{job_id}", a_job()),
        ("GET", f"/jobs/{job_id}", None),
        ("DELETE", f"/jobs/{job_id}", None),
        ("GET", "/jobs", None),
    ]


def test_without_a_good_token_every_route_is_closed(mode, job_id):
    for wrong in (None, *mode.bad.values()):
        for method, path, body in routes(job_id):
            status, code, _ = mode.call(method, path, body=body, Authorization=wrong)
            assert (status, code) == (401, "UNAUTHORIZED"), (method, path, wrong)
    assert mode.call("GET", f"/jobs/{job_id}")[:2] == (404, "JOB_NOT_FOUND"), "nothing was submitted"


def test_the_user_is_whom_the_token_names(mode, job_id):
    assert mode.call("PUT", f"/jobs/{job_id}", body=a_job())[0] == 202
    status, _, job = mode.call("GET", f"/jobs/{job_id}?wait=20")
    assert (status, job["userId"], job["status"]) == (200, mode.users[0], "completed")


def test_a_job_of_post_belongs_to_whom_the_token_names(mode, until):  # R-J1 R-J2
    status, _, accepted = mode.call("POST", "/jobs", body=a_job())
    assert (status, accepted["status"]) == (202, "queued")
    path = f"/jobs/{accepted['jobId']}"
    job = until(lambda: mode.call("GET", f"{path}?wait=20")[2], "the job")
    assert (job["userId"], job["status"]) == (mode.users[0], "completed")
    assert mode.call("GET", path, user=1)[:2] == (404, "JOB_NOT_FOUND")


def test_nobody_says_who_they_are(mode, job_id):
    """Not even who they really are: a field that is read sometimes is a field that is trusted somewhere."""
    named = a_job(userId=mode.users[0])
    assert mode.call("POST", "/jobs", body=named)[:2] == (400, "BAD_REQUEST")
    status, code, answer = mode.call("PUT", f"/jobs/{job_id}", body=named)
    assert (status, code, answer["error"]["field"]) == (400, "BAD_REQUEST", "userId")
    assert mode.call("GET", f"/jobs?userId={mode.users[1]}")[:2] == (400, "BAD_REQUEST")
    assert mode.call("GET", f"/jobs/{job_id}?userId={mode.users[1]}")[:2] == (400, "BAD_REQUEST")


def test_someone_elses_job_is_as_good_as_none(mode, job_id):
    assert mode.call("PUT", f"/jobs/{job_id}", body=a_job())[0] == 202
    nothing = str(uuid.uuid4())
    for method in ("GET", "DELETE"):
        theirs = mode.call(method, f"/jobs/{job_id}", user=1)
        none = mode.call(method, f"/jobs/{nothing}", user=1)
        assert theirs[:2] == none[:2] == (404, "JOB_NOT_FOUND")
        assert json.dumps(theirs).replace(job_id, nothing) == json.dumps(none), "the answer gives the job away"
    # The id is taken; by whom and for what is not said.
    assert mode.call("PUT", f"/jobs/{job_id}", user=1, body=a_job())[:2] == (409, "JOB_ID_CONFLICT")
    assert mode.call("PUT", f"/jobs/{job_id}", body=a_job())[0] == 202


def test_lists_show_ones_own_jobs_only(mode, job_id, until):
    other = str(uuid.uuid4())
    assert mode.call("PUT", f"/jobs/{job_id}", body=a_job())[0] == 202
    assert mode.call("PUT", f"/jobs/{other}", user=1, body=a_job())[0] == 202
    for user, mine in enumerate((job_id, other)):
        jobs = until(
            lambda user=user, mine=mine: [
                job for job in [mode.call("GET", "/jobs?limit=100", user=user)[2]["jobs"]] if mine in str(job)
            ],
            "the list",
        )[0]
        assert {job["userId"] for job in jobs} == {mode.users[user]}


def test_a_cursor_is_of_no_use_to_others(mode):
    for _ in range(2):
        assert mode.call("PUT", f"/jobs/{uuid.uuid4()}", body=a_job())[0] == 202
    cursor = mode.call("GET", "/jobs?limit=1")[2]["nextCursor"]
    assert mode.call("GET", f"/jobs?limit=1&cursor={cursor}")[0] == 200
    status, _, answer = mode.call("GET", f"/jobs?limit=100&cursor={cursor}", user=1)
    assert status == 200
    assert {job["userId"] for job in answer["jobs"]} <= {mode.users[1]}


def test_whoever_the_authorizer_denies_is_forbidden(modes, job_id):
    for method, path, body in routes(job_id):
        status, code, _ = modes["custom"].call(method, path, body=body, Authorization="Bearer banned ada")
        assert (status, code) == (403, "FORBIDDEN"), (method, path)


def test_an_identity_that_can_be_no_user_is_forbidden(modes, job_id):
    """POST asks no function; its message ends in the dead-letter queue: test_a_message_of_no_user_is_no_job."""
    for method, path, body in routes(job_id)[1:]:
        status, code, _ = modes["custom"].call(method, path, body=body, Authorization="Bearer user a|b")
        assert (status, code) == (403, "FORBIDDEN"), (method, path)


def test_a_message_of_no_user_is_no_job(modes, outputs, received_from):
    status, _, accepted = modes["custom"].call("POST", "/jobs", body=a_job(), Authorization="Bearer user a|b")
    assert status == 202
    message = received_from(outputs.request_dlq_url, accepted["jobId"])
    assert message.attributes["ErrorCode"] == "NOT_A_JOB"


@pytest.mark.parametrize("key", [None, "integration-key-9876543210"])
def test_an_api_key_is_asked_for_beside_the_token(modes, job_id, key):
    for method, path, body in routes(job_id):
        status, code, _ = modes["custom"].call(method, path, body=body, **{"x-api-key": key})
        assert (status, code) == (403, "FORBIDDEN"), (method, path)


def test_an_api_key_is_no_authentication(modes, job_id):
    for method, path, body in routes(job_id):
        status, code, _ = modes["custom"].call(method, path, body=body, Authorization=None)
        assert (status, code) == (401, "UNAUTHORIZED"), (method, path)


def test_a_wrong_method_needs_no_credentials(mode):
    status, code, _ = mode.call("PATCH", "/jobs", body={}, Authorization=None, **{"x-api-key": None})
    assert (status, code) == (405, "METHOD_NOT_ALLOWED")
