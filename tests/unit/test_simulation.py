"""The model of the system agrees with queueing theory where that has a formula, and keeps its own rules elsewhere."""

from __future__ import annotations

import itertools
import math
from statistics import mean

import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_jobs.operate.simulation.costs import PRICE_LIST, PRICES, Usage, costs_per_million
from ai_jobs.operate.simulation.distributions import Exponential, Fixed, Lognormal, model_latency
from ai_jobs.operate.simulation.fair_queue import FairQueue
from ai_jobs.operate.simulation.job import Job
from ai_jobs.operate.simulation.outcome import percentile
from ai_jobs.operate.simulation.quota import ModelQuota
from ai_jobs.operate.simulation.run import simulate
from ai_jobs.operate.simulation.scenario import (
    Arrivals,
    FunctionTimes,
    Path,
    Period,
    Quota,
    Scenario,
    Tenant,
    Trigger,
)

NO_TIME = FunctionTimes(0, 0, 0, 0)
NO_PATH = Path(0, 0, 0, 0)


def bare(jobs_per_second, seconds, latency, servers=1, **more):
    """Nothing but a queue and servers that take one job at a time, as in a textbook."""
    plain = {
        "processor": Trigger(1, 0, servers, is_scaled_up=True),
        "result_handler": Trigger(10, 0, 1000, is_scaled_up=True),
        "processor_times": NO_TIME,
        "result_handler_times": NO_TIME,
        "path": NO_PATH,
    }
    return Scenario(Arrivals((Period(seconds, jobs_per_second),)), latency, **plain | more)


TWO_SECONDS = Fixed(2)


def burst(jobs, latency=TWO_SECONDS, **more):
    return Scenario(Arrivals(burst_jobs=jobs), latency, **more)


def run(scenario):
    outcome = simulate(scenario)
    expected = scenario.arrivals.burst_jobs + sum(tenant.burst_jobs for tenant in scenario.tenants)
    assert len(outcome.everyone.totals) >= expected
    return outcome


# Queueing theory


def test_waits_are_those_of_an_m_d_1_queue():  # R-S3
    """Pollaczek-Khinchine: rate x service squared / (2 x (1 - utilization))."""
    outcome = run(bare(0.6, 40_000, Fixed(1.0)))
    assert mean(outcome.everyone.waits) == pytest.approx(0.6 / (2 * (1 - 0.6)), rel=0.05)


def erlang_c(offered, servers):
    """The share of jobs that wait."""
    last = offered**servers / math.factorial(servers) * servers / (servers - offered)
    return last / (sum(offered**k / math.factorial(k) for k in range(servers)) + last)


def crommelin(rate, servers, service=1.0):
    """The mean wait in an M/D/c queue (Crommelin 1932): a series over the services that may still have to end."""

    def poisson(mean, count):
        return math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))

    def tail(mean, count):
        return 1 - sum(poisson(mean, k) for k in range(count))

    load = rate * service
    return service * sum(
        tail(k * load, k * servers) - servers / load * tail(k * load, k * servers + 1) for k in range(1, 200)
    )


def test_crommelin_s_formula_is_that_of_one_server():
    assert crommelin(0.6, 1) == pytest.approx(0.6 / (2 * (1 - 0.6)))


@pytest.mark.parametrize(("rate", "servers"), [(1.6, 2), (12.0, 15)])
def test_waits_are_those_of_an_m_d_c_queue(rate, servers):  # R-S3
    outcome = run(bare(rate, 30_000 / rate, Fixed(1.0), servers))
    assert mean(outcome.everyone.waits) == pytest.approx(crommelin(rate, servers), rel=0.1)


def test_what_is_scaled_up_is_in_its_steady_state_from_the_first_second():  # R-S3
    """Three services of an M/D/c queue, again and again; from an empty one, the mean is a third less."""
    waits = [wait for seed in range(150) for wait in run(bare(1.6, 30, Fixed(10), 20, seed=seed)).everyone.waits]
    assert mean(waits) == pytest.approx(crommelin(1.6, 20, 10), rel=0.2)


@pytest.mark.parametrize("latency", [Fixed(30), Lognormal(30, 40)])
@pytest.mark.parametrize("seconds", [60, 300])
def test_busy_pollers_are_not_in_step(latency, seconds):  # R-S3
    """If all of them begin at once, half of the jobs wait for over 10 s, in the first minute and for long after it."""
    outcome = run(bare(40, seconds, latency, processor=Trigger(10, 0, 160, is_scaled_up=True)))
    assert percentile(sorted(outcome.everyone.waits), 0.5) < 2


def test_the_jobs_of_the_warm_up_are_in_the_costs_and_not_in_the_times():
    outcome = run(bare(2.0, 100, Fixed(10), 50))
    assert outcome.counts.jobs > len(outcome.everyone.totals)
    assert min(outcome.everyone.submissions) >= 0
    assert outcome.samples[0].at_seconds == 0
    assert outcome.costs["submission"] == pytest.approx(3.5)
    assert outcome.to_document()["messagesPerBatch"] == 1


@pytest.mark.parametrize(("rate", "servers"), [(1.0, 2), (2.0, 4)])
def test_waits_are_those_of_an_m_m_c_queue(rate, servers):  # R-S3
    outcome = run(bare(rate, 25_000 / rate, Exponential(1.0), servers))
    assert mean(outcome.everyone.waits) == pytest.approx(erlang_c(rate, servers) / (servers - rate), rel=0.1)
    waited = sum(wait > 0 for wait in outcome.everyone.waits) / len(outcome.everyone.waits)
    assert waited == pytest.approx(erlang_c(rate, servers), rel=0.05)


def test_utilization_is_rate_times_service():  # R-S3
    outcome = run(bare(2.0, 10_000, Exponential(1.2), 4))
    assert outcome.mean_concurrency == pytest.approx(2.0 * 1.2, rel=0.03)


def test_little_s_law_holds():  # R-S3
    outcome = run(Scenario(Arrivals((Period(2000, 8),)), Lognormal(2, 8)))
    rate = len(outcome.everyone.totals) / outcome.seconds
    assert mean(sample.open_jobs for sample in outcome.samples) == pytest.approx(
        rate * mean(outcome.everyone.totals), rel=0.03
    )


# Batches and pollers


def test_a_burst_drains_in_rounds_of_full_batches():  # R-S3
    full = Trigger(10, 0, 4, is_scaled_up=True)
    outcome = run(burst(400, Fixed(3), processor=full, processor_times=NO_TIME, path=NO_PATH))
    # The first four receives find one message each, because the jobs come one by one.
    assert outcome.counts.processor_invocations == 4 + math.ceil(396 / 10)
    assert outcome.seconds == pytest.approx(3 * math.ceil(44 / 4), rel=0.01)


def test_a_batch_waits_for_its_slowest_job():  # R-S3
    """The largest of ten exponential times has the mean 1 + 1/2 + ... + 1/10."""
    outcome = run(burst(20_000, Exponential(1.0), processor=Trigger(10, 0, 5), processor_times=NO_TIME, path=NO_PATH))
    expected = sum(1 / k for k in range(1, 11))
    seconds = outcome.counts.processor_seconds / outcome.counts.processor_invocations
    assert seconds == pytest.approx(expected, rel=0.03)


def test_a_batch_works_on_as_many_jobs_at_once_as_the_worker_has_threads():  # R-S3
    quick = {"processor_times": NO_TIME, "result_handler_times": NO_TIME, "path": NO_PATH}
    outcome = run(burst(100, Fixed(10), processor=Trigger(100, 1, 1), **quick))
    assert sorted(round(total) for total in outcome.everyone.totals)[::50] == [10, 20]


@pytest.mark.parametrize(("window", "waited"), [(0, 0), (1, 20), (5, 20), (30, 40)])
def test_a_lone_job_on_a_quiet_queue_waits_for_the_end_of_a_long_poll(window, waited):
    trigger = Trigger(10, window, 10, is_scaled_up=True)
    outcome = run(burst(1, processor=trigger, processor_times=NO_TIME, path=NO_PATH))
    assert outcome.everyone.waits == [waited]


def test_a_full_batch_does_not_wait_for_its_window():
    trigger = Trigger(10, 60, 2, is_scaled_up=True)
    scenario = burst(20, processor=trigger, processor_times=NO_TIME, path=NO_PATH)
    assert max(run(scenario).everyone.waits) == 0


def test_lambda_adds_pollers_while_messages_are_left():  # R-S3
    outcome = run(burst(40_000, Fixed(10), processor=Trigger(10, 0, 1000)))
    concurrency = {sample.at_seconds: sample.concurrency for sample in outcome.samples}
    assert concurrency[2.0] <= 5 + 2 * 5
    assert concurrency[60.0] == pytest.approx(5 + 300, abs=5)
    assert outcome.counts.busiest_processors <= 1000


def test_concurrency_stays_below_the_maximum():  # R-S3
    assert run(burst(5000, processor=Trigger(10, 0, 12))).counts.busiest_processors == 12


def test_an_environment_starts_cold_once():
    cold = FunctionTimes(3.0, 0, 0, 0)
    scenario = bare(0.5, 100, Fixed(0.1), processor_times=cold, processor=Trigger(1, 0, 1))
    outcome = run(scenario)
    assert outcome.everyone.waits[0] == pytest.approx(3.0)
    assert outcome.counts.busiest_processors == 1
    warm = run(bare(0.5, 100, Fixed(0.1), processor_times=cold))
    assert max(warm.everyone.waits) < 3.0
    small = run(bare(0.5, 100, Fixed(0.1), processor_times=cold, processor=Trigger(1, 0, 1), processor_memory_mb=192))
    assert small.everyone.waits[0] == pytest.approx(3.0 * 1769 / 192), "docs/performance.md: nine times as long"


def test_less_memory_computes_more_slowly():
    times = FunctionTimes(0, 0, 0.010, 0)
    waits = [
        run(bare(1, 10, Fixed(1), 50, processor_times=times, processor_memory_mb=memory)).everyone.waits
        for memory in (128, 1769, 10_240)
    ]
    assert [round(max(found), 4) for found in waits] == [round(0.010 * 1769 / 128, 4), 0.010, 0.010]


# Lambda's 15 minutes


def test_a_job_waits_for_an_invocation_that_has_enough_time_for_it():  # R-S3
    """Rounds of 50 jobs, the last of which begins 130 s before the end; the others wait for another invocation."""
    scenario = burst(2000, Fixed(60), processor=Trigger(10_000, 300, 2), processor_times=NO_TIME, path=NO_PATH)
    outcome = run(scenario)
    assert outcome.counts.deferrals > 0
    assert outcome.counts.model_calls == 2000
    assert outcome.counts.processor_seconds <= 900 * outcome.counts.processor_invocations
    assert outcome.to_document()["deferrals"] == outcome.counts.deferrals


def test_a_call_that_takes_too_long_is_cut_off_and_tried_again():
    outcome = run(burst(10, Fixed(121), processor_times=NO_TIME, path=NO_PATH))
    assert (outcome.counts.model_calls, outcome.counts.timeouts, outcome.everyone.failed) == (30, 30, 10)
    # Three calls, and pauses of 15 to 30 and of 30 to 60 s (ai_jobs.service.retries).
    assert 3 * 120 + 15 + 30 <= min(outcome.everyone.totals) <= max(outcome.everyone.totals) <= 3 * 120 + 90 + 60


# The model's quota


@given(
    st.lists(st.floats(0, 30), max_size=200),
    st.integers(1, 20),
    st.integers(10, 400),
)
@settings(deadline=None)
def test_no_minute_has_more_than_the_quota(gaps, requests, tokens):  # R-S3
    quota = ModelQuota(Quota(requests, tokens, input_tokens=3, output_tokens=2, max_tokens=7))
    admitted = [now for now in itertools.accumulate(gaps) if quota.admit(now)]
    for start in admitted:
        within = sum(start <= now < start + 60 for now in admitted)
        assert within <= requests
        assert within * 10 <= tokens


def test_what_a_call_reserved_and_did_not_use_is_given_back():  # R-S3
    quota = ModelQuota(Quota(tokens_per_minute=20, input_tokens=1, output_tokens=1, max_tokens=18))
    call = quota.admit(0)
    assert quota.admit(1) is None
    quota.settle(call, 2)
    assert quota.admit(3) is None  # 2 + 19 are too much
    assert quota.admit(60) is not None


def test_throughput_is_never_above_the_quota():  # R-S3
    scenario = Scenario(Arrivals((Period(120, 10),)), Fixed(1), Quota(requests_per_minute=120))
    outcome = run(scenario)
    assert outcome.counts.throttles > 0
    assert outcome.counts.model_calls == len(outcome.everyone.totals) <= 120 * math.ceil(outcome.seconds / 60)


def test_a_quota_that_is_large_enough_changes_nothing():
    without, with_one = (
        run(Scenario(Arrivals((Period(60, 10),)), Lognormal(1, 3), quota)).to_document()
        for quota in (Quota(), Quota(10_000, 100_000_000))
    )
    assert without == with_one


def test_a_throttled_job_comes_back_after_the_services_own_delays():
    """The first delayed copy waits up to 10 s (ai_jobs.service.retries), and no longer than max_backoff_seconds."""
    minute = Quota(requests_per_minute=1)
    for backoff, most in ((900, 60 + 640), (1, 62)):
        scenario = burst(2, Fixed(0), quota=minute, processor=Trigger(1, 0, 2), max_backoff_seconds=backoff)
        assert 60 < max(run(scenario).everyone.totals) <= most


# Fair queues


def tenants_waits(outcome):
    return {tenant.name: percentile(sorted(tenant.waits), 0.5) for tenant in outcome.tenants}


def with_burst(jobs, **more):
    tenants = (Tenant("quiet", 1), Tenant("noisy", 1, jobs, 20))
    trigger = Trigger(10, 0, 10, is_scaled_up=True)
    return Scenario(Arrivals((Period(120, 10),)), Fixed(2), tenants=tenants, processor=trigger, **more)


def test_a_burst_of_one_tenant_does_not_delay_the_other():  # R-S3
    calm, busy = tenants_waits(run(with_burst(0))), tenants_waits(run(with_burst(3000)))
    assert busy["noisy"] > 20
    # What remains is the wait for a batch to end: everybody's invocations are busy.
    assert busy["quiet"] < calm["quiet"] + 0.5


def queue_of(*tenants):
    queue = FairQueue(simpy.Environment(), 3)
    for tenant in tenants:
        queue.put(Job(tenant, 0))
    return queue


def received(queue, limit):
    return [job.tenant for job in queue.receive(limit).value]


def test_a_queue_delivers_in_order_of_arrival():
    assert received(queue_of(0, 1, 2, 0, 1), 4) == [0, 1, 2, 0]


def test_a_noisy_neighbor_waits_for_quiet_tenants():
    queue = queue_of(*[0] * 40, 1)
    for _ in range(3):
        received(queue, 10)
    queue.put(Job(2, 0))
    assert received(queue, 3) == [1, 2, 0]


def test_among_noisy_neighbors_the_one_with_fewer_in_flight_is_next():
    queue = queue_of(*[0] * 100, *[1] * 100)
    delivered = [tenant for _ in range(12) for tenant in received(queue, 10)]
    assert delivered[:30] == [0] * 30
    assert delivered.count(0) == delivered.count(1) == 60


def test_a_poll_without_messages_ends_empty():
    env = simpy.Environment()
    queue = FairQueue(env)
    poll = queue.receive(wait_seconds=20)
    env.run()
    assert (env.now, poll.value) == (20, [])
    queue.put(Job(0, 0))
    assert queue.depth == 1


# Everything ends, and ends the same way


@given(
    st.integers(1, 60),
    st.floats(0.1, 5),
    st.integers(1, 12),
    st.integers(0, 3),
    st.sampled_from([None, 30, 200]),
    st.sampled_from([4, 120]),
    st.booleans(),
    st.integers(0, 10**6),
)
@settings(max_examples=30, deadline=None)
def test_all_jobs_end(jobs, rate, batch, window, requests, timeout, is_scaled_up, seed):  # R-S3
    arrivals = Arrivals((Period(30, rate),), jobs)
    more = {"model_timeout_seconds": timeout, "deadline_seconds": 120, "seed": seed}
    trigger = Trigger(batch, window, 3, is_scaled_up=is_scaled_up)
    outcome = run(Scenario(arrivals, Lognormal(1, 9), Quota(requests), processor=trigger, **more))
    everyone = outcome.everyone
    ended = outcome.counts.model_calls - outcome.counts.timeouts
    assert ended <= outcome.counts.jobs
    assert is_scaled_up or ended + everyone.failed == outcome.counts.jobs == len(everyone.totals)
    assert all(0 <= wait <= total for wait, total in zip(everyone.waits, everyone.totals, strict=True))
    assert outcome.samples[-1].open_jobs >= 0


def test_a_job_that_is_throttled_until_its_deadline_fails():
    outcome = run(burst(40, Fixed(1), quota=Quota(requests_per_minute=1), deadline_seconds=100))
    assert 0 < outcome.everyone.failed == 40 - outcome.counts.model_calls
    assert outcome.to_document()["tenants"][0]["failed"] == outcome.everyone.failed


def test_the_same_scenario_has_the_same_outcome():
    def document(seed):
        tenants = (Tenant("a", 3), Tenant("b", 1, 200, 5))
        arrivals = Arrivals((Period(20, 20), Period(10, 0), Period(20, 5)), 30)
        return simulate(Scenario(arrivals, Lognormal(1, 4), Quota(900), tenants, seed=seed)).to_document()

    assert document(7) == document(7)
    assert document(7) != document(8)


def test_regular_arrivals_come_at_equal_distances():
    scenario = bare(4, 10, Fixed(1), 100)
    regular = Scenario(Arrivals(scenario.arrivals.periods, regular=True), Fixed(0.1), processor=scenario.processor)
    assert len(run(regular).everyone.totals) == 40


# Distributions and costs


def test_latencies_have_the_percentiles_that_were_asked_for():
    outcome = run(bare(10, 1500, model_latency(2, 10), 1000))
    totals = sorted(outcome.everyone.totals)
    assert percentile(totals, 0.5) == pytest.approx(2, rel=0.03)
    assert percentile(totals, 0.99) == pytest.approx(10, rel=0.06)
    assert model_latency(2, None) == Fixed(2)


@pytest.mark.parametrize(("share", "value"), [(0.5, 5), (0.99, 10), (0.1, 1), (0, 1)])
def test_percentiles_are_nearest_ranks(share, value):
    assert percentile(range(1, 11), share) == value
    assert percentile([], share) == 0


def test_costs_are_what_was_used_times_the_prices():  # R-B4
    usage = Usage(
        jobs=1000,
        delayed_copies=100,
        processor_invocations=100,
        processor_gb_seconds=500.0,
        result_handler_invocations=200,
        result_handler_gb_seconds=2.0,
        request_receives=110,
        response_receives=220,
        output_tokens=300,
    )
    costs = costs_per_million(usage)
    assert costs == pytest.approx(
        {
            "submission": 3.5,
            "queues": ((1100 + 330) * 0.5 + (1000 + 440) * 0.4) / 1000,
            "processor": 500 * PRICES["lambda_gb_second"] * 1000 + 0.02,
            "resultHandler": 2 * PRICES["lambda_gb_second"] * 1000 + 0.04,
            # One unit for the claim, three for the result with 1,200 bytes of text, and two for each of two indexes.
            "table": (8 * 1000 + 6 * 100) * 0.625 / 1000,
            "events": 1.0,
            "logs": 1.25,
        },
    )


def test_a_run_without_jobs_costs_nothing():
    assert costs_per_million(Usage(0, 0, 0, 0, 0, 0, 0, 0, 300)) == {}


def test_every_price_has_its_unit_source_and_date():  # R-B4
    for price in PRICE_LIST["prices"].values():
        assert price["usd"] > 0
        assert price["unit"]
        assert price["source"].startswith("https://")
        assert "2025-01" <= price["checked"] < "2100"
