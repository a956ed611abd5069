"""The processor: R-J4, R-E1, R-E2, R-T2, R-T4, and what becomes of each class of failure."""

from __future__ import annotations

import io
import json
import threading
from dataclasses import replace
from datetime import timedelta

import boto3
import pytest

from ai_jobs import AIJobResultMessage, AIJobsError, AWSError, JobError
from ai_jobs.aws import clients
from ai_jobs.aws.queues import get_queue_message_count, receive_messages, send_message
from ai_jobs.contract import timestamps
from ai_jobs.contract.limits import MARGINS
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.service import delayed_copies, retries
from ai_jobs.service.answering import Question, answered
from ai_jobs.service.budget import Budget
from ai_jobs.service.job_type import Prompt
from ai_jobs.service.job_types import JobTypes
from ai_jobs.service.model_prices import ModelPrice
from ai_jobs.service.token_counters import Lease, counter_key
from processor import worker as worker_module
from processor.batch import process_batch
from processor.worker import Disposition, Worker

NO_BUDGET = Budget("no table: a budget without limits must not look at one")


class Source:
    """Has job types, or the reason why there are none."""

    def __init__(self, job_types):
        self.job_types = job_types

    def get(self):
        if isinstance(self.job_types, JobError):
            raise self.job_types
        return self.job_types


class Model:
    """Answers every call with a result, or fails with the code that the input's name gives."""

    def __init__(self, result):
        self.result = result
        self.prompts = []

    def __call__(self, job_type, model_id, conversation, output):
        self.prompts.append(conversation.prompt.user)
        code = conversation.prompt.user.removeprefix("Greet ").removesuffix(".")
        if code == "BUG":
            raise RuntimeError("secret prompt text")
        if code.isupper():
            raise JobError(code, f"the model said {code}")
        return self.result


@pytest.fixture
def model(answer):
    return Model(answer)


@pytest.fixture
def worker(settings, store, clock, model, job_types):
    return Worker(
        settings,
        store,
        NO_BUDGET,
        lambda: job_types,
        clock() + timedelta(minutes=15),
        model,
        clock,
        jitter=lambda low, high: high,
    )


@pytest.fixture
def in_queue(aws, body):
    """Sends a message to the request queue and receives it, as Lambda would."""

    def make(text=None, attributes=None, *, receives=1, **fields):
        send_message(aws.request_queue, text if text is not None else body(**fields), attributes or {}, "user-1")
        for _ in range(receives - 1):
            receive_messages(aws.request_queue, wait_seconds=0, visibility_timeout_seconds=0)
        (message,) = receive_messages(aws.request_queue, wait_seconds=0)
        return message

    return make


@pytest.fixture
def outcomes(aws, messages_in):
    return lambda: [json.loads(message.body) for message in messages_in(aws.response_queue)]


@pytest.fixture
def dead_letters(aws, messages_in):
    return lambda: messages_in(aws.request_dlq)


def test_a_job_becomes_a_result(worker, job_types, received, body, model, outcomes, store, clock):  # R-J4 R-T2
    assert worker.work_on(received(body(traceId="t-1")), job_types) is Disposition.DONE
    assert model.prompts == ["Greet Ada."]
    assert outcomes() == [
        {
            "schemaVersion": 1,
            "jobId": "job-1",
            "userId": "user-1",
            "jobType": "greeting",
            "attempt": 1,
            "status": "completed",
            "result": {
                "text": "Hello, Ada.",
                "model": "amazon.nova-lite-v1:0",
                "usage": {"inputTokens": 12, "outputTokens": 5},
                "stopReason": "end_turn",
                "truncated": False,
            },
            "timestamp": "2026-01-31T12:00:00.000Z",
            "processingTime": 0,
            "traceId": "t-1",
        }
    ]
    found = store.get("job-1")
    assert (found["status"], found["configVersion"]) == ("processing", "v1")
    assert found["leaseExpiresAt"] == "2026-01-31T12:15:00.000Z", "the lease ends with the invocation"
    assert found["deadlineAt"] == "2026-01-31T18:00:00.000Z"
    assert found["dueAt"] == "2026-01-31T18:30:00.000Z", "stalled: twice the visibility timeout after the deadline"


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"jobType": "poem"}, "UNKNOWN_JOB_TYPE", "jobType"),
        ({"input": {}}, "INVALID_INPUT", "input.name"),
        ({"input": "Ada"}, "INVALID_MESSAGE", "input"),
        ({"deadlineSeconds": -1}, "INVALID_MESSAGE", "deadlineSeconds"),
        ({"input": {"name": "GUARDRAIL_INTERVENED"}}, "GUARDRAIL_INTERVENED", None),
    ],
)
def test_an_invalid_job_fails_at_once(worker, job_types, received, body, outcomes, dead_letters, fields, code, field):
    assert worker.work_on(received(body(**fields)), job_types) is Disposition.DONE
    (outcome,) = outcomes()
    assert (outcome["status"], outcome["error"]["code"]) == ("failed", code)
    assert outcome["error"].get("field") == field
    assert dead_letters() == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"input": {"name": "MODEL_NOT_FOUND"}}, "MODEL_NOT_FOUND"),
        ({"schemaVersion": 2}, "UNSUPPORTED_SCHEMA_VERSION"),
    ],
)
def test_an_operators_error_fails_the_job_and_keeps_the_message(
    worker, job_types, in_queue, outcomes, dead_letters, fields, code
):
    message = in_queue(attributes={"UserId": "user-1", "JobType": "greeting"}, **fields)
    assert worker.work_on(message, job_types) is Disposition.DONE
    assert outcomes()[0]["error"]["code"] == code
    (letter,) = dead_letters()
    assert letter.body == message.body
    assert letter.attributes.pop("ErrorMessage")
    assert letter.attributes == {
        "UserId": "user-1",
        "JobType": "greeting",
        "JobId": "job-1",
        "ErrorCode": code,
        "Attempts": "1",
        "FailedAt": "2026-01-31T12:00:00.000Z",
    }
    assert letter.group_id == "user-1"


@pytest.mark.parametrize(
    ("text", "reason"), [("no json", "not JSON"), ("{}", "userId"), ('{"userId": "a b"}', "userId")]
)
def test_what_is_no_job_goes_to_the_dlq_with_the_reason(
    worker, job_types, received, dead_letters, outcomes, text, reason
):
    message = received(text, Color="red")
    assert worker.work_on(message, job_types) is Disposition.DONE
    (letter,) = dead_letters()
    assert letter.body == text
    assert letter.attributes["ErrorCode"] == "NOT_A_JOB"
    assert reason in letter.attributes["ErrorMessage"]
    assert letter.attributes["JobId"] == message.message_id
    assert letter.attributes["Color"] == "red"
    assert outcomes() == []


def test_a_dead_letter_has_at_most_ten_attributes_and_no_character_that_sqs_refuses(
    worker, job_types, received, dead_letters
):
    strange = {f"A{number}": "x" for number in range(10)}
    worker.work_on(received('{"userId": "\\u0000\\uffff' + "x" * 500 + '"}', **strange), job_types)
    (letter,) = dead_letters()
    assert len(letter.attributes) == 10
    assert len(letter.attributes["ErrorMessage"]) <= 256


def test_a_throttled_job_waits_as_a_copy_and_costs_no_receive(
    worker, job_types, in_queue, aws, messages_in, store, clock
):
    message = in_queue(
        attributes={"UserId": "user-1", "JobType": "greeting"}, jobId=None, input={"name": "MODEL_THROTTLED"}
    )
    assert worker.work_on(message, job_types) is Disposition.DONE, "the original may go, since the copy is there"
    assert get_queue_message_count(aws.request_queue).delayed == 1
    assert store.get(message.message_id)["status"] == "queued"


def test_a_throttled_copy_keeps_id_attributes_and_group(worker, job_types, in_queue, monkeypatch, settings, store):
    sent = []
    monkeypatch.setattr(delayed_copies, "send_message", lambda *args: sent.append(args) or "copy-1")
    message = in_queue(
        attributes={"UserId": "user-1", "JobType": "greeting"}, jobId=None, input={"name": "MODEL_THROTTLED"}
    )
    worker.work_on(message, job_types)
    ((url, text, attributes, group, delay, _),) = sent
    assert (url, text, group) == (settings.request_queue_url, message.body, "user-1")
    assert attributes == {
        "UserId": "user-1",
        "JobType": "greeting",
        "JobId": message.message_id,
        "FirstSentAt": timestamps.to_text(message.sent_at),
        "ThrottleCount": "1",
    }
    assert delay == 10
    assert store.get(message.message_id)["messageId"] == "copy-1", "the copy carries the job from now on"


@pytest.mark.parametrize(("count", "delay"), [("1", 20), ("4", 160), ("30", 900), ("many", 10)])
def test_the_wait_grows_to_its_cap(worker, job_types, received, body, monkeypatch, count, delay):
    sent = []
    monkeypatch.setattr(delayed_copies, "send_message", lambda *args: sent.append(args) or "copy-1")
    worker.work_on(received(body(input={"name": "MODEL_THROTTLED"}), ThrottleCount=count), job_types)
    assert sent[0][4] == delay


def test_a_job_too_large_for_the_copys_attributes_waits_as_it_is(worker, job_types, in_queue, body, store, aws):
    empty = len(body(input={"name": "MODEL_THROTTLED"}, note=""))
    message = in_queue(body(input={"name": "MODEL_THROTTLED"}, note="x" * (262_144 - empty)))
    assert worker.work_on(message, job_types) is Disposition.COMES_BACK
    assert store.get("job-1")["status"] == "queued"
    assert get_queue_message_count(aws.request_queue).total == 1


def test_a_throttle_ends_at_the_deadline(worker, job_types, in_queue, model, clock, outcomes, dead_letters):
    class SlowModel(Model):
        def __call__(self, job_type, model_id, conversation, output):
            clock.forward(minutes=2)
            return super().__call__(job_type, model_id, conversation, output)

    worker._model_calls._model = SlowModel(model.result)
    job = {"timestamp": "2026-01-31T12:00:00Z", "deadlineSeconds": 60, "input": {"name": "MODEL_THROTTLED"}}
    worker.work_on(in_queue(**job), job_types)
    assert outcomes()[0]["error"]["code"] == "DEADLINE_EXCEEDED"
    assert dead_letters()[0].attributes["ErrorCode"] == "DEADLINE_EXCEEDED"


def test_a_job_past_its_deadline_calls_no_model(worker, job_types, received, body, model, outcomes, dead_letters):
    worker.work_on(received(body(deadlineSeconds=60, timestamp="2026-01-31T11:00:00Z")), job_types)
    assert model.prompts == []
    assert outcomes()[0]["error"]["code"] == "DEADLINE_EXCEEDED"
    assert len(dead_letters()) == 1


def test_no_model_call_that_could_outlive_the_function(settings, store, clock, model, job_types, in_queue, aws):
    worker = Worker(
        settings,
        store,
        NO_BUDGET,
        lambda: job_types,
        clock() + timedelta(seconds=69),
        model,
        clock,
        jitter=lambda low, high: high,
    )
    assert worker.work_on(in_queue(), job_types) is Disposition.DONE
    assert model.prompts == []
    assert get_queue_message_count(aws.request_queue).delayed == 1


def test_the_deadline_runs_from_the_first_message_though_there_is_no_row(
    settings, clock, model, job_types, received, body, dead_letters
):
    class Down:
        def claim(self, *args):
            raise JobError("DEPENDENCY_UNAVAILABLE", "DynamoDB is down")

    worker = Worker(settings, Down(), NO_BUDGET, lambda: job_types, clock() + timedelta(minutes=15), model, clock)
    copy = received(body(deadlineSeconds=60), FirstSentAt="2026-01-31T11:58:00.000Z", ThrottleCount="3")
    worker.work_on(copy, job_types)
    (letter,) = dead_letters()
    assert letter.attributes["ErrorCode"] == "DEADLINE_EXCEEDED"
    assert {"FirstSentAt", "ThrottleCount"}.isdisjoint(letter.attributes), "a redrive starts over"


def test_a_dead_letter_that_fails_is_not_lost(worker, job_types, in_queue, dead_letters, outcomes, monkeypatch, clock):
    def down(*args, **kwargs):
        raise AWSError("SQS is down")

    message = in_queue(input={"name": "MODEL_NOT_FOUND"})
    with monkeypatch.context() as patch:
        patch.setattr(worker_module, "send_to_dlq", down)
        with pytest.raises(AIJobsError):
            worker.work_on(message, job_types)
    assert outcomes() == [], "the row is not yet failed: a message that comes back is no duplicate"


@pytest.mark.parametrize("spare", [0, 60, 300])
def test_a_message_at_the_size_limit_gets_to_the_dlq(worker, job_types, in_queue, body, dead_letters, outcomes, spare):
    empty = len(body(input={"name": "MODEL_NOT_FOUND"}, note=""))
    message = in_queue(body(input={"name": "MODEL_NOT_FOUND"}, note="x" * (262_144 - spare - empty)))
    assert worker.work_on(message, job_types) is Disposition.DONE
    assert dead_letters()[0].body == message.body
    assert outcomes()[0]["status"] == "failed"


def test_however_large_the_fault_the_job_fails_with_a_reason(worker, job_types, received, body, outcomes):
    assert worker.work_on(received(body(input={"name": "Ada", "k" * 140_000: 1})), job_types) is Disposition.DONE
    (outcome,) = outcomes()
    assert outcome["error"]["code"] == "INVALID_INPUT"
    assert len(outcome["error"]["message"]) <= 1000
    assert len(outcome["error"]["field"]) <= 256


def test_deep_nesting_is_the_callers_fault(worker, job_types, received, body, outcomes):
    deep = '{"jobId": "deep", "userId": "u", "jobType": "greeting", "input": {"name": ' + "[" * 900 + "]" * 900 + "}}"
    assert worker.work_on(received(deep), job_types) is Disposition.DONE
    assert outcomes()[0]["error"]["code"] in ("INVALID_INPUT", "INVALID_MESSAGE")


def test_a_thread_of_an_earlier_invocation_settles_nothing(worker, job_types, in_queue, clock, dead_letters, outcomes):
    class Late(Model):
        def __call__(self, job_type, model_id, conversation, output):
            clock.forward(minutes=16)
            return super().__call__(job_type, model_id, conversation, output)

    worker._model_calls._model = Late(None)
    with pytest.raises(AIJobsError, match="is over"):
        worker.work_on(in_queue(input={"name": "MODEL_NOT_FOUND"}), job_types)
    assert (dead_letters(), outcomes()) == ([], [])


@pytest.mark.parametrize(
    ("text", "attributes", "known"),
    [
        ('{"jobId": "job-7"}', {"JobId": "job-8"}, "job-7"),
        ('{"jobId": "a b"}', {"JobId": "job-8"}, "job-8"),
        ("no json", {"JobId": "a b"}, None),
    ],
)
def test_a_dead_letter_keeps_the_id_that_the_message_had(
    worker, job_types, received, dead_letters, text, attributes, known
):
    message = received(text, **attributes)
    worker.work_on(message, job_types)
    assert dead_letters()[0].attributes["JobId"] == (known or message.message_id)


def test_the_margin_fits_into_the_modules():
    """The plan holds back time for the function's start as well (`job_timeout_margin_seconds`)."""
    assert sum(MARGINS["processor"].values()) > retries.PROCESSOR_MARGIN_SECONDS > 0


class Denials:
    """A model service that lets the role call some models and guardrails, and the job types as they are now."""

    def __init__(self, answer, document, allowed):
        self.result, self.document, self.allowed = answer, document, allowed
        self.calls = []
        self.rereads = 0

    def __call__(self, job_type, model_id, conversation, output):
        self.calls.append(model_id)
        guardrail = job_type.settings.guardrail
        if not {model_id, guardrail and guardrail.id} <= {*self.allowed, None}:
            raise JobError("MODEL_ACCESS_DENIED", "not authorized to perform: bedrock:InvokeModel")
        return self.result

    def reread(self):
        self.rereads += 1
        return JobTypes.from_document(json.dumps({"version": "v2", "jobTypes": {"greeting": self.document}}))


OLD_MODEL = "amazon.nova-lite-v1:0"


@pytest.fixture
def denials(answer, type_document):
    return Denials(answer, type_document, allowed=[])


@pytest.fixture
def denied_worker(settings, store, clock, denials):
    ends_at = clock() + timedelta(minutes=15)
    return Worker(settings, store, NO_BUDGET, denials.reread, ends_at, denials, clock, lambda low, high: high)


@pytest.fixture
def copies(monkeypatch):
    """The delayed copies that were sent: attributes and delay."""
    sent = []
    monkeypatch.setattr(delayed_copies, "send_message", lambda *args: sent.append((args[2], args[4])) or "copy-1")
    return sent


@pytest.mark.parametrize("receives", [1, 3])
def test_a_denied_model_is_waited_for_and_costs_no_receive(
    denied_worker, job_types, in_queue, copies, store, outcomes, dead_letters, measured, receives
):  # R-E1
    message = in_queue(receives=receives)
    assert denied_worker.work_on(message, job_types) is Disposition.DONE
    ((attributes, delay),) = copies
    assert attributes == {
        "JobId": "job-1",
        "FirstSentAt": timestamps.to_text(message.sent_at),
        "DeniedSince": "2026-01-31T12:00:00.000Z",
    }
    assert delay == 30
    assert store.get("job-1")["status"] == "queued"
    assert (outcomes(), dead_letters()) == ([], [])
    assert "ThrottledErrors" in measured()


def test_a_denial_that_lasts_is_an_operators_error(
    denied_worker, job_types, received, body, copies, clock, outcomes, dead_letters
):
    sent_at = timestamps.to_text(clock())
    clock.forward(minutes=9, seconds=59)
    copy = received(body(), DeniedSince="2026-01-31T12:00:00.000Z", FirstSentAt=sent_at, ThrottleCount="4")
    denied_worker.work_on(copy, job_types)
    ((attributes, delay),) = copies
    assert (attributes["DeniedSince"], attributes["ThrottleCount"], delay) == ("2026-01-31T12:00:00.000Z", "4", 30)
    clock.forward(seconds=1)
    denied_worker.work_on(received(body(), **attributes), job_types)
    assert outcomes()[0]["error"]["code"] == "MODEL_ACCESS_DENIED"
    (letter,) = dead_letters()
    assert letter.attributes["ErrorCode"] == "MODEL_ACCESS_DENIED"
    assert "bedrock:InvokeModel" in letter.attributes["ErrorMessage"]
    assert {"FirstSentAt", "ThrottleCount", "DeniedSince"}.isdisjoint(letter.attributes), "a redrive starts over"


def test_a_denial_ends_at_the_jobs_deadline(denied_worker, job_types, received, body, clock, outcomes, dead_letters):
    denied_worker._work._reread = lambda: clock.forward(minutes=2) or job_types
    denied_worker.work_on(received(body(deadlineSeconds=60)), job_types)
    error = outcomes()[0]["error"]
    assert error["code"] == "DEADLINE_EXCEEDED"
    assert "bedrock:InvokeModel" in error["message"]
    assert len(dead_letters()) == 1


@pytest.mark.parametrize("claimed", ["2999-01-01T00:00:00Z", "yesterday", ""])
def test_a_denial_that_a_caller_made_up_counts_from_now(denied_worker, job_types, received, body, copies, claimed):
    denied_worker.work_on(received(body(), DeniedSince=claimed), job_types)
    assert copies[0][0]["DeniedSince"] == "2026-01-31T12:00:00.000Z"


def test_a_wait_for_something_else_ends_the_denial(worker, job_types, received, body, copies):
    message = received(body(input={"name": "MODEL_THROTTLED"}), DeniedSince="2026-01-31T11:00:00.000Z")
    worker.work_on(message, job_types)
    ((attributes, _),) = copies
    assert "DeniedSince" not in attributes, "the next denial is another one"
    assert attributes["ThrottleCount"] == "1"


@pytest.mark.parametrize(
    "change",
    [
        {"modelId": "eu.new-model"},
        {"modelId": "arn:aws:bedrock:eu-west-1:1:application-inference-profile/new"},
        {"guardrail": {"id": "new-guardrail", "version": "1"}},
    ],
)
def test_a_model_that_was_replaced_makes_way_for_the_new_one_at_once(
    denied_worker, denials, job_types, received, body, outcomes, copies, change
):
    denials.document |= change | {"prompt": "Hail {{ name }}."}
    denials.allowed = ["eu.new-model", change.get("modelId"), "new-guardrail"]
    if "guardrail" in change:
        # The old type's own guardrail is denied, its model is not.
        job_types = JobTypes.from_document(
            json.dumps({"version": "v1", "jobTypes": {"greeting": denials.document | {"guardrail": OLD_GUARDRAIL}}})
        )
        denials.allowed.append(OLD_MODEL)
    assert denied_worker.work_on(received(body()), job_types) is Disposition.DONE
    assert outcomes()[0]["status"] == "completed"
    assert denials.calls == [OLD_MODEL, change.get("modelId", OLD_MODEL)]
    assert (denials.rereads, copies) == (1, [])


OLD_GUARDRAIL = {"id": "old-guardrail", "version": "1"}


def test_a_model_that_is_gone_makes_way_for_the_new_one_too(settings, store, clock, denials, job_types, received, body):
    def model(job_type, model_id, conversation, output):
        if model_id == OLD_MODEL:
            raise JobError("MODEL_NOT_FOUND", "it was deleted")
        return denials(job_type, model_id, conversation, output)

    denials.document |= {"modelId": "new"}
    denials.allowed = ["new"]
    worker = Worker(settings, store, NO_BUDGET, denials.reread, clock() + timedelta(minutes=15), model, clock)
    assert worker.work_on(received(body()), job_types) is Disposition.DONE
    assert denials.calls == ["new"]


def test_a_new_model_that_is_denied_as_well_is_waited_for(denied_worker, denials, job_types, received, body, copies):
    denials.document |= {"modelId": "new"}
    denied_worker.work_on(received(body()), job_types)
    assert denials.calls == [OLD_MODEL, "new"], "once more, and not in circles"
    assert copies[0][0]["DeniedSince"]


def test_a_job_whose_type_is_gone_by_then_fails_as_later_ones_do(
    denied_worker, job_types, received, body, outcomes, copies, type_document
):
    renamed = json.dumps({"version": "v2", "jobTypes": {"salute": type_document}})
    denied_worker._work._reread = lambda: JobTypes.from_document(renamed)
    denied_worker.work_on(received(body()), job_types)
    assert outcomes()[0]["error"]["code"] == "UNKNOWN_JOB_TYPE"


@pytest.mark.parametrize(("late", "rereads"), [(14 * 60 - 10, 1), (14 * 60 - 9, 0)])
def test_a_denial_near_the_end_of_the_function_is_not_looked_into(
    settings, store, clock, denials, job_types, received, body, copies, late, rereads
):
    def slowly(job_type, model_id, conversation, output):
        clock.forward(seconds=late)
        return denials(job_type, model_id, conversation, output)

    worker = Worker(settings, store, NO_BUDGET, denials.reread, clock() + timedelta(minutes=15), slowly, clock)
    assert worker.work_on(received(body()), job_types) is Disposition.DONE
    assert denials.rereads == rereads, "60 s for the model and 10 s for the rest must be left"
    assert len(copies) == 1


def test_a_call_of_the_new_model_is_counted_in_the_place_of_the_old_one(
    settings, store, clock, denials, job_types, received, body, aws
):
    denials.document |= {"modelId": "new", "maxTokens": 900}
    denials.allowed = ["new"]
    budget = Budget(aws.table, daily_tokens_per_user=1000, clock=clock)
    worker = Worker(settings, store, budget, denials.reread, clock() + timedelta(minutes=15), denials, clock)
    worker.work_on(received(body()), job_types)
    worker.finish()
    assert denials.calls == [OLD_MODEL, "new"], "the denied call has given its tokens back"
    after = budget.for_invocation(clock() + timedelta(minutes=15))
    with pytest.raises(JobError, match="used up"):
        after.reserve("user-1", 984)
    after.reserve("user-1", 983)


def test_a_message_too_large_for_a_copy_keeps_the_reason(
    denied_worker, job_types, in_queue, body, outcomes, dead_letters
):
    empty = len(body(note=""))
    text = body(note="x" * (262_144 - empty))
    assert denied_worker.work_on(in_queue(text, receives=3), job_types) is Disposition.DONE
    error = outcomes()[0]["error"]
    assert error["code"] == "RETRIES_EXHAUSTED"
    assert "bedrock:InvokeModel" in error["message"]
    assert len(dead_letters()) == 1


def test_missing_job_types_are_waited_out(worker, in_queue, aws, store):
    unavailable = JobError("DEPENDENCY_UNAVAILABLE", "AppConfig gave no job types")
    assert worker.work_on(in_queue(), unavailable) is Disposition.DONE
    assert get_queue_message_count(aws.request_queue).delayed == 1
    assert store.get("job-1")["status"] == "queued"


def test_a_transient_failure_comes_back_after_a_backoff(
    worker, job_types, in_queue, outcomes, dead_letters, store, monkeypatch
):  # R-E1
    waits = []
    monkeypatch.setattr(worker_module, "change_visibility", lambda url, handle, seconds: waits.append(seconds))
    assert worker.work_on(in_queue(input={"name": "MODEL_ERROR"}), job_types) is Disposition.COMES_BACK
    assert waits == [30]
    assert store.get("job-1")["status"] == "queued", "the lease is given back"
    assert (outcomes(), dead_letters()) == ([], [])


@pytest.mark.parametrize("name", ["MODEL_ERROR", "MODEL_TIMEOUT", "MALFORMED_MODEL_ANSWER", "BUG"])
def test_the_last_receive_fails_the_job_and_dead_letters_it(
    worker, job_types, in_queue, outcomes, dead_letters, store, name
):  # R-E1
    for receives in (1, 2):
        assert worker.work_on(in_queue(receives=receives, input={"name": name}), job_types) is Disposition.COMES_BACK
    message = in_queue(receives=3, input={"name": name})
    assert message.receive_count == 3
    assert worker.work_on(message, job_types) is Disposition.DONE
    (outcome,) = outcomes()
    assert outcome["error"]["code"] == "RETRIES_EXHAUSTED"
    assert ("INTERNAL_ERROR" if name == "BUG" else name) in outcome["error"]["message"]
    (letter,) = dead_letters()
    assert (letter.attributes["ErrorCode"], letter.attributes["Attempts"]) == ("RETRIES_EXHAUSTED", "3")


def test_a_duplicate_of_a_running_job_waits_for_the_lease(
    worker, job_types, in_queue, model, clock, dead_letters, monkeypatch, settings, store
):
    waits = []
    monkeypatch.setattr(worker_module, "change_visibility", lambda url, handle, seconds: waits.append(seconds))

    class Interrupted(Model):
        def __call__(self, job_type, model_id, conversation, output):
            clock.forward(minutes=5)
            other = Worker(settings, store, NO_BUDGET, lambda: job_types, clock() + timedelta(minutes=15), model, clock)
            assert other.work_on(duplicate, job_types) is Disposition.COMES_BACK
            return super().__call__(job_type, model_id, conversation, output)

    original, duplicate = in_queue(), in_queue()
    worker._model_calls._model = Interrupted(model.result)
    assert worker.work_on(original, job_types) is Disposition.DONE
    assert waits == [601]
    assert model.prompts == [], "the second worker called no model"
    assert dead_letters() == []


def test_a_duplicate_of_a_finished_job_is_dropped(worker, job_types, in_queue, model, outcomes, store, aws):
    first, second = in_queue(), in_queue()
    worker.work_on(first, job_types)
    store.apply_result(AIJobResultMessage.from_body(json.dumps(outcomes()[0])))
    assert worker.work_on(second, job_types) is Disposition.DONE
    assert len(model.prompts) == 1


def test_a_job_that_was_cancelled_calls_no_model(worker, job_types, in_queue, model, store, outcomes, aws):
    worker.work_on(in_queue(), job_types)
    store.release("job-1", 1)
    store.cancel("job-1")
    assert worker.work_on(in_queue(), job_types) is Disposition.DONE
    assert len(model.prompts) == 1


@pytest.mark.parametrize("name", ["MODEL_NOT_FOUND", "MODEL_THROTTLED", "MODEL_TIMEOUT"])
def test_a_job_that_is_cancelled_while_it_fails_comes_to_rest(
    settings, store, clock, job_types, in_queue, dead_letters, outcomes, name
):
    def model(job_type, model_id, conversation, output):
        store.cancel("job-1")
        raise JobError(name, "the model said so")

    worker = Worker(
        settings,
        store,
        NO_BUDGET,
        lambda: job_types,
        clock() + timedelta(minutes=15),
        model,
        clock,
        lambda low, _high: low,
    )
    message = in_queue(receives=3)
    assert worker.work_on(message, job_types) is Disposition.DONE
    assert dead_letters() == [], "nobody wants it from there"
    assert outcomes() == []
    assert store.get("job-1")["status"] == "cancelled"
    assert worker.work_on(in_queue(), job_types) is Disposition.DONE


def test_whether_it_was_cancelled_need_not_be_known(worker, job_types, in_queue, dead_letters, refusing):
    refusing(clients.get_dynamodb_client(), "GetItem", "ThrottlingException")
    assert worker.work_on(in_queue(input={"name": "MODEL_NOT_FOUND"}), job_types) is Disposition.DONE
    assert len(dead_letters()) == 1


def test_a_duplicate_that_waited_out_an_outage_as_a_copy_is_no_redrive(worker, job_types, received, store, body, clock):
    sent = timestamps.to_text(clock())
    worker.work_on(received(body(input={"name": "GUARDRAIL_INTERVENED"})), job_types)
    store.apply_result(
        AIJobResultMessage("job-1", "user-1", "greeting", "failed", error={"code": "X"}, timestamp=clock())
    )
    clock.forward(minutes=1)
    copy = received(body(input={"name": "GUARDRAIL_INTERVENED"}), FirstSentAt=sent, ThrottleCount="1")
    assert worker.work_on(copy, job_types) is Disposition.DONE
    assert store.get("job-1")["status"] == "failed"
    redriven = received(body(input={"name": "GUARDRAIL_INTERVENED"}))
    worker.work_on(redriven, job_types)
    assert store.get("job-1")["status"] == "processing"


@pytest.fixture
def operator_redrives(aws, job_types, settings, store, clock, answer, messages_in):
    """Redrives the dead-lettered message and gives it to a worker whose model works."""

    def redrive():
        clock.forward(milliseconds=5)
        (letter,) = messages_in(aws.request_dlq)
        send_message(aws.request_queue, letter.body, letter.attributes, "user-1")
        (message,) = receive_messages(aws.request_queue, wait_seconds=0)
        message.system_attributes["SentTimestamp"] = str(int(clock().timestamp() * 1000))

        def work():
            ends_at = clock() + timedelta(minutes=15)
            worker = Worker(settings, store, NO_BUDGET, lambda: job_types, ends_at, lambda *_: answer, clock)
            return worker.work_on(message, job_types)

        return work

    return redrive


def test_a_redrive_between_the_dead_letter_and_the_row_is_not_lost(
    settings, store, clock, job_types, model, in_queue, outcomes, operator_redrives, monkeypatch
):  # R-E4
    """The operator is faster than the worker: the message is redriven before the worker reports the failure."""
    redriven = []
    dead_letter = worker_module.send_to_dlq

    def dead_letter_and_wait(*args, **kwargs):
        dead_letter(*args, **kwargs)
        redriven.append(operator_redrives())
        clock.forward(seconds=2)

    with monkeypatch.context() as patch:
        patch.setattr(worker_module, "send_to_dlq", dead_letter_and_wait)
        worker = Worker(settings, store, NO_BUDGET, lambda: job_types, clock() + timedelta(minutes=15), model, clock)
        worker.work_on(in_queue(input={"name": "MODEL_NOT_FOUND"}), job_types)
    (failure,) = outcomes()
    store.apply_result(AIJobResultMessage.from_body(json.dumps(failure)))
    assert store.get("job-1")["status"] == "failed"
    (work,) = redriven
    assert work() is Disposition.DONE
    assert store.get("job-1")["status"] == "processing", "the redrive counts"
    (result,) = outcomes()
    assert (result["status"], result["attempt"]) == ("completed", 1)


def test_a_dead_letter_and_its_row_name_the_same_moment(
    settings, store, clock, job_types, model, in_queue, outcomes, dead_letters
):  # R-E4
    class Ticking:
        """Time passes between any two looks."""

        def __call__(self):
            clock.forward(milliseconds=3)
            return clock()

    worker = Worker(settings, store, NO_BUDGET, lambda: job_types, clock() + timedelta(minutes=15), model, Ticking())
    worker.work_on(in_queue(input={"name": "MODEL_NOT_FOUND"}), job_types)
    (failure,) = outcomes()
    store.apply_result(AIJobResultMessage.from_body(json.dumps(failure)))
    (letter,) = dead_letters()
    assert letter.attributes["FailedAt"] == store.get("job-1")["completedAt"]


@pytest.mark.parametrize("lease", ["held", "expired"])
def test_a_redrive_before_the_row_says_failed_is_not_lost(
    settings, store, clock, job_types, model, in_queue, outcomes, operator_redrives, lease
):  # R-E4
    """The result is still in the response queue, while the row is `processing`."""
    worker = Worker(settings, store, NO_BUDGET, lambda: job_types, clock() + timedelta(minutes=15), model, clock)
    worker.work_on(in_queue(input={"name": "MODEL_NOT_FOUND"}), job_types)
    (failure,) = outcomes()
    work = operator_redrives()
    if lease == "held":
        assert work() is Disposition.COMES_BACK, "put off until the lease ends"
        store.apply_result(AIJobResultMessage.from_body(json.dumps(failure)))
    clock.forward(minutes=15)
    assert work() is Disposition.DONE
    assert store.get("job-1")["status"] == "processing"
    outcome = store.apply_result(AIJobResultMessage.from_body(json.dumps(failure)))
    assert outcome.row is None, "the failure of the attempt before comes too late"
    (result,) = outcomes()
    store.apply_result(AIJobResultMessage.from_body(json.dumps(result)))
    assert store.get("job-1")["status"] == "completed"


def test_waits_are_no_attempts_for_callers(
    settings, store, clock, job_types, model, in_queue, outcomes, dead_letters, copies
):
    """A day of throttling must not show as that many attempts; nor must the wait that the deadline ends."""
    job = {"timestamp": "2026-01-31T12:00:00Z", "deadlineSeconds": 3600, "input": {"name": "MODEL_THROTTLED"}}

    def work():
        Worker(settings, store, NO_BUDGET, lambda: job_types, clock() + timedelta(minutes=15), model, clock).work_on(
            in_queue(**job), job_types
        )
        return store.get("job-1")

    for number in range(1, 6):
        row = work()
        assert (row["attempt"], row["calls"]) == (number, 0)
    assert len(copies) == 5
    clock.forward(hours=1)
    assert work()["calls"] == 0
    assert outcomes()[0]["error"]["code"] == "DEADLINE_EXCEEDED"
    assert dead_letters()[0].attributes["Attempts"] == "0"


def test_a_taken_id_goes_to_the_dlq_and_leaves_the_first_job_alone(
    worker, job_types, in_queue, model, dead_letters, outcomes, store
):
    worker.work_on(in_queue(), job_types)
    before = store.get("job-1")
    assert worker.work_on(in_queue(input={"name": "Bob"}), job_types) is Disposition.DONE
    assert model.prompts == ["Greet Ada."]
    assert dead_letters()[0].attributes["ErrorCode"] == "JOB_ID_CONFLICT"
    assert len(outcomes()) == 1
    assert store.get("job-1") == before


def test_a_large_result_goes_to_the_bucket(worker, job_types, received, body, model, outcomes, aws):
    large = replace(model.result, text="ü" * 100_000)
    worker._model_calls._model = Model(large)
    assert worker.work_on(received(body()), job_types) is Disposition.DONE
    (outcome,) = outcomes()
    location = outcome["resultLocation"]
    stored = boto3.client("s3").get_object(Bucket=aws.bucket, Key=location["key"])["Body"].read()
    assert json.loads(stored)["text"] == large.text
    assert location["key"].startswith("results/user=user-1/job=job-1/")
    assert (location["bucket"], location["bytes"]) == (aws.bucket, len(stored))
    assert "result" not in outcome
    assert outcome["usage"] == {"inputTokens": 12, "outputTokens": 5}


def test_a_result_up_to_the_limit_stays_in_the_message(worker, job_types, received, body, model, outcomes):
    question = Question(("m",), Prompt(None, ""))
    rest = len(json.dumps(answered(question, lambda *_: replace(model.result, text="")).to_document()))
    worker._model_calls._model = Model(replace(model.result, text="x" * (200_000 - rest)))
    worker.work_on(received(body()), job_types)
    assert len(outcomes()[0]["result"]["text"]) == 200_000 - rest


def test_a_result_that_can_not_be_stored_is_tried_again_within_the_receives(
    worker, job_types, in_queue, model, store, monkeypatch, aws, outcomes, dead_letters
):
    def down(*args, **kwargs):
        raise JobError("DEPENDENCY_UNAVAILABLE", "S3 is down")

    worker._model_calls._model = Model(replace(model.result, text="x" * 200_001))
    monkeypatch.setattr(worker_module.objects, "put_result", down)
    assert worker.work_on(in_queue(), job_types) is Disposition.COMES_BACK
    assert outcomes() == []
    assert store.get("job-1")["status"] == "queued"
    assert worker.work_on(in_queue(receives=3, jobId="job-2"), job_types) is Disposition.DONE
    assert dead_letters()[0].attributes["ErrorCode"] == "RETRIES_EXHAUSTED"


def test_what_sqs_wants_escaped_counts_as_it_is_sent(worker, job_types, received, body, model, outcomes):
    worker._model_calls._model = Model(replace(model.result, text="\uffff" * 40_000))
    worker.work_on(received(body()), job_types)
    assert "resultLocation" in outcomes()[0]


@pytest.fixture
def on_a_budget(settings, store, clock, model, aws, job_types):
    """A worker whose jobs may use this many tokens a day; a greeting reserves 113 (13 for its prompt), and uses 17."""

    def make(tokens, the_model=model):
        budget = Budget(aws.table, daily_tokens_per_user=tokens, clock=clock)
        return Worker(settings, store, budget, lambda: job_types, clock() + timedelta(minutes=15), the_model, clock)

    return make


def test_a_job_over_the_budget_waits_as_a_copy_and_a_metric_says_so(
    on_a_budget, job_types, in_queue, model, aws, store, monkeypatch
):
    counted = []
    monkeypatch.setattr(worker_module.metrics, "count", counted.append)
    worker = on_a_budget(129)
    assert worker.work_on(in_queue(jobId="first"), job_types) is Disposition.DONE
    assert worker.work_on(in_queue(jobId="second"), job_types) is Disposition.DONE
    assert len(model.prompts) == 1
    assert get_queue_message_count(aws.request_queue).delayed == 1
    assert store.get("second")["status"] == "queued"
    assert counted == ["ThrottledErrors", "BudgetWaits"]


def test_a_budget_is_charged_with_what_was_used(on_a_budget, job_types, in_queue, model):
    for number in range(2):
        worker = on_a_budget(130)
        worker.work_on(in_queue(jobId=f"job-{number}"), job_types)
        worker.finish()
    assert len(model.prompts) == 2, "17 tokens used, 113 reserved"


@pytest.mark.parametrize(("code", "calls"), [("MODEL_THROTTLED", 2), ("MODEL_TIMEOUT", 1)])
def test_only_a_call_that_was_refused_gives_its_tokens_back(on_a_budget, job_types, in_queue, model, code, calls):
    worker = on_a_budget(180)
    worker.work_on(in_queue(jobId="first", input={"name": code}), job_types)
    worker.work_on(in_queue(jobId="second"), job_types)
    assert len(model.prompts) == calls, "one that may have been billed stays counted"


def test_a_job_that_waits_for_the_budget_ends_at_its_deadline(on_a_budget, job_types, in_queue, clock, dead_letters):
    worker = on_a_budget(50)
    worker.work_on(in_queue(jobId="job-1", deadlineSeconds=60, timestamp="2026-01-31T11:59:30Z"), job_types)
    clock.forward(seconds=31)
    worker.work_on(in_queue(jobId="job-1", deadlineSeconds=60, timestamp="2026-01-31T11:59:30Z"), job_types)
    assert dead_letters()[0].attributes["ErrorCode"] == "DEADLINE_EXCEEDED"


def test_a_slow_reservation_does_not_let_a_call_outlive_its_function(
    on_a_budget, job_types, in_queue, model, clock, monkeypatch
):
    worker = on_a_budget(113)
    budget = worker._budget
    reserve = budget.reserve

    def slowly(*args):
        clock.forward(minutes=14)
        return reserve(*args)

    with monkeypatch.context() as patch:
        patch.setattr(budget, "reserve", slowly)
        worker.work_on(in_queue(jobId="late"), job_types)
    worker.finish()
    assert model.prompts == []
    on_a_budget(113).work_on(in_queue(jobId="next"), job_types)
    assert len(model.prompts) == 1, "the late one has given its tokens back"


def test_a_batch_writes_its_users_counter_twice(on_a_budget, job_types, record, body, aws):  # R-S1
    updates = []
    events = clients.get_dynamodb_client().meta.events
    events.register("before-parameter-build.dynamodb.UpdateItem", lambda params, **_: updates.append(params["Key"]))
    records = [record(body(jobId=f"job-{number}"), UserId="user-1") for number in range(5)]
    assert process_batch(records, on_a_budget(1000), Source(job_types)) == []
    counter = {"S": counter_key("2026-01-31", "user-1")}
    assert [key["jobId"] for key in updates].count(counter) == 2
    item = boto3.client("dynamodb").get_item(TableName=aws.table, Key={"jobId": counter})["Item"]
    assert item["tokens"] == {"N": str(5 * 17)}


def test_a_budget_that_can_not_be_settled_costs_no_result(
    on_a_budget, job_types, record, body, outcomes, monkeypatch, caplog
):
    def down(*args, **kwargs):
        raise JobError("DEPENDENCY_UNAVAILABLE", "DynamoDB is down")

    monkeypatch.setattr(Lease, "settle", down)
    assert process_batch([record(body())], on_a_budget(1000), Source(job_types)) == []
    assert outcomes()[0]["status"] == "completed"


@pytest.fixture
def stored_input(aws):
    """Stores an input in the bucket and returns the fields of a message that refers to it."""

    def store_it(content, user="user-1", **location):
        key = f"inputs/user={user}/job=job-1/1.json"
        boto3.client("s3").put_object(Bucket=aws.bucket, Key=key, Body=content)
        found = {"bucket": aws.bucket, "key": key, "bytes": len(content)} | location
        return {"input": None, "inputLocation": found}

    return store_it


def test_a_stored_input_is_read(worker, job_types, received, body, stored_input, model, outcomes):
    worker.work_on(received(body(**stored_input(b'{"name": "Ada"}'))), job_types)
    assert model.prompts == ["Greet Ada."]
    assert outcomes()[0]["status"] == "completed"


@pytest.mark.parametrize(
    ("location", "code", "field"),
    [
        ({"bucket": "another"}, "INVALID_MESSAGE", "inputLocation.bucket"),
        ({"key": "inputs/user=user-2/job=job-1/1.json"}, "INVALID_MESSAGE", "inputLocation.key"),
        ({"key": "results/user=user-1/job=job-1/1.json"}, "INVALID_MESSAGE", "inputLocation.key"),
        ({"key": None}, "INVALID_MESSAGE", "inputLocation"),
        ({"bytes": 10_000_001}, "INVALID_MESSAGE", "inputLocation.bytes"),
        ({"bytes": True}, "INVALID_MESSAGE", "inputLocation.bytes"),
        ({"key": "inputs/user=user-1/job=job-1/gone.json"}, "INPUT_NOT_FOUND", "inputLocation"),
    ],
)
def test_a_wrong_location_is_the_callers_fault(
    worker, job_types, received, body, stored_input, model, outcomes, location, code, field
):
    worker.work_on(received(body(**stored_input(b'{"name": "Ada"}', **location))), job_types)
    error = outcomes()[0]["error"]
    assert (error["code"], error["field"]) == (code, field)
    assert model.prompts == []


@pytest.mark.parametrize("content", [b"[1]", b"no json", b"[" * 100_000, b'{"name": "' + b"x" * 10_000_000 + b'"}'])
def test_a_stored_input_must_be_an_object_that_is_not_too_large(
    worker, job_types, received, body, stored_input, outcomes, content
):
    worker.work_on(received(body(**stored_input(content, bytes=100))), job_types)
    assert outcomes()[0]["error"]["code"] == "INVALID_MESSAGE"


def test_input_and_location_together_are_refused(worker, job_types, received, body, stored_input, outcomes):
    fields = stored_input(b'{"name": "Ada"}') | {"input": {"name": "Bob"}}
    worker.work_on(received(body(**fields)), job_types)
    assert outcomes()[0]["error"]["code"] == "INVALID_MESSAGE"


def test_another_stored_input_is_another_job(worker, job_types, received, body, stored_input, dead_letters):
    fields = stored_input(b'{"name": "Ada"}')
    worker.work_on(received(body(**fields)), job_types)
    fields["inputLocation"]["key"] += "2"
    worker.work_on(received(body(**fields)), job_types)
    assert dead_letters()[0].attributes["ErrorCode"] == "JOB_ID_CONFLICT"


def test_a_result_that_can_not_be_sent_is_no_success(worker, job_types, received, body, store, monkeypatch):
    def down(*args, **kwargs):
        raise AWSError("SQS is down")

    monkeypatch.setattr(worker_module.BatchSender, "send", down)
    with pytest.raises(AIJobsError):
        worker.work_on(received(body()), job_types)
    assert store.get("job-1")["status"] == "queued", "free for the next attempt"


def test_an_unreachable_table_is_waited_out_without_a_row(settings, clock, model, job_types, in_queue, aws):
    class Down:
        def claim(self, *args):
            raise JobError("DEPENDENCY_UNAVAILABLE", "DynamoDB is down")

    worker = Worker(
        settings,
        Down(),
        NO_BUDGET,
        lambda: job_types,
        clock() + timedelta(minutes=15),
        model,
        clock,
        jitter=lambda low, high: high,
    )
    assert worker.work_on(in_queue(timestamp="2026-01-31T12:00:00Z"), job_types) is Disposition.DONE
    assert get_queue_message_count(aws.request_queue).delayed == 1
    assert model.prompts == []


def test_jobs_of_a_batch_run_at_the_same_time(settings, store, clock, answer, job_types, record, body):  # R-T4
    together = threading.Barrier(10, timeout=20)

    def model(job_type, model_id, conversation, output):
        together.wait()  # breaks unless all ten are here at once
        return answer

    worker = Worker(settings, store, NO_BUDGET, lambda: job_types, clock() + timedelta(minutes=15), model, clock)
    records = [record(body(jobId=f"job-{number}")) for number in range(10)]
    assert process_batch(records, worker, Source(job_types)) == []


@pytest.fixture
def threads(settings, store, clock, answer, job_types, record, body):
    """Works on a batch of jobs that are all at the model at once, and returns their threads."""

    def work(name, jobs):
        together, found = threading.Barrier(jobs, timeout=20), set()

        def model(job_type, model_id, conversation, output):
            together.wait()
            found.add(threading.current_thread())
            return answer

        worker = Worker(settings, store, NO_BUDGET, lambda: job_types, clock() + timedelta(minutes=15), model, clock)
        records = [record(body(jobId=f"{name}-{number}")) for number in range(jobs)]
        assert process_batch(records, worker, Source(job_types)) == []
        return found

    return work


def test_the_next_batch_has_the_same_threads(threads):
    assert threads("a", 50) == threads("b", 50)


def test_a_thread_that_was_left_behind_does_not_slow_down_the_next_batch(threads, worker, job_types, record, body):
    stuck = threading.Event()
    worker.work_on = lambda *_: stuck.wait(20)
    worker.seconds_left = lambda: 0.1
    try:
        assert len(process_batch([record(body())], worker, Source(job_types))) == 1
        assert len(threads("next", 50)) == 50
    finally:
        stuck.set()


def test_a_mixed_batch_brings_back_only_its_failures(worker, job_types, record, body, in_queue):  # R-E2 R-T4
    names = ["Ada", "MODEL_ERROR", "Bob", "BUG", "GUARDRAIL_INTERVENED", "MODEL_THROTTLED"]
    records = []
    for name in names:
        message = in_queue(jobId=f"job-{name}", input={"name": name})
        records.append(record(message.body, receipt_handle=message.receipt_handle))
    failed = process_batch(records, worker, Source(job_types))
    by_id = {item["messageId"]: json.loads(item["body"])["input"]["name"] for item in records}
    assert [by_id[message_id] for message_id in failed] == ["MODEL_ERROR", "BUG"]


def test_the_first_act_is_to_hide_every_message_for_the_whole_timeout(
    worker, job_types, aws, body, record, model, monkeypatch
):
    from processor import batch

    acts = []
    monkeypatch.setattr(batch, "change_visibility_of_all", lambda *args: acts.append(args) or [])
    monkeypatch.setattr(worker, "work_on", lambda *args: acts.append("work") or Disposition.DONE)
    process_batch([record(body(), receipt_handle="a"), record(body(), receipt_handle="b")], worker, Source(job_types))
    assert acts == [(aws.request_queue, ["a", "b"], 900), "work", "work"]


def test_a_visibility_that_can_not_be_extended_stops_nothing(worker, job_types, record, body, outcomes):
    assert process_batch([record(body(), receipt_handle="gone")], worker, Source(job_types)) == []
    assert len(outcomes()) == 1


def test_a_job_that_outlives_the_function_comes_back_alone(settings, store, clock, answer, job_types, record, body):
    stuck, others_done = threading.Event(), threading.Event()

    def model(job_type, model_id, conversation, output):
        if conversation.prompt.user == "Greet Stuck.":
            others_done.wait(20)
            clock.forward(minutes=15)  # so that the batch stops waiting
            stuck.wait(20)
        else:
            others_done.set()
        return answer

    ends_at = clock() + timedelta(minutes=15)
    worker = Worker(settings, store, NO_BUDGET, lambda: job_types, ends_at, model, clock)
    worker.seconds_left = lambda: 2.0
    records = [record(body(jobId="a")), record(body(jobId="b", input={"name": "Stuck"}))]
    try:
        assert process_batch(records, worker, Source(job_types)) == [records[1]["messageId"]]
    finally:
        stuck.set()


def test_what_no_thread_got_to_costs_no_receive(settings, store, clock, answer, job_types, record, body, in_queue, aws):
    stuck = threading.Event()

    def model(job_type, model_id, conversation, output):
        stuck.wait(20)
        return answer

    worker = Worker(
        settings,
        store,
        NO_BUDGET,
        lambda: job_types,
        clock() + timedelta(minutes=15),
        model,
        clock,
        jitter=lambda low, high: high,
    )
    worker.seconds_left = lambda: 1.0
    records = [record(body(jobId=f"job-{number}")) for number in range(52)]
    try:
        failed = process_batch(records, worker, Source(job_types))
    finally:
        stuck.set()
    assert len(failed) == 50, "those that a thread holds come back"
    assert get_queue_message_count(aws.request_queue).delayed == 2


def test_an_empty_batch_is_no_error(worker, job_types):
    assert process_batch([], worker, Source(job_types)) == []


def test_logs_tell_the_job_but_never_its_content(worker, job_types, record, body, monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(worker_module.logger.registered_handler, "stream", written)
    names = ["Secret-Ada", "BUG", "MODEL_ERROR", "GUARDRAIL_INTERVENED"]
    records = [record(body(jobId=f"job-{name}", input={"name": name})) for name in names]
    records += [record(body(jobId="x", input={"name": "Secret-Bob", "secret-color": "red"})), record("secret garbage")]
    process_batch(records, worker, Source(job_types))
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    about_job = [line for line in lines if line.get("jobId") == "job-Secret-Ada"]
    assert about_job
    assert (about_job[0]["userId"], about_job[0]["jobType"]) == ("user-1", "greeting")
    text = written.getvalue().replace("job-Secret-Ada", "")
    for content in ("Secret", "secret", "Hello", "Greet"):
        assert content not in text


def test_what_is_measured_of_a_job(settings, store, clock, model, job_types, received, body, measured):
    settings = replace(settings, prices={"amazon.nova-lite-v1:0": ModelPrice(1_000_000, 2_000_000, 1, 1)})
    worker = Worker(settings, store, NO_BUDGET, lambda: job_types, clock() + timedelta(minutes=15), model, clock)
    message = received(body())
    clock.forward(seconds=4)
    worker.work_on(message, job_types)
    found = measured()
    ((_, latency),) = found.pop("ModelLatency")
    assert latency >= 0
    assert found == {
        "QueueWait": [("greeting", 4000)],
        "InputTokens": [("greeting", 12)],
        "OutputTokens": [("greeting", 5)],
        "EstimatedCost": [("greeting", 22)],
    }


def test_a_model_without_a_price_costs_nothing_that_is_known(worker, job_types, received, body, measured):
    worker.work_on(received(body()), job_types)
    assert "EstimatedCost" not in measured()


def test_the_wait_is_measured_once_a_life(worker, job_types, in_queue, clock, measured):
    worker.work_on(in_queue(input={"name": "MODEL_ERROR"}), job_types)
    assert "QueueWait" in measured()
    clock.forward(minutes=1)
    worker.work_on(in_queue(input={"name": "MODEL_ERROR"}), job_types)
    assert "QueueWait" not in measured()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("MODEL_THROTTLED", {"ThrottledErrors", "ModelThrottles"}),  # it did no work, so its time means nothing
        ("MODEL_NOT_FOUND", {"OperatorErrors"}),
        ("MODEL_TIMEOUT", {"TransientErrors", "ModelLatency"}),
        ("GUARDRAIL_INTERVENED", {"InvalidErrors", "ModelLatency"}),
    ],
)
def test_what_is_measured_of_a_failed_call(worker, job_types, in_queue, measured, code, expected):
    worker.work_on(in_queue(input={"name": code}), job_types)
    assert set(measured()) == expected | {"QueueWait"}


def test_a_type_that_a_caller_made_up_is_measured_as_other(worker, job_types, in_queue, measured):
    worker.work_on(in_queue(jobType="made-up"), job_types)
    assert measured()["QueueWait"][0][0] == "other"


TRACE = "Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1"
TRACE_ID = "1-67891233-abcdef012345678912345678"


@pytest.fixture
def traced(aws, body):
    """Sends a message that belongs to an X-Ray trace and receives it."""

    def make(**fields):
        send_message(aws.request_queue, body(**fields), {}, "user-1", trace_header=TRACE)
        (message,) = receive_messages(aws.request_queue, wait_seconds=0)
        assert message.trace_header == TRACE
        return message

    return make


def test_the_trace_goes_on_with_the_result_and_into_the_row(worker, job_types, traced, aws, messages_in, store):
    sent = []  # moto loses the trace of a message that was sent in a batch
    events = clients.get_sqs_sending_client().meta.events
    events.register("before-parameter-build.sqs.SendMessageBatch", lambda params, **_: sent.extend(params["Entries"]))
    worker.work_on(traced(), job_types)
    (result,) = messages_in(aws.response_queue)
    assert [one["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"] for one in sent] == [TRACE]
    assert result.attributes["TraceId"] == TRACE_ID
    assert json.loads(result.body)["traceId"] == TRACE_ID
    assert store.get("job-1")["traceId"] == TRACE_ID


def test_a_trace_id_of_the_callers_own_wins(worker, job_types, traced, store):
    worker.work_on(traced(traceId="mine"), job_types)
    assert store.get("job-1")["traceId"] == "mine"


def test_the_trace_goes_on_with_a_dead_letter(worker, job_types, traced, dead_letters):
    worker.work_on(traced(input={"name": "MODEL_NOT_FOUND"}), job_types)
    (letter,) = dead_letters()
    assert letter.trace_header == TRACE


def test_the_trace_goes_on_with_a_delayed_copy(worker, job_types, traced, aws, messages_in, monkeypatch):
    monkeypatch.setattr(worker, "_jitter", lambda low, high: 0)
    worker.work_on(traced(input={"name": "MODEL_THROTTLED"}), job_types)
    (copy,) = messages_in(aws.request_queue)
    assert copy.trace_header == TRACE


@pytest.mark.parametrize("header", ["Root=", "Parent=1;Sampled=0", "nonsense", "Root=not a trace id"])
def test_a_trace_header_that_says_nothing_is_no_trace_id(header, body, clock):
    assert ReceivedJob.parse(body(), {}, "m", clock(), header).trace_id is None


def test_the_log_says_which_trace(worker, job_types, traced, caplog):
    caplog.set_level("INFO")
    worker.work_on(traced(), job_types)
    assert [line.traceId for line in caplog.records if line.message == "job completed"] == [TRACE_ID]
