"""Submitting by PUT, reading what was just written, and cancelling: R-J1, R-J2, R-J6 on the local AWS."""

from __future__ import annotations

import json
import uuid

import pytest


@pytest.fixture
def put(api):
    """Submits an echo job under an id and returns status and answer."""

    def send(job_id, text, **fields):
        body = {"userId": "user-1", "jobType": "echo", "input": {"text": text}} | fields
        return api.call("PUT", f"/jobs/{job_id}", json.dumps(body).encode())

    return send


@pytest.fixture
def job_id():
    return str(uuid.uuid4())


def test_a_job_is_there_as_soon_as_it_is_submitted_and_runs_once(
    put, api, ended, model, text, job_id
):  # R-J1 R-J2 R-J6
    prompt = text()
    first = put(job_id, prompt)
    status, shown = api.call("GET", f"/jobs/{job_id}")
    assert first == (202, {"jobId": job_id, "status": "queued"})
    assert status == 200, "never a 404 after the 202"
    assert shown["userId"] == "user-1"
    assert put(job_id, prompt) == first
    job = ended(job_id)
    assert (job["status"], job["result"]["text"]) == ("completed", f"You said: {prompt}")
    assert job["createdAt"] == shown["createdAt"]
    assert put(job_id, prompt) == first
    status, answer = put(job_id, text())
    assert (status, answer["error"]["code"]) == (409, "JOB_ID_CONFLICT")
    assert model.calls(prompt) == 1


def test_a_queued_job_that_was_cancelled_never_calls_the_model(
    put, api, model, outputs, paused, until, logged, text, job_id
):
    prompt = text()
    paused(outputs.processor_function_name)
    put(job_id, prompt)
    status, shown = api.call("DELETE", f"/jobs/{job_id}")
    assert (status, shown["status"], shown["attempts"]) == (200, "cancelled", 0)
    paused.resume()
    dropped = "job is finished, repeated message dropped"
    until(lambda: [line for line in logged(dropped) if line["jobId"] == job_id], "the message to be dropped")
    assert model.calls(prompt) == 0
    assert api.call("GET", f"/jobs/{job_id}") == (200, shown)
    status, answer = api.call("DELETE", f"/jobs/{job_id}")
    assert (status, answer["error"]["code"]) == (409, "JOB_ENDED")


def test_the_late_result_of_a_cancelled_job_is_dropped(put, api, model, outputs, until, logged, text, job_id):
    prompt = text("slow:1.5")
    put(job_id, prompt)
    until(lambda: model.calls(prompt) == 1, "the model call")
    status, shown = api.call("DELETE", f"/jobs/{job_id}")
    assert (status, shown["status"], shown["attempts"]) == (200, "cancelled", 1)

    def handled():
        lines = logged("result handled", outputs.result_handler_function_name)
        return [line for line in lines if line["jobId"] == job_id]

    (line,) = until(handled, "the result to come")
    assert line["outcome"] == "repeated", "it is not written"
    assert api.call("GET", f"/jobs/{job_id}") == (200, shown)


def test_a_large_input_comes_back_as_a_large_job(put, ended, model, job_id):
    prompt = f"{job_id} {'x' * 300_000}"
    assert put(job_id, prompt)[0] == 202
    job = ended(job_id)
    assert job["status"] == "completed", job
    assert model.calls(prompt) == 1
