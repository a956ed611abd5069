"""The traffic of `ai-jobs simulate`: what its options say about arrivals and tenants."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from ai_jobs.cli.numbers import read_number
from ai_jobs.contract.limits import PATTERNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ai_jobs.operate.simulation.scenario import Arrivals, Tenant

MOST_JOBS = 2_000_000
"""The most jobs of one run, which take a minute or two."""

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
    return numbers[0], numbers[1]


def tenant_shares(_: click.Context, __: click.Parameter, texts: Sequence[str]) -> list[tuple[str, float]]:
    """A callback: each tenant's name and share of the arrivals."""
    return [_tenant_share(text) for text in texts]


def _tenant_share(text: str) -> tuple[str, float]:
    name, _, share_text = text.rpartition(":")
    share = read_number(share_text)
    if not re.fullmatch(PATTERNS["user_id"], name) or share is None or share <= 0:
        raise click.BadParameter(
            f"{text!r} is not a tenant: pass NAME:SHARE with the name of a user and a share above 0, such as acme:0.9"
        )
    return name, share


def tenant_bursts(_: click.Context, __: click.Parameter, texts: Sequence[str]) -> list[tuple[str, int, float]]:
    """A callback: the name of each tenant that submits many jobs at once, how many, and in which second."""
    return [_tenant_burst(text) for text in texts]


def _tenant_burst(text: str) -> tuple[str, int, float]:
    name, _, rest = text.rpartition(":")
    count, _, second = rest.partition("@")
    at_seconds = read_number(second or "0")
    if not name or not (count.isascii() and count.isdecimal()) or at_seconds is None or at_seconds < 0:
        raise click.BadParameter(
            f"{text!r} is not a burst: pass NAME:JOBS@SECOND with a whole number of jobs, such as acme:5000@30"
        )
    return name, int(count), at_seconds


def arrivals_of(
    rate: float | None, duration: float, profile: Sequence[tuple[float, float]] | None, burst: int
) -> Arrivals:
    """The arrivals that the options describe.

    Raises:
        UsageError: if they describe none, or two kinds at once.
    """
    from ai_jobs.operate.simulation.scenario import Arrivals, Period

    if rate and profile:
        raise click.UsageError("--rate and --profile both say how many jobs arrive: pass only one of them")
    periods = [Period(*period) for period in profile or ([(duration, rate)] if rate else [])]
    return Arrivals(tuple(periods), burst)


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


def check_amount(arrivals: Arrivals, tenants: Sequence[Tenant]) -> None:
    """Raise a UsageError if no jobs arrive, or so many that the run would take too long."""
    steady = sum(period.seconds * period.jobs_per_second for period in arrivals.periods)
    jobs = steady + arrivals.burst_jobs + sum(tenant.burst_jobs for tenant in tenants)
    if not jobs:
        raise click.UsageError("no jobs arrive: pass --rate, --profile, or --burst")
    if jobs > MOST_JOBS:
        raise click.UsageError(
            f"{jobs:,.0f} jobs would arrive, and a run has at most {MOST_JOBS:,}: pass a shorter --duration"
        )
