"""`ai-jobs types try`: one input, run as a worker would run it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ai_jobs.cli.output import json_option, print_fields, print_json, say
from ai_jobs.cli.types.options import (
    attach_option,
    check_standard_input,
    from_option,
    input_option,
    price_option,
    prices_from,
    read_files,
    read_input,
    rejected_input,
)
from ai_jobs.cli.types.sources import read_types

if TYPE_CHECKING:
    from ai_jobs.cli.environment import Source
    from ai_jobs.contract.errors import JobError
    from ai_jobs.operate.trials import Trial


@click.command("try", short_help="Run an input as a worker would, and print the answer and its cost.")
@click.argument("name", metavar="TYPE")
@input_option
@attach_option
@from_option
@click.option("--model", "model_id", metavar="MODEL", help="Call this model, and no other, instead of the type's own.")
@price_option
@json_option
@click.pass_obj
def try_type(
    environment: Source,
    name: str,
    input_file: Path,
    attached: tuple[Path, ...],
    source: Path | None,
    model_id: str | None,
    given_prices: dict[str, tuple[float, float]],
    as_json: bool,
) -> None:
    """Run an input as a worker would, and print the answer, its tokens, latency, and cost.

    The command calls the model with your own credentials, and costs what a job costs: usually one call, or more if the
    answer breaks the output schema and is corrected. A busy model is tried again, up to six times. Nothing is stored.
    """
    # Imported here: the help does not need boto3.
    from ai_jobs.operate.trials import try_input

    check_standard_input(("--from", source), ("--input", input_file))
    loaded = environment.load()
    version = read_types(source, lambda: loaded).version(name).with_model(model_id)
    document, files = read_input(input_file), read_files(attached)
    trial = try_input(version.job_type, document, prices_from(loaded, given_prices), files, _pause)
    if trial.calls or as_json:
        _print(name, trial, as_json)
    if trial.error:
        is_rejected = trial.error.code == "INVALID_INPUT"
        raise rejected_input(input_file, document, trial.error) if is_rejected else trial.error


def _pause(error: JobError, seconds: int) -> None:
    say(f"{error.message} Trying again in {seconds} s ...")
    time.sleep(seconds)


def _print(name: str, trial: Trial, as_json: bool) -> None:
    if as_json:
        print_json({"jobType": name} | trial.to_document())
        return
    print_fields(_fields(trial), trial.written())


def _fields(trial: Trial) -> dict[str, Any]:
    from ai_jobs.operate.comparison_report import dollars

    usage = trial.usage
    cached = f", {usage.cache_read_tokens} from the cache, {usage.cache_write_tokens} to it"
    has_cached = usage.cache_read_tokens or usage.cache_write_tokens
    answer = trial.answer
    return {
        "model": answer.model if answer else "-",
        "tier": (answer.service_tier if answer else None) or "-",
        "calls": trial.calls,
        "tokens": f"{usage.input_tokens} in, {usage.output_tokens} out{cached if has_cached else ''}",
        "latency": f"{trial.seconds:.2f} s",
        "cost": dollars(trial.cost) if trial.cost is not None else "not known: pass --price MODEL=INPUT,OUTPUT",
        "output": _kind(trial),
    }


def _kind(trial: Trial) -> str:
    if trial.result is None:
        return "rejected"
    if trial.result.json is not None:
        return "JSON, valid"
    return "text, cut off at max_tokens" if trial.result.truncated else "text"
