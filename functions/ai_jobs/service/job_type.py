"""One job type: how an input is validated and the prompt is rendered, and how its model is called."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from jinja2 import Template

from ai_jobs.contract.errors import JobError, shown
from ai_jobs.service.model_settings import AttachmentRules, Guardrail, ModelSettings, OutputRules
from ai_jobs.service.prompts import render
from ai_jobs.service.schemas import violation_in

OTHER_FIELDS = "other_fields"
"""The name, in prompts, of the fields of an input that the schema's `properties` do not have."""

ATTACHMENTS = "attachments"
"""The name, in prompts, of the job's files: a list of `{name, mediaType, bytes}`."""


class AttachedFile(Protocol):
    """A file that goes to the model with the prompt."""

    @property
    def estimated_tokens(self) -> int:
        """How many tokens a model will probably count for it."""

    def content_block(self, model_id: str) -> dict[str, Any]:
        """The file as a content block of Converse: its bytes, or where it is, if this model can read it there.

        Raises:
            JobError: the file is gone, or the bucket is unavailable.
        """


@dataclass(frozen=True)
class Prompt:
    """A rendered prompt: the model's instructions, and the request with its files.

    Attributes:
        static_characters: how many characters at the beginning of `user` are the same for every job of the type.
    """

    system: str | None
    user: str
    files: tuple[AttachedFile, ...] = ()
    static_characters: int = 0


@dataclass(frozen=True)
class JobType:
    """One configured job type; `prepare` turns an input into a prompt.

    Attributes:
        model_ids: the model, and then those that are tried in order when the one before refuses.
        inference_profiles: by model id, the ARN of the application inference profile through which it is called.
        handler: `module:function` of the platform team's own code, which then takes the place of the prompt.
    """

    name: str
    model_ids: tuple[str, ...]
    settings: ModelSettings
    _fields: frozenset[str]
    _validate: Callable[[Any, str], Any]
    _prompt: Template | None = None
    _system_prompt: Template | None = None
    _static_prompt: str = ""
    inference_profiles: Mapping[str, str] = field(default_factory=dict)
    output: OutputRules | None = None
    attachments: AttachmentRules | None = None
    handler: str | None = None

    @property
    def called(self) -> tuple[tuple[str, ...], Guardrail | None]:
        """What model calls need permission for: the models or inference profiles, and the guardrail."""
        return tuple(self.inference_profiles.get(name, name) for name in self.model_ids), self.settings.guardrail

    @property
    def longest_seconds(self) -> int:
        """How long a job may keep a worker: its model call, and those that correct the answer."""
        calls = 1 + self.output.repairs if self.output and not self.handler else 1
        return self.settings.timeout_seconds * calls

    def prepare(self, job_input: Mapping[str, Any], attachments: Sequence[Mapping[str, Any]] = ()) -> Prompt:
        """Validate the input against the type's schema, fill in the schema's defaults, and render the prompts.

        The prompt has no files yet.

        Args:
            attachments: what prompts see of the job's files: `{name, mediaType, bytes}` each.

        Raises:
            JobError: `INVALID_INPUT` or `UNDEFINED_FIELD`, naming the field; `INPUT_TOO_LONG`; `INVALID_CONFIGURATION`
                or `INVALID_PROMPT` if the schema or the template itself fails. No other exception, for any type.
        """
        values = self.checked(job_input)
        if self._prompt is None:  # a handler writes its own
            return Prompt(None, "")
        if OTHER_FIELDS not in self._fields:
            values[OTHER_FIELDS] = {name: value for name, value in values.items() if name not in self._fields}
        # Where jobs have no files, an open schema may let an input have a field of this name.
        if ATTACHMENTS not in self._fields and (self.attachments or ATTACHMENTS not in values):
            values[ATTACHMENTS] = [dict(one) for one in attachments]
        system = render(self._system_prompt, values, self.name) if self._system_prompt else ""
        user = render(self._prompt, values, self.name)
        if not user.strip():
            reason = f"With this input, the prompt of job type {shown(self.name)} is blank, which no model accepts."
            raise JobError("INVALID_INPUT", reason, "input")
        return Prompt(system if system.strip() else None, user, static_characters=len(self._static_prompt))

    def checked(self, job_input: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of the input with the schema's defaults filled in.

        Raises:
            JobError: `INVALID_INPUT`, naming the field; `INVALID_CONFIGURATION` if the schema itself fails.
        """
        try:
            values = copy.deepcopy(dict(job_input))
            violation = violation_in(values, self._validate, "input")
        except RecursionError:
            raise JobError("INVALID_INPUT", "The input is nested too deeply.", "input") from None
        except Exception as error:  # noqa: BLE001  # generated code can raise anything
            raise JobError(
                "INVALID_CONFIGURATION",
                f"The input schema of job type {shown(self.name)} can't be applied ({type(error).__name__}).",
            ) from None
        if violation:
            raise JobError("INVALID_INPUT", violation.message, violation.field)
        return values
