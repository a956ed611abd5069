"""Entry point of the jobs API Lambda."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from ai_jobs.contract.api_errors import RequestError
from ai_jobs.contract.errors import ErrorClass, JobError
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.job_type_source import JobTypeSource
from ai_jobs.service.safe_logging import describe, function_logger
from ai_jobs.service.wait_slots import WaitSlots
from jobs_api import cors
from jobs_api.requests import Request
from jobs_api.routes import Answer, JobsApi
from jobs_api.settings import JobsApiSettings

logger = function_logger()
settings = JobsApiSettings.from_environment()
job_types = JobTypeSource(
    settings.config_application,
    settings.config_environment,
    settings.config_profile,
    settings.config_max_age_seconds,
)
api = JobsApi(
    settings,
    JobStore(settings.table_name, settings.retention_days),
    job_types,
    WaitSlots(settings.table_name, settings.max_concurrent_waits),
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the REST API (Lambda proxy integration), always in the API's own shape."""
    answer = _answer(event, context)
    of_cors = cors.headers(settings.cors_allow_origins, event.get("headers") or {})
    return replace(answer, headers=answer.headers | of_cors).to_proxy()


def _answer(event: dict[str, Any], context: LambdaContext) -> Answer:
    try:
        request = Request.from_event(
            event, settings.authorization, lambda: context.get_remaining_time_in_millis() / 1000
        )
        return api.answer(request)
    except RequestError as error:
        logger.info("request rejected", extra={"errorCode": error.code})
        return _error_answer(error)
    except Exception as error:  # noqa: BLE001  # the boundary: the caller must not get Lambda's own error
        logger.error("request failed", extra=describe(error))
        if isinstance(error, JobError) and error.error_class is ErrorClass.THROTTLED:
            return _error_answer(
                RequestError("STORE_UNAVAILABLE", "The service can't do this at the moment. Try again.")
            )
        return _error_answer(RequestError("INTERNAL_ERROR", "The request failed because of a fault on our side."))


def _error_answer(error: RequestError) -> Answer:
    return Answer(error.status, error.to_body(), error.headers())
