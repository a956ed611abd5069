"""The suite's figures, as a table that docs/reliability.md is written from."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.ledger import Job, State, Verdict, calls_allowed, end_of, is_over

TARGET = Path(__file__).resolve().parents[2] / ".local" / "chaos.md"

_HEAD = (
    "| fault | jobs | completed | other ends | model calls | retries | crashes | lost | stuck | calls beyond |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


@dataclass
class Report:
    """One run of the suite."""

    seed: int
    full: bool
    parts: list[str] = field(default_factory=list)

    def add(self, title: str, jobs: list[Job], state: State, recovered: str, verdict: Verdict) -> None:
        """Add the figures of one test: jobs by fault."""
        by_fault: dict[str, list[Job]] = collections.defaultdict(list)
        for job in jobs:
            by_fault[job.fault].append(job)
        rows = [_row(fault, found, state) for fault, found in by_fault.items()]
        rows.append(_row("**all**", jobs, state))
        broken = f"\n\nBroken:\n{verdict}" if verdict.broken else ""
        self.parts.append(
            f"{title} (seed {self.seed}); all quiet {recovered} after the last fault; "
            f"{len(state.letters)} dead-lettered messages, {state.faults} faults of the proxy so far\n\n{_HEAD}\n"
            + "\n".join(rows)
            + broken
        )

    def write(self) -> None:
        """Print the tables, and leave them in .local/chaos.md."""
        text = "\n\n".join(self.parts) + "\n"
        TARGET.parent.mkdir(exist_ok=True)
        TARGET.write_text(text, encoding="utf-8")
        if self.full:
            print(f"\n{text}")


def _row(fault: str, jobs: list[Job], state: State) -> str:
    rows = [state.rows.get(job.job_id) for job in jobs]
    ends = collections.Counter(end_of(row) for row in rows)
    failed = ", ".join(f"{count} {end}" for end, count in sorted(ends.items()) if end != "completed")
    histories = {job.job_id: state.history.get(job.prompt, []) for job in jobs}
    calls = sum(len(history) for history in histories.values())
    beyond = sum(len(histories[job.job_id]) > calls_allowed(job, histories[job.job_id]) for job in jobs)
    cells = [
        fault,
        len(jobs),
        ends["completed"],
        failed or "-",
        calls,
        calls - sum(bool(history) for history in histories.values()),
        sum(job.crashes for job in jobs),
        sum(row is None for row in rows),
        sum(row is not None and not is_over(row) for row in rows),
        beyond,
    ]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
