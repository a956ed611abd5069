"""What a job type can't be is refused by the plan, with the value, the rule, and what to do: R-A1 to R-A5.

The plan is in refused/job_types.tftest.hcl. What is just allowed is in plans/ai_jobs.tftest.hcl
(what_a_job_type_can_be).
"""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.plans import DATA, FOLDER, ROOT

MEDIA_TYPES = ", ".join(
    sorted(json.loads((ROOT / "functions/ai_jobs/contract/limits.json").read_text())["media_types"])
)

REASONS = [
    (
        "model_prices has negative numbers for a.read, a.tier, a.write. Use US dollars per million tokens, and "
        "factors for tiers, 0 or more."
    ),
    ("model_prices has tiers that do not exist: a.cheap (cheap). Use one of default, flex, priority, reserved."),
    (
        "job_types.fraction.output.repairs is 0.5. Use a whole number from 0 to 3, because each is another model "
        "call within the same job."
    ),
    ("job_types.large.attachments.max_bytes is 25000001. Use a whole number of bytes from 1 to 25000000."),
    ("job_types.no-files.attachments.max_count is 0. Use a whole number of files from 1 to 20."),
    (
        "job_types.repairs.output.repairs is 4. Use a whole number from 0 to 3, because each is another model "
        "call within the same job."
    ),
    ("job_types.top-p.top_p is 1.1. Use a number from 0 to 1, or omit it."),
    (
        'job_types.effort.effort is "extreme". Use one of low, medium, high, xhigh, max, or omit it to leave it '
        "to the model."
    ),
    ('job_types.mode.output.mode is "json". Use one of native, tool, or omit it for the one that the model has.'),
    (
        'job_types.tier.service_tier is "Flex". Use one of default, flex, priority, reserved, or omit it for the '
        "default tier."
    ),
    ('job_types.ttl.prompt_cache.ttl is "10m". Use one of 5m, 1h.'),
    (f'job_types.zip.attachments.media_types is "application/zip". Use one of {MEDIA_TYPES}.'),
    ("job_types.entries.request_metadata has 17 values. Use at most 16."),
    ("job_types.fallbacks.fallback_model_ids has 6 values. Use at most 5."),
    ("job_types.stops.stop_sequences has 21 values. Use at most 20."),
    (
        'job_types.spaces names the model "nova pro", which is not the id of a model. Use a Bedrock model id, an '
        "inference profile id, or an ARN; omit model_id for default_model_id."
    ),
    (
        'job_types.itself.fallback_model_ids is ["amazon.nova-lite-v1:0"], and its model is '
        "amazon.nova-lite-v1:0. A model that was just tried would be tried again. Name each model once."
    ),
    (
        'job_types.twice.fallback_model_ids is ["a.a","a.a"], and its model is amazon.nova-lite-v1:0. A model '
        "that was just tried would be tried again. Name each model once."
    ),
    (
        "job_types.profile.inference_profile is true, and its model is "
        "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc. Bedrock makes application "
        "inference profiles of foundation models and cross-region inference profiles only. Name one of these, or "
        "set inference_profile = false."
    ),
    ("job_types.both has both a prompt and a handler (acme_jobs.reports:summarize). Set exactly one of them."),
    ("job_types.neither has neither a prompt nor a handler. Set exactly one of them."),
    (
        "system_prompt is set beside a handler in own-system, and would not be used: a handler passes its own to the "
        "model. Omit it."
    ),
    ("job_types.no-prompt.prompt is empty, and Bedrock rejects an empty one. Write one."),
    ('job_types.file.handler is "reports.py". Use MODULE:FUNCTION, such as "acme_jobs.reports:summarize".'),
    (
        "job_types.no-json.output_schema is not a JSON object. Use a JSON Schema (draft-04) as a JSON string, "
        'e.g. jsonencode({ type = "object", ... }).'
    ),
    ('job_types.list.output_schema has the type "array", but the output of a job is an object. Use type = "object".'),
    (
        "job_types.elsewhere.output_schema refers to another document, and nothing is fetched for it. Use only "
        'references within the schema ($ref = "#/definitions/name").'
    ),
    ("job_types.deep.output_schema is nested more than 150 levels deep. Make it flatter."),
    (
        "output is set without output_schema in any-output, and says how to get JSON that matches it. Set "
        "output_schema, or omit output."
    ),
    (
        "attachments.media_types is empty in no-media, so no file would be accepted. Name at least one of "
        f"{MEDIA_TYPES}, or omit attachments."
    ),
    (
        "job_types.documents.attachments allows 6 files, which are all documents. A model call takes at most 5 of "
        "them. Lower max_count, or use a handler, which can make several calls."
    ),
    ("stop_sequences has an empty text in stop, and Bedrock rejects it. Omit it."),
    (
        "additional_model_request_fields is not a JSON object in fields. Use a JSON object as a JSON string, "
        "e.g. jsonencode({ top_k = 50 })."
    ),
    (
        'job_types.entry.request_metadata has "team" = "growth & sales". Use at most 256 letters, digits, '
        "spaces, and :_@$#=/+,.- in each name and value."
    ),
]


@pytest.fixture(scope="module")
def reasons() -> list[str]:
    """Every line that the plan is refused with."""
    terraform = [str(ROOT / "scripts/terraform"), f"-chdir={FOLDER}"]
    environment = os.environ | {"TF_IN_AUTOMATION": "1", "TF_DATA_DIR": str(DATA)}
    where = "-test-directory=refused"
    subprocess.run(
        [*terraform, "init", "-backend=false", "-input=false", where], env=environment, capture_output=True, check=True
    )
    test = [*terraform, "test", "-json", where, "-filter=refused/job_types.tftest.hcl"]
    done = subprocess.run(test, env=environment, capture_output=True, text=True, check=False)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    messages = [
        event["diagnostic"]["detail"].partition("\n\nThis was checked by")[0]
        for event in events
        if "diagnostic" in event
    ]
    return [line for message in messages for line in message.splitlines()]


@pytest.mark.parametrize("reason", REASONS)
def test_a_rule_refuses_what_breaks_it(reasons: list[str], reason: str) -> None:  # R-A1 R-A2 R-A3 R-A4 R-A5
    assert reason in reasons


def test_nothing_else_is_refused(reasons: list[str]) -> None:
    assert sorted(reasons) == sorted(REASONS)
