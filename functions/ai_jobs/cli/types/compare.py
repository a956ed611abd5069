"""`ai-jobs types compare`: two versions of a job type, run with the same inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ai_jobs.cli.exits import FAILED, INTERRUPTED, Problem
from ai_jobs.cli.numbers import fraction, positive_number, whole_number
from ai_jobs.cli.output import json_option, print_json, print_table, progress, say
from ai_jobs.cli.types.options import (
    FILE,
    check_standard_input,
    from_option,
    price_option,
    prices_from,
    read_files,
    read_input,
    rejected_input,
)
from ai_jobs.cli.types.sources import read_types

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ai_jobs.cli.environment import Environment
    from ai_jobs.operate.comparison import Case, Comparison, Pair, Thresholds
    from ai_jobs.operate.type_version import TypeVersion

_MOST_CALLS = 50
"""As many connections to models as one process keeps (`ai_jobs.aws.clients`)."""

_ENDINGS = (".md", ".json")


def _report_files(_: click.Context, __: click.Parameter, files: tuple[Path, ...]) -> tuple[Path, ...]:
    for file in files:
        if file.suffix not in _ENDINGS:
            raise click.BadParameter(f"{file} has no known ending: pass a file that ends in .md or .json")
        # Not after the models have been paid for.
        if not file.absolute().parent.is_dir():
            raise click.BadParameter(f"{file} can't be written: there is no folder {file.parent}. Create it first.")
    return files


@click.command(short_help="Run inputs with two versions of a job type, and compare them.")
@click.argument("name", metavar="TYPE")
@click.option(
    "--inputs",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="The folder of inputs: each *.json in it is one. Files in the folder DIR/NAME go with NAME.json.",
)
@click.option(
    "--with",
    "new_source",
    type=FILE,
    metavar="FILE",
    help="Where the new version is: a job type document, or the output of `terraform show -json`; - is standard input.",
)
@click.option("--model", "model_id", metavar="MODEL", help="Call this model, and no other, for the new version.")
@from_option
@click.option(
    "--runs", callback=whole_number(1, 100), default="1", show_default=True, metavar="N", help="Runs of each input."
)
@click.option(
    "--concurrency",
    callback=whole_number(1, _MOST_CALLS),
    default="4",
    show_default=True,
    metavar="N",
    help="Model calls at a time.",
)
@click.option(
    "--min-valid",
    callback=fraction,
    default="1",
    show_default=True,
    metavar="SHARE",
    help="Fail if a smaller share of the new version's runs completes, from 0 to 1; invalid JSON does not.",
)
@click.option(
    "--max-cost-ratio",
    callback=positive_number(1_000, "a ratio"),
    metavar="RATIO",
    help="Fail if the new version costs more than this times what the old one costs.",
)
@click.option(
    "--max-latency-ratio",
    callback=positive_number(1_000, "a ratio"),
    metavar="RATIO",
    help="Fail if the new version's median latency is more than this times the old one's.",
)
@price_option
@click.option(
    "--output",
    "files",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    callback=_report_files,
    multiple=True,
    metavar="FILE",
    help="Write the report to a file, as Markdown (.md) or JSON (.json). Repeatable.",
)
@json_option
@click.pass_context
def compare(
    ctx: click.Context, /, name: str, folder: Path, files: tuple[Path, ...], as_json: bool, **given: Any
) -> None:
    """Run inputs with two versions of a job type, and compare validity, tokens, cost, latency, and outputs.

    The old version is the deployed one, or that of --from. The new one is that of --with, or called with --model, or
    both. The command calls the models with your own credentials, as `types try` does, and costs as much as the jobs
    would. It exits with 1 if the new version does not reach a threshold. Ctrl-C prints what is finished by then.
    """
    from ai_jobs.operate.comparison import Comparison, Thresholds

    loaded = ctx.obj.load()
    old, new = _versions(name, loaded, given)
    cases = _cases(folder, (old, new))
    pairs: list[Pair] = []
    interrupted = _run(old, new, cases, loaded, given, pairs)
    if interrupted and not pairs:
        ctx.exit(INTERRUPTED)
    in_order = sorted(pairs, key=lambda pair: (pair.case.name, pair.run))
    comparison = Comparison(name, old, new, in_order, len(cases) * given["runs"])
    thresholds = Thresholds(given["min_valid"], given["max_cost_ratio"], given["max_latency_ratio"])
    _print(comparison, thresholds, as_json)
    _write(files, comparison, thresholds)
    if interrupted:
        ctx.exit(INTERRUPTED)
    if comparison.nothing_worked:
        raise comparison.nothing_worked
    if not all(verdict.met for verdict in comparison.verdicts(thresholds)):
        ctx.exit(FAILED)


def _versions(name: str, environment: Environment, given: Mapping[str, Any]) -> tuple[TypeVersion, TypeVersion]:
    new_source, model_id = given["new_source"], given["model_id"]
    if not new_source and not model_id:
        raise click.UsageError("there is no new version: pass --with FILE, --model MODEL, or both")
    check_standard_input(("--from", given["source"]), ("--with", new_source))
    old = read_types(given["source"], lambda: environment).version(name)
    new = read_types(new_source, lambda: environment).version(name) if new_source else old
    new = new.with_model(model_id)
    if new.document == old.document:
        raise Problem(
            f"job type {name} is the same in {old.origin} and {new.origin}: there is nothing to compare. Change it in "
            "one of them, or pass --model."
        )
    return old, new


def _cases(folder: Path, versions: Sequence[TypeVersion]) -> list[Case]:
    from ai_jobs.operate.comparison import Case, rejected

    files = sorted(folder.glob("*.json"))
    if not files:
        raise Problem(f"{folder} has no *.json files. Each of them is an input: a JSON object, as in a job's `input`.")
    cases = []
    for file in files:
        case = Case(file.name, read_input(file), read_files(_files_of(file)))
        # Before anything is called, and paid for.
        if error := rejected(case, versions):
            raise rejected_input(file, case.input, error)
        cases.append(case)
    return cases


def _files_of(file: Path) -> list[Path]:
    """The files that go with an input: those in the folder of its name."""
    folder = file.with_suffix("")
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in files if path.is_file() and not path.name.startswith(".")]


def _run(
    old: TypeVersion,
    new: TypeVersion,
    cases: Sequence[Case],
    environment: Environment,
    given: Mapping[str, Any],
    pairs: list[Pair],
) -> bool:
    """Collect the pairs. Returns whether the user interrupted it."""
    from ai_jobs.operate.comparison import compare as compared

    prices = prices_from(environment, given["given_prices"])
    planned = len(cases) * given["runs"]
    say(f"inputs: {len(cases)}, runs of each: {given['runs']}, versions: 2; {planned * 2} jobs in all")
    finished = compared(old, new, cases, given["runs"], prices, given["concurrency"], pairs)
    try:
        with progress() as bar:
            for _ in bar.track(finished, total=planned, description="comparing"):
                pass
    except KeyboardInterrupt:
        say(f"interrupted after {len(pairs)} of {planned}")
        return True
    return False


def _write(files: Sequence[Path], comparison: Comparison, thresholds: Thresholds) -> None:
    from ai_jobs.contract.documents import whole
    from ai_jobs.operate.comparison_report import markdown, to_document

    for file in files:
        if file.suffix == ".md":
            text = markdown(comparison, thresholds)
        else:
            text = whole(json.dumps(to_document(comparison, thresholds), indent=2, ensure_ascii=False)) + "\n"
        file.write_text(text, encoding="utf-8")


def _print(comparison: Comparison, thresholds: Thresholds, as_json: bool) -> None:
    from ai_jobs.operate import comparison_report as report

    if as_json:
        print_json(report.to_document(comparison, thresholds))
        return
    print_table([name.upper() for name in report.FIGURES_HEADER], report.figure_rows(comparison))
    click.echo()
    print_table([name.upper() for name in report.CASES_HEADER], report.case_rows(comparison))
    click.echo()
    for line in (*report.footnotes(comparison), *map(report.verdict_line, comparison.verdicts(thresholds))):
        click.echo(line)
