"""The deployed API is the one in docs/openapi.yaml, and keeps to it whatever it is sent."""

from __future__ import annotations

import json
import re
import uuid

import boto3
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, assume, settings
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.specs.openapi.checks import use_after_free

from ai_jobs.client.wire import Request
from ai_jobs.contract.api_errors import API_CODES
from scripts.local_api import local_auth
from tests import contract
from tests.signed import Caller

JOB = {"userId": "user-1", "jobType": "echo", "input": {"text": "hello"}}
UPLOAD = {"userId": "user-1", "name": "photo.png", "mediaType": "image/png", "jobType": "picture"}


@pytest.fixture(scope="session")
def caller(api):
    """Calls the deployed API."""
    return Caller(api._url)


# --- what is deployed


def test_the_deployed_paths_and_methods_are_those_of_the_document(outputs):
    client = boto3.client("apigateway")
    resources = client.get_resources(restApiId=outputs.api_id, limit=500, embed=["methods"])["items"]
    deployed = {(method, item["path"]) for item in resources for method in item.get("resourceMethods", {})}
    # ANY is the mock that answers 405 to all others.
    assert {(method, path) for method, path in deployed if method != "ANY"} == set(contract.operations())
    for method, path in contract.operations():
        (resource,) = [item["id"] for item in resources if item["path"] == path]
        found = client.get_method(restApiId=outputs.api_id, resourceId=resource, httpMethod=method)
        assert found["authorizationType"] == "AWS_IAM", (method, path)
        if "operationName" in found:  # MiniStack forgets it
            assert found["operationName"] == contract.operations()[method, path]["operationId"]


def _rules(schema):
    """A schema without words and references, and without the lookahead that keeps a last newline out of the model.

    That an object may have any other member is what holds unless a schema says otherwise: the document says so for
    generators of clients, and the model need not.
    """
    schema = contract.resolved(schema) | {name: value for name, value in schema.items() if name != "$ref"}
    rules = {k: v for k, v in schema.items() if k not in ("$schema", "title", "description", "x-required-in")}
    if rules.get("additionalProperties") is True:
        del rules["additionalProperties"]
    if isinstance(rules.get("items"), dict):
        rules["items"] = _rules(rules["items"])
    if "pattern" in rules:
        rules["pattern"] = re.sub(r"\(\?!.*?\)", "", rules["pattern"])
    if "required" in rules:
        rules["required"] = sorted(rules["required"])
    if "properties" in rules:
        rules["properties"] = {name: _rules(member) for name, member in rules["properties"].items()}
    return rules


def test_the_deployed_model_is_the_schema_of_post(outputs):  # R-J1
    model = boto3.client("apigateway").get_model(restApiId=outputs.api_id, modelName="JobRequest")
    documented = contract.in_mode("AWS_IAM")["components"]["schemas"]["JobRequest"]
    assert _rules(json.loads(model["schema"])) == _rules(documented)


def test_the_gateways_own_answers_are_documented(outputs):
    """Its responses are by type: what kind of error it was, not which operation."""
    found = boto3.client("apigateway").get_gateway_responses(restApiId=outputs.api_id, limit=500)["items"]
    ours = [response for response in found if "application/json" in response.get("responseTemplates", {})]
    assert len(ours) > 15
    documented = {}
    for _, status, response in contract.responses():
        for code in contract.error_codes(response):
            documented.setdefault(code, set()).add(int(status))
    for response in ours:
        code = re.search(r'"code": "(\w+)"', response["responseTemplates"]["application/json"])[1]
        assert code in API_CODES, response["responseType"]
        if "statusCode" in response and not response["responseType"].startswith("DEFAULT"):
            # 504 and 502 are the gateway's words for a function that is late, or broken.
            assert int(response["statusCode"]) in documented[code], response["responseType"]


# --- what it answers


def _parts(path):
    resource = path.partition("?")[0]
    return resource if resource in ("/jobs", "/uploads") else "/jobs/{jobId}"


def test_every_answer_that_can_be_had_on_purpose_is_as_documented(caller):
    """One by one, so that this stays true when the fuzz below happens to miss one."""
    job_id, other, delayed = (str(uuid.uuid4()) for _ in range(3))
    seen = {}

    def check(method, path, *arguments, **options):
        answer = caller(method, path, *arguments, **options)
        problems = contract.answer_problems(method, _parts(path), answer.status, answer.headers, answer.body)
        # MiniStack knows no header that a mapping template sets.
        assert [p for p in problems if (method, p) != ("POST", "the header Location is missing")] == []
        seen.setdefault((method, _parts(path)), set()).add(answer.status)
        return answer

    check("POST", "/jobs", JOB)
    check("POST", "/jobs", JOB | {"color": "red"})
    check("POST", "/jobs", JOB, sign=False)
    check("POST", "/jobs", JOB, {"Content-Type": "application/xml"})
    check("PUT", f"/jobs/{job_id}", JOB)
    check("PUT", f"/jobs/{job_id}", JOB | {"userId": "user-2"})
    check("PUT", f"/jobs/{other}", JOB | {"input": {}})
    check("PUT", f"/jobs/{other}", JOB, sign=False)
    check("PUT", f"/jobs/{other}", b"hello", {"Content-Type": "text/plain"})
    check("PUT", f"/jobs/{other}", JOB | {"input": {"text": "x" * 4_000_000}})
    check("PUT", f"/jobs/{delayed}", JOB | {"delaySeconds": 900})
    ended = check("GET", f"/jobs/{job_id}?wait=20")
    assert ended.body["status"] == "completed"
    check("GET", f"/jobs/{job_id}", None, {"If-None-Match": ended.headers["etag"]})
    check("GET", f"/jobs/{job_id}?wait=x")
    check("GET", f"/jobs/{other}")
    check("GET", f"/jobs/{job_id}", sign=False)
    check("GET", "/jobs?userId=user-1&limit=2")
    check("GET", "/jobs?userId=user-1&limit=0")
    check("GET", "/jobs?userId=user-1", sign=False)
    check("POST", "/uploads", UPLOAD)
    check("POST", "/uploads", UPLOAD | {"name": "a/b.png"})
    check("POST", "/uploads", UPLOAD, sign=False)
    check("POST", "/uploads", b"hello", {"Content-Type": "text/plain"})
    check("DELETE", f"/jobs/{delayed}")
    check("DELETE", f"/jobs/{job_id}")
    check("DELETE", f"/jobs/{other}")
    check("DELETE", "/jobs/a%20b")
    check("DELETE", f"/jobs/{job_id}", sign=False)

    # 401 is for tokens, 429 for throttles, 5xx for faults; MiniStack has no limit of its own on a request's size.
    not_here = {401, 413, 429, 500, 502, 503, 504}
    for operation, found in contract.operations().items():
        assert {int(status) for status in found["responses"]} - seen[operation] <= not_here, operation


# --- what schemathesis sends


def _as_deployed():
    """The document in the mode of the stack, with the rules that OpenAPI can't express for what can be accepted."""
    document = contract.in_mode("AWS_IAM")
    schemas = document["components"]["schemas"]
    put = schemas["JobPut"]["properties"]
    # The job type of the stack, and its rules.
    put["jobType"] = {"type": "string", "enum": ["echo"]}
    put["input"] = {
        "type": "object",
        "required": ["text"],
        # Its prompt is the text, and a blank prompt is refused.
        "properties": {"text": {"type": "string", "pattern": "^[a-z]"}},
        "additionalProperties": False,
    }
    # It takes no files; and a file's name, type, and job type have to fit each other.
    put["attachments"] = {"type": "array", "maxItems": 0}
    upload = schemas["UploadRequest"]["properties"]
    upload |= {name: {"type": "string", "enum": [UPLOAD[name]]} for name in ("name", "mediaType", "jobType")}
    # A cursor is opaque: this is one.
    cursor = document["components"]["examples"]["Page"]["value"]["nextCursor"]
    for parameter in document["paths"]["/jobs"]["get"]["parameters"]:
        if parameter["name"] == "cursor":
            parameter["schema"] = {"type": "string", "enum": [cursor]}
    # MiniStack knows no header that a mapping template sets.
    del document["paths"]["/jobs"]["post"]["responses"]["202"]["headers"]["Location"]
    return document


# The same requests each time: a run that fails can be had again, and one that passes is no luck.
_CONFIG = SchemathesisConfig(
    projects=ProjectsConfig(
        default=ProjectConfig(
            generation=GenerationConfig(deterministic=True, database="none", with_security_parameters=False)
        )
    )
)
_SCHEMA = schemathesis.openapi.from_dict(_as_deployed(), config=_CONFIG)


class _Signer(requests.auth.AuthBase):
    """Signs what schemathesis is about to send."""

    def __call__(self, request):
        kept = {name: value for name, value in request.headers.items() if name.lower() == "content-type"}
        body = request.body.encode() if isinstance(request.body, str) else request.body
        request.headers.update(local_auth()(Request(request.method, request.url, kept, body)))
        return request


def _assume_what_openapi_cannot_say(body):
    """Leave out bodies that the document allows and the API does not."""
    # To JSON Schema 5.0 is a whole number, to draft-04 (the gateway) and to the function it is none.
    assume(not any(isinstance(value, float) for value in body.values()))
    deadline, delay = body.get("deadlineSeconds"), body.get("delaySeconds", 0)
    assume(not (isinstance(deadline, int) and isinstance(delay, int) and deadline <= delay))


def _prepared(case):
    """The case, if the document says all of it, and without a wait: that would only make the tests slow."""
    if isinstance(case.body, dict):
        _assume_what_openapi_cannot_say(case.body)
    if re.fullmatch("[0-9]|1[0-9]|2[0-5]", str((case.query or {}).get("wait"))):
        case.query["wait"] = 0
    return case


def _settings(**options):
    return settings(deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck), **options)


@_SCHEMA.parametrize()
@_settings(max_examples=30)
def test_whatever_it_is_sent_the_answer_is_documented(case, caller):
    _prepared(case).call_and_validate(base_url=caller.url, auth=_Signer())


def test_jobs_are_followed_from_their_submission_to_reads_and_cancels(caller):
    """Schemathesis goes along the document's links: submitted, then read or cancelled, in any order."""

    class Walk(_SCHEMA.as_state_machine()):
        def before_call(self, case):
            _prepared(case)

        def get_call_kwargs(self, case):
            return {"base_url": caller.url, "auth": _Signer()}

        def validate_response(self, response, case, **_):
            # use_after_free: a job that was cancelled stays readable, on purpose.
            case.validate_response(response, excluded_checks=[use_after_free])

    Walk.run(settings=_settings(max_examples=6, stateful_step_count=6))
