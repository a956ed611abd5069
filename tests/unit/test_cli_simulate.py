"""`ai-jobs simulate`: what it prints, and what it says about options that make no sense."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ai_jobs.cli.main import main

ROOT = Path(__file__).parents[2]
DEFAULTS = {
    "batch_size": "--batch-size",
    "batching_window_seconds": "--batching-window",
    "maximum_concurrency": "--maximum-concurrency",
    "memory_mb": "--memory",
}


def simulate(*arguments):
    return CliRunner().invoke(main, ["simulate", *arguments])


def document(*arguments):
    result = simulate(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_figures_are_json():  # R-S3
    found = document("--rate", "10", "--duration", "30", "--latency-p99", "6", "--tenant", "a:3", "--tenant", "b:1")
    assert [tenant["tenant"] for tenant in found["tenants"]] == ["a", "b", "all"]
    everyone = found["tenants"][-1]
    assert found["jobs"] == everyone["jobs"] == found["modelCalls"] == sum(t["jobs"] for t in found["tenants"][:2])
    assert 0 < everyone["waitP50Seconds"] <= everyone["waitP99Seconds"] < everyone["totalP99Seconds"]
    assert 1 < len(found["samples"]) <= 60
    assert found["usdPerMillionJobs"]["total"] == pytest.approx(
        sum(usd for name, usd in found["usdPerMillionJobs"].items() if name != "total"), abs=0.001
    )


def test_the_same_options_print_the_same():  # R-S3
    options = ("--profile", "10:5,5:40,10:0", "--burst", "50", "--latency-p99", "8", "--requests-per-minute", "600")
    assert document(*options) == document(*options)
    assert document(*options) != document(*options, "--seed", "2")


def test_a_person_gets_tables():
    result = simulate("--burst", "100", "--tenant", "acme:1", "--tenant-burst", "acme:20@5")
    assert result.exit_code == 0
    assert re.search(r"^acme +120 +0 +\d+\.\d\d s", result.output, re.MULTILINE)
    for words in ("throughput", "cold starts", "IN FLIGHT", "US DOLLARS PER MILLION JOBS"):
        assert words in result.output
    assert len(re.findall(r"^\d+ s  ", result.output, re.MULTILINE)) <= 12


def test_a_tenants_burst_comes_at_its_second():
    found = document("--tenant", "a:1", "--tenant-burst", "a:500@30", "--batching-window", "0")
    assert found["jobs"] == 500
    assert [sample["openJobs"] for sample in found["samples"] if sample["atSeconds"] < 30] == [0] * 30


def test_scaled_up_starts_warm():
    options = ("--rate", "20", "--latency-p50", "5", "--batching-window", "0", "--maximum-concurrency", "100")
    assert document(*options)["coldStarts"] > 0
    warm = document(*options, "--scaled-up")
    assert warm["coldStarts"] == 0
    assert warm["warmUp"]["seconds"] == 5
    assert warm["modelCalls"] == warm["jobs"] + warm["warmUp"]["jobs"]
    assert warm["samples"][0]["atSeconds"] == 0
    assert warm["samples"][0]["inFlight"] == pytest.approx(20 * 5, rel=0.3)


def test_a_fixed_latency_is_not_what_models_have():
    fixed, spread = simulate("--rate", "1"), simulate("--rate", "1", "--latency-p99", "6")
    assert fixed.stderr == "Every model call takes 2 s. Real ones vary: pass --latency-p99, too.\n"
    assert spread.stderr == ""


def test_no_job_by_chance_is_not_a_row_of_zeros():
    result = simulate("--rate", "0.0001")
    assert result.exit_code == 2
    assert "no job arrived by chance, so few are expected: pass a higher rate" in " ".join(result.output.split())


def test_a_call_that_is_too_long_is_cut_off():
    found = document("--rate", "5", "--latency-p50", "100", "--latency-p99", "800", "--maximum-concurrency", "500")
    assert found["timeouts"] > 0
    assert 0 < found["tenants"][0]["failed"] < found["jobs"]
    whole = document("--rate", "1", "--latency-p50", "100", "--latency-p99", "300", "--model-timeout", "884")
    assert whole["timeouts"] == 0


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_defaults_are_those_of_the_module(name):
    processor = ROOT.joinpath("modules/ai-jobs/variables.tf").read_text().partition('variable "processor"')[2]
    default = re.search(rf"{name} += optional\(number, (\d+)\)", processor)[1]
    shown = re.search(rf"{DEFAULTS[name]} N .*?\[default:\s+(\d+)\]", simulate("--help").output, re.DOTALL)[1]
    assert shown == default


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no jobs arrive: pass --rate, --profile, or --burst"),
        (("--profile", "60:0"), "no jobs arrive: pass --rate, --profile, or --burst"),
        (("--rate", "fast"), "'fast' is not a number: pass jobs per second, above 0 and up to 100,000"),
        (("--rate", "0"), "0 is out of range: pass jobs per second, above 0 and up to 100,000"),
        (("--rate", "inf"), "'inf' is not a number: pass jobs per second, above 0 and up to 100,000"),
        (("--rate", "1", "--profile", "60:1"), "--rate and --profile both say how many jobs arrive: pass only one"),
        (
            ("--rate", "50000"),
            "3,000,000 jobs would arrive, and a run has at most 2,000,000: pass a lower rate, a shorter time, or a",
        ),
        (
            ("--rate", "33333", "--scaled-up"),
            "2,233,311 jobs would arrive (233,331 of them in the warm-up of --scaled-up), and a run has at most",
        ),
        (("--burst", "2000001"), "2,000,001 jobs would arrive, and a run has at most 2,000,000: pass a lower rate"),
        (("--rate", "1_0"), "'1_0' is not a number: pass jobs per second, above 0 and up to 100,000"),
        (("--rate", "\u0661"), "is not a number: pass jobs per second"),
        (("--burst", "9" * 5000), "is not a whole number: pass one of at least 0"),
        (("--profile", "1e9:0,1:1"), "the periods of --profile last 1e+09 s: pass at most 86,400"),
        (("--profile", "1:1e300"), "'1:1e300' is too fast: pass at most 100,000 jobs per second"),
        (("--profile", "1e300:1"), "the periods of --profile last 1e+300 s: pass at most 86,400"),
        (("--burst", "1.5"), "'1.5' is not a whole number: pass one of at least 0"),
        (("--batch-size", "0"), "0 is out of range: pass a whole number from 1 to 10000, the range that AWS accepts"),
        (("--maximum-concurrency", "1"), "1 is out of range: pass a whole number from 2 to 1000"),
        (("--profile", "60:10,30"), "'30' is not a period: pass SECONDS:JOBS_PER_SECOND, separated by commas"),
        (("--profile", "0:10"), "'0:10' is not a period"),
        (("--tenant", "acme"), "'acme' is not a tenant: pass NAME:SHARE with the name of a user and a share above 0"),
        (("--tenant", "a b:1"), "'a b:1' is not a tenant"),
        (("--tenant", "acme:0"), "'acme:0' is not a tenant"),
        (("--tenant", "a:1e308", "--tenant", "b:1e308"), "'a:1e308' is not a tenant: pass NAME:SHARE"),
        (("--tenant", "all:1"), "'all:1': all is the line of all tenants together: pass another name"),
        (("--tenant", "a:1", "--tenant-burst", "a:5@1e9"), "'a:5@1e9' is not a burst: pass NAME:JOBS@SECOND"),
        (("--tenant", "a:1", "--tenant", "a:2"), "--tenant names a twice: pass each tenant once"),
        (("--tenant-burst", "a:5"), "--tenant-burst names a, which is not a tenant: pass --tenant a:SHARE, too"),
        (("--tenant-burst", "a:x"), "'a:x' is not a burst: pass NAME:JOBS@SECOND with a whole number of jobs"),
        (("--tenant-burst", "a:5@-1"), "'a:5@-1' is not a burst"),
        (
            ("--tenant", "a:1", "--tenant-burst", "a:5", "--tenant-burst", "a:6"),
            "--tenant-burst names a tenant twice: pass one burst for each",
        ),
        (
            ("--rate", "1", "--latency-p50", "5", "--latency-p99", "4"),
            "--latency-p99 is 4, and --latency-p50 is 5: pass at least as much as for p50",
        ),
        (
            ("--rate", "1", "--latency-p50", "1e-300", "--latency-p99", "90"),
            "--latency-p99 is 90, and --latency-p50 is 1e-300: pass at most 1,000 times as much",
        ),
        (
            ("--rate", "1", "--latency-p50", "400", "--latency-p99", "900"),
            "--latency-p50 is 400, and --model-timeout is 120, which cuts off half of the calls: pass a larger --mod",
        ),
        (("--model-timeout", "885"), "885 is out of range: pass a whole number from 1 to 884, which leaves the proc"),
        (
            ("--rate", "1", "--batch-size", "11", "--batching-window", "0"),
            "--batch-size is 11, and --batching-window is 0. Lambda requires a window of at least 1 second",
        ),
        (
            ("--rate", "1", "--tokens-per-minute", "2547"),
            "--tokens-per-minute is 2547, and one call reserves 2548 (its input and max_tokens), so that no job could",
        ),
        (
            ("--rate", "1", "--output-tokens", "3000"),
            "--output-tokens is 3000, and --max-tokens is 2048, which a model does not exceed: pass a larger --max-tok",
        ),
    ],
)
def test_what_makes_no_sense_is_explained(arguments, message):
    result = simulate(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_without_simpy_the_message_says_what_to_install(monkeypatch):
    for name in list(sys.modules):
        if name.startswith("ai_jobs.operate.simulation"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "simpy", None)
    result = simulate("--rate", "1")
    assert result.exit_code == 1
    assert "ai-jobs simulate needs SimPy: install it with: pip install 'ai-jobs[simulate]'" in result.output
