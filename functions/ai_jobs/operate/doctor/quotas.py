"""The account's quotas that bind first (docs/scaling.md), compared with what the environment is set to admit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ai_jobs.aws.clients import (
    MAX_POOL_CONNECTIONS,
    get_apigateway_client,
    get_bedrock_control_client,
    get_service_quotas_client,
)
from ai_jobs.aws.errors import CALL_ERRORS, code_of
from ai_jobs.contract.limits import PATTERNS
from ai_jobs.operate.doctor.findings import NOT_THERE, Finding, NotCheckedError, State, Subject, made
from ai_jobs.operate.doctor.job_types import usable_types
from ai_jobs.operate.triggers import find_trigger


@dataclass(frozen=True)
class _Quota:
    """A quota per second.

    Attributes:
        per_job: how much of it one job uses.
    """

    name: str
    service: str
    code: str
    per_job: float


_API_REQUESTS = _Quota("API Gateway requests", "apigateway", "L-8A5B8E43", per_job=1)
# Submission, claim, and result, which each index takes as well (tests/unit/test_store_writes.py). The quota applies to
# the table and to each index separately
# (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html#default-limits-throughput).
_TABLE_WRITES = _Quota("DynamoDB writes of a table", "dynamodb", "L-AB614373", per_job=3)
# Ten events are one request, and at rates that matter the publisher has as many.
_EVENTS = _Quota("EventBridge PutEvents", "events", "L-9B653E91", per_job=0.1)

# Of the models, Service Quotas has a quota for each way to call one, under the model's name
# (https://docs.aws.amazon.com/bedrock/latest/userguide/quotas-runtime.html).
_PROFILE_PREFIX = re.compile(PATTERNS["inference_profile_prefix"])
_TOKENS = re.compile(r"(?P<way>.*)\btokens per minute for (?P<model>.+?)( V\d+(\.\d+)?)?", re.IGNORECASE)


def check_quotas(subject: Subject) -> Iterator[Finding]:
    """Does the account allow what the API admits, and what the calls that run at once reserve of their models?"""
    yield from made("quotas", _rates(subject))
    yield from made("model quotas", _model_tokens(subject))


def _rates(subject: Subject) -> Iterator[Finding]:
    rate = _admitted_rate(subject)
    quotas = [_API_REQUESTS, _TABLE_WRITES]
    if subject.outputs.get("events_enabled") is not False:
        quotas.append(_EVENTS)
    for quota in quotas:
        yield _compared(quota, rate, _value_of(quota))


def _admitted_rate(subject: Subject) -> float:
    """How many requests per second the API's stage admits. Jobs that are sent to the queue directly come on top."""
    stage = get_apigateway_client().get_stage(
        restApiId=subject.need("api_id"), stageName=subject.need("api_stage_name")
    )
    rate = stage.get("methodSettings", {}).get("*/*", {}).get("throttlingRateLimit")
    if rate is None:
        raise NotCheckedError("the API's stage has no rate limit", "run terraform apply")
    return float(rate)


def _value_of(quota: _Quota) -> float:
    client, key = get_service_quotas_client(), {"ServiceCode": quota.service, "QuotaCode": quota.code}
    try:
        answer = client.get_service_quota(**key)
    except CALL_ERRORS as error:
        if code_of(error) != "NoSuchResourceException":
            raise
        answer = client.get_aws_default_service_quota(**key)  # never changed in this account
    return float(answer["Quota"]["Value"])


def _compared(quota: _Quota, rate: float, allowed: float) -> Finding:
    name, needed = f"quota of {quota.name}", rate * quota.per_job
    found = (
        f"the account may have {allowed:,.0f} per second; the API admits {rate:g} jobs per second "
        f"(api.throttling_rate_limit), which need {needed:,.0f}"
    )
    if needed <= allowed:
        return Finding(name, State.OK, found)
    advice = f"{_request(quota.service, quota.code, needed)}, or lower api.throttling_rate_limit"
    return Finding(name, State.WARNING, found, advice)


def _request(service: str, code: str, value: float) -> str:
    key = f"--service-code {service} --quota-code {code}"
    return f"request more: aws service-quotas request-service-quota-increase {key} --desired-value {value:.0f}"


def _model_tokens(subject: Subject) -> Iterator[Finding]:
    calls = _calls_at_once(subject)
    most: dict[str, int] = {}
    for job_type in usable_types(subject).values():
        most[job_type["modelId"]] = max(most.get(job_type["modelId"], 0), int(job_type["maxTokens"]))
    quotas = _token_quotas()
    for model_id, max_tokens in sorted(most.items()):
        name = f"quota of model {model_id}"
        yield from made(name, _tokens_of(name, model_id, calls, max_tokens, quotas))


def _calls_at_once(subject: Subject) -> int:
    trigger = find_trigger(subject.function_name("processor"), subject.queue("request queue")["QueueArn"])
    if trigger is None or trigger.maximum_concurrency is None:
        raise NotCheckedError("it is not known how many model calls may run at once (see the trigger and concurrency)")
    return trigger.maximum_concurrency * min(trigger.batch_size or 1, MAX_POOL_CONNECTIONS)


def _token_quotas() -> list[dict[str, Any]]:
    pages = get_service_quotas_client().get_paginator("list_service_quotas").paginate(ServiceCode="bedrock")
    return [quota for page in pages for quota in page["Quotas"] if _TOKENS.fullmatch(quota["QuotaName"])]


def _tokens_of(
    name: str, model_id: str, calls: int, max_tokens: int, quotas: list[dict[str, Any]]
) -> Iterator[Finding]:
    """A model call reserves its input and `max_tokens` when it starts: are there enough for all that run at once?"""
    quota = _quota_of(model_id, quotas)
    allowed, needed = float(quota["Value"]), calls * max_tokens
    found = (
        f"{allowed:,.0f} tokens per minute; up to {calls} calls at once (processor.maximum_concurrency x batch_size) "
        f"reserve {needed:,} when they start (max_tokens), plus their inputs; over time, it is enough for "
        f"{allowed / 60 / max_tokens:,.1f} jobs per second that use all of max_tokens"
    )
    if needed <= allowed:
        yield Finding(name, State.OK, found)
    else:
        request = _request("bedrock", quota["QuotaCode"], needed)
        lower = "lower processor.maximum_concurrency or max_tokens (throttled jobs wait as delayed copies)"
        advice = f"{lower}, or {request}"
        yield Finding(name, State.WARNING, found, advice)


def _quota_of(model_id: str, quotas: list[dict[str, Any]]) -> dict[str, Any]:
    way, called = _way_and_model(model_id)
    model = f"{called.get('providerName', '')} {called.get('modelName', model_id)}".strip()
    for quota in quotas:
        found = _TOKENS.fullmatch(quota["QuotaName"])
        if found and found["model"].casefold() == model.casefold() and found["way"].casefold().startswith(way):
            return quota
    advice = "look for the model's tokens per minute in the console: Service Quotas, Amazon Bedrock"
    raise NotCheckedError(f"Service Quotas has no {way} quota for {model}", advice)


def _way_and_model(model_id: str) -> tuple[str, Mapping[str, Any]]:
    """How calls reach the model, in the words of its quota's name, and what Bedrock says about the model."""
    own = model_id.rpartition("/")[2]
    geography = _PROFILE_PREFIX.match(own)
    behind = own[geography.end() :] if geography else own
    try:
        model = get_bedrock_control_client().get_foundation_model(modelIdentifier=behind)["modelDetails"]
    except CALL_ERRORS as error:
        if code_of(error) not in (*NOT_THERE, "ValidationException"):
            raise
        raise NotCheckedError(f"Bedrock does not know {behind} (see the model's own finding)") from None
    if geography is None:
        return "on-demand", model
    return ("global cross-region" if geography[1] == "global" else "cross-region"), model
