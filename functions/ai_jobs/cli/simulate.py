"""`ai-jobs simulate`: how long jobs would wait, what would limit them, and what they would cost."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from ai_jobs.cli.exits import Problem
from ai_jobs.cli.numbers import limited, positive_number, whole_number
from ai_jobs.cli.output import json_option, print_fields, print_json, print_table
from ai_jobs.cli.traffic import (
    LONGEST_SECONDS,
    MOST_PER_SECOND,
    arrivals_of,
    check_amount,
    profile,
    tenant_bursts,
    tenant_shares,
    tenants_of,
)
from ai_jobs.contract.limits import LIMITS, MARGINS

if TYPE_CHECKING:
    from ai_jobs.operate.simulation.outcome import Outcome
    from ai_jobs.operate.simulation.scenario import Quota, Scenario

_LARGEST_BATCH_WITHOUT_WINDOW = 10
_LINES = 12

# Above this, the p99 of a lognormal distribution makes its mean a multiple of its p50 that no model has.
_WIDEST_LATENCY = 1000
_LONGEST_CALL = LIMITS["model_timeout_seconds"].max - sum(MARGINS["processor"].values()) - 1

_seconds_of_a_call = positive_number(LIMITS["model_timeout_seconds"].max, "seconds")
_tokens = whole_number(1, 10_000_000)


def _number(name: str, callback: Callable[..., Any], text: str, default: str | None = None) -> Callable[..., Any]:
    """An option that is a number; without a default, it may be omitted."""
    shown = default is not None
    return click.option(name, type=str, callback=callback, metavar="N", help=text, default=default, show_default=shown)


def _all_of(*options: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return lambda command: functools.reduce(lambda decorated, option: option(decorated), reversed(options), command)


_traffic = _all_of(
    _number("--rate", positive_number(MOST_PER_SECOND, "jobs per second"), "Jobs per second, at random moments."),
    _number("--duration", positive_number(LONGEST_SECONDS, "seconds"), "How many seconds jobs arrive.", "60"),
    click.option(
        "--profile",
        callback=profile,
        metavar="SECONDS:RATE,...",
        help="Periods with rates of their own, such as 60:10,30:200,60:10, in place of --rate and --duration.",
    ),
    _number("--burst", whole_number(0), "How many jobs come all at once at the start.", "0"),
    click.option(
        "--tenant",
        "shares",
        callback=tenant_shares,
        multiple=True,
        metavar="NAME:SHARE",
        help="A tenant and its share of the arrivals, such as acme:0.9. Repeatable.",
    ),
    click.option(
        "--tenant-burst",
        "bursts",
        callback=tenant_bursts,
        multiple=True,
        metavar="NAME:JOBS@SECOND",
        help="Jobs that a tenant submits at once in addition, such as acme:5000@30. Repeatable.",
    ),
)
_model = _all_of(
    _number("--latency-p50", _seconds_of_a_call, "The median of a model call, in seconds.", "2"),
    _number(
        "--latency-p99", _seconds_of_a_call, "Its 99th percentile (lognormal). Without it, every call takes the median."
    ),
    _number(
        "--model-timeout",
        whole_number(1, _LONGEST_CALL, ", which leaves the processor's 900 s enough for the rest"),
        "timeout_seconds of the job type: a longer call is cut off, and tried again.",
        "120",
    ),
    _number("--tokens-per-minute", whole_number(1), "The model's quota of tokens."),
    _number("--requests-per-minute", whole_number(1), "The model's quota of requests, if it has one."),
    _number("--input-tokens", _tokens, "Input tokens of a job.", "500"),
    _number("--output-tokens", _tokens, "Output tokens of a job.", "300"),
    _number("--max-tokens", _tokens, "max_tokens of the job type, which the quota reserves.", "2048"),
)
_settings = _all_of(
    _number("--batch-size", limited("batch_size"), "processor.batch_size", "10"),
    _number("--batching-window", limited("batching_window_seconds"), "processor.batching_window_seconds", "5"),
    _number("--maximum-concurrency", limited("maximum_concurrency"), "processor.maximum_concurrency", "10"),
    _number("--memory", limited("memory_mb"), "processor.memory_mb", "3008"),
    _number("--result-concurrency", limited("maximum_concurrency"), "result_handler.maximum_concurrency", "10"),
    click.option("--scaled-up", is_flag=True, help="Start warm, as after hours of such traffic."),
)


@click.command
@_traffic
@_model
@_settings
@_number("--seed", whole_number(0), "Another one draws other random numbers.", "1")
@json_option
def simulate(as_json: bool, **given: Any) -> None:
    """Predict how long jobs wait, what limits them, and what they cost, for a traffic, a model, and settings.

    It simulates the system: fair queues, Lambda's pollers with their batches and their scaling, cold starts, model
    calls, the model's quota, delayed copies after a throttle, and the result handler. It calls nothing and needs no
    environment. The same inputs give the same output. A wait lasts from the submission to the first claim, and the
    total time until the result is stored. Costs are those of AWS in us-east-1, without the model's tokens.
    """
    outcome = _run(given)
    if given["latency_p99"] is None:
        told = f"Every model call takes {given['latency_p50']:g} s. Real ones vary: pass --latency-p99, too."
        click.echo(told, err=True)
    if as_json:
        print_json({"seed": given["seed"]} | outcome.to_document())
        return
    _print(outcome.to_document())


def _run(given: dict[str, Any]) -> Outcome:
    # Imported here: the help needs neither SimPy nor boto3.
    try:
        from ai_jobs.operate.simulation.run import simulate as run
    except ModuleNotFoundError as error:
        if error.name != "simpy":
            raise
        raise Problem("ai-jobs simulate needs SimPy: install it with: pip install 'ai-jobs[simulate]'") from None
    outcome = run(_scenario(given))
    if not outcome.everyone.totals:
        raise click.UsageError("no job arrived by chance, so few are expected: pass a higher rate, or a longer time")
    return outcome


def _scenario(given: dict[str, Any]) -> Scenario:
    from ai_jobs.operate.simulation.distributions import model_latency
    from ai_jobs.operate.simulation.scenario import Scenario, Trigger

    arrivals = arrivals_of(given["rate"], given["duration"], given["profile"], given["burst"])
    tenants = tenants_of(given["shares"], given["bursts"])
    _check_latency(given["latency_p50"], given["latency_p99"], given["model_timeout"])
    _check_batch(given["batch_size"], given["batching_window"])
    is_scaled_up = given["scaled_up"]
    scenario = Scenario(
        arrivals=arrivals,
        latency=model_latency(given["latency_p50"], given["latency_p99"]),
        quota=_quota(given),
        tenants=tenants,
        processor=Trigger(
            given["batch_size"], given["batching_window"], given["maximum_concurrency"], is_scaled_up=is_scaled_up
        ),
        result_handler=Trigger(maximum_concurrency=given["result_concurrency"], is_scaled_up=is_scaled_up),
        processor_memory_mb=given["memory"],
        model_timeout_seconds=given["model_timeout"],
        seed=given["seed"],
    )
    check_amount(scenario)
    return scenario


def _check_latency(p50: float, p99: float | None, timeout_seconds: int) -> None:
    if p50 >= timeout_seconds:
        raise click.UsageError(
            f"--latency-p50 is {p50:g}, and --model-timeout is {timeout_seconds}, which cuts off half of the calls: "
            f"pass a larger --model-timeout, up to {_LONGEST_CALL}"
        )
    if p99 is not None and p99 < p50:
        raise click.UsageError(
            f"--latency-p99 is {p99:g}, and --latency-p50 is {p50:g}: pass at least as much as for p50"
        )
    if p99 is not None and p99 > _WIDEST_LATENCY * p50:
        raise click.UsageError(
            f"--latency-p99 is {p99:g}, and --latency-p50 is {p50:g}: pass at most {_WIDEST_LATENCY:,} times as much"
        )


def _check_batch(size: int, window_seconds: int) -> None:
    if size > _LARGEST_BATCH_WITHOUT_WINDOW and not window_seconds:
        raise click.UsageError(
            f"--batch-size is {size}, and --batching-window is 0. Lambda requires a window of at least 1 second for a "
            "batch of more than 10: pass a window, or a batch of at most 10"
        )


def _quota(given: dict[str, Any]) -> Quota:
    from ai_jobs.operate.simulation.scenario import Quota

    names = ("requests_per_minute", "tokens_per_minute", "input_tokens", "output_tokens", "max_tokens")
    quota = Quota(**{name: given[name] for name in names})
    if quota.tokens_per_minute is not None and quota.tokens_per_minute < quota.reserved_tokens:
        raise click.UsageError(
            f"--tokens-per-minute is {quota.tokens_per_minute}, and one call reserves {quota.reserved_tokens} (its "
            "input and max_tokens), so that no job could ever run: pass a larger quota, or a smaller --max-tokens"
        )
    if quota.output_tokens > quota.max_tokens:
        raise click.UsageError(
            f"--output-tokens is {quota.output_tokens}, and --max-tokens is {quota.max_tokens}, which a model does not "
            "exceed: pass a larger --max-tokens"
        )
    return quota


_TIMES = ("waitP50Seconds", "waitP99Seconds", "totalP50Seconds", "totalP99Seconds")
_SAMPLED = ("waiting", "inFlight", "concurrency", "openJobs")
_COSTS = {
    "submission": "POST (API Gateway)",
    "queues": "queues",
    "processor": "processor",
    "resultHandler": "result handler",
    "table": "table",
    "events": "events",
    "logs": "logs",
    "total": "total",
}


def _print(document: dict[str, Any]) -> None:
    _print_times(document["tenants"])
    click.echo()
    print_fields(_figures(document))
    click.echo()
    _print_samples(document["samples"])
    click.echo()
    costs = document["usdPerMillionJobs"].items()
    print_table(("COST", "US DOLLARS PER MILLION JOBS"), [(_COSTS[name], f"{usd:.2f}") for name, usd in costs])


def _print_times(tenants: Sequence[dict[str, Any]]) -> None:
    columns = ("TENANT", "JOBS", "FAILED", "WAIT P50", "WAIT P99", "TOTAL P50", "TOTAL P99")
    names = ("tenant", "jobs", "failed")
    print_table(
        columns,
        [[*(tenant[name] for name in names), *(f"{tenant[name]:.2f} s" for name in _TIMES)] for tenant in tenants],
    )


def _figures(document: dict[str, Any]) -> dict[str, object]:
    concurrency = document["concurrency"]
    return {
        "throughput": f"{document['jobsPerSecond']:g} jobs per second, over {document['simulatedSeconds']:g} s",
        "processor": f"{concurrency['processorMean']:g} invocations on average, {concurrency['processorMax']} at most",
        "batches": f"{document['messagesPerBatch']:g} messages on average",
        "result handler": f"{concurrency['resultHandlerMax']} invocations at most",
        "cold starts": document["coldStarts"],
        "model calls": f"{document['modelCalls']}, of which {document['timeouts']} timed out",
        "throttled": f"{document['throttles']} times, by the model",
        "deferred": f"{document['deferrals']} times, to another invocation that has enough time",
        "longest queue": f"{document['waitingMax']} messages",
        "warm-up": _warm_up(document["warmUp"]),
    }


def _warm_up(of: dict[str, Any]) -> str:
    if not of["seconds"]:
        return "none"
    return f"{of['seconds']:g} s and {of['jobs']} jobs before the start, in the counts and costs but not in the times"


def _print_samples(samples: Sequence[dict[str, Any]]) -> None:
    print_table(
        ("AT", "WAITING", "IN FLIGHT", "CONCURRENCY", "OPEN JOBS"),
        [
            [f"{sample['atSeconds']:g} s", *(sample[name] for name in _SAMPLED)]
            for sample in samples[:: math.ceil(len(samples) / _LINES)]
        ],
    )
