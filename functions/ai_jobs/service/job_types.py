"""All job types: what the platform team configured, as one document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ai_jobs.contract.errors import JobError, MisconfiguredError, shown
from ai_jobs.service.job_type import JobType
from ai_jobs.service.job_type_document import read_job_type


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
    def usable(self) -> list[JobType]:
        """Those that are not broken."""
        return [found for found in self._by_name.values() if isinstance(found, JobType)]

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
        return read_job_type(name, document)
    except MisconfiguredError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001  # the other types must keep working
        reason = f"{type(error).__name__}: {error}."
    return JobError("INVALID_CONFIGURATION", f"Job type {shown(name)} is misconfigured. {reason}")
