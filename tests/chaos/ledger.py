"""What the suite knows of each job that it submitted, and what must hold for it in the end."""

from __future__ import annotations

import collections
import re
import threading
from dataclasses import dataclass, field
from typing import Any

import jsonschema

from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import CODES, ErrorClass

# A call that was answered with one of these words is followed by another: a classified retry.
_RETRIED = frozenset({"403", "429", "500", "503", "424", "cut", "nonsense", "empty", "types", "late"})

# This one too: the call after it corrects the output.
_CORRECTED = frozenset({"broken"})

FACTS = jsonschema.Draft4Validator(
    {
        "type": "object",
        "required": ["text", "rooms"],
        "properties": {"text": {"type": "string", "minLength": 1}, "rooms": {"type": "number", "minimum": 1}},
        "additionalProperties": False,
    }
)
"""The output of the job type `facts` (tests/stacks/stack); the table's numbers are decimals."""

# The classes whose jobs an operator can redrive.
_REDRIVABLE = (ErrorClass.OPERATOR, ErrorClass.EXHAUSTED, ErrorClass.CRASH)

# From the worker's look at the clock to the stub's, on a busy machine.
_CLOCK_SECONDS = 1.0

ORIGIN = "Origin"
"""An attribute of the suite's own, which every copy of a message must keep."""


@dataclass
class Job:
    """One submitted job.

    Attributes:
        fault: the fault that is meant for it.
        allowed: the ends that it may have: `completed`, or the error's code.
        trace_id: the trace id in its message.
        origin: the value of its attribute `Origin`; None when it came over HTTP, which knows no such attribute.
        body: its message, or what its PUT says.
        crashes: how often a worker that had it in hand was killed.
        outlived: how many of its calls were answered after their function's time.
        further_calls: calls that other events may add: a stolen lease, a lost result, a redrive.
        reported: the result that another producer sends for it; None when only its worker does.
    """

    job_id: str
    user_id: str
    job_type: str
    prompt: str
    fault: str
    allowed: frozenset[str]
    trace_id: str
    body: str
    origin: str | None = None
    crashes: int = 0
    further_calls: int = 0
    outlived: int = 0
    reported: dict[str, Any] | None = None


class Ledger:
    """All jobs, by id and by prompt; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._by_prompt: dict[str, Job] = {}
        self.strangers: collections.Counter[str] = collections.Counter()
        """Bodies of messages that are no jobs, and how often each was sent."""

    def add(self, job: Job) -> None:
        with self._lock:
            self._jobs[job.job_id] = job
            self._by_prompt[job.prompt] = job

    def __iter__(self):
        with self._lock:
            return iter(list(self._jobs.values()))

    def get(self, job_id: str) -> Job | None:
        with self._lock:
            return self._jobs.get(job_id)

    def of_prompt(self, prompt: str) -> Job:
        with self._lock:
            return self._by_prompt[prompt]

    def crashed(self, job_ids: list[str]) -> None:
        """A worker was killed that had these jobs in hand."""
        with self._lock:
            for job_id in job_ids:
                if job_id in self._jobs:
                    self._jobs[job_id].crashes += 1

    def more_calls(self, job: Job, count: int = 1) -> None:
        with self._lock:
            job.further_calls += count


@dataclass(frozen=True)
class Letter:
    """A message that lies in a dead-letter queue in the end."""

    queue: str
    body: str
    attributes: dict[str, str]
    group_id: str | None


@dataclass(frozen=True)
class State:
    """What is left when the system is quiet.

    Attributes:
        rows: the jobs table by job id.
        waiting: messages in the request and response queues, in any state.
        history: the stub's word for each call, by prompt.
        last_call: when the last call came, by prompt.
        faults: how many the proxy has made.
    """

    rows: dict[str, dict[str, Any]]
    letters: list[Letter]
    waiting: dict[str, int]
    history: dict[str, list[str]]
    last_call: dict[str, float]
    faults: int


@dataclass
class Verdict:
    """The broken invariants, each with the jobs that broke it."""

    broken: collections.defaultdict[str, list[str]] = field(default_factory=lambda: collections.defaultdict(list))

    def blame(self, invariant: str, what: str) -> None:
        self.broken[invariant].append(what)

    def __str__(self) -> str:
        lines = [
            f"{name}: {len(found)} of them, such as\n    " + "\n    ".join(found[:5])
            for name, found in self.broken.items()
        ]
        return "\n".join(lines)


def end_of(row: dict[str, Any] | None) -> str:
    """How a job ended: `completed`, the error's code, its open state, or `no row`."""
    if row is None:
        return "no row"
    return str(row["error"]["code"] if row["status"] == "failed" else row["status"])


def is_over(row: dict[str, Any] | None) -> bool:
    return row is not None and row["status"] in ("completed", "failed", "cancelled")


def calls_allowed(job: Job, history: list[str]) -> int:
    """1 + crashes + classified retries + corrections (and what else may ask for another call)."""
    retries = sum(word in _RETRIED | _CORRECTED for word in history)
    return 1 + job.crashes + retries + job.further_calls


def judge(jobs: list[Job], strangers: collections.Counter[str], state: State) -> Verdict:
    """Check every invariant of the suite."""
    verdict = Verdict()
    for job in jobs:
        _judge_job(job, state, verdict)
    for queue, count in state.waiting.items():
        if count:
            verdict.blame("nothing is left in a queue", f"{queue}: {count}")
    lettered = {letter.attributes.get("JobId") for letter in state.letters}
    for job in jobs:
        code = end_of(state.rows.get(job.job_id))
        if CODES.get(code) in _REDRIVABLE and job.job_id not in lettered:
            verdict.blame("what can be redriven has its dead letter", f"{job.fault} {job.job_id}: {code}")
    for letter in state.letters:
        _judge_letter(letter, {job.job_id: job for job in jobs}, state, verdict)
    found = collections.Counter(letter.body for letter in state.letters)
    for body, count in strangers.items():
        if found[body] < count:
            verdict.blame("no message is lost", f"{count - found[body]} x {body[:80]}")
    return verdict


def _judge_job(job: Job, state: State, verdict: Verdict) -> None:
    row, history = state.rows.get(job.job_id), state.history.get(job.prompt, [])
    name = f"{job.fault} {job.job_id}: {end_of(row)}, calls {history}, crashes {job.crashes}, more {job.further_calls}"
    if row is None:
        verdict.blame("no job is lost", name)
        return
    if not is_over(row):
        verdict.blame("every job ends", name)
        return
    if {"leaseExpiresAt", "openShard", "dueAt"} & row.keys():
        verdict.blame("an ended job is in nobody's hands", name)
    if end_of(row) not in job.allowed:
        verdict.blame("a job ends as its fault asks for", f"{name}; allowed {sorted(job.allowed)}")
    if len(history) > calls_allowed(job, history):
        verdict.blame("no call beyond 1 + crashes + classified retries + corrections", name)
    if job.outlived:
        verdict.blame("no call outlives its function", name)
    last_call = state.last_call.get(job.prompt, 0)
    if "deadlineAt" in row and last_call > _seconds(row["deadlineAt"]) + _CLOCK_SECONDS:
        verdict.blame("no call starts after the deadline", f"{name}; deadline {row['deadlineAt']}")
    is_reported = job.reported is not None and row.get("result") == job.reported
    if "result" in row and not is_reported and _call_of(row) != len(history):
        verdict.blame("the result is that of the latest attempt", f"{name}; result of call {_call_of(row)}")
    if history[-1:] == ["half"] and row["status"] == "completed" and "\ufffd" not in row["result"]["text"]:
        verdict.blame("half a surrogate pair is replaced", name)
    if job.job_type == "facts" and row["status"] == "completed" and not FACTS.is_valid(row["result"].get("json")):
        verdict.blame("no job is completed with invalid JSON", f"{name}: {row['result']}")
    if row.get("traceId") != job.trace_id:
        verdict.blame("the trace id survives", name)


def _seconds(text: str) -> float:
    return timestamps.from_text(text).timestamp()


def _call_of(row: dict[str, Any]) -> int:
    text = row["result"].get("text") or row["result"]["json"]["text"]
    found = re.search(r"\(call (\d+)\)$", text)
    return int(found.group(1)) if found else 1


def _judge_letter(letter: Letter, jobs: dict[str, Job], state: State, verdict: Verdict) -> None:
    attributes = letter.attributes
    name = f"{letter.queue} {attributes} {letter.body[:80]}"
    code = attributes.get("ErrorCode")
    if code not in CODES or "JobId" not in attributes:
        verdict.blame("every dead letter says why", name)
        return
    if CODES[code] is ErrorClass.NOT_A_JOB:
        return
    row, job = state.rows.get(attributes["JobId"]), jobs.get(attributes["JobId"])
    if row is None or row["status"] != "failed":
        verdict.blame("every dead letter has a failed job", f"{name}: {end_of(row)}")
    kept = (attributes.get(ORIGIN), attributes.get("TraceId"), letter.group_id)
    if job and kept != (job.origin, job.trace_id, job.user_id):
        verdict.blame("group and attributes survive every copy", f"{name}, group {letter.group_id}")
