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
    """

    prompt: Prompt
    further: tuple[Mapping[str, Any], ...] = ()

    def continued(self, answer: Answer, reply: list[dict[str, Any]]) -> Conversation:
        """The conversation with the model's answer and our reply to it."""
        turns = ({"role": "assistant", "content": answer.content}, {"role": "user", "content": reply})
        return replace(self, further=(*self.further, *turns))
