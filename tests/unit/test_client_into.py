"""R-A1: a JSON result as an object of the caller's own class."""

from __future__ import annotations

import copy
import datetime as dt
from dataclasses import dataclass, field
from typing import Any, Literal

import pydantic
import pytest

from ai_jobs import ResultShapeError, Usage
from ai_jobs.client.exceptions import InvalidArgumentError
from ai_jobs.client.into import check_class, result_into
from ai_jobs.contract.result import JobResult


@dataclass
class Room:
    name: str
    area: float | None = None


@dataclass
class Listing:
    title: str
    rooms: list[Room]
    kind: Literal["sale", "rent"] = "sale"
    features: dict[str, bool] = field(default_factory=dict)
    notes: Any = None


class Model(pydantic.BaseModel):
    title: str
    rooms: list[dict[str, Any]]


DOCUMENT = {"title": "Loft", "rooms": [{"name": "Hall", "area": 3}, {"name": "Bath"}], "features": {"lift": True}}


def result(document):
    return JobResult("", "m", Usage(1, 1), "end_turn", truncated=False, json=document)


def test_a_dataclass_is_filled_in_at_every_level():
    listing = result_into(result(DOCUMENT | {"new": 1}), Listing, "job-1")
    assert listing == Listing("Loft", [Room("Hall", 3.0), Room("Bath")], features={"lift": True})


def test_a_pydantic_model_validates_itself():
    assert result_into(result(DOCUMENT), Model, "job-1").rooms[1] == {"name": "Bath"}
    with pytest.raises(ResultShapeError, match="title") as caught:
        result_into(result({"rooms": []}), Model, "job-1")
    assert isinstance(caught.value.__cause__, pydantic.ValidationError)


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"title": 3}, "json.title", "is int, not of type str"),
        ({"title": None}, "json.title", "is NoneType, not of type str"),
        ({"rooms": {}}, "json.rooms", "not a list"),
        ({"rooms": [{"name": "Hall"}, {"area": 1}]}, "json.rooms.1.name", "is missing"),
        ({"rooms": [{"name": "Hall", "area": "x"}]}, "json.rooms.0.area", "not a number"),
        ({"rooms": [{"name": "Hall", "area": True}]}, "json.rooms.0.area", "not a number"),
        ({"rooms": ["Hall"]}, "json.rooms.0", "not an object"),
        ({"kind": "swap"}, "json.kind", "not one of"),
        ({"features": {"lift": 1}}, "json.features.lift", "not of type bool"),
    ],
)
def test_what_does_not_fit_is_named(change, place, words):
    with pytest.raises(ResultShapeError) as caught:
        result_into(result(DOCUMENT | change), Listing, "job-1")
    error = caught.value
    assert (error.job_id, error.field, error.code) == ("job-1", place, "RESULT_SHAPE")
    assert "result of job job-1 does not fit Listing" in str(error)
    assert words in str(error)
    assert error.result.json["rooms"] == (DOCUMENT | change)["rooms"], "the result has been paid for"
    assert copy.copy(error).field == place, "as in a process pool, which pickles it"


def test_text_is_no_object():
    text = JobResult("Hello", "m", Usage(1, 1), "end_turn", truncated=False)
    with pytest.raises(ResultShapeError, match="its type has no output schema"):
        result_into(text, Listing, "job-1")


@pytest.mark.parametrize("wrong", [dict, "Listing", list[Listing], Listing("x", []).__class__.__name__])
def test_a_class_that_nothing_can_be_made_of_is_refused_before_the_call(wrong):
    with pytest.raises(InvalidArgumentError, match="must be a dataclass or a pydantic model"):
        check_class(wrong, "job-1")
    check_class(Listing, "job-1")
    check_class(Model, "job-1")
    check_class(None, "job-1")


@dataclass
class Dated:
    day: dt.date


def test_a_field_of_a_type_that_json_lacks_is_the_classs_fault():
    with pytest.raises(InvalidArgumentError, match="into has day of type date. A dataclass may have str"):
        result_into(result({"day": "2026-01-31"}), Dated, "job-1")
