"""`ai-jobs types render`: the prompts, without a model call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ai_jobs.cli.output import json_option, print_json, print_lines
from ai_jobs.cli.types.options import (
    attach_option,
    check_standard_input,
    from_option,
    input_option,
    read_files,
    read_input,
    rejected_input,
)
from ai_jobs.cli.types.sources import read_types

if TYPE_CHECKING:
    from ai_jobs.cli.environment import Source


@click.command(short_help="Render the prompts for an input, without a model call.")
@click.argument("name", metavar="TYPE")
@input_option
@attach_option
@from_option
@json_option
@click.pass_obj
def render(
    environment: Source, name: str, input_file: Path, attached: tuple[Path, ...], source: Path | None, as_json: bool
) -> None:
    """Render the prompts of a job type for an input, exactly as a worker would; call nothing.

    The input is validated against the type's schema, whose defaults are filled in. Of attached files, prompts see the
    name, the type, and the size.
    """
    from ai_jobs.contract.errors import JobError
    from ai_jobs.operate.tried_files import prompt_of

    check_standard_input(("--from", source), ("--input", input_file))
    job_type = read_types(source, environment.load).version(name).job_type
    document, files = read_input(input_file), read_files(attached)
    try:
        prompt = prompt_of(job_type, document, files)
    except JobError as error:
        raise rejected_input(input_file, document, error) from None
    if as_json:
        print_json({"system": prompt.system, "user": prompt.user})
        return
    parts = {"system": prompt.system, "user": prompt.user}
    for title, text in parts.items():
        if text is not None:
            print_lines([f"--- {title} ---", *text.splitlines()])
