"""How commands print jobs: JSON as the API shows them, tables, or one job in full."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ai_jobs.cli.output import print_fields, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ai_jobs.contract.row import JobRow

_COLUMNS = ("JOB", "STATUS", "TYPE", "USER", "CREATED", "TOOK", "ERROR")
_LIST_COLUMNS = ("JOB", "STATUS", "TYPE", "CREATED", "TOOK", "ATTEMPTS", "ERROR")

_NAMED = 20


def view(row: JobRow) -> dict[str, Any]:
    """The job as `GET /jobs/{jobId}` shows it."""
    # Imported here: the help does not need boto3.
    from ai_jobs.aws.objects import signed_url
    from ai_jobs.contract.job_view import job_view

    return job_view(row, signed_url)


def print_rows(rows: Sequence[JobRow]) -> None:
    """Print jobs as a table."""
    print_table(_COLUMNS, [_cells(row["jobId"], row) for row in rows])


def print_list(rows: Sequence[JobRow]) -> None:
    """Print the jobs of one user as a table."""
    print_table(_LIST_COLUMNS, [_list_cells(row) for row in rows])


def print_ends(job_ids: Sequence[str], rows: Mapping[str, JobRow], *, as_json: bool) -> None:
    """Print how jobs ended; one without a row is `unknown`."""
    if as_json:
        unknown = {"status": "unknown"}
        print_json([view(rows[job_id]) if job_id in rows else {"jobId": job_id} | unknown for job_id in job_ids])
    else:
        print_table(_COLUMNS, [_cells(job_id, rows.get(job_id)) for job_id in job_ids])


def print_job(job: dict[str, Any]) -> None:
    """Print one job as a block of lines, with the result's text or JSON at the end."""
    fields = dict(job)
    result = fields.pop("result", None)
    if error := fields.pop("error", None):
        where = f" ({error['field']})" if "field" in error else ""
        fields["error"] = f"{error['code']}{where}: {error['message']}"
    if usage := fields.get("usage"):
        fields["usage"] = _tokens(usage)
    print_fields(fields | _shown(result or {}), _content(result) if result else None)


def _tokens(usage: Mapping[str, Any]) -> str:
    text = f"{usage.get('inputTokens')} tokens in, {usage.get('outputTokens')} out"
    cached = {"read from": usage.get("cacheReadInputTokens"), "written to": usage.get("cacheWriteInputTokens")}
    return text + "".join(f", {tokens} {where} the cache" for where, tokens in cached.items() if tokens)


def _shown(result: Mapping[str, Any]) -> dict[str, Any]:
    """What a result of ours says beside its content."""
    if not isinstance(result.get("text", result.get("json")), str | dict):
        return {}
    fields = {name: result[name] for name in ("modelCalls", "serviceTier") if name in result}
    if isinstance(cost := result.get("estimatedCost"), int | float):
        from ai_jobs.operate.comparison_report import dollars

        fields["estimatedCost"] = dollars(cost)
    if "stopReason" in result:
        fields["stopReason"] = f"{result['stopReason']}{' (cut off)' if result.get('truncated') else ''}"
    return fields


def _content(result: Mapping[str, Any]) -> str:
    if isinstance(result.get("text"), str):
        return str(result["text"])
    # Another producer's may be any object, and is shown whole.
    return json.dumps(result.get("json", result), indent=2, ensure_ascii=False)


def named(names: Sequence[str]) -> str:
    """The first of these names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _cells(job_id: str, row: JobRow | None) -> list[object]:
    if row is None:
        return [job_id, "unknown", *[None] * (len(_COLUMNS) - 2)]
    cells = [job_id, row["status"], row.get("jobType"), row.get("userId"), _created(row), _took(row)]
    return [*cells, row.get("errorCode")]


def _list_cells(row: JobRow) -> list[object]:
    cells = [row["jobId"], row["status"], row["jobType"], _created(row), _took(row)]
    return [*cells, int(row.get("calls", 0)), row.get("errorCode")]


def _created(row: JobRow) -> str | None:
    """To the second: a table is wide enough."""
    return f"{row['createdAt'][:19]}Z" if "createdAt" in row else None


def _took(row: JobRow) -> str | None:
    """The time from the submission to the end."""
    from ai_jobs.contract import timestamps

    if not {"createdAt", "completedAt"} <= row.keys():
        return None
    seconds = (timestamps.from_text(row["completedAt"]) - timestamps.from_text(row["createdAt"])).total_seconds()
    return f"{seconds:.1f} s"
