"""R-C3: configuration from the environment."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest

from ai_jobs import AIJobMessage, ConfigurationError, get_sqs_client, send_ai_job_request, send_ai_job_result
from ai_jobs.aws.settings import endpoint_url, integer, required
from ai_jobs.contract.result import AIJobResultMessage
from event_publisher.settings import EventPublisherSettings
from jobs_api.settings import JobsApiSettings
from processor.settings import ProcessorSettings
from reconciler.settings import ReconcilerSettings
from result_handler.settings import ResultHandlerSettings

COMPLETE = {
    "AI_JOB_REQUEST_QUEUE_URL": "https://sqs/request",
    "AI_JOB_REQUEST_DLQ_URL": "https://sqs/request-dlq",
    "AI_JOB_RESPONSE_QUEUE_URL": "https://sqs/response",
    "AI_JOB_RESPONSE_DLQ_URL": "https://sqs/response-dlq",
    "AI_JOB_TABLE_NAME": "jobs",
    "AI_JOB_BUCKET": "objects",
    "AI_JOB_CONFIG_APPLICATION": "a",
    "AI_JOB_CONFIG_ENVIRONMENT": "e",
    "AI_JOB_CONFIG_PROFILE": "p",
    "AI_JOB_CONFIG_MAX_AGE_SECONDS": "60",
    "AI_JOB_VISIBILITY_TIMEOUT_SECONDS": "900",
    "AI_JOB_MAX_RECEIVE_COUNT": "3",
    "AI_JOB_DEFAULT_DEADLINE_SECONDS": "21600",
    "AI_JOB_MAX_BACKOFF_SECONDS": "900",
    "AI_JOB_MODEL_ACCESS_WAIT_SECONDS": "600",
    "AI_JOB_RETENTION_DAYS": "30",
    "AI_JOB_MAX_WAIT_SECONDS": "25",
    "AI_JOB_AUTHORIZATION": "AWS_IAM",
    "AI_JOB_EVENT_BUS_ARN": "arn:aws:events:eu-west-1:123456789012:event-bus/default",
    "AI_JOB_TABLE_ARN": "arn:aws:dynamodb:eu-west-1:123456789012:table/jobs",
    "AI_JOB_FAILURE_QUEUE_URL": "https://sqs/events-dlq",
    "AI_JOB_EVENTS_INCLUDE_RESULT": "false",
}


@pytest.mark.parametrize(
    "settings",
    [ProcessorSettings, ResultHandlerSettings, JobsApiSettings, ReconcilerSettings, EventPublisherSettings],
)
def test_a_function_refuses_to_start_without_any_one_of_its_variables(settings):  # R-C3
    settings.from_environment(COMPLETE)
    refused = []
    for name in COMPLETE:
        rest = {key: value for key, value in COMPLETE.items() if key != name}
        with contextlib.suppress(ConfigurationError):
            settings.from_environment(rest)
            continue
        with pytest.raises(ConfigurationError, match=f"^{name} is not set"):
            settings.from_environment(rest)
        refused.append(name)
    needed = [field for field in dataclasses.fields(settings) if field.default is field.default_factory]
    assert len(refused) == len(needed)


def test_a_yes_or_no_is_true_or_false_and_nothing_else():
    given = {**COMPLETE, "AI_JOB_EVENTS_INCLUDE_RESULT": "True"}
    assert EventPublisherSettings.from_environment(given).include_result
    with pytest.raises(ConfigurationError, match="AI_JOB_EVENTS_INCLUDE_RESULT is 'yes'. It must be true or false"):
        EventPublisherSettings.from_environment(given | {"AI_JOB_EVENTS_INCLUDE_RESULT": "yes"})


def test_a_mode_of_authorization_that_is_not_known_is_refused():
    with pytest.raises(ConfigurationError, match="AI_JOB_AUTHORIZATION is 'COGNITO'. It must be one of AWS_IAM, NONE"):
        JobsApiSettings.from_environment(COMPLETE | {"AI_JOB_AUTHORIZATION": "COGNITO"})


def test_a_budget_is_optional(monkeypatch):
    assert ProcessorSettings.from_environment(COMPLETE).daily_tokens_per_user is None
    given = COMPLETE | {"AI_JOB_DAILY_TOKENS_PER_USER": "1000", "AI_JOB_DAILY_TOKENS_TOTAL": ""}
    settings = ProcessorSettings.from_environment(given)
    assert (settings.daily_tokens_per_user, settings.daily_tokens_total) == (1000, None)
    with pytest.raises(ConfigurationError, match="AI_JOB_DAILY_TOKENS_TOTAL is 'lots'"):
        ProcessorSettings.from_environment(COMPLETE | {"AI_JOB_DAILY_TOKENS_TOTAL": "lots"})


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_variable_counts_as_missing(text):
    with pytest.raises(ConfigurationError, match="AI_JOB_TABLE_NAME is not set"):
        required("AI_JOB_TABLE_NAME", {"AI_JOB_TABLE_NAME": text})


@pytest.mark.parametrize(
    ("text", "problem"), [("many", "whole number"), ("0", "from 1 to 1000"), ("1001", "from 1 to 1000")]
)
def test_a_number_is_checked(text, problem):
    with pytest.raises(ConfigurationError, match=problem):
        integer("COUNT", "max_receive_count", {"COUNT": text})


def test_a_missing_queue_url_names_its_variable(monkeypatch):  # R-C3
    monkeypatch.delenv("AI_JOB_REQUEST_QUEUE_URL", raising=False)
    monkeypatch.delenv("AI_JOB_RESPONSE_QUEUE_URL", raising=False)
    with pytest.raises(ConfigurationError, match="AI_JOB_REQUEST_QUEUE_URL"):
        send_ai_job_request(AIJobMessage("u", "greeting", {}))
    with pytest.raises(ConfigurationError, match="AI_JOB_RESPONSE_QUEUE_URL"):
        send_ai_job_result(AIJobResultMessage("j", "u", "t", "completed", result={"text": ""}))


def test_the_local_aws_is_one_variable_away(monkeypatch):  # R-C3
    monkeypatch.setenv("USE_LOCAL_AWS", "true")
    assert get_sqs_client().meta.endpoint_url == "http://localhost:4566"


def test_without_it_calls_go_to_aws():  # R-C3
    assert get_sqs_client().meta.endpoint_url == "https://sqs.eu-west-1.amazonaws.com"


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS"])
def test_an_endpoint_of_ones_own_wins(monkeypatch, name):  # R-C3
    monkeypatch.setenv("USE_LOCAL_AWS", "true")
    monkeypatch.setenv(name, "http://127.0.0.1:9999")
    assert get_sqs_client().meta.endpoint_url == "http://127.0.0.1:9999"


def test_a_typo_in_the_switch_is_refused():
    with pytest.raises(ConfigurationError, match="USE_LOCAL_AWS is 'yes'"):
        endpoint_url({"USE_LOCAL_AWS": "yes"})


def test_one_client_a_process():
    assert get_sqs_client() is get_sqs_client()
