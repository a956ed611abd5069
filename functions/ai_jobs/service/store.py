"""The jobs table: one row a job, changed only by conditional writes (docs/how-it-works.md, The row)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import Any, cast

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from ai_jobs.aws.clients import get_dynamodb_client
from ai_jobs.aws.errors import dependency_error
from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import JobError
from ai_jobs.contract.locations import result_owner
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.contract.result import AIJobResultMessage, is_usage
from ai_jobs.contract.row import ERASED_AT, JobStatus, Row, is_erased

OPEN_SHARDS = 64
"""Partitions of the index of open jobs: one constant key would be a hot partition."""

USER_SORT_KEY = "createdAt#jobId"
"""Range key of the index by user: newest first, and unique."""

OPEN_JOBS_INDEX = "open-jobs"
BY_USER_INDEX = "by-user"

_NOT_BEFORE = "notBefore"

# As long as a message can live: 14 days in its queue, and as many in the DLQ from where it may be redriven.
_TOMBSTONE_LIFE = timedelta(days=30)

# The most that one BatchGetItem takes.
_BATCH_GET_LIMIT = 100

_HISTORY_PAGE = 100
_OVERDUE_PAGE = 100

# Queries that one page of a listing may take before it is given back as it is.
_MOST_QUERIES = 10


@dataclass(frozen=True)
class ClaimTerms:
    """What a worker asks for when it claims a job.

    Attributes:
        lease_expires_at: when another worker may take the job over: the end of this invocation.
        deadline_seconds: how long the job may take, counted from its submission or its redrive.
        grace_seconds: how long after its deadline an open job counts as stalled.
        config_version: the job type configuration in force, if it is known.
    """

    lease_expires_at: datetime
    deadline_seconds: int
    grace_seconds: int
    config_version: str | None = None


@dataclass(frozen=True)
class Claimed:
    """The job is this worker's until its lease ends.

    Attributes:
        attempt: the number of this attempt; it goes with every later write, so that a late one is told apart.
        deadline_at: until when the job may run.
        calls: how many attempts began work, this one included; callers see it as `attempts`.
    """

    attempt: int
    deadline_at: datetime
    calls: int


@dataclass(frozen=True)
class Running:
    """Another worker holds the job until `lease_expires_at`."""

    lease_expires_at: datetime


class Refusal(Enum):
    """Why a job can't be claimed, other than that it is running."""

    FINISHED = "finished"
    CONFLICT = "conflict"


class Applied(Enum):
    """What became of a result."""

    APPLIED = "applied"
    REPEATED = "repeated"
    SUPERSEDED = "superseded"
    UNKNOWN_JOB = "unknown job"


@dataclass(frozen=True)
class ResultOutcome:
    """What became of a result, and the job's row as it is now (None unless it was applied)."""

    applied: Applied
    row: Row | None = None


class Submission(Enum):
    """What a submission finds under its job id."""

    ACCEPTED = "accepted"
    """The row is `queued`, and a message has to be sent: there was no such job, or its message may be missing."""

    REPEATED = "repeated"
    """The job is there already and has its message; nothing is left to do."""

    CONFLICT = "conflict"
    """The id is taken by another job."""


@dataclass(frozen=True)
class Submitted:
    """What became of a submission.

    Attributes:
        created_at: when the job was first submitted.
        not_before: when it may begin: then, or after the delay that it was first submitted with.
        updated_at: when its row was written; `expect_message_until` wants it.
    """

    submission: Submission
    created_at: datetime
    not_before: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Cancellation:
    """What became of a cancellation.

    Attributes:
        row: the job as it is now; None when there is no such job (for this user).
        done: whether this call cancelled it, rather than found it ended.
    """

    row: Row | None
    done: bool = False


Position = tuple[str, str]
"""A place in the list of a user's jobs: the index's range key and the job id of the last row before it."""


@dataclass(frozen=True)
class Page:
    """Some of a user's jobs, the newest first; `after` is where the next page begins, None when there is none."""

    rows: list[Row]
    after: Position | None


_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def _to_item(values: Row) -> dict[str, Any]:
    return {name: _serializer.serialize(value) for name, value in values.items()}


def _to_row(item: dict[str, Any]) -> Row:
    return {name: _deserializer.deserialize(value) for name, value in item.items()}


def row_of_image(image: dict[str, Any]) -> Row:
    """The row that a record of the table's stream shows, as it was before (`OldImage`) or after (`NewImage`)."""
    return _to_row(image)


class _RefusedError(Exception):
    """A condition did not hold; `row` is what stood there instead (None: no row)."""

    def __init__(self, row: Row | None) -> None:
        super().__init__("the condition did not hold")
        self.row = row


@dataclass(frozen=True)
class _Update:
    """One conditional UpdateItem, its names and values as they stand in the row.

    Attributes:
        condition: may use `#status`, `#error` and `:name` for each of `values`.
        add: what to add to numbers, from 0 where there is none yet.
    """

    assign: Row
    condition: str
    values: Row
    assign_if_absent: Row = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    add: Mapping[str, int] = field(default_factory=dict)

    def arguments(self) -> dict[str, Any]:
        """The arguments of UpdateItem. DynamoDB refuses a declared name that no expression uses."""
        given = self.assign | self.assign_if_absent
        names = {name: f"#n{index}" for index, name in enumerate([*given, *self.remove])}
        sets = [f"{names[name]} = :{names[name][1:]}" for name in self.assign]
        sets += [f"{names[name]} = if_not_exists({names[name]}, :{names[name][1:]})" for name in self.assign_if_absent]
        values = self.values | {names[name][1:]: value for name, value in given.items()}
        for index, (name, number) in enumerate(self.add.items()):
            sets.append(f"{name} = if_not_exists({name}, :zero) + :a{index}")
            values |= {"zero": 0, f"a{index}": number}
        expression = "SET " + ", ".join(sets)
        if self.remove:
            expression += " REMOVE " + ", ".join(names[name] for name in self.remove)
        in_condition = {f"#{name}": name for name in ("status", "error") if f"#{name}" in self.condition}
        return {
            "UpdateExpression": expression,
            "ConditionExpression": self.condition,
            "ExpressionAttributeNames": {placeholder: name for name, placeholder in names.items()} | in_condition,
            "ExpressionAttributeValues": _to_item({f":{name}": value for name, value in values.items()}),
        }


# What a job that is open again must not keep from its last end.
_OUTCOME = ("completedAt", "result", "resultLocation", "error", "errorCode", "model", "usage")
_LIFE = ("startedAt", "deadlineAt", "configVersion", _NOT_BEFORE, ERASED_AT)
_FAILURE = ("error", "errorCode", "completedAt")
_SHOWN_OF_RESULT = ("model", "usage")
_OPEN_ONLY = ("leaseExpiresAt", "openShard", "dueAt")
_HOLDER = ("leaseExpiresAt", "messageId", "traceId")


_OPEN = "#status IN (:queued, :processing)"
_NEVER_SENT = "#status = :failed AND #error.code = :unsent"
_UNTOUCHED = "#status = :queued AND attribute_not_exists(startedAt)"
_IN_NOBODYS_HANDS = "(#status = :queued OR (#status = :processing AND leaseExpiresAt <= :now))"


def open_shard(job_id: str) -> int:
    """The job's partition of the index of open jobs. A checksum rather than hash(): the same one in every process."""
    return zlib.crc32(job_id.encode()) % OPEN_SHARDS


class JobStore:
    """Reads and writes rows of the jobs table.

    Every method raises JobError `DEPENDENCY_UNAVAILABLE` when DynamoDB is down or throttles, `DEPENDENCY_REFUSED` when
    it refuses (permissions, a missing table).

    Args:
        table_name: the jobs table.
        retention_days: how long after its last claim a row is kept.
        clock: gives the current time.
        bucket: where results may lie that are too large for a row; without one, nowhere.
    """

    def __init__(
        self,
        table_name: str,
        retention_days: int = 30,
        clock: Callable[[], datetime] = timestamps.now,
        bucket: str | None = None,
    ) -> None:
        self._table_name = table_name
        self._retention = timedelta(days=retention_days)
        self._clock = clock
        self._bucket = bucket

    def get(self, job_id: str) -> Row | None:
        """The row, read consistently; None when there is none, it was erased or expired (TTL deletes it days later)."""
        row = self.find(job_id)
        return None if row is None or is_erased(row) else row

    def find(self, job_id: str) -> Row | None:
        """As `get`, but an erased job's row is found too: `is_erased` tells."""
        try:
            answer = get_dynamodb_client().get_item(
                TableName=self._table_name, Key=_to_item({"jobId": job_id}), ConsistentRead=True
            )
        except (ClientError, BotoCoreError) as error:
            raise dependency_error(error, "DynamoDB") from error
        row = _to_row(answer["Item"]) if "Item" in answer else None
        return None if row is None or self._expired(row) else row

    def get_all(self, job_ids: Iterable[str]) -> dict[str, Row]:
        """The rows of these jobs by id, each as `get` reads one; jobs without a row are left out."""
        return {job_id: row for job_id, row in self.find_all(job_ids).items() if not is_erased(row)}

    def find_all(self, job_ids: Iterable[str]) -> dict[str, Row]:
        """As `get_all`, but an erased job's row is found too: `is_erased` tells."""
        keys = [_to_item({"jobId": job_id}) for job_id in dict.fromkeys(job_ids)]
        found: list[Row] = []
        while keys:
            page, keys = keys[:_BATCH_GET_LIMIT], keys[_BATCH_GET_LIMIT:]
            try:
                answer = get_dynamodb_client().batch_get_item(
                    RequestItems={self._table_name: {"Keys": page, "ConsistentRead": True}}
                )
            except (ClientError, BotoCoreError) as error:
                raise dependency_error(error, "DynamoDB") from error
            found += [_to_row(item) for item in answer["Responses"].get(self._table_name, [])]
            # What did not fit into 16 MB. (DynamoDB raises when it could read nothing at all.)
            keys += answer["UnprocessedKeys"].get(self._table_name, {"Keys": []})["Keys"]
        return {row["jobId"]: row for row in found if not self._expired(row)}

    def claim(self, job: ReceivedJob, message_id: str, terms: ClaimTerms) -> Claimed | Running | Refusal:
        """Take the job for this worker: one conditional write, and a second only for a redrive or an expired row."""
        now = self._clock()
        holding = self._holding(job, message_id, terms, now)
        origin = _origin(job)
        try:
            row = self._update(
                job.job_id,
                _Update(
                    assign=holding,
                    assign_if_absent=origin | _schedule(job.created_at, now, terms),
                    add={"attempt": 1, "calls": 1},
                    condition=f"attribute_not_exists(jobId) OR (payloadHash = :hash AND {_IN_NOBODYS_HANDS})",
                    values={
                        "hash": job.payload_hash,
                        "queued": JobStatus.QUEUED,
                        "processing": JobStatus.PROCESSING,
                        "now": timestamps.to_text(now),
                    },
                ),
            )
        except _RefusedError as refused:
            found = refused.row
            if found is not None and holding.items() <= found.items():
                return _claimed(found)  # it was written, but the answer was lost and the client tried again
            expired = found is not None and self._expired(found)
            if found is None or not (expired or _reopens(job, found)):
                return self._refusal(job, found)
            # The first message of a job whose time has been running since its submission is no redrive.
            since = now if expired or _is_redrive(job, found) else job.created_at
            started_over = holding | _schedule(since, now, terms) | {"attempt": 1, "calls": 1}
            if expired:
                return self._start_over(job, found, started_over | origin, {})
            return self._start_over(job, found, started_over, origin)
        self._give_all_its_time(row, terms)
        return _claimed(row)

    def _give_all_its_time(self, row: Row, terms: ClaimTerms) -> None:
        """Undo `expect_message_until`: the message has come."""
        due = _due(timestamps.from_text(row["deadlineAt"]), terms.grace_seconds)
        if due["dueAt"] == row["dueAt"]:
            return
        values = {"attempt": row["attempt"], "processing": JobStatus.PROCESSING}
        # Neither is fatal: another worker has it by now; or it counts as overdue from its deadline on.
        with suppress(_RefusedError, JobError):
            condition = "attempt = :attempt AND #status = :processing"
            self._update(row["jobId"], _Update(assign=due, condition=condition, values=values))

    def submit(self, job: ReceivedJob, deadline_seconds: int, grace_seconds: int, delay_seconds: int = 0) -> Submitted:
        """Write the `queued` row of a job whose message is sent next: one conditional write, a repeat takes two.

        A repeat is ACCEPTED as long as no worker has had the job, for its message may never have been sent; one too
        many does no harm. So is one of a job that was closed because its message never came: it begins anew.

        Args:
            deadline_seconds: how long the job may take from now on.
            grace_seconds: how long after its deadline an open job counts as stalled.
            delay_seconds: how much later it may begin; in a repeat it changes nothing.
        """
        now = self._clock()
        not_before = now + timedelta(seconds=delay_seconds)
        deadline_at = now + timedelta(seconds=deadline_seconds)
        schedule = _due(deadline_at, grace_seconds)
        # However long it waits, it is shown until then.
        kept = {"expiresAt": self._expires_at(deadline_at + timedelta(seconds=grace_seconds))}
        delay = {_NOT_BEFORE: timestamps.to_text(not_before)} if delay_seconds else {}
        row = _waiting_row(job, now) | schedule | kept | delay
        try:
            self._update(
                job.job_id,
                _Update(
                    assign=row,
                    remove=tuple(name for name in (*_OUTCOME, *_LIFE, *_HOLDER) if name not in row),
                    condition="attribute_not_exists(jobId) OR expiresAt <= :seconds "
                    f"OR (payloadHash = :hash AND {_NEVER_SENT})",
                    values={
                        "seconds": int(now.timestamp()),
                        "hash": job.payload_hash,
                        "failed": JobStatus.FAILED,
                        "unsent": "ENQUEUE_FAILED",
                    },
                ),
            )
        except _RefusedError as refused:
            return self._submit_again(job, refused.row, grace_seconds)
        return Submitted(Submission.ACCEPTED, now, not_before, now)

    def _submit_again(self, job: ReceivedJob, found: Row | None, grace_seconds: int) -> Submitted:
        now = self._clock()
        if found is None or is_erased(found) or found.get("payloadHash") != job.payload_hash:
            return Submitted(Submission.CONFLICT, now, now, now)
        created_at = timestamps.from_text(found["createdAt"])
        not_before = timestamps.from_text(found.get(_NOT_BEFORE) or found["createdAt"])
        repeated = Submitted(Submission.REPEATED, created_at, not_before, now)
        if found["status"] != JobStatus.QUEUED or "startedAt" in found:
            return repeated
        due = _due(timestamps.from_text(found["deadlineAt"]), grace_seconds)
        written = self._set_due(job.job_id, due | {"updatedAt": timestamps.to_text(now)}, _UNTOUCHED, {})
        return replace(repeated, submission=Submission.ACCEPTED) if written else repeated

    def expect_message_until(self, job_id: str, due_at: datetime, submitted: Submitted) -> bool:
        """Let a queued job whose message may be missing count as overdue from `due_at`.

        False when its message has come, or it was submitted once more since.
        """
        condition = f"{_UNTOUCHED} AND updatedAt = :updatedAt"
        values = {"updatedAt": timestamps.to_text(submitted.updated_at)}
        return self._set_due(job_id, {"dueAt": timestamps.to_text(due_at)}, condition, values)

    def _set_due(self, job_id: str, due: Row, condition: str, values: Row) -> bool:
        try:
            self._update(job_id, _Update(assign=due, condition=condition, values=values | {"queued": JobStatus.QUEUED}))
        except _RefusedError:
            return False
        return True

    def is_job(self, job: ReceivedJob) -> bool:
        """Is this the job that has this id?"""
        row = self.get(job.job_id)
        return row is not None and row.get("payloadHash") == job.payload_hash

    def cancel(self, job_id: str, user_id: str | None = None) -> Cancellation:
        """Set an open job to `cancelled`: a worker can't claim it any more, and a busy one's result is dropped.

        One that was closed because its message never came is as good as open, for the message may still come.

        Args:
            user_id: whose job it must be; None for anyone's.
        """
        now = self._clock()
        text = timestamps.to_text(now)
        owner = {"user": user_id} if user_id is not None else {}
        try:
            row = self._update(
                job_id,
                _Update(
                    assign={"status": JobStatus.CANCELLED, "completedAt": text, "updatedAt": text},
                    remove=tuple(name for name in (*_OUTCOME, *_OPEN_ONLY) if name != "completedAt"),
                    condition=f"({_OPEN} OR ({_NEVER_SENT})) AND expiresAt > :seconds"
                    + (" AND userId = :user" if owner else ""),
                    values={
                        "queued": JobStatus.QUEUED,
                        "processing": JobStatus.PROCESSING,
                        "failed": JobStatus.FAILED,
                        "unsent": "ENQUEUE_FAILED",
                        "seconds": int(now.timestamp()),
                    }
                    | owner,
                ),
            )
        except _RefusedError as refused:
            found = refused.row
            if found is None or is_erased(found) or self._expired(found):
                return Cancellation(None)
            if user_id not in (None, found.get("userId")):
                return Cancellation(None)
            # Its own cancellation: it was written, but the answer was lost and the client tried again.
            own = found["status"] == JobStatus.CANCELLED and found.get("completedAt") == text
            return Cancellation(found, done=own)
        return Cancellation(row, done=True)

    def open_jobs_past_due(self, shard: int) -> Iterator[Row]:
        """The open jobs of one shard (0 to 63) whose `dueAt` is over, the oldest first, read as they are asked for.

        They come from an index, which lags behind: `close_stalled` looks again.
        """
        return self._open_jobs(shard, timestamps.to_text(self._clock()), _OVERDUE_PAGE)

    def oldest_open_jobs(self, shard: int, limit: int) -> list[Row]:
        """Up to `limit` open jobs of one shard (0 to 63), those that are due first."""
        return list(islice(self._open_jobs(shard, "9999", limit), limit))

    def _open_jobs(self, shard: int, due_until: str, page_size: int) -> Iterator[Row]:
        try:
            pages = (
                get_dynamodb_client()
                .get_paginator("query")
                .paginate(
                    TableName=self._table_name,
                    IndexName=OPEN_JOBS_INDEX,
                    KeyConditionExpression="openShard = :shard AND dueAt <= :until",
                    ExpressionAttributeValues=_to_item({":shard": shard, ":until": due_until}),
                    PaginationConfig={"PageSize": page_size},
                )
            )
            for page in pages:
                yield from map(_to_row, page["Items"])
        except (ClientError, BotoCoreError) as error:
            raise dependency_error(error, "DynamoDB") from error

    def close_stalled(self, job_id: str, error: JobError, *, started: bool) -> bool:
        """Set a job to `failed` that is open past its `dueAt` and in nobody's hands; False when it is not so.

        Args:
            started: whether a worker ever had it; the row must agree.
        """
        now = timestamps.to_text(self._clock())
        # The deadline too: `dueAt` may have been brought forward before the job's message came after all.
        is_so = "attribute_exists(startedAt) AND deadlineAt <= :now" if started else "attribute_not_exists(startedAt)"
        return self._close(
            job_id,
            self._failure(error),
            condition=f"dueAt <= :now AND {is_so} AND {_IN_NOBODYS_HANDS}",
            values={"now": now, "queued": JobStatus.QUEUED, "processing": JobStatus.PROCESSING},
        )

    def close(self, found: Row, error: JobError, failed_at: datetime | None = None) -> bool:
        """Set an open job to `failed`, if its row is still as it was found and it is in nobody's hands.

        Args:
            failed_at: what its dead letter says; now by default. A redrive may have been sent since, and a message that
                is older than the failure counts as a duplicate.
        """
        return self._close(
            found["jobId"],
            self._failure(error, failed_at),
            condition=f"updatedAt = :updatedAt AND {_IN_NOBODYS_HANDS}",
            values={
                "updatedAt": found["updatedAt"],
                "now": timestamps.to_text(self._clock()),
                "queued": JobStatus.QUEUED,
                "processing": JobStatus.PROCESSING,
            },
        )

    def _close(self, job_id: str, failure: Row, condition: str, values: Row) -> bool:
        try:
            self._update(
                job_id,
                _Update(
                    assign=failure,
                    remove=tuple(name for name in (*_OUTCOME, *_OPEN_ONLY) if name not in _FAILURE),
                    condition=condition,
                    values=values,
                ),
            )
        except _RefusedError:
            return False
        return True

    def _failure(self, error: JobError, failed_at: datetime | None = None) -> Row:
        now = self._clock()
        return {
            "status": JobStatus.FAILED,
            "error": error.to_body(),
            "errorCode": error.code,
            "completedAt": timestamps.to_text(failed_at or now),
            "updatedAt": timestamps.to_text(now),
        }

    def create_failed(
        self, job: ReceivedJob, message_id: str, error: JobError, failed_at: datetime | None = None
    ) -> bool:
        """Write the row of a job that no worker ever claimed, as `failed`; False when there is a row by now.

        Args:
            failed_at: as in `close`.
        """
        now = self._clock()
        who = {
            "userId": job.user_id,
            "jobType": job.job_type,
            "payloadHash": job.payload_hash,
            "messageId": message_id,
            "attempt": 0,
            "calls": 0,
            "expiresAt": self._expires_at(now),
        }
        trace = {"traceId": job.trace_id} if job.trace_id else {}
        try:
            self._update(
                job.job_id,
                _Update(
                    assign=who | trace | _origin(job) | self._failure(error, failed_at),
                    remove=tuple(name for name in (*_OUTCOME, *_OPEN_ONLY, *_LIFE) if name not in _FAILURE),
                    condition="attribute_not_exists(jobId) OR expiresAt <= :seconds",
                    values={"seconds": int(now.timestamp())},
                ),
            )
        except _RefusedError:
            return False
        return True

    def jobs_of(self, user_id: str) -> Iterator[str]:
        """The ids of a user's jobs, from an index: a row that was written this second may be missing."""
        return (row["jobId"] for row in self._rows_of(user_id, ProjectionExpression="jobId"))

    def history_of(self, user_id: str) -> Iterator[Row]:
        """A user's jobs, the newest first, without their results and error texts.

        They come from an index, which lags behind: a row that was written this second may be missing.
        """
        newest_first: dict[str, Any] = {"ScanIndexForward": False, "PaginationConfig": {"PageSize": _HISTORY_PAGE}}
        return (row for row in self._rows_of(user_id, **newest_first) if not self._expired(row))

    def page_of(
        self,
        user_id: str,
        limit: int,
        after: Position | None = None,
        status: str | None = None,
        job_type: str | None = None,
    ) -> Page:
        """A page of `history_of`: up to `limit` jobs that match.

        It is shorter when too many rows that don't match lie between; a page that is empty is no end of the list.
        """
        filtered = status is not None or job_type is not None
        rows: list[Row] = []
        for _ in range(_MOST_QUERIES):
            room = limit - len(rows)
            found, after = self._query_of(user_id, _HISTORY_PAGE if filtered else room, after)
            matching = [row for row in found if status in (None, row["status"]) and job_type in (None, row["jobType"])]
            rows += matching[:room]
            if len(matching) > room:
                return Page(rows, (rows[-1][USER_SORT_KEY], rows[-1]["jobId"]))
            if after is None or len(rows) == limit:
                break
        return Page(rows, after)

    def _query_of(self, user_id: str, limit: int, after: Position | None) -> tuple[list[Row], Position | None]:
        start: dict[str, Any] = {}
        if after:
            start["ExclusiveStartKey"] = _to_item({"userId": user_id, USER_SORT_KEY: after[0], "jobId": after[1]})
        try:
            answer = get_dynamodb_client().query(
                TableName=self._table_name,
                IndexName=BY_USER_INDEX,
                KeyConditionExpression="userId = :user",
                ExpressionAttributeValues=_to_item({":user": user_id}),
                ScanIndexForward=False,
                Limit=limit,
                **start,
            )
        except (ClientError, BotoCoreError) as error:
            raise dependency_error(error, "DynamoDB") from error
        last = _to_row(answer["LastEvaluatedKey"]) if "LastEvaluatedKey" in answer else None
        rows = [row for row in map(_to_row, answer["Items"]) if not self._expired(row)]
        return rows, (last[USER_SORT_KEY], last["jobId"]) if last else None

    def _rows_of(self, user_id: str, **options: Any) -> Iterator[Row]:
        try:
            pages = (
                get_dynamodb_client()
                .get_paginator("query")
                .paginate(
                    TableName=self._table_name,
                    IndexName=BY_USER_INDEX,
                    KeyConditionExpression="userId = :user",
                    ExpressionAttributeValues=_to_item({":user": user_id}),
                    **options,
                )
            )
            for page in pages:
                yield from map(_to_row, page["Items"])
        except (ClientError, BotoCoreError) as error:
            raise dependency_error(error, "DynamoDB") from error

    def erase(self, job_id: str) -> None:
        """Replace a row by one that says nothing about the user and keeps the job from running again.

        A message of the job may still be in a queue; without a row it would be taken for a new job.
        """
        now = self._clock()
        tombstone = {
            "jobId": job_id,
            "status": JobStatus.CANCELLED,
            "updatedAt": timestamps.to_text(now),
            ERASED_AT: timestamps.to_text(now),
            "expiresAt": int((now + _TOMBSTONE_LIFE).timestamp()),
        }
        try:
            get_dynamodb_client().put_item(TableName=self._table_name, Item=_to_item(tombstone))
        except (ClientError, BotoCoreError) as error:
            raise dependency_error(error, "DynamoDB") from error

    def delete(self, key: str) -> None:
        """Delete a row or counter for good."""
        try:
            get_dynamodb_client().delete_item(TableName=self._table_name, Key=_to_item({"jobId": key}))
        except (ClientError, BotoCoreError) as error:
            raise dependency_error(error, "DynamoDB") from error

    def _start_over(
        self, job: ReceivedJob, found: Row, assign: Row, assign_if_absent: Row
    ) -> Claimed | Running | Refusal:
        try:
            row = self._update(
                job.job_id,
                _Update(
                    assign=assign,
                    assign_if_absent=assign_if_absent,
                    remove=(*_OUTCOME, ERASED_AT),
                    condition="#status = :status AND updatedAt = :updatedAt",
                    values={"status": found["status"], "updatedAt": found["updatedAt"]},
                ),
            )
        except _RefusedError as refused:
            return self._refusal(job, refused.row)
        return _claimed(row)

    def _refusal(self, job: ReceivedJob, found: Row | None) -> Running | Refusal:
        if found is None:  # deleted in this very moment: the next receive will claim it
            return Running(self._clock())
        if is_erased(found):
            return Refusal.FINISHED
        if found.get("payloadHash") != job.payload_hash:
            return Refusal.CONFLICT
        if found["status"] == JobStatus.PROCESSING:
            return Running(timestamps.from_text(found["leaseExpiresAt"]))
        if found["status"] == JobStatus.QUEUED:  # given back in this very moment, likewise
            return Running(self._clock())
        return Refusal.FINISHED

    def _holding(self, job: ReceivedJob, message_id: str, terms: ClaimTerms, now: datetime) -> Row:
        values = {
            "status": JobStatus.PROCESSING,
            "messageId": message_id,
            "leaseExpiresAt": timestamps.to_text(terms.lease_expires_at),
            "expiresAt": self._expires_at(now),
        }
        version = {"configVersion": terms.config_version} if terms.config_version else {}
        return _open_row(job, now) | values | version

    def release(self, job_id: str, attempt: int, message_id: str | None = None, *, work_began: bool = True) -> bool:
        """Give the job back to the queue: no lease, `queued`, same attempt number. False when it is no longer ours.

        Args:
            message_id: the copy that carries the job from now on; None when its message itself comes back.
            work_began: False when the attempt was nothing but a wait. Its claim counted it in `calls`, which callers
                see as `attempts`; the same write takes that back.
        """
        carrier = {"messageId": message_id} if message_id else {}
        try:
            self._update(
                job_id,
                _Update(
                    assign={"status": JobStatus.QUEUED, "updatedAt": timestamps.to_text(self._clock())} | carrier,
                    remove=("leaseExpiresAt",),
                    add={} if work_began else {"calls": -1},
                    condition="#status = :processing AND attempt = :attempt",
                    values={"processing": JobStatus.PROCESSING, "attempt": attempt},
                ),
            )
        except _RefusedError:
            return False
        return True

    def apply_result(self, message: AIJobResultMessage) -> ResultOutcome:
        """Write the outcome of an attempt to its row, if that attempt is still the job's latest.

        A terminal state is final, but for `JOB_STALLED` and `WORKER_CRASHED`, which a late result of the same attempt
        replaces: it has been paid for.

        Raises:
            JobError: also `NOT_A_RESULT`, when the result is said to lie where the job's results do not.
        """
        now = self._clock()
        outcome = _outcome(message, now)
        owner = self._owner_of_location(message)
        which, values = _of_attempt(message)
        try:
            row = self._update(
                message.job_id,
                _Update(
                    assign=outcome | {"updatedAt": timestamps.to_text(now)},
                    remove=tuple(name for name in (*_OUTCOME, *_OPEN_ONLY) if name not in outcome),
                    condition=which + (" AND userId = :owner" if owner else ""),
                    values=values | owner,
                ),
            )
        except _RefusedError as refused:
            found = refused.row
            if found is None:
                return ResultOutcome(Applied.UNKNOWN_JOB)
            if owner and not is_erased(found) and found.get("userId") != owner["owner"]:
                raise _misplaced("the job is another user's", "key") from None
            latest = found.get("attempt")
            repeated = latest is not None and message.attempt in (None, latest)
            return ResultOutcome(Applied.REPEATED if repeated else Applied.SUPERSEDED)
        return ResultOutcome(Applied.APPLIED, row)

    def _owner_of_location(self, message: AIJobResultMessage) -> Row:
        """`{"owner": ...}`: whose the job must be for its result to lie there; nothing when it lies in the message."""
        if message.status != "completed" or message.result_location is None:
            return {}
        if message.result_location["bucket"] != self._bucket:
            raise _misplaced(f"results lie in {self._bucket or 'no bucket here'}", "bucket")
        return {"owner": result_owner(message.result_location, message.job_id)}

    def _expires_at(self, now: datetime) -> int:
        return int((now + self._retention).timestamp())

    def _expired(self, row: Row) -> bool:
        return "expiresAt" in row and float(row["expiresAt"]) <= self._clock().timestamp()

    def _update(self, job_id: str, update: _Update) -> Row:
        client = get_dynamodb_client()
        try:
            answer = client.update_item(
                TableName=self._table_name,
                Key=_to_item({"jobId": job_id}),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **update.arguments(),
            )
        except client.exceptions.ConditionalCheckFailedException as error:
            # The stubs do not know the row that ReturnValuesOnConditionCheckFailure adds.
            item = cast("dict[str, Any] | None", error.response.get("Item"))
            raise _RefusedError(_to_row(item) if item else None) from None
        except (ClientError, BotoCoreError) as error:
            raise dependency_error(error, "DynamoDB") from error
        return _to_row(answer["Attributes"])


def _origin(job: ReceivedJob) -> Row:
    return _created(job.job_id, job.created_at)


def _created(job_id: str, moment: datetime) -> Row:
    created_at = timestamps.to_text(moment)
    return {"createdAt": created_at, USER_SORT_KEY: f"{created_at}#{job_id}"}


def _open_row(job: ReceivedJob, now: datetime) -> Row:
    values = {
        "userId": job.user_id,
        "jobType": job.job_type,
        "updatedAt": timestamps.to_text(now),
        "payloadHash": job.payload_hash,
        "openShard": open_shard(job.job_id),
    }
    return values | ({"traceId": job.trace_id} if job.trace_id else {})


def _waiting_row(job: ReceivedJob, now: datetime) -> Row:
    return _open_row(job, now) | _created(job.job_id, now) | {"status": JobStatus.QUEUED, "attempt": 0, "calls": 0}


def _due(deadline_at: datetime, grace_seconds: int) -> Row:
    return {
        "deadlineAt": timestamps.to_text(deadline_at),
        "dueAt": timestamps.to_text(deadline_at + timedelta(seconds=grace_seconds)),
    }


def _schedule(since: datetime, now: datetime, terms: ClaimTerms) -> Row:
    deadline_at = since + timedelta(seconds=terms.deadline_seconds)
    return {"startedAt": timestamps.to_text(now)} | _due(deadline_at, terms.grace_seconds)


def _reopens(job: ReceivedJob, found: Row) -> bool:
    """A redrive: the row failed, and the message was sent after that. A late first message heals ENQUEUE_FAILED.

    What counts for a delayed copy is when its original was sent: a duplicate that waited out an outage of the table
    as a copy is no redrive.
    """
    if found["status"] != JobStatus.FAILED or found.get("payloadHash") != job.payload_hash:
        return False
    never_enqueued: bool = found.get("error", {}).get("code") == "ENQUEUE_FAILED"
    return never_enqueued or _is_redrive(job, found)


def _is_redrive(job: ReceivedJob, found: Row) -> bool:
    return job.first_sent_at > timestamps.from_text(found["completedAt"])


def _claimed(row: Row) -> Claimed:
    deadline_at = timestamps.from_text(row["deadlineAt"])
    return Claimed(attempt=int(row["attempt"]), deadline_at=deadline_at, calls=int(row["calls"]))


def _of_attempt(message: AIJobResultMessage) -> tuple[str, Row]:
    """The condition under which a result is that of the row's latest attempt, and its values."""
    is_open = {"processing": JobStatus.PROCESSING, "queued": JobStatus.QUEUED}
    if message.attempt is None:
        return _OPEN, is_open
    given_up = {"failed": JobStatus.FAILED, "stalled": "JOB_STALLED", "crashed": "WORKER_CRASHED"}
    # `queued` with the same attempt: the job was given back, yet its result came through after all.
    # A redrive counts attempts anew: what was reached before this life of the job began is not of it.
    condition = (
        "attempt = :attempt AND startedAt <= :reached "
        f"AND ({_OPEN} OR (#status = :failed AND #error.code IN (:stalled, :crashed)))"
    )
    this = {"attempt": message.attempt, "reached": timestamps.to_text(message.timestamp)}
    return condition, this | is_open | given_up


def _misplaced(why: str, part: str) -> JobError:
    field_name = f"resultLocation.{part}"
    return JobError("NOT_A_RESULT", f"{field_name} names a place that is not the job's own: {why}", field_name)


def _outcome(message: AIJobResultMessage, now: datetime) -> Row:
    completed_at = timestamps.to_text(min(message.timestamp, now))
    ended = {"status": message.status, "completedAt": completed_at}
    if message.status == "failed":
        failure = message.failure or {}
        return ended | {"error": failure, "errorCode": failure["code"]}
    place = message.result_location
    if place is not None:
        documents: Row = {"resultLocation": {name: place[name] for name in ("bucket", "key", "bytes")}}
        shown = {"model": message.model, "usage": message.usage}
    else:
        documents = {"result": message.result}
        shown = {name: (message.result or {}).get(name) for name in _SHOWN_OF_RESULT}
    if isinstance(shown["model"], str):
        documents["model"] = shown["model"]
    if is_usage(shown["usage"]):
        documents["usage"] = shown["usage"]
    # DynamoDB knows no floats, only decimals.
    exact: Row = json.loads(json.dumps(documents), parse_float=Decimal)
    return ended | exact
