"""Section 7: what a million jobs cost, from counted calls, billed milliseconds, and measured memory."""

from __future__ import annotations

import itertools
import math
import sys
import tempfile
import textwrap
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai_jobs.operate.doctor.memory import SMALLEST_SAFE_MEMORY_MB, smallest_safe_memory_mb
from ai_jobs.operate.simulation.costs import PRICE_LIST, PRICES
from bench import canned
from bench.canned_aws import ANSWER
from bench.markdown import number
from bench.markdown import table as markdown_table
from bench.sections import Scale
from scripts import package
from scripts.project import DIST, ROOT
from scripts.scaling_docs import P50_SECONDS, P99_SECONDS, longest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

TITLE = "Cost"
PICTURE = "Lines: US dollars per million jobs by the model's time, for four ways to run them."

BEGIN = "<!-- BEGIN cost (generated: make bench) -->"
END = "<!-- END cost -->"

MODEL_SECONDS = (2, 10, 30, 120)
DEFAULT_MEMORY_MB = 3008
"""As processor.memory_mb."""
_OTHER_MEMORY_MB = {"result_handler": 512, "event_publisher": 512, "jobs_api": 1024}
_MB_PER_VCPU = 1769  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
_LONGEST_REST_SECONDS = 29
"""https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html"""

# Assumed, because nothing here leaves the machine: a call to SQS or DynamoDB, and what Lambda itself logs.
_ROUND_TRIP_SECONDS = 0.01
_CALLS_IN_A_ROW = {"processor": 3, "result_handler": 1, "event_publisher": 1}
_PLATFORM_LOG_BYTES = 400

WRITES_OF_A_POSTED_JOB = {"table": 2, "by-user": 2, "open-jobs": 2}
"""tests/unit/test_store_writes.py counts them."""

_LARGE_ANSWERS = 160
"""Times 1,216 bytes: a response of 195 KB, just small enough for a message."""


@dataclass(frozen=True)
class Way:
    """One way to run jobs.

    Attributes:
        batch: jobs per invocation; None if there is no queue, but a Lambda function that waits behind a POST.
    """

    name: str
    batch: int | None
    memory_mb: int

    @property
    def label(self) -> str:
        """How tables name it."""
        size = f"batch of {self.batch}, " if self.batch and self.batch > 1 else ""
        return f"{self.name} ({size}{self.memory_mb:,} MB)"


WAYS = (
    Way("ours, default", 10, DEFAULT_MEMORY_MB),
    Way("ours, tuned", 50, SMALLEST_SAFE_MEMORY_MB[50]),
    Way("one job at a time", 1, SMALLEST_SAFE_MEMORY_MB[10]),
    Way("Lambda behind a POST", None, SMALLEST_SAFE_MEMORY_MB[10]),
)


@dataclass(frozen=True)
class Sizes:
    """How many jobs are counted per size of the batch, and how long the model of the memory measure takes."""

    jobs: int
    memory_batches: tuple[int, ...]
    memory_rounds: int
    memory_model_seconds: float


_SIZES = {
    Scale.FULL: Sizes(50, (10, 50, 100), 2, 0.6),
    Scale.SMOKE: Sizes(10, (10,), 1, 0.1),
}


def measure(scale: Scale) -> dict[str, Any]:
    """Count calls and time, measure memory, and compute what a million jobs cost."""
    sizes = _SIZES[scale]
    package.build()
    with tempfile.TemporaryDirectory() as folder:
        for name in canned.FUNCTIONS:
            zipfile.ZipFile(DIST / f"{name}.zip").extractall(folder)
        batches = sorted({way.batch for way in WAYS if way.batch})
        counted = {str(batch): canned.measure(Path(folder), batch, sizes.jobs) for batch in batches}
        memory = {str(batch): _memory(Path(folder), batch, sizes) for batch in sizes.memory_batches}
    dollars = {way.label: {str(s): million(way, s, counted) for s in MODEL_SECONDS} for way in WAYS}
    return {"counted": counted, "memory": memory, "dollars": dollars, "figures": _figures(memory, dollars)}


def _figures(memory: dict[str, dict[str, Any]], dollars: dict[str, dict[str, Any]]) -> dict[str, float]:
    shares = [found["peak_mb"] / (smallest_safe_memory_mb(int(batch)) or 1) for batch, found in memory.items()]
    default, tuned = (sum(dollars[way.label]["30"].values()) for way in WAYS[:2])
    return {"memory_share": max(shares), "default_at_30_s": default, "tuned_at_30_s": tuned}


def _memory(code: Path, batch: int, sizes: Sizes) -> dict[str, Any]:
    """Peaks of the processor's memory in MB: with one short response, and with large ones that are all in flight."""
    records = canned.submitted(10**9)
    events = [{"Records": list(itertools.islice(records, batch))} for _ in range(sizes.memory_rounds)]
    (first,) = itertools.islice(records, 1)
    command = [sys.executable, "-S", "-m", "bench.processing_run", "processor.handler"]
    step = {"model_seconds": sizes.memory_model_seconds, "events": events}
    conditions = {"aws_seconds": canned.AWS_SECONDS}

    def peak(steps: list[dict[str, Any]], answers_in_one: int) -> float:
        plan = conditions | {"warm_up": [{"Records": [first]}], "steps": steps, "answers_in_one": answers_in_one}
        return float(canned.report(command, (code, ROOT), plan)["peak_rss_mb"])

    large = [peak([step], _LARGE_ANSWERS) for _ in range(sizes.memory_rounds)]
    return {"started_mb": peak([], 1), "short_mb": peak([step], 1), "runs_mb": large, "peak_mb": max(large)}


def million(way: Way, model_seconds: float, counted: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """US dollars per million jobs, by service; empty if the way can't run jobs that take so long.

    Args:
        counted: by batch size, what `bench.canned` measured.
    """
    if way.batch is None:
        return _behind_a_post(way, model_seconds, counted["1"])
    found = counted[str(way.batch)]
    small = counted["10"]  # the other functions' batches stay at their default
    batches = {"processor": way.batch, "result_handler": 10, "event_publisher": 10}
    memory = _OTHER_MEMORY_MB | {"processor": way.memory_mb}
    seconds = {
        name: _billed(name, (found if name == "processor" else small)[name], batch, memory[name])
        for name, batch in batches.items()
    }
    seconds["processor"] += model_seconds * slowest_of(way.batch)
    invocations = sum(1 / batch for batch in batches.values()) + 1
    gb_seconds = sum(seconds[name] / batch * memory[name] / 1024 for name, batch in batches.items()) + _read()
    log_bytes = sum((found if name == "processor" else small)[name]["log_bytes"] for name in batches)
    return _millions(
        {
            "Lambda": gb_seconds * PRICES["lambda_gb_second"] + invocations * PRICES["lambda_request"],
            "API Gateway": 2 * PRICES["api_gateway_rest_request"],
            "SQS": _sqs(way.batch, found),
            "DynamoDB": _dynamodb(),
            "EventBridge": PRICES["eventbridge_custom_event"],
            "logs": _logs(log_bytes + invocations * _PLATFORM_LOG_BYTES),
        }
    )


def _behind_a_post(way: Way, model_seconds: float, counted: Mapping[str, Any]) -> dict[str, float]:
    if model_seconds > _LONGEST_REST_SECONDS:
        return {}
    found = counted["processor"]
    # Of all that the processor does, it has the model's call and no more.
    cpu_ms = found["cpu_ms"] / sum(found["calls"].values())
    seconds = cpu_ms / 1000 / _share(way.memory_mb) + model_seconds * slowest_of(1)
    gb_seconds = seconds * way.memory_mb / 1024
    return _millions(
        {
            "Lambda": gb_seconds * PRICES["lambda_gb_second"] + PRICES["lambda_request"],
            "API Gateway": PRICES["api_gateway_rest_request"],
            "logs": _logs(counted["processor"]["log_bytes"] + _PLATFORM_LOG_BYTES),
        }
    )


def _millions(dollars: dict[str, float]) -> dict[str, float]:
    return {service: round(value * 1_000_000, 2) for service, value in dollars.items()}


def slowest_of(calls: int) -> float:
    """How many times the median call the slowest of so many takes on average, as those of the reference job."""
    return longest_of(calls) / P50_SECONDS


def _billed(name: str, function: Mapping[str, Any], batch: int, memory_mb: int) -> float:
    """Seconds of an invocation without the model's: processor time at the memory's share, and round trips."""
    cpu_seconds = float(function["cpu_ms"]) * batch / 1000
    return cpu_seconds / _share(memory_mb) + _CALLS_IN_A_ROW[name] * _ROUND_TRIP_SECONDS


def _share(memory_mb: int) -> float:
    """Of a processor, what a function with this memory has; our one thread at a time uses no more than one."""
    return min(1.0, memory_mb / _MB_PER_VCPU)


def _read() -> float:
    """GB-seconds of one GET by id: about as long as a round trip and a result handler's job."""
    return 2 * _ROUND_TRIP_SECONDS * _OTHER_MEMORY_MB["jobs_api"] / 1024


def _sqs(batch: int, found: Mapping[str, Any]) -> float:
    """Each queue: a send, a receive and a delete for up to ten messages; and what the processor calls."""
    tens = -(-batch // 10) / batch
    calls = found["processor"]["calls"]
    hides = sum(count for name, count in calls.items() if name.startswith("sqs:ChangeMessageVisibility"))
    fair = (1 + 2 * tens + hides) * (PRICES["sqs_request"] + PRICES["sqs_fair_request"])
    # A result hardly ever shares its call with others, because they come at other times.
    return float(fair + (1 + 2 / 10) * PRICES["sqs_request"])


def _dynamodb() -> float:
    """The claim takes one unit and the result three (a row of 2 to 3 KB), each entry of an index one, and a GET one."""
    units = WRITES_OF_A_POSTED_JOB["table"] - 1 + math.ceil((900 + len(ANSWER)) / 1024)
    units += WRITES_OF_A_POSTED_JOB["by-user"] + WRITES_OF_A_POSTED_JOB["open-jobs"]
    return units * PRICES["dynamodb_write_request_unit"] + PRICES["dynamodb_read_request_unit"]


def _logs(size: float) -> float:
    return size / 1e9 * PRICES["logs_ingested_gb"]


def table(results: dict[str, Any]) -> str:
    """The costs in total and by service, and the memory."""
    default = WAYS[0]
    assert default.batch is not None
    # The slowest of a batch then takes 30 s, as all of them do.
    same = million(default, 30 / slowest_of(default.batch), results["counted"])
    counted = _ABOUT.format(
        checked=PRICE_LIST["checked"],
        round_trip=round(_ROUND_TRIP_SECONDS * 1000),
        spread=number(P99_SECONDS / P50_SECONDS),
        of_10=number(slowest_of(10)),
        of_50=number(slowest_of(50)),
        same=f"{sum(same.values()):,.0f}",
        default=f"{results['figures']['default_at_30_s']:,.0f}",
    )
    return "\n\n".join(
        (counted, totals(results), _by_service(results), _ABOUT_MEMORY, _memory_table(results["memory"]))
    )


def totals(results: dict[str, Any]) -> str:
    """US dollars per million jobs by the model's time."""
    rows = [
        (
            label,
            *(f"${sum(dollars[str(s)].values()):,.0f}" if dollars[str(s)] else "not possible" for s in MODEL_SECONDS),
        )
        for label, dollars in results["dollars"].items()
    ]
    return markdown_table(("US dollars per million jobs", *(f"model: {s} s" for s in MODEL_SECONDS)), rows)


def _dollars(by_service: dict[str, float]) -> str:
    return f"${sum(by_service.values()):,.0f}" if by_service else "not possible"


def _by_service(results: dict[str, Any]) -> str:
    at_10_s = {label: dollars["10"] for label, dollars in results["dollars"].items()}
    services = list(next(iter(at_10_s.values())))
    rows = [(label, *(dollars.get(service) for service in services)) for label, dollars in at_10_s.items()]
    return "At 10 s, by service:\n\n" + markdown_table(("", *services), rows)


def _memory_table(memory: dict[str, dict[str, Any]]) -> str:
    rows = [
        (batch, found["started_mb"], found["short_mb"], found["peak_mb"], smallest_safe_memory_mb(int(batch)))
        for batch, found in memory.items()
    ]
    header = ("batch", "started, MB", "with short responses, MB", "with 195 KB, MB", "smallest safe `memory_mb`")
    return markdown_table(header, rows)


def readme_part(results: dict[str, Any]) -> str:
    """The README's section on cost."""
    figures, tuned = results["figures"], WAYS[1]
    default_usd, tuned_usd = (f"${figures[name]:,.0f}" for name in ("default_at_30_s", "tuned_at_30_s"))
    text = (
        f"These are the list prices of us-east-1 ({PRICE_LIST['checked']}), without the model's tokens, for jobs that "
        "come fast enough to fill batches. Half of the model's calls take the given time, and 1% over "
        f"{P99_SECONDS / P50_SECONDS:g} times as long: a batch is billed until its slowest job ends ([what is "
        "counted](docs/performance.md#cost)). A job mostly waits for its "
        "model, and Lambda bills that time by the function's memory, so what counts is how many jobs share it. With "
        f"`processor` set to {tuned.memory_mb} MB, batches of {tuned.batch}, and a `maximum_concurrency` that keeps to "
        f"the model's quota, a million jobs with a model of 30 s cost {tuned_usd} instead of "
        f"{default_usd}. `ai-jobs doctor` names the smallest memory that is safe."
    )
    return f"{totals(results)}\n\n{textwrap.fill(text, 120)}"


_ABOUT = """\
What a million jobs cost at the list prices of us-east-1 (the latest were checked in {checked}; prices, sources, and
dates are in [prices.json](../functions/ai_jobs/operate/simulation/prices.json)), without free tiers and **without the
model's tokens**. Half of the model's calls take the time above the column, and 1% over {spread} times as long. The
slowest of 10 takes {of_10} times as long on average, and the slowest of 50 {of_50} times: a batch is billed until then.
If all calls took the same time, the default would cost ${same} at 30 s instead of ${default}.

A job is submitted with POST, runs in a full batch, has a response of 1.2 KB, causes an event, and is read once with
GET. Batches fill only with enough traffic: `ai-jobs simulate` says what yours costs. Calls, processor time, and bytes
of log are counted with canned responses; each result is assumed to need a call of its own to SQS, each call that
others wait for to take {round_trip} ms more, and a function with less than 1,769 MB to get that share of a processor.
*Lambda behind a POST* is a function that waits for the model, and does nothing else: no queue, no retries, no row,
and no call over 29 s, the longest that a REST API waits. Idle queues, traces, alarms, and storage are not included.
Results over 200,000 bytes cost an S3 PUT and a GET in addition ($5.40 per million jobs)."""

_ABOUT_MEMORY = """\
Of the processor's memory, most is Python with botocore and its service models. A thread takes less than 0.1 MB, and a
response of 200 KB in flight about four times its size: the body of the response, its text, the document of the result,
and the request that sends it. At most 50 jobs run at once, so that a batch of 100 needs little more than one of 50. The
smallest safe `memory_mb` is twice the peak, rounded up to a multiple of 64: the rest is for Lambda's runtime, TLS (less
than 10 MB for 50 connections, measured apart), and inputs as large as the responses. Less memory also means less of a
processor: with 192 MB, a cold start takes nine times as long as with 1,769 MB. `ai-jobs doctor` compares."""


def plot(results: dict[str, Any], folder: Path) -> None:
    """Draw the costs by the model's time."""
    from bench import drawing

    figure, (axes,) = drawing.figure(height=3.4)
    for index, (label, dollars) in enumerate(results["dollars"].items()):
        points = {s: sum(dollars[str(s)].values()) for s in MODEL_SECONDS if dollars[str(s)]}
        color = drawing.OURS if index < 2 else drawing.PEERS[index - 2]
        axes.plot(list(points), list(points.values()), "o-" if index != 1 else "o--", color=color, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(MODEL_SECONDS, [f"{s} s" for s in MODEL_SECONDS])
    axes.minorticks_off()
    axes.set_xlabel("the model's time")
    axes.set_ylabel("US dollars per million jobs")
    axes.legend()
    drawing.save(figure, folder, "cost")
