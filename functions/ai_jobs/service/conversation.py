"""A conversation with a model, and what the model answered, in the terms of Bedrock's Converse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ai_jobs.contract.result import Usage
from ai_jobs.service.job_type import Prompt


@dataclass(frozen=True)
class Answer:
    """What a model answered to one call.

    Attributes:
        text: its text blocks, joined.
        json: the document that it was asked for, unchecked; None if there is none.
        model: the model's id as the job type names it.
        content: the content blocks as they came.
        service_tier: the tier that served the call, if the response named it.
        cost: in US dollars; None if the model's price is not known.
    """

    text: str
    json: Any
    model: str
    usage: Usage
    stop_reason: str
    truncated: bool
    content: list[dict[str, Any]] = field(default_factory=list, repr=False)
    service_tier: str | None = None
    cost: float | None = None


@dataclass(frozen=True)
class Conversation:
    """A prompt, and what was said since.

    Attributes:
        further: the messages after the prompt: the model's, and ours in turn.
        rejected: how many answers could not be used so far; a later model does not have them in its messages.
    """

    prompt: Prompt
    further: tuple[Mapping[str, Any], ...] = ()
    rejected: int = 0

    @property
    def is_first(self) -> bool:
        """Has no model answered yet?"""
        return not self.rejected

    def continued(self, answer: Answer, reply: list[dict[str, Any]]) -> Conversation:
        """The conversation with the model's answer and our reply to it.

        An answer with nothing in it can't be sent back: the model is then asked again.
        """
        content = _sendable(answer.content)
        if not any("text" in block or "toolUse" in block for block in content):
            return replace(self, rejected=self.rejected + 1)
        turns = ({"role": "assistant", "content": content}, {"role": "user", "content": reply})
        return replace(self, further=(*self.further, *turns), rejected=self.rejected + 1)

    def for_another_model(self) -> Conversation:
        """The prompt alone: the rest is in the terms of the model that it was said to, a tool's or its own."""
        return replace(self, further=())


def _sendable(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks that Bedrock accepts back: it refuses blank ones, and botocore those that it does not know."""
    return [
        block
        for block in content
        if "toolUse" in block or "reasoningContent" in block or ("text" in block and block["text"].strip())
    ]
