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
from ai_jobs.service.schemas import violation_in

NATIVE = "native"
TOOL = "tool"

NAME = "result"
"""The name of the JSON in messages about it, and of the tool or schema by which it is requested."""

# The models that take a schema in Converse's outputConfig, as the page above lists them. A model that is missing here
# is asked with a tool, which works with every model that has tools; `output.mode` overrides the list.
_NATIVE_MODELS = re.compile(
    r"anthropic\.claude-(?:sonnet|opus|haiku)-(?:4-[5-9]|[5-9])"
    r"|openai\.gpt-oss|qwen\.qwen3|deepseek\.v3|mistral\.(?:ministral|magistral|mistral-large-3|voxtral)"
    r"|google\.gemma-3|minimax\.minimax-m2|moonshot(?:ai)?\.kimi-k2|nvidia\.nemotron"
)

_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL)


def mode_for(rules: OutputRules, model_id: str) -> str:
    """How this model is asked for JSON: as the type says, or else in the way that the model is known to have."""
    return rules.mode or (NATIVE if _NATIVE_MODELS.search(model_id) else TOOL)


def request_fields(rules: OutputRules, model_id: str) -> dict[str, Any]:
    """The fields of a Converse request that ask for the JSON."""
    if mode_for(rules, model_id) == NATIVE:
        definition = {"name": NAME, "schema": json.dumps(rules.schema, ensure_ascii=False)}
        text_format = {"type": "json_schema", "structure": {"jsonSchema": definition}}
        return {"outputConfig": {"textFormat": text_format}}
    tool = {"name": NAME, "description": "Records the result of the task.", "inputSchema": {"json": rules.schema}}
    return {"toolConfig": {"tools": [{"toolSpec": tool}], "toolChoice": {"tool": {"name": NAME}}}}


def document_in(content: list[dict[str, Any]], text: str) -> Any:
    """The JSON document in an answer: a tool's input, or the text if that is JSON; else None."""
    for block in content:
        if "toolUse" in block:
            return block["toolUse"]["input"]
    # Models that were not made to write only JSON like to wrap it.
    fenced = _FENCED.fullmatch(text)
    try:
        return documents.from_json(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return None


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
    fault = documents.fault_for_table(document, NAME)
    return (str(fault), fault.place) if fault else None


def correction(answer: Answer, problem: str) -> list[dict[str, Any]]:
    """Our reply to an answer that breaks the schema, as content blocks."""
    text = f"This does not match the required schema: {problem} Write the complete document again, corrected."
    results: list[dict[str, Any]] = [
        {"toolResult": {"toolUseId": block["toolUse"]["toolUseId"], "content": [{"text": text}], "status": "error"}}
        for block in answer.content
        if "toolUse" in block
    ]
    return results or [{"text": text}]
