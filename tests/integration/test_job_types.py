"""What job types can be, with the real zips on the local AWS: R-A1 to R-A5."""

from __future__ import annotations

import json
import uuid

import pytest


@pytest.fixture
def put(api, ended):
    """Submits a job with PUT and returns it once it has ended."""

    def send(job_type, text, **more):
        job_id = str(uuid.uuid4())
        fields = {"input": {"text": text} | more.pop("input", {})} | more
        status, answer = api.call(
            "PUT", f"/jobs/{job_id}", json.dumps({"userId": "user-1", "jobType": job_type} | fields).encode()
        )
        assert status == 202, answer
        return ended(job_id)

    return send


def test_json_that_satisfies_the_schema(put, model, text):  # R-A1
    prompt = text()
    job = put("facts", prompt)
    assert job["result"]["json"] == {"text": f"You said: {prompt}", "rooms": 1}
    assert "text" not in job["result"]
    assert model.calls(prompt) == 1


def test_a_broken_output_is_corrected_by_one_more_call(put, model, text):  # R-A1
    prompt = text("broken,200")
    job = put("facts", prompt)
    assert job["result"]["json"]["text"].endswith("(call 2)")
    assert (job["result"]["modelCalls"], job["usage"]["outputTokens"], job["attempts"]) == (2, 22, 1)
    assert model.history(prompt) == ["broken", "200"]


def test_an_output_that_stays_broken_fails_with_its_field(put, model, text, outputs, received_from):  # R-A1
    prompt = text("broken")
    job = put("facts", prompt)
    assert (job["status"], job["error"]["code"]) == ("failed", "OUTPUT_INVALID")
    assert job["error"]["field"].startswith("result.")
    assert model.calls(prompt) == 2
    assert received_from(outputs.request_dlq_url, job["jobId"]).attributes["ErrorCode"] == "OUTPUT_INVALID"


def test_settings_reach_the_model_and_the_tier_comes_back(put, text):  # R-A3
    first, second = put("tuned", text()), put("tuned", text())
    assert first["result"]["serviceTier"] == "flex"
    assert second["usage"]["cacheReadInputTokens"] == 5, "the prompts begin with the same words"


def test_a_second_model_answers_during_an_outage_of_the_first(put, model, text):  # R-A4
    model.outages.add("amazon.nova-pro-v1:0")
    try:
        prompt = text()
        job = put("doubled", prompt)
    finally:
        model.outages.clear()
    assert (job["status"], job["model"], job["attempts"]) == ("completed", "amazon.nova-micro-v1:0", 1)
    assert model.calls(prompt) == 1
    assert put("doubled", text())["model"] == "amazon.nova-pro-v1:0"


def test_the_platform_teams_own_function_does_the_work(put, model, text):  # R-A5
    prompt = text()
    job = put("own", prompt)
    assert job["result"]["json"]["text"] == f"You said: {prompt}"
    assert (job["result"]["json"]["attempt"], job["usage"]) == (1, {"inputTokens": 7, "outputTokens": 11})
    assert job["result"]["modelCalls" if "modelCalls" in job["result"] else "model"] in (1, "amazon.nova-lite-v1:0")


@pytest.mark.parametrize(
    ("cue", "code", "field"),
    [("give up", "GIVEN_UP", None), ("invalid", "INVALID_INPUT", "input.cue"), ("a set", "OUTPUT_INVALID", None)],
)
def test_a_function_ends_a_job_in_its_own_way(put, text, cue, code, field):  # R-A5
    job = put("own", text(), input={"cue": cue})
    assert (job["status"], job["error"]["code"]) == ("failed", code)
    assert field is None or job["error"]["field"] == field


def test_a_function_that_hangs_is_left_behind(put, model, text):  # R-A5
    prompt = text()
    job = put("own", prompt, input={"cue": "hang"})
    assert (job["status"], job["result"]["json"]["attempt"]) == ("completed", 2)
    assert model.calls(prompt) == 1


def test_a_function_that_wants_to_be_run_again_is(put, model, text):  # R-A5
    prompt = text()
    job = put("own", prompt, input={"cue": "later"})
    assert (job["status"], job["result"]["json"]["attempt"], model.calls(prompt)) == ("completed", 2, 2)


def test_a_function_that_is_missing_breaks_its_own_type_alone(put, text):  # R-A5
    job = put("missing", text())
    assert (job["status"], job["error"]["code"]) == ("failed", "HANDLER_NOT_FOUND")
    assert "stack_handlers.py" in job["error"]["message"]
    assert "has no missing. Its functions are: " in job["error"]["message"]
    assert put("echo", text())["status"] == "completed"
