"""R-C1: the queue functions, and R-T1: a submitted job is in the queue."""

from __future__ import annotations

import contextlib
import json
import os

import pytest

from ai_jobs import (
    AIJobMessage,
    AIJobResultMessage,
    AIJobsError,
    delete_message,
    get_queue_attributes,
    get_queue_message_count,
    get_sqs_client,
    receive_messages,
    send_ai_job_request,
    send_ai_job_result,
)
from ai_jobs.aws import clients
from ai_jobs.aws.queues import change_visibility_of_all, send_message, size_of, with_more_attributes
from ai_jobs.aws.submission import check_size
from tests.forked import Child


def test_a_submitted_job_is_in_the_queue(aws, monkeypatch):  # R-C1 R-T1
    monkeypatch.setenv("AI_JOB_REQUEST_QUEUE_URL", aws.request_queue)
    job = AIJobMessage("user-1", "greeting", {"name": "Ada"})
    message_id = send_ai_job_request(job)
    (message,) = receive_messages(aws.request_queue, wait_seconds=0)
    assert message.message_id == message_id
    assert json.loads(message.body)["jobId"] == job.job_id
    assert message.attributes == job.attributes()
    assert message.group_id == "user-1"
    assert message.receive_count == 1


def test_a_result_is_in_the_response_queue(aws):  # R-C1
    send_ai_job_result(
        AIJobResultMessage("j", "u", "greeting", "failed", error={"code": "X", "message": "y"}),
        queue_url=aws.response_queue,
    )
    (message,) = receive_messages(aws.response_queue, wait_seconds=0)
    assert message.attributes == {"JobId": "j", "UserId": "u", "Status": "failed"}


def test_aws_sees_who_calls(aws):
    sent = []
    client = clients.get_sqs_sending_client()
    client.meta.events.register("before-send", lambda request, **_: sent.append(request.headers["User-Agent"]))
    send_message(aws.request_queue, "{}", {})
    (user_agent,) = sent
    assert "ai-jobs" in user_agent.decode().split()


def test_whose_job_it_is_stays_on_a_crowded_message():
    own = {f"A{number}": "x" for number in range(9)} | {"UserId": "user-1"}
    more = with_more_attributes(own, {"JobId": "j", "FirstSentAt": "t"})
    assert len(more) == 10
    assert more["UserId"] == "user-1"


def test_counts_and_deletes(aws):  # R-C1
    for number in range(3):
        send_message(aws.request_queue, str(number), {})
    send_message(aws.request_queue, "later", {}, delay_seconds=60)
    taken = receive_messages(aws.request_queue, max_messages=1, wait_seconds=0)
    count = get_queue_message_count(aws.request_queue)
    assert (count.visible, count.in_flight, count.delayed, count.total) == (2, 1, 1, 4)
    delete_message(aws.request_queue, taken[0].receipt_handle)
    assert get_queue_message_count(aws.request_queue).total == 3
    assert get_queue_attributes(aws.request_queue)["QueueArn"].endswith(":request-queue")


def test_more_than_ten_messages_are_hidden_at_once(aws):
    for number in range(12):
        send_message(aws.request_queue, str(number), {})
    handles = [m.receipt_handle for _ in range(2) for m in receive_messages(aws.request_queue, wait_seconds=0)]
    assert len(handles) == 12
    assert change_visibility_of_all(aws.request_queue, handles, 0) == []
    assert get_queue_message_count(aws.request_queue).visible == 12
    assert len(change_visibility_of_all(aws.request_queue, ["unknown"], 0)) == 1


def test_a_refusal_says_what_was_tried(aws):
    with pytest.raises(AIJobsError, match="Cannot receive from .*missing"):
        receive_messages(aws.request_queue.replace("request-queue", "missing"), wait_seconds=0)


def test_what_sqs_would_refuse_is_refused_before(aws):
    with pytest.raises(ValueError, match="262145 bytes.*at most 262144"):
        send_message(aws.request_queue, "ü" * 131_072 + "x", {})
    with pytest.raises(ValueError, match="delay_seconds is 901"):
        send_message(aws.request_queue, "x", {}, delay_seconds=901)


def test_attributes_count_towards_the_size():
    assert size_of("ü", {"Name": "value"}) == 2 + len("Name") + len("String") + len("value")


def test_empty_attributes_are_left_out(aws):
    send_message(aws.request_queue, "x", {"JobId": "j", "TraceId": ""})
    (message,) = receive_messages(aws.request_queue, wait_seconds=0)
    assert message.attributes == {"JobId": "j"}


@pytest.mark.parametrize(
    ("size", "bucket", "refusal"),
    [
        (1_000, None, None),
        (262_144, None, "SQS accepts at most 262144"),
        (262_144, "objects", None),
        (10_000_000, "objects", "At most 10000000 are allowed"),
    ],
)
def test_a_job_that_is_too_large_is_known_before_it_is_sent(aws, size, bucket, refusal):
    job = AIJobMessage("user-1", "greeting", {"text": "x" * size})
    expected = pytest.raises(ValueError, match=refusal) if refusal else contextlib.nullcontext()
    with expected:
        check_size(job, bucket)
    assert get_queue_message_count(aws.request_queue).total == 0


def test_what_fails_says_which_job_it_was_about(aws, monkeypatch):
    job = AIJobMessage("user-1", "greeting", {"name": "Ada"})
    with pytest.raises(AIJobsError) as gone:
        send_ai_job_request(job, queue_url=f"{aws.request_queue}-gone")
    with pytest.raises(ValueError, match="delay_seconds is 901") as late:
        send_ai_job_request(job, queue_url=aws.request_queue, delay_seconds=901)
    large = AIJobMessage("user-1", "greeting", {"name": "x" * 300_000}, job_id=job.job_id)
    with pytest.raises(ValueError, match="SQS accepts at most") as too_large:
        send_ai_job_request(large, queue_url=aws.request_queue)
    with pytest.raises(AIJobsError, match="Cannot store the input") as not_stored:
        send_ai_job_request(large, queue_url=aws.request_queue, bucket="no-such-bucket")
    result = AIJobResultMessage(job.job_id, "u", "greeting", "failed", error={"code": "X", "message": "y"})
    with pytest.raises(AIJobsError) as unreported:
        send_ai_job_result(result, queue_url=f"{aws.response_queue}-gone")
    for raised in (gone, late, too_large, not_stored, unreported):
        assert raised.value.job_id == job.job_id


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_does_not_share_the_parents_connections(aws):
    parents = get_sqs_client()
    with contextlib.ExitStack() as stack:
        with clients._creation:  # as a thread of the parent would, at the moment of the fork
            child = stack.enter_context(Child(lambda: get_sqs_client() is parents))
        assert child.result() is False
    assert get_sqs_client() is parents
