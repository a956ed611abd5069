"""What `ai-jobs top` shows: read from the services as often as it makes sense, with a note for what is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from ai_jobs.aws.queues import QueueMessageCount
from ai_jobs.contract.errors import AIJobsError
from ai_jobs.operate.snapshot import Alarm, Watcher

NOW = datetime(2026, 1, 31, 12, 8, 30, tzinfo=UTC)
BASE = "https://sqs.eu-west-1.amazonaws.com/123456789012"
ID = "acc8ae47-a15e-4746-ab8a-039ac80da0ea"
OUTPUTS = {
    "request_queue_url": f"{BASE}/request",
    "response_queue_url": f"{BASE}/response",
    "request_dlq_url": f"{BASE}/request-dlq",
    "response_dlq_url": f"{BASE}/response-dlq",
    "processor_function_name": "processor-test",
    "result_handler_function_name": "result-handler-test",
    "metrics_namespace": "ours",
    "alarm_names": ["one", "two"],
    "service_alarm_name": "unhealthy",
}


class Environment:
    """An environment, as its services describe it; a test changes what it needs."""

    def __init__(self, calls):
        self.calls = calls
        self.seconds = 0.0
        self.visible = {"request": 5, "response": 0, "request-dlq": 2, "response-dlq": 0}
        # By metric name: (minutes before 12:08, value).
        self.points = {}
        self.alarms = {}
        calls.answers |= {
            "GetQueueAttributes": self.attributes,
            "ListEventSourceMappings": self.mappings,
            "GetMetricData": self.metrics,
            "DescribeAlarms": lambda parameters: self.alarms,
        }

    def watcher(self, **outputs):
        values = {name: value for name, value in (OUTPUTS | outputs).items() if value is not None}
        return Watcher(values, clock=lambda: self.seconds, now=lambda: NOW)

    def attributes(self, parameters):
        name = parameters["QueueUrl"].rpartition("/")[2]
        return {
            "Attributes": {
                "QueueArn": f"arn:aws:sqs:eu-west-1:123456789012:{name}",
                "ApproximateNumberOfMessages": str(self.visible[name]),
                "ApproximateNumberOfMessagesNotVisible": "1",
                "ApproximateNumberOfMessagesDelayed": "0",
            }
        }

    def mappings(self, parameters):
        state = "Disabled" if parameters["FunctionName"].endswith(":processor-test:live") else "Enabled"
        return {"EventSourceMappings": [{"UUID": ID, "EventSourceArn": parameters["EventSourceArn"], "State": state}]}

    def metrics(self, parameters):
        end = datetime(2026, 1, 31, 12, 8, tzinfo=UTC)
        results = []
        for query in parameters["MetricDataQueries"]:
            stat = query["MetricStat"]
            name = (stat["Metric"]["MetricName"], stat["Stat"])
            points = self.points.get(name, [])
            results.append(
                {
                    "Id": query["Id"],
                    "Timestamps": [end - timedelta(minutes=minutes) for minutes, _ in points],
                    "Values": [float(value) for _, value in points],
                }
            )
        return {"MetricDataResults": results}


@pytest.fixture
def environment(calls):
    return Environment(calls)


def test_queues_and_workers(environment):
    snapshot = environment.watcher().snapshot()
    assert [(queue.name, queue.count) for queue in snapshot.queues] == [
        ("request", QueueMessageCount(5, 1, 0)),
        ("response", QueueMessageCount(0, 1, 0)),
        ("request-dlq", QueueMessageCount(2, 1, 0)),
        ("response-dlq", QueueMessageCount(0, 1, 0)),
    ]
    assert [(worker.name, worker.state) for worker in snapshot.workers] == [
        ("processor", "paused"),
        ("result-handler", "enabled"),
    ]
    assert snapshot.at == NOW


def test_figures_of_the_last_five_minutes(environment):
    environment.points = {
        # The sixth minute is too old.
        ("JobsCompleted", "Sum"): [(1, 10), (3, 20), (6, 1000)],
        ("JobsFailed", "Sum"): [(2, 5)],
        ("ModelThrottles", "Sum"): [(2, 3), (4, 4)],
        ("QueueWait", "p50"): [(5, 1200), (10, 9)],
        ("Invocations", "Sum"): [(1, 30), (2, 31)],
        ("Duration", "Maximum"): [(1, 4000), (2, 9000), (3, 100)],
    }
    snapshot = environment.watcher().snapshot()
    assert snapshot.jobs["completedPerMinute"] == 6
    assert snapshot.jobs["failedPerMinute"] == 1
    assert snapshot.jobs["modelThrottles"] == 7
    assert snapshot.jobs["queueWaitP50"] == 1200
    assert snapshot.jobs["queueWaitP95"] is None
    assert snapshot.workers[0].invocations == 61
    assert snapshot.workers[0].max_duration == 9000


def test_the_oldest_open_job_is_the_latest_that_was_measured(environment):
    environment.points = {("OldestOpenJobAge", "Maximum"): [(12, 900), (7, 300)]}
    assert environment.watcher().snapshot().jobs["oldestOpenJobSeconds"] == 300
    environment.points = {("OldestOpenJobAge", "Maximum"): [(16, 900)]}
    assert environment.watcher().snapshot().jobs["oldestOpenJobSeconds"] is None


def test_the_metrics_are_asked_for_in_one_call(environment):
    environment.watcher().snapshot()
    (call,) = environment.calls.of("GetMetricData")
    asked = {
        (
            query["MetricStat"]["Metric"]["Namespace"],
            query["MetricStat"]["Metric"]["MetricName"],
            query["MetricStat"]["Stat"],
            tuple(pair["Value"] for pair in query["MetricStat"]["Metric"]["Dimensions"]),
            query["MetricStat"]["Period"],
        )
        for query in call["MetricDataQueries"]
    }
    assert ("ours", "JobsCompleted", "Sum", ("ai-jobs",), 60) in asked
    # Percentiles of single minutes can't be combined into one of five minutes.
    assert ("ours", "TotalTime", "p95", ("ai-jobs",), 300) in asked
    assert ("AWS/Lambda", "Throttles", "Sum", ("result-handler-test",), 60) in asked
    assert call["EndTime"] == datetime(2026, 1, 31, 12, 8, tzinfo=UTC)


def test_each_service_is_asked_only_so_often(environment):
    watcher = environment.watcher()
    for seconds in range(0, 60, 2):
        environment.seconds = seconds
        watcher.snapshot()
    assert len(environment.calls.of("GetMetricData")) == 2
    assert len(environment.calls.of("DescribeAlarms")) == 2
    assert len(environment.calls.of("ListEventSourceMappings")) == 2 * 6
    # Four queues each time, and once two of them for their ARNs.
    assert len(environment.calls.of("GetQueueAttributes")) == 4 * 30 + 2


def test_the_change_of_a_queue_is_measured_over_the_last_minute(environment):
    watcher = environment.watcher()
    changes = []
    for seconds, visible in ((0, 1000), (5, 500), (30, 700), (60, 600), (90, 600)):
        environment.seconds = seconds
        environment.visible["request"] = visible
        changes.append(watcher.snapshot().queues[0].change_per_minute)
    # Nothing from five seconds; then since the start; then since 30 seconds.
    assert changes == [None, None, -600, -400, -100]


def test_alarms_of_both_kinds(environment):
    environment.alarms = {
        "MetricAlarms": [{"AlarmName": "one", "StateReason": "Threshold Crossed"}],
        "CompositeAlarms": [{"AlarmName": "unhealthy"}],
    }
    assert environment.watcher().snapshot().alarms == [Alarm("one", "Threshold Crossed"), Alarm("unhealthy", "")]
    (call,) = environment.calls.of("DescribeAlarms")
    assert call["AlarmNames"] == ["one", "two", "unhealthy"]
    assert call["AlarmTypes"] == ["MetricAlarm", "CompositeAlarm"]
    assert call["StateValue"] == "ALARM"


def test_no_data_is_not_zero_and_has_a_note(environment):
    snapshot = environment.watcher().snapshot()
    assert set(snapshot.jobs.values()) == {None}
    assert snapshot.workers[0].errors is None
    assert snapshot.notes == ["CloudWatch has no data for the last 5 minutes: jobs, processor, result-handler"]


def test_zero_is_data(environment):
    environment.points = {("JobsCompleted", "Sum"): [(1, 0)], ("Invocations", "Sum"): [(1, 0)]}
    snapshot = environment.watcher().snapshot()
    assert snapshot.jobs["completedPerMinute"] == 0
    assert snapshot.notes == []


def test_what_may_not_be_read_has_a_note_and_the_rest_is_there(environment):
    for operation in ("GetMetricData", "DescribeAlarms", "ListEventSourceMappings"):
        environment.calls.refuse(operation, "AccessDeniedException", f"no {operation} for you")
    watcher = environment.watcher()
    snapshot = watcher.snapshot()
    assert snapshot.queues[0].count.visible == 5
    assert snapshot.alarms is None
    assert [worker.state for worker in snapshot.workers] == [None, None]
    text = "\n".join(snapshot.notes)
    assert "no GetMetricData for you" in text
    assert "no DescribeAlarms for you" in text
    assert "no ListEventSourceMappings for you" in text
    # The notes stay as long as the values do.
    environment.seconds = 2
    assert watcher.snapshot().notes == snapshot.notes


def test_unknown_outputs_have_notes(environment):
    unknown = ("metrics_namespace", "alarm_names", "service_alarm_name", "request_dlq_url", "processor_function_name")
    snapshot = environment.watcher(**dict.fromkeys(unknown)).snapshot()
    assert snapshot.queues[2].count is None
    assert snapshot.queues[3].count is not None
    assert snapshot.workers[0].state is None
    for output in ("metrics_namespace", "alarm_names", "request_dlq_url", "processor_function_name"):
        assert any(output in note for note in snapshot.notes), output


def test_one_queue_that_can_not_be_read_is_a_note(environment):
    def attributes(parameters):
        if parameters["QueueUrl"].endswith("dlq"):
            return ClientError({"Error": {"Code": "AccessDenied", "Message": "not yours"}}, "GetQueueAttributes")
        return environment.attributes(parameters)

    environment.calls.answers["GetQueueAttributes"] = attributes
    snapshot = environment.watcher().snapshot()
    assert [queue.count is None for queue in snapshot.queues] == [False, False, True, True]
    assert sum("not yours" in note for note in snapshot.notes) == 2


def test_no_queue_at_all_is_an_error(environment):
    environment.calls.refuse("GetQueueAttributes", "ExpiredToken")
    with pytest.raises(AIJobsError) as caught:
        environment.watcher().snapshot()
    assert caught.value.code == "ExpiredToken"


def test_no_trigger(environment):
    environment.calls.answers["ListEventSourceMappings"] = {"EventSourceMappings": []}
    assert environment.watcher().snapshot().workers[0].state == "none"
