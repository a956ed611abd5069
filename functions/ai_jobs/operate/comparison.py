"""Two versions of a job type, run with the same inputs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ai_jobs.contract.errors import JobError
from ai_jobs.contract.result import Usage
from ai_jobs.operate.parallel import in_parallel
from ai_jobs.operate.trials import Trial, try_input
from ai_jobs.operate.tried_files import TriedFile, prompt_of
from ai_jobs.operate.type_version import TypeVersion
from ai_jobs.service.model_prices import ModelPrice, total_cost


@dataclass(frozen=True)
class Case:
    """An input with its files, and the name by which a report calls it."""

    name: str
    input: Mapping[str, Any]
    files: tuple[TriedFile, ...] = ()


@dataclass(frozen=True)
class Pair:
    """A case that was run once with each version.

    Attributes:
        run: which of the case's runs it is, from 1 on.
    """

    case: Case
    run: int
    old: Trial
    new: Trial

    @property
    def both_completed(self) -> bool:
        """Can tokens, cost, and latency be compared?"""
        return self.old.result is not None and self.new.result is not None


@dataclass(frozen=True)
class Figures:
    """What one version did.

    Attributes:
        completed: how many of its runs completed; with an output schema, that takes a valid output.
        calls, usage, cost: the sums over the pairs that both versions completed, in US dollars; the cost is None if it
            is not known.
        seconds: the median of the time that a model worked, over the same pairs; None without any.
    """

    runs: int
    completed: int
    calls: int
    usage: Usage
    cost: float | None
    seconds: float | None

    @property
    def valid_share(self) -> float:
        """The share of the runs that completed, from 0 to 1."""
        return self.completed / self.runs if self.runs else 0.0


@dataclass(frozen=True)
class Thresholds:
    """What the new version has to reach; None for no rule.

    Attributes:
        min_valid: the smallest share of its runs that complete, from 0 to 1.
        max_cost_ratio: its highest cost, as a multiple of the old one's.
        max_latency_ratio: its highest median latency, likewise.
    """

    min_valid: float = 1.0
    max_cost_ratio: float | None = None
    max_latency_ratio: float | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether a threshold is met.

    Attributes:
        measure: `valid`, `cost`, or `latency`.
        limit: the threshold, as in `Thresholds`.
        value: what was measured; None if that is not known, and then the threshold is not met.
    """

    measure: str
    limit: float
    value: float | None
    met: bool


@dataclass(frozen=True)
class Comparison:
    """The finished pairs of two versions; `planned` says how many there should be."""

    name: str
    old: TypeVersion
    new: TypeVersion
    pairs: Sequence[Pair]
    planned: int

    @property
    def figures(self) -> tuple[Figures, Figures]:
        """Those of the old and of the new version."""
        return _figures(self.pairs, lambda pair: pair.old), _figures(self.pairs, lambda pair: pair.new)

    @property
    def spent(self) -> float | None:
        """What all trials cost, in US dollars; None if that is not known."""
        return total_cost(trial.cost for pair in self.pairs for trial in (pair.old, pair.new))

    @property
    def nothing_worked(self) -> JobError | None:
        """The first error, if no trial completed: it may say more about the caller's setup than about a version."""
        trials = [trial for pair in self.pairs for trial in (pair.old, pair.new)]
        return None if any(trial.result for trial in trials) else trials[0].error

    def verdicts(self, thresholds: Thresholds) -> list[Verdict]:
        """Whether each threshold is met."""
        old, new = self.figures
        share = new.valid_share
        verdicts = [Verdict("valid", thresholds.min_valid, share, share >= thresholds.min_valid)]
        ratios = {
            "cost": (thresholds.max_cost_ratio, ratio(old.cost, new.cost)),
            "latency": (thresholds.max_latency_ratio, ratio(old.seconds, new.seconds)),
        }
        for measure, (most, value) in ratios.items():
            if most is not None:
                verdicts.append(Verdict(measure, most, value, value is not None and value <= most))
        return verdicts


def ratio(old: float | None, new: float | None) -> float | None:
    """The new value as a multiple of the old one; None if that is not known."""
    if old is None or new is None:
        return None
    return new / old if old else (1.0 if not new else None)


def rejected(case: Case, versions: Sequence[TypeVersion]) -> JobError | None:
    """Why no version takes this input; None if one does."""
    problems = []
    for version in versions:
        try:
            prompt_of(version.job_type, case.input, case.files)
        except JobError as error:
            problems.append(error)
    return problems[0] if len(problems) == len(versions) else None


def compare(
    old: TypeVersion,
    new: TypeVersion,
    cases: Sequence[Case],
    runs: int,
    prices: Mapping[str, ModelPrice],
    concurrency: int,
    pairs: list[Pair],
) -> Iterator[None]:
    """Run each case so often with both versions.

    Args:
        concurrency: how many model calls there are at most at a time.
        pairs: gets each pair as soon as both of its trials have ended; what is in it when the caller is interrupted is
            all that was finished.

    Yields:
        After each pair.
    """

    def work(task: tuple[int, Case, int]) -> None:
        number, case, run = task
        versions = {"old": old, "new": new}
        # In turn, because the first one may fill the prompt cache for the second.
        order = sorted(versions, reverse=number % 2 == 0)
        trials = {side: try_input(versions[side].job_type, case.input, prices, case.files) for side in order}
        pairs.append(Pair(case, run, trials["old"], trials["new"]))

    every = [(case, run) for case in cases for run in range(1, runs + 1)]
    tasks = [(number, case, run) for number, (case, run) in enumerate(every)]
    for _ in in_parallel(work, tasks, concurrency):
        yield


def _figures(pairs: Sequence[Pair], side: Callable[[Pair], Trial]) -> Figures:
    comparable = [side(pair) for pair in pairs if pair.both_completed]
    return Figures(
        runs=len(pairs),
        completed=sum(side(pair).result is not None for pair in pairs),
        calls=sum(trial.calls for trial in comparable),
        usage=sum((trial.usage for trial in comparable), Usage(0, 0)),
        cost=total_cost(trial.cost for trial in comparable) if comparable else None,
        seconds=statistics.median(trial.seconds for trial in comparable) if comparable else None,
    )
