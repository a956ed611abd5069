"""The jobs table: reads rows, executes transitions, and runs queries. It knows nothing about jobs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from ai_jobs.aws.clients import get_dynamodb_client
from ai_jobs.aws.errors import reported_as_job_error
from ai_jobs.aws.items import from_item, plain, to_item
from ai_jobs.contract import timestamps
from ai_jobs.contract.errors import AIJobsError
from ai_jobs.contract.row import JobRow
from ai_jobs.service.lifecycle import CONSTANTS, Transition

# The most that one BatchGetItem takes.
_BATCH_GET_LIMIT = 100


class RefusedError(AIJobsError):
    """The condition of a transition was false; `row` is the row at that time (None if there was none)."""

    def __init__(self, row: JobRow | None) -> None:
        super().__init__("the condition was false", "REFUSED")
        self.row = row


class JobsTable:
    """One DynamoDB table.

    Every method raises JobError `DEPENDENCY_UNAVAILABLE` if DynamoDB is down or throttles, `DEPENDENCY_REFUSED` if it
    refuses (permissions, a missing table).

    Args:
        clock: returns the current time. A row past its `expiresAt` counts as gone (TTL deletes it days later).
    """

    def __init__(self, name: str, clock: Callable[[], datetime] = timestamps.now) -> None:
        self._name = name
        self._clock = clock

    def get(self, job_id: str) -> JobRow | None:
        """The row, read consistently; None if it does not exist."""
        with reported_as_job_error("DynamoDB"):
            answer = get_dynamodb_client().get_item(
                TableName=self._name, Key=to_item({"jobId": job_id}), ConsistentRead=True
            )
        row = _row(answer.get("Item"))
        return None if row is None or self.is_expired(row) else row

    def get_all(self, job_ids: Iterable[str]) -> dict[str, JobRow]:
        """The rows by job id, each as `get` returns it; jobs without a row are omitted."""
        keys = [to_item({"jobId": job_id}) for job_id in dict.fromkeys(job_ids)]
        found: list[JobRow] = []
        while keys:
            page, keys = keys[:_BATCH_GET_LIMIT], keys[_BATCH_GET_LIMIT:]
            with reported_as_job_error("DynamoDB"):
                answer = get_dynamodb_client().batch_get_item(
                    RequestItems={self._name: {"Keys": page, "ConsistentRead": True}}
                )
            found += [cast("JobRow", from_item(item)) for item in answer["Responses"].get(self._name, [])]
            # What did not fit into 16 MB. (DynamoDB raises when it could read nothing at all.)
            keys += answer["UnprocessedKeys"].get(self._name, {"Keys": []})["Keys"]
        return {row["jobId"]: row for row in found if not self.is_expired(row)}

    def execute(
        self,
        transition: Transition,
        job_id: str,
        values: Mapping[str, Any],
        given: Mapping[str, Any] | None = None,
        add: Mapping[str, int] | None = None,
    ) -> JobRow:
        """Execute a transition: one conditional write.

        Args:
            values: the fields to set; the transition must declare each of them.
            given: the values for the placeholders in its condition.
            add: what to add to its counters; a missing counter starts at 0.

        Returns:
            The row after the transition.

        Raises:
            RefusedError: if the condition is false.
        """
        values = {"status": transition.target.value} | dict(values)
        if transition.replaces:
            return self._replace(job_id, values)
        client = get_dynamodb_client()
        with reported_as_job_error("DynamoDB"):
            try:
                answer = client.update_item(
                    TableName=self._name,
                    Key=to_item({"jobId": job_id}),
                    ReturnValues="ALL_OLD",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **update_arguments(transition, values, given or {}, add or {}),
                )
            except client.exceptions.ConditionalCheckFailedException as error:
                # The stubs do not know the row that ReturnValuesOnConditionCheckFailure adds.
                raise RefusedError(_row(cast("dict[str, Any] | None", error.response.get("Item")))) from None
        # Not ALL_NEW: that sends back what was just sent, and reading a result takes as long as writing it.
        before = from_item(answer.get("Attributes", {}))
        return cast("JobRow", {"jobId": job_id} | _changed(before, transition, values, add or {}))

    def _replace(self, job_id: str, values: Mapping[str, Any]) -> JobRow:
        row = {"jobId": job_id} | dict(values)
        with reported_as_job_error("DynamoDB"):
            get_dynamodb_client().put_item(TableName=self._name, Item=to_item(row))
        return cast("JobRow", row)

    def delete(self, key: str) -> None:
        """Delete a row or a counter for good."""
        with reported_as_job_error("DynamoDB"):
            get_dynamodb_client().delete_item(TableName=self._name, Key=to_item({"jobId": key}))

    def query_page(
        self, index: str, condition: str, values: Mapping[str, Any], after: Mapping[str, Any] | None, **options: Any
    ) -> tuple[list[JobRow], dict[str, Any] | None]:
        """One page of a query of an index, without expired rows, and the key after which the next page starts."""
        if after:
            options["ExclusiveStartKey"] = to_item(after)
        with reported_as_job_error("DynamoDB"):
            answer = get_dynamodb_client().query(
                TableName=self._name,
                IndexName=index,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=to_item(values),
                **options,
            )
        rows = [cast("JobRow", from_item(item)) for item in answer["Items"]]
        last = answer.get("LastEvaluatedKey")
        return [row for row in rows if not self.is_expired(row)], from_item(last) if last else None

    def query(self, index: str, condition: str, values: Mapping[str, Any], **options: Any) -> Iterator[JobRow]:
        """All rows of a query of an index, read lazily. An index lags behind the table."""
        after: dict[str, Any] | None = None
        while True:
            rows, after = self.query_page(index, condition, values, after, **options)
            yield from rows
            if after is None:
                return

    def is_expired(self, row: JobRow) -> bool:
        """Whether the row counts as gone."""
        return "expiresAt" in row and row["expiresAt"] <= self._clock().timestamp()


def _row(item: Mapping[str, Any] | None) -> JobRow | None:
    return cast("JobRow", from_item(item)) if item else None


def update_arguments(
    transition: Transition, values: Mapping[str, Any], given: Mapping[str, Any], add: Mapping[str, int]
) -> dict[str, Any]:
    """The arguments of UpdateItem.

    Raises:
        ValueError: if the transition does not declare a field.
    """
    expressions = _expressions(transition, tuple(values), tuple(add))
    parameters = {f":f{index}": value for index, value in enumerate(values.values())}
    parameters |= {":zero": 0} if add else {}
    parameters |= {f":a{index}": number for index, number in enumerate(add.values())}
    # DynamoDB rejects a declared value that no expression uses.
    parameters |= {
        f":{name}": value
        for name, value in (CONSTANTS | dict(given)).items()
        if f":{name}" in expressions.condition_words
    }
    return {
        "UpdateExpression": expressions.update,
        "ConditionExpression": transition.condition,
        "ExpressionAttributeNames": dict(expressions.names),
        "ExpressionAttributeValues": to_item(parameters),
    }


def _changed(
    row: Mapping[str, Any], transition: Transition, values: Mapping[str, Any], add: Mapping[str, int]
) -> dict[str, Any]:
    """What `update_arguments` makes of a row."""
    kept = {name: value for name, value in row.items() if name in values or name not in transition.clears}
    written = {name: plain(value) for name, value in values.items() if not (name in transition.keeps and name in row)}
    return kept | written | {name: row.get(name, 0) + number for name, number in add.items()}


@dataclass(frozen=True)
class _Expressions:
    """The part of an update that depends on its fields, but not on their values."""

    update: str
    names: dict[str, str]
    condition_words: frozenset[str]


# The same few for every job.
@functools.lru_cache(maxsize=128)
def _expressions(transition: Transition, fields: tuple[str, ...], counters: tuple[str, ...]) -> _Expressions:
    foreign = {*fields, *counters} - {"status", *transition.sets, *transition.keeps, *transition.adds}
    if foreign:
        raise ValueError(f"{transition.name} does not set {', '.join(sorted(foreign))}")
    cleared = [name for name in dict.fromkeys(transition.clears) if name not in fields]
    names = {name: f"#f{index}" for index, name in enumerate([*fields, *cleared])}
    sets = [
        f"{names[name]} = " + (f"if_not_exists({names[name]}, :f{index})" if name in transition.keeps else f":f{index}")
        for index, name in enumerate(fields)
    ]
    sets += [f"{name} = if_not_exists({name}, :zero) + :a{index}" for index, name in enumerate(counters)]
    removes = " REMOVE " + ", ".join(names[name] for name in cleared) if cleared else ""
    return _Expressions(
        update="SET " + ", ".join(sets) + removes,
        # Only those that are used: DynamoDB rejects a declared name that no expression uses, too.
        names={placeholder: name for name, placeholder in names.items()}
        | {f"#{name}": name for name in ("status", "error") if f"#{name}" in transition.condition},
        condition_words=frozenset(transition.condition.replace("(", " ").replace(")", " ").replace(",", " ").split()),
    )
