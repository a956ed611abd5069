"""Run it with: pytest acme-jobs/tests. It needs `ai-jobs[functions]`, and no AWS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from acme_jobs.reports import NOT_A_REPORT, summarize

from ai_jobs import JobError
from ai_jobs.testing import ScriptedModel, run_handler

SCHEMA = json.loads(Path(__file__).parents[1].joinpath("inspection-report.schema.json").read_text(encoding="utf-8"))


def test_every_page_is_read_and_the_notes_are_summarized():
    model = ScriptedModel(
        ["The roof leaks.", "The boiler is new.", {"summary": "Mixed.", "defects": ["The roof leaks."]}]
    )
    result = run_handler(summarize, {"pages": ["Roof ...", "Boiler ..."]}, model=model, input_schema=SCHEMA)
    assert result.json == {"summary": "Mixed.", "defects": ["The roof leaks."], "pages": 2}
    assert result.model_calls == 3
    assert "in English" in model.prompts[2], "the schema's default"
    assert "The roof leaks.\n\nThe boiler is new." in model.prompts[2]


def test_a_summary_without_defects_is_asked_for_again():
    answers = ["A note.", {"summary": "Fine."}, {"summary": "Fine.", "defects": []}]
    result = run_handler(summarize, {"pages": ["Roof ..."]}, model=answers, input_schema=SCHEMA)
    assert result.json == {"summary": "Fine.", "defects": [], "pages": 1}


def test_an_empty_page_fails_before_it_costs_anything():
    with pytest.raises(JobError) as failed:
        run_handler(summarize, {"pages": ["Roof ...", " "]}, input_schema=SCHEMA)
    assert (failed.value.code, failed.value.field) == ("INVALID_INPUT", "input.pages.1")


def test_a_report_that_takes_too_long_fails_before_it_costs_anything():
    with pytest.raises(JobError, match="At most 2 can be summarized in time") as failed:
        run_handler(summarize, {"pages": ["..."] * 3}, input_schema=SCHEMA, seconds=10)
    assert failed.value.code == "GIVEN_UP"


def test_what_is_not_a_report_is_given_up():
    with pytest.raises(JobError, match="does not belong to an inspection report") as failed:
        run_handler(summarize, {"pages": ["Once upon a time"]}, model=[NOT_A_REPORT], input_schema=SCHEMA)
    assert failed.value.code == "GIVEN_UP"


def test_a_busy_model_is_left_to_the_service():
    busy = JobError("MODEL_THROTTLED", "Too many requests.")
    with pytest.raises(JobError) as failed:
        run_handler(summarize, {"pages": ["Roof ..."]}, model=[busy], input_schema=SCHEMA)
    assert failed.value.code == "MODEL_THROTTLED"
