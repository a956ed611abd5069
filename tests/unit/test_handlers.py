"""Handlers, run without AWS: R-A5. What the worker makes of them is in test_handler_jobs.py."""

from __future__ import annotations

import json
import logging
import sys
import threading

import pytest

from ai_jobs.contract.errors import CODES, ErrorClass, JobError, MisconfiguredError
from ai_jobs.contract.result import Usage
from ai_jobs.handlers import Context, GiveUp, InvalidInput, Job, RetryLater
from ai_jobs.service.conversation import Answer
from ai_jobs.service.handler_code import check_handler, find_handler
from ai_jobs.service.handler_context import HandlerContext, HandlerEnded, Returned
from ai_jobs.service.job_type_document import read_job_type
from ai_jobs.testing import ScriptedModel, run_handler

SCHEMA = {"type": "object", "required": ["summary"], "properties": {"summary": {"type": "string"}}}


def failure(*args, **kwargs):
    with pytest.raises(JobError) as caught:
        run_handler(*args, **kwargs)
    return caught.value


# What a handler gets


def test_a_handler_gets_its_job(caplog):  # R-A5
    seen = []

    def handler(job: Job, context: Context) -> dict:
        seen.append(job)
        assert 0 < context.seconds_left() <= 5
        return {"attachments": [one.name for one in job.attachments]}

    schema = {"type": "object", "properties": {"tone": {"type": "string", "default": "plain"}}}
    files = {"photo.JPG": b"123", "notes.txt": b"n"}
    result = run_handler(handler, {"name": "Ada"}, input_schema=schema, attachments=files, seconds=5, attempt=2)
    (job,) = seen
    assert job.input == {"name": "Ada", "tone": "plain"}, "with the schema's defaults"
    assert (job.user_id, job.attempt, job.job_type) == ("user-1", 2, "test")
    seen_of_files = [(one.name, one.media_type, one.bytes) for one in job.attachments]
    assert seen_of_files == [("photo.JPG", "image/jpeg", 3), ("notes.txt", "text/plain", 1)]
    assert job.created_at < job.deadline_at
    assert result.json == {"attachments": ["photo.JPG", "notes.txt"]}
    assert result.to_document() == {
        "json": {"attachments": ["photo.JPG", "notes.txt"]},
        "usage": {"inputTokens": 0, "outputTokens": 0},
        "truncated": False,
        "modelCalls": 0,
    }, "no model was called"


def test_a_handler_is_not_run_with_an_input_that_breaks_the_schema():  # R-A5
    error = failure(lambda job, context: {}, {}, input_schema={"type": "object", "required": ["name"]})
    assert (error.code, error.field) == ("INVALID_INPUT", "input.name")


def test_the_result_has_the_sums_of_the_model_calls():  # R-A5
    def handler(job, context):
        first = context.converse("one", system="Be brief.")
        second = context.converse("two")
        assert (first.text, second.text) == ("First.", "Second.")
        assert first.model == "scripted"
        return first.text + second.text

    model = ScriptedModel(["First.", "Second."])
    result = run_handler(handler, {}, model=model)
    assert (result.text, result.json, result.model, result.model_calls) == ("First.Second.", None, "scripted", 2)
    assert result.usage == Usage(1 + 3 + 1, 2 + 3)
    assert (model.prompts, model.systems) == (["one", "two"], ["Be brief.", None])


def test_costs_add_up_and_are_unknown_if_one_is():  # R-A5
    def result_of(*costs):
        answers = iter([Answer("a", None, "m", Usage(1, 1), "end_turn", truncated=False, cost=cost) for cost in costs])
        context = context_with(lambda *_: next(answers))
        for _ in costs:
            context.converse("p")
        return context.result(Returned("t"))

    assert result_of(0.1, 0.2).estimated_cost == 0.3
    assert result_of(0.1, None).estimated_cost is None
    assert result_of().estimated_cost is None


def context_with(call, seconds=60.0, job_type=None):
    job = Job("job-1", "user-1", "test", {}, (), None, None, 3, "t-1")
    return HandlerContext(job, job_type or a_type(), call, (), logging.getLogger("handlers"), seconds)


def a_type(**fields):
    document = {"modelId": "m", "handler": "acme.reports:summarize", "maxTokens": 9, "timeoutSeconds": 9}
    return read_job_type("report", document | {"inputSchema": {"type": "object"}} | fields)


def test_every_line_of_the_handlers_logger_has_the_jobs_ids(caplog):  # R-A5
    context = context_with(None)
    with caplog.at_level(logging.INFO, "handlers"):
        context.logger.info("read %d pages", 3, extra={"pages": 3, "jobId": "of the handler"})
    (record,) = caplog.records
    assert record.getMessage() == "read 3 pages"
    assert (record.jobId, record.userId, record.jobType) == ("job-1", "user-1", "test")
    assert (record.attempt, record.traceId, record.pages) == (3, "t-1", 3)


# JSON


def test_json_is_checked_and_corrected(monkeypatch):  # R-A5
    def handler(job, context):
        answer = context.converse("Summarize.", output_schema=SCHEMA)
        assert answer.text == ""
        return answer.json

    model = ScriptedModel([{"sumary": "x"}, {"summary": "Short."}])
    result = run_handler(handler, {}, model=model)
    assert result.json == {"summary": "Short."}
    assert result.model_calls == 2, "the correction is a call, too"


def test_calls_that_led_to_nothing_count():  # R-A5
    def handler(job, context):
        with pytest.raises(JobError, match="After 2 calls"):
            context.converse("Summarize.", output_schema=SCHEMA)
        return context.converse("In plain text, then.").text

    result = run_handler(handler, {}, model=[{}, "nothing", "Short."])
    assert (result.text, result.model_calls) == ("Short.", 3)


def test_the_types_output_says_how_often_json_is_corrected():  # R-A5
    job_type = a_type(outputSchema=SCHEMA, output={"repairs": 0})
    calls = []

    def call(model_id, conversation, output):
        calls.append(output.repairs)
        return Answer("", None, "m", Usage(1, 1), "end_turn", truncated=False)

    with pytest.raises(JobError, match="result must be a JSON object"):
        context_with(call, job_type=job_type).converse("p", output_schema={"type": "object"})
    assert calls == [0]


def test_a_schema_of_the_handler_that_cant_be_used_is_an_operators_error():  # R-A5
    error = failure(lambda job, context: context.converse("p", output_schema={"type": "array"}), {})
    assert (error.code, error.error_class) == ("INVALID_CONFIGURATION", ErrorClass.OPERATOR)
    assert "output_schema.type" in error.message


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"prompt": " "}, "its prompt is blank"),
        ({"prompt": {"a": 1}}, "its prompt is a dict"),
        ({"prompt": "p", "system": ""}, "its system is blank"),
        ({"prompt": "p", "system": 1}, "its system is an int"),
    ],
)
def test_a_prompt_is_a_text(arguments, problem):  # R-A5
    error = failure(lambda job, context: context.converse(**arguments), {})
    assert (error.code, error.error_class) == ("INVALID_CONFIGURATION", ErrorClass.OPERATOR), "it is not retried"
    rule = "It must be a non-empty string. Correct the handler."
    assert error.message == f"The handler calls converse, and {problem}. {rule}"


# Files


def test_a_handler_reads_files_and_sends_them_to_the_model():  # R-A5
    def handler(job, context):
        assert context.attachment("a.png") == b"png"
        return context.converse("What is it?", attachments=["a.png"]).text

    model = ScriptedModel(["A dot."])
    assert run_handler(handler, {}, model=model, attachments={"a.png": b"png", "b.png": b""}).text == "A dot."
    assert model.attachments == [["a.png"]]


@pytest.mark.parametrize(
    "use",
    [lambda context: context.attachment("c.png"), lambda context: context.converse("p", attachments=["c.png"])],
)
def test_a_file_that_the_job_does_not_have(use):  # R-A5
    error = failure(lambda job, context: use(context), {}, attachments={"a.png": b"", "b.png": b""})
    assert (error.code, error.field) == ("ATTACHMENT_NOT_FOUND", "attachments")
    assert error.message == 'The job has no attachment "c.png". The names of its attachments are: "a.png", "b.png".'


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ("a.pdf", 'attachments is "a.pdf". It must be a list of names'),
        ([1], "must be a list of names"),
        (["a.pdf", "a.pdf"], 'has "a.pdf" twice. Name each file once.'),
        ([f"{letter}.pdf" for letter in "abcdef"], "at most 5 documents. Make several calls."),
    ],
)
def test_files_that_no_call_can_have_are_the_handlers_mistake(names, reason):  # R-A5
    files = {f"{letter}.pdf": b"%PDF" for letter in "abcdef"}
    error = failure(lambda job, context: context.converse("p", attachments=names), {}, attachments=files)
    assert error.code == "HANDLER_FAILED"
    assert reason in str(error.__cause__)


def test_a_call_takes_more_pictures_than_documents():  # R-A5
    files = {f"{letter}.png": b"png" for letter in "abcdef"} | {f"{letter}.pdf": b"%PDF" for letter in "abcde"}
    model = ScriptedModel(["Fine."])
    handler = lambda job, context: context.converse("p", attachments=tuple(files)).text  # noqa: E731
    assert run_handler(handler, {}, model=model, attachments=files).text == "Fine."


# What a handler returns


class OwnText(str):
    pass


@pytest.mark.parametrize(
    ("value", "document"),
    [
        ("text", {"text": "text"}),
        ("", {"text": ""}),
        (OwnText("own"), {"text": "own"}),
        ("\ud83c", {"text": "\ufffd"}),
        ({}, {"json": {}}),
        ({"a": (1, 2.5, None, True, {"b": []})}, {"json": {"a": [1, 2.5, None, True, {"b": []}]}}),
        ({"a": "\ud83c"}, {"json": {"a": "\ufffd"}}),
    ],
)
def test_a_text_or_a_document_is_the_result(value, document):  # R-A5
    found = run_handler(lambda job, context: value, {}).to_document()
    assert {name: found[name] for name in ("text", "json") if name in found} == document
    json.dumps(found)


CIRCLE: dict = {}
CIRCLE["self"] = CIRCLE


@pytest.mark.parametrize(
    ("value", "problem", "field"),
    [
        ({1, 2}, "returned a set", None),
        (None, "returned a NoneType", None),
        (b"text", "returned a bytes", None),
        ([{"a": 1}], "returned a list", None),
        (1, "returned an int", None),
        ({"a": float("nan")}, "result.a is NaN", "result.a"),
        ({"a": {"b": {1}}}, "result.a.b is a Python set", "result.a.b"),
        ({"a": {2: 1}}, "has the key 2", "result.a"),
        ({"a": 10**40}, "the table can't store", "result.a"),
        ({"a": [{"": 1}]}, "result.a.0 has an empty key", "result.a.0"),
        (CIRCLE, "nested too deeply", None),
    ],
)
def test_anything_else_is_an_invalid_output(value, problem, field):  # R-A5
    error = failure(lambda job, context: value, {})
    assert (error.code, error.error_class) == ("OUTPUT_INVALID", ErrorClass.OPERATOR)
    assert problem in error.message
    assert field is None or error.field == field


def test_a_number_may_be_of_a_class_of_its_own():  # R-A5
    class Float64(float):
        """As numpy's, which is a float, too."""

        def __repr__(self):
            return f"np.float64({float(self)!r})"

    assert run_handler(lambda job, context: {"score": Float64(0.5)}, {}).json == {"score": 0.5}
    assert failure(lambda job, context: {"score": Float64("1e300")}, {}).field == "result.score"


def test_what_it_returns_satisfies_the_output_schema():  # R-A5
    assert run_handler(lambda job, context: {"summary": "s"}, {}, output_schema=SCHEMA).json == {"summary": "s"}
    error = failure(lambda job, context: {"summary": 1}, {}, output_schema=SCHEMA)
    assert (error.code, error.field) == ("OUTPUT_INVALID", "result.summary")
    assert "breaks the type's output schema: result.summary must be string" in error.message


def test_a_text_is_not_what_an_output_schema_asks_for():  # R-A5
    error = failure(lambda job, context: '{"summary": "s"}', {}, output_schema=SCHEMA)
    assert (error.code, error.field) == ("OUTPUT_INVALID", "result")
    assert "must return a dict" in error.message


def test_a_document_is_a_copy():  # R-A5
    kept = {"list": [1]}
    result = run_handler(lambda job, context: kept, {})
    kept["list"].append(object())
    assert result.json == {"list": [1]}


# What a handler raises


@pytest.mark.parametrize(
    ("raised", "code", "message", "field"),
    [
        (InvalidInput("pages.0", message="It is empty."), "INVALID_INPUT", "It is empty.", "input.pages.0"),
        (InvalidInput("url"), "INVALID_INPUT", "input.url is not valid.", "input.url"),
        (InvalidInput(""), "INVALID_INPUT", "input is not valid.", "input"),
        (GiveUp("The archive is closed."), "GIVEN_UP", "The archive is closed.", None),
        (RetryLater(30, reason="The archive is busy."), "RETRY_LATER", "The archive is busy.", None),
        (JobError("MODEL_THROTTLED", "Too many."), "MODEL_THROTTLED", "Too many.", None),
    ],
)
def test_typed_errors_keep_their_code(raised, code, message, field):  # R-A5
    def handler(job, context):
        raise raised

    error = failure(handler, {})
    assert (error.code, error.message, error.field) == (code, message, field)


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_verdict_of_the_service_is_not_for_handlers_to_give(code):  # R-A5
    def handler(job, context):
        raise JobError(code, "x")

    verdict = CODES[code] in ("exhausted", "crash", "not_a_job") and code != "DEADLINE_EXCEEDED"
    assert failure(handler, {}).code == ("HANDLER_FAILED" if verdict else code)


def test_how_long_to_wait_is_rounded_up():  # R-A5
    def handler(job, context):
        raise RetryLater(1.2)

    error = failure(handler, {})
    assert isinstance(error, RetryLater)
    assert error.wait_seconds == 2
    assert error.message == "The handler asked to be run again after 2 seconds."


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        *[(one, json.dumps(one)) for one in (0, 0.5, 901, -1, float("nan"), float("inf"), True)],
        ("30", "a str"),
        (None, "a NoneType"),
        pytest.param(10**5000, "too large to show", id="huge"),
    ],
)
def test_a_wait_that_sqs_does_not_have_is_a_bug_of_the_handler(seconds, shown):  # R-A5
    def handler(job, context):
        raise RetryLater(seconds)

    error = failure(handler, {})
    assert (error.code, error.error_class) == ("INVALID_CONFIGURATION", ErrorClass.OPERATOR), "it is not retried"
    rule = "It must be a number from 1 to 900, the longest that SQS delays a message"
    assert f"RetryLater, and its seconds is {shown}. {rule}" in error.message


@pytest.mark.parametrize("exception", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, RecursionError])
def test_any_other_exception_is_a_failure_that_may_pass(exception):  # R-A5
    def handler(job, context):
        raise exception("secret input text")

    error = failure(handler, {})
    assert (error.code, error.error_class) == ("HANDLER_FAILED", ErrorClass.TRANSIENT)
    line = handler.__code__.co_firstlineno + 1
    where = f"in test_handlers.py, line {line}"
    assert error.message == f"The handler raised {exception.__name__} {where}. The function's log has the traceback."
    assert isinstance(error.__cause__, exception), "for whoever tests it"


def test_the_line_is_that_of_the_handlers_file():  # R-A5
    error = failure(lambda job, context: json.loads("no json"), {})
    assert "raised JSONDecodeError in test_handlers.py, line" in error.message


def test_an_error_of_the_model_passes_through_and_can_be_caught():  # R-A5
    throttled = JobError("MODEL_THROTTLED", "Too many requests.")
    assert failure(lambda job, context: context.converse("p"), {}, model=[throttled]).code == "MODEL_THROTTLED"

    def handler(job, context):
        try:
            return context.converse("p").text
        except JobError as error:
            return error.code

    assert run_handler(handler, {}, model=[throttled]).text == "MODEL_THROTTLED"


class BrokenError(JobError):
    """Has no code, no message, no class."""

    def __init__(self):
        pass


class BrokenWaitError(RetryLater):
    def __init__(self):
        self.wait_seconds = "soon"


@pytest.mark.parametrize("broken", [BrokenError, BrokenWaitError])
def test_an_error_without_its_parts_is_a_bug_like_any_other(broken):  # R-A5
    def handler(job, context):
        raise broken

    assert failure(handler, {}).code == "HANDLER_FAILED"


# Time


def test_a_handler_that_takes_too_long_is_left_behind_and_can_do_nothing_more():  # R-A5
    go_on, ended = threading.Event(), threading.Event()
    after = []

    def handler(job, context):
        go_on.wait()
        assert context.seconds_left() == 0
        for use in (lambda: context.converse("p"), lambda: context.attachment("a.txt")):
            try:
                use()
            except HandlerEnded as error:
                after.append(type(error))
        ended.set()
        return "late"

    model = ScriptedModel(["never"])
    error = failure(handler, {}, model=model, attachments={"a.txt": b""}, seconds=0.01)
    assert (error.code, error.error_class) == ("HANDLER_TIMEOUT", ErrorClass.TRANSIENT)
    assert "within its timeout_seconds, 0.01 seconds. Raise" in error.message
    go_on.set()
    assert ended.wait(10)
    assert after == [HandlerEnded, HandlerEnded]
    assert model.prompts == []


def test_a_loop_that_catches_every_exception_ends_when_the_handler_has():  # R-A5
    context = context_with(lambda *_: None)
    context.close()
    with pytest.raises(HandlerEnded):
        context.converse("p")
    assert not issubclass(HandlerEnded, Exception)


def test_a_model_call_that_ends_after_the_handlers_time_says_so():  # R-A5
    def call(*_):
        context.close()
        return Answer("late", None, "m", Usage(1, 1), "end_turn", truncated=False)

    context = context_with(call)
    with pytest.raises(HandlerEnded):
        context.converse("p")


def test_a_handler_may_call_the_model_from_threads_of_its_own():  # R-A5
    def handler(job, context):
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(context.converse("p").text)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {"answers": answers}

    result = run_handler(handler, {}, model=["same"] * 8)
    assert (result.json, result.model_calls) == ({"answers": ["same"] * 8}, 8)


# A test's own mistakes


def test_a_script_that_is_too_short_fails_the_test_whatever_the_handler_makes_of_it():  # R-A5
    def handler(job, context):
        try:
            return context.converse("p").text
        except JobError:
            return "caught"

    with pytest.raises(AssertionError, match="made 1 model call, but model has 0 answers"):
        run_handler(handler, {})


def test_a_schema_of_the_test_that_cant_be_used():
    with pytest.raises(MisconfiguredError, match="inputSchema"):
        run_handler(lambda job, context: {}, {}, input_schema={"type": "string"})


# Finding the function


@pytest.fixture
def no_layers(monkeypatch):
    """What other tests of this process have put on the path, such as the example's layer, is not there."""
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if not folder.endswith("/python")])


@pytest.fixture
def layer(tmp_path, monkeypatch, no_layers):
    """Writes a module into a layer's folder, and finds the handler `acme_layer.reports:summarize` there."""
    folder = tmp_path / "python"
    package = folder / "acme_layer"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(folder)

    def find(source, reference="acme_layer.reports:summarize", **fields):
        (package / "reports.py").write_text(source)
        return find_handler(a_type(handler=reference, **fields))

    yield find
    for name in [name for name in sys.modules if name.startswith("acme_layer")]:
        del sys.modules[name]


def test_a_function_of_a_layer_is_found(layer):  # R-A5
    function = layer("def summarize(job, context):\n    return {'found': True}\n")
    assert function(None, None) == {"found": True}


REPORTS = "acme_layer.reports:summarize"


@pytest.mark.parametrize(
    ("source", "reference", "problem"),
    [
        ("", REPORTS, "acme_layer/reports.py has no summarize. Correct the handler's name, or the code"),
        (
            "def summarise(): ...\ndef other(): ...",
            REPORTS,
            "has no summarize. Its functions are: summarise, other. Correct the handler's name, or the code",
        ),
        (
            "",
            "acme_layer.report:summarize",
            "there is no module acme_layer.report in FOLDER/acme_layer. Correct the handler's name, or add the module",
        ),
        (
            "import acme_missing",
            REPORTS,
            "raised ModuleNotFoundError: No module named 'acme_missing' in FOLDER/acme_layer/reports.py, line 1. "
            "Add acme_missing to the layer, or correct the import",
        ),
        (
            "1 / 0",
            REPORTS,
            "importing acme_layer.reports raised ZeroDivisionError: division by zero in FOLDER/acme_layer/reports.py, "
            "line 1. Correct the code",
        ),
        ("\ndef", REPORTS, "(reports.py, line 2) in FOLDER/acme_layer/reports.py. Correct the code"),
        ("raise SystemExit(1)", REPORTS, "importing acme_layer.reports raised SystemExit: 1 in FOLDER/"),
        (
            "class Odd(Exception):\n    def __str__(self):\n        raise ValueError\nraise Odd",
            REPORTS,
            "raised Odd: (no text)",
        ),
    ],
)
def test_code_that_is_there_and_wrong(layer, tmp_path, source, reference, problem):  # R-A5
    with pytest.raises(JobError) as caught:
        layer(source, reference)
    error = caught.value
    assert (error.code, error.error_class) == ("HANDLER_NOT_FOUND", ErrorClass.OPERATOR)
    assert error.message.startswith(f'The handler {reference} of job type "report" can\'t be used: ')
    assert problem.replace("FOLDER", str(tmp_path / "python")) in error.message
    assert error.message.endswith(", apply, and retry the jobs from the DLQ.")
    assert "processor.layers" not in error.message, "the layer is not what is wrong"


def test_code_that_is_not_in_a_layer(layer, tmp_path, monkeypatch):  # R-A5
    libraries = tmp_path / "other/python/lib/python3.13/site-packages"
    libraries.mkdir(parents=True)
    (libraries / "acme_library.py").touch()
    monkeypatch.syspath_prepend(libraries)
    with pytest.raises(JobError) as caught:
        layer("", "acme_other.reports:summarize")
    assert (
        "there is no module acme_other. Its code must be in a Lambda layer of processor.layers" in caught.value.message
    )
    found = "The function's layers have acme_layer, acme_library. Add the layer, or correct the handler's name, apply"
    assert found in caught.value.message


def test_a_function_without_layers_says_so(no_layers):  # R-A5
    with pytest.raises(JobError, match="The function's layers have no code. Add the layer"):
        find_handler(a_type(handler="acme_nowhere:summarize"))


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("summarize = 5", "is an int"),
        ("class summarize: pass", "is the class summarize"),
        ("def summarize(job): pass", "has the parameters (job)"),
        ("def summarize(job, context, more): pass", "has the parameters (job, context, more)"),
        ("def summarize(job, *, context): pass", "has the parameters (job, *, context)"),
        ("async def summarize(job, context): pass", "is a coroutine or a generator"),
        ("def summarize(job, context): yield", "is a coroutine or a generator"),
    ],
)
def test_a_function_that_cant_be_a_handler(layer, source, problem):  # R-A5
    with pytest.raises(JobError) as caught:
        layer(source)
    assert caught.value.code == "HANDLER_NOT_FOUND"
    assert f'The handler acme_layer.reports:summarize of job type "report" {problem}' in caught.value.message
    assert "def handler(job, context)" in caught.value.message


@pytest.mark.parametrize(
    "source",
    [
        "def summarize(job, context, tone='plain'): pass",
        "def summarize(*args): pass",
        "class Summary:\n    def __call__(self, job, context): pass\nsummarize = Summary()",
        "summarize = max",
        "import functools\nsummarize = functools.partial(lambda tone, job, context: {}, 'plain')",
    ],
)
def test_whatever_can_be_called_with_a_job_and_a_context_is_a_handler(layer, source):  # R-A5
    assert callable(layer(source))


@pytest.mark.parametrize(
    "source",
    [
        "def summarize(job, context) -> str: pass",
        "from __future__ import annotations\ndef summarize(job: Job, context: Context) -> str: pass",
    ],
)
def test_an_output_schema_and_a_handler_that_returns_text(layer, source):  # R-A5
    with pytest.raises(JobError) as caught:
        layer(source, outputSchema=SCHEMA)
    assert caught.value.code == "INVALID_CONFIGURATION"
    assert "is annotated to return str. With an output_schema, it must return a dict" in caught.value.message
    assert callable(layer(source)), "without the schema, it may"


@pytest.mark.parametrize("annotation", ["dict", "dict | str", "'dict'", "Any"])
def test_an_output_schema_and_a_handler_that_may_return_a_document(layer, annotation):  # R-A5
    source = f"from typing import Any\ndef summarize(job, context) -> {annotation}: pass"
    assert callable(layer(source, outputSchema=SCHEMA))


def test_a_test_checks_the_function_as_the_worker_does():  # R-A5
    with pytest.raises(JobError, match="has the parameters"):
        check_handler(lambda job: None, a_type())
    with pytest.raises(JobError, match="has the parameters"):
        run_handler(lambda job: None, {})
