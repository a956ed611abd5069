"""What model calls cost."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ai_jobs.contract.errors import ConfigurationError
from ai_jobs.contract.result import Usage

_DEFAULT_TIER = "default"


@dataclass(frozen=True)
class ModelPrice:
    """What a model costs, in US dollars per million tokens.

    Attributes:
        cache_read, cache_write: for input tokens that were read from, or written to, the prompt cache.
        tiers: by service tier, the factor of all prices.
    """

    input: float
    output: float
    cache_read: float
    cache_write: float
    tiers: Mapping[str, float] = field(default_factory=dict)

    def of(self, usage: Usage, service_tier: str | None = None) -> float:
        """What one call costs, in US dollars."""
        dollars = (
            usage.input_tokens * self.input
            + usage.output_tokens * self.output
            + usage.cache_read_tokens * self.cache_read
            + usage.cache_write_tokens * self.cache_write
        )
        return dollars * self.tiers.get(service_tier or _DEFAULT_TIER, 1) / 1_000_000


def total_cost(costs: Iterable[float | None]) -> float | None:
    """The sum in US dollars, without the noise of adding; None if one of them is not known."""
    known = list(costs)
    return None if None in known else round(sum(cost for cost in known if cost is not None), 10)


def model_prices(environment: Mapping[str, str] = os.environ) -> dict[str, ModelPrice]:
    """Prices by model id, from the JSON in `AI_JOB_MODEL_PRICES`; empty if that is unset.

    The JSON is `{id: {input, output, cacheRead?, cacheWrite?, tiers?}}`. Tokens of the cache cost as much as others if
    their price is missing.

    Raises:
        ConfigurationError: if it can't be read.
    """
    text = environment.get("AI_JOB_MODEL_PRICES", "").strip() or "{}"
    try:
        return {model: _price(price) for model, price in json.loads(text).items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ConfigurationError(
            "AI_JOB_MODEL_PRICES",
            f'is {text[:200]!r}. It must look like {{"MODEL ID": {{"input": 0.06, "output": 0.24}}}}.',
        ) from None


def _price(document: Mapping[str, float | Mapping[str, float]]) -> ModelPrice:
    read, written = (float(document.get(name, document["input"])) for name in ("cacheRead", "cacheWrite"))  # type: ignore[arg-type]
    tiers = {tier: float(factor) for tier, factor in document.get("tiers", {}).items()}  # type: ignore[union-attr]
    return ModelPrice(float(document["input"]), float(document["output"]), read, written, tiers)  # type: ignore[arg-type]
