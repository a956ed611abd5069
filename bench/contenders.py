"""The systems that end_to_end.py compares: ours, and queues of tasks with their SQS brokers on the same local AWS."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import psutil

from ai_jobs.aws.queues import to_message_attributes
from ai_jobs.contract.request import AIJobMessage
from ai_jobs.local.environment import local_environment
from bench import peers
from bench.terraform import VISIBILITY_SECONDS
from scripts.project import ROOT, Failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.local_system import LocalSystem

TABLE = "bench-peers"
_USERS = 7
_THREADS = 25
_WORKERS = 2
# What BatchGetItem takes.
_KEYS = 100


@dataclass(frozen=True)
class Job:
    """One job: the prompt contains the id, so that the model's stub counts its calls by job."""

    job_id: str
    prompt: str


class Contender(Protocol):
    """A system that runs jobs from an SQS queue."""

    name: str

    def messages(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """The arguments of the SendMessage that submits each job."""

    def completed(self, job_ids: Sequence[str]) -> dict[str, float]:
        """When the row of each completed job was written, in seconds since 1970, by the writer's clock.

        The writer reads its clock just before it writes, ours and the peers'. Polling for the row later costs nothing.
        """

    def worker_cpu(self) -> dict[str, dict[int, float]]:
        """The CPU milliseconds (user and system) of its worker processes so far, by what they run and process id."""

    def workers(self) -> list[list[int]]:
        """The processes of each of its workers that run jobs; a worker dies as a whole."""

    def restore(self) -> None:
        """Start a worker for each one that was killed, as a supervisor would."""


class Ours:
    """The service: the processor, the result handler, and the event publisher of the stack."""

    name = "ours"
    _functions = ("processor", "result_handler", "event_publisher")

    def __init__(self, system: LocalSystem) -> None:
        self._system = system
        self._dynamodb = system.client("dynamodb")

    def messages(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        return [self._message(number, job) for number, job in enumerate(jobs)]

    def _message(self, number: int, job: Job) -> dict[str, Any]:
        message = AIJobMessage(f"user-{number % _USERS}", "echo", {"text": job.prompt}, job.job_id)
        return {
            "QueueUrl": self._system.outputs["request_queue_url"],
            "MessageBody": message.to_body(),
            "MessageAttributes": to_message_attributes(message.attributes()),
            "MessageGroupId": message.user_id,
        }

    def completed(self, job_ids: Sequence[str]) -> dict[str, float]:
        rows = _rows(self._dynamodb, self._system.outputs["table_name"], job_ids)
        return {row["jobId"]: _seconds(row["updatedAt"]) for row in rows if row["status"] == "completed"}

    def worker_cpu(self) -> dict[str, dict[int, float]]:
        return {name: cpu_milliseconds(self._system.workers(name)) for name in self._functions}

    def workers(self) -> list[list[int]]:
        return [[pid] for pid in self._system.workers("processor")]

    def restore(self) -> None:
        """The local AWS does that, as Lambda does."""


@dataclass(frozen=True)
class Peer:
    """How to run a peer.

    Attributes:
        module: of this package, with its task and `submit`.
        command: of one worker with `_THREADS` threads, after the interpreter.
        settings: `safe`, or `default` for what its user has without reading about lost jobs.
    """

    name: str
    module: str
    command: tuple[str, ...]
    settings: str = "safe"

    @contextlib.contextmanager
    def running(self, system: LocalSystem) -> Iterator[RunningPeer]:
        """Its workers, for as long as the block runs."""
        queue = self.name.replace(" ", "-").replace(",", "")
        environment = local_environment(system.instance.endpoint_url) | {
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": system.model.endpoint_url,
            "BENCH_QUEUE": f"bench-{queue}",
            "BENCH_SETTINGS": self.settings,
            "BENCH_TABLE": TABLE,
            "BENCH_VISIBILITY_SECONDS": str(VISIBILITY_SECONDS),
            "PYTHONPATH": str(ROOT),
        }
        with (system.folder / f"{queue}.log").open("wb") as log:
            started = RunningPeer(self, system, environment, log)
            try:
                started.messages([Job("none", "none")])  # makes the queue, which two workers would do at the same time
                started.restore()
                yield started
            finally:
                started.stop()


class RunningPeer:
    """A peer with its workers, each of which is a process group."""

    def __init__(self, peer: Peer, system: LocalSystem, environment: dict[str, str], log: IO[bytes]) -> None:
        self.name = peer.name
        self._processes: list[subprocess.Popen[bytes]] = []
        self._peer = peer
        self._environment = environment
        self._log = log
        self._dynamodb = system.client("dynamodb")
        command = [str(peers.python()), "-m", "bench.peer_messages", peer.module]
        self._submitter = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        )

    def restore(self) -> None:
        """Start workers until there are as many as there should be."""
        self._processes = [process for process in self._processes if process.poll() is None]
        while len(self._processes) < _WORKERS:
            self._processes.append(self._start())

    def stop(self) -> None:
        """Kill all workers, and what makes the messages."""
        self._submitter.kill()
        self._submitter.communicate()
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [str(peers.python()), *self._peer.command]
        return subprocess.Popen(
            command, cwd=ROOT, env=self._environment, stdout=self._log, stderr=self._log, start_new_session=True
        )

    def messages(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        assert self._submitter.stdin is not None
        assert self._submitter.stdout is not None
        self._submitter.stdin.write(json.dumps([[job.job_id, job.prompt] for job in jobs]).encode() + b"\n")
        self._submitter.stdin.flush()
        line = self._submitter.stdout.readline()
        if not line:
            raise Failure(f"{self.name} can't submit jobs:\n{Path(self._log.name).read_text(encoding='utf-8')[-2000:]}")
        sent: list[dict[str, Any]] = json.loads(line)
        return sent

    def completed(self, job_ids: Sequence[str]) -> dict[str, float]:
        return {row["jobId"]: _seconds(row["completedAt"]) for row in _rows(self._dynamodb, TABLE, job_ids)}

    def worker_cpu(self) -> dict[str, dict[int, float]]:
        return {"worker": cpu_milliseconds([pid for worker in self.workers() for pid in worker])}

    def workers(self) -> list[list[int]]:
        return [_with_children(process.pid) for process in self._processes if process.poll() is None]


CELERY = Peer(
    "Celery",
    "bench.peer_celery",
    ("-m", "celery", "-A", "bench.peer_celery", "worker", "-P", "threads", "-c", str(_THREADS), "-l", "WARNING"),
)
CELERY_DEFAULT = Peer("Celery, default settings", CELERY.module, CELERY.command, "default")
DRAMATIQ = Peer(
    "dramatiq",
    "bench.peer_dramatiq",
    ("-m", "dramatiq", "bench.peer_dramatiq", "--processes", "1", "--threads", str(_THREADS)),
)


def create_table(system: LocalSystem) -> None:
    """The table of the peers' results: a key and nothing else, which is the cheapest to write."""
    system.client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "jobId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "jobId", "AttributeType": "S"}],
    )


def cpu_milliseconds(pids: Sequence[int]) -> dict[int, float]:
    """The user and system CPU of processes; one that is gone is left out."""
    found = {}
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            found[pid] = (times.user + times.system) * 1000
    return found


def _with_children(pid: int) -> list[int]:
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def _rows(dynamodb: Any, table: str, job_ids: Sequence[str]) -> list[dict[str, str]]:
    """The text attributes of these rows; those that do not exist are left out."""
    found: list[dict[str, str]] = []
    for start in range(0, len(job_ids), _KEYS):
        keys = [{"jobId": {"S": job_id}} for job_id in job_ids[start : start + _KEYS]]
        answer = dynamodb.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
        rows = answer["Responses"][table]
        found += [{name: value["S"] for name, value in row.items() if "S" in value} for row in rows]
    return found


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
