"""Job types: what the platform team configured, how an input is checked against it, and how its prompt is rendered."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import fastjsonschema
from aws_lambda_powertools import Logger
from jinja2 import StrictUndefined, Template, TemplateError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ai_jobs.errors import JobError

logger = Logger()

_DRAFT_04 = "http://json-schema.org/draft-04/schema#"

_UNDEFINED_NAME = re.compile(r"'([^']+)' is undefined|has no attribute '([^']+)'")


def _template_environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    # Jinja's own `range`, `dict`, `lipsum` would stand in for an input field of that name that is missing.
    environment.globals.clear()
    return environment


_TEMPLATES = _template_environment()


@dataclass(frozen=True)
class Guardrail:
    """A Bedrock guardrail, by id (or ARN) and version."""

    id: str
    version: str


@dataclass(frozen=True)
class Prompt:
    """A rendered prompt: what the model is told to be, and what it is asked."""

    system: str | None
    user: str


@dataclass(frozen=True)
class JobType:
    """One configured job type; `prepare` turns an input into a prompt.

    Attributes:
        max_tokens: the most that the model may write.
        temperature: None leaves it to the model (some refuse the parameter).
        timeout_seconds: how long one model call may take.
    """

    name: str
    model_id: str
    max_tokens: int
    timeout_seconds: int
    temperature: float | None
    guardrail: Guardrail | None
    _validate: Callable[[Any], Any]
    _prompt: Template
    _system_prompt: Template | None

    def prepare(self, job_input: Mapping[str, Any]) -> Prompt:
        """Check the input against the type's schema, fill in the schema's defaults, and render the prompts.

        Raises:
            JobError: `INVALID_INPUT` or `UNDEFINED_FIELD`, naming the field; `INVALID_PROMPT` when the template
                itself fails.
        """
        values = self._checked(job_input)
        system = _render(self._system_prompt, values, self.name) if self._system_prompt else None
        return Prompt(system=system, user=_render(self._prompt, values, self.name))

    def _checked(self, job_input: Mapping[str, Any]) -> dict[str, Any]:
        try:
            values = copy.deepcopy(dict(job_input))
            self._validate(values)
        except RecursionError:
            raise JobError("INVALID_INPUT", "the input is nested too deeply", "input") from None
        except fastjsonschema.JsonSchemaValueException as error:
            field = ".".join(["input", *(str(step) for step in error.path[1:])])
            raise _invalid_input(error, field) from None
        return values


def _invalid_input(error: fastjsonschema.JsonSchemaValueException, parent: str) -> JobError:
    """Names the field itself where fastjsonschema names only the object that lacks it, or has it too much."""
    if error.rule == "required":
        missing = next(name for name in error.rule_definition if name not in error.value)
        return JobError("INVALID_INPUT", f"{parent}.{missing} is missing", f"{parent}.{missing}")
    if error.rule == "additionalProperties":
        known = error.definition.get("properties", {})
        extra = next((name for name in error.value if name not in known), "")[:100]
        return JobError(
            "INVALID_INPUT",
            f"{parent}.{extra} is not a field of this job type; there are: {', '.join(sorted(known)) or 'none'}",
            f"{parent}.{extra}",
        )
    return JobError("INVALID_INPUT", error.message, parent)


def _render(template: Template, values: Mapping[str, Any], job_type: str) -> str:
    try:
        return template.render(values)
    except UndefinedError as error:
        names = _UNDEFINED_NAME.search(error.message or "")
        name = (names.group(1) or names.group(2)) if names else None
        raise JobError(
            "UNDEFINED_FIELD",
            f"the prompt of job type {job_type!r} uses a field that the input does not have: {name or 'unknown'}",
            f"input.{name}" if name else "input",
        ) from None
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as error:
        # A template can fail in as many ways as an expression can; Jinja passes these on as they are.
        raise JobError(
            "INVALID_PROMPT", f"the prompt of job type {job_type!r} can't be rendered ({type(error).__name__})"
        ) from None


@dataclass(frozen=True)
class JobTypes:
    """All configured job types, as one configuration document gave them.

    Attributes:
        version: the document's version; kept on each job's row.
    """

    version: str
    _by_name: Mapping[str, JobType | JobError]

    def get(self, name: str) -> JobType:
        """The job type of this name.

        Raises:
            JobError: `UNKNOWN_JOB_TYPE`, or `INVALID_CONFIGURATION` when this one type is broken.
        """
        found = self._by_name.get(name)
        if found is None:
            known = ", ".join(sorted(self._by_name)) or "none"
            raise JobError("UNKNOWN_JOB_TYPE", f"jobType {name!r} is not configured; there are: {known}", "jobType")
        if isinstance(found, JobError):
            raise JobError(found.code, found.message)
        return found

    @classmethod
    def from_document(cls, content: bytes | str) -> JobTypes:
        """Read the document that modules/job-types writes.

        A type that is broken (a bad template or schema) breaks only its own jobs.

        Raises:
            JobError: `INVALID_CONFIGURATION` when the document as a whole can't be used.
        """
        try:
            document = json.loads(content)
            version, types = str(document["version"]), dict(document["jobTypes"])
        except (ValueError, TypeError, KeyError) as error:
            raise _bad_configuration("the job type configuration can't be read", error) from None
        return cls(version=version, _by_name={name: _read_or_error(name, value) for name, value in types.items()})


def _bad_configuration(what: str, error: Exception) -> JobError:
    return JobError("INVALID_CONFIGURATION", f"{what} ({type(error).__name__}: {error})")


_BROKEN = (TemplateError, fastjsonschema.JsonSchemaException, ValueError, TypeError, KeyError, AttributeError)


def _read_or_error(name: str, document: Any) -> JobType | JobError:
    try:
        return _read(name, document)
    except _BROKEN as error:
        logger.error("job type is misconfigured", extra={"jobType": name, "exceptionType": type(error).__name__})
        return _bad_configuration(f"job type {name!r} is misconfigured", error)


def _read(name: str, document: Any) -> JobType:
    guardrail = document.get("guardrail")
    system_prompt = document.get("systemPrompt")
    return JobType(
        name=name,
        model_id=document["modelId"],
        max_tokens=int(document["maxTokens"]),
        timeout_seconds=int(document["timeoutSeconds"]),
        temperature=document.get("temperature"),
        guardrail=Guardrail(guardrail["id"], guardrail["version"]) if guardrail else None,
        _validate=_compile_schema(document["inputSchema"]),
        _prompt=_TEMPLATES.from_string(document["prompt"]),
        _system_prompt=_TEMPLATES.from_string(system_prompt) if system_prompt else None,
    )


def _compile_schema(schema: dict[str, Any]) -> Callable[[Any], Any]:
    validate = fastjsonschema.compile(
        # fastjsonschema takes draft-07 where the schema names no draft; ours are draft-04, as API Gateway's are.
        {"$schema": _DRAFT_04, **schema},
        # A schema is configuration: it must not make a worker fetch documents from the network.
        handlers={"http": _refuse_reference, "https": _refuse_reference},
    )
    return lambda values: validate(values, name_prefix="input")


def _refuse_reference(uri: str) -> NoReturn:
    raise ValueError(f"the schema refers to {uri}: only references within the schema are allowed")
