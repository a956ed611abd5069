"""Where job types come from: a job type document, a plan, or what is deployed."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ai_jobs.cli.exits import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ai_jobs.cli.environment import Environment
    from ai_jobs.operate.type_version import TypeVersion
    from ai_jobs.service.job_type import JobType
    from ai_jobs.service.job_types import JobTypes

_VERSION = "aws_appconfig_hosted_configuration_version"

_TYPES_AT_PLAN = "job_types_at_plan"
"""The module's own resource of the job types without what a plan can't know: the ARNs of new inference profiles."""

_ADVICE = "Pass the output of `terraform show -json PLANFILE`, or a job type document."


@dataclass(frozen=True)
class TypesDocument:
    """All job types of one document.

    Attributes:
        origin: what messages call the place that it comes from.
        compiled: the types as the workers see them.
    """

    origin: str
    content: str
    compiled: JobTypes

    @property
    def documents(self) -> dict[str, Any]:
        """The types as they are written, by name."""
        found: dict[str, Any] = json.loads(self.content)["jobTypes"]
        return found

    def get(self, name: str) -> JobType:
        """The job type of this name. Raises a Problem if there is none, or if it is broken."""
        from ai_jobs.contract.errors import JobError

        try:
            return self.compiled.get(name)
        except JobError as error:
            raise Problem(f"{self.origin}: {error.message}") from None

    def document_of(self, name: str) -> Any:
        """The job type of this name as it is written, even if it is broken. Raises a Problem if there is none."""
        if name not in self.compiled.names:
            self.get(name)
        return json.loads(self.content)["jobTypes"][name]

    def version(self, name: str) -> TypeVersion:
        """The job type of this name. Raises a Problem if it can't be tried, because it has a handler."""
        from ai_jobs.operate.type_version import TypeVersion

        job_type = self.get(name)
        if job_type.handler:
            raise Problem(
                f"{self.origin}: job type {name} has no prompt, but a handler ({job_type.handler}), and this command "
                "does not run handlers. Test it with ai_jobs.testing, which needs no AWS."
            )
        return TypeVersion(self.origin, self.document_of(name), job_type)


def read_types(file: Path | None, load: Callable[[], Environment]) -> TypesDocument:
    """The job types in a file (`-` is standard input), or the deployed ones if there is no file.

    Args:
        load: reads the environment; called only if there is no file, because that can take seconds.

    Raises:
        Problem: if there are none, or the document as a whole can't be used.
    """
    if file is None:
        environment = load()
        return _document(environment.name, deployed_content(environment))
    text = text_of(file)
    document = parsed(text, file)
    if "jobTypes" in document:
        return _document(str(file), text)
    return _document(str(file), _only_content(document, file))


def _document(origin: str, content: str) -> TypesDocument:
    from ai_jobs.contract.errors import JobError
    from ai_jobs.service.job_types import JobTypes

    try:
        return TypesDocument(origin, content, JobTypes.from_document(content))
    except JobError as error:
        raise Problem(f"{origin}: {error.message}") from None


def _only_content(plan: Mapping[str, Any], file: Path) -> str:
    contents = dict(planned_contents(plan))
    if not contents:
        raise no_types_in(file)
    if len(contents) > 1:
        raise Problem(f"{file} has the job types of {', '.join(sorted(contents))}. Pass a plan with only one of them.")
    (content,) = contents.values()
    if content is None:
        reason = "its job types are not known before the apply"
        raise Problem(f"{file}: {reason}. Pass a job type document.")
    return content


def no_types_in(file: Path) -> Problem:
    """The Problem of a file of something else."""
    return Problem(f"{file} has no jobTypes. {_ADVICE}")


def planned_contents(plan: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """The job type documents of a plan (or a state) as `terraform show -json` prints it.

    Yields:
        The address of each, and its content: without the ARNs of inference profiles if one of them is not known before
        the apply, and None if something else is not.
    """
    root = root_module(plan)
    known = {resource["address"]: resource["values"].get("input") for resource in _resources(root, "terraform_data")}
    for resource in resources_of_types(root):
        content = resource["values"].get("content")
        if content is None or '"jobTypes"' in content:
            module = resource["address"].rpartition(f"{_VERSION}.")[0]
            yield resource["address"], content or known.get(f"{module}terraform_data.{_TYPES_AT_PLAN}")


def root_module(plan: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a plan plans, or what a state has, sensitive values included."""
    root: Mapping[str, Any] = plan.get("planned_values", plan.get("values", {})).get("root_module", {})
    return root


def resources_of_types(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The resources in a module, at any depth, that may be job type documents."""
    return _resources(module, _VERSION)


def _resources(module: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    yield from (resource for resource in module.get("resources", ()) if resource["type"] == kind)
    for child in module.get("child_modules", ()):
        yield from _resources(child, kind)


def deployed_content(environment: Environment) -> str:
    """The document that the workers read, from where they read it."""
    from ai_jobs.aws.clients import get_appconfigdata_client

    client = get_appconfigdata_client()
    token = client.start_configuration_session(
        ApplicationIdentifier=environment.need("config_application_id"),
        EnvironmentIdentifier=environment.need("config_environment_id"),
        ConfigurationProfileIdentifier=environment.need("config_profile_id"),
    )["InitialConfigurationToken"]
    content = client.get_latest_configuration(ConfigurationToken=token)["Configuration"].read()
    if not content:
        raise Problem(f"{environment.name} has no job types: nothing is deployed yet. Run terraform apply.")
    return content.decode()


def text_of(file: Path) -> str:
    """What is in a file; `-` is standard input. Raises a Problem if it is not text."""
    if str(file) == "-":
        return sys.stdin.read()
    content = file.read_bytes()
    if content.startswith(b"PK"):
        raise Problem(f"{file} is a saved plan. Run: terraform show -json {file}, and pass what it prints.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(f"{file} is not UTF-8 ({error}).") from None


def parsed(text: str, file: Path) -> dict[str, Any]:
    """The JSON object in a file of job types, whatever it is about. Raises a Problem if there is none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Problem(f"{file} is not JSON ({error}). {_ADVICE}") from None
    if not isinstance(document, dict):
        raise Problem(f"{file} is neither a plan nor a job type document: it is not a JSON object. {_ADVICE}")
    return document


def is_plan(document: Mapping[str, Any]) -> bool:
    """Is it what `terraform show -json` prints?"""
    return "planned_values" in document or "values" in document
