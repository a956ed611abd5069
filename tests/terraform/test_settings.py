"""modules/ai-jobs with settings: each reaches what it is about. The settings are in plans/ai_jobs.tftest.hcl."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest

from ai_jobs.service.job_type_document import read_job_type
from tests.plans import FOLDER, FUNCTIONS, MANIFEST, QUEUES, Plan, build, statements

CROSS_REGION = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/0001"


# --- Every setting away from its default, and most at the edge of what is allowed


@pytest.fixture(scope="module")
def given(plans: dict[str, Plan]) -> Plan:
    return plans["settings_given"]


@pytest.mark.parametrize(
    ("queue", "settings", "max_receive_count", "dlq_retention"),
    [
        pytest.param(
            "request",
            {"visibility_timeout_seconds": 43200, "message_retention_seconds": 60, "receive_wait_time_seconds": 0},
            1000,
            61,
            id="request_queue",
        ),
        pytest.param(
            "response",
            {"visibility_timeout_seconds": 29, "message_retention_seconds": 120, "receive_wait_time_seconds": 1},
            1,
            120,
            id="response_queue",
        ),
    ],
)
def test_a_queues_settings_reach_it(
    given: Plan, queue: str, settings: dict[str, int], max_receive_count: int, dlq_retention: int
) -> None:
    expected = {"name": f"acme-ai-job-{queue}-prd"} | settings
    address = f"module.{queue}_queue.aws_sqs_queue.this"
    assert given.arguments(address, expected) == expected
    assert json.loads(given[address]["redrive_policy"])["maxReceiveCount"] == max_receive_count
    assert given[f"module.{queue}_queue.aws_sqs_queue.dlq"]["message_retention_seconds"] == dlq_retention


@pytest.mark.parametrize(
    ("name", "function", "trigger"),
    [
        pytest.param(
            "processor",
            {
                "timeout": 899,
                "memory_size": 10240,
                "reserved_concurrent_executions": 1000,
                "layers": ["arn:aws:lambda:eu-west-1:123456789012:layer:acme-jobs:7"],
            },
            {
                "batch_size": 10000,
                "maximum_batching_window_in_seconds": 300,
                "scaling_config": [{"maximum_concurrency": 1000}],
                "enabled": False,
            },
            id="processor",
        ),
        pytest.param(
            "result_handler",
            {"timeout": 29, "memory_size": 128, "reserved_concurrent_executions": 2},
            {
                "batch_size": 11,
                "maximum_batching_window_in_seconds": 1,
                "scaling_config": [{"maximum_concurrency": 2}],
                "enabled": False,
            },
            id="result_handler",
        ),
    ],
)
def test_a_workers_settings_reach_it(
    given: Plan, name: str, function: dict[str, object], trigger: dict[str, object]
) -> None:
    assert given.arguments(f"module.{name}.aws_lambda_function.this", function) == function
    assert given.arguments(f"module.{name}.aws_lambda_event_source_mapping.queue[0]", trigger) == trigger


def test_the_settings_of_the_jobs_api_and_of_the_vpc_reach_it(given: Plan) -> None:
    expected = {"timeout": 24, "memory_size": 512, "reserved_concurrent_executions": 3}
    assert given.arguments("module.jobs_api.aws_lambda_function.this", expected) == expected
    for module in FUNCTIONS.values():
        (vpc,) = given[f"module.{module}.aws_lambda_function.this"]["vpc_config"]
        assert vpc["subnet_ids"] == ["subnet-0a"], module
    variables = {
        "AI_JOB_MAX_WAIT_SECONDS": "20",
        "AI_JOB_MAX_CONCURRENT_WAITS": "40",
        "AI_JOB_BUILD": build("jobs_api"),
        "AI_JOB_AUTHORIZATION": "NONE",
    }
    assert given.variables("jobs_api").items() >= variables.items()


def test_the_settings_of_the_reconciler_reach_it(given: Plan) -> None:
    function = {"timeout": 30, "memory_size": 256, "reserved_concurrent_executions": 1}
    schedule = {"schedule_expression": "rate(1 minute)", "state": "DISABLED"}
    assert given.arguments("module.reconciler.aws_lambda_function.this", function) == function
    assert given.arguments("module.reconciler.aws_scheduler_schedule.this[0]", schedule) == schedule
    assert given.variables("reconciler")["AI_JOB_RETENTION_DAYS"] == "1"


def test_the_budget_reaches_the_processor(given: Plan) -> None:
    variables = {"AI_JOB_DAILY_TOKENS_PER_USER": "50000", "AI_JOB_DAILY_TOKENS_TOTAL": "50001"}
    assert given.variables("processor").items() >= variables.items()


def test_the_settings_of_the_bucket_reach_it(given: Plan) -> None:
    assert given["module.bucket.aws_s3_bucket.this"]["force_destroy"] is True
    assert "module.bucket.aws_s3_bucket_policy.this[0]" not in given
    (rule,) = given["module.bucket.aws_s3_bucket_server_side_encryption_configuration.this"]["rule"]
    assert rule["apply_server_side_encryption_by_default"][0]["kms_master_key_id"] == KEY
    assert given.expirations() == {"results": 2, "inputs": 31, "uploads": 1}


def test_the_settings_of_the_api_reach_it(given: Plan) -> None:
    for method in ("post_jobs", 'function["get_job"]'):
        assert given[f"module.api.aws_api_gateway_method.{method}"]["authorization"] == "NONE", method
    assert given.outputs["api_stage_name"] == "live"
    (settings,) = given["module.api.aws_api_gateway_method_settings.all"]["settings"]
    assert (settings["throttling_rate_limit"], settings["throttling_burst_limit"]) == (7, 8)
    assert given["module.api.aws_cloudwatch_log_group.access[0]"]["retention_in_days"] == 3653


def test_the_settings_of_the_table_reach_it(given: Plan) -> None:
    table = given["module.store.aws_dynamodb_table.this"]
    assert (table["deletion_protection_enabled"], table["point_in_time_recovery"][0]["enabled"]) == (False, False)


def test_the_rules_for_jobs_reach_the_processor(given: Plan) -> None:
    variables = {
        "AI_JOB_RETENTION_DAYS": "1",
        "AI_JOB_DEFAULT_DEADLINE_SECONDS": "1209600",
        "AI_JOB_MAX_BACKOFF_SECONDS": "1",
        "AI_JOB_CONFIG_MAX_AGE_SECONDS": "15",
        "AI_JOB_VISIBILITY_TIMEOUT_SECONDS": "43200",
        "AI_JOB_MAX_RECEIVE_COUNT": "1000",
    }
    assert given.variables("processor").items() >= variables.items()


def test_the_settings_of_the_logs_reach_every_function(given: Plan) -> None:
    for module in FUNCTIONS.values():
        assert given.variables(module)["POWERTOOLS_LOG_LEVEL"] == "ERROR", module
        assert given[f"module.{module}.aws_cloudwatch_log_group.this"]["retention_in_days"] == 3653, module


def test_path_and_boundary_reach_every_role(given: Plan) -> None:
    roles = given.of_type("aws_iam_role")
    assert len(roles) == 7
    expected = ("/platform/", "arn:aws:iam::123456789012:policy/boundary")
    assert {(role["path"], role["permissions_boundary"]) for role in roles} == {expected}


def test_a_role_under_another_path_has_another_name(given: Plan) -> None:
    """A change of the path replaces the roles, some of them before the old ones are gone: a name may be used once."""
    suffix = f"-prd-eu-west-1-{hashlib.sha256(b'/platform/').hexdigest()[:6]}"
    names = [role["name"] for role in given.of_type("aws_iam_role")]
    assert [name for name in names if not name.endswith(suffix)] == []


def test_the_callers_tags_are_on_everything_and_theirs_win(given: Plan) -> None:  # R-Q5
    expected = {"Environment": "Production", "Application": "acme", "Service": "ai-jobs", "Team": "growth"}
    assert len(given.tags()) > 60
    assert {address: tags for address, tags in given.tags().items() if tags != expected} == {}


def test_every_queue_has_the_customer_key_and_no_policy_without_tls(given: Plan) -> None:  # R-Q6
    for address in QUEUES:
        assert given[address]["kms_master_key_id"] == KEY, address
        assert statements(given[address]["policy"]) == [], address


def test_the_customer_key_reaches_the_table_and_every_user_of_it(given: Plan) -> None:
    assert given["module.store.aws_dynamodb_table.this"]["server_side_encryption"][0]["kms_key_arn"] == KEY
    roles = [f"module.{module}.aws_iam_role_policy.this" for module in list(FUNCTIONS)[:4]]
    for role in [*roles, "module.api.aws_iam_role_policy.post_jobs"]:
        usable = [
            one["Resource"] == [KEY]
            for one in statements(given[role]["policy"])
            if {"kms:Decrypt", "kms:GenerateDataKey"} <= set(one["Action"])
        ]
        assert any(usable), role


def test_the_customer_key_reaches_every_log_and_environment(given: Plan) -> None:  # R-P8
    groups = given.of_type("aws_cloudwatch_log_group")
    assert {group["name"]: group["kms_key_id"] for group in groups if group["kms_key_id"] != KEY} == {}
    assert len(groups) == len(FUNCTIONS) + 1  # the access log
    for module in FUNCTIONS.values():
        assert given[f"module.{module}.aws_lambda_function.this"]["kms_key_arn"] == KEY, module
        usable = [one["Resource"] for one in given.permissions(module).values() if "kms:Decrypt" in one["Action"]]
        assert usable == [[KEY]], module


def test_each_function_gets_its_zip_below_the_given_prefix(given: Plan) -> None:  # R-P3 R-P5
    for name, module in FUNCTIONS.items():
        expected = {
            "s3_bucket": "zips",
            "s3_key": f"ai-jobs/{MANIFEST['functions'][name]['key']}",
            "source_code_hash": MANIFEST["functions"][name]["base64sha256"],
        }
        assert given.arguments(f"module.{module}.aws_lambda_function.this", expected) == expected
    assert given.outputs["release"] == "1.2.3"


def test_each_threshold_reaches_its_alarm(given: Plan) -> None:
    expected = {
        "request-queue-depth": 1,
        "request-queue-age": 2,
        "response-queue-age": 2,
        "processing-rate": 3,
        "jobs-waiting": 4,
        "failed-jobs": 5,
        "oldest-open-job": 7,
        "processor-errors": 8,
        "processor-duration": 449500,
        "processor-concurrency": 600,
        "jobs-api-concurrency": 1,
        "api-errors": 9,
        "api-latency": 10,
        "table-throttles": 11,
    }
    assert {key: given.alarm(key)["threshold"] for key in expected} == expected


def test_the_callers_topics_key_addresses_and_runbooks_reach_the_alarms(given: Plan) -> None:
    failed_jobs = given.alarm("failed-jobs")
    assert failed_jobs["alarm_actions"] == ["arn:aws:sns:eu-west-1:123456789012:chat"]
    assert "https://wiki.example.com/runbooks#failed-jobs" in failed_jobs["alarm_description"]
    (result,) = (query for query in failed_jobs["metric_query"] if query["return_data"])
    assert ">= 6" in result["expression"]
    topic = given['module.alarms.aws_sns_topic.this["pages"]']
    assert topic["kms_master_key_id"] == "arn:aws:kms:eu-west-1:123456789012:key/0002"
    subscription = given['module.alarms.aws_sns_topic_subscription.email["pages on-call@example.com"]']
    assert subscription["endpoint"] == "on-call@example.com"
    assert 'module.alarms.aws_sns_topic.this["alarms"]' not in given


def test_a_models_prices_reach_the_processor(given: Plan) -> None:  # R-A3
    """What is not given is not there: the environment has little room."""
    assert json.loads(given.variables("processor")["AI_JOB_MODEL_PRICES"]) == {
        "acme.model": {"input": 1, "output": 2.5},
        "acme.large": {
            "input": 1,
            "output": 2,
            "cacheRead": 0,
            "cacheWrite": 1.25,
            "tiers": {"flex": 0.5, "priority": 1.75},
        },
    }


def test_there_are_no_saved_queries_that_nobody_wants(given: Plan) -> None:
    assert list(given.inside("dashboard").resources) == ["aws_cloudwatch_dashboard.this"]


# --- Zips from a directory, and the longest names that there may be: R-P3


@pytest.fixture(scope="module")
def from_a_directory(plans: dict[str, Plan]) -> Plan:
    return plans["zips_from_a_directory"]


def test_each_zip_is_taken_from_the_directory_under_its_own_name(from_a_directory: Plan) -> None:  # R-P3
    for name, module in FUNCTIONS.items():
        digest = hashlib.sha256((FOLDER / f"fixtures/packages/{name}.zip").read_bytes())
        expected = {
            "filename": f"fixtures/packages/{name}.zip",
            "source_code_hash": base64.b64encode(digest.digest()).decode(),
            "s3_bucket": None,
        }
        assert from_a_directory.arguments(f"module.{module}.aws_lambda_function.this", expected) == expected
        assert from_a_directory.outputs["builds"][name] == digest.hexdigest()[:12]
    assert from_a_directory.outputs["release"] == "1.2.3"


LONGEST = {
    "aws_sqs_queue": 80,
    "aws_lambda_function": 64,
    "aws_iam_role": 64,
    "aws_s3_bucket": 63,
    "aws_scheduler_schedule": 64,
    "aws_appconfig_application": 64,
    "aws_appconfig_deployment_strategy": 64,
}
"""How long AWS lets a name be; 255 characters of anything else."""


def test_no_name_is_longer_than_aws_allows(from_a_directory: Plan) -> None:  # R-P3
    """Name and environment are as long as their rule lets them be."""
    names = {}
    for address, resource in from_a_directory.resources.items():
        given = [resource.get(key) for key in ("name", "function_name", "bucket", "alarm_name", "dashboard_name")]
        if any(given):
            names[address] = next(name for name in given if name)
    assert len(names) > 60
    limits = {address: LONGEST.get(address.split(".")[-2], 255) for address in names}
    assert {address: name for address, name in names.items() if len(name) > limits[address]} == {}


# --- Job types: R-J7


@pytest.fixture(scope="module")
def of_the_callers(plans: dict[str, Plan]) -> Plan:
    return plans["job_types_of_the_callers"]


def may_be_called(plan: Plan) -> dict[str, dict[str, Any]]:
    """What the processor may do at Bedrock, by the statement's id."""
    permissions = plan.permissions("processor")
    return {sid: one for sid, one in permissions.items() if one["Action"][0].startswith("bedrock:")}


def test_the_callers_types_are_merged_over_the_builtin_ones(of_the_callers: Plan) -> None:  # R-J7
    names = ["blog-post", "listing-description", "market-update", "social-media", "summary"]
    assert of_the_callers.outputs["job_types"] == names


def test_a_builtin_type_is_replaced_as_a_whole(of_the_callers: Plan) -> None:  # R-J7
    assert of_the_callers.job_types()["blog-post"] == {
        "modelId": "anthropic.claude-3-haiku-20240307-v1:0",
        "prompt": "Our own prompt about {{ subject }}",
        "maxTokens": 100,
        "temperature": 0,
        "timeoutSeconds": 30,
        "guardrail": {"id": "abc123", "version": "DRAFT"},
        "inputSchema": {"type": "object"},
    }


def test_what_a_type_does_not_say_has_the_default(of_the_callers: Plan) -> None:  # R-J7
    assert of_the_callers.job_types()["summary"] == {
        "modelId": "eu.amazon.nova-pro-v1:0",
        "prompt": "Summarise {{ text }}",
        "maxTokens": 2048,
        "timeoutSeconds": 120,
        "inputSchema": {"type": "object", "required": ["text"]},
    }


def test_the_default_model_reaches_the_builtin_types(of_the_callers: Plan) -> None:  # R-J7
    assert of_the_callers.job_types()["social-media"]["modelId"] == "eu.amazon.nova-pro-v1:0"


def test_exactly_the_models_and_guardrails_of_the_types_may_be_called(of_the_callers: Plan) -> None:  # R-J7
    """Calls through a profile are authorized on the profile, and on the model in whatever region it is routed to."""
    profile = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0"
    assert may_be_called(of_the_callers) == {
        "InvokeModels": {
            "Sid": "InvokeModels",
            "Effect": "Allow",
            "Action": ["bedrock:InvokeModel"],
            "Resource": [
                "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
                profile,
            ],
        },
        "InvokeModelsThroughProfiles": {
            "Sid": "InvokeModelsThroughProfiles",
            "Effect": "Allow",
            "Action": ["bedrock:InvokeModel"],
            "Resource": [
                "arn:aws:bedrock:*::foundation-model/amazon.nova-pro-v1:0",
                "arn:aws:bedrock:::foundation-model/amazon.nova-pro-v1:0",
            ],
            "Condition": {"StringEquals": {"bedrock:InferenceProfileArn": [profile]}},
        },
        "ApplyGuardrails": {
            "Sid": "ApplyGuardrails",
            "Effect": "Allow",
            "Action": ["bedrock:ApplyGuardrail"],
            "Resource": ["arn:aws:bedrock:eu-west-1:123456789012:guardrail/abc123"],
        },
    }


@pytest.fixture(scope="module")
def without_builtin(plans: dict[str, Plan]) -> Plan:
    return plans["without_builtin_job_types"]


PROFILE = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc"


def test_the_builtin_types_can_be_left_out(without_builtin: Plan) -> None:  # R-J7
    assert (without_builtin.outputs["job_types"], list(without_builtin.job_types())) == (["summary"], ["summary"])


def test_a_model_or_guardrail_given_as_an_arn_reaches_the_policy_as_it_is(without_builtin: Plan) -> None:  # R-J7
    assert {sid: one["Resource"] for sid, one in may_be_called(without_builtin).items()} == {
        "InvokeModels": [PROFILE],
        "InvokeModelsThroughGivenProfiles": [
            "arn:aws:bedrock:*::foundation-model/*",
            "arn:aws:bedrock:::foundation-model/*",
        ],
        "ApplyGuardrails": ["arn:aws:bedrock:eu-west-1:123456789012:guardrail/abc123"],
    }


def test_foundation_models_may_be_called_through_the_given_profile_only(without_builtin: Plan) -> None:  # R-J7
    condition = may_be_called(without_builtin)["InvokeModelsThroughGivenProfiles"]["Condition"]
    assert condition == {"StringEquals": {"bedrock:InferenceProfileArn": [PROFILE]}}


# --- What a job type can be: R-A1 to R-A5


@pytest.fixture(scope="module")
def of_every_kind(plans: dict[str, Plan]) -> Plan:
    return plans["what_a_job_type_can_be"]


def test_every_setting_of_a_type_reaches_the_document(of_every_kind: Plan) -> None:  # R-A1 R-A2 R-A3 R-A4
    assert of_every_kind.job_types()["everything"] == {
        "modelId": "eu.acme.large-v1:0",
        "fallbackModelIds": ["acme.small-v1:0", "a.b", "a.c", "a.d", "a.e"],
        "systemPrompt": "You extract data.",
        "prompt": "{{ text }}",
        "maxTokens": 1000,
        "timeoutSeconds": 60,
        "temperature": 1,
        "topP": 0,
        "stopSequences": ["END", " "],
        "effort": "xhigh",
        "serviceTier": "flex",
        "promptCache": {"ttl": "5m"},
        "guardrail": {"id": "abc123", "version": "1"},
        "additionalModelRequestFields": {"top_k": 50},
        "requestMetadata": {"team": "growth", "cost center": ""},
        "inputSchema": {"type": "object"},
        "outputSchema": {"type": "object", "required": ["price"]},
        "output": {"mode": "native", "repairs": 0},
        "attachments": {"mediaTypes": ["image/png", "application/pdf"], "maxCount": 20, "maxBytes": 25_000_000},
    }


def test_the_parts_of_a_setting_have_defaults(of_every_kind: Plan) -> None:  # R-A1 R-A2 R-A3
    assert of_every_kind.job_types()["defaults"] == {
        "modelId": "amazon.nova-lite-v1:0",
        "prompt": "{{ text }}",
        "maxTokens": 2048,
        "timeoutSeconds": 120,
        "promptCache": {"ttl": "1h"},
        "inputSchema": {},
        "outputSchema": {},
        "output": {"repairs": 1},
        "attachments": {"mediaTypes": ["text/plain"], "maxCount": 5, "maxBytes": 3_750_000},
    }


def test_a_handler_takes_the_place_of_the_prompt(of_every_kind: Plan) -> None:  # R-A5
    own_code = of_every_kind.job_types()["own-code"]
    assert (own_code["handler"], "prompt" in own_code) == ("acme_jobs.reports:summarize", False)
    assert of_every_kind["module.processor.aws_lambda_function.this"]["layers"] == [
        "arn:aws:lambda:eu-west-1:123456789012:layer:acme-jobs:7"
    ]


def test_the_functions_accept_every_kind_of_type(of_every_kind: Plan) -> None:
    for name, document in of_every_kind.job_types().items():
        assert read_job_type(name, document).name == name


def test_a_fallback_model_may_be_called_like_any_other(of_every_kind: Plan) -> None:  # R-A4
    permissions = may_be_called(of_every_kind)
    assert permissions["InvokeModels"]["Resource"] == [
        "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0",
        *(
            f"arn:aws:bedrock:eu-west-1::foundation-model/{it}"
            for it in ("acme.small-v1:0", "a.b", "a.c", "a.d", "a.e")
        ),
        "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.acme.large-v1:0",
    ]


# --- Application inference profiles: R-A3


@pytest.fixture(scope="module")
def with_own_profiles(plans: dict[str, Plan]) -> Plan:
    return plans["own_inference_profiles"]


LONG_NAME = "a--type-with-a-long-name-of-sixty-four-characters-of-the-billing"


OWN_PROFILES = [f"arn:aws:bedrock:::{name}" for name in ("billed-large", "billed-small", "billed-middle", "long-large")]


def test_each_model_of_a_type_has_a_profile_with_the_types_tag(with_own_profiles: Plan) -> None:  # R-A3
    profiles = with_own_profiles.of_type("aws_bedrock_inference_profile")
    found = {(one["tags"]["JobType"], one["model_source"][0]["copy_from"]) for one in profiles}
    assert found == {
        ("billed", f"{CROSS_REGION}/eu.acme.large-v1:0"),
        ("billed", "arn:aws:bedrock:eu-west-1::foundation-model/acme.small-v1:0"),
        ("billed", f"{CROSS_REGION}/eu.acme.middle-v1:0"),
        (LONG_NAME, f"{CROSS_REGION}/eu.acme.large-v1:0"),
    }
    assert all({"Application": "acme", "Environment": "test"}.items() <= one["tags"].items() for one in profiles)


def test_bedrock_accepts_the_names_of_the_profiles(with_own_profiles: Plan) -> None:  # R-A3
    names = [one["name"] for one in with_own_profiles.of_type("aws_bedrock_inference_profile")]
    assert len(set(names)) == 4
    for name in names:
        assert re.fullmatch(r"([0-9a-zA-Z][ _-]?)+", name), name
        assert len(name) <= 64, name


def test_a_type_is_told_which_profile_stands_for_which_model(with_own_profiles: Plan) -> None:  # R-A3
    assert with_own_profiles.job_types()["billed"]["inferenceProfiles"] == {
        "eu.acme.large-v1:0": "arn:aws:bedrock:::billed-large",
        "acme.small-v1:0": "arn:aws:bedrock:::billed-small",
        f"{CROSS_REGION}/eu.acme.middle-v1:0": "arn:aws:bedrock:::billed-middle",
    }


def test_what_the_plan_of_a_new_profile_does_not_know(plans: dict[str, Plan]) -> None:  # R-A3
    plan = plans["everything"]
    assert "content" not in plan["module.job_types.aws_appconfig_hosted_configuration_version.this"]
    known = json.loads(plan["module.job_types.terraform_data.job_types_at_plan"]["input"])["jobTypes"]
    assert known["billed"]["prompt"] == "{{ text }}"
    assert "inferenceProfiles" not in known["billed"]
    assert {"billed", "blog-post"} < known.keys()


def test_models_with_a_profile_of_their_own_may_be_called_through_it_only(with_own_profiles: Plan) -> None:  # R-A3
    permissions = may_be_called(with_own_profiles)
    assert set(permissions) == {"InvokeOwnProfiles", "InvokeModelsThroughOwnProfiles"}
    assert sorted(permissions["InvokeOwnProfiles"]["Resource"]) == sorted(OWN_PROFILES)
    through = permissions["InvokeModelsThroughOwnProfiles"]
    assert sorted(through["Condition"]["StringEquals"]["bedrock:InferenceProfileArn"]) == sorted(OWN_PROFILES)
    assert sorted(through["Resource"]) == sorted(
        f"arn:aws:bedrock:{region}::foundation-model/acme.{size}-v1:0"
        for size in ("large", "small", "middle")
        for region in ("*", "")
    )


def test_without_profiles_there_are_none(of_every_kind: Plan) -> None:  # R-A3
    assert of_every_kind.of_type("aws_bedrock_inference_profile") == []


# --- The rest of what api can say, which settings_given's NONE leaves no room for


@pytest.fixture(scope="module")
def with_tokens(plans: dict[str, Plan]) -> Plan:
    return plans["token_modes"]


def test_every_part_of_api_reaches_the_api(with_tokens: Plan) -> None:
    api = with_tokens.inside("api")
    authorizer = api["aws_api_gateway_authorizer.this[0]"]
    assert (authorizer["type"], len(authorizer["provider_arns"])) == ("COGNITO_USER_POOLS", 2)
    scopes = api["aws_api_gateway_method.post_jobs"]["authorization_scopes"]
    assert sorted(scopes) == ["ai-jobs/use", "https://example.com/jobs"]
    assert api['aws_api_gateway_method.function["list_jobs"]']["api_key_required"] is True
    plan = api["aws_api_gateway_usage_plan.this[0]"]
    assert (plan["throttle_settings"][0]["rate_limit"], plan["quota_settings"][0]["period"]) == (0.5, "MONTH")
    assert 'aws_api_gateway_api_key.this["mobile"]' in api
    assert "aws_api_gateway_rest_api_policy.this[0]" in api
    acl = api["aws_wafv2_web_acl_association.this[0]"]["web_acl_arn"]
    assert acl == "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/jobs/1"
    certificate = api["aws_api_gateway_domain_name.this[0]"]["regional_certificate_arn"]
    assert certificate == "arn:aws:acm:eu-west-1:123456789012:certificate/1"


def test_the_function_knows_how_callers_are_authorized(with_tokens: Plan) -> None:
    """It must take the identity from where the gateway puts it."""
    variables = {"AI_JOB_AUTHORIZATION": "COGNITO_USER_POOLS", "AI_JOB_MAX_WAIT_SECONDS": "0"}
    assert with_tokens.variables("jobs_api").items() >= variables.items()


def test_the_origins_reach_both_the_gateway_and_the_function(with_tokens: Plan) -> None:
    """Both answer pages."""
    origins = with_tokens.variables("jobs_api")["AI_JOB_CORS_ALLOW_ORIGINS"]
    assert origins == "https://app.example.com http://localhost:3000"
    preflight = with_tokens['module.api.aws_api_gateway_integration_response.preflight["jobs"]']
    assert preflight["response_parameters"]["method.response.header.Access-Control-Max-Age"] == "'60'"


def test_pages_may_send_files_to_the_bucket(with_tokens: Plan) -> None:  # R-A2
    (rule,) = with_tokens["module.bucket.aws_s3_bucket_cors_configuration.this[0]"]["cors_rule"]
    assert sorted(rule["allowed_origins"]) == ["http://localhost:3000", "https://app.example.com"]
    assert (sorted(rule["allowed_methods"]), rule["max_age_seconds"]) == (["GET", "POST"], 60)


def test_the_url_is_the_domains(with_tokens: Plan) -> None:
    assert with_tokens.outputs["api_url"] == "https://jobs.eu.example.com/v1.0_a-b"


def test_a_lambda_authorizer_reaches_the_api_and_its_mode_the_function(plans: dict[str, Plan]) -> None:
    plan = plans["everything"]
    expected = {"type": "REQUEST", "authorizer_result_ttl_in_seconds": 3600}
    assert plan.arguments("module.api.aws_api_gateway_authorizer.this[0]", expected) == expected
    permission = plan["module.api.aws_lambda_permission.authorizer[0]"]
    assert permission["function_name"] == "arn:aws:lambda:eu-west-1:123456789012:function:who"
    assert plan.variables("jobs_api")["AI_JOB_AUTHORIZATION"] == "CUSTOM"
