"""A version of a job type: as it is written, as workers use it, and as a person reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ai_jobs.service.job_type import JobType
from ai_jobs.service.job_type_document import read_job_type


@dataclass(frozen=True)
class TypeVersion:
    """One version of a job type.

    Attributes:
        origin: what messages call the place that it comes from.
        document: the type as it is written in the job type document.
        job_type: the type as the workers use it.
    """

    origin: str
    document: Mapping[str, Any]
    job_type: JobType

    def with_model(self, model_id: str | None) -> TypeVersion:
        """The version that calls only this model; None for the models that it has.

        Raises:
            MisconfiguredError: if it can't be the id of a model.
        """
        if model_id is None:
            return self
        document = {name: value for name, value in self.document.items() if name != "fallbackModelIds"}
        document["modelId"] = model_id
        return TypeVersion(f"{self.origin}, with {model_id}", document, read_job_type(self.job_type.name, document))

    def lines(self) -> list[str]:
        """All of it, for people: settings first, then prompts and schemas, each below its name."""
        return described(self.document)


def described(document: Any) -> list[str]:
    """A job type of a job type document in lines: settings first, then prompts and schemas, each below its name."""
    if not isinstance(document, Mapping):
        return [json.dumps(document, ensure_ascii=False)]
    long = {name: lines for name, value in document.items() if (lines := _long(name, value))}
    settings = {name: _short(value) for name, value in document.items() if name not in long}
    width = max(map(len, settings), default=0)
    return [*(f"{name:{width}}  {value}" for name, value in settings.items()), *_sections(long)]


def _sections(long: Mapping[str, list[str]]) -> Iterator[str]:
    for name, lines in long.items():
        yield from ("", f"{name}:", *(f"  {line}".rstrip() for line in lines))


def _long(name: str, value: Any) -> list[str]:
    """The lines of what does not fit on one; empty if it does."""
    if isinstance(value, str) and (name.lower().endswith("prompt") or "\n" in value):
        return value.splitlines()
    if isinstance(value, dict) and name.endswith("Schema"):
        return json.dumps(value, indent=2, ensure_ascii=False).splitlines()
    return []


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
