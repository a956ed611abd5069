"""R-A1, R-A4: from a prompt to a result, with JSON that breaks its schema and with models that refuse."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_jobs import AIJobResultMessage, JobError
from ai_jobs.contract.result import Usage
from ai_jobs.service.answering import Question, answered
from ai_jobs.service.conversation import Answer
from ai_jobs.service.job_type import Prompt
from ai_jobs.service.job_types import JobTypes

SCHEMA = {
    "type": "object",
    "required": ["title", "rooms"],
    "additionalProperties": False,
    "properties": {"title": {"type": "string", "maxLength": 20}, "rooms": {"type": "integer", "minimum": 1}},
}
VALID = {"title": "Bright loft", "rooms": 3}
BROKEN = {"title": "Bright loft"}
PROMPT = Prompt(system=None, user="Describe it.")


@pytest.fixture
def listing(type_document):
    def make(**changes):
        document = type_document | {"outputSchema": SCHEMA} | changes
        return JobTypes.from_document(json.dumps({"version": "1", "jobTypes": {"listing": document}})).get("listing")

    return make


class Models:
    """Gives the scripted answers in turn: a document, an error code, or an Answer. Keeps what it was asked."""

    def __init__(self, *script):
        self.script = list(script)
        self.asked = []
        self.conversations = []

    def __call__(self, model_id, conversation, output):
        self.asked.append(model_id)
        self.conversations.append(conversation)
        turn = self.script.pop(0)
        if isinstance(turn, str):
            raise JobError(turn, f"{model_id} said {turn}")
        if isinstance(turn, Answer):
            return turn
        return answer(turn, model_id)


def answer(document, model_id="m", **fields):
    tool = {"toolUse": {"toolUseId": "t-1", "name": "result", "input": document}}
    return Answer(
        "", document, model_id, Usage(10, 5), "tool_use", truncated=False, content=[tool], cost=0.25, **fields
    )


def ask(job_type, models):
    return answered(Question.of(job_type, PROMPT), models)


def test_an_output_that_satisfies_the_schema_is_the_result(listing):  # R-A1
    models = Models(VALID)
    result = ask(listing(), models)
    assert result.to_document() == {
        "json": VALID,
        "model": "amazon.nova-lite-v1:0",
        "usage": {"inputTokens": 10, "outputTokens": 5},
        "stopReason": "tool_use",
        "truncated": False,
        "estimatedCost": 0.25,
    }


def test_a_broken_output_is_corrected_once_and_both_calls_are_counted(listing):  # R-A1
    models = Models(BROKEN, VALID)
    result = ask(listing(), models)
    assert (result.json, result.model_calls, result.usage, result.estimated_cost) == (VALID, 2, Usage(20, 10), 0.5)
    model_turn, our_turn = models.conversations[1].further
    assert model_turn["content"] == answer(BROKEN).content
    (reply,) = our_turn["content"]
    assert reply["toolResult"]["toolUseId"] == "t-1"
    assert "result.rooms is missing" in reply["toolResult"]["content"][0]["text"]


def test_the_corrections_are_bounded_and_the_field_is_named(listing):  # R-A1
    models = Models(BROKEN, BROKEN, BROKEN)
    with pytest.raises(JobError) as caught:
        ask(listing(output={"repairs": 2}), models)
    assert (caught.value.code, caught.value.field) == ("OUTPUT_INVALID", "result.rooms")
    assert caught.value.error_class == "operator"
    assert "After 3 calls" in caught.value.message
    assert models.script == []


def test_without_repairs_the_first_broken_output_is_the_end(listing):
    with pytest.raises(JobError, match="After 1 call,"):
        ask(listing(output={"repairs": 0}), Models(BROKEN))


def test_an_answer_that_was_cut_off_is_not_corrected_but_explained(listing):
    cut = Answer('{"title": "Br', None, "m", Usage(1, 1), "max_tokens", truncated=True)
    with pytest.raises(JobError, match="Raise the type's max_tokens") as caught:
        ask(listing(), Models(cut))
    assert caught.value.code == "OUTPUT_INVALID"


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (None, "result"),
        ([], "result"),
        (7, "result"),
        (VALID | {"extra": 1}, "result.extra"),
        (VALID | {"rooms": "3"}, "result.rooms"),
        (VALID | {"rooms": 0}, "result.rooms"),
        (VALID | {"title": "x" * 21}, "result.title"),
    ],
)
def test_each_break_names_its_field(listing, document, field):
    with pytest.raises(JobError) as caught:
        ask(listing(output={"repairs": 0}), Models(document))
    assert caught.value.field == field


def test_a_number_that_no_table_stores_is_no_output(listing):
    loose = {"type": "object"}
    with pytest.raises(JobError) as caught:
        ask(listing(outputSchema=loose, output={"repairs": 0}), Models({"rooms": float("inf")}))
    assert (caught.value.code, caught.value.field) == ("OUTPUT_INVALID", "result.rooms")


def test_defaults_are_not_made_up_for_the_model(listing):
    schema = SCHEMA | {"properties": SCHEMA["properties"] | {"garden": {"type": "boolean", "default": True}}}
    assert ask(listing(outputSchema=schema), Models(VALID)).json == VALID


documents = st.dictionaries(
    st.sampled_from(["title", "rooms", "other"]), st.none() | st.integers() | st.text(max_size=30)
)


@settings(max_examples=200, deadline=None)
@given(script=st.lists(documents, min_size=2, max_size=2))
def test_whatever_models_write_no_result_breaks_the_schema(script):  # R-A1
    document = {"modelId": "m", "prompt": "x", "maxTokens": 1, "timeoutSeconds": 1, "inputSchema": {"type": "object"}}
    text = json.dumps({"version": "1", "jobTypes": {"t": document | {"outputSchema": SCHEMA}}})
    try:
        result = ask(JobTypes.from_document(text).get("t"), Models(*script))
    except JobError as error:
        code = error.code
    else:
        code = "completed"
        jsonschema.Draft4Validator(SCHEMA).validate(result.json)
    assert code in ("completed", "OUTPUT_INVALID")


def test_the_next_model_answers_when_the_first_one_refuses(listing):  # R-A4
    job_type = listing(fallbackModelIds=["second", "third"])
    for code in ("MODEL_THROTTLED", "MODEL_ACCESS_DENIED", "MODEL_NOT_FOUND"):
        models = Models(code, VALID)
        assert ask(job_type, models).model == "second"
        assert models.asked == ["amazon.nova-lite-v1:0", "second"], "one call for each refusal, and one more"


@pytest.mark.parametrize("code", ["MODEL_TIMEOUT", "MODEL_ERROR", "MODEL_UNREACHABLE", "GUARDRAIL_INTERVENED"])
def test_a_model_that_may_have_worked_is_never_followed_by_another(listing, code):  # R-A4
    models = Models(code, VALID)
    with pytest.raises(JobError, match=code):
        ask(listing(fallbackModelIds=["second"]), models)
    assert len(models.asked) == 1


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (["MODEL_THROTTLED", "MODEL_ACCESS_DENIED"], "MODEL_THROTTLED"),
        (["MODEL_ACCESS_DENIED", "MODEL_THROTTLED"], "MODEL_THROTTLED"),
        (["MODEL_NOT_FOUND", "MODEL_ACCESS_DENIED"], "MODEL_NOT_FOUND"),
    ],
)
def test_if_all_refuse_the_job_waits_if_waiting_can_help(listing, script, code):  # R-A4
    with pytest.raises(JobError) as caught:
        ask(listing(fallbackModelIds=["second"]), Models(*script))
    assert caught.value.code == code


def test_the_model_that_wrote_an_output_corrects_it(listing):
    models = Models("MODEL_THROTTLED", BROKEN, VALID)
    assert ask(listing(fallbackModelIds=["second"]), models).model == "second"
    assert models.asked == ["amazon.nova-lite-v1:0", "second", "second"]


def test_a_cost_that_is_known_in_part_is_not_known(listing):
    unpriced = Answer("", BROKEN, "m", Usage(1, 1), "tool_use", truncated=False, content=[])
    assert ask(listing(), Models(unpriced, VALID)).estimated_cost is None


def test_an_output_schema_that_fails_by_itself_is_the_setup(listing, monkeypatch):
    def fails(document, rules):
        raise TypeError("generated code")

    monkeypatch.setattr("ai_jobs.service.structured_output.problem_of", fails)
    with pytest.raises(JobError) as caught:
        ask(listing(), Models(VALID))
    assert (caught.value.code, caught.value.field) == ("INVALID_CONFIGURATION", "output_schema")


def test_a_model_that_takes_over_gets_the_prompt_alone(listing):
    """What the first one wrote may be a tool's input, which the other one's request would not know."""
    models = Models(BROKEN, "MODEL_THROTTLED", VALID)
    result = ask(listing(fallbackModelIds=["second"]), models)
    assert (result.model, result.model_calls) == ("second", 2)
    assert models.asked == ["amazon.nova-lite-v1:0"] * 2 + ["second"]
    assert models.conversations[1].further
    assert models.conversations[2].further == ()
    assert not models.conversations[2].is_first, "it is a correction all the same"


@pytest.mark.parametrize(
    "content",
    [
        [],
        [{"text": " \n"}],
        [{"reasoningContent": {"redactedContent": b"\x00\xff"}}],
        [{"SDK_UNKNOWN_MEMBER": {"name": "new"}}],
    ],
)
def test_an_answer_with_nothing_in_it_is_not_sent_back(listing, content):
    """Bedrock refuses a message without content, and blank texts."""
    empty = Answer("", None, "m", Usage(1, 1), "malformed_tool_use", truncated=False, content=content)
    models = Models(empty, VALID)
    assert ask(listing(), models).model_calls == 2
    assert models.conversations[1].further == ()


def test_only_what_bedrock_takes_is_sent_back(listing):
    blocks = [{"text": " "}, {"reasoningContent": {"redactedContent": b"\xff"}}, *answer(BROKEN).content, {"new": 1}]
    models = Models(Answer("", BROKEN, "amazon.nova-lite-v1:0", Usage(1, 1), "tool_use", False, blocks), VALID)
    ask(listing(), models)
    assert models.conversations[1].further[0]["content"] == blocks[1:3]


def test_an_output_as_deep_as_a_row_can_store_is_one_level_less_than_a_document(listing):
    loose = {"type": "object"}
    nested = lambda levels: {"a": nested(levels - 1)} if levels > 1 else {"a": 1}  # noqa: E731
    assert ask(listing(outputSchema=loose), Models(nested(28))).json
    with pytest.raises(JobError) as caught:
        ask(listing(outputSchema=loose, output={"repairs": 0}), Models(nested(29)))
    assert (caught.value.code, caught.value.field[:8]) == ("OUTPUT_INVALID", "result.a")
    AIJobResultMessage("j", "u", "t", "completed", result={"json": nested(28)})
    with pytest.raises(JobError):
        AIJobResultMessage("j", "u", "t", "completed", result={"json": nested(29)})
