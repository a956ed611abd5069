"""`ai-jobs top`: what an environment is doing at the moment."""

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
    from ai_jobs.operate.snapshot import Snapshot


@click.command
@click.option(
    "--interval",
    type=click.FloatRange(min=0.5),
    default=2,
    show_default=True,
    metavar="SECONDS",
    help="How often to read the queues.",
)
@click.option("--once", is_flag=True, help="Print a single view and exit (the default without a terminal).")
@json_option
@click.pass_obj
def top(source: Source, interval: float, once: bool, as_json: bool) -> None:
    """Show queues, workers, throughput, waits, the model, and alarms until Ctrl-C.

    The queues are read every --interval seconds, and the state of the workers every 10 seconds. CloudWatch is asked at
    most every 30 seconds; its figures cover the last five minutes and lag by a minute or two. CHANGE/MIN is what came
    into a queue minus what went out: a queue that fills as fast as it drains stays at 0.
    """
    # Imported here: the help does not need boto3.
    from ai_jobs.contract.errors import AWSError
    from ai_jobs.operate.snapshot import Watcher

    environment = source.load()
    # Without it, nothing at all is known.
    environment.need("request_queue_url")
    watcher = Watcher(environment.values)
    snapshot = watcher.snapshot()
    if as_json:
        print_json(snapshot.to_document())
        return
    if once or not sys.stdout.isatty():
        click.echo(_page(snapshot, environment.name, live=False), nl=False)
        return
    page = _page(snapshot, environment.name, live=True)
    trouble = ""
    try:
        with Live(Text.from_ansi(page), console=console(), screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(interval)
                try:
                    page, trouble = _page(watcher.snapshot(), environment.name, live=True), ""
                except AWSError as error:
                    # The network may come back; until then, the last view stays, and shows how old it is.
                    trouble = f"\nnot refreshed: {error}\n"
                live.update(Text.from_ansi(page + trouble), refresh=True)
    except KeyboardInterrupt:
        # The last view stays in the terminal.
        click.echo(page + trouble, nl=False)


def _page(snapshot: Snapshot, name: str, *, live: bool) -> str:
    parts = [
        f"{name}, {snapshot.at:%Y-%m-%d %H:%M:%S} UTC{' (Ctrl-C to quit)' if live else ''}\n",
        _queues(snapshot, live=live),
        _workers(snapshot),
        _jobs(snapshot),
        _alarms(snapshot),
        "".join(f"(-) {note}\n" for note in snapshot.notes),
    ]
    return "\n".join(part for part in parts if part)


def _queues(snapshot: Snapshot, *, live: bool) -> str:
    columns = ["QUEUE", "VISIBLE", "IN FLIGHT", "DELAYED"]
    rows: list[list[object]] = [
        [
            queue.name,
            *((queue.count.visible, queue.count.in_flight, queue.count.delayed) if queue.count else (None,) * 3),
        ]
        for queue in snapshot.queues
    ]
    if live:
        # A single view has nothing to compare with.
        columns.append("CHANGE/MIN")
        for queue, row in zip(snapshot.queues, rows, strict=True):
            row.append(_change(queue.change_per_minute))
    return rendered(columns, rows)


def _workers(snapshot: Snapshot) -> str:
    rows = [
        (
            worker.name,
            worker.state,
            _number(worker.invocations),
            _number(worker.errors),
            _number(worker.throttles),
            _time(worker.max_duration),
        )
        for worker in snapshot.workers
    ]
    return rendered(("WORKER", "STATE", "INVOCATIONS", "ERRORS", "THROTTLES", "LONGEST RUN"), rows)


def _jobs(snapshot: Snapshot) -> str:
    jobs = snapshot.jobs
    oldest = jobs["oldestOpenJobSeconds"]
    rows = [
        (
            "jobs",
            f"{_rate(jobs['completedPerMinute'])} completed, {_rate(jobs['failedPerMinute'])} failed, "
            f"{_number(jobs['stalled'])} stalled",
        ),
        (
            "waits",
            f"queue p50 {_time(jobs['queueWaitP50'])}, p95 {_time(jobs['queueWaitP95'])}; "
            f"whole job p95 {_time(jobs['totalTimeP95'])}; "
            f"oldest open job {_time(None if oldest is None else oldest * 1000)}",
        ),
        (
            "model",
            f"latency p95 {_time(jobs['modelLatencyP95'])}, {_number(jobs['modelThrottles'])} throttles, "
            f"{_number(jobs['inputTokens'])} tokens in, {_number(jobs['outputTokens'])} out",
        ),
    ]
    return rendered((f"LAST {snapshot.minutes} MINUTES", ""), rows)


def _alarms(snapshot: Snapshot) -> str:
    if snapshot.alarms is None:
        return "alarms: -\n"
    if not snapshot.alarms:
        return "alarms: none in ALARM\n"
    return rendered(("IN ALARM", "REASON"), [(alarm.name, alarm.reason) for alarm in snapshot.alarms])


def _change(per_minute: float | None) -> str:
    if per_minute is None:
        return "-"
    return f"{per_minute:+,.0f}" if round(per_minute) else "0"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}/min"


def _time(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "-"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
