"""Hypothesis drives the job store with submissions, claims, results, cancellations, redrives, clock jumps and
reconciler runs in any order, and compares it with a model of the lifecycle (docs/how-it-works.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from ai_jobs import AIJobResultMessage, JobError
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.service import job_store
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.lifecycle import ERASE, EXPIRED, NO_ROW, RESCHEDULE, TRANSITIONS
from ai_jobs.service.outcomes import Applied, Claimed, ClaimTerms, Refusal, Running, Submission, Submitted
from ai_jobs.service.table import JobsTable

LEASE = timedelta(seconds=60)
DEADLINE_SECONDS = 300
GRACE_SECONDS = 120
RETENTION = timedelta(days=1)
JOB_IDS = ("a", "b")
PAYLOADS = ("one", "two")


@dataclass
class Expected:
    """What the row of one job should be."""

    payload: str
    status: str
    updated_at: datetime
    expires_at: datetime
    attempt: int = 0
    calls: int = 0
    message_id: str | None = None
    lease_until: datetime | None = None
    deadline_at: datetime | None = None
    due_at: datetime | None = None
    completed_at: datetime | None = None
    code: str | None = None
    text: str | None = None
    started: bool = True
    results: list[str] = field(default_factory=list)

    def is_open(self) -> bool:
        return self.status in ("queued", "processing")

    def is_untouched(self) -> bool:
        return self.status == "queued" and not self.started

    def is_free(self, now: datetime) -> bool:
        return self.status == "queued" or (self.status == "processing" and self.lease_until <= now)


class JobStoreMachine(RuleBasedStateMachine):
    """Messages are sent, received any number of times and in any order; workers die, hang on and come back late."""

    messages = Bundle("messages")
    claims = Bundle("claims")

    @initialize(world=st.just(None))
    def start(self, world: None) -> None:
        self.now = self.clock.time = self.start_time
        self.rows: dict[str, Expected] = {}
        # Rows that have expired, and that TTL has not deleted yet: nobody may see them.
        self.leftovers: dict[str, Expected] = {}
        self.numbers = iter(range(1_000_000))
        self.submitted: dict[str, Submitted] = {}
        self.store: JobStore = self.new_store()

    # What happens in the world

    @rule(seconds=st.sampled_from([1, 30, 61, 200, 500]))
    def time_passes(self, seconds: int) -> None:
        self._forward(timedelta(seconds=seconds))

    @rule()
    def a_day_passes(self) -> None:
        self._forward(RETENTION)

    def _forward(self, by: timedelta) -> None:
        self.clock.time += by
        self.now = self.clock.time
        self.leftovers |= {job_id: row for job_id, row in self.rows.items() if row.expires_at <= self.now}
        self.rows = {job_id: row for job_id, row in self.rows.items() if row.expires_at > self.now}

    @rule(target=messages, job_id=st.sampled_from(JOB_IDS), payload=st.sampled_from(PAYLOADS))
    def send(self, job_id: str, payload: str) -> Any:
        """A client sends a job; a redrive looks just like it."""
        return self._message(job_id, payload, {})

    @rule(target=messages, job_id=st.sampled_from(JOB_IDS), payload=st.sampled_from(PAYLOADS))
    def put(self, job_id: str, payload: str) -> Any:
        """A client submits a job through the API, perhaps once more."""
        message = self._message(job_id, payload, {})
        row = self.rows.get(job_id)
        got = self.store.submit(message[1], DEADLINE_SECONDS, GRACE_SECONDS)
        if row is not None and row.payload != payload:
            assert got.submission is Submission.CONFLICT
            return multiple()
        if row is None or row.code == "ENQUEUE_FAILED":
            self.leftovers.pop(job_id, None)
            row = self.rows[job_id] = Expected(payload, "queued", self.now, self.now, started=False)
            row.deadline_at = self.now + timedelta(seconds=DEADLINE_SECONDS)
            row.due_at = row.deadline_at + timedelta(seconds=GRACE_SECONDS)
            row.expires_at = row.due_at + RETENTION
        elif row.is_untouched():
            row.due_at = row.deadline_at + timedelta(seconds=GRACE_SECONDS)
            row.updated_at = self.now
        else:
            assert got.submission is Submission.REPEATED
            return multiple()
        assert got.submission is Submission.ACCEPTED
        self.submitted[job_id] = got
        return message

    @rule(job_id=st.sampled_from(JOB_IDS))
    def its_message_is_refused(self, job_id: str) -> None:
        """SQS did not take the message, or so it seems: it may be received all the same."""
        row, due_at, submitted = self.rows.get(job_id), self.now + timedelta(seconds=20), self.submitted.get(job_id)
        if row is None or submitted is None:
            return
        still_so = row.is_untouched() and row.updated_at == submitted.updated_at
        assert self.store.expect_message_until(job_id, due_at, submitted) is still_so
        if still_so:
            row.due_at = due_at

    @rule(job_id=st.sampled_from(JOB_IDS))
    def cancel(self, job_id: str) -> None:
        row, got = self.rows.get(job_id), self.store.cancel(job_id)
        assert (got.row is None) is (row is None)
        in_time = row is not None and (row.is_open() or row.code == "ENQUEUE_FAILED")
        just_now = row is not None and row.status == "cancelled" and row.completed_at == self.now
        assert got.done is (in_time or just_now)
        if in_time:
            row.status, row.code, row.text = "cancelled", None, None
            row.lease_until = row.due_at = None
            row.completed_at = row.updated_at = self.now

    @rule(target=messages, original=messages)
    def copy(self, original: tuple[str, ReceivedJob]) -> Any:
        """A worker lets a delayed copy take a message's place, while the table can't be reached."""
        _, job = original
        first = job.first_sent_at.isoformat().replace("+00:00", "Z")
        return self._message(job.job_id, job.document["input"]["name"], {"FirstSentAt": first})

    def _message(self, job_id: str, payload: str, attributes: dict[str, str]) -> tuple[str, ReceivedJob]:
        self.clock.time += timedelta(seconds=1)
        self.now = self.clock.time
        message_id = f"m{next(self.numbers)}"
        body = self.body(jobId=job_id, input={"name": payload})
        return message_id, ReceivedJob.parse(body, attributes, message_id, self.now)

    # What workers do

    @rule(target=claims, message=messages)
    def claim(self, message: tuple[str, ReceivedJob]) -> Any:
        message_id, job = message
        terms = ClaimTerms(self.now + LEASE, DEADLINE_SECONDS, GRACE_SECONDS)
        expected = self._expect_claim(message_id, job)
        got = self.store.claim(job, message_id, terms)
        if isinstance(expected, Expected):
            assert got == Claimed(expected.attempt, expected.deadline_at, expected.calls)
            self.rows[job.job_id] = expected
            self.leftovers.pop(job.job_id, None)
            return message_id, job, expected.attempt
        assert got == expected
        return multiple()

    def _expect_claim(self, message_id: str, job: ReceivedJob) -> Expected | Running | Refusal:
        payload = job.document["input"]["name"]
        row = self.rows.get(job.job_id)
        if row is None:
            return self._expect_claim_of_leftover(message_id, job, payload)
        if row.payload != payload:
            return Refusal.CONFLICT
        if row.is_free(self.now):
            return self._claimed(message_id, payload, row, deadline_at=row.deadline_at)
        if row.status == "processing":
            # The same message in the same moment: it was claimed, the answer was lost, and the client tried again.
            same = (row.message_id, row.updated_at) == (message_id, self.now)
            return row if same else Running(row.lease_until)
        if row.status == "failed" and job.first_sent_at > row.completed_at:
            return self._claimed(message_id, payload, since=self.now)
        if row.code == "ENQUEUE_FAILED":  # its message came after all
            return self._claimed(message_id, payload, since=job.created_at)
        return Refusal.FINISHED

    def _expect_claim_of_leftover(self, message_id: str, job: ReceivedJob, payload: str) -> Expected:
        left = self.leftovers.get(job.job_id)
        if left is None:
            return self._claimed(message_id, payload, since=job.created_at)
        if left.payload == payload and left.is_open():  # the same job still: its attempts and its deadline go on
            return self._claimed(message_id, payload, left, deadline_at=left.deadline_at)
        return self._claimed(message_id, payload, since=self.now)

    def _claimed(
        self,
        message_id: str,
        payload: str,
        before: Expected | None = None,
        since: datetime | None = None,
        deadline_at: datetime | None = None,
    ) -> Expected:
        if since is not None:
            deadline_at = since + timedelta(seconds=DEADLINE_SECONDS)
        return Expected(
            payload,
            "processing",
            self.now,
            self.now + RETENTION,
            before.attempt + 1 if before else 1,
            before.calls + 1 if before else 1,
            message_id,
            self.now + LEASE,
            deadline_at,
            deadline_at + timedelta(seconds=GRACE_SECONDS),
        )

    @rule(claim=claims, as_copy=st.booleans(), work_began=st.booleans())
    def release(self, claim: tuple[str, ReceivedJob, int], as_copy: bool, work_began: bool) -> None:
        _, job, attempt = claim
        row = self.rows.get(job.job_id)
        if row is None:
            return
        held = row.status == "processing" and row.attempt == attempt
        copy_id = f"m{next(self.numbers)}" if as_copy else None
        assert self.store.release(job.job_id, attempt, copy_id, work_began=work_began) is held
        if held:
            row.status, row.lease_until, row.updated_at = "queued", None, self.now
            row.message_id = copy_id or row.message_id
            row.calls -= not work_began

    @rule(claim=claims, code=st.sampled_from([None, "INVALID_INPUT"]))
    def report(self, claim: tuple[str, ReceivedJob, int], code: str | None) -> None:
        """The result of an attempt arrives: in time, late, or once more."""
        _, job, attempt = claim
        text = f"result {next(self.numbers)}"
        outcome = {"error": {"code": code, "message": "m"}} if code else {"result": {"text": text}}
        row = self.rows.get(job.job_id)
        if row is None:
            return
        message = AIJobResultMessage(
            job.job_id, "user-1", "greeting", "failed" if code else "completed", attempt, timestamp=self.now, **outcome
        )
        got = self.store.apply_result(message).applied
        given_up = row.code in ("JOB_STALLED", "WORKER_CRASHED")  # whose result is paid for
        counts = row.attempt == attempt and (row.is_open() or given_up)
        assert (got is Applied.APPLIED) is counts
        self._end(row, counts, code, text)

    @rule(job_id=st.sampled_from(JOB_IDS), code=st.sampled_from([None, "JOB_FAILED"]), future=st.booleans())
    def report_from_elsewhere(self, job_id: str, code: str | None, future: bool) -> None:
        """A producer of the platform's own reports: it knows no attempts, and its clock may be wrong."""
        text = f"result {next(self.numbers)}"
        outcome = {"error": "m"} if code else {"result": {"text": text}}
        row = self.rows.get(job_id)
        if row is None:
            return
        at = datetime(2999, 1, 1, tzinfo=UTC) if future else self.now
        status = "failed" if code else "completed"
        message = AIJobResultMessage(job_id, "somebody", "some-type", status, timestamp=at, **outcome)
        counts = row.is_open()
        assert (self.store.apply_result(message).applied is Applied.APPLIED) is counts
        self._end(row, counts, code, text)

    def _end(self, row: Expected, counts: bool, code: str | None, text: str) -> None:
        if counts:
            row.status, row.code = ("failed", code) if code else ("completed", None)
            row.text = None if code else text
            row.lease_until = row.due_at = None
            row.completed_at = row.updated_at = self.now

    # What the reconciler does

    @rule()
    def close_stalled(self) -> None:
        for shard in range(job_store.OPEN_SHARDS):
            for found in self.store.listing.open_jobs_past_due(shard):
                row = self.rows.get(found["jobId"])
                code = "JOB_STALLED" if "startedAt" in found else "ENQUEUE_FAILED"
                closed = self.store.close_stalled(found["jobId"], JobError(code, "m"), started="startedAt" in found)
                if row is None:  # expired, and not yet deleted
                    if closed:
                        self._fail(self.leftovers[found["jobId"]], code)
                    continue
                stalled = row.is_open() and row.due_at <= self.now and row.is_free(self.now)
                assert closed is stalled
                if closed:
                    assert code == ("JOB_STALLED" if row.started else "ENQUEUE_FAILED")
                    self._fail(row, code)
        overdue = [row for row in self.rows.values() if row.is_open() and row.due_at <= self.now]
        assert not [row for row in overdue if row.is_free(self.now)], "a job past its due date stayed open"

    @rule(job_id=st.sampled_from(JOB_IDS))
    def close_dead(self, job_id: str) -> None:
        """The reconciler has found the job's message in the DLQ."""
        found = self.store.find(job_id)
        row = self.rows.get(job_id)
        if found is None or row is None:
            return
        closed = self.store.close(found, JobError("WORKER_CRASHED", "m"))
        assert closed is row.is_free(self.now)
        if closed:
            self._fail(row, "WORKER_CRASHED")

    @rule(message=messages)
    def create_failed(self, message: tuple[str, ReceivedJob]) -> None:
        """The reconciler has found a message of which there is no row."""
        message_id, job = message
        created = self.store.create_failed(job, message_id, JobError("WORKER_CRASHED", "m"))
        assert created is (job.job_id not in self.rows)
        if created:
            row = Expected(job.document["input"]["name"], "failed", self.now, self.now + RETENTION)
            row.message_id = message_id
            self.rows[job.job_id] = row
            self.leftovers.pop(job.job_id, None)
            self._fail(row, "WORKER_CRASHED")

    def _fail(self, row: Expected, code: str) -> None:
        row.status, row.code, row.text = "failed", code, None
        row.lease_until = row.due_at = None
        row.completed_at = row.updated_at = self.now

    # What holds at any time

    @invariant()
    def the_table_is_as_expected(self) -> None:
        for job_id in JOB_IDS:
            row, expected = self.store.get(job_id), self.rows.get(job_id)
            assert (row is None) is (expected is None)
            if row is None or expected is None:
                continue
            assert (row["status"], int(row["attempt"])) == (expected.status, expected.attempt)
            assert int(row["calls"]) == expected.calls
            assert row.get("messageId") == expected.message_id
            assert row["expiresAt"] == int(expected.expires_at.timestamp())
            assert row.get("error", {}).get("code") == row.get("errorCode") == expected.code
            assert row.get("result", {}).get("text") == expected.text
            assert ("openShard" in row, "dueAt" in row) == (expected.is_open(), expected.is_open())
            assert ("leaseExpiresAt" in row) is (expected.status == "processing")
            if expected.completed_at:
                assert row["completedAt"] == expected.completed_at.isoformat(timespec="milliseconds").replace(
                    "+00:00", "Z"
                )


def test_the_store_keeps_to_the_lifecycle(aws, clock, body, monkeypatch):
    """Random histories. They are not shrunk: against moto that takes minutes, and a history has 40 steps at most."""

    seen = set()
    table = boto3.resource("dynamodb").Table(aws.table)
    execute = JobsTable.execute

    def watched(self, transition, job_id, *change, **more):
        """Each transition starts from the states that it declares, and leads to the one that it declares."""
        before = table.get_item(Key={"jobId": job_id}).get("Item")
        after = execute(self, transition, job_id, *change, **more)
        sources = {before["status"]} if before else {NO_ROW}
        sources |= {EXPIRED} if before and self.is_expired(before) else set()
        assert sources & set(transition.sources), f"{transition.name} from {sources}"
        assert after["status"] == transition.target
        seen.add(transition.name)
        return after

    monkeypatch.setattr(JobsTable, "execute", watched)
    # As many as there are jobs: each query of an empty shard takes its time, and shows nothing.
    monkeypatch.setattr(job_store, "OPEN_SHARDS", len(JOB_IDS))

    class Machine(JobStoreMachine):
        def new_store(self) -> JobStore:
            for row in table.scan(ProjectionExpression="jobId")["Items"]:
                table.delete_item(Key=row)
            return JobStore(aws.table, retention_days=1, clock=clock)

    Machine.clock, Machine.body, Machine.start_time = clock, staticmethod(body), clock.time
    Machine.TestCase.settings = settings(
        max_examples=50,
        stateful_step_count=40,
        phases=[Phase.generate],
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    Machine.TestCase().runTest()
    # Erasing is not a part of these histories (test_erasing.py), and none of these few reschedules (test_jobs_api.py).
    assert seen >= {transition.name for transition in TRANSITIONS} - {ERASE.name, RESCHEDULE.name}
