"""The section on scale: its tables follow from simulations, and its check simulates this machine."""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import page, scale, scale_check, sections
from bench.local_model import PASS_SECONDS, LocalRun, LocalTimes, Step

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


@pytest.mark.parametrize(("kernel", "seconds"), [(0, 10), (0.5, 5)])
def test_the_emulator_computes_in_one_thread_but_for_the_kernels_part(kernel, seconds):
    times = replace(IDLE, processor=Step(0, 0, 0, 0.010), kernel=kernel)
    assert LocalRun(times, cores=2).burst(1000) == pytest.approx(seconds, rel=0.03)


def test_the_load_client_computes_on_the_same_cores():
    assert LocalRun(replace(IDLE, client=0.010), cores=2).burst(1000) == pytest.approx(5, rel=0.02)


def test_a_lone_job_takes_what_is_on_its_path():
    times = replace(TIMES, before_outcome=1.0)
    # The poller takes one turn for each of its two messages.
    path = 0.001 + (0.003 + 0.003 + 0.004 + 0.003 + 0.002 + 0.002 + 0.002 + 0.001) + 2 * PASS_SECONDS
    # The first job comes while the poller looks for the first time.
    assert LocalRun(times, cores=2).at_rate(1, 3)[1:] == pytest.approx([path] * 2)
    assert LocalRun(replace(times, wait=0.5), cores=2).at_rate(1, 1)[0] == pytest.approx(path + 0.5, abs=0.001)


@pytest.mark.parametrize(("publisher", "waits"), [(0.012, False), (0, True)])
def test_the_poller_pauses_if_the_last_to_end_is_not_the_publisher(publisher, waits):
    """Then something wakes the poller, and there is nothing to do: the next job comes in the pause of 50 ms."""
    times = replace(TIMES, publisher=Step(publisher, 0, 0, 0))
    alone, often = (max(LocalRun(times, cores=2).at_rate(rate, 20)) for rate in (1, 18))
    assert (often > alone + 0.005) is waits
    # After the pause, the publisher may come first.
    assert often <= alone + 0.05 + 0.006


def test_the_messages_of_a_batch_are_deleted_after_5_ms_without_a_log_line():
    """At most one batch at a time, and the next one starts when the last has ended."""
    run = LocalRun(replace(IDLE, processor=Step(0, 0.001, 0, 0)), cores=2, maximum_concurrency=1)
    assert run.burst(1000) >= 100 * (10 * 0.001 + 0.005)


def test_invocations_vary_around_their_mean():
    times = replace(TIMES, variation=0.3)
    totals, again = (LocalRun(times, cores=2, seed=1).at_rate(1, 300) for _ in range(2))
    assert totals == again
    assert statistics.mean(totals) == pytest.approx(statistics.mean(LocalRun(TIMES, 2).at_rate(1, 1)), rel=0.1)
    assert statistics.stdev(totals) > 0.001


def test_all_jobs_of_a_run_end():
    assert len(LocalRun(TIMES, cores=1).at_rate(500, 300)) == 300


# The check


LIGHT = {
    "processor_cpu_ms": 6.5,
    "result_handler_cpu_ms": 4.0,
    "event_publisher_cpu_ms": 1.5,
    "local_aws_cpu_ms": 13 + 8 * PASS_SECONDS * 1000,
    "other_load": 0.02,
}
BURST = {
    "processor_cpu_ms": 3.8,
    "result_handler_cpu_ms": 2.2,
    "event_publisher_cpu_ms": 0.55,
    "local_aws_cpu_ms": 5.8,
    "local_aws_kernel_share": 0.25,
    "model_cpu_ms": 0.5,
    "client_cpu_ms": 0.4,
    "jobs_per_batch": 10.0,
    "events_per_batch": 20.0,
    "other_load": 0.03,
}


def end_to_end(latencies_ms: list[float], p50_ms: dict[int, list[float]], drained: float) -> dict[str, Any]:
    """Its results, for a machine with the times above."""
    jobs = {20: 60, 40: 100, 100: 200}
    rates = {
        str(rate): {"ours": [{"p50_ms": p50, "jobs": jobs[rate], "other_load": 0.4} for p50 in runs]}
        for rate, runs in p50_ms.items()
    }
    burst = BURST | {"jobs": 1000, "per_second": 1000 / drained}
    return {
        "light": LIGHT | {"latencies_ms": latencies_ms},
        "runs": rates | {"burst": {"ours": [burst]}},
        "medians": {"burst": {"ours": burst}},
    }


def calibrated(latencies_ms: list[float]) -> LocalTimes:
    return scale_check.calibrated(LIGHT | {"latencies_ms": latencies_ms}, BURST, cores=2)


def test_calibrating_finds_the_time_of_invocations_and_jobs():
    times = calibrated([15.0] * 9)
    steps = (times.processor, times.result_handler, times.publisher)
    assert [step.batch for step in steps] == pytest.approx([0.003, 0.002, 0.001])
    assert [step.job for step in steps] == pytest.approx([0.0035 + 0.0005, 0.002, 0.0005])
    assert sum(step.emulator_batch for step in steps) == pytest.approx(0.008)
    assert times.submit + sum(step.emulator_job for step in steps) == pytest.approx(0.005)
    assert (times.client, times.kernel) == (0.0004, 0.25)


@pytest.mark.parametrize("spread_ms", [0.0, 1.5])
def test_calibrating_fits_the_light_runs_latencies(spread_ms):
    times = calibrated([15 - spread_ms, 15, 15 + spread_ms])
    totals = LocalRun(times, 2).at_rate(scale_check.LIGHT_RATE, 200)
    low, middle, high = statistics.quantiles(totals, n=4)
    assert middle * 1000 == pytest.approx(15, rel=0.05)
    assert (high - low) * 1000 == pytest.approx(spread_ms, abs=0.4)


def test_a_job_that_takes_longer_than_its_processor_time_waits():
    times = calibrated([500.0] * 9)
    assert times.before_outcome == 1.0
    assert LocalRun(replace(times, variation=0.0), 2).at_rate(1, 1)[0] == pytest.approx(0.5, abs=0.002)


def test_the_check_shows_the_error_of_each_prediction(monkeypatch):
    monkeypatch.setattr(scale_check, "_ROUNDS", 2)
    measured = end_to_end([14.0, 15.0, 16.0], {20: [18, 22], 40: [30], 100: [90]}, 7)
    found = scale_check.check(measured, cores=2)
    assert [row["what"] for row in found["rows"]][-1] == "burst of 1,000 (s)"
    assert (found["rows"][0]["measured"], found["rows"][0]["measured_range"]) == (20, [18, 22])
    for row in found["rows"]:
        low, high = row["predicted_range"]
        assert low <= row["predicted"] <= high
        assert row["error_percent"] == pytest.approx((row["predicted"] / row["measured"] - 1) * 100, abs=0.2)
    assert found["largest_error_percent"] == max(abs(row["error_percent"]) for row in found["rows"])
    assert found["other_load"] == 0.4


@pytest.mark.parametrize(
    ("error", "load", "words"),
    [
        (15, 0.1, None),
        (-15.1, 0.1, "More than 15% off: the burst."),
        (0, 1.2, "other processes kept up to 1.2 processors busy"),
    ],
)
def test_what_is_too_far_off_is_named_and_so_is_a_busy_machine(error, load, words):
    ranges = {"measured_range": [1, 2], "predicted_range": [3, 4]}
    row = {"what": "the burst", "measured": 1.5, "predicted": 3.5, "error_percent": error} | ranges
    text = "\n".join(scale_check.table({"rows": [row], "other_load": load}))
    assert f"| the burst | 1.5 | 1 to 2 | 3.5 | 3 to 4 | {error} |" in text
    explained = ("off:" in text) or ("processors busy" in text)
    assert (words in text) if words else not explained


# The section


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scale_check, "_ROUNDS", 2)
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
    assert row == (10_000, 5, "50, 1 s", "1000 each", 256, "1, 2", "3, 4", 4002, 150_001, 20.5)


def test_the_largest_rate_is_within_the_limits_of_a_queue_and_a_trigger(measured):
    """SQS: 120,000 messages in flight per queue; Lambda: 1,000 invocations per event source mapping."""
    for case in scale.CASES:
        assert case.processor.maximum_concurrency <= 1000
        assert case.processor.maximum_concurrency * case.processor.batch_size <= 120_000


def test_docs_scaling_has_the_simulations_table(measured, tmp_path: Path):
    tmp_path.joinpath("docs").mkdir()
    scaling = tmp_path / page.SCALING_PAGE
    scaling.write_text(f"before\n{scale.BEGIN}\nold\n{scale.END}\nafter\n")
    pages = dict(page.texts({"runs": {"noon": MACHINE}, "sections": {"scale": measured | {"run": "noon"}}}, tmp_path))
    assert list(pages) == [tmp_path / page.PAGE, scaling]
    assert pages[scaling] == f"before\n{scale.BEGIN}\n{scale.scaling_part(measured)}\n{scale.END}\nafter\n"
