"""`ai-jobs verify`: do the queues exist, and does a job get through?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ai_jobs.cli.exits import FAILED, TIMED_OUT, Problem, explain
from ai_jobs.cli.output import json_option, print_json, print_table, progress, say
from ai_jobs.contract.row import has_ended

if TYPE_CHECKING:
    from ai_jobs.cli.environment import Environment, Source
    from ai_jobs.contract.row import JobRow

TEST_JOB_TYPE = "connection-test"
"""No environment has this job type, so the test job ends before any model is called."""

_EXPECTED = "UNKNOWN_JOB_TYPE"

_QUEUES = (
    ("request queue", "request_queue_url"),
    ("response queue", "response_queue_url"),
    ("request DLQ", "request_dlq_url"),
    ("response DLQ", "response_dlq_url"),
)


@click.command
@click.option("--test-send", is_flag=True, help="Send a job along the whole path; it ends before any model is called.")
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=0),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the test job.",
)
@json_option
@click.pass_obj
def verify(source: Source, test_send: bool, timeout_seconds: float, as_json: bool) -> None:
    """Check that the queues can be reached, and count their messages. Two variables are enough:
    AI_JOB_REQUEST_QUEUE_URL and AI_JOB_RESPONSE_QUEUE_URL.

    --test-send sends a job of the type connection-test, which no environment has. It passes through both queues and
    both workers, and is expected to end as failed with UNKNOWN_JOB_TYPE, without a model call. The metrics count it as
    an invalid job. If the table is known, the command waits for that end.
    """
    environment = source.load()
    environment.need("request_queue_url")
    environment.need("response_queue_url")
    queues = [_counted(name, environment.get(output)) for name, output in _QUEUES if environment.get(output)]
    if not as_json:
        columns = ("QUEUE", "VISIBLE", "IN FLIGHT", "DELAYED", "STATE")
        names = ("queue", "visible", "inFlight", "delayed", "state")
        print_table(columns, [[queue.get(name) for name in names] for queue in queues])
    problems = [queue["error"] for queue in queues if "error" in queue]
    test, code = None, FAILED if problems else 0
    if test_send and not problems:
        test, code = _test(environment, timeout_seconds)
        if not as_json:
            say(test["message"])
    if as_json:
        print_json({"queues": queues} | ({"test": test} if test else {}))
    if problems:
        raise Problem("\n".join(dict.fromkeys(problems)))
    raise click.exceptions.Exit(code)


def _counted(name: str, url: str) -> dict[str, Any]:
    from ai_jobs.aws.queues import get_queue_message_count
    from ai_jobs.contract.errors import AWSError

    try:
        count = get_queue_message_count(url)
    except AWSError as error:
        return {"queue": name, "url": url, "state": "failed", "error": str(explain(error))}
    counts = {"visible": count.visible, "inFlight": count.in_flight, "delayed": count.delayed}
    return {"queue": name, "url": url, "state": "ok"} | counts


def _test(environment: Environment, timeout_seconds: float) -> tuple[dict[str, Any], int]:
    """Send the test job and, if the table is known, wait for its end. Returns what became of it, and the exit code."""
    from ai_jobs.aws.submission import send_ai_job_request
    from ai_jobs.contract import timestamps
    from ai_jobs.contract.request import AIJobMessage

    if TEST_JOB_TYPE in (environment.get("job_types") or ()):
        raise Problem(
            f"{environment.name} has a job type {TEST_JOB_TYPE}, and the test job would call its model: rename it"
        )
    job = AIJobMessage(TEST_JOB_TYPE, TEST_JOB_TYPE, {})
    send_ai_job_request(job, queue_url=environment.need("request_queue_url"))
    test: dict[str, Any] = {"jobId": job.job_id}
    if not environment.get("table_name"):
        return test | {"message": f"sent job {job.job_id}; without table_name, the command can't see how it ends"}, 0
    row = _end_of(environment.need("table_name"), job.job_id, timeout_seconds)
    if row is None:
        message = (
            f"job {job.job_id} has not ended after {timeout_seconds:g} s: "
            "is a worker paused, or is the queue long? Run ai-jobs doctor."
        )
        return test | {"message": message}, TIMED_OUT
    code = row.get("error", {}).get("code")
    test |= {"status": row["status"], "errorCode": code}
    if code != _EXPECTED:
        detail = row.get("error", {}).get("message", "")
        found = f"{row['status']} {code or ''}".strip()
        message = f"job {job.job_id} ended as {found}, not as failed {_EXPECTED}: {detail}".removesuffix(": ")
        return test | {"message": message}, FAILED
    seconds = (timestamps.now() - job.timestamp).total_seconds()
    message = f"job {job.job_id} went through both queues and workers to the table in {seconds:.1f} s"
    return test | {"seconds": round(seconds, 3), "message": message}, 0


def _end_of(table_name: str, job_id: str, timeout_seconds: float) -> JobRow | None:
    from ai_jobs.operate.polling import poll_until_ended
    from ai_jobs.service.job_store import JobStore

    row = None
    with progress() as bar:
        task = bar.add_task("waiting for the test job", total=1)
        for rows in poll_until_ended(JobStore(table_name), [job_id], timeout_seconds):
            row = rows.get(job_id)
            bar.update(task, completed=int(row is not None and has_ended(row)))
    return row if row and has_ended(row) else None
