"""Trying an input: the same calls as a worker's, counted and priced, and tried again after errors that pass."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ReadTimeoutError

from ai_jobs.contract.result import Usage
from ai_jobs.operate.trials import try_input
from ai_jobs.service.job_type_document import read_job_type
from ai_jobs.service.model_prices import ModelPrice

NOVA, HAIKU = "amazon.nova-lite-v1:0", "anthropic.claude-haiku-4-5"
PRICES = {NOVA: ModelPrice(1, 2, 1, 1), HAIKU: ModelPrice(10, 20, 10, 10)}
SCHEMA = {"type": "object", "required": ["price"], "properties": {"price": {"type": "number"}}}


def answer(text, **more):
    content = [{"text": text if isinstance(text, str) else json.dumps(text)}]
    usage = {"inputTokens": 100, "outputTokens": 10, "totalTokens": 110}
    message = {"role": "assistant", "content": content}
    return {
        "output": {"message": message},
        "stopReason": "end_turn",
        "usage": usage,
        "metrics": {"latencyMs": 1},
    } | more


def refused(code):
    return ClientError({"Error": {"Code": code, "Message": "on cue"}}, "Converse")


@pytest.fixture
def trial(calls, type_document):
    """Tries an input with a model that gives these answers in turn; the pauses are in `trial.pauses`."""

    def run(*answers, job_input=None, **changes):
        script = iter(answers)
        calls.answers["Converse"] = lambda _: next(script)
        job_type = read_job_type("greeting", type_document | changes)
        return try_input(job_type, job_input or {"name": "Ada"}, PRICES, pause=lambda *pause: run.pauses.append(pause))

    run.pauses = []
    run.models = lambda: [call["modelId"] for call in calls.of("Converse")]
    return run


def test_an_answer_is_counted_and_priced(trial):  # R-A6
    found = trial(answer("Hello, Ada."))
    assert (found.result.text, found.error, found.calls) == ("Hello, Ada.", None, 1)
    assert (found.usage, found.cost) == (Usage(100, 10), pytest.approx(0.00012))
    assert found.seconds > 0


def test_a_correction_counts_as_a_call(trial):  # R-A6
    found = trial(answer({"cost": 1}), answer({"price": 1}), outputSchema=SCHEMA)
    assert found.result.json == {"price": 1}
    assert (found.calls, found.usage, found.cost) == (2, Usage(200, 20), pytest.approx(0.00024))


def test_an_output_that_stays_invalid_has_cost_its_calls(trial):  # R-A6
    found = trial(answer({}), answer({}), outputSchema=SCHEMA)
    assert (found.result, found.error.code, found.error.field) == (None, "OUTPUT_INVALID", "result.price")
    assert (found.calls, found.usage) == (2, Usage(200, 20))
    assert found.to_document()["error"]["code"] == "OUTPUT_INVALID"


def test_a_fallback_model_is_called_like_by_a_worker(trial):  # R-A6
    found = trial(refused("ThrottlingException"), answer("Hi"), fallbackModelIds=[HAIKU])
    assert trial.models() == [NOVA, HAIKU]
    assert (found.result.model, found.calls, found.retried) == (HAIKU, 1, ())
    assert found.cost == pytest.approx(0.0012)


def test_a_busy_model_is_tried_again_after_a_pause(trial):  # R-A6
    found = trial(refused("ThrottlingException"), refused("ServiceUnavailableException"), answer("Hi"))
    assert found.result.text == "Hi"
    assert (found.calls, found.retried) == (1, ("MODEL_THROTTLED", "MODEL_THROTTLED"))
    assert [error.code for error, _ in trial.pauses] == ["MODEL_THROTTLED"] * 2
    assert all(1 <= seconds <= 60 for _, seconds in trial.pauses)


@pytest.mark.parametrize(("code", "tries"), [("ThrottlingException", 6), ("InternalServerException", 3)])
def test_it_is_not_tried_forever(trial, code, tries):  # R-A6
    found = trial(*[refused(code)] * tries)
    assert found.result is None
    assert len(trial.models()) == tries
    assert len(found.retried) == tries - 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (refused("AccessDeniedException"), "MODEL_ACCESS_DENIED"),
        (refused("ValidationException"), "MODEL_REQUEST_REJECTED"),
        (NoCredentialsError(), "MODEL_UNREACHABLE"),
        (ReadTimeoutError(endpoint_url="https://bedrock"), "MODEL_TIMEOUT"),
    ],
)
def test_what_does_not_pass_is_not_tried_again(trial, error, code):
    assert trial(error).error.code == code
    assert len(trial.models()) == 1


def test_an_input_that_breaks_the_schema_calls_nothing(trial):  # R-A6
    found = trial(job_input={"name": 7})
    assert (found.error.code, found.error.field, found.calls, found.cost) == ("INVALID_INPUT", "input.name", 0, 0)
    assert trial.models() == []


def test_the_cost_is_not_known_without_a_price(trial):  # R-A6
    assert trial(answer("Hi"), modelId="other").cost is None
