"""The documents say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from ai_jobs.contract.errors import CODES
from ai_jobs.service import metrics

ROOT = Path(__file__).parents[2]


def test_every_error_code_stands_in_the_table_under_its_class():
    text = ROOT.joinpath("docs/how-it-works.md").read_text()
    table = text.partition("## When it goes wrong")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| ")]
    found = {code: row[1].strip().replace(" ", "_") for row in rows for code in re.findall(r"`([A-Z_]+)`", row[3])}
    assert found == {code: str(error_class) for code, error_class in CODES.items()}


def test_every_metric_is_in_the_table_with_its_dimension():
    text = ROOT.joinpath("docs/how-it-works.md").read_text().partition("## What is in the logs and metrics")[2]
    rows = [line.split("|") for line in text.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    found = {name: row[3].strip() == "yes" for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    assert found == dict.fromkeys(metrics.OVERALL, False) | dict.fromkeys(metrics.BY_TYPE, True)
