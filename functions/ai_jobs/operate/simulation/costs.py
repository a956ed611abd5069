"""What the jobs of a run cost, from what they used and the dated prices in prices.json, without the model's tokens."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRICE_LIST: dict[str, Any] = json.loads(Path(__file__).with_name("prices.json").read_text(encoding="utf-8"))
"""The prices with their units, sources, and dates: their one home."""

PRICES: dict[str, float] = {name: price["usd"] for name, price in PRICE_LIST["prices"].items()}
"""US dollars per unit, by name."""

# A posted job without a retry: its claim and its result, each in the table and in both indexes (R-S1).
_WRITES_PER_JOB = 2
_INDEXES = 2
_RESULT_ROW_BYTES = 900
"""Of a row, beside the text of its result."""

_BYTES_PER_TOKEN = 4
_LOG_BYTES_PER_JOB = 2500
_BYTES_PER_WRITE_UNIT = 1024


@dataclass(frozen=True)
class Usage:
    """What all jobs of a run used."""

    jobs: int
    delayed_copies: int
    processor_invocations: int
    processor_gb_seconds: float
    result_handler_invocations: int
    result_handler_gb_seconds: float
    request_receives: int
    response_receives: int
    output_tokens: int


def costs_per_million(usage: Usage) -> dict[str, float]:
    """US dollars per million jobs, by what they pay for.

    Jobs are submitted with POST. What callers read afterwards is not included, and neither are the event publisher's
    invocations, traces, alarms, storage, and empty receives of an idle queue.
    """
    if not usage.jobs:
        return {}
    millions = usage.jobs / 1_000_000
    return {name: usd / millions for name, usd in _costs(usage).items()}


def _costs(usage: Usage) -> dict[str, float]:
    gb_second, invocation = PRICES["lambda_gb_second"], PRICES["lambda_request"]
    return {
        "submission": usage.jobs * PRICES["api_gateway_rest_request"],
        "queues": _queue_costs(usage),
        "processor": usage.processor_gb_seconds * gb_second + usage.processor_invocations * invocation,
        "resultHandler": usage.result_handler_gb_seconds * gb_second + usage.result_handler_invocations * invocation,
        "table": _write_units(usage) * PRICES["dynamodb_write_request_unit"],
        "events": usage.jobs * PRICES["eventbridge_custom_event"],
        "logs": usage.jobs * _LOG_BYTES_PER_JOB / 1e9 * PRICES["logs_ingested_gb"],
    }


def _queue_costs(usage: Usage) -> float:
    """Each message is sent; each receive of up to ten is followed by a delete and, on requests, a new visibility.

    Results that are ready at the same moment share a request, so that this is an upper bound.
    """
    requests = usage.jobs + usage.delayed_copies + 3 * usage.request_receives
    responses = usage.jobs + 2 * usage.response_receives
    return requests * (PRICES["sqs_request"] + PRICES["sqs_fair_request"]) + responses * PRICES["sqs_request"]


def _write_units(usage: Usage) -> float:
    """The claims and the results; a delayed copy costs a release and another claim."""
    result_units = math.ceil((_RESULT_ROW_BYTES + usage.output_tokens * _BYTES_PER_TOKEN) / _BYTES_PER_WRITE_UNIT)
    per_job = (_WRITES_PER_JOB - 1 + result_units) + _WRITES_PER_JOB * _INDEXES
    per_copy = 2 * (1 + _INDEXES)
    return usage.jobs * per_job + usage.delayed_copies * per_copy
