"""modules/ai-jobs as a caller gets it without settings: its values, and which leaf is given what.

What a leaf makes of what it is given is tested on the leaf alone (*.tftest.hcl). The plan gives everything that only
AWS knows a value of its own (plans/ai_jobs.tftest.hcl), so that a wire that ends at the wrong resource shows.
"""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from tests.plans import FUNCTIONS, MANIFEST, QUEUES, ROOT, Plan, build, statements

ROUTES = ("put_job", "get_job", "list_jobs", "cancel_job", "create_upload")
BUILTIN_TYPES = ["blog-post", "listing-description", "market-update", "social-media"]
TAGS = {"Environment": "test", "Application": "bayon-coagent", "Service": "ai-jobs"}


@pytest.fixture(scope="module")
def plan(plans: dict[str, Plan]) -> Plan:
    return plans["defaults"]


# --- Outputs


def test_each_queue_output_is_of_its_queue(plan: Plan) -> None:  # R-P4
    expected = {
        "request_queue_url": "https://sqs/request",
        "request_queue_arn": "arn:aws:sqs:::request",
        "response_queue_url": "https://sqs/response",
        "response_queue_arn": "arn:aws:sqs:::response",
        "request_dlq_url": "https://sqs/request-dlq",
        "request_dlq_arn": "arn:aws:sqs:::request-dlq",
        "response_dlq_url": "https://sqs/response-dlq",
        "response_dlq_arn": "arn:aws:sqs:::response-dlq",
    }
    assert {name: plan.outputs[name] for name in expected} == expected


def test_the_outputs_of_the_api(plan: Plan) -> None:  # R-P4
    expected = {
        "api_url": "https://api1/v1",
        "api_id": "api1",
        "api_stage_name": "v1",
        "api_execution_arn": "arn:aws:execute-api:::api1/v1",
    }
    assert {name: plan.outputs[name] for name in expected} == expected


def test_the_outputs_that_name_functions_table_bucket_alarms_and_dashboard(plan: Plan) -> None:  # R-P4
    expected = {
        "processor_function_name": "bayon-coagent-ai-job-processor-test",
        "result_handler_function_name": "bayon-coagent-ai-job-result-handler-test",
        "jobs_api_function_name": "bayon-coagent-ai-jobs-api-test",
        "reconciler_function_name": "bayon-coagent-ai-job-reconciler-test",
        "processor_role_name": "bayon-coagent-ai-job-processor-test-eu-west-1",
        "result_handler_role_name": "bayon-coagent-ai-job-result-handler-test-eu-west-1",
        "reconciler_role_name": "bayon-coagent-ai-job-reconciler-test-eu-west-1",
        "bucket_name": "bayon-coagent-ai-jobs-test-123456789012-eu-west-1",
        "bucket_arn": "arn:aws:s3:::objects",
        "table_name": "bayon-coagent-ai-jobs-test",
        "table_arn": "arn:aws:dynamodb:::jobs",
        "alarm_topic_arn": "arn:aws:sns:::alarms",
        "page_topic_arn": "arn:aws:sns:::alarms",
        "alarm_topic_arns": ["arn:aws:sns:::alarms"],
        "service_alarm_name": "bayon-coagent-ai-job-service-unhealthy-test",
        "dashboard_name": "bayon-coagent-ai-jobs-test-eu-west-1",
        "metrics_namespace": "bayon-coagent-ai-jobs-test",
    }
    assert {name: plan.outputs[name] for name in expected} == expected
    assert "bayon-coagent-ai-job-processing-rate-test" in plan.outputs["alarm_names"]
    assert len(json.loads(plan.outputs["dashboard_body"])["widgets"]) > 20


def test_the_outputs_of_appconfig(plan: Plan) -> None:  # R-P4
    expected = {"config_application_id": "app1abc", "config_environment_id": "env1abc", "config_profile_id": "pro1abc"}
    assert {name: plan.outputs[name] for name in expected} == expected


def test_the_builtin_job_types_are_the_four(plan: Plan) -> None:  # R-J7
    assert plan.outputs["job_types"] == BUILTIN_TYPES


def test_there_are_as_many_alarms_as_the_docs_say(plan: Plan) -> None:
    """Another number: look whether docs/runbooks.md and the README's figures still say so."""
    assert len(plan.outputs["alarm_names"]) == 40
    assert len(json.loads(plan.outputs["dashboard_body"])["widgets"]) > 20


# --- Nothing escapes the tests


def test_the_plan_of_everything_has_every_resource_of_the_modules(plans: dict[str, Plan]) -> None:
    """What no plan holds, no test here looks at: not its tags, not its name."""
    declared = {
        ".".join(found)
        for path in (ROOT / "modules").glob("*/*.tf")
        for found in re.findall(r'(?m)^resource "(\w+)" "(\w+)"', path.read_text("utf-8"))
    }
    planned = {re.sub(r"module\.\w+(\[\d+\])?\.|\[.*", "", address) for address in plans["everything"].resources}
    assert planned == declared


# --- Queues


@pytest.mark.parametrize(
    ("queue", "visibility_timeout"),
    [
        pytest.param("request", 900, id="request"),  # R-Q1
        pytest.param("response", 300, id="response"),  # R-Q2
    ],
)
def test_a_queue_has_the_promised_defaults(plan: Plan, queue: str, visibility_timeout: int) -> None:
    expected = {
        "name": f"bayon-coagent-ai-job-{queue}-test",
        "message_retention_seconds": 14 * 24 * 3600,
        "visibility_timeout_seconds": visibility_timeout,
        "receive_wait_time_seconds": 20,
    }
    address = f"module.{queue}_queue.aws_sqs_queue.this"
    redrive = json.loads(plan[address]["redrive_policy"])
    assert (plan.arguments(address, expected), redrive) == (
        expected,
        {"deadLetterTargetArn": f"arn:aws:sqs:::{queue}-dlq", "maxReceiveCount": 3},
    )


@pytest.mark.parametrize(
    "queue",
    [
        pytest.param("request", id="request"),  # R-Q3
        pytest.param("response", id="response"),  # R-Q4
    ],
)
def test_only_its_own_queue_may_dead_letter_into_a_dlq(plan: Plan, queue: str) -> None:
    expected = {"name": f"bayon-coagent-ai-job-{queue}-dlq-test", "message_retention_seconds": 14 * 24 * 3600}
    address = f"module.{queue}_queue.aws_sqs_queue.dlq"
    allowed = json.loads(plan[address]["redrive_allow_policy"])
    assert (plan.arguments(address, expected), allowed) == (
        expected,
        {
            "redrivePermission": "byQueue",
            "sourceQueueArns": [f"arn:aws:sqs:eu-west-1:123456789012:bayon-coagent-ai-job-{queue}-test"],
        },
    )


def test_everything_that_can_carry_tags_carries_them(plan: Plan) -> None:  # R-Q5
    assert len(plan.tags()) > 60
    assert {address: tags for address, tags in plan.tags().items() if tags != TAGS} == {}


def test_every_queue_is_encrypted_and_refuses_plain_http(plan: Plan) -> None:  # R-Q6
    for address in QUEUES:
        queue = plan[address]
        assert (queue["sqs_managed_sse_enabled"], queue["kms_master_key_id"]) == (True, None), address
        first = statements(queue["policy"])[0]
        assert (first["Effect"], first["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}}), address


# --- Functions and their triggers


def test_the_processor_and_its_trigger_have_the_promised_defaults(plan: Plan) -> None:  # R-J3
    trigger = {
        "event_source_arn": "arn:aws:sqs:::request",
        "enabled": True,
        "batch_size": 10,
        "maximum_batching_window_in_seconds": 5,
        "function_response_types": ["ReportBatchItemFailures"],
        "scaling_config": [{"maximum_concurrency": 10}],
    }
    function = {
        "timeout": 900,
        "memory_size": 3008,
        "reserved_concurrent_executions": -1,
        "handler": "processor.handler.handler",
    }
    assert plan.arguments("module.processor.aws_lambda_event_source_mapping.queue[0]", trigger) == trigger
    assert plan.arguments("module.processor.aws_lambda_function.this", function) == function


def test_only_who_sends_delayed_copies_may_send_to_its_own_queue(plan: Plan) -> None:
    """Throttled jobs, and results during an outage, go around as delayed copies: no runaway loop."""
    loops = {
        address: resource["recursive_loop"]
        for address, resource in plan.resources.items()
        if ".aws_lambda_function_recursion_config." in address
    }
    assert loops == {
        "module.processor.aws_lambda_function_recursion_config.this[0]": "Allow",
        "module.result_handler.aws_lambda_function_recursion_config.this[0]": "Allow",
    }


def test_only_the_reconciler_has_a_schedule_every_five_minutes(plan: Plan) -> None:  # R-E3
    schedule = {
        "name": "bayon-coagent-ai-job-reconciler-test",
        "schedule_expression": "rate(5 minutes)",
        "state": "ENABLED",
    }
    function = {
        "timeout": 240,
        "memory_size": 1769,
        "reserved_concurrent_executions": -1,
        "handler": "reconciler.handler.handler",
    }
    address = "module.reconciler.aws_scheduler_schedule.this[0]"
    assert [found for found in plan.resources if ".aws_scheduler_schedule." in found] == [address]
    assert plan.arguments(address, schedule) == schedule
    (target,) = plan[address]["target"]
    assert (target["arn"], target["role_arn"]) == (
        "arn:aws:lambda:::reconciler:live",
        "arn:aws:iam::123456789012:role/schedule",
    )
    role = plan["module.reconciler.aws_iam_role.schedule[0]"]
    assert role["name"] == "bayon-coagent-ai-job-schedule-test-eu-west-1"
    assert plan.arguments("module.reconciler.aws_lambda_function.this", function) == function


def test_the_result_handler_and_its_trigger_have_the_promised_defaults(plan: Plan) -> None:  # R-J5
    trigger = {
        "event_source_arn": "arn:aws:sqs:::response",
        "enabled": True,
        "batch_size": 10,
        "maximum_batching_window_in_seconds": 0,
        "function_response_types": ["ReportBatchItemFailures"],
        "scaling_config": [{"maximum_concurrency": 10}],
    }
    function = {
        "timeout": 30,
        "memory_size": 512,
        "reserved_concurrent_executions": -1,
        "handler": "result_handler.handler.handler",
    }
    assert plan.arguments("module.result_handler.aws_lambda_event_source_mapping.queue[0]", trigger) == trigger
    assert plan.arguments("module.result_handler.aws_lambda_function.this", function) == function


def test_each_route_but_post_ends_at_the_jobs_api_function(plan: Plan) -> None:  # R-J6
    function = {
        "timeout": 29,
        "memory_size": 1024,
        "reserved_concurrent_executions": -1,
        "handler": "jobs_api.handler.handler",
    }
    assert plan.arguments("module.jobs_api.aws_lambda_function.this", function) == function
    assert "module.jobs_api.aws_lambda_event_source_mapping.queue[0]" not in plan
    for route in ROUTES:
        integration = plan[f'module.api.aws_api_gateway_integration.function["{route}"]']
        permission = plan[f'module.api.aws_lambda_permission.function["{route}"]']
        assert integration["uri"] == "arn:aws:apigateway:::invoke-jobs-api:live", route
        assert permission["function_name"] == "bayon-coagent-ai-jobs-api-test", route
        assert permission["qualifier"] == "live", route


def test_each_function_keeps_its_logs_and_has_a_plain_role(plan: Plan) -> None:
    for module in FUNCTIONS.values():
        assert plan[f"module.{module}.aws_cloudwatch_log_group.this"]["retention_in_days"] == 30, module
        role = plan[f"module.{module}.aws_iam_role.this"]
        assert (role["path"], role["permissions_boundary"]) == ("/", None), module


def test_a_roles_name_ends_in_the_region(plan: Plan) -> None:
    """IAM is global: with the region a second region of the same environment can be built."""
    roles = {module: plan[f"module.{module}.aws_iam_role.this"]["name"] for module in list(FUNCTIONS)[:4]}
    assert roles == {
        "processor": "bayon-coagent-ai-job-processor-test-eu-west-1",
        "result_handler": "bayon-coagent-ai-job-result-handler-test-eu-west-1",
        "jobs_api": "bayon-coagent-ai-jobs-api-test-eu-west-1",
        "reconciler": "bayon-coagent-ai-job-reconciler-test-eu-west-1",
    }


def test_each_zip_is_taken_from_the_bucket_by_its_hash(plan: Plan) -> None:  # R-P3 R-P5
    for name, module in FUNCTIONS.items():
        expected = {
            "s3_bucket": "releases",
            "s3_key": MANIFEST["functions"][name]["key"],
            "source_code_hash": MANIFEST["functions"][name]["base64sha256"],
            "filename": None,
        }
        assert plan.arguments(f"module.{module}.aws_lambda_function.this", expected) == expected
    assert plan.outputs["builds"] == {name: build(name) for name in FUNCTIONS}
    assert plan.outputs["release"] == "1.2.3"


def test_another_release_changes_exactly_the_functions_with_another_zip(plans: dict[str, Plan]) -> None:  # R-P5
    before, after = plans["defaults"], plans["another_release"]
    changed: set[str] = set()
    for module in FUNCTIONS.values():
        address = f"module.{module}.aws_lambda_function.this"
        # What this one is given. Of what only AWS knows, the mocked provider makes something else up in each plan.
        arguments = before[address].keys() & {
            *("description", "environment", "filename", "handler", "layers", "memory_size", "publish", "runtime"),
            *("s3_bucket", "s3_key", "s3_object_version", "source_code_hash", "tags", "timeout", "vpc_config"),
        }
        assert len(arguments) > 10
        if before.arguments(address, arguments) != after.arguments(address, arguments):
            changed.add(module)
    assert changed == {"reconciler"}
    assert (before.outputs["release"], after.outputs["release"]) == ("1.2.3", "9.9.9")
    assert after.outputs["builds"] == before.outputs["builds"] | {"reconciler": hashlib.sha256(b"x").hexdigest()[:12]}


# --- The functions' environment variables: the keys that ai_jobs.configuration reads


def test_the_environment_variables_of_the_processor(plan: Plan) -> None:
    assert plan.variables("processor") == {
        "AI_JOB_BUILD": build("processor"),
        "POWERTOOLS_SERVICE_NAME": "ai-job-processor",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "POWERTOOLS_METRICS_NAMESPACE": "bayon-coagent-ai-jobs-test",
        "AI_JOB_TYPES": "blog-post,listing-description,market-update,social-media",
        "AI_JOB_MODEL_PRICES": '{"amazon.nova-lite-v1:0":{"input":0.06,"output":0.24}}',
        "AI_JOB_REQUEST_QUEUE_URL": "https://sqs/request",
        "AI_JOB_REQUEST_DLQ_URL": "https://sqs/request-dlq",
        "AI_JOB_RESPONSE_QUEUE_URL": "https://sqs/response",
        "AI_JOB_TABLE_NAME": "bayon-coagent-ai-jobs-test",
        "AI_JOB_BUCKET": "bayon-coagent-ai-jobs-test-123456789012-eu-west-1",
        "AI_JOB_CONFIG_APPLICATION": "app1abc",
        "AI_JOB_CONFIG_ENVIRONMENT": "env1abc",
        "AI_JOB_CONFIG_PROFILE": "pro1abc",
        "AI_JOB_CONFIG_MAX_AGE_SECONDS": "60",
        "AI_JOB_VISIBILITY_TIMEOUT_SECONDS": "900",
        "AI_JOB_MAX_RECEIVE_COUNT": "3",
        "AI_JOB_DEFAULT_DEADLINE_SECONDS": "21600",
        "AI_JOB_MAX_BACKOFF_SECONDS": "900",
        "AI_JOB_MODEL_ACCESS_WAIT_SECONDS": "600",
        "AI_JOB_RETENTION_DAYS": "30",
    }


def test_the_environment_variables_of_the_result_handler(plan: Plan) -> None:
    assert plan.variables("result_handler") == {
        "AI_JOB_BUILD": build("result_handler"),
        "POWERTOOLS_SERVICE_NAME": "ai-job-result-handler",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "POWERTOOLS_METRICS_NAMESPACE": "bayon-coagent-ai-jobs-test",
        "AI_JOB_TYPES": "blog-post,listing-description,market-update,social-media",
        "AI_JOB_RESPONSE_QUEUE_URL": "https://sqs/response",
        "AI_JOB_RESPONSE_DLQ_URL": "https://sqs/response-dlq",
        "AI_JOB_TABLE_NAME": "bayon-coagent-ai-jobs-test",
        "AI_JOB_BUCKET": "bayon-coagent-ai-jobs-test-123456789012-eu-west-1",
        "AI_JOB_MAX_BACKOFF_SECONDS": "900",
    }


def test_the_environment_variables_of_the_jobs_api(plan: Plan) -> None:
    assert plan.variables("jobs_api") == {
        "AI_JOB_BUILD": build("jobs_api"),
        "POWERTOOLS_SERVICE_NAME": "ai-jobs-api",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "POWERTOOLS_METRICS_NAMESPACE": "bayon-coagent-ai-jobs-test",
        "AI_JOB_TYPES": "blog-post,listing-description,market-update,social-media",
        "AI_JOB_AUTHORIZATION": "AWS_IAM",
        "AI_JOB_REQUEST_QUEUE_URL": "https://sqs/request",
        "AI_JOB_TABLE_NAME": "bayon-coagent-ai-jobs-test",
        "AI_JOB_BUCKET": "bayon-coagent-ai-jobs-test-123456789012-eu-west-1",
        "AI_JOB_CONFIG_APPLICATION": "app1abc",
        "AI_JOB_CONFIG_ENVIRONMENT": "env1abc",
        "AI_JOB_CONFIG_PROFILE": "pro1abc",
        "AI_JOB_CONFIG_MAX_AGE_SECONDS": "60",
        "AI_JOB_VISIBILITY_TIMEOUT_SECONDS": "900",
        "AI_JOB_DEFAULT_DEADLINE_SECONDS": "21600",
        "AI_JOB_RETENTION_DAYS": "30",
        "AI_JOB_MAX_WAIT_SECONDS": "25",
    }


def test_the_environment_variables_of_the_reconciler(plan: Plan) -> None:
    assert plan.variables("reconciler") == {
        "AI_JOB_BUILD": build("reconciler"),
        "POWERTOOLS_SERVICE_NAME": "ai-job-reconciler",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "POWERTOOLS_METRICS_NAMESPACE": "bayon-coagent-ai-jobs-test",
        "AI_JOB_TYPES": "blog-post,listing-description,market-update,social-media",
        "AI_JOB_REQUEST_DLQ_URL": "https://sqs/request-dlq",
        "AI_JOB_RESPONSE_DLQ_URL": "https://sqs/response-dlq",
        "AI_JOB_TABLE_NAME": "bayon-coagent-ai-jobs-test",
        "AI_JOB_BUCKET": "bayon-coagent-ai-jobs-test-123456789012-eu-west-1",
        "AI_JOB_RETENTION_DAYS": "30",
    }


# --- The whole of what each function may do

WRITE_LOGS = ["logs:CreateLogStream", "logs:PutLogEvents"]
WRITE_TRACES = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
READ_CONFIGURATION = ["appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"]
JOB_TYPES = "arn:aws:appconfig:eu-west-1:123456789012:application/app1abc/environment/env1abc/configuration/pro1abc"
REQUEST, RESPONSE = "arn:aws:sqs:::request", "arn:aws:sqs:::response"
REQUEST_DLQ, RESPONSE_DLQ = "arn:aws:sqs:::request-dlq", "arn:aws:sqs:::response-dlq"
TABLE = "arn:aws:dynamodb:::jobs"
OBJECTS = "arn:aws:s3:::objects"


def allowed(plan: Plan, function: str) -> dict[str, tuple[list[str], list[str]]]:
    return {sid: (one["Action"], one["Resource"]) for sid, one in plan.permissions(function).items()}


def test_the_processor_may_do_what_it_should_and_no_more(plan: Plan) -> None:
    assert allowed(plan, "processor") == {
        "WriteOwnLogs": (WRITE_LOGS, ["arn:aws:logs:::processor:*"]),
        "WriteTraces": (WRITE_TRACES, ["*"]),
        "WorkOnRequests": (
            [
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ChangeMessageVisibility",
                "sqs:SendMessage",
            ],
            [REQUEST],
        ),
        "SendResultsAndGivenUpJobs": (["sqs:SendMessage"], [RESPONSE, REQUEST_DLQ]),
        "KeepJobs": (["dynamodb:GetItem", "dynamodb:UpdateItem"], [TABLE]),
        "StoreLargeResults": (["s3:PutObject"], [f"{OBJECTS}/results/*"]),
        "ReadInputs": (["s3:GetObject"], [f"{OBJECTS}/inputs/*", f"{OBJECTS}/uploads/*"]),
        "TellMissingInputs": (["s3:ListBucket"], [OBJECTS]),
        "ReadJobTypes": (READ_CONFIGURATION, [JOB_TYPES]),
        "InvokeModels": (
            ["bedrock:InvokeModel"],
            ["arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0"],
        ),
    }
    conditional = {sid for sid, one in plan.permissions("processor").items() if "Condition" in one}
    assert conditional == {"TellMissingInputs"}


def test_the_result_handler_may_do_what_it_should_and_no_more(plan: Plan) -> None:
    assert allowed(plan, "result_handler") == {
        "WriteOwnLogs": (WRITE_LOGS, ["arn:aws:logs:::result-handler:*"]),
        "WriteTraces": (WRITE_TRACES, ["*"]),
        "WorkOnResults": (
            ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage"],
            [RESPONSE],
        ),
        "SendGivenUpResults": (["sqs:SendMessage"], [RESPONSE_DLQ]),
        "WriteResults": (["dynamodb:UpdateItem"], [TABLE]),
    }


def test_the_jobs_api_may_do_what_it_should_and_no_more(plan: Plan) -> None:
    assert allowed(plan, "jobs_api") == {
        "WriteOwnLogs": (WRITE_LOGS, ["arn:aws:logs:::jobs-api:*"]),
        "WriteTraces": (WRITE_TRACES, ["*"]),
        "SubmitReadAndCancelJobs": (["dynamodb:GetItem", "dynamodb:UpdateItem"], [TABLE]),
        "ListJobs": (["dynamodb:Query"], [f"{TABLE}/index/by-user"]),
        "EnqueueJobs": (["sqs:SendMessage"], [REQUEST]),
        "StoreInputs": (["s3:PutObject"], [f"{OBJECTS}/inputs/*", f"{OBJECTS}/uploads/*"]),
        "CheckAndCopyUploads": (["s3:GetObject"], [f"{OBJECTS}/inputs/*", f"{OBJECTS}/uploads/*"]),
        "TellMissingInputs": (["s3:ListBucket"], [OBJECTS]),
        "SignResultUrls": (["s3:GetObject"], [f"{OBJECTS}/results/*"]),
        "ReadJobTypes": (READ_CONFIGURATION, [JOB_TYPES]),
    }


def test_the_reconciler_may_do_what_it_should_and_no_more(plan: Plan) -> None:
    assert allowed(plan, "reconciler") == {
        "WriteOwnLogs": (WRITE_LOGS, ["arn:aws:logs:::reconciler:*"]),
        "WriteTraces": (WRITE_TRACES, ["*"]),
        "WorkOnDeadLetters": (
            ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:SendMessage"],
            [REQUEST_DLQ, RESPONSE_DLQ],
        ),
        "FindOpenJobs": (["dynamodb:Query"], [f"{TABLE}/index/open-jobs"]),
        "CloseJobs": (["dynamodb:BatchGetItem", "dynamodb:UpdateItem"], [TABLE]),
    }


@pytest.mark.parametrize("function", ["processor", "jobs_api"])
def test_no_more_of_the_bucket_may_be_listed_than_inputs_and_uploads(plan: Plan, function: str) -> None:
    condition = plan.permissions(function)["TellMissingInputs"]["Condition"]
    assert condition == {"StringLike": {"s3:prefix": ["inputs/*", "uploads/*"]}}


# --- API, table, bucket, alarms, job types


def test_post_jobs_goes_straight_to_the_request_queue(plan: Plan) -> None:  # R-J1
    assert plan["module.api.aws_api_gateway_integration.post_jobs"]["uri"] == (
        "arn:aws:apigateway:eu-west-1:sqs:path/123456789012/bayon-coagent-ai-job-request-test"
    )
    first = statements(plan["module.api.aws_iam_role_policy.post_jobs"]["policy"])[0]
    assert first["Resource"] == [REQUEST]
    assert plan["module.api.aws_iam_role.post_jobs"]["name"] == "bayon-coagent-ai-jobs-post-test-eu-west-1"


def test_the_api_is_signed_throttled_and_without_an_access_log(plan: Plan) -> None:
    assert plan["module.api.aws_api_gateway_rest_api.this"]["name"] == "bayon-coagent-ai-jobs-test"
    for method in ("post_jobs", 'function["get_job"]'):
        assert plan[f"module.api.aws_api_gateway_method.{method}"]["authorization"] == "AWS_IAM", method
    assert plan["module.api.aws_api_gateway_stage.this"]["stage_name"] == "v1"
    (settings,) = plan["module.api.aws_api_gateway_method_settings.all"]["settings"]
    assert (settings["throttling_rate_limit"], settings["throttling_burst_limit"]) == (100, 200)
    assert "module.api.aws_cloudwatch_log_group.access[0]" not in plan


def test_the_table_is_protected_recoverable_and_encrypted(plan: Plan) -> None:
    table = plan["module.store.aws_dynamodb_table.this"]
    assert (table["name"], table["deletion_protection_enabled"]) == ("bayon-coagent-ai-jobs-test", True)
    assert table["point_in_time_recovery"][0]["enabled"]
    assert table["server_side_encryption"][0]["enabled"]


def test_the_bucket_is_protected_encrypted_and_expires(plan: Plan) -> None:
    expected = {"bucket": "bayon-coagent-ai-jobs-test-123456789012-eu-west-1", "force_destroy": False}
    assert plan.arguments("module.bucket.aws_s3_bucket.this", expected) == expected
    assert "module.bucket.aws_s3_bucket_policy.this[0]" in plan
    (rule,) = plan["module.bucket.aws_s3_bucket_server_side_encryption_configuration.this"]["rule"]
    assert rule["apply_server_side_encryption_by_default"][0]["sse_algorithm"] == "AES256"
    assert plan.expirations() == {"results": 31, "inputs": 31, "uploads": 1}


def test_each_dead_letter_queue_has_its_alarm(plan: Plan) -> None:  # R-M1
    assert plan['module.alarms.aws_sns_topic.this["alarms"]']["name"] == "bayon-coagent-ai-job-alarms-test"
    for queue in ("request", "response"):
        expected = {
            "alarm_name": f"bayon-coagent-ai-job-{queue}-dlq-messages-test",
            "dimensions": {"QueueName": f"bayon-coagent-ai-job-{queue}-dlq-test"},
        }
        address = f'module.alarms.aws_cloudwatch_metric_alarm.this["{queue}-dlq-messages"]'
        assert plan.arguments(address, expected) == expected


def test_the_names_in_appconfig(plan: Plan) -> None:
    names = {
        kind: plan[f"module.job_types.aws_appconfig_{kind}"]["name"]
        for kind in ("application.this", "environment.this", "deployment_strategy.at_once")
    }
    assert names == {
        "application.this": "bayon-coagent-ai-jobs-test",
        "environment.this": "test",
        "deployment_strategy.at_once": "bayon-coagent-ai-jobs-test-at-once",
    }


def test_a_listing_may_have_five_photos(plan: Plan) -> None:  # R-A2
    """None larger than Converse accepts."""
    given = {name: job_type["attachments"] for name, job_type in plan.job_types().items() if "attachments" in job_type}
    photos = {"mediaTypes": ["image/png", "image/jpeg", "image/webp"], "maxCount": 5, "maxBytes": 3_750_000}
    assert given == {"listing-description": photos}


def test_a_builtin_job_type_uses_the_default_model(plan: Plan) -> None:  # R-J7
    models = {name: job_type["modelId"] for name, job_type in plan.job_types().items()}
    assert models == dict.fromkeys(BUILTIN_TYPES, "amazon.nova-lite-v1:0")
