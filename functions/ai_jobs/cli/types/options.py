"""Options that several subcommands of `types` have, and what is read from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ai_jobs.cli.environment import VARIABLES
from ai_jobs.cli.exits import Problem
from ai_jobs.cli.numbers import read_number
from ai_jobs.cli.types.sources import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ai_jobs.cli.environment import Environment
    from ai_jobs.contract.errors import JobError
    from ai_jobs.operate.tried_files import TriedFile
    from ai_jobs.service.model_prices import ModelPrice

FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)

from_option = click.option(
    "--from",
    "source",
    type=FILE,
    metavar="FILE",
    help="Where the job types are: a job type document, or the output of `terraform show -json`; - is standard input. "
    "Without it, they are the deployed ones.",
)

input_option = click.option(
    "--input",
    "input_file",
    type=FILE,
    required=True,
    metavar="FILE",
    help="The input: a JSON object, as in a job's `input`; - is standard input.",
)

attach_option = click.option(
    "--attach",
    "attached",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A file that goes with the input, in the order given. Repeatable.",
)


def _price(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    return dict(_one_price(text) for text in texts)


def _one_price(text: str) -> tuple[str, tuple[float, float]]:
    model_id, _, amounts = text.rpartition("=")
    numbers = [read_number(amount) for amount in amounts.split(",")]
    if not model_id or len(numbers) != 2 or not all(number is not None and number >= 0 for number in numbers):
        rule = "pass MODEL=INPUT,OUTPUT in US dollars per million tokens, such as amazon.nova-lite-v1:0=0.06,0.24"
        raise click.BadParameter(f"{text!r} is not a model's price: {rule}")
    return model_id, (numbers[0] or 0.0, numbers[1] or 0.0)


price_option = click.option(
    "--price",
    "given_prices",
    callback=_price,
    multiple=True,
    metavar="MODEL=INPUT,OUTPUT",
    help="What a model costs, in US dollars per million tokens, instead of the environment's model_prices. Repeatable.",
)


def check_standard_input(*files: tuple[str, Path | None]) -> None:
    """Raise UsageError if several options are to read standard input."""
    users = [option for option, file in files if str(file) == "-"]
    if len(users) > 1:
        raise click.UsageError(f"{' and '.join(users)} can't both be standard input: pass a file for one of them")


def read_input(file: Path) -> dict[str, Any]:
    """The input in a file. Raises a Problem, naming the file, if there is none."""
    from ai_jobs.contract.body import checked_json, json_kind
    from ai_jobs.contract.documents import from_json
    from ai_jobs.contract.errors import JobError

    try:
        document = from_json(text_of(file))
        if isinstance(document, dict):
            checked_json(document, "input")
            return document
    except JobError as error:
        raise Problem(f"{file}: {error.message}") from None
    except (ValueError, RecursionError) as error:
        raise Problem(f"{file} is not JSON ({error}). An input is a JSON object, as in a job's `input`.") from None
    raise Problem(f"{file} is a JSON {json_kind(document)}. An input must be an object, as in a job's `input`.")


def read_files(paths: Iterable[Path]) -> tuple[TriedFile, ...]:
    """The files of an input. Raises a Problem, naming the file, if no job can have it."""
    from ai_jobs.cli.attachments import read_files as read
    from ai_jobs.operate.tried_files import TriedFile

    files = read(map(str, paths))
    return tuple(TriedFile(file.name, file.media_type, file.content, number) for number, file in enumerate(files))


def rejected_input(file: Path, document: Mapping[str, Any], error: JobError) -> Problem:
    """The Problem of an input that its job type rejects."""
    hint = " It looks like a whole job: pass only its `input`." if {"jobType", "input"} <= document.keys() else ""
    return Problem(f"{file}: {error.message}{hint}")


def prices_from(environment: Environment, given: Mapping[str, tuple[float, float]]) -> dict[str, ModelPrice]:
    """Prices by model: the environment's, and instead of them those of --price."""
    from ai_jobs.service.model_prices import ModelPrice, model_prices

    known = environment.get("model_prices") or ""
    text = known if isinstance(known, str) else json.dumps(known)
    prices = model_prices({VARIABLES["model_prices"]: text})
    for model_id, (into, out) in given.items():
        prices[model_id] = ModelPrice(into, out, cache_read=into, cache_write=into)
    return prices
