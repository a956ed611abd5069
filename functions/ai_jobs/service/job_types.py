"""Job types: what the platform team configured, how an input is validated, and how the prompt is rendered."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import fastjsonschema
from jinja2 import Template

from ai_jobs.contract.errors import JobError, MisconfiguredError, shown
from ai_jobs.contract.limits import LIMITS
from ai_jobs.service.input_schemas import compile_schema
from ai_jobs.service.prompts import compile_prompt, render

MAX_TOKENS = LIMITS["model_max_tokens"].max
MAX_TIMEOUT_SECONDS = LIMITS["model_timeout_seconds"].max

OTHER_FIELDS = "other_fields"
"""The name, in prompts, of the fields of an input that the schema's `properties` do not have."""


@dataclass(frozen=True)
class Guardrail:
    """A Bedrock guardrail, by id (or ARN) and version."""

    id: str
    version: str


@dataclass(frozen=True)
class Prompt:
    """A rendered prompt: the model's instructions, and the request."""

    system: str | None
    user: str


@dataclass(frozen=True)
class JobType:
    """One configured job type; `prepare` turns an input into a prompt.

    Attributes:
        max_tokens: the most tokens that the model may write.
        temperature: None leaves it to the model (some models reject the parameter).
        timeout_seconds: how long one model call may take.
    """

    name: str
    model_id: str
    max_tokens: int
    timeout_seconds: int
    temperature: float | None
    guardrail: Guardrail | None
    _fields: frozenset[str]
    _validate: Callable[[Any], Any]
    _prompt: Template
    _system_prompt: Template | None

    @property
    def called(self) -> tuple[str, Guardrail | None]:
        """What a model call needs permission for: the model or inference profile, and the guardrail."""
        return self.model_id, self.guardrail

    def prepare(self, job_input: Mapping[str, Any]) -> Prompt:
        """Validate the input against the type's schema, fill in the schema's defaults, and render the prompts.

        Raises:
            JobError: `INVALID_INPUT` or `UNDEFINED_FIELD`, naming the field; `INPUT_TOO_LONG`; `INVALID_CONFIGURATION`
                or `INVALID_PROMPT` if the schema or the template itself fails. No other exception, for any type.
        """
        values = self._checked(job_input)
        if OTHER_FIELDS not in self._fields:
            values[OTHER_FIELDS] = {name: value for name, value in values.items() if name not in self._fields}
        system = render(self._system_prompt, values, self.name) if self._system_prompt else None
        return Prompt(system=system, user=render(self._prompt, values, self.name))

    def _checked(self, job_input: Mapping[str, Any]) -> dict[str, Any]:
        try:
            values = copy.deepcopy(dict(job_input))
            self._validate(values)
        except fastjsonschema.JsonSchemaValueException as error:
            field = ".".join(["input", *(str(step) for step in error.path[1:])])
            raise _invalid_input(error, field) from None
        except RecursionError:
            raise JobError("INVALID_INPUT", "The input is nested too deeply.", "input") from None
        except OverflowError:
            raise JobError("INVALID_INPUT", "The input has a number that is too large to validate.", "input") from None
        except Exception as error:  # noqa: BLE001  # generated code can raise anything
            raise JobError(
                "INVALID_CONFIGURATION",
                f"The input schema of job type {shown(self.name)} can't be applied ({type(error).__name__}).",
            ) from None
        return values


def _invalid_input(error: fastjsonschema.JsonSchemaValueException, parent: str) -> JobError:
    """Name the field itself where fastjsonschema names only the object that lacks it, or must not have it."""
    if error.rule == "required":
        missing = next(name for name in error.rule_definition if name not in error.value)
        return JobError("INVALID_INPUT", f"{parent}.{missing} is missing. It is required.", f"{parent}.{missing}")
    if error.rule == "additionalProperties":
        known = error.definition.get("properties", {})
        extra = next((name for name in error.value if name not in known), "")[:100]
        return JobError(
            "INVALID_INPUT",
            f"{parent}.{extra} is not a field of this job type. Its fields are: {', '.join(sorted(known)) or 'none'}.",
            f"{parent}.{extra}",
        )
    if error.rule == "anyOf" and all(list(one) == ["required"] for one in error.rule_definition):
        needed = [" and ".join(one["required"]) for one in error.rule_definition]
        message = f"{parent} must have at least one of these: {', '.join(needed)}."
        return JobError("INVALID_INPUT", message, f"{parent}.{error.rule_definition[0]['required'][0]}")
    if error.rule == "enum":
        # The error's own message has the values in Python's notation.
        message = f"{error.name} must be one of {shown(error.rule_definition)}."
        return JobError("INVALID_INPUT", message, parent)
    return JobError("INVALID_INPUT", f"{error.message}.", parent)


@dataclass(frozen=True)
class JobTypes:
    """All configured job types, from one configuration document.

    Attributes:
        version: the document's version; each job's row keeps it.
    """

    version: str
    _by_name: Mapping[str, JobType | JobError]

    def get(self, name: str) -> JobType:
        """The job type of this name.

        Raises:
            JobError: `UNKNOWN_JOB_TYPE`, or `INVALID_CONFIGURATION` if this type is broken.
        """
        found = self._by_name.get(name)
        if found is None:
            problem = f"jobType {shown(name)} is not configured. Use one of: {', '.join(self.names)}."
            raise JobError("UNKNOWN_JOB_TYPE", problem, "jobType")
        if isinstance(found, JobError):
            raise JobError(found.code, found.message)
        return found

    @property
    def names(self) -> list[str]:
        """All of them, including the broken ones, sorted."""
        return sorted(self._by_name)

    @property
    def broken(self) -> Mapping[str, JobError]:
        """What is wrong with the types that can't be used, by name."""
        return {name: found for name, found in self._by_name.items() if isinstance(found, JobError)}

    @classmethod
    def from_document(cls, content: bytes | str) -> JobTypes:
        """Read the document that modules/job-types writes.

        A broken type affects only its own jobs: see `broken`.

        Raises:
            JobError: `INVALID_CONFIGURATION` if the document as a whole can't be used.
        """
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise JobError("INVALID_CONFIGURATION", f"The job type configuration can't be read ({reason}).") from None
        types = document.get("jobTypes") if isinstance(document, dict) else None
        if not isinstance(types, dict) or not types or "version" not in document:
            raise JobError("INVALID_CONFIGURATION", "The job type configuration must have a version and jobTypes.")
        version = str(document["version"])
        return cls(version=version, _by_name={name: _read_or_error(name, value) for name, value in types.items()})


def _read_or_error(name: str, document: Any) -> JobType | JobError:
    try:
        return _read(name, document)
    except MisconfiguredError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001  # the other types must keep working
        reason = f"{type(error).__name__}: {error}."
    return JobError("INVALID_CONFIGURATION", f"Job type {shown(name)} is misconfigured. {reason}")


def _read(name: str, document: Any) -> JobType:
    if not isinstance(document, dict):
        raise MisconfiguredError(f"jobTypes.{name}", f"It is {shown(document)}. It must be a JSON object.")
    system_prompt = document.get("systemPrompt")
    schema: Any = document.get("inputSchema")
    return JobType(
        name=name,
        model_id=_text(document, "modelId"),
        max_tokens=_whole_number(document, "maxTokens", MAX_TOKENS),
        timeout_seconds=_whole_number(document, "timeoutSeconds", MAX_TIMEOUT_SECONDS),
        temperature=_temperature(document),
        guardrail=_guardrail(document.get("guardrail")),
        _validate=compile_schema(schema, "inputSchema"),
        _fields=frozenset(schema.get("properties", ())),
        _prompt=compile_prompt(document.get("prompt"), "prompt"),
        _system_prompt=compile_prompt(system_prompt, "systemPrompt") if system_prompt else None,
    )


def _text(document: Mapping[str, Any], field: str, within: str = "") -> str:
    value = document.get(field)
    if not isinstance(value, str) or not value:
        raise MisconfiguredError(f"{within}{field}", f"It is {shown(value)}. It must be a non-empty string.")
    return value


def _whole_number(document: Mapping[str, Any], field: str, maximum: int) -> int:
    value = document.get(field)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= maximum:
        raise MisconfiguredError(field, f"It is {shown(value)}. It must be a whole number from 1 to {maximum}.")
    return value


def _temperature(document: Mapping[str, Any]) -> float | None:
    value = document.get("temperature")
    if value is None:
        return None
    limit = LIMITS["model_temperature"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not limit.min <= value <= limit.max:
        rule = f"It must be a number from {limit.min} to {limit.max}."
        problem = f"It is {shown(value)}. {rule} Omit it to use the model's default."
        raise MisconfiguredError("temperature", problem)
    return value


def _guardrail(document: Any) -> Guardrail | None:
    if document is None:
        return None
    if not isinstance(document, dict):
        raise MisconfiguredError("guardrail", f"It is {shown(document)}. It must be an object with id and version.")
    return Guardrail(_text(document, "id", "guardrail."), _text(document, "version", "guardrail."))
