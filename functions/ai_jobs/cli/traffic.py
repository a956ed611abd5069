"""The traffic of `ai-jobs simulate`: what its options say about arrivals and tenants."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from ai_jobs.cli.numbers import is_whole, read_number
from ai_jobs.contract.limits import PATTERNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ai_jobs.operate.simulation.scenario import Arrivals, Scenario, Tenant

MOST_JOBS = 2_000_000
"""The most jobs of one run, which take a minute or two."""

LONGEST_SECONDS = 86_400
"""How long jobs may arrive: a day."""

MOST_PER_SECOND = 100_000
"""The highest rate."""

_LARGEST_SHARE = 1_000_000
_ALL = "all"


def profile(_: click.Context, __: click.Parameter, text: str | None) -> list[tuple[float, float]] | None:
    """A callback: the seconds and the jobs per second of each period."""
    return None if text is None else [_period(part) for part in text.split(",")]


def _period(text: str) -> tuple[float, float]:
    seconds, _, rate = text.partition(":")
    numbers = read_number(seconds), read_number(rate)
    if numbers[0] is None or numbers[1] is None or numbers[0] <= 0 or numbers[1] < 0:
        raise click.BadParameter(
            f"{text!r} is not a period: pass SECONDS:JOBS_PER_SECOND, separated by commas, such as 60:10,30:200,60:10"
        )
    if numbers[1] > MOST_PER_SECOND:
        raise click.BadParameter(f"{text!r} is too fast: pass at most {MOST_PER_SECOND:,} jobs per second")
    return numbers[0], numbers[1]


def tenant_shares(_: click.Context, __: click.Parameter, texts: Sequence[str]) -> list[tuple[str, float]]:
    """A callback: each tenant's name and share of the arrivals."""
    return [_tenant_share(text) for text in texts]


def _tenant_share(text: str) -> tuple[str, float]:
    name, _, share_text = text.rpartition(":")
    share = read_number(share_text)
    if not re.fullmatch(PATTERNS["user_id"], name) or share is None or not 0 < share <= _LARGEST_SHARE:
        raise click.BadParameter(
            f"{text!r} is not a tenant: pass NAME:SHARE with the name of a user and a share above 0 and up to "
            f"{_LARGEST_SHARE:,}, such as acme:0.9"
        )
    if name == _ALL:
        raise click.BadParameter(f"{text!r}: {_ALL} is the line of all tenants together: pass another name")
    return name, share


def tenant_bursts(_: click.Context, __: click.Parameter, texts: Sequence[str]) -> list[tuple[str, int, float]]:
    """A callback: the name of each tenant that submits many jobs at once, how many, and in which second."""
    return [_tenant_burst(text) for text in texts]


def _tenant_burst(text: str) -> tuple[str, int, float]:
    name, _, rest = text.rpartition(":")
    count, _, second = rest.partition("@")
    at_seconds = read_number(second or "0")
    if not name or not is_whole(count) or at_seconds is None or not 0 <= at_seconds <= LONGEST_SECONDS:
        raise click.BadParameter(
            f"{text!r} is not a burst: pass NAME:JOBS@SECOND with a whole number of jobs, in a second from 0 to "
            f"{LONGEST_SECONDS:,}, such as acme:5000@30"
        )
    return name, int(count), at_seconds


def arrivals_of(
    rate: float | None, duration: float, profile: Sequence[tuple[float, float]] | None, burst: int
) -> Arrivals:
    """The arrivals that the options describe.

    Raises:
        UsageError: if they describe two kinds at once, or more than a day.
    """
    from ai_jobs.operate.simulation.scenario import Arrivals, Period

    if rate and profile:
        raise click.UsageError("--rate and --profile both say how many jobs arrive: pass only one of them")
    periods = [Period(*period) for period in profile or ([(duration, rate)] if rate else [])]
    arrivals = Arrivals(tuple(periods), burst)
    if arrivals.seconds > LONGEST_SECONDS:
        raise click.UsageError(
            f"the periods of --profile last {arrivals.seconds:g} s: pass at most {LONGEST_SECONDS:,}"
        )
    return arrivals


def tenants_of(shares: Sequence[tuple[str, float]], bursts: Sequence[tuple[str, int, float]]) -> tuple[Tenant, ...]:
    """The tenants that the options describe; without any, a single one.

    Raises:
        UsageError: if a tenant is there twice, or a burst names none of them.
    """
    from ai_jobs.operate.simulation.scenario import Tenant

    names = [name for name, _ in shares]
    for name in names:
        if names.count(name) > 1:
            raise click.UsageError(f"--tenant names {name} twice: pass each tenant once")
    burst_by_name = {name: (jobs, at_seconds) for name, jobs, at_seconds in bursts}
    if len(burst_by_name) < len(bursts):
        raise click.UsageError("--tenant-burst names a tenant twice: pass one burst for each")
    for name in burst_by_name:
        if name not in names:
            raise click.UsageError(
                f"--tenant-burst names {name}, which is not a tenant: pass --tenant {name}:SHARE, too"
            )
    return tuple(Tenant(name, share, *burst_by_name.get(name, ())) for name, share in shares) or (Tenant(_ALL),)


def check_amount(scenario: Scenario) -> None:
    """Raise a UsageError if no jobs arrive, or so many that the run would take too long."""
    arrivals = scenario.arrivals
    steady = sum(period.seconds * period.jobs_per_second for period in arrivals.periods)
    jobs = steady + arrivals.burst_jobs + sum(tenant.burst_jobs for tenant in scenario.tenants)
    if not jobs:
        raise click.UsageError("no jobs arrive: pass --rate, --profile, or --burst")
    warming = scenario.warm_up_seconds * arrivals.initial_rate
    if jobs + warming > MOST_JOBS:
        told = f" ({warming:,.0f} of them in the warm-up of --scaled-up)" if warming else ""
        raise click.UsageError(
            f"{jobs + warming:,.0f} jobs would arrive{told}, and a run has at most {MOST_JOBS:,}: pass a lower rate, a "
            "shorter time, or a smaller burst"
        )
