"""The whole path on the local AWS, with the real zips: R-L1, R-J1, R-J2, R-J4 to R-J6, R-E1 to R-E4, R-T1 to R-T4."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import boto3
import pytest

from ai_jobs import AIJobMessage, Erased, erase_user, get_queue_message_count, receive_messages, send_ai_job_request
from ai_jobs.aws.queues import send_message


def test_a_job_goes_all_the_way(submit, ended, model, text):  # R-L1 R-J1 R-J2 R-J4 R-J5 R-J6
    prompt = text()
    job = ended(submit(prompt, traceId="trace-1"))
    assert job["status"] == "completed"
    assert job["result"]["text"] == f"You said: {prompt}"
    assert job["usage"] == {"inputTokens": 7, "outputTokens": 11}
    assert (job["userId"], job["jobType"], job["traceId"], job["attempts"]) == ("user-1", "echo", "trace-1", 1)
    assert job["createdAt"] <= job["startedAt"] <= job["completedAt"] < job["expiresAt"]
    assert model.calls(prompt) == 1


def test_a_submitted_job_is_in_the_queue(submit, ended, outputs, paused, received_from, text):  # R-T1
    paused(outputs.processor_function_name)
    prompt = text()
    job_id = submit(prompt, userId="user@example:1")
    message = received_from(outputs.request_queue_url, job_id)
    assert message.message_id == job_id
    assert message.attributes == {"UserId": "user@example:1", "JobType": "echo"}
    assert message.group_id == "user@example:1"
    body = {"userId": "user@example:1", "jobType": "echo", "input": {"text": prompt}}
    assert json.loads(message.body) == body


def test_a_processed_message_leaves_its_result_in_the_response_queue(
    submit, outputs, paused, received_from, text
):  # R-T2
    paused(outputs.result_handler_function_name)
    prompt = text()
    job_id = submit(prompt)
    message = received_from(outputs.response_queue_url, job_id)
    result = json.loads(message.body)
    assert message.attributes == {"JobId": job_id, "UserId": "user-1", "Status": "completed"}
    assert result["result"]["text"] == f"You said: {prompt}"
    assert (result["attempt"], result["jobType"]) == (1, "echo")


def test_a_failing_job_is_dead_lettered_after_three_receives(
    submit, ended, model, outputs, received_from, text
):  # R-T3 R-E1
    prompt = text("500")
    job_id = submit(prompt)
    job = ended(job_id)
    assert (job["status"], job["error"]["code"], job["attempts"]) == ("failed", "RETRIES_EXHAUSTED", 3)
    assert model.calls(prompt) == 3
    letter = received_from(outputs.request_dlq_url, job_id)
    assert json.loads(letter.body)["input"] == {"text": prompt}
    assert (letter.attributes["ErrorCode"], letter.attributes["Attempts"]) == ("RETRIES_EXHAUSTED", "3")
    assert letter.group_id == "user-1"


def test_sqs_itself_dead_letters_what_no_worker_finishes(outputs, paused, received_from, text):  # R-T3
    paused(outputs.processor_function_name)
    job = AIJobMessage("user-1", "echo", {"text": text()})
    send_ai_job_request(job, queue_url=outputs.request_queue_url)
    for _ in range(3):
        receive_messages(outputs.request_queue_url, wait_seconds=2, visibility_timeout_seconds=0)
    receive_messages(outputs.request_queue_url, wait_seconds=0)
    assert received_from(outputs.request_dlq_url, job.job_id).attributes == job.attributes()


def test_a_job_that_fails_once_is_tried_again(submit, ended, model, text):  # R-E1
    prompt = text("500,200")
    job = ended(submit(prompt))
    assert (job["status"], job["attempts"]) == ("completed", 2)
    assert model.calls(prompt) == 2


def test_a_throttled_job_outlives_more_throttles_than_receives(submit, ended, model, text):  # R-E1
    prompt = text("429,503,429,503,200")
    job = ended(submit(prompt))
    assert (job["status"], model.calls(prompt)) == ("completed", 5)


def test_a_mixed_batch_retries_only_its_failures(outputs, ended, paused, model, text, logged):  # R-E2 R-T4
    paused(outputs.processor_function_name)  # so that all nine are there at once
    jobs = [
        AIJobMessage("user-1", "echo", {"text": text("500,200" if number % 3 == 0 else "200")}) for number in range(9)
    ]
    sqs = boto3.client("sqs")
    entries = [{"Id": str(number), "MessageBody": job.to_body()} for number, job in enumerate(jobs)]
    sqs.send_message_batch(QueueUrl=outputs.request_queue_url, Entries=entries)
    paused.resume()
    assert {ended(job.job_id)["status"] for job in jobs} == {"completed"}
    assert [model.calls(job.input["text"]) for job in jobs] == [2, 1, 1] * 3
    repeated = {line["jobId"] for line in logged("job is finished, repeated message dropped")}
    assert repeated.isdisjoint(job.job_id for job in jobs), "a message that was done with came back"


def test_the_same_message_twice_is_one_model_call(outputs, ended, model, text):
    prompt = text()
    job = AIJobMessage("user-1", "echo", {"text": prompt})
    for _ in range(3):
        send_ai_job_request(job, queue_url=outputs.request_queue_url)
    assert ended(job.job_id)["status"] == "completed"
    assert model.calls(prompt) == 1


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"jobType": "poem"}, "UNKNOWN_JOB_TYPE", "jobType"),
        ({"input": {}}, "INVALID_INPUT", "input.text"),
        ({"input": {"text": 7}}, "INVALID_INPUT", "input.text"),
        ({"input": {"text": "x", "color": "red"}}, "INVALID_INPUT", "input.color"),
    ],
)
def test_an_invalid_job_fails_with_the_field_at_fault(submit, ended, fields, code, field):
    job = ended(submit("unused", **fields))
    assert (job["status"], job["error"]["code"], job["error"]["field"]) == ("failed", code, field)


def test_an_operators_error_fails_the_job_and_keeps_the_message(submit, ended, outputs, received_from, text):
    job_id = submit(text("403"))
    assert ended(job_id)["error"]["code"] == "MODEL_ACCESS_DENIED"
    assert received_from(outputs.request_dlq_url, job_id).attributes["ErrorCode"] == "MODEL_ACCESS_DENIED"


@pytest.mark.parametrize("body", ["no json", "[]", '{"userId": "a b", "jobType": "echo", "input": {}}'])
def test_what_is_no_job_ends_in_the_dlq_with_the_reason(outputs, received_from, body):
    message_id = send_message(outputs.request_queue_url, body, {})
    letter = received_from(outputs.request_dlq_url, message_id)
    assert letter.body == body
    assert letter.attributes["ErrorCode"] == "NOT_A_JOB"


def test_traces_and_metrics_of_a_job(outputs, ended, text, until):
    root = "1-67891233-abcdef012345678912345678"
    job = AIJobMessage("user-1", "echo", {"text": text()})
    trace_header = f"Root={root};Parent=463ac35c9f6413ad;Sampled=1"
    send_message(outputs.request_queue_url, job.to_body(), job.attributes(), "user-1", trace_header=trace_header)
    assert ended(job.job_id)["traceId"] == root

    def written_by(function):
        pages = boto3.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}")
        lines = [line for page in pages for event in page["events"] for line in event["message"].splitlines()]
        documents = [json.loads(line) for line in lines if line.startswith('{"_aws"')]
        return {name for document in documents for name in document if document.get("JobType") == "echo"}

    of_the_processor = {"QueueWait", "ModelLatency", "InputTokens", "OutputTokens"}
    until(lambda: of_the_processor <= written_by(outputs.processor_function_name), "the processor's metrics")
    until(
        lambda: {"JobsCompleted", "TotalTime", "Attempts"} <= written_by(outputs.result_handler_function_name),
        "the result handler's metrics",
    )


def test_a_large_result_is_linked(submit, ended, model, text):
    prompt = text("large")
    job = ended(submit(prompt))
    assert (job["status"], job["usage"]) == ("completed", {"inputTokens": 7, "outputTokens": 11})
    assert "result" not in job
    with urllib.request.urlopen(job["resultUrl"], timeout=10) as answer:
        document = json.loads(answer.read())
    assert document["text"].startswith(f"You said: {prompt}")
    assert len(document["text"]) > 200_000


def test_a_large_input_goes_through_the_bucket(outputs, ended, model, text):
    job = AIJobMessage("user-1", "echo", {"text": text() + " " + "x" * 210_000})
    send_ai_job_request(job, queue_url=outputs.request_queue_url, bucket=outputs.bucket_name)
    assert ended(job.job_id)["status"] == "completed"
    assert model.calls(job.input["text"]) == 1


def test_an_input_that_is_not_there_is_the_callers_fault(outputs, ended):
    location = {"bucket": outputs.bucket_name, "key": "inputs/user=user-1/job=gone/1.json", "bytes": 5}
    job = AIJobMessage("user-1", "echo", {}, input_location=location)
    send_ai_job_request(job, queue_url=outputs.request_queue_url)
    assert ended(job.job_id)["error"]["code"] == "INPUT_NOT_FOUND"


def test_a_user_can_be_erased(outputs, api, submit, ended, text):
    job_id = submit(text("large"), userId="erased-user")
    ended(job_id)
    assert erase_user("erased-user", table_name=outputs.table_name, bucket=outputs.bucket_name) == Erased(1, 1)
    assert api.call("GET", f"/jobs/{job_id}")[0] == 404
    assert erase_user("erased-user", table_name=outputs.table_name, bucket=outputs.bucket_name) == Erased(0, 0)


def test_the_reconciler_closes_what_sqs_dead_lettered(outputs, ended, paused, received_from, submit, text):  # R-E3 R-E4
    paused(outputs.processor_function_name)
    job_id = submit(text(), traceId="trace-1")
    for _ in range(3):
        receive_messages(outputs.request_queue_url, wait_seconds=2, visibility_timeout_seconds=0)
    receive_messages(outputs.request_queue_url, wait_seconds=0)
    answer = boto3.client("lambda").invoke(FunctionName=outputs.reconciler_function_name)
    assert "FunctionError" not in answer
    job = ended(job_id)
    assert (job["status"], job["error"]["code"], job["attempts"]) == ("failed", "WORKER_CRASHED", 0)
    letter = received_from(outputs.request_dlq_url, job_id)
    assert (letter.attributes["JobId"], letter.attributes["ErrorCode"]) == (job_id, "WORKER_CRASHED")


def test_the_reconciler_has_its_schedule(outputs):
    (schedule,) = boto3.client("scheduler").list_schedules()["Schedules"]
    assert schedule["Name"] == outputs.reconciler_function_name
    assert schedule["State"] == "ENABLED"


def test_the_processor_logged_its_jobs_and_could_extend_their_visibility(submit, ended, until, text, logged):
    job_id = submit(text())
    ended(job_id)

    def completed() -> list[dict[str, Any]]:
        return [line for line in logged("job completed") if line["jobId"] == job_id]

    # The log appears when the invocation ends, which may be after the result has been applied.
    (line,) = until(completed, "the log of the job")
    assert (line["userId"], line["jobType"]) == ("user-1", "echo")
    refused = logged("visibility could not be extended")
    assert [found for found in refused if found["function_request_id"] == line["function_request_id"]] == []
    # On a loaded machine, a cold worker of an earlier test may find that its messages have become visible again.
    assert {code for found in refused for code in found["errorCodes"]} <= {"ReceiptHandleIsInvalid"}


def test_nothing_is_left_behind(outputs, until):
    """Runs last: every message of the tests above was dealt with."""

    def empty() -> bool:
        queues = (outputs.request_queue_url, outputs.response_queue_url, outputs.response_dlq_url)
        return all(get_queue_message_count(queue).total == 0 for queue in queues)

    until(empty, "empty queues")
