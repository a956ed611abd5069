"""Lists of jobs, from the indexes of the table. An index lags behind: a row written just now may be missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from ai_jobs.contract import timestamps
from ai_jobs.contract.row import JobRow
from ai_jobs.service.lifecycle import BY_USER, OPEN_JOBS
from ai_jobs.service.table import JobsTable

_PAGE_ROWS = 100

# Queries that one page of a listing may take before it is returned as it is.
_MOST_QUERIES = 10

_OF_USER = "userId = :user"
_OF_SHARD = "openShard = :shard AND dueAt <= :until"
_EVER = "9999"

Position = tuple[str, str]
"""A position in the list of a user's jobs: the sort key and the job id of the last row before it."""


@dataclass(frozen=True)
class Page:
    """Some of a user's jobs, newest first; `after` is where the next page starts, None on the last page."""

    rows: list[JobRow]
    after: Position | None


class Listing:
    """Lists the jobs of a user, and the open jobs. Raises what `JobsTable` raises.

    Args:
        clock: returns the current time.
    """

    def __init__(self, table: JobsTable, clock: Callable[[], datetime] = timestamps.now) -> None:
        self._table = table
        self._clock = clock

    def ids_of(self, user_id: str) -> Iterator[str]:
        """The ids of a user's jobs, including those of expired rows."""
        rows = self._table.query(BY_USER.name, _OF_USER, {":user": user_id}, ProjectionExpression="jobId")
        return (row["jobId"] for row in rows)

    def history_of(self, user_id: str) -> Iterator[JobRow]:
        """A user's jobs, newest first, without their results and error messages."""
        return self._table.query(BY_USER.name, _OF_USER, {":user": user_id}, ScanIndexForward=False, Limit=_PAGE_ROWS)

    def page_of(
        self,
        user_id: str,
        limit: int,
        after: Position | None = None,
        status: str | None = None,
        job_type: str | None = None,
    ) -> Page:
        """A page of `history_of`: up to `limit` jobs that match.

        A page is shorter if too many rows in between do not match; an empty page is not the end of the list.
        """
        filtered = status is not None or job_type is not None
        rows: list[JobRow] = []
        for _ in range(_MOST_QUERIES):
            room = limit - len(rows)
            found, after = self._query_of(user_id, _PAGE_ROWS if filtered else room, after)
            matching = [row for row in found if status in (None, row["status"]) and job_type in (None, row["jobType"])]
            rows += matching[:room]
            if len(matching) > room:
                return Page(rows, (rows[-1]["createdAt#jobId"], rows[-1]["jobId"]))
            if after is None or len(rows) == limit:
                break
        return Page(rows, after)

    def _query_of(self, user_id: str, limit: int, after: Position | None) -> tuple[list[JobRow], Position | None]:
        key = {"userId": user_id, "createdAt#jobId": after[0], "jobId": after[1]} if after else None
        rows, last = self._table.query_page(
            BY_USER.name, _OF_USER, {":user": user_id}, key, ScanIndexForward=False, Limit=limit
        )
        return rows, (last["createdAt#jobId"], last["jobId"]) if last else None

    def open_jobs_past_due(self, shard: int) -> Iterator[JobRow]:
        """The open jobs of one shard whose `dueAt` has passed, oldest first, read lazily."""
        return self._open_jobs(shard, timestamps.to_text(self._clock()), _PAGE_ROWS)

    def oldest_open_jobs(self, shard: int, limit: int) -> list[JobRow]:
        """Up to `limit` open jobs of one shard, those due first."""
        return list(islice(self._open_jobs(shard, _EVER, limit), limit))

    def _open_jobs(self, shard: int, due_until: str, page_rows: int) -> Iterator[JobRow]:
        values = {":shard": shard, ":until": due_until}
        return self._table.query(OPEN_JOBS.name, _OF_SHARD, values, Limit=page_rows)
