"""The system under test: how jobs get in, what is done to it, and what is left in the end."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import boto3

from ai_jobs import ReceivedMessage, delete_message, get_queue_message_count, receive_messages
from ai_jobs.aws.queues import change_visibility_of_all, to_message_attributes
from ai_jobs.contract import timestamps
from ai_jobs.contract.limits import LIMITS, LIVE
from scripts.local_api import Api
from tests.chaos.faults import Proxy, caller, kill, pause, resume, workers
from tests.chaos.ledger import ORIGIN, Job, Ledger, Letter, State, is_over
from tests.converse_stub import Call, ConverseStub
from tests.deployed_types import DeployedTypes

FUNCTION_SECONDS = 17
VISIBILITY_SECONDS = 17
BACKOFF_SECONDS = 2
DEADLINE_SECONDS = 600

JOB_TYPES = ("brief", "curt")
"""The two types whose model call may take 2 s."""

_RECONCILE_EVERY_SECONDS = 1.0

MAX_AGE_SECONDS = LIMITS["config_max_age_seconds"].min
"""How old job types may become before a worker reads them again."""

_TYPES_SECONDS = MAX_AGE_SECONDS + 1

# How many PUTs are under way at once, and how often a client tries each call.
_CLIENTS = 6
_TRIES = 8

# The longest that anybody hides a dead letter: a run of the reconciler.
_HIDDEN_SECONDS = 120
_SERVICES = ("SQS", "DYNAMODB", "APPCONFIGDATA", "S3")


class System:
    """The applied stack, with shorter times and the proxy between its functions and the local AWS."""

    def __init__(
        self, outputs: SimpleNamespace, api: Api, model: ConverseStub, proxy: Proxy, local_aws_pid: int, seed: int
    ) -> None:
        self._api = api
        self.outputs = outputs
        self.model = model
        self.proxy = proxy
        self.ledger = Ledger()
        self.random = random.Random(seed)
        self._reconciling = threading.Lock()
        self._pid = local_aws_pid
        self._sqs = boto3.client("sqs")
        self._lambda = boto3.client("lambda")
        self._s3 = boto3.client("s3")
        self._types = DeployedTypes(outputs)
        self._table = boto3.resource("dynamodb").Table(outputs.table_name)
        model.stunts |= {
            "late": self._answer_late,
            "kill": self._kill_before_the_answer,
            "kill-after": lambda call: self._kill_after_the_answer(call, 0.3, still_running=lambda *_: True),
            "kill-late": lambda call: self._kill_after_the_answer(call, 0.6, still_running=self._same_invocation),
            "steal": self._steal_the_lease,
            "long": self._answer_after_long,
            "crash": self._answer_a_handler_that_crashes,
        }

    # What is done for the whole suite

    @contextlib.contextmanager
    def tuned(self) -> Iterator[None]:
        """Short times, and the proxy in the way, for as long as the block runs."""
        through_proxy = {f"AWS_ENDPOINT_URL_{service}": self.proxy.endpoint_url for service in _SERVICES}
        short = {
            "AI_JOB_VISIBILITY_TIMEOUT_SECONDS": str(VISIBILITY_SECONDS),
            "AI_JOB_MAX_BACKOFF_SECONDS": str(BACKOFF_SECONDS),
            "AI_JOB_DEFAULT_DEADLINE_SECONDS": str(DEADLINE_SECONDS),
            "AI_JOB_CONFIG_MAX_AGE_SECONDS": str(MAX_AGE_SECONDS),
            # Longer than the outages that a job may have to sit out between two denials.
            "AI_JOB_MODEL_ACCESS_WAIT_SECONDS": "30",
        }
        names = (
            self.outputs.processor_function_name,
            self.outputs.result_handler_function_name,
            self.outputs.jobs_api_function_name,
        )
        before = {name: self._reconfigure(name, FUNCTION_SECONDS, through_proxy | short) for name in names}
        queues = (self.outputs.request_queue_url, self.outputs.response_queue_url)
        # Jobs of other suites that are still delayed: in the end nothing may be left in a queue.
        self._sqs.purge_queue(QueueUrl=self.outputs.request_queue_url)
        seconds = {queue: self._visibility(queue, VISIBILITY_SECONDS) for queue in queues}
        try:
            yield
        finally:
            for queue, old_seconds in seconds.items():
                self._visibility(queue, old_seconds)
            for name, version in before.items():
                self._lambda.update_alias(FunctionName=name, Name=LIVE, FunctionVersion=version)

    def _reconfigure(self, function: str, timeout: int, more: dict[str, str]) -> str:
        """Let a version with these settings run, and return the one that ran before."""
        before = self._lambda.get_alias(FunctionName=function, Name=LIVE)["FunctionVersion"]
        variables = self._lambda.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        self._lambda.update_function_configuration(
            FunctionName=function, Timeout=timeout, Environment={"Variables": variables | more}
        )
        version = self._lambda.publish_version(FunctionName=function)["Version"]
        self._lambda.update_alias(FunctionName=function, Name=LIVE, FunctionVersion=version)
        return before

    def _visibility(self, queue: str, seconds: int) -> int:
        name = "VisibilityTimeout"
        old = self._sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name]
        self._sqs.set_queue_attributes(QueueUrl=queue, Attributes={name: str(seconds)})
        return int(old)

    @contextlib.contextmanager
    def reconciled(self) -> Iterator[None]:
        """Runs the reconciler again and again, as its schedule would, and once more when the block has ended."""
        stop = threading.Event()
        failures: list[str] = []

        def reconcile() -> None:
            with self._reconciling:
                answer = self._lambda.invoke(FunctionName=self.outputs.reconciler_function_name, Payload=b"{}")
            if "FunctionError" in answer:
                failures.append(answer["Payload"].read().decode())

        def work() -> None:
            while not stop.wait(_RECONCILE_EVERY_SECONDS):
                reconcile()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        reconcile()  # for what SQS has dead-lettered since the last time
        assert not failures, failures[0]

    # How jobs get in

    def job(
        self,
        fault: str,
        answers: str = "200",
        *,
        allowed: tuple[str, ...] = ("completed",),
        job_type: str | None = None,
        deadline_seconds: int | None = None,
        with_id: bool = True,
        over_http: bool = False,
        cue: str | None = None,
    ) -> Job:
        """A new job, not yet sent. Without an id it gets that of its message when it is sent.

        Args:
            over_http: it is for `submit` rather than `send`: its id is a UUID, and no part of its body.
            cue: what the function of the job type `own` is to do.
        """
        number = uuid.UUID(int=self.random.getrandbits(128))
        job_id = str(number) if over_http else f"{fault.replace(' ', '-')}-{number}"
        user_id = f"user-{self.random.randrange(7)}"
        kind = job_type or self.random.choice(JOB_TYPES)
        prompt = f"{job_id} answers={answers}"
        document = {
            "jobId": job_id if with_id and not over_http else None,
            "userId": user_id,
            "jobType": kind,
            "input": {"text": prompt} | ({"cue": cue} if cue else {}),
            "traceId": f"trace-{job_id}",
            "deadlineSeconds": deadline_seconds,
        }
        body = json.dumps({name: value for name, value in document.items() if value is not None})
        trace_id = f"trace-{job_id}"
        origin = None if over_http else trace_id
        return Job(job_id, user_id, kind, prompt, fault, frozenset(allowed), trace_id, body, origin)

    def submit(self, jobs: list[Job]) -> None:
        """PUT jobs as a client does: again, until each is accepted. What was accepted is there for whoever asks."""
        for job in jobs:
            self.ledger.add(job)
        with ThreadPoolExecutor(_CLIENTS) as pool:
            list(pool.map(self._submit, jobs))

    def _submit(self, job: Job) -> None:
        for _ in range(_TRIES):
            status, answer = self._api.call("PUT", f"/jobs/{job.job_id}", job.body.encode())
            if status == 202:
                break
            assert (status, answer["error"]["code"]) in (
                (503, "QUEUE_UNAVAILABLE"),
                (503, "STORE_UNAVAILABLE"),
            ), answer
        assert status == 202, answer
        seen = self._shown(job)
        assert seen["userId"] == job.user_id, seen

    def _shown(self, job: Job) -> dict[str, Any]:
        for _ in range(_TRIES):
            status, answer = self._api.call("GET", f"/jobs/{job.job_id}")
            assert status in (200, 503), f"{status} after a PUT that was accepted: {answer}"
            if status == 200:
                return dict(answer)
        raise AssertionError(f"{job.job_id} could not be read: {answer}")

    def cancel(self, jobs: list[Job]) -> None:
        """DELETE jobs, which may have ended meanwhile."""
        for job in jobs:
            status, answer = self._api.call("DELETE", f"/jobs/{job.job_id}")
            assert status in (200, 409), answer

    def send(self, jobs: list[Job], copies: int = 1) -> None:
        """Put jobs on the request queue, each in so many copies."""
        known = [job for job in jobs if '"jobId"' in job.body]
        for job in known:
            self.ledger.add(job)
        entries = [self._entry(job) for job in known for _ in range(copies)]
        self.random.shuffle(entries)
        for start in range(0, len(entries), 10):
            self._send_batch(entries[start : start + 10])
        for job in jobs:
            if '"jobId"' not in job.body:
                sent = self._sqs.send_message(QueueUrl=self.outputs.request_queue_url, **self._entry(job))
                job.job_id = sent["MessageId"]
                self.ledger.add(job)

    def report(self, job: Job, *, usable: bool = True, **document: Any) -> None:
        """Send a result for this job as another producer does; one that is not usable ends in the DLQ."""
        about = {"jobId": job.job_id, "userId": "somebody", "jobType": "something", "status": "completed"}
        body = json.dumps(about | document, default=float)
        if not usable:
            self.ledger.strangers[body] += 1
        self._sqs.send_message(QueueUrl=self.outputs.response_queue_url, MessageBody=body)

    def attach(self, jobs: list[Job], content: bytes | None) -> None:
        """Give each of these jobs an uploaded file, or one that is gone (None)."""
        for job in jobs:
            key = f"uploads/user={job.user_id}/{uuid.UUID(int=self.random.getrandbits(128))}"
            if content is not None:
                self._s3.put_object(Bucket=self.outputs.bucket_name, Key=key, Body=content, ContentType="text/plain")
            file = {"name": "notes.txt", "mediaType": "text/plain", "bytes": len(content or b"gone"), "key": key}
            job.body = json.dumps(json.loads(job.body) | {"attachments": [file]})

    def send_strangers(self, bodies: list[str]) -> None:
        """Put messages on the request queue that are no jobs."""
        for body in bodies:
            self.ledger.strangers[body] += 1
            self._sqs.send_message(QueueUrl=self.outputs.request_queue_url, MessageBody=body)

    def _entry(self, job: Job) -> dict[str, Any]:
        attributes = {ORIGIN: job.trace_id, "UserId": job.user_id, "JobType": job.job_type, "TraceId": job.trace_id}
        return {
            "MessageBody": job.body,
            "MessageAttributes": to_message_attributes(attributes),
            "MessageGroupId": job.user_id,
        }

    def _send_batch(self, entries: list[dict[str, Any]]) -> None:
        numbered = [{"Id": str(number)} | entry for number, entry in enumerate(entries)]
        answer = self._sqs.send_message_batch(QueueUrl=self.outputs.request_queue_url, Entries=numbered)
        assert not answer.get("Failed"), answer["Failed"]

    # What the model does on cue

    def _answer_late(self, _: Call) -> str:
        """Longer than the job type allows."""
        time.sleep(3)
        return "200"

    def _answer_after_long(self, call: Call) -> str:
        """Almost as late as the job type `patient` allows: that must still be within the function's time."""
        time.sleep(5.6)
        job = self.ledger.of_prompt(call.prompt)
        lease = self._lease_of(job)
        if lease is None or lease < timestamps.to_text(timestamps.now()):
            job.outlived += 1
        return "200"

    def _answer_a_handler_that_crashes(self, call: Call) -> str:
        """With this answer, the job type's own function ends its worker."""
        lease = self._lease_of(self.ledger.of_prompt(call.prompt))
        if lease is not None:
            # Afterward: jobs of the batch that have not claimed yet are in the same hands when it ends.
            timer = threading.Timer(0.5, self._count_crashes, [lease])
            timer.daemon = True
            timer.start()
        return "200"

    def _kill_before_the_answer(self, call: Call) -> str:
        pid = caller(call.port, self._workers())
        lease = self._lease_of(self.ledger.of_prompt(call.prompt))
        if pid is None or lease is None:  # somebody else has killed it: this call gets no answer either
            self.ledger.more_calls(self.ledger.of_prompt(call.prompt))
            return "cut"
        kill(pid)
        self._count_crashes(lease)
        return "cut"

    def _kill_after_the_answer(self, call: Call, seconds: float, still_running: Callable[[int, str], bool]) -> str:
        pid = caller(call.port, self._workers())
        lease = self._lease_of(self.ledger.of_prompt(call.prompt))

        def later() -> None:
            if pid is None or lease is None:
                return
            # Stopped, so that it can't get on to its next invocation while we look.
            pause(pid)
            if still_running(pid, lease):
                kill(pid)
                self._count_crashes(lease)
            else:
                # Its calls may have run into their time-outs while it was stopped.
                for call in self._calls_of(pid):
                    self.ledger.more_calls(self.ledger.of_prompt(call.prompt))
                resume(pid)

        timer = threading.Timer(seconds, later)
        timer.daemon = True
        timer.start()
        return "200"

    def _same_invocation(self, pid: int, lease: str) -> bool:
        """Does the worker still wait for the model in the invocation whose lease this is?"""
        return any(self._lease_of(self.ledger.of_prompt(call.prompt)) == lease for call in self._calls_of(pid))

    def _calls_of(self, pid: int) -> list[Call]:
        return [call for port, call in list(self.model.in_flight.items()) if caller(port, [pid])]

    def _steal_the_lease(self, call: Call) -> str:
        """The lease runs out while the job still runs, and a second copy of the message is there."""
        job = self.ledger.of_prompt(call.prompt)
        self._table.update_item(
            Key={"jobId": job.job_id},
            UpdateExpression="SET leaseExpiresAt = :past",
            ExpressionAttributeValues={":past": "2020-01-01T00:00:00.000Z"},
        )
        self.ledger.more_calls(job)
        self._sqs.send_message(QueueUrl=self.outputs.request_queue_url, **self._entry(job))
        return "slow:1.2"

    def _workers(self) -> list[int]:
        return workers(self._pid, self.outputs.processor_function_name)

    def _lease_of(self, job: Job) -> str | None:
        row = self._table.get_item(Key={"jobId": job.job_id}, ConsistentRead=True).get("Item", {})
        return row.get("leaseExpiresAt")

    def _count_crashes(self, lease: str) -> None:
        """All jobs of one invocation have the same lease."""
        found = self._scan("leaseExpiresAt = :lease", {":lease": lease})
        self.ledger.crashed([row["jobId"] for row in found])

    def kill_all_workers(self) -> None:
        """Of the processor: it starts cold afterwards. Whatever job is in a worker's hands has crashed."""
        for pid in self._workers():
            kill(pid)
        self.ledger.crashed([row["jobId"] for row in self._scan("attribute_exists(leaseExpiresAt)")])

    @contextlib.contextmanager
    def changed_types(self, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
        """Other job types are deployed, and in use by every worker, for as long as the block runs."""

        def changed(text: str) -> str:
            document = json.loads(text)
            change(document["jobTypes"])
            return json.dumps(document)

        self._types.deploy(changed)
        # Workers read them again once they are older than this suite's maximum age.
        time.sleep(_TYPES_SECONDS)
        try:
            yield
        finally:
            self._types.restore()
            time.sleep(_TYPES_SECONDS)

    @contextlib.contextmanager
    def paused(self, function: str) -> Iterator[None]:
        """Nothing takes messages from the function's queue for as long as the block runs."""
        (mapping,) = self._lambda.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
        self._lambda.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        try:
            yield
        finally:
            self._lambda.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    # Redrives

    def redrive(self, jobs: list[Job], seconds: float, *, keeps_attributes: bool) -> None:
        """Move these jobs' dead letters back, as a tool does (receive, send, delete); SQS gives new message ids.

        A job that a crash gave a second try may have completed without one.

        Args:
            keeps_attributes: as AWS's own redrive task does it; else only what the suite sent is kept.
        """
        self.wait_until_over(jobs, seconds)
        rows = self.rows()
        wanted = {job.job_id for job in jobs if rows.get(job.job_id, {}).get("status") == "failed"}
        deadline = time.monotonic() + seconds
        # The reconciler hides what it looks at: on AWS for seconds of every five minutes, here nearly all the time.
        with self._reconciling:
            while wanted and time.monotonic() < deadline:
                wanted -= self._redrive_some(wanted, keeps_attributes)
        assert not wanted, f"{len(wanted)} jobs have no dead letter, such as {next(iter(wanted))}"

    def _redrive_some(self, wanted: set[str], keeps_attributes: bool) -> set[str]:
        moved = set()
        for message in receive_messages(self.outputs.request_dlq_url, wait_seconds=1, visibility_timeout_seconds=3):
            job_id = message.attributes.get("JobId", "")
            if job_id in wanted - moved:
                self._send_again(message, keeps_attributes)
                delete_message(self.outputs.request_dlq_url, message.receipt_handle)
                moved.add(job_id)
        return moved

    def _send_again(self, message: ReceivedMessage, keeps_attributes: bool) -> None:
        job = self.ledger.get(message.attributes["JobId"])
        assert job is not None
        self.ledger.more_calls(job)
        ours = {ORIGIN: job.trace_id, "TraceId": job.trace_id, "JobId": job.job_id}
        kept = message.attributes if keeps_attributes else ours
        self._sqs.send_message(
            QueueUrl=self.outputs.request_queue_url,
            MessageBody=message.body,
            MessageAttributes=to_message_attributes(kept),
            MessageGroupId=job.user_id,
        )

    # What is left

    def wait_until_over(self, jobs: list[Job], seconds: float) -> None:
        """Wait until these jobs have ended, or the time is up: the invariants say what is wrong then."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._are_over(jobs):
            time.sleep(0.5)

    def _are_over(self, jobs: list[Job]) -> bool:
        rows = self.rows()
        return all(is_over(rows.get(job.job_id)) for job in jobs)

    def wait_until_quiet(self, seconds: float) -> None:
        """Wait until every job has ended and no message is under way, or the time is up."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not any(self._waiting().values()) and self._are_over(list(self.ledger)):
                return
            time.sleep(0.5)

    def _waiting(self) -> dict[str, int]:
        queues = {"request": self.outputs.request_queue_url, "response": self.outputs.response_queue_url}
        return {name: get_queue_message_count(url).total for name, url in queues.items()}

    def rows(self) -> dict[str, dict[str, Any]]:
        """The jobs table by job id."""
        return {row["jobId"]: row for row in self._scan()}

    def _scan(self, condition: str | None = None, values: dict[str, str] | None = None) -> list[dict[str, Any]]:
        arguments: dict[str, Any] = {"ConsistentRead": True}
        if condition:
            arguments |= {"FilterExpression": condition}
        if values:
            arguments |= {"ExpressionAttributeValues": values}
        found: list[dict[str, Any]] = []
        while True:
            page = self._table.scan(**arguments)
            found += page["Items"]
            if "LastEvaluatedKey" not in page:
                return found
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def state(self) -> State:
        """What is left. Call it when nothing else reads the queues."""
        queues = {"request DLQ": self.outputs.request_dlq_url, "response DLQ": self.outputs.response_dlq_url}
        return State(
            rows=self.rows(),
            letters=[letter for name, url in queues.items() for letter in _letters(name, url)],
            waiting=self._waiting(),
            history={job.prompt: self.model.history(job.prompt) for job in self.ledger},
            last_call={job.prompt: self.model.last_call(job.prompt) for job in self.ledger},
            faults=self.proxy.fired(),
        )


def _letters(name: str, url: str) -> list[Letter]:
    found, handles = [], []
    deadline = time.monotonic() + _HIDDEN_SECONDS
    # A redrive has hidden what it looked at.
    while get_queue_message_count(url).in_flight and time.monotonic() < deadline:
        time.sleep(0.5)
    while messages := receive_messages(url, wait_seconds=0, visibility_timeout_seconds=60):
        found += [Letter(name, message.body, message.attributes, message.group_id) for message in messages]
        handles += [message.receipt_handle for message in messages]
    change_visibility_of_all(url, handles, 0)
    return found
