"""R-J4: the model call, and what becomes of each way it can fail."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import ssl
import threading
from unittest import mock

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError, ReadTimeoutError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from ai_jobs import JobError
from ai_jobs.aws import clients, connections
from ai_jobs.aws.clients import get_bedrock_client
from ai_jobs.contract.errors import CODES
from ai_jobs.service import model
from ai_jobs.service.answering import Question, answered
from ai_jobs.service.conversation import Conversation
from ai_jobs.service.job_type import Prompt
from ai_jobs.service.job_types import JobTypes
from ai_jobs.service.model import call_model

ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello, "}, {"text": "Ada."}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 12, "outputTokens": 5, "totalTokens": 17},
}
PROMPT = Prompt(system="Be kind.", user="Greet Ada.")


@pytest.fixture
def bedrock(monkeypatch):
    client = mock.Mock()
    client.converse.return_value = ANSWER
    monkeypatch.setattr(model, "get_bedrock_client", mock.Mock(return_value=client))
    return client


def job_type(type_document, **changes):
    return JobTypes.from_document(json.dumps({"version": "1", "jobTypes": {"t": type_document | changes}})).get("t")


def asked(configured, prompt=PROMPT):
    """The result of asking the type's models, each at most once per turn."""

    def call(model_id, conversation, output):
        return call_model(configured, model_id, conversation, output)

    return answered(Question.of(configured, prompt), call)


def test_the_call_says_all_that_the_type_says(bedrock, type_document):  # R-J4
    configured = job_type(type_document, temperature=0.2, guardrail={"id": "g", "version": "3"})
    result = asked(configured)
    bedrock.converse.assert_called_once_with(
        modelId="amazon.nova-lite-v1:0",
        messages=[{"role": "user", "content": [{"text": "Greet Ada."}]}],
        system=[{"text": "Be kind."}],
        inferenceConfig={"maxTokens": 100, "temperature": 0.2},
        guardrailConfig={"guardrailIdentifier": "g", "guardrailVersion": "3"},
    )
    assert result.to_document() == {
        "text": "Hello, Ada.",
        "model": "amazon.nova-lite-v1:0",
        "usage": {"inputTokens": 12, "outputTokens": 5},
        "stopReason": "end_turn",
        "truncated": False,
    }


def test_what_the_type_leaves_out_is_not_sent(bedrock, type_document):
    asked(job_type(type_document, systemPrompt=None), Prompt(system=None, user="x"))
    assert bedrock.converse.call_args.kwargs["inferenceConfig"] == {"maxTokens": 100}
    assert {"system", "guardrailConfig"}.isdisjoint(bedrock.converse.call_args.kwargs)


def test_the_client_has_the_types_timeout_and_tries_once(type_document):
    config = get_bedrock_client(60).meta.config
    assert config.read_timeout == 60
    assert config.retries["total_max_attempts"] == 1
    assert get_bedrock_client(60) is get_bedrock_client(60)
    assert get_bedrock_client(60) is not get_bedrock_client(61)


def test_running_into_max_tokens_is_a_result_that_says_so(bedrock, type_document):
    bedrock.converse.return_value = ANSWER | {"stopReason": "max_tokens"}
    assert asked(job_type(type_document)).truncated


def refused(code, status, message=""):
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Converse")


CONTEXT_LIMIT = "input length and `max_tokens` exceed context limit: 199759 + 8192 > 200000, decrease input length"


@pytest.mark.parametrize(
    ("error", "code", "error_class"),
    [
        (refused("ThrottlingException", 429), "MODEL_THROTTLED", "throttled"),
        (refused("ServiceUnavailableException", 503), "MODEL_THROTTLED", "throttled"),
        (refused("ModelNotReadyException", 429), "MODEL_THROTTLED", "throttled"),
        (refused("Whatever", 429), "MODEL_THROTTLED", "throttled"),
        (refused("ModelTimeoutException", 408), "MODEL_TIMEOUT", "transient"),
        (refused("ModelErrorException", 424), "MODEL_ERROR", "transient"),
        (refused("InternalServerException", 500), "MODEL_ERROR", "transient"),
        (refused("Whatever", 502), "MODEL_ERROR", "transient"),
        (ReadTimeoutError(endpoint_url="http://x"), "MODEL_TIMEOUT", "transient"),
        (EndpointConnectionError(endpoint_url="http://x"), "MODEL_UNREACHABLE", "transient"),
        (ParamValidationError(report="x"), "MODEL_REQUEST_REJECTED", "operator"),
        (ResponseParserError("nonsense"), "MALFORMED_MODEL_ANSWER", "transient"),
        (refused("AccessDeniedException", 403), "MODEL_ACCESS_DENIED", "operator"),
        (refused("MPAgreementBeingCreated", 403), "MODEL_ACCESS_DENIED", "operator"),
        (refused("ResourceNotFoundException", 404), "MODEL_NOT_FOUND", "operator"),
        (refused("ValidationException", 400, "temperature is not supported"), "MODEL_REQUEST_REJECTED", "operator"),
        (
            refused("ValidationException", 400, "The provided model identifier is invalid."),
            "MODEL_NOT_FOUND",
            "operator",
        ),
        (refused("ValidationException", 400, "Input is too long for requested model"), "INPUT_TOO_LONG", "invalid"),
        (refused("ValidationException", 400, CONTEXT_LIMIT), "INPUT_TOO_LONG", "invalid"),
    ],
)
def test_each_failure_has_its_class(bedrock, type_document, error, code, error_class):
    bedrock.converse.side_effect = error
    with pytest.raises(JobError) as caught:
        asked(job_type(type_document))
    assert (caught.value.code, caught.value.error_class) == (code, error_class)


@pytest.mark.parametrize(
    "message",
    [
        "The model returned the following errors: Could not process image",
        "Could not process PDF",
        "messages.0.content.2.image.source.bytes: image exceeds 5 MB maximum: 7167852 bytes > 5242880 bytes",
        "messages.0.content.0.image.source.base64.data: At least one of the image dimensions exceed max allowed size",
        "Image does not match the provided media type image/png",
        "The image was specified using the image/jpeg media type, but the image appears to be a image/png image",
        "The document file size exceeds the maximum of 4.5 MB",
        "The PDF specified was not valid.",
        "messages.0.content.0.pdf.source.base64.data: The PDF specified is password protected.",
        "messages.0.content.1.document.source.base64.data: A maximum of 100 PDF pages may be provided.",
        "messages.0.content.1.source.bytes: The document source bytes could not be parsed as the specified format.",
    ],
)
def test_a_file_that_the_model_can_not_use_is_the_users_mistake(bedrock, type_document, message):  # R-A2
    bedrock.converse.side_effect = refused("ValidationException", 400, message)
    with pytest.raises(JobError) as caught:
        asked(job_type(type_document))
    assert (caught.value.code, caught.value.field) == ("INVALID_ATTACHMENT", "attachments")
    assert message.rstrip(".") in caught.value.message


@pytest.mark.parametrize(
    "message",
    [
        "This model doesn't support the image content block that you provided.",
        "The model does not support document input.",
        "outputConfig.textFormat: the JSON schema is invalid. Its document must be an object.",
        "The provided S3 URI of the image is in another region.",
        "max_tokens exceeds the maximum of the model",
    ],
)
def test_what_a_model_does_not_support_stays_the_operators(bedrock, type_document, message):  # R-A2
    bedrock.converse.side_effect = refused("ValidationException", 400, message)
    with pytest.raises(JobError) as caught:
        asked(job_type(type_document))
    assert caught.value.code == "MODEL_REQUEST_REJECTED"


def test_a_call_that_can_not_be_sent_is_the_job_types_fault(type_document):  # with the real client
    malformed = job_type(type_document)
    malformed = dataclasses.replace(malformed, settings=dataclasses.replace(malformed.settings, max_tokens="many"))
    with pytest.raises(JobError, match="is malformed. Check the job type") as caught:
        asked(malformed)
    assert caught.value.code == "MODEL_REQUEST_REJECTED"


def test_an_operator_gets_awss_own_words(bedrock, type_document):
    bedrock.converse.side_effect = refused(
        "AccessDeniedException", 403, "not authorized to perform: bedrock:InvokeModel"
    )
    with pytest.raises(JobError, match="not authorized to perform: bedrock:InvokeModel"):
        asked(job_type(type_document))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"stopReason": "guardrail_intervened"}, "GUARDRAIL_INTERVENED"),
        ({"stopReason": "content_filtered"}, "CONTENT_FILTERED"),
        ({"stopReason": "tool_use"}, "MALFORMED_MODEL_ANSWER"),
        ({"output": {}}, "MALFORMED_MODEL_ANSWER"),
        ({"output": {"message": {"content": []}}}, "MALFORMED_MODEL_ANSWER"),
        ({"usage": None}, "MALFORMED_MODEL_ANSWER"),
    ],
)
def test_an_answer_without_a_usable_text_is_no_result(bedrock, type_document, change, code):
    bedrock.converse.return_value = ANSWER | change
    with pytest.raises(JobError) as caught:
        asked(job_type(type_document))
    assert caught.value.code == code


def test_no_code_without_a_class():
    with pytest.raises(KeyError):
        JobError("MADE_UP", "x")
    assert set(CODES.values()) == {"invalid", "operator", "throttled", "transient", "exhausted", "crash", "not_a_job"}


@pytest.fixture
def local_model(monkeypatch):
    """Clients talk to a port of this machine, which the test serves."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setattr(connections, "_PAUSE_SECONDS", 0.01)
        yield server


def serve(server, answers):
    """Answer one request on each connection: with a model's answer, or by hanging up after the request came."""

    def run():
        for answer in answers:
            try:
                connection, _ = server.accept()
            except OSError:  # the test is over, and did not ask for this answer
                return
            with connection:
                requests.append(connection.recv(65_536))
                content = json.dumps(ANSWER).encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
                if answer:
                    connection.sendall(head.encode() + content)

    requests = []
    threading.Thread(target=run, daemon=True).start()
    return requests


def test_a_long_silence_is_interrupted_by_signs_of_life(local_model, type_document):
    serve(local_model, [True])
    made = []
    connect = connections._HTTPConnection.connect

    def connect_and_look(connection):
        connect(connection)
        made.append([connection.sock.getsockopt(level, name) for level, name, _ in connections.KEEPALIVE])
        made.append(connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    with mock.patch.object(connections._HTTPConnection, "connect", connect_and_look):
        asked(job_type(type_document))
    options, no_delay = made
    assert options == [1, 60, 30, 5], "the first one long before the 350 s after which a NAT gateway forgets"
    assert no_delay == 1, "what botocore wants stays"


def failing_connects(monkeypatch, errors):
    """Let the first tries to connect fail with these errors."""
    new_connection = connections.AWSHTTPConnection._new_conn
    tries = []

    def fail_first(connection):
        tries.append(connection)
        if errors:
            raise errors.pop(0)
        return new_connection(connection)

    monkeypatch.setattr(connections.AWSHTTPConnection, "_new_conn", fail_first)
    return tries


@pytest.mark.parametrize(
    "error", [ConnectTimeoutError("slow"), NewConnectionError(None, "refused"), TimeoutError("handshake")]
)
def test_a_connection_is_tried_again_until_it_stands(local_model, type_document, monkeypatch, error):
    requests = serve(local_model, [True])
    tries = failing_connects(monkeypatch, [error, error])
    assert asked(job_type(type_document)).text == "Hello, Ada."
    assert (len(tries), len(requests)) == (3, 1)


def test_a_connection_is_not_tried_forever(local_model, type_document, monkeypatch):
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.05)
    failing_connects(monkeypatch, [ConnectTimeoutError("slow") for _ in range(1000)])
    with pytest.raises(JobError) as caught:
        asked(job_type(type_document))
    assert caught.value.code == "MODEL_UNREACHABLE"


def test_a_certificate_that_is_wrong_stays_wrong(local_model, type_document, monkeypatch):
    tries = failing_connects(monkeypatch, [ssl.SSLCertVerificationError("self-signed") for _ in range(3)])
    with pytest.raises(JobError):
        asked(job_type(type_document))
    assert len(tries) == 1


def test_what_was_sent_is_never_sent_again(local_model, type_document):
    requests = serve(local_model, [False, True])
    with pytest.raises(JobError) as caught:
        asked(job_type(type_document))
    assert (caught.value.code, len(requests)) == ("MODEL_UNREACHABLE", 1)


def test_a_slow_handshake_is_no_slow_model(monkeypatch, type_document):
    """Over TLS: the server takes the connection and says nothing, which urllib3 reports as a slow answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", f"https://127.0.0.1:{server.getsockname()[1]}")
        for name, seconds in {"_PAUSE_SECONDS": 0.01, "CONNECT_SECONDS": 1.5}.items():
            monkeypatch.setattr(connections, name, seconds)
        monkeypatch.setattr(clients, "_CALLING_MODELS", Config(connect_timeout=0.2))
        with pytest.raises(JobError):
            asked(job_type(type_document))
        server.setblocking(False)
        taken = 0
        with contextlib.suppress(BlockingIOError):
            while server.accept():
                taken += 1
        assert taken >= 2, "another handshake was tried"


def sent(bedrock, configured, prompt=PROMPT, model_id="amazon.nova-lite-v1:0"):
    """The request that one call sends."""
    call_model(configured, model_id, Conversation(prompt), configured.output)
    return bedrock.converse.call_args.kwargs


def test_each_setting_is_where_bedrock_expects_it(bedrock, type_document):  # R-A3
    configured = job_type(
        type_document,
        topP=0.5,
        stopSequences=["END"],
        effort="low",
        serviceTier="flex",
        additionalModelRequestFields={"top_k": 20},
        requestMetadata={"team": "listings"},
    )
    request = sent(bedrock, configured)
    assert request["inferenceConfig"] == {"maxTokens": 100, "topP": 0.5, "stopSequences": ["END"]}
    assert request["outputConfig"] == {"effort": "low"}
    assert request["serviceTier"] == {"type": "flex"}
    assert request["additionalModelRequestFields"] == {"top_k": 20}
    assert request["requestMetadata"] == {"team": "listings"}


def test_cache_points_follow_what_is_the_same_for_every_job(bedrock, type_document):  # R-A3
    configured = job_type(type_document, promptCache={"ttl": "1h"}, prompt="Greet politely: {{ name }}.")
    request = sent(bedrock, configured, configured.prepare({"name": "Ada"}))
    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert request["system"] == [{"text": "You greet people in English."}, point]
    assert request["messages"][0]["content"] == [{"text": "Greet politely: "}, point, {"text": "Ada."}]


class _Photo:
    estimated_tokens = 1

    def content_block(self, model_id):
        return {"image": model_id}


@pytest.mark.parametrize(
    ("cache", "content"),
    [
        ({}, [{"image": "amazon.nova-lite-v1:0"}, {"text": "Greet politely: Ada."}]),
        (
            {"promptCache": {"ttl": "5m"}},
            [
                {"text": "Greet politely: "},
                {"cachePoint": {"type": "default", "ttl": "5m"}},
                {"image": "amazon.nova-lite-v1:0"},
                {"text": "Ada."},
            ],
        ),
    ],
)
def test_files_come_before_the_text_and_after_the_cache_point(bedrock, type_document, cache, content):  # R-A2, R-A3
    configured = job_type(type_document, prompt="Greet politely: {{ name }}.", **cache)
    prompt = dataclasses.replace(configured.prepare({"name": "Ada"}), files=(_Photo(),))
    assert sent(bedrock, configured, prompt)["messages"][0]["content"] == content


@pytest.mark.parametrize("prompt", ["{{ name }} is here.", "{% if name %}Greet {{ name }}.{% endif %}"])
def test_a_prompt_without_a_static_beginning_has_no_point(bedrock, type_document, prompt):
    configured = job_type(type_document, promptCache={"ttl": "5m"}, prompt=prompt)
    request = sent(bedrock, configured, configured.prepare({"name": "Ada"}))
    assert len(request["messages"][0]["content"]) == 1


def test_the_tier_and_the_caches_tokens_are_part_of_the_result(bedrock, type_document):  # R-A3
    usage = ANSWER["usage"] | {"cacheReadInputTokens": 2_000, "cacheWriteInputTokens": 0}
    bedrock.converse.return_value = ANSWER | {"usage": usage, "serviceTier": {"type": "default"}}
    document = asked(job_type(type_document, serviceTier="flex")).to_document()
    assert document["serviceTier"] == "default", "the one that served the call, not the one that was asked for"
    assert document["usage"] == {"inputTokens": 12, "outputTokens": 5, "cacheReadInputTokens": 2_000}


def test_an_inference_profile_is_called_in_place_of_its_model(bedrock, type_document):  # R-A3
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    configured = job_type(type_document, inferenceProfiles={"amazon.nova-lite-v1:0": arn})
    assert sent(bedrock, configured)["modelId"] == arn
    assert asked(configured).model == "amazon.nova-lite-v1:0", "which has a price and a name that people know"
    assert configured.called == ((arn,), None)


OUTPUT = {"type": "object", "required": ["greeting"], "properties": {"greeting": {"type": "string"}}}


@pytest.mark.parametrize(
    ("model_id", "mode", "field"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", None, "outputConfig"),
        ("anthropic.claude-opus-5-v1", None, "outputConfig"),
        ("anthropic.claude-3-haiku-20240307-v1:0", None, "toolConfig"),
        ("anthropic.claude-sonnet-4-20250514-v1:0", None, "toolConfig"),
        ("amazon.nova-lite-v1:0", None, "toolConfig"),
        ("amazon.nova-lite-v1:0", "native", "outputConfig"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "tool", "toolConfig"),
    ],
)
def test_json_is_asked_for_in_the_way_that_the_model_has(bedrock, type_document, model_id, mode, field):  # R-A1
    rules = {"mode": mode} if mode else {}
    configured = job_type(type_document, outputSchema=OUTPUT, output=rules, effort="high")
    request = sent(bedrock, configured, model_id=model_id)
    assert ("toolConfig" in request) == (field == "toolConfig")
    assert request["outputConfig"]["effort"] == "high"
    if field == "outputConfig":
        text_format = request["outputConfig"]["textFormat"]
        assert text_format["type"] == "json_schema"
        assert json.loads(text_format["structure"]["jsonSchema"]["schema"]) == OUTPUT | {"additionalProperties": False}
    else:
        tool = request["toolConfig"]["tools"][0]["toolSpec"]
        assert tool["inputSchema"]["json"] == OUTPUT
        assert request["toolConfig"]["toolChoice"] == {"tool": {"name": tool["name"]}}


@pytest.mark.parametrize(
    "content",
    [
        [{"toolUse": {"toolUseId": "t", "name": "result", "input": {"greeting": "Hi"}}}],
        [{"text": "Sure."}, {"toolUse": {"toolUseId": "t", "name": "result", "input": {"greeting": "Hi"}}}],
        [{"text": '{"greeting": "Hi"}'}],
        [{"text": '```json\n{"greeting": "Hi"}\n```'}],
        [{"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"text": '\n{"greeting": "Hi"}'}],
    ],
)
def test_json_is_found_where_models_put_it(bedrock, type_document, content):  # R-A1
    bedrock.converse.return_value = ANSWER | {"output": {"message": {"content": content}}, "stopReason": "tool_use"}
    assert asked(job_type(type_document, outputSchema=OUTPUT)).json == {"greeting": "Hi"}


@pytest.mark.parametrize("stop_reason", ["end_turn", "malformed_tool_use", "malformed_model_output", "tool_use"])
def test_an_answer_that_is_no_json_is_corrected(bedrock, type_document, stop_reason):  # R-A1
    bad = ANSWER | {"stopReason": stop_reason}
    good = ANSWER | {"output": {"message": {"content": [{"text": '{"greeting": "Hi"}'}]}}}
    bedrock.converse.side_effect = [bad, good]
    result = asked(job_type(type_document, outputSchema=OUTPUT))
    assert (result.json, result.model_calls) == ({"greeting": "Hi"}, 2)
    messages = bedrock.converse.call_args.kwargs["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert "There is no JSON document" in messages[2]["content"][0]["text"]


@pytest.mark.parametrize("text", ["```" + "\n" * 100_000, "```json\n{" + "\n" * 100_000 + "```", "`" * 100_000])
def test_an_answer_that_never_ends_its_fence_keeps_no_worker_busy(bedrock, type_document, text):
    bedrock.converse.return_value = ANSWER | {"output": {"message": {"content": [{"text": text}]}}}
    with pytest.raises(JobError, match="There is no JSON document"):
        asked(job_type(type_document, outputSchema=OUTPUT, output={"repairs": 0}))


DRAFT_04 = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "id": "urn:output",
    "required": ["share"],
    "properties": {
        "share": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1, "exclusiveMaximum": False},
        "exclusiveMinimum": {"type": "boolean", "default": True},
        "parts": {"type": "array", "items": {"type": "integer", "maximum": 9, "exclusiveMaximum": True}},
        "kind": {"enum": [{"exclusiveMinimum": True}]},
    },
    "definitions": {"id": {"type": "string"}},
}


def test_a_tools_schema_is_in_the_draft_that_models_know(bedrock, type_document):  # R-A1
    request = sent(bedrock, job_type(type_document, outputSchema=DRAFT_04))
    assert request["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"] == {
        "type": "object",
        "required": ["share"],
        "properties": {
            "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            "exclusiveMinimum": {"type": "boolean", "default": True},
            "parts": {"type": "array", "items": {"type": "integer", "exclusiveMaximum": 9}},
            "kind": {"enum": [{"exclusiveMinimum": True}]},
        },
        "definitions": {"id": {"type": "string"}},
    }


CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def native_schema(request):
    return json.loads(request["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"])


def test_native_output_gets_only_what_it_knows_and_the_rest_as_words(bedrock, type_document):  # R-A1
    schema = {
        "required": ["rooms"],
        "properties": {
            "rooms": {"type": "integer", "minimum": 1, "description": "How many."},
            "title": {"type": "string", "maxLength": 80, "format": "date"},
            "tags": {"type": "array", "items": {"type": "string", "format": "odd"}, "minItems": 1, "maxItems": 3},
            "area": {"oneOf": [{"type": "number"}, {"type": "null"}], "default": None},
        },
    }
    request = sent(bedrock, job_type(type_document, outputSchema=schema), model_id=CLAUDE)
    assert native_schema(request) == {
        "type": "object",
        "additionalProperties": False,
        "required": ["rooms"],
        "properties": {
            "rooms": {"type": "integer", "description": 'How many. Rules: {"minimum": 1}'},
            "title": {"type": "string", "format": "date", "description": 'Rules: {"maxLength": 80}'},
            "tags": {
                "type": "array",
                "items": {"type": "string", "description": 'Rules: {"format": "odd"}'},
                "minItems": 1,
                "description": 'Rules: {"maxItems": 3}',
            },
            "area": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        },
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"required": ["b"], "properties": {"a": {}}},
        {"properties": {"any": {"type": "object"}}},
        {
            "properties": {
                "map": {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "string"}}
            }
        },
        {"properties": {"tree": {"$ref": "#/definitions/tree"}}, "definitions": {"tree": {"properties": {"a": {}}}}},
        {"properties": {"pair": {"type": "array", "items": [{"type": "string"}]}}},
        {"properties": {"other": {"not": {"type": "string"}}}},
    ],
)
def test_a_schema_that_native_output_can_not_express_goes_to_a_tool(bedrock, type_document, schema):  # R-A1
    assert "toolConfig" in sent(bedrock, job_type(type_document, outputSchema=schema), model_id=CLAUDE)
    insists = job_type(type_document, outputSchema=schema, output={"mode": "native"})
    assert native_schema(sent(bedrock, insists))["type"] == "object", "and Bedrock says what it thinks of it"


@pytest.mark.parametrize(
    ("model_id", "choice"),
    [
        ("amazon.nova-lite-v1:0", {"tool": {"name": "result"}}),
        ("us.anthropic.claude-3-haiku-20240307-v1:0", {"tool": {"name": "result"}}),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", {"tool": {"name": "result"}}),
        ("mistral.mistral-large-2402-v1:0", {"any": {}}),
        ("us.meta.llama3-3-70b-instruct-v1:0", None),
        ("arn:aws:bedrock:us-east-1::foundation-model/meta.llama3-1-8b-instruct-v1:0", None),
    ],
)
def test_only_models_that_can_be_forced_are(bedrock, type_document, model_id, choice):  # R-A1
    request = sent(bedrock, job_type(type_document, outputSchema=OUTPUT), model_id=model_id)
    assert request["toolConfig"].get("toolChoice") == choice


@pytest.mark.parametrize(("prompt", "name"), [("\n{{ name }}", "Ada"), ("Static. {{ name }}", " ")])
def test_no_block_is_blank(bedrock, type_document, prompt, name):  # R-A3
    configured = job_type(type_document, promptCache={"ttl": "5m"}, prompt=prompt)
    content = sent(bedrock, configured, configured.prepare({"name": name}))["messages"][0]["content"]
    assert len(content) == 1


def test_files_come_after_the_cache_point_and_before_the_jobs_own_text(bedrock, type_document):  # R-A2 R-A3
    file = mock.Mock(content_block=lambda model_id: {"image": {"format": "png", "source": {"bytes": b"1"}}})
    configured = job_type(type_document, promptCache={"ttl": "5m"}, prompt="Static. {{ name }}")
    prompt = dataclasses.replace(configured.prepare({"name": "Ada"}), files=(file,))
    content = sent(bedrock, configured, prompt)["messages"][0]["content"]
    assert [next(iter(block)) for block in content] == ["text", "cachePoint", "image", "text"]


REJECTIONS = {
    "temperature": ({"temperature": 0.5}, "`temperature` is deprecated for this model"),
    "top_p": ({"topP": 0.5}, "top_p cannot be specified"),
    "service_tier": ({"serviceTier": "flex"}, "The provided ServiceTier is not supported for this model"),
    "prompt_cache": ({"promptCache": {"ttl": "1h"}}, "You invoked an unsupported model with cachePoint"),
    "effort": ({"effort": "max"}, "effort level max is not supported"),
    "output.mode": ({"outputSchema": OUTPUT}, "This model doesn't support tool use"),
    "additional_model_request_fields.top_k": (
        {"additionalModelRequestFields": {"top_k": 1}},
        "Malformed input request: extraneous key [top_k] is not permitted",
    ),
    "request_metadata": ({"requestMetadata": {"a": "b"}}, "requestMetadata is invalid"),
}


@pytest.mark.parametrize("setting", REJECTIONS)
def test_a_setting_that_the_model_rejects_is_named(bedrock, type_document, setting):  # R-A3
    changes, message = REJECTIONS[setting]
    bedrock.converse.side_effect = refused("ValidationException", 400, message)
    with pytest.raises(JobError) as caught:
        asked(job_type(type_document, **changes))
    assert (caught.value.code, caught.value.field, caught.value.error_class) == (
        "MODEL_REQUEST_REJECTED",
        setting,
        "operator",
    )
    assert f"does not accept the job type's {setting}. Change or omit it." in caught.value.message


def test_a_setting_that_was_not_sent_is_not_blamed(bedrock, type_document):
    bedrock.converse.side_effect = refused("ValidationException", 400, "effort and cachePoint and tools are wrong")
    with pytest.raises(JobError) as caught:
        asked(job_type(type_document))
    assert caught.value.field is None
