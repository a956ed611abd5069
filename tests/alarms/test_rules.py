"""When the alarms fire, and when they must not: the plan's rules over what happens to a service."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.alarms.conftest import Service
from tests.alarms.evaluator import ALARM, INSUFFICIENT, OK, Alarm, Metrics

Happening = Callable[[Service], object]


def test_an_idle_night_is_silent(service: Service):
    service.run(12 * 60)
    assert service.notifications == []
    assert {alarm.state for alarm in service.alarms.values()} == {OK}
    assert service.page.state == OK


def test_a_queue_that_sqs_no_longer_reports_is_silent_and_so_is_one_that_it_reports_as_empty(service: Service):  # R-M4
    service.run(
        60, lambda s: (s.queue("request"), s.queue("response"), s.queue("request-dlq"), s.queue("response-dlq"))
    )
    service.run(60)
    assert service.notifications == []


def test_steady_work_is_silent(service: Service):
    def work(s: Service) -> None:
        s.queue("request", visible=3, in_flight=20, age=12)
        s.queue("response", in_flight=2, age=1)
        s.own("JobsCompleted", 40)
        s.own("JobsFailed", 1)
        s.function("job-processor", "ConcurrentExecutions", 3)
        s.function("job-processor", "Duration", 20_000)
        s.api("Count", 50)
        s.api("Latency", 12)

    service.run(180, work)
    assert service.notifications == []


def test_a_burst_is_a_backlog_and_no_outage(service: Service):  # R-M2 R-M3 R-M4
    waiting = 5000.0

    def drain(s: Service) -> None:
        nonlocal waiting
        waiting = max(0.0, waiting - 200)
        s.queue(
            "request", visible=waiting, in_flight=100 if waiting else 0, age=60.0 * (s.minute - 60) if waiting else 0
        )
        s.own("JobsCompleted", 200 if waiting else 0)
        s.function("job-processor", "ConcurrentExecutions", 10 if waiting else 0)

    service.run(60, drain)
    assert [state for _, state in service.told("request-queue-depth")] == [ALARM, OK]
    assert [state for _, state in service.told("request-queue-age")] == [ALARM, OK]
    assert service.told("processing-rate") == []
    assert service.in_alarm == set()


def test_a_stuck_worker_is_one_page_however_many_alarms_it_sets_off(service: Service):  # R-M3 R-M4
    waiting = 0.0

    def stuck(s: Service) -> None:
        nonlocal waiting
        waiting += 60
        s.queue("request", visible=waiting, age=waiting)

    service.run(45, stuck)
    assert service.in_alarm == {"request-queue-depth", "request-queue-age", "processing-rate", "standstill"}
    # Older than 300 s is the oldest message in the sixth minute. The other two have five periods of five minutes, the
    # first of which counts from its last minute on.
    assert service.told("request-queue-age") == [(66, ALARM)]
    assert service.told("processing-rate") == [(81, ALARM)]
    assert service.told("standstill") == [(81, ALARM)]
    assert service.told("service-unhealthy") == [(81, ALARM)]

    service.run(60, lambda s: (s.queue("request", in_flight=10, age=5), s.own("JobsCompleted", 60)))
    assert service.in_alarm == set()
    assert [state for _, state in service.told("service-unhealthy")] == [ALARM, OK]


@pytest.mark.parametrize("where", ["visible", "in_flight", "delayed"])
@pytest.mark.parametrize("queue", ["request", "response"])
def test_work_that_stands_still_in_any_form_is_noticed(service: Service, queue: str, where: str):  # R-M4
    service.run(40, lambda s: s.queue(queue, **{where: 1}))
    assert "processing-rate" in service.in_alarm


def test_copies_that_go_around_are_no_progress(service: Service):  # R-M4
    # What a throttled job does: SQS deletes and takes messages all the time, and not one job comes to its end.
    service.run(40, lambda s: (s.queue("request", delayed=30), s.function("job-processor", "Invocations", 20)))
    assert {"processing-rate", "jobs-waiting"} <= service.in_alarm


def test_one_long_job_alone_is_no_outage(service: Service):  # R-M4
    """Nor is a job whose worker crashed: it is hidden for as long, and then worked on."""
    service.run(17, lambda s: s.queue("request", in_flight=1, age=60 * (s.minute - 60)))
    service.run(1, lambda s: s.own("JobsCompleted", 1))
    service.run(30)
    assert service.told("processing-rate") == []
    assert service.told("service-unhealthy") == []
    assert [state for _, state in service.told("request-queue-age")] == [ALARM, OK]  # it is older than 300 s


def test_a_worker_that_is_stuck_with_a_job_for_good_pages(service: Service):
    service.run(30, lambda s: s.queue("request", in_flight=1))
    assert [state for _, state in service.told("service-unhealthy")] == [ALARM]


def test_jobs_over_the_token_budget_are_told_and_page_nobody(service: Service):
    def over_budget(s: Service) -> None:
        s.queue("request", delayed=3)
        if s.minute % 10 == 0:
            s.own("BudgetWaits", 3)
        s.own("OldestOpenJobAge", 60 * (s.minute - 60))

    service.run(5 * 60, over_budget)
    assert service.in_alarm == {"budget-waits", "oldest-open-job", "processing-rate"}
    assert service.told("service-unhealthy") == []


def test_jobs_that_wait_for_anything_else_page_after_an_hour(service: Service):
    service.run(90, lambda s: (s.queue("request", delayed=3), s.own("OldestOpenJobAge", 60 * (s.minute - 60))))
    assert [state for _, state in service.told("service-unhealthy")] == [ALARM]
    assert "oldest-open-job" in service.in_alarm


def test_an_outage_pages_though_somebody_is_over_budget(service: Service):
    service.run(40, lambda s: (s.queue("request", visible=5, delayed=1), s.own("BudgetWaits", 1)))
    assert [state for _, state in service.told("service-unhealthy")] == [ALARM]


def test_failed_jobs_are_an_end_too(service: Service):  # R-M4
    service.run(40, lambda s: (s.queue("request", visible=2), s.own("JobsFailed", 1)))
    assert service.told("processing-rate") == []


def test_a_service_that_never_finished_a_job_is_noticed_too(plan):  # R-M4
    service = Service(plan)
    service.run(60, lambda s: s.queue("request", visible=5, age=60))
    assert "processing-rate" in service.in_alarm


def test_a_dead_letter_is_told_at_once_and_stays_until_the_queue_is_empty(service: Service):  # R-M1 R-E4
    service.run(90, lambda s: s.queue("request-dlq", visible=1))
    assert service.told("request-dlq-messages") == [(61, ALARM)]
    service.run(10, lambda s: s.queue("request-dlq"))
    assert [state for _, state in service.told("request-dlq-messages")] == [ALARM, OK]
    assert "request-dlq-messages" not in service.in_alarm
    assert service.told("service-unhealthy") == []  # it would hide the next outage for as long as the letter lies there


def test_the_second_dead_letter_is_told_though_the_first_still_lies_there(service: Service):  # R-M1 R-E4
    service.run(30, lambda s: s.queue("request-dlq", visible=1))
    service.run(30, lambda s: s.queue("request-dlq", visible=2))
    assert service.told("request-dlq-messages") == [(61, ALARM)]
    # Of the first one there is nothing to compare with: the queue had not been reported before.
    assert service.told("request-dlq-growth") == [(91, ALARM), (96, OK)]


def test_a_minute_that_sqs_does_not_report_is_no_news(service: Service):
    service.run(30, lambda s: s.queue("request-dlq", visible=5) if s.minute != 80 else None)
    service.run(1)  # the newest minute is late
    service.run(10, lambda s: s.queue("request-dlq", visible=5))
    assert service.told("request-dlq-growth") == []
    assert service.told("request-dlq-messages") == [(61, ALARM)]


def test_the_reconcilers_look_at_a_dead_letter_is_no_news(service: Service):
    def looked_at(s: Service) -> None:
        hidden = s.minute % 5 == 0
        s.queue("request-dlq", visible=0 if hidden else 1, in_flight=1 if hidden else 0)

    service.run(1, lambda s: s.queue("request-dlq", visible=1))
    service.run(60, looked_at)
    assert service.told("request-dlq-messages") == [(61, ALARM)]
    assert service.told("request-dlq-growth") == []


def test_an_outage_of_the_model_and_its_end(service: Service):
    def outage(s: Service) -> None:
        s.queue("request", visible=20, in_flight=50, age=100)
        s.own("JobsFailed", 10)
        s.own("ExhaustedErrors", 10)

    def recovered(s: Service) -> None:
        s.queue("request", visible=2, in_flight=50, age=10)
        s.own("JobsCompleted", 30)

    service.run(20, outage)
    assert service.in_alarm == {"failed-jobs", "service-failures"}
    service.run(60, recovered)
    assert service.in_alarm == set()
    assert [state for _, state in service.told("service-unhealthy")] == [ALARM, OK]


def test_mistakes_of_a_callers_release_are_told_and_page_nobody(service: Service):
    service.run(60, lambda s: (s.own("JobsFailed", 10), s.own("InvalidErrors", 10), s.own("JobsCompleted", 5)))
    assert service.in_alarm == {"failed-jobs"}
    assert service.told("service-unhealthy") == []


def test_test_jobs_of_a_monitor_page_nobody(service: Service):
    """`ai-jobs verify --test-send` every three minutes: each ends as a failed job."""
    service.run(120, lambda s: s.own("JobsFailed", 1) if s.minute % 3 == 0 else None)
    assert service.told("service-unhealthy") == []


def test_a_reconciler_that_no_longer_runs_is_noticed(service: Service):
    service.reconciler_is_on = False
    service.run(60)
    assert service.in_alarm == {"reconciler-silent"}
    service.reconciler_is_on = True
    service.run(10)
    assert service.in_alarm == set()


def test_callers_that_wait_for_their_jobs_are_no_slow_api(service: Service):
    def waiting(s: Service) -> None:
        s.api("Count", 10)
        s.api("Latency", 25_000)
        s.own("RequestTime", 20)

    service.run(60, waiting)
    assert service.notifications == []


def test_a_bus_that_takes_no_events_is_told_and_pages_nobody(service: Service):
    def refused(s: Service) -> None:
        s.function("job-event-publisher", "Errors", 1)
        s.function("job-event-publisher", "IteratorAge", 60_000 * (s.minute - 60))

    service.run(60, refused)
    assert service.in_alarm == {"event-publisher-errors", "event-publisher-delay"}
    assert service.told("service-unhealthy") == []


def test_a_few_failures_of_a_quiet_night_are_no_outage(service: Service):
    service.run(60, lambda s: s.own("JobsFailed", 1) if s.minute % 10 == 0 else None)
    assert service.told("failed-jobs") == []


def test_one_failed_request_of_a_quiet_night_is_no_outage(service: Service):
    service.run(5, lambda s: (s.api("Count", 1), s.api("5XXError", 1)) if s.minute == 61 else None)
    assert service.told("api-errors") == []


def test_a_queue_that_refuses_jobs_pages_though_reads_go_on(service: Service):  # R-J2
    """A role that may not send: every POST is a 503, and one request in thirty."""

    def refused(s: Service) -> None:
        s.api("Count", 29)
        s.post("Count", 1)
        s.post("5XXError", 1)

    service.run(15, refused)
    assert service.in_alarm == {"post-errors"}
    assert [state for _, state in service.told("service-unhealthy")] == [ALARM]
    service.run(15, lambda s: (s.api("Count", 29), s.post("Count", 1)))
    assert service.in_alarm == set()


def test_one_refused_job_is_no_outage(service: Service):
    service.run(30, lambda s: (s.post("Count", 1), s.post("5XXError", 1)) if s.minute == 61 else None)
    assert service.notifications == []


def test_a_reconciler_that_went_silent_does_not_end_the_alarm_of_what_it_last_saw(plan):
    (definition,) = (a for a in plan.of_type("aws_cloudwatch_metric_alarm") if "oldest-open-job" in a["alarm_name"])
    alarm, metrics = Alarm(definition), Metrics()
    for minute in range(0, 20, 5):
        metrics.add(definition["namespace"], "OldestOpenJobAge", definition["dimensions"], minute, 7200)
    assert [alarm.step(metrics, minute) for minute in (20, 40, 120)] == [ALARM, ALARM, ALARM]
    assert Alarm(definition).step(Metrics(), 60) == INSUFFICIENT  # never seen, no alarm


# Each alarm: what sets it off, minute by minute. What ends it is that it stops.
CAUSES: dict[str, Happening] = {
    "request-dlq-messages": lambda s: s.queue("request-dlq", visible=1),
    "response-dlq-messages": lambda s: s.queue("response-dlq", visible=1),
    "request-dlq-growth": lambda s: s.queue("request-dlq", visible=s.minute),
    "response-dlq-growth": lambda s: s.queue("response-dlq", visible=s.minute),
    "events-dlq-messages": lambda s: s.queue("events-dlq", visible=1),
    "events-dlq-growth": lambda s: s.queue("events-dlq", visible=s.minute),
    "request-queue-depth": lambda s: s.queue("request", visible=1001),
    "jobs-waiting": lambda s: s.queue("request", delayed=11),
    "processing-rate": lambda s: s.queue("request", visible=1),
    "standstill": lambda s: s.queue("response", visible=1),
    "budget-waits": lambda s: s.own("BudgetWaits", 1),
    "request-queue-age": lambda s: s.queue("request", visible=1, age=301),
    "response-queue-age": lambda s: s.queue("response", visible=1, age=301),
    "processor-errors": lambda s: s.function("job-processor", "Errors", 1),
    "result-handler-errors": lambda s: s.function("job-result-handler", "Errors", 1),
    "jobs-api-errors": lambda s: s.function("jobs-api", "Errors", 1),
    "event-publisher-errors": lambda s: s.function("job-event-publisher", "Errors", 1),
    "reconciler-errors": lambda s: s.function("job-reconciler", "Errors", 1),
    "processor-throttles": lambda s: s.function("job-processor", "Throttles", 1),
    "result-handler-throttles": lambda s: s.function("job-result-handler", "Throttles", 1),
    "jobs-api-throttles": lambda s: s.function("jobs-api", "Throttles", 1),
    "event-publisher-throttles": lambda s: s.function("job-event-publisher", "Throttles", 1),
    "reconciler-throttles": lambda s: s.function("job-reconciler", "Throttles", 1),
    "processor-duration": lambda s: s.function("job-processor", "Duration", 810_001),
    "result-handler-duration": lambda s: s.function("job-result-handler", "Duration", 27_001),
    "jobs-api-duration": lambda s: s.function("jobs-api", "Duration", 26_101),
    "event-publisher-duration": lambda s: s.function("job-event-publisher", "Duration", 54_001),
    "event-publisher-delay": lambda s: s.function("job-event-publisher", "IteratorAge", 600_001),
    "reconciler-duration": lambda s: s.function("job-reconciler", "Duration", 216_001),
    "processor-concurrency": lambda s: s.function("job-processor", "ConcurrentExecutions", 9),
    "result-handler-concurrency": lambda s: s.function("job-result-handler", "ConcurrentExecutions", 9),
    "api-errors": lambda s: (s.api("Count", 20), s.api("5XXError", 2)),
    "post-errors": lambda s: (s.post("Count", 10), s.post("5XXError", 0.6)),
    "api-latency": lambda s: (s.own("RequestTime", 100), s.own("RequestTime", 3001)),
    "table-throttles": lambda s: s.table("WriteThrottleEvents", 1, "by-user"),
    "failed-jobs": lambda s: (s.own("JobsFailed", 1), s.own("JobsCompleted", 3)),
    "service-failures": lambda s: s.own("CrashErrors", 0.5),
    "stalled-jobs": lambda s: s.own("JobsStalled", 1),
    "oldest-open-job": lambda s: s.own("OldestOpenJobAge", 3601),
}


def test_there_is_a_cause_for_every_alarm(service: Service):
    silence = "reconciler-silent"  # the one whose cause is that nothing happens
    assert set(CAUSES) | {silence} == set(service.alarms)


@pytest.mark.parametrize("name", CAUSES)
def test_an_alarm_fires_for_its_cause_and_ends_with_it(service: Service, name: str):
    # A dead-letter queue is there and empty before: growth compares.
    service.run(2, lambda s: [s.queue(f"{name}-dlq") for name in ("request", "response", "events")])
    service.run(45, CAUSES[name])
    service.run(60)
    assert [state for _, state in service.told(name)] == [ALARM, OK]


# Just below what each alarm is about: it must stay silent.
NOT_QUITE: dict[str, Happening] = {
    "request-queue-depth": lambda s: s.queue("request", visible=1000),
    "jobs-waiting": lambda s: s.queue("request", delayed=10),
    "request-queue-age": lambda s: s.queue("request", age=300),
    "response-queue-age": lambda s: s.queue("response", age=300),
    "processor-duration": lambda s: s.function("job-processor", "Duration", 810_000),
    "jobs-api-duration": lambda s: s.function("jobs-api", "Duration", 25_900),  # a GET that waited as long as it may
    "processor-concurrency": lambda s: s.function("job-processor", "ConcurrentExecutions", 8),
    "api-errors": lambda s: (s.api("Count", 40), s.api("5XXError", 2)),
    "post-errors": lambda s: (s.post("Count", 10), s.post("5XXError", 0.5)),
    "api-latency": lambda s: s.own("RequestTime", 3000),
    "event-publisher-delay": lambda s: s.function("job-event-publisher", "IteratorAge", 600_000),
    "failed-jobs": lambda s: (s.own("JobsFailed", 1), s.own("JobsCompleted", 4)),
    "oldest-open-job": lambda s: s.own("OldestOpenJobAge", 3600),
    "processing-rate": lambda s: (s.queue("request", visible=1), s.own("JobsCompleted", 1 if s.minute % 5 == 0 else 0)),
    "standstill": lambda s: (s.queue("request", visible=1), s.own("JobsFailed", 1 if s.minute % 25 == 0 else 0)),
    "service-failures": lambda s: s.own("OperatorErrors", 4 if s.minute % 15 == 0 else 0),
}


@pytest.mark.parametrize("name", NOT_QUITE)
def test_an_alarm_is_silent_at_its_threshold(service: Service, name: str):
    service.run(60, NOT_QUITE[name])
    assert service.told(name) == []


def test_the_page_looks_only_at_alarms_that_there_are(service: Service):
    names = {alarm.name for alarm in service.alarms.values()}
    assert set(service.page.children) <= names
    assert len(service.page.definition["alarm_rule"]) <= 10_240  # CloudWatch's limit
