"""The demo: brings the local stack up and sends one job of each kind through it, over HTTP.

    python -m scripts.demo

The jobs are the bodies in examples/jobs/*.json. Requests are signed (SigV4), as they would be on AWS. It exits 0 only
when all jobs completed.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from scripts import local_stack
from scripts.project import ROOT, Failure, credentials, run

if TYPE_CHECKING:
    from pathlib import Path

JOBS = ROOT / "examples" / "jobs"
WAIT_SECONDS = 120
POLL_SECONDS = 0.25
FINAL = {"completed", "failed", "cancelled"}


@dataclasses.dataclass
class Job:
    """A job of the demo, and the last that the API said about it."""

    job_type: str
    job_id: str
    submitted: float
    seconds: float = 0.0
    row: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def status(self) -> str:
        return str(self.row.get("status", "queued"))


class Api:
    """The jobs API; signs every request with the local credentials."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        keys = credentials()
        self._region = keys["AWS_REGION"]
        self._credentials = Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        """The status and the parsed body of one call; the body as text when it is no JSON."""
        url = f"{self._url}{path}"
        headers = {"Content-Type": "application/json"} if body is not None else {}
        request = AWSRequest(method=method, url=url, data=body, headers=headers)
        SigV4Auth(self._credentials, "execute-api", self._region).add_auth(request)
        parts = urlsplit(url)
        # Not urllib.request: that would send even loopback through a proxy that the environment names.
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        try:
            connection.request(method, parts.path, body, dict(request.headers))
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"{method} {url}: {error}") from error
        finally:
            connection.close()
        try:
            return response.status, json.loads(text)
        except ValueError:
            return response.status, text


def submit(api: Api, path: Path) -> Job:
    """Posts the job in the file; anything but a 202 ends the demo with what the API answered."""
    body = path.read_bytes()
    status, answer = api.call("POST", "/jobs", body)
    if status != http.HTTPStatus.ACCEPTED:
        raise Failure(f"POST /jobs with {path.relative_to(ROOT)} was answered {status}: {json.dumps(answer)}")
    return Job(json.loads(body)["jobType"], answer["jobId"], time.monotonic())


def follow(api: Api, jobs: list[Job]) -> None:
    """Polls until every job is final or the time is up, and says when a status changes."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (waiting := [job for job in jobs if job.status not in FINAL]) and time.monotonic() < deadline:
        for job in waiting:
            status, answer = api.call("GET", f"/jobs/{job.job_id}")
            # Until a worker picks the job up, there is nothing to show yet.
            if status not in {http.HTTPStatus.OK, http.HTTPStatus.NOT_FOUND}:
                raise Failure(f"GET /jobs/{job.job_id} was answered {status}: {json.dumps(answer)}")
            before = job.status
            job.row = answer if status == http.HTTPStatus.OK else job.row
            job.seconds = time.monotonic() - job.submitted
            if job.status != before:
                print(f"  {job.job_type:<22} {job.status:<11} after {job.seconds:.1f} s", flush=True)
        time.sleep(POLL_SECONDS)


def report(job: Job) -> str:
    """The job's status, time and text, or why it has none."""
    head = f"{job.job_type}: {job.status} in {job.seconds:.1f} s (job {job.job_id})"
    result, error = job.row.get("result"), job.row.get("error")
    if result:
        body = str(result.get("text", ""))
    elif error:
        body = f"{error.get('code')}: {error.get('message')}"
    else:
        body = f"still {job.status} after {WAIT_SECONDS} s; the functions' log: .local/ministack.log"
    wrapped = "\n".join(textwrap.fill(line, 96) for line in body.splitlines())
    return f"{head}\n{textwrap.indent(wrapped, '    ')}"


def main() -> None:
    files = sorted(JOBS.glob("*.json"))
    if not files:
        raise Failure(f"there are no jobs in {JOBS.relative_to(ROOT)}/")
    local_stack.up()
    api_url = local_stack.outputs()["api_url"]
    api = Api(api_url)
    print(f"\nPOST {api_url}/jobs, one job of each type:", flush=True)
    jobs = [submit(api, path) for path in files]
    for job in jobs:
        print(f"  {job.job_type:<22} {job.status:<11} {job.job_id}", flush=True)
    follow(api, jobs)
    print()
    for job in jobs:
        print(report(job), end="\n\n")
    completed = sum(job.status == "completed" for job in jobs)
    print(f"{completed} of {len(jobs)} jobs completed. The stack keeps running; stop it with: make local-down")
    if completed < len(jobs):
        sys.exit(1)


if __name__ == "__main__":
    run(main)
