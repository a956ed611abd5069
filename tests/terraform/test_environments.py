"""The environments. Which plans they are: plans/environments.tftest.hcl."""

from __future__ import annotations

import json
import re

import pytest

from tests import module_source
from tests.plans import FOLDER, QUEUES, ROOT, Plan, statements

ON_AWS = ("development", "staging", "production")
ENVIRONMENTS = ("local", *ON_AWS)


def test_every_root_is_planned() -> None:
    """A new root must not escape the tests below."""
    texts = (path.read_text("utf-8") for path in (FOLDER / "plans").glob("*.tftest.hcl"))
    planned = {root for text in texts for root in re.findall(r'source = "../../((?:environments|examples)/.*)"', text)}
    folders = [*module_source.roots(), *(path.parent for path in ROOT.glob("environments/*/main.tf"))]
    # A root with import blocks can't be a module of the tests; tests/examples plans it, and applies it.
    assert planned == {folder.relative_to(ROOT).as_posix() for folder in folders} - {"examples/existing-queues"}


def outputs_of(environment: str) -> dict[str, object]:
    """What each environment hands out, under the names of the module's outputs."""
    return {
        "request_queue_url": "https://sqs/request",
        "request_queue_arn": "arn:aws:sqs:::request",
        "response_queue_url": "https://sqs/response",
        "response_queue_arn": "arn:aws:sqs:::response",
        "request_dlq_url": "https://sqs/request-dlq",
        "request_dlq_arn": "arn:aws:sqs:::request-dlq",
        "response_dlq_url": "https://sqs/response-dlq",
        "response_dlq_arn": "arn:aws:sqs:::response-dlq",
        "api_url": "https://jobs.example.com",
        "api_id": "api1",
        "api_stage_name": "v1",
        "api_execution_arn": "arn:aws:execute-api:::api1/v1",
        "api_key_ids": {"web": "key1"},
        "api_domain_target": "d-1.example.com",
        "api_domain_zone_id": "ZONE1",
        "processor_function_name": f"bayon-coagent-ai-job-processor-{environment}",
        "result_handler_function_name": f"bayon-coagent-ai-job-result-handler-{environment}",
        "jobs_api_function_name": f"bayon-coagent-ai-jobs-api-{environment}",
        "reconciler_function_name": f"bayon-coagent-ai-job-reconciler-{environment}",
        "event_publisher_function_name": f"bayon-coagent-ai-job-event-publisher-{environment}",
        "event_publisher_role_name": f"bayon-coagent-ai-job-events-{environment}-eu-west-1",
        "event_bus_arn": "arn:aws:events:eu-west-1:123456789012:event-bus/default",
        "events_dlq_url": "https://sqs/events-dlq",
        "events_dlq_arn": "arn:aws:sqs:::events-dlq",
        "processor_role_name": f"bayon-coagent-ai-job-processor-{environment}-eu-west-1",
        "result_handler_role_name": f"bayon-coagent-ai-job-result-handler-{environment}-eu-west-1",
        "reconciler_role_name": f"bayon-coagent-ai-job-reconciler-{environment}-eu-west-1",
        "bucket_name": f"bayon-coagent-ai-jobs-{environment}-123456789012-eu-west-1",
        "bucket_arn": "arn:aws:s3:::objects",
        "table_name": f"bayon-coagent-ai-jobs-{environment}",
        "table_arn": "arn:aws:dynamodb:::jobs",
        "alarm_topic_arn": "arn:aws:sns:::alarms",
        "page_topic_arn": "arn:aws:sns:::alarms",
        "alarm_topic_arns": ["arn:aws:sns:::alarms"],
        "service_alarm_name": f"bayon-coagent-ai-job-service-unhealthy-{environment}",
        "dashboard_name": f"bayon-coagent-ai-jobs-{environment}-eu-west-1",
        "metrics_namespace": f"bayon-coagent-ai-jobs-{environment}",
        "config_application_id": "app1abc",
        "config_environment_id": "env1abc",
        "config_profile_id": "pro1abc",
        "job_types": ["blog-post", "listing-description", "market-update", "social-media"],
    }


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_hands_out_each_output(plans: dict[str, Plan], environment: str) -> None:  # R-P4
    outputs = plans[environment].outputs
    expected = outputs_of(environment)
    assert {name: outputs[name] for name in expected} == expected
    assert f"bayon-coagent-ai-job-processing-rate-{environment}" in outputs["alarm_names"]
    assert len(json.loads(outputs["dashboard_body"])["widgets"]) > 20


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_everything_in_an_environment_carries_its_tags(plans: dict[str, Plan], environment: str) -> None:  # R-Q5
    expected = {"Environment": environment, "Application": "bayon-coagent", "Service": "ai-jobs", "Team": "growth"}
    inside = plans[environment].inside("ai_jobs")
    assert len(inside.tags()) > 60
    assert {address: tags for address, tags in inside.tags().items() if tags != expected} == {}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_queue_and_bucket_refuses_plain_http(plans: dict[str, Plan], environment: str) -> None:  # R-Q6
    inside = plans[environment].inside("ai_jobs")
    assert [address for address in QUEUES if not statements(inside[address]["policy"])] == []
    assert "aws_s3_bucket_policy.this[0]" in inside.inside("bucket")


# What each environment decides for itself.
SETTINGS: dict[str, tuple[object, ...]] = {
    # in the order of ENVIRONMENTS: local, development, staging, production
    "table protected": (False, False, True, True),
    "table recoverable": (False, False, True, True),
    "bucket may be destroyed": (True, True, False, False),
    "processors at once": (10, 2, 5, 20),
    "log level": ("INFO", "DEBUG", "INFO", "INFO"),
    "days that jobs are kept": ("30", "7", "14", "90"),
    "days that logs are kept": (1, 7, 14, 90),
    "requests per second": (100, 20, 50, 200),
    "requests in a burst": (200, 40, 100, 400),
    "callers sign": ("AWS_IAM", "AWS_IAM", "AWS_IAM", "AWS_IAM"),
    "seconds that a batch is waited for": (0, 5, 5, 5),
}


def settings_of(plan: Plan) -> dict[str, object]:
    table = plan["module.store.aws_dynamodb_table.this"]
    trigger = plan["module.processor.aws_lambda_event_source_mapping.queue[0]"]
    (throttling,) = plan["module.api.aws_api_gateway_method_settings.all"]["settings"]
    return {
        "table protected": table["deletion_protection_enabled"],
        "table recoverable": table["point_in_time_recovery"][0]["enabled"],
        "bucket may be destroyed": plan["module.bucket.aws_s3_bucket.this"]["force_destroy"],
        "processors at once": trigger["scaling_config"][0]["maximum_concurrency"],
        "log level": plan.variables("processor")["POWERTOOLS_LOG_LEVEL"],
        "days that jobs are kept": plan.variables("processor")["AI_JOB_RETENTION_DAYS"],
        "days that logs are kept": plan["module.processor.aws_cloudwatch_log_group.this"]["retention_in_days"],
        "requests per second": throttling["throttling_rate_limit"],
        "requests in a burst": throttling["throttling_burst_limit"],
        "callers sign": plan["module.api.aws_api_gateway_method.post_jobs"]["authorization"],
        "seconds that a batch is waited for": trigger["maximum_batching_window_in_seconds"],
    }


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_has_its_own_settings(plans: dict[str, Plan], environment: str) -> None:  # R-P2
    column = ENVIRONMENTS.index(environment)
    assert settings_of(plans[environment].inside("ai_jobs")) == {name: row[column] for name, row in SETTINGS.items()}


def test_what_a_caller_gives_an_environment_reaches_the_module(plans: dict[str, Plan]) -> None:
    plan = plans["settings_of_an_environment"]
    inside = plan.inside("ai_jobs")
    assert plan.outputs["table_name"] == "acme-ai-jobs-production"
    assert "summary" in plan.outputs["job_types"]
    assert len(plan.outputs["job_types"]) == 5
    job_types = inside.job_types()
    assert {job_type["modelId"] for job_type in job_types.values()} == {"eu.amazon.nova-lite-v1:0"}
    assert (job_types["summary"]["maxTokens"], job_types["summary"]["timeoutSeconds"]) == (2048, 120)
    # What the environment sets is replaced by name, the rest of it stays.
    assert "module.api.aws_cloudwatch_log_group.access[0]" in inside
    settings = settings_of(inside)
    assert (settings["requests per second"], settings["requests in a burst"]) == (300, 400)
    encryption = inside["module.store.aws_dynamodb_table.this"]["server_side_encryption"][0]
    assert encryption["kms_key_arn"] == "arn:aws:kms:eu-west-1:123456789012:key/0001"
    assert inside.variables("processor")["AI_JOB_DAILY_TOKENS_TOTAL"] == "50000"
    assert inside.variables("event_publisher[0]")["AI_JOB_EVENTS_INCLUDE_RESULT"] == "true"
    assert inside["module.processor.aws_lambda_function.this"]["filename"] == "fixtures/packages/processor.zip"
    for topic, address in (("alarms", "ops@example.com"), ("pages", "on-call@example.com")):
        subscription = inside[f'module.alarms.aws_sns_topic_subscription.email["{topic} {address}"]']
        assert subscription["endpoint"] == address
    failed_jobs = inside.alarm("failed-jobs")
    assert "https://wiki.example.com/runbooks#failed-jobs" in failed_jobs["alarm_description"]
