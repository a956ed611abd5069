"""What a comparison says: as tables, as Markdown, and as JSON."""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ai_jobs.contract.documents import whole
from ai_jobs.operate.comparison import Comparison, Figures, Pair, Thresholds, Verdict, ratio
from ai_jobs.operate.trials import Trial
from ai_jobs.operate.type_version import TypeVersion

FIGURES_HEADER = ("", "old", "new", "change")
CASES_HEADER = ("input", "old", "new", "tokens", "cost", "latency", "output")

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def figure_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """The figures of both versions side by side."""
    old, new = comparison.figures
    versions = (comparison.old, comparison.new)
    return [
        ("from", *(version.origin for version in versions), ""),
        ("model", *(", ".join(version.job_type.model_ids) for version in versions), ""),
        ("completed", *(f"{one.completed} of {one.runs}" for one in (old, new)), ""),
        ("model calls", str(old.calls), str(new.calls), _change(old.calls, new.calls)),
        ("input tokens", *_tokens(old, new, "input")),
        ("output tokens", *_tokens(old, new, "output")),
        ("cost", dollars(old.cost), dollars(new.cost), _change(old.cost, new.cost)),
        ("median latency", _seconds(old.seconds), _seconds(new.seconds), _change(old.seconds, new.seconds)),
    ]


def case_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """A row for each pair: what became of it with each version, and what changed."""
    return [
        (
            title(pair),
            _state(pair.old),
            _state(pair.new),
            f"{pair.old.usage.total} → {pair.new.usage.total}",
            "-" if None in (pair.old.cost, pair.new.cost) else f"{dollars(pair.old.cost)} → {dollars(pair.new.cost)}",
            f"{_seconds(pair.old.seconds)} → {_seconds(pair.new.seconds)}",
            _size_of_change(output_changes(pair)),
        )
        for pair in comparison.pairs
    ]


def footnotes(comparison: Comparison) -> list[str]:
    """What to know about the figures."""
    spent = f"All runs together cost {dollars(comparison.spent)}."
    notes = [
        "Calls, tokens, cost, and latency are those of the runs that both versions completed.",
        "The cost is not known: a price is missing." if comparison.spent is None else spent,
    ]
    retried = sum(len(trial.retried) for pair in comparison.pairs for trial in (pair.old, pair.new))
    if retried:
        notes.append(f"Tries after an error that passed: {retried}.")
    if len(comparison.pairs) < comparison.planned:
        notes.append(f"Interrupted: {len(comparison.pairs)} of {comparison.planned} runs were made.")
    return notes


def verdict_line(verdict: Verdict) -> str:
    """The verdict in one line."""
    word = "met" if verdict.met else "NOT MET"
    if verdict.measure == "valid":
        share = verdict.value or 0.0
        return f"{word}: {_percent(share)} of the new version's runs completed (at least {_percent(verdict.limit)})"
    value = "unknown" if verdict.value is None else f"{verdict.value:.3g} times the old version's"
    return f"{word}: the new version's {verdict.measure} is {value} (at most {verdict.limit:g} times)"


def markdown(comparison: Comparison, thresholds: Thresholds) -> str:
    """The report as a page, which also fits into a pull request's comment."""
    parts = [
        f"# Job type {comparison.name}: two versions",
        _table(FIGURES_HEADER, figure_rows(comparison)),
        " ".join(footnotes(comparison)),
        "\n".join(f"- {verdict_line(verdict)}" for verdict in comparison.verdicts(thresholds)),
        "## The change",
        _fenced(type_changes(comparison.old, comparison.new)),
        "## The inputs",
        _table(CASES_HEADER, case_rows(comparison)),
        *_details(comparison.pairs),
    ]
    return whole("\n\n".join(parts) + "\n")


def to_document(comparison: Comparison, thresholds: Thresholds) -> dict[str, Any]:
    """The report in JSON."""
    old, new = comparison.figures
    return {
        "jobType": comparison.name,
        "old": _version(comparison.old, old),
        "new": _version(comparison.new, new),
        "costRatio": ratio(old.cost, new.cost),
        "latencyRatio": ratio(old.seconds, new.seconds),
        "thresholds": [vars(verdict) for verdict in comparison.verdicts(thresholds)],
        "spent": comparison.spent,
        "finished": len(comparison.pairs) == comparison.planned,
        "runs": [_pair(pair) for pair in comparison.pairs],
    }


def title(pair: Pair) -> str:
    """How a report calls a pair."""
    return pair.case.name if pair.run == 1 else f"{pair.case.name}, run {pair.run}"


def type_changes(old: TypeVersion, new: TypeVersion) -> list[str]:
    """The unified diff of the two versions themselves."""
    return _diff(old.lines(), new.lines())


def output_changes(pair: Pair) -> list[str]:
    """The unified diff of the two outputs: of JSON by line, of text by sentence; empty if they are the same."""
    return _diff(_output_lines(pair.old), _output_lines(pair.new))


def dollars(cost: float | None) -> str:
    """An amount in US dollars, with the digits that a single call needs."""
    return "not known" if cost is None else f"${cost:.6f}" if cost < 0.01 else f"${cost:,.4f}"


def _tokens(old: Figures, new: Figures, kind: str) -> tuple[str, str, str]:
    counts = [getattr(figures.usage, f"{kind}_tokens") for figures in (old, new)]
    return str(counts[0]), str(counts[1]), _change(*counts)


def _percent(share: float) -> str:
    return f"{share * 100:.4g}%"


def _change(old: float | None, new: float | None) -> str:
    factor = ratio(old, new)
    return "" if factor is None else f"{factor - 1:+.0%}"


def _seconds(seconds: float | None) -> str:
    return "not known" if seconds is None else f"{seconds:.2f} s"


def _state(trial: Trial) -> str:
    if trial.error:
        return f"{trial.error.code} {trial.error.field or ''}".strip()
    repairs = trial.calls - 1
    notes = ["cut off"] if trial.result and trial.result.truncated else []
    if repairs:
        notes.append("1 correction" if repairs == 1 else f"{repairs} corrections")
    return ", ".join(["completed", *notes])


def _output_lines(trial: Trial) -> list[str]:
    problem = [f"{trial.error.code}: {trial.error.message}"] if trial.error else []
    lines = trial.written().splitlines()
    if trial.answer and trial.answer.json is None:
        # A paragraph is one line, and a changed word in it would hide what stayed.
        lines = [sentence for line in lines for sentence in _SENTENCE_END.split(line)]
    return problem + lines


def _diff(old: Sequence[str], new: Sequence[str]) -> list[str]:
    lines = difflib.unified_diff(old, new, "old", "new", lineterm="", n=2)
    return list(lines)[2:]  # without the names


def _size_of_change(changes: Sequence[str]) -> str:
    added, removed = (sum(line.startswith(sign) for line in changes) for sign in "+-")
    return f"+{added} -{removed}" if changes else "same"


def _details(pairs: Iterable[Pair]) -> Iterator[str]:
    for pair in pairs:
        if changes := output_changes(pair):
            yield f"<details><summary>{html.escape(title(pair))}</summary>\n\n{_fenced(changes)}\n\n</details>"


def _fenced(lines: Sequence[str]) -> str:
    """A block of a diff, with a fence that no line of a model's output can close."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join((f"{fence}diff", *lines, fence))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (header, ["---"] * len(header), *([_escaped(cell) for cell in row] for row in rows))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    """For a cell of a table: the name of a field, for example, can be a model's invention."""
    return re.sub(r"([\\|<>`*_\[\]])", r"\\\1", " ".join(text.split()))


def _version(version: TypeVersion, figures: Figures) -> dict[str, Any]:
    return {
        "origin": version.origin,
        "modelIds": list(version.job_type.model_ids),
        "runs": figures.runs,
        "completed": figures.completed,
        "modelCalls": figures.calls,
        "usage": figures.usage.to_document(),
        "estimatedCost": figures.cost,
        "medianModelSeconds": figures.seconds,
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "input": pair.case.name,
        "run": pair.run,
        "old": pair.old.to_document(),
        "new": pair.new.to_document(),
        "changes": output_changes(pair),
    }
