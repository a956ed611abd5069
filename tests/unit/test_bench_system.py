"""The sections on the local AWS: load without coordinated omission, figures of a run, and what an apply waits for."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bench import apply, end_to_end, end_to_end_page, kill, load, runs, submit, terraform
from bench.contenders import Job
from bench.load import Request
from bench.terraform import Step
from bench.usage import Usage
from scripts.project import Failure

if TYPE_CHECKING:
    from bench.contenders import Contender
    from bench.local_system import LocalSystem


class Server(http.server.ThreadingHTTPServer):
    """Answers no request before so many of them wait for an answer; the path /no gets a 500.

    Attributes:
        most: how many have waited at the same time.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.wanted = 1
        self.most = self.waiting = 0
        self.changed = threading.Condition()

    def hold(self) -> None:
        with self.changed:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.most >= self.wanted, timeout=60)
            self.waiting -= 1


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.hold()
        self.send_response(500 if self.path == "/no" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def test_at_a_rate_nobody_waits_for_a_response_and_a_stall_shows(server: Server) -> None:  # R-B4
    server.wanted = 8
    sent = load.open_loop([Request("GET", f"{server.url}/", {}, None, 200)] * 8, rate=1000)
    assert server.most == 8
    assert [round(one.due - sent[0].due, 3) for one in sent] == [number / 1000 for number in range(8)]
    # No response came before the last request: each latency contains the time from its own due moment until then.
    assert all(one.due + one.seconds > sent[-1].due for one in sent)


def test_callers_wait_for_their_response(server: Server) -> None:  # R-B4
    assert len(load.closed_loop([Request("GET", f"{server.url}/", {}, None, 200)] * 8, callers=2)) == 8
    assert server.most <= 2


def test_a_response_with_another_status_ends_the_run(server: Server) -> None:
    with pytest.raises(Failure, match="/no returned 500 instead of 200"):
        load.closed_loop([Request("GET", f"{server.url}/no", {}, None, 200)], callers=1)


def test_percentiles_are_values_that_were_measured() -> None:
    assert load.percentiles([number / 1000 for number in range(1, 101)]) == {"p50_ms": 50, "p99_ms": 99}
    assert load.percentiles([0.007]) == {"p50_ms": 7, "p99_ms": 7}


def test_a_run_counts_latencies_from_when_each_job_was_due() -> None:  # R-B4
    run = runs.figures({"a": 10.0, "b": 10.5, "lost": 11.0}, {"a": 10.1, "b": 12.5})
    assert run == {
        "p50_ms": 100,
        "p99_ms": 2000,
        "jobs": 3,
        "completed": 2,
        "per_second": 0.8,
        "ended_per_second": 0.4,
        "latencies_ms": [100, 2000],
    }


class Rows:
    """A contender whose jobs complete one more with each look, and that counts what is read."""

    def __init__(self, never: frozenset[str] = frozenset()) -> None:
        self.never = never
        self.looks: list[int] = []

    def completed(self, job_ids: list[str]) -> dict[str, float]:
        self.looks.append(len(job_ids))
        there = {"one": 1, "two": 2, "three": 3}
        return {name: 1.0 for name in job_ids if there[name] <= len(self.looks) and name not in self.never}


JOBS = [Job(name, name) for name in ("one", "two", "three")]


def test_waiting_reads_one_row_until_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_POLL_SECONDS", 0)
    rows = Rows()
    assert set(runs.wait_for(rows, JOBS, time.monotonic() + 60)) == {"one", "two", "three"}
    assert rows.looks == [1, 1, 1, 3]


def test_what_is_not_there_in_time_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_POLL_SECONDS", 0)
    rows = Rows(frozenset({"three"}))
    assert set(runs.wait_for(rows, JOBS, time.monotonic() - 1)) == {"one", "two"}


class Ours:
    """Named as ours is. Its processor has one more worker after the block, which two of three workers compute in."""

    name = "ours"

    def __init__(self) -> None:
        self.reads = iter(
            [
                {"processor": {1: 100.0, 2: 50.0}, "event_publisher": {3: 10.0}},
                {"processor": {1: 140.0, 2: 50.0, 4: 20.0}, "event_publisher": {3: 10.0}},
            ]
        )

    def worker_cpu(self) -> dict[str, dict[int, float]]:
        return next(self.reads)


class LoggedSystem:
    """Of whose processes this one is all."""

    instance = model = SimpleNamespace(pid=os.getpid())

    def log_size(self) -> int:
        return 7

    def batches(self, function: str, since: int) -> list[int]:
        assert since == 7
        return {"processor": [1, 4], "event_publisher": []}[function]


def test_usage_is_told_apart_by_function_and_by_process() -> None:  # R-B4
    with Usage(cast("LocalSystem", LoggedSystem()), cast("Contender", Ours())) as usage:
        started = time.process_time()
        while time.process_time() < started + 0.05:
            pass
    found = usage.per_job(10)
    assert (found["processor_cpu_ms"], found["event_publisher_cpu_ms"], found["worker_cpu_ms"]) == (6, 0, 6)
    assert found["workers"] == 2
    assert found["jobs_per_batch"] == 2.5
    assert "events_per_batch" not in found
    assert found["client_cpu_ms"] >= 5
    assert 0 <= found["local_aws_kernel_share"] <= 1
    assert found["other_load"] >= 0


def test_a_burst_is_sent_in_batches() -> None:
    messages = [{"QueueUrl": "https://q", "MessageBody": str(number)} for number in range(2)]
    assert runs._batch(messages) == {
        "QueueUrl": "https://q",
        "Entries": [{"MessageBody": "0", "Id": "0"}, {"MessageBody": "1", "Id": "1"}],
    }


RUN = {"p50_ms": 50, "p99_ms": 100, "jobs": 10, "completed": 9, "per_second": 30, "rounds": 2, "is_overloaded": False}
RUN |= {
    "ended_per_second": 29,
    "worker_cpu_ms": 6,
    "local_aws_cpu_ms": 5,
    "workers": 3,
    "model_cpu_ms": 1,
    "client_cpu_ms": 0.5,
}


def measured(latencies_ms: list[float], per_second: float) -> dict[str, Any]:
    return load.percentiles([latency / 1000 for latency in latencies_ms]) | {
        "latencies_ms": latencies_ms,
        "per_second": per_second,
        "ended_per_second": per_second,
    }


def test_percentiles_are_over_the_jobs_of_all_rounds() -> None:  # R-B4
    summary = end_to_end._summary("20", [measured([10.0, 20.0, 90.0], 20), measured([10.0, 20.0, 20.0], 19)])
    assert (summary["p50_ms"], summary["p99_ms"], summary["rounds"]) == (20, 90, 2)
    assert summary["per_second"] == 19.5
    assert not summary["is_overloaded"]


def test_a_system_that_finishes_too_few_jobs_has_no_latency() -> None:  # R-B4
    slow, quick = measured([1000.0], 70), measured([20.0], 99)
    runs_by_load = {str(rate): {"ours": [slow if rate == 100 else quick]} for rate in (20, 40, 100)}
    runs_by_load["burst"] = {"ours": [slow], "Celery": [quick]}
    results = end_to_end._results(runs_by_load)
    assert set(results["figures"]) == {"p50_20", "p99_20", "p50_40", "p99_40", "burst_to_celery"}
    assert results["failures"]["p99_100"] == "overloaded: finishes 70 per second"
    text = end_to_end_page.table({"medians": {"100": {"ours": RUN | {"is_overloaded": True}}}, "kill": {}})
    assert "| overloaded: finishes 29 per second | - |" in text


def test_the_page_shows_each_load_the_burst_and_the_kill() -> None:  # R-B4
    ours, celery = RUN | {"jobs_per_batch": 2.5}, RUN | {"per_second": 20}
    killed = {"jobs": 120, "lost": 0, "run_twice": 3, "late": 4, "rounds": [{"cut_off": 1}, {"cut_off": 3}]}
    results = {
        "cpus": 2,
        "runs": {"burst": {"ours": [RUN, RUN | {"per_second": 31}], "Celery": [RUN]}},
        "medians": {"20": {"ours": ours, "Celery": celery}, "burst": {"ours": ours, "Celery": celery}},
        "kill": {"Celery": killed | {"cut_off": 4}},
    }
    text = end_to_end_page.table(results)
    assert "| 20 per second | ours | 2 x 10 | 50 | 100 (slowest) | 6 | 5 | 3 | 2.5 | 1 |" in text
    assert "| ours | 2 x 10 | 30 and 31 | 160 | 6 | 5 | 3 | 2.5 |" in text
    assert "Ours is 1.5 x Celery's." in text
    assert "| Celery | 120 | 1, 3 | 3 (0.75) | 0 (0) | 4 | - | - |" in text


def test_the_limit_of_a_burst_is_the_lower_one() -> None:
    """One thread of the local AWS, or all processors for everything."""
    assert end_to_end_page.limit(RUN, 2) == pytest.approx(160)
    assert end_to_end_page.limit(RUN, 16) == 200


def test_without_peers_the_page_shows_only_our_latencies() -> None:
    text = end_to_end_page.table({"medians": {"20": {"ours": RUN}}, "kill": {}})
    assert "| 20 per second | ours |" in text
    assert "killed" not in text


class Workers:
    """A contender whose workers are real processes; the model has the calls that they wait for."""

    name = "ours"

    def __init__(self, *calls: list[str]) -> None:
        """For each worker, the prompts of its calls."""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.processes: list[subprocess.Popen[bytes]] = []
        self.prompts: dict[int, str] = {}
        for prompts in calls:
            sockets = [socket.create_connection(self.listener.getsockname()) for _ in prompts]
            self.prompts |= {one.getsockname()[1]: prompt for one, prompt in zip(sockets, prompts, strict=True)}
            self.processes.append(subprocess.Popen(["sleep", "60"], pass_fds=[one.fileno() for one in sockets]))
            for one in sockets:
                one.close()

    def workers(self) -> list[list[int]]:
        return [[process.pid] for process in self.processes]

    def in_flight(self) -> dict[int, str]:
        return self.prompts

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.listener.close()


def test_the_worker_with_the_most_calls_is_killed() -> None:  # R-B4
    contender = Workers(["a"], ["b", "c"])
    system = cast("LocalSystem", SimpleNamespace(model=contender))
    try:
        assert kill.kill_busiest(system, cast("Contender", contender)) == ["b", "c"]
        assert contender.processes[1].wait(60) == -signal.SIGKILL
        assert contender.processes[0].poll() is None
    finally:
        contender.close()


def test_a_kill_that_hits_no_job_fails(monkeypatch: pytest.MonkeyPatch) -> None:  # R-B4
    monkeypatch.setattr(kill, "_LOOKS", 2)
    contender = Workers([], [])
    system = cast("LocalSystem", SimpleNamespace(model=contender))
    try:
        with pytest.raises(Failure, match=r"ours: no worker called the model for 0\.02 s"):
            kill.kill_busiest(system, cast("Contender", contender))
    finally:
        contender.close()


def test_the_rounds_of_a_kill_add_up() -> None:
    one = {"jobs": 60, "cut_off": 2, "run_twice": 1, "late": 1, "lost": 0, "latencies_ms": [500.0, 21_000.0]}
    found = kill.summary([one, one | {"lost": 1, "latencies_ms": [500.0]}])
    assert {name: found[name] for name in ("jobs", "cut_off", "run_twice", "late", "lost")} == {
        "jobs": 120,
        "cut_off": 4,
        "run_twice": 2,
        "late": 2,
        "lost": 1,
    }
    assert (found["p50_ms"], found["p99_ms"]) == (500, 21_000)


def test_submit_shows_every_route_in_every_mode() -> None:
    ranks = {"p50_ms": 1.0, "p99_ms": 2.0}
    modes = {submit.mode_name(callers=1): ranks, submit.mode_name(rate=20): ranks}
    results = {"runs": [{}], "medians": dict.fromkeys(submit._LABELS, modes), "figures": {"put_to_get": 1.3}}
    text = submit.table(results)
    assert "|  | 1 caller (50) | 20 per second (20) |" in text
    assert "| `PUT /jobs/{jobId}` | 1.0 / 2.0 | 1.0 / 2.0 |" in text


def _event(kind: str, address: str, second: int, action: str = "create") -> dict[str, Any]:
    moment = f"2026-01-31T12:00:{second:02}.000000Z"
    return {"type": kind, "@timestamp": moment, "hook": {"resource": {"addr": address}, "action": action}}


def test_steps_of_an_apply_have_their_times() -> None:
    events = [
        {"type": "version"},
        _event("apply_start", "a.b", 1),
        _event("apply_start", "data.c.d", 1, "read"),
        _event("apply_complete", "data.c.d", 2, "read"),
        _event("apply_complete", "a.b", 4),
    ]
    (step,) = terraform.steps_of(events)
    assert (step.address, step.seconds) == ("a.b", 3)


DEPENDENCIES = {
    "module.q.aws_sqs_queue.dlq": [],
    "module.q.aws_sqs_queue.this": ["module.q.aws_sqs_queue.dlq"],
    "module.f.aws_lambda_function.this": ["module.q.aws_sqs_queue.this", "module.q.aws_sqs_queue.dlq"],
    "aws_s3_bucket.this": [],
}


def test_the_critical_path_is_what_the_end_waited_for() -> None:
    steps = [
        Step("module.q.aws_sqs_queue.dlq[0]", 0, 25),
        Step("aws_s3_bucket.this", 0, 40),
        Step("module.q.aws_sqs_queue.this", 25, 50),
        Step('module.f["x"].aws_lambda_function.this', 50, 52),
    ]
    # Keys don't matter: the state's dependencies have none.
    found = apply.critical_path(
        steps, DEPENDENCIES | {"module.f.aws_lambda_function.this": ["module.q.aws_sqs_queue.this"]}
    )
    assert [step.ended for step in found] == [25, 50, 52]


def test_the_limit_is_the_longest_chain_of_waits() -> None:
    assert apply.longest_wait(DEPENDENCIES) == 50
    assert apply.longest_wait(DEPENDENCIES | {"aws_s3_bucket_lifecycle_configuration.this": []}) == 55
    assert apply.longest_wait({}) == 0


def test_apply_shows_both_applies() -> None:
    results = {
        "runs": {"first": {"seconds": 80.0, "resources": 187}, "second": {"seconds": 9.0, "resources": 40}},
        "critical_path": [{"address": "a.b", "seconds": 25.0}, {"address": "c.d", "seconds": 0.2}],
        "limit_seconds": 50.0,
        "changed_by_the_second": {"aws_cloudwatch_metric_alarm": 40},
    }
    text = apply.table(results)
    assert "| from nothing | 187 | 80 | 1.6 |" in text
    assert "| `a.b` | 25 |" in text
    assert "c.d" not in text
    assert "40 x `aws_cloudwatch_metric_alarm`" in text


def test_keys_are_no_part_of_what_depends() -> None:
    assert terraform.without_keys('module.a["x.y"].b.c[0]') == "module.a.b.c"
    resource = {"module": 'module.a["x"]', "mode": "managed", "type": "b", "name": "c"}
    assert terraform.address_in_state(resource) == "module.a.b.c"
