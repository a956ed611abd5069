"""Entry point of the jobs API Lambda."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response, content_types
from aws_lambda_powertools.utilities.typing import LambdaContext

from ai_jobs.configuration import required
from ai_jobs.errors import JobError
from ai_jobs.messages import check_job_id
from ai_jobs.safe_logging import describe
from ai_jobs.store import JobStore
from jobs_api.views import error_body, job_view

logger = Logger()
store = JobStore(required("AI_JOB_TABLE_NAME"))
app = APIGatewayRestResolver()


def _answer(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response[str]:
    return Response(status, content_types.APPLICATION_JSON, json.dumps(body, ensure_ascii=False), headers=headers)


# `.+` rather than `<job_id>`: an id with characters that no job id has must reach the check, and its message.
@app.get("/jobs/.+")
def get_job() -> Response[str]:
    """`GET /jobs/{jobId}`: the job as the table has it."""
    job_id = app.current_event.path_parameters["jobId"]
    try:
        row = store.get(check_job_id(job_id))
    except JobError as error:
        return _failure(error, job_id)
    if row is None:
        message = "no such job; one that was just submitted appears when a worker picks it up"
        return _answer(404, error_body("JOB_NOT_FOUND", message))
    return _answer(200, job_view(row))


def _failure(error: JobError, job_id: str) -> Response[str]:
    if error.code == "INVALID_MESSAGE":
        return _answer(400, error_body("INVALID_JOB_ID", error.message))
    logger.error("job could not be read", extra={"jobId": job_id, "errorCode": error.code})
    return _answer(503, error_body("STORE_UNAVAILABLE", "the job can't be read now: try again"), {"Retry-After": "2"})


@app.not_found
def no_route(_error: Exception) -> Response[str]:
    """A route that the REST API sends here, but this release does not know."""
    return _answer(404, error_body("NOT_FOUND", "there is nothing at this path"))


@app.exception_handler(Exception)  # type: ignore[untyped-decorator]  # Powertools leaves this one untyped
def broken(error: Exception) -> Response[str]:
    """Whatever else happens, the caller gets the API's own error shape."""
    logger.error("request broke the function", extra=describe(error))
    return _answer(500, error_body("INTERNAL_ERROR", "the service failed on this request"))


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the REST API (Lambda proxy integration)."""
    return app.resolve(event, context)
