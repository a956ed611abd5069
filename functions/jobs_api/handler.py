"""Entry point of the jobs API Lambda."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from ai_jobs.configuration import required
from ai_jobs.errors import ErrorClass, JobError
from ai_jobs.messages import check_job_id
from ai_jobs.objects import signed_url
from ai_jobs.safe_logging import describe
from ai_jobs.store import JobStore
from ai_jobs.views import error_body, job_view

logger = Logger()
store = JobStore(required("AI_JOB_TABLE_NAME"))

Answer = dict[str, Any]


def _answer(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"} | (headers or {}),
        "body": json.dumps(body, ensure_ascii=False),
    }


def get_job(event: dict[str, Any]) -> Answer:
    """`GET /jobs/{jobId}`: the job as the table has it."""
    try:
        job_id = check_job_id(event["pathParameters"]["jobId"])
    except JobError as error:
        return _answer(400, error_body("INVALID_JOB_ID", error.message))
    row = store.get(job_id)
    if row is None:
        message = "no such job; one that was just submitted appears when a worker picks it up"
        return _answer(404, error_body("JOB_NOT_FOUND", message))
    return _answer(200, job_view(row, signed_url))


# By the resource that API Gateway matched, not by the path: behind a custom domain that has a base path in front.
ROUTES = {("GET", "/jobs/{jobId}"): get_job}


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> Answer:
    """Answer one request of the REST API (Lambda proxy integration); whatever happens, in the API's own shape."""
    try:
        route = ROUTES.get((event["httpMethod"], event["resource"]))
        if route is None:
            return _answer(404, error_body("NOT_FOUND", "there is nothing at this path"))
        return route(event)
    except Exception as error:  # noqa: BLE001  # the boundary: the caller must not get Lambda's own error
        logger.error("request failed", extra=describe(error))
        if isinstance(error, JobError) and error.error_class is ErrorClass.THROTTLED:
            busy = error_body("STORE_UNAVAILABLE", "the job can't be read now: try again")
            return _answer(503, busy, {"Retry-After": "2"})
        return _answer(500, error_body("INTERNAL_ERROR", "the service failed on this request"))
