"""The model of the local environment, as boto3 sees it, and the documents that it makes up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import fastjsonschema
import pytest
from botocore.exceptions import ClientError

from ai_jobs.local import model as local_model

SCHEMA = {
    "type": "object",
    "required": ["title", "rooms"],
    "additionalProperties": False,
    "properties": {
        "title": {"type": "string", "maxLength": 12},
        "rooms": {"type": "integer", "minimum": 1},
        "notes": {"type": "string"},
    },
}
PHOTO = {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}}
PLAN = {"document": {"format": "pdf", "name": "plan", "source": {"s3Location": {"uri": "s3://bucket/plan"}}}}


class Model:
    """Calls Converse with a prompt, and whatever else a test says."""

    def __init__(self, port: int) -> None:
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
        self.client = boto3.client("bedrock-runtime", endpoint_url=f"http://127.0.0.1:{port}", **keys)

    def answer(self, *content: dict[str, Any], text: str = "Hello", model_id: str = "m", **more: Any) -> dict[str, Any]:
        messages = [{"role": "user", "content": [*content, {"text": text}]}]
        response: dict[str, Any] = self.client.converse(modelId=model_id, messages=messages, **more)
        return response

    def text(self, *content: dict[str, Any], **more: Any) -> str:
        (block,) = self.answer(*content, **more)["output"]["message"]["content"]
        return str(block["text"])


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    with local_model.Server(0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Model(server.server_port)
        server.shutdown()


def test_a_reply_names_its_model_and_its_prompt(model: Model) -> None:
    reply = model.text(model_id="amazon.nova-lite-v1:0")
    assert reply == "[local model amazon.nova-lite-v1:0] reply to prompt #185f8db3"
    assert model.text(model_id="amazon.nova-lite-v1:0") == reply, "the same prompt has the same reply"
    assert model.text(text="Bye", model_id="amazon.nova-lite-v1:0") != reply
    assert model.text(system=[{"text": "Be brief."}], model_id="amazon.nova-lite-v1:0") != reply


def test_a_model_may_be_an_arn(model: Model) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    assert model.text(model_id=arn).startswith(f"[local model {arn}] ")


@pytest.mark.parametrize(
    ("files", "said"),
    [([PHOTO], ", with 1 image"), ([PHOTO, PHOTO, PLAN], ", with 2 images and 1 document"), ([], "")],
)
def test_a_reply_counts_the_files(model: Model, files: list[dict[str, Any]], said: str) -> None:  # R-A2
    assert model.text(*files) == f"[local model m] reply to prompt #185f8db3{said}"
    assert model.answer(*files)["usage"]["inputTokens"] == 2 + 1_800 * len(files)


def test_json_by_a_forced_tool(model: Model) -> None:  # R-A1
    tool = {"toolSpec": {"name": "result", "inputSchema": {"json": SCHEMA}}}
    answer = model.answer(toolConfig={"tools": [tool], "toolChoice": {"tool": {"name": "result"}}})
    (block,) = answer["output"]["message"]["content"]
    assert block["toolUse"]["input"] == {"title": "[local model", "rooms": 1}
    assert answer["stopReason"] == "tool_use"


def test_json_by_output_config(model: Model) -> None:  # R-A1
    structure = {"jsonSchema": {"name": "result", "schema": json.dumps(SCHEMA)}}
    text_format = {"type": "json_schema", "structure": structure}
    assert json.loads(model.text(outputConfig={"textFormat": text_format})) == {"title": "[local model", "rooms": 1}


def test_the_tier_comes_back(model: Model) -> None:  # R-A3
    assert model.answer(serviceTier={"type": "flex"})["serviceTier"] == {"type": "flex"}
    assert "serviceTier" not in model.answer()


def test_what_is_before_a_cache_point_is_read_from_the_cache_next_time(model: Model) -> None:  # R-A3
    system = [{"text": "x" * 300}, {"cachePoint": {"type": "default"}}]
    first, second = [model.answer(text=text, system=system)["usage"] for text in ("One", "Two")]
    assert (first["inputTokens"], first["cacheWriteInputTokens"]) == (1, 100)
    assert (second["inputTokens"], second["cacheReadInputTokens"]) == (1, 100)
    assert second["totalTokens"] == 101 + second["outputTokens"]
    other = model.answer(model_id="other", system=system)["usage"]
    assert other["cacheWriteInputTokens"] == 100, "each model has a cache of its own"


def test_what_is_not_converse_is_refused_by_name(model: Model) -> None:
    with pytest.raises(ClientError, match="The local model has only Converse, and nothing at /model/m/invoke"):
        model.client.invoke_model(modelId="m", body=b"{}")


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        ({}, {}),
        ({"type": "string", "minLength": 6}, "text.."),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"enum": ["a", "b"]}, "a"),
        ({"const": 3}, 3),
        ({"type": ["null", "string"]}, None),
        ({"type": "boolean"}, False),
        ({"type": "number"}, 0),
        ({"type": "integer", "minimum": 3, "exclusiveMinimum": True}, 4),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [0, 0]),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, 0),
        ({"type": "object", "required": ["a"], "oneOf": [{"properties": {"a": {"const": 1}}}]}, {"a": 1}),
        (
            {
                "type": "array",
                "minItems": 1,
                "items": {"$ref": "#/definitions/room"},
                "definitions": {"room": {"type": "object", "required": ["name"]}},
            },
            [{"name": "text"}],
        ),
    ],
)
def test_the_smallest_document_of_a_schema(schema: dict[str, Any], document: Any) -> None:  # R-A1
    assert local_model.smallest(schema, "text") == document
    draft = "http://json-schema.org/draft-04/schema#" if schema.get("exclusiveMinimum") is True else None
    fastjsonschema.validate(schema | ({"$schema": draft} if draft else {}), document)


TOOL = {"toolSpec": {"name": "t", "inputSchema": {"json": SCHEMA}}}
USED = {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", "name": "t", "input": {}}}]}


@pytest.mark.parametrize(
    ("messages", "more", "words"),
    [
        ([{"role": "assistant", "content": []}], {}, "is empty"),
        ([{"role": "assistant", "content": [{"text": " \n"}]}], {}, "is blank"),
        ([], {"system": [{"text": " "}]}, "is blank"),
        ([USED], {}, "toolConfig field must be defined"),
        ([], {"toolConfig": {"tools": [TOOL | {"toolSpec": {"name": "t", "inputSchema": {"json": {}}}}]}}, "object"),
    ],
)
def test_it_refuses_what_bedrock_refuses(model: Model, messages: Any, more: Any, words: str) -> None:
    first = {"role": "user", "content": [{"text": "Hello"}]}
    with pytest.raises(ClientError, match=words) as caught:
        model.client.converse(modelId="m", messages=[first, *messages], **more)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
