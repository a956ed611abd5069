"""What callers do with jobs: each operation is one or more transitions of a row (ai_jobs.service.lifecycle)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import JobError
from ai_jobs.contract.limits import TABLE
from ai_jobs.contract.locations import result_owner
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.contract.result import AIJobResultMessage
from ai_jobs.contract.row import JobRow, JobStatus, has_ended, is_erased
from ai_jobs.service import lifecycle
from ai_jobs.service.lifecycle import Transition
from ai_jobs.service.listing import Listing
from ai_jobs.service.outcomes import (
    Applied,
    Cancellation,
    Claimed,
    ClaimTerms,
    Refusal,
    ResultOutcome,
    Running,
    Submission,
    Submitted,
)
from ai_jobs.service.row_fields import (
    at_fields,
    created_fields,
    due_fields,
    identity_fields,
    outcome_fields,
    schedule_fields,
)
from ai_jobs.service.table import JobsTable, RefusedError

OPEN_SHARDS: int = TABLE["open_shards"]
"""Partitions of the index of open jobs: one constant key would be a hot partition."""

# As long as a message can exist: 14 days in its queue, and 14 more in the DLQ, from which it may be redriven.
_TOMBSTONE_LIFE = timedelta(days=30)


def open_shard(job_id: str) -> int:
    """The job's partition of the index of open jobs. A checksum, because hash() differs between processes."""
    return zlib.crc32(job_id.encode()) % OPEN_SHARDS


class JobStore:
    """The jobs of one table.

    Every method raises JobError `DEPENDENCY_UNAVAILABLE` if DynamoDB is down or throttles, `DEPENDENCY_REFUSED` if it
    refuses (permissions, a missing table).

    Args:
        table_name: the jobs table.
        retention_days: how long a row is kept after its last claim.
        clock: returns the current time.
        bucket: the only bucket in which a result may be stored; None rejects every result that is in a bucket.

    Attributes:
        listing: lists of the same jobs.
    """

    def __init__(
        self,
        table_name: str,
        retention_days: int = 30,
        clock: Callable[[], datetime] = timestamps.now,
        bucket: str | None = None,
    ) -> None:
        self._table = JobsTable(table_name, clock)
        self.listing = Listing(self._table, clock)
        self._retention = timedelta(days=retention_days)
        self._clock = clock
        self._bucket = bucket

    # Reading

    def get(self, job_id: str) -> JobRow | None:
        """The row, read consistently; None if it does not exist, was erased, or has expired."""
        row = self.find(job_id)
        return None if row is None or is_erased(row) else row

    def find(self, job_id: str) -> JobRow | None:
        """Like `get`, but also returns the row of an erased job (see `is_erased`)."""
        return self._table.get(job_id)

    def get_all(self, job_ids: Iterable[str]) -> dict[str, JobRow]:
        """The rows of these jobs by id, each as `get` returns it; jobs without a row are omitted."""
        return {job_id: row for job_id, row in self.find_all(job_ids).items() if not is_erased(row)}

    def find_all(self, job_ids: Iterable[str]) -> dict[str, JobRow]:
        """Like `get_all`, but also returns the rows of erased jobs (see `is_erased`)."""
        return self._table.get_all(job_ids)

    def is_job(self, job: ReceivedJob) -> bool:
        """Whether the row with this id belongs to this job."""
        row = self.get(job.job_id)
        return row is not None and row.get("payloadHash") == job.payload_hash

    # Submitting

    def submit(self, job: ReceivedJob, deadline_seconds: int, grace_seconds: int, delay_seconds: int = 0) -> Submitted:
        """Write the `queued` row of a job whose message is sent next. One conditional write; a repeated call takes two.

        A repeated call is ACCEPTED until a worker claims the job, because the message may never have been sent; an
        extra message is harmless. A job that was closed because its message never arrived is ACCEPTED too, and starts
        over.

        Args:
            deadline_seconds: how long the job may take from now on.
            grace_seconds: how long after its deadline an open job counts as stalled.
            delay_seconds: delays the start by this many seconds. A repeated call does not change the delay.
        """
        now = self._clock()
        not_before = now + timedelta(seconds=delay_seconds)
        deadline_at = now + timedelta(seconds=deadline_seconds)
        row = identity_fields(job, now) | created_fields(job.job_id, now) | due_fields(deadline_at, grace_seconds)
        row |= {"openShard": open_shard(job.job_id), "attempt": 0, "calls": 0}
        # The row must outlive the job, however long the job waits.
        row["expiresAt"] = self._expires_at(deadline_at + timedelta(seconds=grace_seconds))
        if delay_seconds:
            row["notBefore"] = timestamps.to_text(not_before)
        try:
            self._table.execute(lifecycle.SUBMIT, job.job_id, row, at_fields(now) | {"hash": job.payload_hash})
        except RefusedError as refused:
            return self._submit_again(job, refused.row, grace_seconds)
        return Submitted(Submission.ACCEPTED, now, not_before, now)

    def _submit_again(self, job: ReceivedJob, found: JobRow | None, grace_seconds: int) -> Submitted:
        now = self._clock()
        if found is None or is_erased(found) or found.get("payloadHash") != job.payload_hash:
            return Submitted(Submission.CONFLICT, now, now, now)
        created_at = timestamps.from_text(found["createdAt"])
        not_before = timestamps.from_text(found.get("notBefore") or found["createdAt"])
        repeated = Submitted(Submission.REPEATED, created_at, not_before, now)
        if found["status"] != JobStatus.QUEUED or "startedAt" in found:
            return repeated
        due = due_fields(timestamps.from_text(found["deadlineAt"]), grace_seconds)
        written = self._is_made(lifecycle.RESUBMIT, job.job_id, due | {"updatedAt": timestamps.to_text(now)})
        return replace(repeated, submission=Submission.ACCEPTED) if written else repeated

    def expect_message_until(self, job_id: str, due_at: datetime, submitted: Submitted) -> bool:
        """Let a queued job whose message may be missing count as overdue from `due_at`.

        Returns False if the message has arrived or the job was submitted again.
        """
        due, given = {"dueAt": timestamps.to_text(due_at)}, {"updatedAt": timestamps.to_text(submitted.updated_at)}
        return self._is_made(lifecycle.EXPECT_MESSAGE, job_id, due, given)

    # Working

    def claim(self, job: ReceivedJob, message_id: str, terms: ClaimTerms) -> Claimed | Running | Refusal:
        """Claim the job for this worker: one conditional write, and a second only for a redrive or an expired row."""
        now = self._clock()
        holding = self._holding(job, message_id, terms, now)
        origin = created_fields(job.job_id, job.created_at)
        fields = holding | origin | schedule_fields(job.created_at, now, terms)
        given = at_fields(now) | {"hash": job.payload_hash}
        try:
            row = self._table.execute(lifecycle.CLAIM, job.job_id, fields, given, add={"attempt": 1, "calls": 1})
        except RefusedError as refused:
            found = refused.row
            held = {"status": JobStatus.PROCESSING.value} | holding
            if found is not None and held.items() <= found.items():
                return Claimed.of(found)  # the write succeeded, but the response was lost and the client retried
            expired = found is not None and self._table.is_expired(found)
            if found is None or not (expired or _reopens(job, found)):
                return self._refusal(job, found)
            # The first message of a job is not a redrive: the job's time has been running since it was submitted.
            since = now if expired or _is_redrive(job, found) else job.created_at
            if not expired:  # it is still the same job
                origin = {name: value for name, value in origin.items() if name not in found}
            again = holding | origin | schedule_fields(since, now, terms) | {"attempt": 1, "calls": 1}
            return self._reopen(job, found, again)
        self._give_all_its_time(row, terms)
        return Claimed.of(row)

    def _reopen(self, job: ReceivedJob, found: JobRow, fields: dict[str, Any]) -> Claimed | Running | Refusal:
        given = {"found": found["status"], "updatedAt": found["updatedAt"]}
        try:
            return Claimed.of(self._table.execute(lifecycle.REOPEN, job.job_id, fields, given))
        except RefusedError as refused:
            return self._refusal(job, refused.row)

    def _refusal(self, job: ReceivedJob, found: JobRow | None) -> Running | Refusal:
        if found is None:  # just deleted: the next receive claims it
            return Running(self._clock())
        if is_erased(found):
            return Refusal.FINISHED
        if found.get("payloadHash") != job.payload_hash:
            return Refusal.CONFLICT
        if has_ended(found):
            return Refusal.FINISHED
        # Without a lease, it was just released: the next receive claims it.
        return Running(timestamps.from_text(found["leaseExpiresAt"]) if "leaseExpiresAt" in found else self._clock())

    def _holding(self, job: ReceivedJob, message_id: str, terms: ClaimTerms, now: datetime) -> dict[str, Any]:
        fields = identity_fields(job, now) | {
            "messageId": message_id,
            "leaseExpiresAt": timestamps.to_text(terms.lease_expires_at),
            "openShard": open_shard(job.job_id),
            "expiresAt": self._expires_at(now),
        }
        return fields | ({"configVersion": terms.config_version} if terms.config_version else {})

    def _give_all_its_time(self, row: JobRow, terms: ClaimTerms) -> None:
        """Undo `expect_message_until`: the message has arrived."""
        due = due_fields(timestamps.from_text(row["deadlineAt"]), terms.grace_seconds)
        if due["dueAt"] != row["dueAt"]:
            # Neither is fatal: another worker has claimed the job, or the job counts as overdue at its deadline.
            with suppress(RefusedError, JobError):
                self._table.execute(lifecycle.RESCHEDULE, row["jobId"], due, {"attempt": row["attempt"]})

    def release(self, job_id: str, attempt: int, message_id: str | None = None, *, work_began: bool = True) -> bool:
        """Return the job to the queue: `queued`, no lease, same attempt. Returns False if the job is no longer ours.

        Args:
            message_id: the delayed copy that carries the job from now on; None if the message itself returns.
            work_began: False if the attempt only waited. Its claim counted it in `calls`, which callers
                see as `attempts`; the same write subtracts it again.
        """
        fields = {"updatedAt": timestamps.to_text(self._clock())} | ({"messageId": message_id} if message_id else {})
        add = {} if work_began else {"calls": -1}
        return self._is_made(lifecycle.RELEASE, job_id, fields, {"attempt": attempt}, add)

    def apply_result(self, message: AIJobResultMessage) -> ResultOutcome:
        """Write the outcome of an attempt to the row, if the attempt is still the job's latest.

        Terminal states are final, except that a late result of the same attempt replaces `JOB_STALLED` and
        `WORKER_CRASHED`: it has already been paid for.

        Raises:
            JobError: also `NOT_A_RESULT`, if `resultLocation` is not one of the job's own.
        """
        now = self._clock()
        transition, given = _end_reported_by(message)
        owner = self._owner_of_location(message)
        if owner is not None:
            transition, given = transition.for_owner(), given | {"owner": owner}
        fields = outcome_fields(message, now) | {"updatedAt": timestamps.to_text(now)}
        try:
            return ResultOutcome(Applied.APPLIED, self._table.execute(transition, message.job_id, fields, given))
        except RefusedError as refused:
            return self._not_applied(message, refused.row, owner)

    def _not_applied(self, message: AIJobResultMessage, found: JobRow | None, owner: str | None) -> ResultOutcome:
        if found is None:
            return ResultOutcome(Applied.UNKNOWN_JOB)
        if owner is not None and not is_erased(found) and found.get("userId") != owner:
            raise _misplaced("the job belongs to another user", "key") from None
        latest = found.get("attempt")
        repeated = latest is not None and message.attempt in (None, latest)
        return ResultOutcome(Applied.REPEATED if repeated else Applied.SUPERSEDED)

    def _owner_of_location(self, message: AIJobResultMessage) -> str | None:
        """The user that the location of a result belongs to; None if the result is in the message."""
        if message.status != "completed" or message.result_location is None:
            return None
        if message.result_location["bucket"] != self._bucket:
            raise _misplaced(f"results are stored in {self._bucket or 'no bucket here'}", "bucket")
        return result_owner(message.result_location, message.job_id)

    # Ending otherwise

    def cancel(self, job_id: str, user_id: str | None = None) -> Cancellation:
        """Set an open job to `cancelled`: no worker can claim it anymore, and the result of a busy one is dropped.

        A job that was closed because its message never arrived counts as open: the message may still arrive.

        Args:
            user_id: the user that the job must belong to; None allows any user.
        """
        now = self._clock()
        text = timestamps.to_text(now)
        transition, given = lifecycle.CANCEL, at_fields(now)
        if user_id is not None:
            transition, given = transition.for_owner(), given | {"owner": user_id}
        try:
            row = self._table.execute(transition, job_id, {"completedAt": text, "updatedAt": text}, given)
        except RefusedError as refused:
            found = refused.row
            if found is None or is_erased(found) or self._table.is_expired(found):
                return Cancellation(None)
            if user_id not in (None, found.get("userId")):
                return Cancellation(None)
            # This cancellation: the write succeeded, but the response was lost and the client retried.
            own = found["status"] == JobStatus.CANCELLED and found.get("completedAt") == text
            return Cancellation(found, done=own)
        return Cancellation(row, done=True)

    def close_stalled(self, job_id: str, error: JobError, *, started: bool) -> bool:
        """Set a job to `failed` if it is open past its `dueAt` and no worker holds it; otherwise return False.

        Args:
            started: whether a worker ever claimed it; the row must agree.
        """
        transition = lifecycle.STALL if started else lifecycle.GIVE_UP_WAITING
        return self._is_made(transition, job_id, self._failure(error), at_fields(self._clock()))

    def close(self, found: JobRow, error: JobError, failed_at: datetime | None = None) -> bool:
        """Set an open job to `failed` if its row has not changed since it was read and no worker holds it.

        Args:
            failed_at: the `FailedAt` of its dead-lettered message; now by default. A redrive may have been sent since
                then, and a message that is older than the failure counts as a duplicate.
        """
        given = at_fields(self._clock()) | {"updatedAt": found["updatedAt"]}
        return self._is_made(lifecycle.CLOSE, found["jobId"], self._failure(error, failed_at), given)

    def create_failed(
        self, job: ReceivedJob, message_id: str, error: JobError, failed_at: datetime | None = None
    ) -> bool:
        """Write the row of a job that no worker ever claimed as `failed`; return False if there is a row by now.

        Args:
            failed_at: see `close`.
        """
        now = self._clock()
        row = identity_fields(job, now) | created_fields(job.job_id, job.created_at) | self._failure(error, failed_at)
        row |= {"messageId": message_id, "attempt": 0, "calls": 0, "expiresAt": self._expires_at(now)}
        return self._is_made(lifecycle.RECORD_FAILURE, job.job_id, row, at_fields(now))

    def erase(self, job_id: str) -> None:
        """Replace a row with one that says nothing about the user and keeps the job from running again."""
        now = self._clock()
        text = timestamps.to_text(now)
        tombstone = {"updatedAt": text, "erasedAt": text, "expiresAt": int((now + _TOMBSTONE_LIFE).timestamp())}
        self._table.execute(lifecycle.ERASE, job_id, tombstone)

    def _is_made(
        self,
        transition: Transition,
        job_id: str,
        fields: Mapping[str, Any],
        given: Mapping[str, Any] | None = None,
        add: Mapping[str, int] | None = None,
    ) -> bool:
        try:
            self._table.execute(transition, job_id, fields, given, add)
        except RefusedError:
            return False
        return True

    def _failure(self, error: JobError, failed_at: datetime | None = None) -> dict[str, Any]:
        now = self._clock()
        return {
            "error": error.to_body(),
            "errorCode": error.code,
            "completedAt": timestamps.to_text(failed_at or now),
            "updatedAt": timestamps.to_text(now),
        }

    def _expires_at(self, now: datetime) -> int:
        return int((now + self._retention).timestamp())


def _reopens(job: ReceivedJob, found: JobRow) -> bool:
    """A redrive: the message was sent after the job failed. A late first message reopens `ENQUEUE_FAILED`.

    For a delayed copy, the time at which its original was sent counts: a duplicate that waited as a copy during an
    outage of the table is not a redrive.
    """
    if found["status"] != JobStatus.FAILED or found.get("payloadHash") != job.payload_hash:
        return False
    return found.get("errorCode") == "ENQUEUE_FAILED" or _is_redrive(job, found)


def _is_redrive(job: ReceivedJob, found: JobRow) -> bool:
    return job.first_sent_at > timestamps.from_text(found["completedAt"])


def _end_reported_by(message: AIJobResultMessage) -> tuple[Transition, dict[str, Any]]:
    """The transition that a result calls for, and the values for its condition."""
    failed = message.status == "failed"
    if message.attempt is None:
        return lifecycle.FAIL_OPEN if failed else lifecycle.COMPLETE_OPEN, {}
    given = {"attempt": message.attempt, "reached": timestamps.to_text(message.timestamp)}
    return lifecycle.FAIL if failed else lifecycle.COMPLETE, given


def _misplaced(why: str, part: str) -> JobError:
    field_name = f"resultLocation.{part}"
    return JobError("NOT_A_RESULT", f"{field_name} is not a location of the job's own: {why}", field_name)
