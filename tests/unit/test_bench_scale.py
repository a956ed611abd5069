"""The section on scale: its tables follow from simulations, and its check simulates this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import page, scale, scale_check, sections
from bench.local_model import LocalRun, LocalTimes, Step

NOTHING = Step(0, 0, 0, 0)
IDLE = LocalTimes(0.0, NOTHING, NOTHING, NOTHING, before_outcome=1.0)
TIMES = LocalTimes(
    submit=0.001,
    processor=Step(0.003, 0.003, 0.004, 0.003),
    result_handler=Step(0.002, 0.002, 0.002, 0.001),
    publisher=Step(0.001, 0.0005, 0.002, 0),
    before_outcome=0.7,
)
MACHINE = {"cpu": "a CPU", "cpus": 2, "load_average": 0.1, "system": "Linux x86_64", "versions": {"python": "3.13.1"}}


# The local AWS


def test_functions_share_the_cores():
    times = replace(IDLE, processor=Step(0, 0.010, 0, 0))
    assert LocalRun(times, cores=2).burst(1000) == pytest.approx(5, rel=0.02)


def test_the_emulator_computes_in_one_thread():
    times = replace(IDLE, processor=Step(0, 0, 0, 0.010))
    assert LocalRun(times, cores=2).burst(1000) == pytest.approx(10, rel=0.02)


def test_a_lone_job_takes_what_is_on_its_path():
    times = replace(TIMES, before_outcome=1.0)
    path = 0.001 + (0.003 + 0.003 + 0.004 + 0.003 + 0.002 + 0.002 + 0.002 + 0.001)
    totals = LocalRun(times, cores=2).at_rate(1, 3)
    assert totals == pytest.approx([path] * 3)
    assert LocalRun(replace(times, wait=0.5), cores=2).at_rate(1, 1) == pytest.approx([path + 0.5])


def test_the_poller_waits_after_it_found_nothing_twice():
    """The end of a batch wakes it, and there is nothing to do: the next job comes while it waits 50 ms."""
    alone, often = (sorted(LocalRun(TIMES, cores=2).at_rate(rate, 100))[50] for rate in (1, 25))
    assert alone + 0.005 < often <= alone + 0.05


def test_all_jobs_of_a_run_end():
    assert len(LocalRun(TIMES, cores=1).at_rate(500, 300)) == 300


# The check


def medians(p50_ms: dict[int, float], drained: float) -> dict[str, Any]:
    """As end_to_end.py has them, for a machine with the times above."""
    jobs = {1: 6, 20: 60, 40: 100, 100: 200}
    runs = {str(rate): {"ours": {"p50_ms": p50, "jobs": jobs[rate]}} for rate, p50 in p50_ms.items()}
    runs["1"]["ours"] |= {"worker_cpu_ms": 11.5, "local_aws_cpu_ms": 13}
    burst = {"worker_cpu_ms": 6.1, "local_aws_cpu_ms": 5.8, "jobs_per_batch": 10.0}
    return runs | {"burst": {"ours": burst | {"jobs": 1000, "per_second": 1000 / drained}}}


def test_calibrating_finds_the_time_of_invocations_and_jobs():
    measured = medians({1: 13.6}, 7)
    times = scale_check.calibrated(measured["1"]["ours"], measured["burst"]["ours"], cores=2)
    steps = (times.processor, times.result_handler, times.publisher)
    assert sum(step.batch for step in steps) == pytest.approx(0.006)
    assert sum(step.job for step in steps) == pytest.approx(0.0055)
    assert sum(step.emulator_batch for step in steps) == pytest.approx(0.008)
    assert times.submit + sum(step.emulator_job for step in steps) == pytest.approx(0.005)
    assert LocalRun(times, 2).at_rate(1, 1)[0] * 1000 == pytest.approx(13.6, rel=0.05)


def test_a_job_that_takes_longer_than_its_processor_time_waits():
    measured = medians({1: 500}, 7)
    times = scale_check.calibrated(measured["1"]["ours"], measured["burst"]["ours"], cores=2)
    assert times.before_outcome == 1.0
    assert LocalRun(times, 2).at_rate(1, 1)[0] == pytest.approx(0.5)


def test_the_check_shows_the_error_of_each_prediction():
    found = scale_check.check(medians({1: 13.6, 20: 20, 40: 30, 100: 90}, 7), cores=2)
    assert [row["what"] for row in found["rows"]][-1] == "burst of 1,000 (s)"
    for row in found["rows"]:
        assert row["error_percent"] == pytest.approx((row["predicted"] / row["measured"] - 1) * 100, abs=0.2)
    assert found["largest_error_percent"] == max(abs(row["error_percent"]) for row in found["rows"])


@pytest.mark.parametrize(("error", "words"), [(15, ""), (-15.1, "More than 15% off: the burst.")])
def test_what_is_too_far_off_is_named(error, words):
    row = {"what": "the burst", "measured": 1, "predicted": 1, "error_percent": error}
    text = "\n".join(scale_check.table({"rows": [row]}))
    assert (words in text) if words else ("off:" not in text)


# The section


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return {"date": "2026-01-31", "seconds": 1.0} | scale.measure(sections.Scale.SMOKE)


def test_a_smoke_run_has_the_documented_shape(measured):
    assert [case["jobs_per_second"] for case in measured["cases"]] == [10, 100]
    assert measured["figures"]["seconds_per_minute_of_10000_jobs"] > 0
    table = scale.table(measured)
    assert table.count("\n| 1") == 2
    assert "One cell can't do all 10,000 jobs per second" in table


def test_the_tables_of_a_full_run_name_the_cells():
    names = {"wait_p50_s": 1, "wait_p99_s": 2, "total_p50_s": 3, "total_p99_s": 4, "usd_per_million": 20.5}
    figures = names | {"mean_concurrency": 800.4, "mean_in_flight": 30_000.2}
    row = scale._row(scale._settings(scale.CASES[-1]) | figures)
    assert row == (10_000, 5, "50, 1 s", "1000 each", "1, 2", "3, 4", 4002, 150_001, 20.5)


def test_the_largest_rate_is_within_the_limits_of_a_queue_and_a_trigger(measured):
    """SQS: 120,000 messages in flight per queue; Lambda: 1,000 invocations per event source mapping."""
    for case in scale.CASES:
        assert case.processor.maximum_concurrency <= 1000
        assert case.processor.maximum_concurrency * case.processor.batch_size <= 120_000


def test_docs_scaling_has_the_simulations_table(measured, tmp_path: Path):
    tmp_path.joinpath("docs").mkdir()
    scaling = tmp_path / page.SCALING_PAGE
    scaling.write_text(f"before\n{scale.BEGIN}\nold\n{scale.END}\nafter\n")
    pages = dict(page.texts({"machine": MACHINE, "sections": {"scale": measured}}, tmp_path))
    assert list(pages) == [tmp_path / page.PAGE, scaling]
    assert pages[scaling] == f"before\n{scale.BEGIN}\n{scale.scaling_part(measured)}\n{scale.END}\nafter\n"
