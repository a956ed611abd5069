"""Jobs whose type has a handler, in the worker: R-A5, and that no outcome leaves a job without a verdict."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import boto3
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as of_hypothesis
from hypothesis import strategies as st

from ai_jobs import AIJobResultMessage, JobError
from ai_jobs.aws.queues import get_queue_message_count, send_message
from ai_jobs.contract.errors import CODES
from ai_jobs.contract.result import Usage
from ai_jobs.handlers import GiveUp, InvalidInput, RetryLater
from ai_jobs.service import delayed_copies
from ai_jobs.service.budget import Budget
from ai_jobs.service.conversation import Answer
from ai_jobs.service.job_types import JobTypes
from ai_jobs.service.model_prices import ModelPrice
from ai_jobs.service.outcomes import Claimed
from ai_jobs.service.retries import HANDLER_IMPORT_PAUSE_SECONDS, requested_delay_seconds
from ai_jobs.service.token_counters import counter_key
from processor import batch as batch_module
from processor import handlers
from processor import worker as worker_module
from processor.batch import process_batch
from processor.handlers import HandlerFunctions
from processor.worker import Disposition, Worker

FIRST, SECOND = "amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0"
PRICES = {FIRST: ModelPrice(1, 2, 1, 1), SECOND: ModelPrice(10, 20, 10, 10)}


class Models:
    """Answers with these texts in turn; a word in capitals is an error code. Keeps which models were called."""

    def __init__(self, *script):
        self.script = list(script)
        self.called = []

    def __call__(self, job_type, model_id, conversation, output):
        self.called.append(model_id)
        turn = self.script.pop(0)
        if turn.isupper():
            raise JobError(turn, f"the model said {turn}")
        return Answer(turn, None, model_id, Usage(100_000, 100_000), "end_turn", truncated=False)


@pytest.fixture
def handler_document(type_document):
    document = type_document | {"handler": "acme_jobs.reports:summarize", "timeoutSeconds": 60}
    del document["prompt"], document["systemPrompt"]
    return document


@pytest.fixture
def types_with(handler_document):
    def make(**changes):
        return JobTypes.from_document(
            json.dumps({"version": "v1", "jobTypes": {"greeting": handler_document | changes}})
        )

    return make


@pytest.fixture
def use(monkeypatch):
    """Makes this function the handler of every type."""

    def put(function):
        monkeypatch.setattr(handlers, "FUNCTIONS", HandlerFunctions(find=lambda job_type: function))

    return put


@pytest.fixture
def run(aws, settings, store, clock, types_with, use, body, messages_in):
    """Runs one job with this handler, and returns its row once its result is stored."""

    def work(function, models=None, *, budget=None, minutes=15, deadline=None, attributes=None, jitter=min, **changes):
        if function:
            use(function)
        job_types = work.types or types_with(**changes)
        day = Budget(aws.table, daily_tokens_per_user=budget, clock=clock)
        ends_at = clock() + timedelta(minutes=minutes)
        priced = replace(settings, prices=PRICES)
        worker = Worker(priced, store, day, lambda: work.now or job_types, ends_at, models or Models(), clock, jitter)
        text = body(traceId="t-1", deadlineSeconds=deadline, timestamp="2026-01-31T11:59:00.000Z")
        send_message(aws.request_queue, text, attributes or {}, "user-1")
        (message,) = messages_in(aws.request_queue)
        work.disposition = worker.work_on(message, job_types)
        worker.finish()
        for outcome in messages_in(aws.response_queue):
            store.apply_result(AIJobResultMessage.from_body(outcome.body))
        return store.get("job-1")

    work.now = work.types = None
    return work


def test_a_handlers_document_and_what_its_calls_cost_reach_the_row(run, measured):  # R-A5
    seen = []

    def handler(job, context):
        seen.append(job)
        return {"parts": [context.converse("one").text, context.converse("two").text]}

    row = run(handler, Models("First.", "Second."))
    assert row["status"] == "completed"
    assert row["result"] == {
        "json": {"parts": ["First.", "Second."]},
        "model": FIRST,
        "usage": {"inputTokens": 200_000, "outputTokens": 200_000},
        "truncated": False,
        "modelCalls": 2,
        "estimatedCost": 0.6,
    }
    (job,) = seen
    assert (job.id, job.user_id, job.job_type, job.attempt, job.trace_id) == ("job-1", "user-1", "greeting", 1, "t-1")
    assert job.input == {"name": "Ada", "language": "English"}, "with the schema's defaults"
    assert (job.created_at.isoformat(), job.deadline_at > job.created_at) == ("2026-01-31T11:59:00+00:00", True)
    found = measured()
    assert found["EstimatedCost"] == [("greeting", 0.3)] * 2
    assert found["InputTokens"] == [("greeting", 100_000)] * 2


def _two_calls(job, context):
    return context.converse("one").text + context.converse("two").text


def _one_call_and_later(job, context):
    context.converse("one")
    raise RetryLater(60)


@pytest.mark.parametrize(
    ("handler", "script", "calls"),
    [
        (_two_calls, ["First.", "MODEL_THROTTLED"], 1),
        (_two_calls, ["MODEL_THROTTLED"], 0),
        (_one_call_and_later, ["First."], 1),
    ],
)
def test_an_attempt_counts_once_a_model_has_answered_the_handler(run, handler, script, calls):  # R-A5
    row = run(handler, Models(*script))
    assert (row["status"], row["attempt"], row["calls"]) == ("queued", 1, calls)


def test_no_correction_is_made_for_a_handler_that_has_exceeded_its_time(run):  # R-A5
    models = Models("not JSON", "MODEL_THROTTLED")
    threads = []

    def handler(job, context):
        threads.append(threading.current_thread())
        return context.converse("one", output_schema={"type": "object"}).json

    row = run(handler, models, timeoutSeconds=1, jitter=lambda low, high: 60)
    assert (row["status"], row["calls"], run.disposition) == ("queued", 1, Disposition.COMES_BACK)
    threads[0].join(timeout=30)
    assert (threads[0].is_alive(), models.called) == (False, [FIRST, FIRST])


def test_a_handler_falls_back_to_the_types_next_model(run, measured):  # R-A4 R-A5
    models = Models("MODEL_THROTTLED", "Hello.")
    row = run(lambda job, context: context.converse("p").text, models, fallbackModelIds=[SECOND])
    assert models.called == [FIRST, SECOND]
    assert (row["model"], row["result"]["text"], "modelCalls" in row["result"]) == (SECOND, "Hello.", False)
    assert measured()["ModelFallbacks"] == [("greeting", 1)]


def test_a_handlers_calls_use_the_users_budget(run, aws):  # R-E2 R-A5
    def handler(job, context):
        return context.converse("one").text + context.converse("two").text

    row = run(handler, Models("First.", "Second."), budget=1_000_000)
    assert row["status"] == "completed"
    key = {"jobId": {"S": counter_key("2026-01-31", "user-1")}}
    assert boto3.client("dynamodb").get_item(TableName=aws.table, Key=key)["Item"]["tokens"] == {"N": "400000"}


def test_a_handler_over_the_budget_waits(run, aws):  # R-E2 R-A5
    models = Models("never")
    row = run(lambda job, context: context.converse("one").text, models, budget=50)
    assert (row["status"], models.called) == ("queued", [])
    assert get_queue_message_count(aws.request_queue).delayed == 1


def test_a_handler_that_asks_to_be_run_later_waits_at_least_that_long(run, monkeypatch):  # R-A5
    sent = []
    monkeypatch.setattr(delayed_copies, "send_message", lambda *args: sent.append(args) or "copy-1")

    def handler(job, context):
        raise RetryLater(300, reason="The archive is closed.")

    row = run(handler, attributes={"ThrottleCount": "2"})
    assert run.disposition is Disposition.DONE
    assert (row["status"], row["messageId"], row["calls"]) == ("queued", "copy-1", 0)
    ((_, _, attributes, _, delay, _),) = sent
    assert delay == 300
    assert attributes["ThrottleCount"] == "2", "the service's own backoff goes on where it was"


def test_a_requested_wait_is_spread_and_never_longer_than_sqs_allows():  # R-A5
    assert requested_delay_seconds(300, lambda low, high: high) == 330
    assert requested_delay_seconds(1, lambda low, high: high) == 1
    assert requested_delay_seconds(900, lambda low, high: high) == 900
    assert all(300 <= requested_delay_seconds(300) <= 330 for _ in range(100))


def test_a_wait_ends_at_the_jobs_deadline(run, clock, messages_in, aws):  # R-A5
    def handler(job, context):
        clock.forward(minutes=2)
        raise RetryLater(300, reason="The archive is closed.")

    row = run(handler, deadline=120)
    assert (row["status"], row["error"]["code"]) == ("failed", "DEADLINE_EXCEEDED")
    assert "The last error was RETRY_LATER: The archive is closed." in row["error"]["message"]
    assert len(messages_in(aws.request_dlq)) == 1


def test_a_job_past_its_deadline_does_not_reach_the_handler(run):  # R-A5
    row = run(lambda job, context: pytest.fail("it was called"), deadline=30)
    assert row["error"]["code"] == "DEADLINE_EXCEEDED"


def test_a_handler_begins_only_if_there_is_time_for_all_of_it(run, aws):  # R-A5
    row = run(lambda job, context: pytest.fail("it was called"), minutes=1)
    assert row["status"] == "queued"
    assert get_queue_message_count(aws.request_queue).delayed == 1


def test_a_handler_may_call_its_model_as_long_as_its_own_time_lasts(run, clock):  # R-A5
    def handler(job, context):
        clock.forward(seconds=50)  # less than its 60 seconds are left of the invocation then
        return context.converse("p").text

    assert run(handler, Models("Hello."), minutes=1.5)["result"]["text"] == "Hello."


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (InvalidInput("name", message="No."), {"code": "INVALID_INPUT", "message": "No.", "field": "input.name"}),
        (GiveUp("Never."), {"code": "GIVEN_UP", "message": "Never."}),
    ],
)
def test_what_the_handler_says_of_the_job_ends_it_at_once(run, raised, error, messages_in, aws):  # R-A5
    def handler(job, context):
        raise raised

    row = run(handler)
    assert (row["status"], row["error"]) == ("failed", error)
    assert messages_in(aws.request_dlq) == []


@pytest.mark.parametrize(("returned", "code"), [({1}, "OUTPUT_INVALID"), (None, "OUTPUT_INVALID")])
def test_an_unusable_result_waits_for_the_operator_in_the_dlq(run, returned, code, messages_in, aws):  # R-A5
    assert run(lambda job, context: returned)["error"]["code"] == code
    (letter,) = messages_in(aws.request_dlq)
    assert letter.attributes["ErrorCode"] == code


@pytest.mark.parametrize("exception", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_crash_of_the_handler_is_retried_and_logged_without_its_text(run, exception, caplog):  # R-A5
    def handler(job, context):
        raise exception("secret")

    with caplog.at_level(logging.ERROR):
        row = run(handler)
    assert (run.disposition, row["status"], row["calls"]) == (Disposition.COMES_BACK, "queued", 1)
    (line,) = [record for record in caplog.records if record.getMessage() == "handler failed"]
    assert (line.jobId, line.userId, line.attempt, line.traceId) == ("job-1", "user-1", 1, "t-1")
    assert line.exceptionType == exception.__name__
    assert line.raisedAt[-1].startswith("test_handler_jobs.py:")
    assert "secret" not in str(vars(line))


def test_an_error_of_the_model_that_the_handler_leaves_alone_has_its_usual_end(run, aws):  # R-A5
    row = run(lambda job, context: context.converse("p").text, Models("MODEL_THROTTLED"))
    assert row["status"] == "queued"
    assert get_queue_message_count(aws.request_queue).delayed == 1


def test_a_large_document_goes_to_the_bucket(run, aws):  # R-A5
    row = run(lambda job, context: {"text": "x" * 300_000, "said": context.converse("p").text}, Models("Hello."))
    assert row["resultLocation"]["key"].startswith("results/user=user-1/job=job-1/")
    assert (row["model"], row["usage"]["inputTokens"]) == (FIRST, 100_000)


def test_a_handler_that_hangs_does_not_keep_the_worker(run, monkeypatch):  # R-A5
    go_on = threading.Event()
    monkeypatch.setattr(handlers, "HandlerContext", lambda *args: _with_seconds(0.01, *args))
    row = run(lambda job, context: go_on.wait())
    go_on.set()
    assert (run.disposition, row["status"], row["calls"]) == (Disposition.COMES_BACK, "queued", 1)


def _with_seconds(seconds, job, job_type, call, files, logger, _):
    from ai_jobs.service.handler_context import HandlerContext

    return HandlerContext(job, job_type, call, files, logger, seconds)


# Handlers that are not there


def broken(problem="no such module"):
    def find(job_type):
        raise JobError("HANDLER_NOT_FOUND", problem)

    return HandlerFunctions(find)


def test_a_handler_that_is_not_there_breaks_only_its_type(
    settings, store, clock, handler_document, type_document, monkeypatch, record, body, messages_in, aws, caplog
):  # R-A5
    monkeypatch.setattr(handlers, "FUNCTIONS", broken())
    types = {"greeting": type_document, "report": handler_document}
    job_types = JobTypes.from_document(json.dumps({"version": "v1", "jobTypes": types}))
    models = Models("Hello.")
    worker = Worker(settings, store, Budget("none"), lambda: job_types, clock() + timedelta(minutes=15), models, clock)
    records = [record(body()), record(body(jobId="job-2", jobType="report"))]
    with caplog.at_level(logging.ERROR):
        assert process_batch(records, worker, SimpleNamespace(get=lambda: job_types)) == []
    outcomes = {found["jobId"]: found for found in (json.loads(one.body) for one in messages_in(aws.response_queue))}
    assert outcomes["job-1"]["status"] == "completed"
    assert outcomes["job-2"]["error"]["code"] == "HANDLER_NOT_FOUND"
    (letter,) = messages_in(aws.request_dlq)
    assert letter.attributes["JobId"] == "job-2", "a redrive after the fix succeeds"
    lines = [record for record in caplog.records if record.getMessage() == "job type is misconfigured"]
    assert [(line.jobType, line.problem) for line in lines] == [("report", "no such module")]


def test_a_batch_imports_the_handlers_of_all_types(
    settings, store, clock, handler_document, type_document, monkeypatch, record, body
):  # R-A5
    imported = threading.Event()
    monkeypatch.setattr(handlers, "FUNCTIONS", HandlerFunctions(lambda job_type: imported.set() or len))
    types = {"greeting": type_document, "report": handler_document}
    job_types = JobTypes.from_document(json.dumps({"version": "v1", "jobTypes": types}))
    ends_at = clock() + timedelta(minutes=15)
    worker = Worker(settings, store, Budget("none"), lambda: job_types, ends_at, Models("Hello."), clock)
    process_batch([record(body())], worker, SimpleNamespace(get=lambda: job_types))
    assert imported.wait(10), "although no job of its type is there"


def test_handlers_are_imported_before_their_first_job_once_and_apart(types_with, use, monkeypatch):  # R-A5
    found, gate = [], threading.Event()

    def find(job_type):
        gate.wait(10)
        found.append(job_type.handler)
        return len

    functions = HandlerFunctions(find)
    job_types = types_with()
    functions.load(job_types)  # does not wait
    functions.load(job_types)
    gate.set()
    assert functions.get(job_types.get("greeting"), 10) is len
    assert functions.get(job_types.get("greeting"), 10) is len
    assert found == ["acme_jobs.reports:summarize"]


def test_a_type_without_a_handler_imports_nothing(job_types, monkeypatch, settings, store, clock):  # R-A5
    monkeypatch.setattr(handlers, "FUNCTIONS", None)
    worker = Worker(settings, store, Budget("none"), lambda: job_types, clock() + timedelta(minutes=15))
    worker.load_handlers(job_types)
    worker.load_handlers(JobError("DEPENDENCY_UNAVAILABLE", "no job types"))


def test_a_module_that_takes_too_long_to_import_is_tried_again(types_with):  # R-A5
    gate = threading.Event()
    functions = HandlerFunctions(lambda job_type: gate.wait(10) and len)
    job_type = types_with().get("greeting")
    with pytest.raises(JobError, match=r"imported after the type's timeout_seconds, \d+ seconds\.") as caught:
        functions.get(job_type, 0.01)
    assert caught.value.code == "HANDLER_TIMEOUT"
    gate.set()
    assert functions.get(job_type, 10) is len


def test_an_import_that_failed_is_tried_again_after_a_pause(types_with):  # R-A5
    now, tries = [0.0], []

    def find(job_type):
        tries.append(now[0])
        if len(tries) == 1:
            raise JobError("HANDLER_NOT_FOUND", "the network was down")
        return len

    functions = HandlerFunctions(find, clock=lambda: now[0])
    job_type = types_with().get("greeting")
    for now[0] in (0, HANDLER_IMPORT_PAUSE_SECONDS - 1):
        with pytest.raises(JobError, match="the network was down"):
            functions.get(job_type, 10)
    now[0] = HANDLER_IMPORT_PAUSE_SECONDS
    assert functions.get(job_type, 10) is len
    assert tries == [0, HANDLER_IMPORT_PAUSE_SECONDS]


def test_two_types_may_have_one_handler_and_only_one_of_them_a_schema(handler_document):  # R-A5
    def find(job_type):
        if job_type.output:
            raise JobError("INVALID_CONFIGURATION", "it returns str")
        return len

    types = {"a": handler_document, "b": handler_document | {"outputSchema": {"type": "object"}}}
    job_types = JobTypes.from_document(json.dumps({"version": "v1", "jobTypes": types}))
    functions = HandlerFunctions(find)
    assert functions.get(job_types.get("a"), 10) is len
    with pytest.raises(JobError, match="it returns str"):
        functions.get(job_types.get("b"), 10)


def test_each_of_two_types_with_one_handler_is_named_by_its_own_error(handler_document):  # R-A5
    def find(job_type):
        raise JobError("HANDLER_NOT_FOUND", f"of job type {job_type.name}")

    job_types = JobTypes.from_document(
        json.dumps({"version": "v1", "jobTypes": {"a": handler_document, "b": handler_document}})
    )
    functions = HandlerFunctions(find)
    for name in ("a", "b"):
        with pytest.raises(JobError, match=f"of job type {name}"):
            functions.get(job_types.get(name), 10)


def test_a_handler_that_was_replaced_makes_way_for_the_new_one(run, types_with, monkeypatch):  # R-J7 R-A5
    def find(job_type):
        if job_type.handler.endswith(":new"):
            return lambda job, context: "from the new layer"
        raise JobError("HANDLER_NOT_FOUND", "the new layer does not have it")

    monkeypatch.setattr(handlers, "FUNCTIONS", HandlerFunctions(find))
    run.now = types_with(handler="acme_jobs.reports:new")
    row = run(None)
    assert row["result"]["text"] == "from the new layer"


def test_the_api_checks_only_the_input_of_a_type_with_a_handler(types_with):  # R-A5
    job_type = types_with().get("greeting")
    assert job_type.prepare({"name": "Ada"}).user == ""
    with pytest.raises(JobError) as caught:
        job_type.prepare({})
    assert (caught.value.code, caught.value.field) == ("INVALID_INPUT", "input.name")


# Whatever handlers do


class Meddling(dict):
    """Reads differently every time, or not at all."""

    def items(self):
        raise RuntimeError("no items")


class NamelessError(JobError):
    def __init__(self):
        pass


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters()),
        st.binary(max_size=3),
        st.builds(pow, st.just(10), st.just(5000)),
        st.sampled_from([object(), {1}, range(3), "\ud83c", float("nan"), Ellipsis, len, NotImplemented]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers(), st.none()), inner, max_size=3),
        st.dictionaries(st.text(max_size=3), inner, max_size=3).map(Meddling),
    ),
    max_leaves=10,
)
EXCEPTIONS = st.one_of(
    st.builds(JobError, st.sampled_from(sorted(CODES)), st.text(max_size=2000), st.none() | st.text(max_size=300)),
    st.builds(InvalidInput, st.text(max_size=300), message=st.text(max_size=20)),
    st.builds(RetryLater, st.floats(1, 900), reason=st.text(max_size=20)),
    st.builds(GiveUp, st.text(max_size=20)),
    st.builds(NamelessError),
    st.sampled_from([SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration, TimeoutError]).map(lambda one: one()),
    st.sampled_from([RecursionError, MemoryError, OSError, AssertionError]).map(lambda one: one("text")),
    st.builds(lambda: ExceptionGroup("two", [ValueError(1), KeyError(2)])),
    st.builds(lambda: UnicodeDecodeError("utf-8", b"", 0, 1, "x")),
)


@pytest.fixture
def verdicts(monkeypatch, settings, clock, types_with):
    """Runs one job with this handler without AWS; returns what becomes of its message, and everything that was done."""
    seen = []
    logging.disable(logging.CRITICAL)
    monkeypatch.setattr(worker_module.metrics, "emit", lambda *args: None)
    monkeypatch.setattr(delayed_copies, "send_message", lambda *args: seen.append("copy") or "copy")
    monkeypatch.setattr(worker_module, "send_to_dlq", lambda *args, **kwargs: seen.append("dlq"))
    monkeypatch.setattr(
        worker_module.BatchSender, "send", lambda sender, text, *args: seen.append(json.loads(text)["status"])
    )
    monkeypatch.setattr(worker_module, "change_visibility", lambda *args: seen.append("hidden"))
    monkeypatch.setattr(worker_module.objects, "put_result", lambda *args: {"bucket": "b", "key": "k", "bytes": 1})
    monkeypatch.setattr(batch_module, "describe", lambda error: seen.append("crash") or {})
    monkeypatch.setattr(worker_module, "describe", lambda error: seen.append("bug") or {})
    store = SimpleNamespace(
        claim=lambda *_: Claimed(1, clock() + timedelta(hours=1), 1),
        release=lambda *_, **__: seen.append("released"),
        find=lambda _: None,
    )

    def run(function, message, **changes):
        seen.clear()
        monkeypatch.setattr(handlers, "FUNCTIONS", HandlerFunctions(find=lambda _: function))
        job_types = types_with(**changes)
        ends_at = clock() + timedelta(minutes=15)
        models = Models("Hello.", "Hello.")
        worker = Worker(settings, store, Budget("none"), lambda: job_types, ends_at, models, clock)
        return worker.work_on(message, job_types), seen

    yield run
    logging.disable(logging.NOTSET)


# The result is on its way, or a copy of the message is, or the message comes back after a pause.
ENDS = (
    ["completed"],
    ["failed"],
    ["dlq", "failed"],
    ["released", "dlq", "failed"],
    ["copy", "released"],
    ["released", "hidden"],
)


def _check(verdicts, function, message, **changes):
    disposition, done = verdicts(function, message, **changes)
    assert done in ENDS
    assert (disposition is Disposition.COMES_BACK) == ("hidden" in done)


FUZZ = of_hypothesis(
    max_examples=300, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@FUZZ
@given(value=VALUES, with_schema=st.booleans())
def test_whatever_a_handler_returns_its_job_gets_a_verdict(verdicts, received, body, value, with_schema):  # R-A5
    changes = {"outputSchema": {"type": "object"}} if with_schema else {}
    _check(verdicts, lambda job, context: value, received(body()), **changes)


@FUZZ
@given(error=EXCEPTIONS, receives=st.integers(1, 3), after_a_call=st.booleans())
def test_whatever_a_handler_raises_its_job_gets_a_verdict(
    verdicts, received, body, error, receives, after_a_call
):  # R-A5
    def handler(job, context):
        if after_a_call:
            context.converse("p")
        raise error

    _check(verdicts, handler, received(body(), receive_count=receives))
