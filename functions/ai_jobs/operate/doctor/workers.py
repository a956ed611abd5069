"""A queue and the function that works on it: their timeouts, the trigger between them, and its concurrency."""

from __future__ import annotations

from collections.abc import Iterator

from ai_jobs.aws.clients import get_lambda_client
from ai_jobs.contract import variables
from ai_jobs.contract.errors import plural
from ai_jobs.operate.doctor.findings import APPLY, Finding, NotCheckedError, State, Subject
from ai_jobs.operate.doctor.queues import redrive_policy
from ai_jobs.operate.triggers import ENABLED, PAUSED, Trigger, find_trigger

WORKERS = {"request queue": "processor", "response queue": "result handler"}
"""By queue, the function that works on it."""

# The reconciler has one invocation at a time. The event publisher has `events.parallelization_factor` for each shard of
# the stream, but has work only for a fraction of a second per batch.
_OTHER_FUNCTIONS = 2

# What AWS gives an account that is not new (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
_USUAL_CONCURRENCY = 1000
_MORE_CONCURRENCY = "request a higher quota in the console: Service Quotas, Lambda, Concurrent executions"


def check_visibility(queue: str, subject: Subject) -> Iterator[Finding]:
    """Is a message invisible for as long as its function may take, and does the function know its queue's settings?"""
    name, function = f"{queue}'s timeout", WORKERS[queue]
    visibility, timeout = int(subject.queue(queue)["VisibilityTimeout"]), int(subject.function(function)["Timeout"])
    if visibility < timeout:
        found = f"messages come back after {visibility} s, but the {function} may take {timeout} s: they run twice"
        of_queue, of_function = queue.replace(" ", "_"), function.replace(" ", "_")
        advice = f"set {of_queue}.visibility_timeout_seconds = {timeout}, or lower {of_function}.timeout_seconds"
        yield Finding(name, State.FAILED, found, f"{advice}, and run terraform apply")
    elif outdated := _outdated_settings(queue, subject):
        yield Finding(name, State.WARNING, f"the {function} expects other values: {'; '.join(outdated)}", APPLY)
    else:
        found = f"messages come back after {visibility} s, and the {function} takes {timeout} s at most"
        yield Finding(name, State.OK, found)


def _outdated_settings(queue: str, subject: Subject) -> list[str]:
    """The variables of the function that differ from its queue: they tell it which receive is a job's last one."""
    attributes, settings = subject.queue(queue), subject.settings(WORKERS[queue])
    actual = {
        variables.VISIBILITY_TIMEOUT_SECONDS: attributes["VisibilityTimeout"],
        variables.MAX_RECEIVE_COUNT: str(redrive_policy(attributes).get("maxReceiveCount")),
    }
    return [
        f"{variable} is {settings[variable]}, the queue has {value}"
        for variable, value in actual.items()
        if settings.get(variable, value) != value
    ]


def check_trigger(queue: str, subject: Subject) -> Iterator[Finding]:
    """Does a trigger run the function on the queue, and do its batches succeed?"""
    name, function = f"{queue}'s trigger", WORKERS[queue]
    function_name, attributes = subject.function_name(function), subject.queue(queue)
    trigger = find_trigger(function_name, attributes["QueueArn"])
    if trigger is None:
        yield Finding(name, State.FAILED, f"no trigger runs the {function} on the {queue}", APPLY)
        return
    if trigger.state == PAUSED:
        advice = f"resume it: {subject.command} resume {queue.split(' ')[0]}"
        waiting = plural(int(attributes["ApproximateNumberOfMessages"]), "message")
        yield Finding(name, State.FAILED, f"paused: the {function} is stopped, {waiting} waiting", advice)
    elif trigger.state != ENABLED:
        yield Finding(name, State.WARNING, trigger.state, "check again in a minute")
    if not trigger.reports_failures:
        found = "ReportBatchItemFailures is off: one failed message brings its whole batch back"
        yield Finding(name, State.FAILED, found, APPLY)
    if problem := last_batch_problem(name, trigger, function_name):
        yield problem
    elif trigger.state == ENABLED and trigger.reports_failures:
        yield Finding(name, State.OK, "enabled, reports failed messages individually")


def last_batch_problem(name: str, trigger: Trigger, function_name: str) -> Finding | None:
    """A warning if the trigger's last batch failed as a whole."""
    if not trigger.last_result.startswith("PROBLEM"):
        return None
    advice = f"look at the function's log: aws logs tail /aws/lambda/{function_name} --since 15m"
    return Finding(name, State.WARNING, f"last batch: {trigger.last_result}", advice)


def check_loop_detection(function: str, subject: Subject) -> Iterator[Finding]:
    """Is Lambda's loop detection off, so that delayed copies may wait for longer than 16 rounds?"""
    name = f"{function}'s loop detection"
    answer = get_lambda_client().get_function_recursion_config(FunctionName=subject.function_name(function))
    if answer.get("RecursiveLoop") == "Allow":
        yield Finding(name, State.OK, "off: delayed copies may go around for as long as they have to wait")
    else:
        # https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
        found = "on: Lambda mistakes delayed copies for a runaway loop, and dead-letters them after about 16 rounds"
        yield Finding(name, State.FAILED, found, APPLY)


def check_concurrency(subject: Subject) -> Iterator[Finding]:
    """Does the account allow as many concurrent invocations as the functions may need?"""
    name = "concurrency"
    limits = get_lambda_client().get_account_settings()["AccountLimit"]
    allowed, shared = int(limits["ConcurrentExecutions"]), int(limits["UnreservedConcurrentExecutions"])
    told = f"the account allows {allowed} concurrent executions in this region, {shared} of them unreserved"
    workers = [trigger_of(queue, subject).maximum_concurrency for queue in WORKERS]
    if any(most is None for most in workers):
        advice = "set processor.maximum_concurrency and result_handler.maximum_concurrency, and run terraform apply"
        yield Finding(name, State.FAILED, f"{told}; a trigger has no maximum concurrency", advice)
        return
    needed = sum(most for most in workers if most is not None) + _OTHER_FUNCTIONS
    if needed > shared:
        found = f"{told}; the workers may need {needed}: what Lambda throttles counts as a receive and is dead-lettered"
        yield Finding(name, State.FAILED, found, _MORE_CONCURRENCY)
    else:
        yield _room_for_waits(name, subject, told, needed, allowed, shared)


def trigger_of(queue: str, subject: Subject) -> Trigger:
    """The trigger of a queue's function. Raises NotCheckedError if there is none, which another check reports."""
    trigger = find_trigger(subject.function_name(WORKERS[queue]), subject.queue(queue)["QueueArn"])
    if trigger is None:
        raise NotCheckedError(f"the {queue} has no trigger (see that finding)")
    return trigger


def _room_for_waits(name: str, subject: Subject, told: str, needed: int, allowed: int, shared: int) -> Finding:
    """Beside the workers, is there room for callers that wait (GET ?wait=)?"""
    waits, most_waits = _waits(subject)
    if waits and most_waits is None and allowed < _USUAL_CONCURRENCY:
        found = f"{told}; callers that wait (GET ?wait=) may take all of it from the workers"
        return Finding(name, State.WARNING, found, f"set jobs_api.max_concurrent_waits, or {_MORE_CONCURRENCY}")
    if waits and most_waits is not None and needed + most_waits > shared:
        found = f"{told}; the workers may need {needed}, callers that wait {most_waits} more"
        return Finding(name, State.WARNING, found, f"lower jobs_api.max_concurrent_waits, or {_MORE_CONCURRENCY}")
    waiting = "no limit" if most_waits is None else f"at most {most_waits}"
    found = f"{told}; the workers may need {needed}, callers that wait: {waiting if waits else 'off'}"
    return Finding(name, State.OK, found)


def _waits(subject: Subject) -> tuple[bool, int | None]:
    """Whether callers may wait at all, and how many at once (None: any number)."""
    settings = subject.settings("jobs API")
    most = settings.get(variables.MAX_CONCURRENT_WAITS)
    return settings.get(variables.MAX_WAIT_SECONDS) != "0", int(most) if most else None
