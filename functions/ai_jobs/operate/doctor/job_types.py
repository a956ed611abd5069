"""The job types: is the newest version deployed, and can the functions use it?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from ai_jobs.aws.clients import get_appconfig_client
from ai_jobs.contract.errors import JobError
from ai_jobs.operate.doctor.findings import APPLY, Finding, NotCheckedError, State, Subject
from ai_jobs.service.job_types import JobTypes

_NAME = "job types"
_IN_PROGRESS = ("BAKING", "VALIDATING", "DEPLOYING", "ROLLING_BACK")


def check_job_types(subject: Subject) -> Iterator[Finding]:
    """Is the newest version deployed, does each job type compile, and are they the ones that Terraform set?"""
    document = _document(subject)
    deployed = document["deployedVersion"]
    latest = _latest_version(subject, deployed)
    yield from _deployment(subject, deployed, latest)
    try:
        types = _compiled(document)
    except ValueError as error:
        yield Finding(_NAME, State.FAILED, f"version {deployed} can't be used: {error}", APPLY)
        return
    advice = f"fix the job type, try it with `{subject.command} types check`, and run terraform apply"
    for broken, problem in sorted(types.broken.items()):
        yield Finding(f"job type {broken}", State.FAILED, f"all its jobs fail: {problem.message}", advice)
    expected = subject.outputs.get("job_types") or types.names
    if set(expected) != set(types.names):
        found = f"version {deployed} has {', '.join(types.names)}, but Terraform set {', '.join(sorted(expected))}"
        yield Finding(_NAME, State.FAILED, found, APPLY)
    elif latest == deployed and not types.broken:
        yield Finding(_NAME, State.OK, f"version {deployed} is the latest, and deployed: {', '.join(types.names)}")


def usable_types(subject: Subject) -> dict[str, Any]:
    """The job types that the functions can use, as the deployed document has them."""
    document = _document(subject)
    try:
        broken = _compiled(document).broken
    except ValueError:
        raise NotCheckedError("the job types can't be used (see that finding)") from None
    types = json.loads(document["content"])["jobTypes"]
    return {name: job_type for name, job_type in types.items() if name not in broken}


def _document(subject: Subject) -> dict[str, Any]:
    """The deployed configuration document, and its AppConfig version as `deployedVersion`."""
    return subject.once(_NAME, partial(_read_document, subject))


def _read_document(subject: Subject) -> dict[str, Any]:
    deployed = next((item for item in _deployments(subject) if item["State"] == "COMPLETE"), None)
    if deployed is None:
        raise NotCheckedError("nothing is deployed yet", APPLY)
    version = int(deployed["ConfigurationVersion"])
    answer = get_appconfig_client().get_hosted_configuration_version(**_profile(subject), VersionNumber=version)
    return {"deployedVersion": version, "content": answer["Content"].read()}


def _deployments(subject: Subject) -> list[Any]:
    """The deployments of the job types' profile, newest first."""
    application, environment = subject.need("config_application_id"), subject.need("config_environment_id")
    pages = get_appconfig_client().get_paginator("list_deployments")
    found = [
        deployment
        for page in pages.paginate(ApplicationId=application, EnvironmentId=environment)
        for deployment in page["Items"]
        # Some services omit the profile; the module's environment has only one.
        if deployment.get("ConfigurationProfileId") in (None, subject.need("config_profile_id"))
    ]
    return sorted(found, key=lambda deployment: int(deployment["DeploymentNumber"]), reverse=True)


def _latest_version(subject: Subject, deployed: int) -> int:
    versions = get_appconfig_client().get_paginator("list_hosted_configuration_versions")
    pages = versions.paginate(**_profile(subject))
    return max((item["VersionNumber"] for page in pages for item in page["Items"]), default=deployed)


def _profile(subject: Subject) -> dict[str, Any]:
    return {
        "ApplicationId": subject.need("config_application_id"),
        "ConfigurationProfileId": subject.need("config_profile_id"),
    }


def _deployment(subject: Subject, deployed: int, latest: int) -> Iterator[Finding]:
    newest = _deployments(subject)[0]
    state = newest["State"].lower()
    if newest["State"] in _IN_PROGRESS:
        found = f"the deployment of version {newest['ConfigurationVersion']} is in progress ({state})"
        yield Finding(_NAME, State.WARNING, found, "check again in a minute")
    elif latest != deployed:
        found = f"version {deployed} is deployed, but version {latest} exists (last deployment: {state})"
        advice = "run terraform apply to deploy it; if it was rolled back, find out why first"
        yield Finding(_NAME, State.FAILED, found, advice)


def _compiled(document: Mapping[str, Any]) -> JobTypes:
    """The job types as the functions read them. Raises ValueError, with the reason, if they can't use any."""
    try:
        return JobTypes.from_document(document["content"])
    except JobError as error:
        raise ValueError(error.message) from error
