"""The Python client against the stack: many jobs, each accounted for, and what the API's rules look like from there."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from ai_jobs import AsyncJobsClient, BadRequestError, ConflictError, JobsClient, NotFoundError, SigV4Auth
from ai_jobs.local import instances
from scripts.project import ROOT


@pytest.fixture(scope="session")
def api_url(outputs: SimpleNamespace, local_aws_instance: instances.Instance) -> str:
    return f"{local_aws_instance.endpoint_url}/restapis/{outputs.api_id}/{outputs.api_stage_name}/_user_request_"


@pytest.fixture
def client(api_url: str) -> Iterator[JobsClient]:
    with JobsClient(api_url, SigV4Auth()) as client:
        yield client


def test_200_jobs_are_accounted_for(api_url: str) -> None:  # R-C1: with the installed library only
    options = ["--api-url", api_url, "--job-type", "echo", "--input", json.dumps({"text": "hello"})]
    # -P: neither the script's folder nor this one's `functions` is on the path, what is imported is what is installed.
    command = [sys.executable, "-P", str(ROOT / "examples/client/many_jobs.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("every job is accounted for\n")
    completed, cancelled = map(int, re.search(r"(\d+) completed, (\d+) cancelled", done.stdout).groups())
    assert completed + cancelled == 200
    assert cancelled, "none at all could be cancelled before it ran, in spite of the delay"


def test_a_job_can_be_read_as_soon_as_it_is_submitted(client: JobsClient) -> None:
    job = client.submit("echo", {"text": "hello"}, user_id="user-1", delay_seconds=60)
    assert client.get(job).status == "queued"
    assert job.job_id in {listed.job_id for listed in client.list(user_id="user-1", status="queued", page_size=1)}
    assert client.cancel(job).completed_at is not None
    assert client.cancel(job).status == "cancelled"


def test_submitting_again_is_harmless_but_not_with_something_else(client: JobsClient) -> None:
    job_id = uuid.uuid4()
    for _ in range(2):
        assert client.submit("echo", {"text": "hello"}, user_id="user-1", job_id=job_id).job_id == str(job_id)
    with pytest.raises(ConflictError, match="JOB_ID_CONFLICT"):
        client.submit("echo", {"text": "other"}, user_id="user-1", job_id=job_id)
    job = client.wait(str(job_id), 60)
    assert client.result(job) == job.result
    assert job.attempts == 1
    with pytest.raises(ConflictError, match="JOB_ENDED"):
        client.cancel(job)


def test_mistakes_are_told_by_their_field(client: JobsClient) -> None:
    with pytest.raises(BadRequestError) as raised:
        client.submit("echo", {"text": 7}, user_id="user-1")
    assert (raised.value.code, raised.value.field) == ("INVALID_INPUT", "input.text")
    with pytest.raises(NotFoundError, match="JOB_NOT_FOUND"):
        client.get(str(uuid.uuid4()))
    with pytest.raises(BadRequestError) as raised:
        next(client.list(user_id="user-1", page_size=1000))
    assert raised.value.field == "limit"


def test_a_large_result_is_downloaded(client: JobsClient, text: Callable[..., str]) -> None:
    job = client.wait(client.submit("echo", {"text": text("large")}, user_id="user-1"), 60)
    assert job.result is None
    assert len(client.result(job).text) > 200_000


def test_the_asynchronous_client_does_the_same(api_url: str) -> None:
    async def run() -> list[str]:
        async with AsyncJobsClient(api_url, SigV4Auth()) as client:
            jobs = await asyncio.gather(
                *(client.submit("echo", {"text": str(number)}, user_id="user-2") for number in range(10))
            )
            ended = [job async for job in client.iter_results(jobs, 60)]
            assert {job.job_id for job in ended} == {job.job_id for job in jobs}
            return [job.status for job in ended]

    assert asyncio.run(run()) == ["completed"] * 10
