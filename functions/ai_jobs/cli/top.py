"""`ai-jobs top`: what an environment does at the moment."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click
from rich.live import Live
from rich.text import Text

from ai_jobs.cli.output import console, json_option, print_json, rendered

if TYPE_CHECKING:
    from ai_jobs.cli.environment import Source
    from ai_jobs.snapshot import Snapshot


@click.command(short_help="Live view of queues, workers and throughput.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.5),
    default=2,
    show_default=True,
    metavar="SECONDS",
    help="How often the queues are read.",
)
@click.option("--once", is_flag=True, help="Print one view and end; so it is without a terminal.")
@json_option
@click.pass_obj
def top(source: Source, interval: float, once: bool, as_json: bool) -> None:
    """Show the queues, the workers, throughput, waits, the model and the alarms until Ctrl-C.

    The queues are read every --interval seconds, the workers' state every 10 seconds. CloudWatch is asked every 30
    seconds at most; its figures are of the last five minutes, and lag by a minute or two. change/min is what a queue
    gained less what it lost: a queue that is filled as fast as it is emptied stays at 0.
    """
    # Imported here: the help needs no boto3.
    from ai_jobs.snapshot import Watcher

    environment = source.load()
    watcher = Watcher(environment.values)
    snapshot = watcher.snapshot()
    if as_json:
        print_json(snapshot.to_document())
        return
    if once or not sys.stdout.isatty():
        click.echo(_page(snapshot, environment.name, live=False), nl=False)
        return
    page = _page(snapshot, environment.name, live=True)
    try:
        with Live(Text.from_ansi(page), console=console(), screen=True, auto_refresh=False) as live:
            while True:
                live.refresh()
                time.sleep(interval)
                page = _refreshed(watcher, environment.name, page)
                live.update(Text.from_ansi(page))
    except KeyboardInterrupt:
        # What was seen last stays in the terminal.
        click.echo(page, nl=False)
