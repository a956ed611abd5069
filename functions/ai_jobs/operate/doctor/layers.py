"""The processor's layers, which have the handlers of job types: are they there, and for the function's runtime?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ai_jobs.aws.clients import get_lambda_client
from ai_jobs.aws.errors import CALL_ERRORS, code_of
from ai_jobs.operate.doctor.findings import APPLY, NOT_THERE, Finding, State, Subject, made
from ai_jobs.operate.doctor.job_types import usable_types

_NAME = "processor's layers"


def check_layers(subject: Subject) -> Iterator[Finding]:
    """Does each layer of the processor exist, does it fit the function, and is there one where a type has a handler?"""
    configuration = subject.function("processor")
    layers = [layer["Arn"] for layer in configuration.get("Layers", [])]
    for arn in layers:
        name = f"layer {':'.join(arn.split(':')[-2:])}"
        yield from made(name, _layer(name, arn, configuration))
    if not layers:
        yield from made(_NAME, _missing(subject))


def _missing(subject: Subject) -> Iterator[Finding]:
    with_handler = sorted(name for name, job_type in usable_types(subject).items() if job_type.get("handler"))
    if with_handler:
        found = f"there are none, but these job types have a handler: {', '.join(with_handler)}"
        yield Finding(_NAME, State.FAILED, found, APPLY)


def _layer(name: str, arn: str, function: Mapping[str, Any]) -> Iterator[Finding]:
    try:
        version: Any = get_lambda_client().get_layer_version_by_arn(Arn=arn)
    except CALL_ERRORS as error:
        if code_of(error) not in NOT_THERE:
            raise
        found = "has been deleted: the processor still runs with it, but the next change of the function fails"
        yield Finding(name, State.FAILED, found, "put a new version into processor.layers, and run terraform apply")
        return
    made_for = {
        "Python": (version.get("CompatibleRuntimes"), function.get("Runtime")),
        "architecture": (version.get("CompatibleArchitectures"), *function.get("Architectures", ["arm64"])),
    }
    unfit = [
        f"{what} {', '.join(fits)}, not {its}" for what, (fits, its) in made_for.items() if fits and its not in fits
    ]
    if unfit:
        advice = "build the layer for the processor, put the new version into processor.layers, and run terraform apply"
        yield Finding(name, State.WARNING, f"was made for {' and '.join(unfit)}", advice)
    else:
        yield Finding(name, State.OK, "exists, and fits the function")
