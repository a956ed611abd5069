"""The benchmark: sections are what the page expects, targets are judged, and the page follows from the results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import page, peers, results, sections, targets
from bench.targets import Target
from scripts.project import ROOT

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


def test_each_target_names_a_section() -> None:
    assert {target.section for target in targets.TARGETS} <= set(sections.NAMES)


def test_the_page_shows_the_sections_that_were_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fake:
        TITLE, PICTURE = "A title", "Bars."

        @staticmethod
        def table(found: dict[str, Any]) -> str:
            return f"took {found['raw'][0]} ms\n"

    monkeypatch.setattr(sections, "NAMES", ("one", "two"))
    monkeypatch.setattr(sections, "load", lambda name: Fake)
    measured = {"one": {"date": "2026-01-31", "seconds": 1.25, "raw": [7], "figures": {}}}
    text = page.text({"machine": MACHINE, "sections": measured})
    assert "2 processors (a CPU, Linux x86_64)" in text
    assert "## A title\n\n![Bars.](img/bench-one.png)\n\ntook 7 ms\n\nMeasured on 2026-01-31 in 1.25 s.\n" in text


def test_results_survive_being_written(tmp_path: Path) -> None:
    assert results.read(tmp_path)["sections"] == {}
    document = {"machine": MACHINE, "sections": {"one": {"figures": {"a": 1.5}}}}
    results.write(document, tmp_path)
    assert results.read(tmp_path) == json.loads(json.dumps(document))


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
