"""What a caller gets who turns on an option of the API and sets nothing more."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plans import Plan


@pytest.fixture(scope="module")
def options(plans: dict[str, Plan]) -> Plan:
    return plans["api_options_without_settings"]


def one(plan: Plan, kind: str) -> dict[str, Any]:
    (resource,) = plan.of_type(kind)
    return resource


def test_an_authorizer_gets_one_header_and_its_answers_are_kept_for_five_minutes(options: Plan) -> None:
    authorizer = one(options, "aws_api_gateway_authorizer")
    assert (authorizer["type"], authorizer["identity_source"], authorizer["authorizer_result_ttl_in_seconds"]) == (
        "TOKEN",
        "method.request.header.Authorization",
        300,
    )


def test_a_domain_takes_tls_1_2(options: Plan) -> None:
    assert one(options, "aws_api_gateway_domain_name")["security_policy"] == "TLS_1_2"


def test_a_browser_keeps_the_answer_to_a_preflight_for_an_hour(options: Plan) -> None:
    preflights = [
        resource
        for address, resource in options.resources.items()
        if address.startswith("module.api.aws_api_gateway_integration_response.preflight")
    ]
    assert len(preflights) == 4
    ages = {p["response_parameters"]["method.response.header.Access-Control-Max-Age"] for p in preflights}
    assert ages == {"'3600'"}
