"""How long something takes: distributions to sample from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from statistics import NormalDist
from typing import Protocol

_Z99 = NormalDist().inv_cdf(0.99)


class Distribution(Protocol):
    """A distribution of times, in seconds."""

    @property
    def p99_seconds(self) -> float:
        """What 99% of the times do not exceed."""

    def sample(self, random: Random) -> float:
        """One time, drawn with this source of random numbers."""


@dataclass(frozen=True)
class Fixed:
    """Always the same time."""

    seconds: float

    @property
    def p99_seconds(self) -> float:
        return self.seconds

    def sample(self, random: Random) -> float:  # noqa: ARG002 - the protocol's signature
        return self.seconds


@dataclass(frozen=True)
class Exponential:
    """The distribution with a closed form for most queues; the tests compare with those."""

    mean_seconds: float

    @property
    def p99_seconds(self) -> float:
        return self.mean_seconds * math.log(100)

    def sample(self, random: Random) -> float:
        return random.expovariate(1 / self.mean_seconds)


@dataclass(frozen=True)
class Lognormal:
    """Many calls near the median, and a few that take much longer: how models respond."""

    p50_seconds: float
    p99_seconds: float

    def sample(self, random: Random) -> float:
        sigma = math.log(self.p99_seconds / self.p50_seconds) / _Z99
        return random.lognormvariate(math.log(self.p50_seconds), sigma)


def model_latency(p50_seconds: float, p99_seconds: float | None) -> Distribution:
    """Lognormal with these percentiles; without the second one, always the first."""
    if p99_seconds is None or p99_seconds == p50_seconds:
        return Fixed(p50_seconds)
    return Lognormal(p50_seconds, p99_seconds)
