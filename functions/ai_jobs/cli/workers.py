"""`ai-jobs pause` and `ai-jobs resume`: switch a queue's worker off and on again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ai_jobs.cli.exits import TIMED_OUT, Problem
from ai_jobs.cli.output import json_option, print_json, say

if TYPE_CHECKING:
    from ai_jobs.cli.environment import Environment, Source

_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class QueueWorker:
    """A queue's worker: the outputs that name it, the variable that switches it, and what pausing it means to users."""

    queue: str
    url_output: str
    function_output: str
    variable: str
    while_paused: str
    once_resumed: str


_WORKERS = {
    "request": QueueWorker(
        queue="request",
        url_output="request_queue_url",
        function_output="processor_function_name",
        variable="processor.enabled",
        while_paused="New jobs are accepted and wait. GET shows jobs from PUT as queued, and returns 404 for all "
        "others until a worker has seen them. Jobs that are running finish.\n"
        "Deadlines keep running: a job whose deadline passes in the meantime fails (DEADLINE_EXCEEDED).",
        once_resumed="The worker now runs the jobs that waited; the ones past their deadline fail.",
    ),
    "response": QueueWorker(
        queue="response",
        url_output="response_queue_url",
        function_output="result_handler_function_name",
        variable="result_handler.enabled",
        while_paused="Jobs run, and cost what they cost, but their results wait: GET shows them as processing.\n"
        "A job long past its deadline is shown as failed (JOB_STALLED) until its result is written.",
        once_resumed="The worker now writes the results that waited.",
    ),
}

queue_argument = click.argument("queue", type=click.Choice(list(_WORKERS)))
timeout_option = click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=0),
    default=120,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for Lambda to switch it.",
)


@click.command
@queue_argument
@timeout_option
@json_option
@click.pass_obj
def pause(source: Source, queue: str, timeout_seconds: float, as_json: bool) -> None:
    """Stop the worker of QUEUE: it receives no more messages, and nothing is lost.

    Messages wait for up to the queue's retention period. `ai-jobs resume` starts the worker again, and so does the next
    `terraform apply`, unless processor.enabled (or result_handler.enabled) is false.
    """
    _switch(source.load(), _WORKERS[queue], enabled=False, timeout_seconds=timeout_seconds, as_json=as_json)


@click.command
@queue_argument
@timeout_option
@json_option
@click.pass_obj
def resume(source: Source, queue: str, timeout_seconds: float, as_json: bool) -> None:
    """Start the worker of QUEUE again, after `ai-jobs pause`."""
    _switch(source.load(), _WORKERS[queue], enabled=True, timeout_seconds=timeout_seconds, as_json=as_json)


def _switch(
    environment: Environment, worker: QueueWorker, *, enabled: bool, timeout_seconds: float, as_json: bool
) -> None:
    # Imported here: the help does not need boto3.
    from ai_jobs.aws.queues import get_queue_attributes, get_queue_message_count
    from ai_jobs.operate.triggers import ENABLED, PAUSED, find_trigger, switch_trigger

    function, url = environment.need(worker.function_output), environment.need(worker.url_output)
    attributes = get_queue_attributes(url)
    trigger = find_trigger(function, attributes["QueueArn"])
    if trigger is None:
        raise Problem(
            f"{function} has no trigger on {attributes['QueueArn'].rpartition(':')[2]}, so there is nothing to switch: "
            "check the environment, or run terraform apply to create the trigger"
        )
    changed = trigger.state != (ENABLED if enabled else PAUSED)
    if changed:
        say(f"{'starting' if enabled else 'pausing'} {function} ...")
        try:
            trigger = switch_trigger(trigger, enabled=enabled, timeout_seconds=timeout_seconds)
        except TimeoutError as error:
            say(f"Error: {error}. Lambda may still finish the switch: watch `ai-jobs top`, or run this again.")
            raise click.exceptions.Exit(TIMED_OUT) from None
    count = get_queue_message_count(url)
    document = {
        "queue": worker.queue,
        "function": function,
        "triggerId": trigger.id,
        "state": trigger.state,
        "changed": changed,
        "messages": {"visible": count.visible, "inFlight": count.in_flight, "delayed": count.delayed},
        "retentionSeconds": int(attributes["MessageRetentionPeriod"]),
    }
    if as_json:
        print_json(document)
    else:
        _tell(document, worker)


def _tell(document: dict[str, Any], worker: QueueWorker) -> None:
    messages = document["messages"]
    already = "" if document["changed"] else " already"
    click.echo(f"{worker.queue}: {document['function']} is{already} {document['state']}")
    click.echo(
        f"in the queue: {messages['visible']} waiting, {messages['inFlight']} in flight, {messages['delayed']} delayed"
    )
    if document["state"] == "paused":
        days = document["retentionSeconds"] / _DAY_SECONDS
        say(
            f"{worker.while_paused}\n"
            f"Messages wait for up to {days:g} days, counted from when they were sent.\n"
            f"The next `terraform apply` starts the worker again, unless you set {worker.variable} = false."
        )
    elif document["changed"]:
        say(worker.once_resumed)
