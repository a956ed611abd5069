"""`ai-jobs top`."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from ai_jobs import AWSError
from ai_jobs.aws.queues import QueueMessageCount
from ai_jobs.cli.main import main
from ai_jobs.operate.cloudwatch import JOB_METRICS
from ai_jobs.operate.snapshot import Alarm, QueueState, Snapshot, Watcher, WorkerState

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012"
FULL = Snapshot(
    at=datetime(2026, 1, 31, 12, 8, 30, tzinfo=UTC),
    queues=[
        QueueState("request", QueueMessageCount(1200, 40, 3), change_per_minute=-31.4),
        QueueState("response", QueueMessageCount(0, 1, 0), change_per_minute=0.2),
        QueueState("request-dlq", QueueMessageCount(2, 0, 0)),
        QueueState("response-dlq", None),
    ],
    workers=[WorkerState("processor", "enabled", 61, 1, 0, 42_100), WorkerState("result-handler", "paused")],
    jobs=dict.fromkeys(JOB_METRICS)
    | {
        "completedPerMinute": 12.44,
        "failedPerMinute": 0.2,
        "stalled": 0,
        "queueWaitP50": 900,
        "queueWaitP95": 4_000,
        "oldestOpenJobSeconds": 600,
        "inputTokens": 12_000,
    },
    alarms=[Alarm("dlq-messages", "Threshold Crossed: 2 > 0")],
    notes=["CloudWatch has no data for the last 5 minutes: result-handler"],
)
ONCE = """\
QUEUE         VISIBLE  IN FLIGHT  DELAYED
request       1200     40         3
response      0        1          0
request-dlq   2        0          0
response-dlq  -        -          -

WORKER          STATE    INVOCATIONS  ERRORS  THROTTLES  LONGEST RUN
processor       enabled  61           1       0          42.1 s
result-handler  paused   -            -       -          -

LAST 5 MINUTES
jobs            12.4/min completed, 0.2/min failed, 0 stalled
waits           queue p50 900 ms, p95 4.0 s; whole job p95 -; oldest open job 10 min
model           latency p95 -, - throttles, 12,000 tokens in, - out

IN ALARM      REASON
dlq-messages  Threshold Crossed: 2 > 0

(-) CloudWatch has no data for the last 5 minutes: result-handler
"""


@pytest.fixture
def snapshots(monkeypatch):
    """What the watcher returns, one after the other."""
    queue = [FULL]

    def take(watcher):
        found = queue.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(Watcher, "snapshot", take)
    return queue


@pytest.fixture
def run(tmp_path):
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps({"request_queue_url": f"{URL}/request"}))
    return lambda *arguments: CliRunner().invoke(main, ["--outputs", str(file), "top", *arguments])


@pytest.fixture
def terminal(monkeypatch):
    """Standard output is a terminal, and Ctrl-C comes after this many refreshes."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True)
    slept = []

    def start(refreshes):
        def sleep(seconds):
            slept.append(seconds)
            if len(slept) > refreshes:
                raise KeyboardInterrupt

        monkeypatch.setattr("ai_jobs.cli.top.time.sleep", sleep)
        return slept

    return start


@pytest.mark.parametrize("arguments", [(), ("--once",)])
def test_without_a_terminal_it_is_one_plain_view(snapshots, run, arguments):
    done = run(*arguments)
    assert done.exit_code == 0
    first, _, rest = done.stdout.partition("\n\n")
    assert first.endswith("outputs.json, 2026-01-31 12:08:30 UTC")
    assert rest == ONCE
    assert "\x1b" not in done.output


def test_no_alarms_and_unknown_alarms(snapshots, run):
    snapshots[:] = [Snapshot(FULL.at, [], [], FULL.jobs, [], [])]
    assert "alarms: none in ALARM\n" in run().stdout
    snapshots[:] = [Snapshot(FULL.at, [], [], FULL.jobs, None, [])]
    assert "alarms: -\n" in run().stdout


def test_json(snapshots, run):
    document = json.loads(run("--json").stdout)
    assert document["at"] == "2026-01-31T12:08:30.000Z"
    assert document["queues"][0] == {"name": "request", "visible": 1200, "inFlight": 40, "delayed": 3}
    assert document["queues"][3]["visible"] is None
    assert document["workers"][0] == {
        "name": "processor",
        "state": "enabled",
        "invocations": 61,
        "errors": 1,
        "throttles": 0,
        "maxDuration": 42_100,
    }
    assert set(document["jobs"]) == set(JOB_METRICS)
    assert document["alarms"] == [{"name": "dlq-messages", "reason": "Threshold Crossed: 2 > 0"}]
    assert document["notes"] == FULL.notes
    assert document["minutes"] == 5


def test_live_until_ctrl_c(snapshots, run, terminal):
    snapshots[:] = [FULL] * 3
    slept = terminal(refreshes=2)
    done = run("--interval", "5")
    assert done.exit_code == 0
    assert slept == [5, 5, 5]
    assert snapshots == []
    assert "interrupted" not in done.output
    # The terminal's other screen is gone, and the last view is printed.
    after = done.stdout.rpartition("\x1b[?1049l")[2]
    assert "CHANGE/MIN" in after
    assert "-31" in after
    assert "1200" in after


def test_live_goes_on_when_the_network_is_away(snapshots, run, terminal):
    snapshots[:] = [FULL, AWSError("cannot read the queue: away"), FULL]
    terminal(refreshes=1)
    done = run()
    assert done.exit_code == 0
    after = done.stdout.rpartition("\x1b[?1049l")[2]
    assert "not refreshed: cannot read the queue: away" in after
    assert "1200" in after


def test_once_on_a_terminal(snapshots, run, terminal):
    terminal(refreshes=0)
    done = run("--once")
    assert done.exit_code == 0
    assert "\x1b[?1049h" not in done.stdout
    assert "1200" in done.stdout


def test_nothing_can_be_read(snapshots, run):
    snapshots[:] = [AWSError("cannot read the attributes of the queue", "ExpiredToken")]
    done = run()
    assert done.exit_code == 1
    assert "your credentials have expired" in done.stderr
    assert done.stdout == ""


def test_a_wrong_interval(run):
    done = run("--interval", "0")
    assert done.exit_code == 2
    assert "0 is not in the range x>=0.5" in done.stderr
