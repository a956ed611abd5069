"""The demo: starts the local stack and sends one job of each type through it, over HTTP.

    python -m scripts.demo

The jobs are the bodies in examples/jobs/*.json; the files in examples/jobs/NAME/ are uploaded, and go with the job in
NAME.json. Requests are signed (SigV4), as they would be on AWS. The demo exits with 0 only if all jobs completed.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import textwrap
import time
from typing import TYPE_CHECKING

from ai_jobs import AIJobsError, ApiError, JobsClient, WaitTimeoutError
from scripts import local_stack
from scripts.local_api import local_auth
from scripts.project import ROOT, Failure, run

if TYPE_CHECKING:
    from pathlib import Path

    from ai_jobs import Job

JOBS = ROOT / "examples" / "jobs"
WAIT_SECONDS = 120


@dataclasses.dataclass
class Outcome:
    """A job of the demo: its latest known state, the files that it has, and after how many seconds it ended."""

    job: Job
    submitted: float
    files: list[str]
    seconds: float = 0.0

    @property
    def title(self) -> str:
        return self.job.job_type or "job"


def submit(client: JobsClient, path: Path) -> Outcome:
    """Submit the job in the file; if the API rejects it, the demo ends with the API's response."""
    body = json.loads(path.read_text(encoding="utf-8"))
    job_type, user_id = body["jobType"], body["userId"]
    submitted = time.monotonic()
    try:
        uploads = [client.upload(file, job_type=job_type, user_id=user_id) for file in files_of(path)]
        job = client.submit(job_type, body["input"], user_id=user_id, attachments=uploads)
        return Outcome(job, submitted, [one.name for one in uploads])
    except ApiError as error:
        raise Failure(f"the API rejected the job in {path.relative_to(ROOT)}: {error}") from error


def files_of(path: Path) -> list[Path]:
    """The files that go with the job in the file."""
    return sorted(path.with_suffix("").glob("*"))


def follow(client: JobsClient, outcomes: list[Outcome]) -> None:
    """Wait until every job has ended or the time is up, and print each job that ends."""
    by_id = {outcome.job.job_id: outcome for outcome in outcomes}
    try:
        for job in client.iter_results(by_id, WAIT_SECONDS):
            outcome = by_id[job.job_id]
            outcome.job, outcome.seconds = job, time.monotonic() - outcome.submitted
            print(f"  {outcome.title:<22} {job.status:<11} after {outcome.seconds:.1f} s", flush=True)
    except WaitTimeoutError as late:
        for job_id, job in late.jobs.items():
            by_id[job_id].job = job


def report(outcome: Outcome) -> str:
    """The job's status, time, and text or JSON, or why it has neither."""
    job = outcome.job
    files = f" with {', '.join(outcome.files)}" if outcome.files else ""
    head = f"{outcome.title}{files}: {job.status} in {outcome.seconds:.1f} s (job {job.job_id})"
    return f"{head}\n{textwrap.indent(body_of(job), '    ')}"


def body_of(job: Job) -> str:
    """What there is to show of a job, in lines."""
    if job.result and job.result.json is not None:
        return json.dumps(job.result.json, indent=2, ensure_ascii=False)
    if job.result:
        text = job.result.text
    elif job.has_ended:
        text = str(job.error or "no result")
    else:
        log = local_stack.STACK.folder / "ministack.log"
        text = f"still {job.status} after {WAIT_SECONDS} s; the functions' log: {log}"
    return "\n".join(textwrap.fill(line, 96) for line in text.splitlines())


def show(client: JobsClient, files: list[Path]) -> list[Outcome]:
    """Submit the jobs in the files and follow them."""
    outcomes = [submit(client, path) for path in files]
    for outcome in outcomes:
        print(f"  {outcome.title:<22} {outcome.job.status:<11} {outcome.job.job_id}", flush=True)
    follow(client, outcomes)
    return outcomes


def what_is_left() -> str:
    """What to tell the user after Ctrl-C."""
    return f"{local_stack.what_is_left()} The jobs that were submitted continue."


def main() -> None:
    files = sorted(JOBS.glob("*.json"))
    if not files:
        raise Failure(f"there are no jobs in {JOBS.relative_to(ROOT)}/")
    local_stack.up()
    api_url = local_stack.outputs()["api_url"]
    print(f"\nPUT {api_url}/jobs/{{jobId}}, one job of each type:", flush=True)
    try:
        with JobsClient(api_url, local_auth()) as client:
            outcomes = show(client, files)
    except AIJobsError as error:
        raise Failure(str(error)) from error
    print()
    for outcome in outcomes:
        print(report(outcome), end="\n\n")
    completed = sum(outcome.job.status == "completed" for outcome in outcomes)
    print(f"{completed} of {len(outcomes)} jobs completed. The stack keeps running; stop it with: make local-down")
    if completed < len(outcomes):
        sys.exit(1)


if __name__ == "__main__":
    run(main, what_is_left)
