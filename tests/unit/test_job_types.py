"""Job types: schema, defaults, prompts; and the built-in four of R-J7."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ai_jobs import JobError
from ai_jobs.job_types import JobTypes

ROOT = Path(__file__).parents[2]
BUILTIN = {path.stem: path for path in (ROOT / "modules/ai-jobs/builtin_job_types").glob("*.yaml")}


def catalog(**types):
    return JobTypes.from_document(json.dumps({"version": "v1", "jobTypes": types}))


def failure(call, *args):
    with pytest.raises(JobError) as caught:
        call(*args)
    return caught.value


def test_the_prompt_is_rendered_with_the_schemas_defaults(job_types):
    prompt = job_types.get("greeting").prepare({"name": "Ada"})
    assert (prompt.system, prompt.user) == ("You greet people in English.", "Greet Ada.")


def test_the_callers_input_is_left_as_it_was(job_types):
    given = {"name": "Ada"}
    job_types.get("greeting").prepare(given)
    assert given == {"name": "Ada"}


def test_a_value_is_never_expanded_again(job_types):
    prompt = job_types.get("greeting").prepare({"name": "{{ language }} {% for x in y %} {{ 7 * 7 }}"})
    assert prompt.user == "Greet {{ language }} {% for x in y %} {{ 7 * 7 }}."


@pytest.mark.parametrize(
    ("job_input", "field"),
    [
        ({}, "input.name"),
        ({"name": 7}, "input.name"),
        ({"name": "Ada", "color": "red"}, "input.color"),
    ],
)
def test_an_input_that_breaks_the_schema_names_the_field(job_types, job_input, field):
    error = failure(job_types.get("greeting").prepare, job_input)
    assert (error.code, error.field) == ("INVALID_INPUT", field)


def test_a_field_that_the_input_does_not_have_makes_the_job_invalid(type_document):
    types = catalog(t=type_document | {"prompt": "{{ city }}", "inputSchema": {"type": "object"}})
    error = failure(types.get("t").prepare, {"language": "x"})
    assert (error.code, error.field) == ("UNDEFINED_FIELD", "input.city")


@pytest.mark.parametrize("name", ["range", "dict", "lipsum", "cycler", "namespace"])
def test_no_built_in_of_jinja_stands_in_for_a_missing_field(type_document, name):
    types = catalog(t=type_document | {"prompt": f"{{{{ {name} }}}}", "inputSchema": {}})
    assert failure(types.get("t").prepare, {"language": "x"}).code == "UNDEFINED_FIELD"


@pytest.mark.parametrize(
    "prompt", ["{{ ''.__class__.__mro__ }}", "{{ 1 / 0 }}", "{{ name + 1 }}", "{{ name.format.__globals__ }}"]
)
def test_a_prompt_that_fails_or_breaks_out_is_an_operators_matter(type_document, prompt):
    types = catalog(t=type_document | {"prompt": prompt})
    assert failure(types.get("t").prepare, {"name": "Ada"}).code in ("INVALID_PROMPT", "UNDEFINED_FIELD")


def test_an_unknown_type_names_the_known_ones(job_types):
    error = failure(job_types.get, "poem")
    assert (error.code, error.field) == ("UNKNOWN_JOB_TYPE", "jobType")
    assert "greeting" in error.message


@pytest.mark.parametrize(
    "broken",
    [
        {"prompt": "{{"},
        {"prompt": None},
        {"inputSchema": {"type": "nonsense"}},
        {"inputSchema": {"$ref": "http://example.com/schema"}},
        {"maxTokens": "many"},
        {"modelId": None, "timeoutSeconds": None},
    ],
)
def test_a_broken_type_breaks_only_its_own_jobs(type_document, broken):
    types = catalog(good=type_document, bad=type_document | broken)
    assert types.get("good").prepare({"name": "Ada"}).user == "Greet Ada."
    assert failure(types.get, "bad").code == "INVALID_CONFIGURATION"


@pytest.mark.parametrize("content", [b"", b"no json", b"[]", b'{"jobTypes": {}}', b'{"version": "1", "jobTypes": 7}'])
def test_a_document_that_can_not_be_read_is_refused(content):
    assert failure(JobTypes.from_document, content).code == "INVALID_CONFIGURATION"


@pytest.mark.parametrize("schema", [{"maximum": 5, "exclusiveMaximum": True}])
def test_schemas_are_draft_04(type_document, schema):
    types = catalog(t=type_document | {"prompt": "{{ n }}", "inputSchema": {"properties": {"n": schema}}})
    assert failure(types.get("t").prepare, {"n": 5, "language": "x"}).code == "INVALID_INPUT"


def builtin_document(name):
    kind = yaml.safe_load(BUILTIN[name].read_text())
    return {
        "modelId": "m",
        "systemPrompt": kind["system_prompt"],
        "prompt": kind["prompt"],
        "maxTokens": kind["max_tokens"],
        "timeoutSeconds": kind["timeout_seconds"],
        "inputSchema": kind["input_schema"],
    }


def test_the_four_types_of_the_requirements_are_built_in():  # R-J7
    assert set(BUILTIN) == {"blog-post", "social-media", "listing-description", "market-update"}


@pytest.mark.parametrize("name", BUILTIN)
def test_the_example_job_of_a_built_in_type_makes_a_prompt(name):  # R-J7
    example = json.loads((ROOT / f"examples/jobs/{name}.json").read_text())
    assert example["jobType"] == name
    prompt = catalog(**{name: builtin_document(name)}).get(name).prepare(example["input"])
    assert prompt.system
    values = [value for value in example["input"].values() if isinstance(value, str)]
    assert all(value in prompt.user for value in values)
    assert "{{" not in prompt.user
    assert "{%" not in prompt.user


@pytest.mark.parametrize("name", BUILTIN)
def test_a_built_in_type_needs_no_optional_field(name):  # R-J7
    schema = builtin_document(name)["inputSchema"]
    example = json.loads((ROOT / f"examples/jobs/{name}.json").read_text())["input"]
    needed = {field: example[field] for field in schema["required"]}
    assert catalog(**{name: builtin_document(name)}).get(name).prepare(needed).user
    for field in needed:
        rest = {key: value for key, value in needed.items() if key != field}
        assert failure(catalog(**{name: builtin_document(name)}).get(name).prepare, rest).field == f"input.{field}"
