"""The faults: which jobs each of them takes, what is broken while they run, and how they may end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from tests.chaos.ledger import Job
from tests.chaos.system import System

Rule = dict[str, Any]

CRASHED = ("WORKER_CRASHED", "RETRIES_EXHAUSTED")
"""How a job may end that lost receives to crashes."""

BROKEN = "echo"
"""The job type that `broken_type` breaks: no other fault has jobs of it."""

SQS_TRIES = S3_TRIES = 3
TABLE_TRIES = 2
"""How often the functions' clients try a call: so many faults in a row are one lost message."""


# Faults of single jobs: any number of them may be under way at the same time.


def throttled(system: System, count: int) -> list[Job]:
    """A throttle storm that ends, and one that outlasts some jobs' deadline."""
    answers = ("429,200", "429,503,429,200", "503,429,429,429,429,200")
    jobs = [system.job("throttled", system.random.choice(answers)) for _ in range(count - count // 5)]
    hopeless = [
        system.job("throttled", "429", allowed=("DEADLINE_EXCEEDED",), deadline_seconds=5) for _ in range(count // 5)
    ]
    system.send(jobs + hopeless)
    return jobs + hopeless


def slow_model(system: System, count: int) -> list[Job]:
    """The model answers after the job type's timeout: once, or until the deadline."""
    jobs = [system.job("slow model", "late,200") for _ in range(count - count // 5)]
    allowed = ("DEADLINE_EXCEEDED", "RETRIES_EXHAUSTED")
    hopeless = [system.job("slow model", "late", allowed=allowed, deadline_seconds=4) for _ in range(count // 5)]
    system.send(jobs + hopeless)
    return jobs + hopeless


def model_errors(system: System, count: int) -> list[Job]:
    """Errors of the model that pass, and some that do not."""
    jobs = [
        system.job("model 500s", system.random.choice(("500,200", "424,500,200"))) for _ in range(count - count // 5)
    ]
    hopeless = [system.job("model 500s", "500", allowed=("RETRIES_EXHAUSTED",)) for _ in range(count // 5)]
    system.send(jobs + hopeless)
    return jobs + hopeless


def malformed_answers(system: System, count: int) -> list[Job]:
    """Answers that can't be used, and connections that are cut."""
    answers = ("nonsense,200", "empty,200", "types,200", "cut,200", "cut,nonsense,200")
    jobs = [system.job("malformed answer", system.random.choice(answers)) for _ in range(count)]
    system.send(jobs)
    return jobs


def table_throttles(system: System, count: int) -> list[Job]:
    """Half of all writes to these jobs' rows are throttled."""
    jobs = [system.job("table throttles") for _ in range(count)]
    system.proxy.add(_table_rule("starts_with(Key.jobId.S, 'table-throttles')", probability=0.5))
    system.send(jobs)
    return jobs


def unsent_results(system: System, count: int) -> list[Job]:
    """A result that SQS does not take, and a delayed copy that it does not take."""
    jobs = [system.job("SQS send failures") for _ in range(count)]
    unlucky = jobs[: min(30, count // 3)]
    for job in unlucky:
        system.ledger.more_calls(job)
        system.proxy.add(*_result_rules(job))
    uncopied = [system.job("SQS send failures", "429,200") for _ in range(min(10, count // 5))]
    for job in uncopied:
        system.proxy.add(_send_rule("request", job))
    system.send(jobs + uncopied)
    return jobs + uncopied


def large_results(system: System, count: int) -> list[Job]:
    """Results for the bucket; the first one is not taken by S3 at first."""
    first, *others = (system.job("S3 failures", "large") for _ in range(count // 5 + 1))
    system.ledger.more_calls(first)
    error = {"error": {"code": "SlowDown", "status": 503}}
    system.proxy.add({"service": "s3", "operation": "PutObject", "times": S3_TRIES} | error)
    system.send([first])
    # The faults are meant for this one, and S3's rules can't name a job.
    system.wait_until_over([first], 20)
    system.send(others)
    return [first, *others]


def duplicates(system: System, count: int) -> list[Job]:
    """Fifty copies of a message at once."""
    answers = ("200", "slow:1", "429,200")
    jobs = [system.job("50 copies", system.random.choice(answers)) for _ in range(max(2, count // 50))]
    # It fails while most of its copies are still to come: none of them may pass for a redrive.
    jobs.append(system.job("50 copies", "404", allowed=("MODEL_NOT_FOUND",)))
    # All of them are there before the first one fails: one that is sent later is a redrive.
    with system.paused(system.outputs.processor_function_name):
        time.sleep(0.5)
        system.send(jobs, copies=50)
    return jobs


def not_yet_allowed(system: System, count: int) -> list[Job]:
    """The model denies access: until its new permission has spread, or for good."""
    jobs = [
        system.job("access denied", system.random.choice(("403,200", "403,403,200", "403,429,200")))
        for _ in range(count - count // 10)
    ]
    hopeless = [system.job("access denied", "403", allowed=("MODEL_ACCESS_DENIED",)) for _ in range(count // 10)]
    system.send(jobs + hopeless)
    return jobs + hopeless


def half_pairs(system: System, count: int) -> list[Job]:
    """Half a surrogate pair: in a value or a key of a job, which fails for it, and in the model's answer."""
    allowed = ("INVALID_INPUT",)
    values, keys = ([system.job("half pair", allowed=allowed) for _ in range(max(1, count // 4))] for _ in range(2))
    for job in values:
        job.body = job.body.replace('{"text": "', '{"text": "\\ud83c')
    for job in keys:
        job.body = job.body.replace('{"text": ', '{"\\udf89": 1, "text": ')
    answered = [system.job("half pair", "half") for _ in range(max(1, count // 2))]
    system.send(values + keys + answered)
    return values + keys + answered


def unreadable(system: System, count: int) -> list[Job]:
    """Bodies that no JSON parser should accept, but whose callers were given a job id."""
    faults = {'{"a": NaN, ': "INVALID_INPUT", '{"a": 1e400, ': "INVALID_INPUT", "{,": "INVALID_MESSAGE"}
    jobs = []
    for fault, code in faults.items():
        for _ in range(max(1, count // 5)):
            job = system.job("unreadable", allowed=(code,), with_id=False)
            job.body = job.body.replace('"input": {', f'"input": {fault}', 1)
            jobs.append(job)
    marked = [system.job("unreadable", with_id=False) for _ in range(max(1, count // 5))]
    for job in marked:
        job.body = f"\ufeff{job.body}"
    system.send(jobs + marked)
    return jobs + marked


def reported(system: System, count: int) -> list[Job]:
    """Results of other producers: the job's end where they are usable, and in the DLQ where they are not."""
    usable, useless = (
        [system.job("other producers", "slow:1.5", over_http=True) for _ in range(max(1, count // 4))] for _ in range(2)
    )
    for job in usable:
        job.reported = {"content": f"of {job.job_id}", "wordCount": 3, "score": Decimal("0.5")}
    system.submit(usable + useless)
    for job in usable:
        system.report(job, result=job.reported, timestamp="2999-01-01T00:00:00.000Z")
    elsewhere = {"bucket": "another-bucket", "key": "results/user=user-1/job=x/1.json", "bytes": 9}
    for number, job in enumerate(useless):
        bad: dict[str, Any] = {"result": {"score": 1e300}} if number % 2 else {"resultLocation": elsewhere}
        system.report(job, usable=False, **bad)
    return usable + useless


def without_an_id(system: System, count: int) -> list[Job]:
    """Bodies without a jobId, as POST /jobs sends them, through throttles and errors."""
    answers = ("200", "429,200", "500,200", "429,500,200")
    jobs = [system.job("no jobId", system.random.choice(answers), with_id=False) for _ in range(count)]
    system.send(jobs)
    return jobs


def submitted(system: System, count: int) -> list[Job]:
    """Jobs by PUT: the queue, or the table, does not take some of them at first; some are cancelled at once."""
    unsent, unwritten, undisturbed, unwanted = (
        [system.job("PUT", answers, over_http=True) for _ in range(max(1, count // 4))]
        for answers in ("200", "200", "200", "slow:1.5")
    )
    system.proxy.add(*(_send_rule("request", job) for job in unsent))
    for job in unwritten:
        system.proxy.add(_table_rule(f"Key.jobId.S == '{job.job_id}'", times=TABLE_TRIES))
    for job in unwanted:
        job.allowed |= {"cancelled"}
    system.submit(unwanted)
    system.cancel(unwanted)
    others = unsent + unwritten + undisturbed
    system.submit(others)
    return unwanted + others


def poison(system: System, count: int) -> list[Job]:
    """Messages that are no jobs, among jobs."""
    shapes = (
        "no json {0}",
        '{{"note": {0}}}',
        "[{0}]",
        '{{"userId": "a b", "jobType": "x", "input": {0}}}',
        "[" * 5000 + "{0}",
    )
    jobs = [system.job("poison") for _ in range(count // 2)]
    system.send(jobs)
    system.send_strangers([system.random.choice(shapes).format(number) for number in range(count - count // 2)])
    return jobs


def stolen_leases(system: System, count: int) -> list[Job]:
    """The lease runs out while the job still runs: a second worker takes over, and its result counts."""
    robbed = [system.job("lost lease", "steal,slow:1.2") for _ in range(max(1, count // 5))]
    others = [system.job("lost lease") for _ in range(count - len(robbed))]
    system.send(robbed)
    # While workers are free: a thief that comes when the job is done is no thief.
    system.wait_until_over(robbed, 20)
    system.send(others)
    return robbed + others


def invalid_json(system: System, count: int) -> list[Job]:
    """One answer in ten breaks the output schema: most are corrected, some stay as they are."""
    corrected = [system.job("invalid JSON", "broken,200", job_type="facts") for _ in range(max(1, count // 10))]
    late = [system.job("invalid JSON", "429,broken,200", job_type="facts") for _ in range(max(1, count // 20))]
    hopeless = [
        system.job("invalid JSON", "broken", job_type="facts", allowed=("OUTPUT_INVALID",))
        for _ in range(max(1, count // 20))
    ]
    valid = [system.job("invalid JSON", job_type="facts") for _ in range(count - len(corrected + late + hopeless))]
    system.send(corrected + late + hopeless + valid)
    return corrected + late + hopeless + valid


def own_functions(system: System, count: int) -> list[Job]:
    """The job type's own function hangs at first, wants to be run again, gives up, or can't be found."""
    hanging = [system.job("own function", job_type="own", cue="hang") for _ in range(max(1, count // 20))]
    again = [system.job("own function", job_type="own", cue="later") for _ in range(max(1, count // 10))]
    for job in again:
        system.ledger.more_calls(job)  # it is called before the function asks for more time
    given_up = [
        system.job("own function", job_type="own", cue="give up", allowed=("GIVEN_UP",))
        for _ in range(max(1, count // 20))
    ]
    lost = [
        system.job("own function", job_type="missing", allowed=("HANDLER_NOT_FOUND",))
        for _ in range(max(1, count // 20))
    ]
    others = [system.job("own function", "429,500,200", job_type="own") for _ in range(max(1, count // 2))]
    system.send(hanging + again + given_up + lost + others)
    return hanging + again + given_up + lost + others


def lost_files(system: System, count: int) -> list[Job]:
    """Files that are gone when a worker wants them, beside some that are there."""
    gone = [
        system.job("file is gone", job_type="picture", allowed=("ATTACHMENT_NOT_FOUND",))
        for _ in range(max(1, count // 4))
    ]
    there = [system.job("file is gone", "429,200", job_type="picture") for _ in range(max(1, count // 4))]
    system.attach(gone, None)
    system.attach(there, b"Three rooms, and a garden.")
    system.send(gone + there)
    return gone + there


def refused(system: System, count: int) -> list[Job]:
    """What an operator has to mend: failed at once, and redriven later."""
    jobs = [system.job("redrive", "404,200", allowed=("completed",)) for _ in range(count)]
    system.send(jobs)
    return jobs


PER_JOB: tuple[Callable[[System, int], list[Job]], ...] = (
    stolen_leases,
    large_results,
    duplicates,
    throttled,
    slow_model,
    model_errors,
    malformed_answers,
    table_throttles,
    unsent_results,
    without_an_id,
    submitted,
    reported,
    not_yet_allowed,
    half_pairs,
    unreadable,
    poison,
    invalid_json,
    own_functions,
    lost_files,
    refused,
)
"""The first three want a system that is not yet busy."""


# Faults of workers: who is in the same batch is hit too.


def killed(system: System, count: int, word: str) -> list[Job]:
    """Workers that are killed: before the model's answer, after it, or when the result was sent."""
    fault = {"kill": "kill before answer", "kill-after": "kill after answer", "kill-late": "kill after result"}[word]
    allowed = ("completed", *CRASHED)
    killers = max(1, count // 10)
    # What goes with a killer that dies late (after 0.6 s) keeps its invocation going, well within the 2 s of a call.
    others = "slow:1.1" if word == "kill-late" else "200"
    jobs = [system.job(fault, f"{word},200", allowed=allowed) for _ in range(killers)]
    if word == "kill-after":
        # The result is held back until the worker is dead, and then dropped.
        for job in jobs:
            system.proxy.add(_batch_with_result_of(job) | {"times": 1, "latency": 1500, "reset": True})
    jobs += [system.job(fault, others, allowed=allowed) for _ in range(count - killers)]
    system.send(jobs)
    return jobs


def crashing_functions(system: System, count: int) -> list[Job]:
    """The job type's own function ends the process of its worker, at its first attempt."""
    allowed = ("completed", *CRASHED)
    jobs = [
        system.job("own function crashes", "crash,200", job_type="own", cue="crash", allowed=allowed)
        for _ in range(max(1, count // 20))
    ]
    jobs += [system.job("own function crashes", job_type="own", allowed=allowed) for _ in range(max(1, count // 5))]
    system.send(jobs)
    return jobs


def doomed(system: System, count: int) -> list[Job]:
    """Jobs that kill every worker that takes them, until SQS dead-letters them; a redrive finds a worker that lives."""
    allowed = ("completed", *CRASHED)
    jobs = [system.job("kills every worker", "kill,kill,kill,200", allowed=allowed) for _ in range(max(2, count // 20))]
    system.send(jobs)
    return jobs


def conflicts(system: System, jobs: list[Job]) -> None:
    """Another job under the id of one that is there: it never runs, and the first one is untouched."""
    system.send_strangers([job.body.replace("answers=", "another answers=") for job in jobs])


# Faults of everything, for as long as they last.


@contextlib.contextmanager
def function_timeout(system: System) -> Iterator[None]:
    """The first act of some invocations takes longer than their function may: Lambda ends them."""
    with system.proxy.failing(slow_start(20_000, times=3)):
        yield


@contextlib.contextmanager
def late_start(system: System) -> Iterator[None]:
    """Some invocations have little time left when they get to their jobs."""
    with system.proxy.failing(slow_start(12_000, times=2)):
        yield


@contextlib.contextmanager
def table_outage(system: System) -> Iterator[None]:
    """DynamoDB answers nothing but errors."""
    with system.proxy.failing(table_down()):
        yield


@contextlib.contextmanager
def configuration_outage(system: System) -> Iterator[None]:
    """AppConfig is down, and every worker starts cold."""
    system.kill_all_workers()
    with system.proxy.failing(configuration_down()):
        yield


@contextlib.contextmanager
def broken_type(system: System) -> Iterator[None]:
    """The new version of one job type has a regular expression that Python does not know."""
    with system.changed_types(
        lambda types: types[BROKEN]["inputSchema"]["properties"]["text"].update(pattern=r"\p{L}")
    ):
        yield


@contextlib.contextmanager
def model_outage(system: System) -> Iterator[None]:
    """The first model of the job type `doubled` is unavailable; the second one is not."""
    system.model.outages.add("amazon.nova-pro-v1:0")
    try:
        yield
    finally:
        system.model.outages.clear()


@contextlib.contextmanager
def result_handler_paused(system: System) -> Iterator[None]:
    """Nobody takes the results."""
    with system.paused(system.outputs.result_handler_function_name):
        yield


def during(
    fault: Callable[[System], contextlib.AbstractContextManager[None]],
    system: System,
    jobs: list[Job],
    seconds: float,
) -> list[Job]:
    """Send jobs into a fault that lasts so long."""
    with fault(system):
        system.send(jobs)
        time.sleep(seconds)
    return jobs


def table_down() -> Rule:
    """DynamoDB answers nothing but errors."""
    return {"service": "dynamodb", "error": {"code": "InternalServerError", "status": 500}}


def configuration_down() -> Rule:
    """AppConfig answers nothing but errors."""
    return {"service": "appconfig", "error": {"code": "InternalServerException", "status": 500}}


def slow_start(milliseconds: int, times: int) -> Rule:
    """The first act of some invocations, hiding their batch, takes so long."""
    rule = {"service": "sqs", "operation": "ChangeMessageVisibilityBatch", "latency": milliseconds, "times": times}
    return rule | {"body": "Entries[0].VisibilityTimeout > `10`"}


def _table_rule(body: str, **how_often: float) -> Rule:
    error = {"code": "ProvisionedThroughputExceededException", "status": 400}
    return {"service": "dynamodb", "operation": "UpdateItem", "body": body, "error": error} | how_often


def _result_rules(job: Job) -> tuple[Rule, Rule]:
    """A result that is not sent: neither together with others, nor by itself."""
    error = {"code": "ServiceUnavailable", "status": 503}
    return _batch_with_result_of(job) | {"times": SQS_TRIES, "error": error}, _send_rule("response", job)


def _batch_with_result_of(job: Job) -> Rule:
    body = f"contains(QueueUrl, '-response-') && contains(join(' ', Entries[].MessageBody), '{job.job_id}')"
    return {"service": "sqs", "operation": "SendMessageBatch", "body": body}


def _send_rule(queue: str, job: Job) -> Rule:
    """As many refusals as the client tries: one message that is not sent."""
    body = f"contains(QueueUrl, '-{queue}-') && contains(MessageBody, '{job.job_id}')"
    rule = {"service": "sqs", "operation": "SendMessage", "body": body, "times": SQS_TRIES}
    return rule | {"error": {"code": "ServiceUnavailable", "status": 503}}
