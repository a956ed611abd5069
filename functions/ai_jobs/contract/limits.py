"""The limits and names that the Python packages share with the Terraform modules and docs/openapi.yaml.

They are in limits.json beside this file, which Terraform reads too. tests/unit/test_limits.py compares it with whatever
has to repeat one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SHARED: dict[str, Any] = json.loads(Path(__file__).with_name("limits.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Limit:
    """The smallest and the largest value that is allowed."""

    min: int
    max: int
    default: int | None = None


LIMITS = {name: Limit(**bounds) for name, bounds in _SHARED["limits"].items()}
"""By name and unit, such as `deadline_seconds`."""

MARGINS: dict[str, dict[str, int]] = _SHARED["margins"]
"""The seconds that a function holds back, by function."""

PATTERNS: dict[str, str] = _SHARED["patterns"]
"""Regular expressions that a whole text has to match."""

MODEL_SETTINGS: dict[str, list[str]] = _SHARED["model_settings"]
"""The values that Bedrock knows of settings that are words."""

MEDIA_TYPES: dict[str, dict[str, Any]] = _SHARED["media_types"]
"""The types of files that a job may have: `{kind, format, extensions}` each, `kind` and `format` as in Converse."""

OPEN_STATES: tuple[str, ...] = tuple(_SHARED["states"]["open"])
TERMINAL_STATES: tuple[str, ...] = tuple(_SHARED["states"]["terminal"])

FUNCTIONS: tuple[str, ...] = tuple(_SHARED["functions"])
"""The Lambda functions, each a package beside `ai_jobs`."""

LIVE: str = _SHARED["bundles"]["alias"]
"""The alias of each function that everything invokes. It points to the version that Terraform published last."""

USER_FROM_REQUEST: tuple[str, ...] = tuple(_SHARED["authorization_modes"]["user_from_request"])
USER_FROM_TOKEN: tuple[str, ...] = tuple(_SHARED["authorization_modes"]["user_from_token"])
"""The API's authorization modes, by where a job's user comes from."""

TABLE: dict[str, Any] = _SHARED["table"]
BUCKET: dict[str, str] = _SHARED["bucket"]
