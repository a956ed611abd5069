"""The benchmark: sections are what the page expects, targets are judged, and the page follows from the results."""

from __future__ import annotations

import json
import sys
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest

import bench.__main__ as command
from bench import page, peers, results, sections, targets
from bench.targets import Target
from scripts.project import ROOT, Failure

MACHINE = {"cpu": "a CPU", "cpus": 2, "load_average": 0.1, "system": "Linux x86_64", "versions": {"python": "3.13.1"}}
SPEED = Target("a batch", "processing", "seconds", 1.1, "s", cause="It waits.", fix="Don't wait.")
BURST = Target("a burst", "end_to_end", "ratio", 1.5, "x Celery's", at_least=True)


@pytest.mark.parametrize("name", sections.NAMES)
def test_each_module_is_a_section(name: str) -> None:
    section = sections.load(name)
    assert section.TITLE
    assert isinstance(section.PICTURE, str)
    assert all(callable(getattr(section, method)) for method in ("measure", "table", "plot"))


@pytest.mark.parametrize(
    ("target", "figure", "met"), [(SPEED, 1.1, True), (SPEED, 1.11, False), (BURST, 1.5, True), (BURST, 1.4, False)]
)
def test_a_target_is_met_at_its_limit(target: Target, figure: float, met: bool) -> None:
    assert target.is_met(figure) is met


def test_only_a_missed_target_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "TARGETS", (SPEED, BURST))
    good = targets.targets_table({"processing": {"figures": {"seconds": 1.0}}})
    assert "| a batch | ≤ 1.1 s | 1 s | met |" in good
    assert "| a burst | ≥ 1.5 x Celery's | - | not measured |" in good
    assert "It waits." not in good
    bad = targets.targets_table({"processing": {"figures": {"seconds": 2}}})
    assert "| a batch | ≤ 1.1 s | 2 s | **missed** |" in bad
    assert bad.endswith("**Missed: a batch.** It waits. Don't wait.")


def test_a_target_whose_figure_can_not_exist_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "TARGETS", (SPEED,))
    found = {"processing": {"figures": {}, "failures": {"seconds": "overloaded"}}}
    assert targets.missed(found) == [SPEED]
    assert "| a batch | ≤ 1.1 s | overloaded | **missed** |" in targets.targets_table(found)


def test_targets_with_the_same_cause_share_its_explanation(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Target("an hour", "processing", "hours", 1, "h", cause="It waits.", fix="Don't wait.")
    monkeypatch.setattr(targets, "TARGETS", (SPEED, other))
    bad = targets.targets_table({"processing": {"figures": {"seconds": 2, "hours": 2}}})
    assert bad.endswith("\n\n**Missed: a batch; an hour.** It waits. Don't wait.")


def test_each_target_names_a_section() -> None:
    assert {target.section for target in targets.TARGETS} <= {*sections.NAMES, "run"}


class Fake:
    TITLE, PICTURE = "A title", "Bars."

    @staticmethod
    def table(found: dict[str, Any]) -> str:
        return f"took {found['raw'][0]} ms\n"


RESULTS = {"date": "2026-01-31", "seconds": 1.25, "raw": [7], "figures": {}}


@pytest.fixture
def two_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "NAMES", ("one", "two"))
    monkeypatch.setattr(sections, "load", lambda name: Fake)


@pytest.mark.usefixtures("two_sections")
def test_the_page_shows_the_sections_that_were_measured() -> None:
    text = page.text({"runs": {"noon": MACHINE | {"seconds": 2}}, "sections": {"one": RESULTS | {"run": "noon"}}})
    assert "Not everything has been measured: two will follow.\n" in text
    assert "The run of noon (one): 2 processors (a CPU, Linux x86_64); a load of 0.1 in the minute before; " in text
    assert "## A title\n\n![Bars.](img/bench-one.png)\n\ntook 7 ms\n\nMeasured on 2026-01-31 in 1.25 s.\n" in text


@pytest.mark.usefixtures("two_sections")
def test_one_run_is_told_from_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "machine", lambda: MACHINE | {"load_average": 1.5})
    document = results.read(Path("/nowhere"))
    run = results.Run(document)
    for name in sections.NAMES:
        run.add(name, RESULTS)
    text = page.text(document)
    assert "Everything was measured in one run.\n" in text
    assert "a load of 1.5 in the minute before, which is not idle" in text
    assert "| all sections together | ≤ 10 minutes | 0 minutes | met |" in text

    monkeypatch.setattr(results, "datetime", FakeClock)
    results.Run(document).add("two", RESULTS)
    text = page.text(document)
    assert "The sections are from 2 runs.\n" in text
    assert "The run of 2031-01-31T12:00:00+00:00 (two): " in text
    assert "| all sections together | ≤ 10 minutes | - | not measured |" in text

    results.Run(document).add("one", RESULTS)
    assert list(document["runs"]) == ["2031-01-31T12:00:00+00:00"]


class FakeClock:
    @staticmethod
    def now(zone: tzinfo) -> datetime:
        return datetime(2031, 1, 31, 12, tzinfo=zone)


def test_results_survive_being_written(tmp_path: Path) -> None:
    assert results.read(tmp_path)["sections"] == {}
    document = {"runs": {"noon": MACHINE}, "sections": {"one": {"run": "noon", "figures": {"a": 1.5}}}}
    results.write(document, tmp_path)
    assert results.read(tmp_path) == json.loads(json.dumps(document))


def test_a_smoke_run_does_not_replace_the_results_of_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--smoke", "cost"])
    with pytest.raises(Failure, match="--root"):
        command.main()


def test_without_results_there_is_no_page(tmp_path: Path) -> None:
    for work in (command.check, command.render):
        with pytest.raises(Failure, match="has no results. Measure them first: python -m bench --root"):
            work(tmp_path)


def test_the_peers_are_pinned_outside_the_project() -> None:
    pinned = peers.versions()
    assert {"celery", "dramatiq-sqs", "repro-lambda", "aws-lambda-powertools"} <= set(pinned)
    locked = peers.REQUIREMENTS.read_text(encoding="utf-8")
    assert all(f"\n{name}=={version} " in locked for name, version in pinned.items())
    assert 'name = "celery"' not in (ROOT / "uv.lock").read_text(encoding="utf-8")


def test_the_readme_and_the_page_follow_from_the_results() -> None:
    for path, text in page.texts(results.read(ROOT), ROOT):
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is old: python -m bench render"


def test_every_missed_target_is_explained() -> None:
    """On the page that is committed."""
    assert [target.what for target in targets.missed(results.read(ROOT)["sections"]) if not target.cause] == []
