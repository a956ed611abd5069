"""JSON output: how a model is asked for it, how it is found in the answer, and how the model is told to correct it.

https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from ai_jobs.contract import documents
from ai_jobs.service.conversation import Answer
from ai_jobs.service.model_settings import OutputRules
from ai_jobs.service.output_schemas import for_native_output, for_tool
from ai_jobs.service.schemas import violation_in

_NATIVE = "native"

NAME = "result"
"""The name of the JSON in messages about it, and of the tool or schema by which it is requested."""

# The models that take a schema in Converse's outputConfig, as the page above lists them. A model that is missing here
# is asked with a tool, which works with every model that has tools; `output.mode` overrides the list.
_NATIVE_MODELS = re.compile(
    r"anthropic\.claude-(?:sonnet|opus|haiku)-(?:4-[5-9]|[5-9])"
    r"|openai\.gpt-oss|qwen\.qwen3|deepseek\.v3|mistral\.(?:ministral|magistral|mistral-large-3|voxtral)"
    r"|google\.gemma-3|minimax\.minimax-m2|moonshot(?:ai)?\.kimi-k2|nvidia\.nemotron"
)

# Which models can be forced to call a tool, and how: https://docs.aws.amazon.com/bedrock/latest/APIReference/
# API_runtime_ToolChoice.html. Bedrock rejects the request for the others; the prompt and the tool have to do for those.
_FORCED_BY_NAME = re.compile(r"anthropic|amazon\.nova")
_FORCED_TO_ANY = re.compile(r"mistral")
_BY_ID = re.compile(r"^(?!arn:)|/[a-z0-9-]+\.[a-z]")

_FENCE = "```"


def request_fields(rules: OutputRules, model_id: str) -> dict[str, Any]:
    """The fields of a Converse request that ask for the JSON, as the type says, or as model and schema allow."""
    schema = None
    if rules.mode == _NATIVE or (rules.mode is None and _NATIVE_MODELS.search(model_id)):
        schema = for_native_output(rules.schema)
    if schema is None and rules.mode == _NATIVE:
        schema = for_tool(rules.schema)  # the type insists, and gets AWS's own words about its schema
    if schema is not None:
        definition = {"name": NAME, "schema": json.dumps(schema, ensure_ascii=False)}
        return {"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": definition}}}}
    input_schema = {"json": for_tool(rules.schema)}
    tool = {"name": NAME, "description": "Records the result of the task.", "inputSchema": input_schema}
    return {"toolConfig": {"tools": [{"toolSpec": tool}]} | _choice(model_id)}


def _choice(model_id: str) -> dict[str, Any]:
    if _FORCED_TO_ANY.search(model_id):
        return {"toolChoice": {"any": {}}}
    # The ARN of an application inference profile does not say which model is behind it.
    is_forced = _FORCED_BY_NAME.search(model_id) or not _BY_ID.search(model_id)
    return {"toolChoice": {"tool": {"name": NAME}}} if is_forced else {}


def document_in(content: list[dict[str, Any]], text: str) -> Any:
    """The JSON document in an answer: a tool's input, or the text if that is JSON; else None."""
    for block in content:
        if "toolUse" in block:
            return block["toolUse"]["input"]
    try:
        return documents.from_json(_unfenced(text))
    except (ValueError, RecursionError):
        return None


def _unfenced(text: str) -> str:
    """The text without the fence that models like to put around JSON."""
    text = text.strip()
    if not (text.startswith(_FENCE) and text.endswith(_FENCE)):
        return text
    return text.partition("\n")[2].removesuffix(_FENCE)


def problem_of(document: Any, rules: OutputRules) -> tuple[str, str] | None:
    """What is wrong with an output, in a sentence, and the field at fault; None if it satisfies the schema.

    Raises:
        Exception: of any kind, if the schema's generated code fails by itself.
    """
    if document is None:
        return f"There is no JSON document. {NAME} must be a JSON object.", NAME
    violation = violation_in(document, rules.check, NAME)
    if violation:
        return violation.message, violation.field
    fault = fault_for_row(document)
    return (str(fault), fault.place) if fault else None


def fault_for_row(document: Any) -> documents.Fault | None:
    """What keeps an output from being stored, in its place within the result."""
    return documents.fault_for_table({NAME: document}, "")


def correction(answer: Answer, problem: str) -> list[dict[str, Any]]:
    """Our reply to an answer that breaks the schema, as content blocks."""
    text = f"This does not match the required schema: {problem} Write the complete document again, corrected."
    results: list[dict[str, Any]] = [
        {"toolResult": {"toolUseId": block["toolUse"]["toolUseId"], "content": [{"text": text}], "status": "error"}}
        for block in answer.content
        if "toolUse" in block
    ]
    return results or [{"text": text}]
