"""The functions: do they run, and do they run the code that Terraform deployed? The reconciler's schedule as well."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ai_jobs.aws.clients import get_scheduler_client
from ai_jobs.contract import variables
from ai_jobs.operate.doctor.findings import APPLY, Finding, State, Subject

FUNCTIONS = ("processor", "result handler", "jobs API", "reconciler")
"""The functions that every environment has."""

# What modules/function puts after the release.
_ZIP_DIGITS = re.compile("[0-9a-f]{12}")


def check_function(name: str, subject: Subject) -> Iterator[Finding]:
    """Is the function active, and is its code the one that Terraform deployed?"""
    configuration = subject.function(name)
    state, update = configuration.get("State"), configuration.get("LastUpdateStatus")
    if state == "Failed" or update == "Failed":
        why = configuration.get("StateReason") or configuration.get("LastUpdateStatusReason") or "no reason given"
        yield Finding(name, State.FAILED, f"state {state}, last update {update}: {why}", APPLY)
    elif state != "Active" or update != "Successful":
        advice = "check again in a minute; a function that was idle for a long time wakes up with its next invocation"
        yield Finding(name, State.WARNING, f"state {state}, last update {update}", advice)
    else:
        build = _build_of(configuration)
        found = f"active; build {build}, timeout {configuration['Timeout']} s, {configuration['MemorySize']} MB"
        yield _foreign_build(name, configuration, subject) or Finding(name, State.OK, found)


def _build_of(configuration: Mapping[str, Any]) -> str:
    """Which code Terraform deployed to a function: the release, and digits that identify its zip."""
    return str(configuration.get("Environment", {}).get("Variables", {}).get(variables.BUILD, "unknown"))


def _foreign_build(name: str, configuration: Mapping[str, Any], subject: Subject) -> Finding | None:
    """A warning if the function runs code that Terraform did not deploy."""
    build = _build_of(configuration)
    expected = (subject.outputs.get("builds") or {}).get(name.lower().replace(" ", "_"), build)
    if build != expected:
        return Finding(name, State.WARNING, f"runs build {build}, but Terraform's outputs name {expected}", APPLY)
    running = base64.b64decode(configuration.get("CodeSha256", "")).hex()
    zip_digits = build.rpartition("+")[2]
    if running and _ZIP_DIGITS.fullmatch(zip_digits) and not running.startswith(zip_digits):
        found = f"runs code with SHA-256 {running[:12]}, not build {build}: someone replaced it by hand"
        return Finding(name, State.WARNING, found, APPLY)
    return None


def check_builds(subject: Subject) -> Iterator[Finding]:
    """Do all functions run the same release?"""
    functions = {function: _build_of(subject.function(function)) for function in FUNCTIONS}
    releases = sorted({build.partition("+")[0] for build in functions.values()})
    if len(releases) > 1:
        each = ", ".join(f"{function} {build}" for function, build in functions.items())
        yield Finding("builds", State.WARNING, f"the functions run different releases: {each}", APPLY)
    else:
        yield Finding("builds", State.OK, f"all functions run release {releases[0]}")


def check_schedule(subject: Subject) -> Iterator[Finding]:
    """Does the schedule start the reconciler?"""
    name = "reconciler's schedule"
    function_name = subject.function_name("reconciler")
    # The module gives both the same name (modules/ai-jobs/names.tf).
    schedule = get_scheduler_client().get_schedule(Name=function_name)
    target = schedule["Target"]["Arn"]
    if target.rpartition(":function:")[2] != function_name:
        yield Finding(name, State.FAILED, f"runs {target}, not the reconciler", APPLY)
    elif schedule["State"] != "ENABLED":
        found = "disabled: a job stays open if its worker crashed"
        yield Finding(name, State.FAILED, found, "set reconciler.enabled = true, and run terraform apply")
    else:
        yield Finding(name, State.OK, f"enabled, {schedule['ScheduleExpression']}")
