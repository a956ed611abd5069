"""docs/openapi.yaml and docs/api.md say what the code does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import openapi_spec_validator
import pytest

from ai_jobs.aws.queues import MAX_DELAY_SECONDS
from ai_jobs.contract import job_view, rules, timestamps
from ai_jobs.contract.api_errors import API_CODES
from ai_jobs.contract.errors import CODES, ErrorClass, error_body
from ai_jobs.contract.limits import LIMITS, MEDIA_TYPES
from ai_jobs.contract.result import JobResult, Usage
from ai_jobs.contract.row import JobStatus
from ai_jobs.contract.rules import MAX_DEADLINE_SECONDS
from ai_jobs.service.lifecycle import BY_USER
from jobs_api import attachments, routes
from jobs_api.settings import AUTHORIZATION_MODES, MAX_WAIT_SECONDS, TOKEN_MODES
from tests import contract

ROOT = Path(__file__).parents[2]
SCHEMAS = contract.SCHEMAS


@pytest.mark.parametrize("mode", AUTHORIZATION_MODES)
def test_the_document_is_valid_in_every_mode(mode):
    openapi_spec_validator.validate(contract.DOCUMENT)
    document = contract.in_mode(mode)
    openapi_spec_validator.validate(document)
    for name in ("JobRequest", "JobPut", "UploadRequest"):
        schema = document["components"]["schemas"][name]
        assert ("userId" in schema["properties"], "userId" in schema["required"]) == (mode not in TOKEN_MODES,) * 2
    (user,) = [p for p in contract.operations()["GET", "/jobs"]["parameters"] if p.get("name") == "userId"]
    assert set(AUTHORIZATION_MODES) - set(user["x-required-in"]) == set(TOKEN_MODES)


def _examples():
    """Where it stands, the schema and the value of every example."""
    bodies = [(where + status, response) for where, status, response in contract.responses()]
    bodies += [
        (operation["operationId"], operation["requestBody"])
        for operation in contract.operations().values()
        if "requestBody" in operation
    ]
    for where, body in bodies:
        for medium in body.get("content", {}).values():
            values = [contract.resolved(example)["value"] for example in medium.get("examples", {}).values()]
            yield from (
                (where, medium["schema"], v) for v in [*values, *([medium["example"]] if "example" in medium else [])]
            )
        for name, header in body.get("headers", {}).items():
            header = contract.resolved(header)
            yield f"{where} {name}", header["schema"], header["example"]
    for operation in contract.operations().values():
        for parameter in map(contract.resolved, operation.get("parameters", [])):
            if "example" in parameter:
                yield f"{operation['operationId']} {parameter['name']}", parameter["schema"], parameter["example"]


def test_every_example_keeps_to_its_schema():
    examples = list(_examples())
    assert len(examples) > 100
    assert [(where, p) for where, schema, value in examples for p in contract.schema_problems(schema, value)] == []
    assert set(contract.DOCUMENT["components"]["examples"]) == {
        name.rpartition("/")[2] for name in re.findall(r"#/components/examples/\w+", str(contract.DOCUMENT))
    }


def test_every_json_body_of_an_answer_has_an_example():
    for where, status, response in contract.responses():
        for medium in response.get("content", {}).values():
            assert "example" in medium or medium["examples"], (where, status)


def test_the_codes_of_errors_are_those_of_the_code_each_under_its_status():
    found = {}
    for where, status, response in contract.responses():
        codes = contract.error_codes(response)
        assert bool(codes) == (int(status) >= 400), (where, status)
        for code in codes:
            found.setdefault(code, set()).add(int(status))
    # What the gateway finds wrong with the answer of the function is 502.
    assert found == {code: {status} | ({502} if status == 500 else set()) for code, status in API_CODES.items()}


def test_an_error_has_the_documented_shape():
    body = {"error": error_body("BAD_REQUEST", "limit is 0", "limit")}
    assert contract.schema_problems(SCHEMAS["Error"], body) == []
    assert set(SCHEMAS["Error"]["properties"]["error"]["properties"]) == set(body["error"])


def test_every_answer_carries_the_request_id():
    for where, status, response in contract.responses():
        assert "x-amzn-RequestId" in response["headers"], (where, status)


def test_the_routes_are_those_of_the_function_and_the_one_to_the_queue(monkeypatch):
    api = routes.JobsApi(None, None, None, None)
    assert set(contract.operations()) == {*api._routes, ("POST", "/jobs")}


def test_a_job_has_the_fields_of_the_view():  # R-J6
    everything = {name: name for name in job_view._SHOWN} | {"expiresAt": 0, "resultLocation": {}}
    view = job_view.job_view(everything, lambda _: ("https://x.example/", timestamps.now()))
    assert set(SCHEMAS["Job"]["properties"]) == set(view)


def test_a_result_has_the_documented_fields():  # R-J4
    result = JobResult("text", "model", Usage(1, 2), "end_turn", False)
    everything = replace(result, usage=Usage(1, 2, 3, 4), model_calls=2, service_tier="flex", estimated_cost=0.1)
    as_json = replace(everything, json={"a": 1}).to_document()
    for document in (result.to_document(), everything.to_document(), as_json):
        assert contract.schema_problems({"$ref": "#/components/schemas/ModelResult"}, document) == []
    assert set(SCHEMAS["ModelResult"]["properties"]) == set(everything.to_document()) | set(as_json)
    assert set(SCHEMAS["Usage"]["properties"]) == set(as_json["usage"])
    assert contract.schema_problems({"$ref": "#/components/schemas/Result"}, {"content": "x", "text": 7}) == []


def test_a_result_has_a_text_or_a_json():
    empty = {"usage": {"inputTokens": 1, "outputTokens": 1}, "truncated": False}
    schema = {"$ref": "#/components/schemas/ModelResult"}
    assert contract.schema_problems(schema, empty) != []
    assert contract.schema_problems(schema, empty | {"text": "Hello."}) == []
    assert contract.schema_problems(schema, empty | {"json": None}) == []


def test_generators_of_clients_know_every_object():
    """They take an object without properties for an empty one, and an anyOf of requirements for anything."""

    def unclear(node, where):
        if isinstance(node, dict):
            if node.get("type") == "object" and not node.keys() & {"properties", "additionalProperties"}:
                yield where
            if any(set(option) == {"required"} for option in node.get("anyOf", [])):
                yield where
            node = list(node.items())
        elif isinstance(node, list):
            node = list(enumerate(node))
        else:
            return
        for name, child in node:
            yield from unclear(child, f"{where}/{name}")

    assert list(unclear(SCHEMAS, "")) == []


def test_a_job_in_a_list_has_what_the_index_holds():
    row = dict.fromkeys(["jobId", "userId", *BY_USER.projects], "x") | {"calls": 1, "expiresAt": 0}
    view = job_view.job_view(row, lambda _: ("", timestamps.now()))
    assert set(SCHEMAS["JobSummary"]["properties"]) == set(view)


def test_states_and_failures_are_those_of_the_code():  # R-E3
    assert SCHEMAS["JobStatus"]["enum"] == list(JobStatus)
    # Nothing is known of the job of a letter that is none, so that no row can have these codes.
    shown = [code for code, error_class in CODES.items() if error_class is not ErrorClass.NOT_A_JOB]
    ours, of_others = SCHEMAS["JobFailure"]["properties"]["code"]["anyOf"]
    assert ours["enum"] == shown
    assert of_others["pattern"] == f"^{rules.ERROR_CODE.pattern}$"


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("JobId", rules.JOB_ID),
        ("UserId", rules.USER_ID),
        ("JobType", rules.JOB_TYPE),
        ("TraceId", rules.TRACE_ID),
    ],
)
def test_patterns_are_those_of_the_code(name, rule):
    assert SCHEMAS[name]["pattern"] == f"^{rule.pattern}$"


def test_limits_are_those_of_the_code():
    parameters = {
        p["name"]: p["schema"]
        for o in contract.operations().values()
        for p in map(contract.resolved, o.get("parameters", []))
    }
    assert parameters["wait"]["maximum"] == MAX_WAIT_SECONDS
    assert (parameters["limit"]["maximum"], parameters["limit"]["default"]) == (
        LIMITS["page_size"].max,
        LIMITS["page_size"].default,
    )
    put = SCHEMAS["JobPut"]["properties"]
    assert put["delaySeconds"]["maximum"] == MAX_DELAY_SECONDS
    assert put["deadlineSeconds"]["maximum"] == SCHEMAS["DeadlineSeconds"]["maximum"] == MAX_DEADLINE_SECONDS
    assert set(put) == {"userId", *routes._JOB_FIELDS}


def test_files_are_described_as_they_are_checked():  # R-A2
    for name in ("JobRequest", "JobPut"):
        assert SCHEMAS[name]["properties"]["attachments"]["maxItems"] == LIMITS["attachment_count"].max
    names, size = SCHEMAS["FileName"], SCHEMAS["UploadForm"]["properties"]["maxBytes"]
    assert (names["minLength"], names["maxLength"]) == bounds_of("attachment_name_characters")
    assert (size["minimum"], size["maximum"]) == bounds_of("attachment_bytes")
    assert SCHEMAS["MediaType"]["enum"] == list(MEDIA_TYPES)
    assert set(SCHEMAS["UploadRequest"]["properties"]) == {"userId", *attachments._UPLOAD_FIELDS}
    assert set(SCHEMAS["Attachment"]["properties"]) == set(attachments._FIELDS)


def bounds_of(limit):
    return LIMITS[limit].min, LIMITS[limit].max


def test_the_table_of_errors_in_the_reference_is_the_list_of_codes():
    table = ROOT.joinpath("docs/api.md").read_text().partition("## Errors")[2].partition("\n## ")[0]
    found = {}
    for line in table.splitlines():
        if re.match(r"\| [0-9]", line):
            _, statuses, codes, *_ = line.split("|")
            for code in re.findall(r"`([A-Z_]+)`", codes):
                found[code] = int(statuses.split(",")[0])
    assert found == API_CODES
