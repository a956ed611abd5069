"""Submits many jobs, cancels some, waits for all, and accounts for each.

    make local-up
    set -a; . environments/local/credentials.env; set +a
    .venv/bin/python examples/client/many_jobs.py --api-url "$(make -s local-outputs | jq -r .api_url)"

Uses nothing but the installed library. Exits 0 when every job ended exactly once, in a way that fits what was done
to it.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import json
import os
import sys
import time

from ai_jobs import ConflictError, Job, JobsClient, SigV4Auth, WaitTimeoutError

SOCIAL_MEDIA_POST = {"platform": "instagram", "subject": "Open house on Sunday, 2 to 4 pm"}


def submit_and_cancel(client: JobsClient, arguments: argparse.Namespace) -> tuple[list[str], set[str]]:
    """Submits the jobs from several threads and cancels every tenth of them at once.

    Returns:
        The ids of all jobs, and of those whose cancellation the API confirmed.
    """
    cancelled: set[str] = set()

    def submit(number: int) -> str:
        doomed = number % 10 == 0
        # A short delay: else a fast worker has completed the job before it can be cancelled.
        delay_seconds = 10 if doomed else None
        user = f"many-jobs-{number % 5}"
        job = client.submit(arguments.job_type, arguments.input, user_id=user, delay_seconds=delay_seconds)
        if doomed and was_cancelled(client, job):
            cancelled.add(job.job_id)
        return job.job_id

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        return list(threads.map(submit, range(arguments.jobs))), cancelled


def was_cancelled(client: JobsClient, job: Job) -> bool:
    """Cancels a job; False when the worker was faster."""
    try:
        client.cancel(job)
    except ConflictError as error:
        if error.code != "JOB_ENDED":
            raise
        return False
    return True


def problems_of(client: JobsClient, job_ids: list[str], cancelled: set[str], ended: list[Job]) -> list[str]:
    """What does not add up; nothing is the aim."""
    times_seen = collections.Counter(job.job_id for job in ended)
    problems = [f"{job_id} was handed out {times_seen[job_id]} times" for job_id in job_ids if times_seen[job_id] != 1]
    problems += [f"{job_id} is none of ours" for job_id in times_seen.keys() - set(job_ids)]
    for job in ended:
        expected = "cancelled" if job.job_id in cancelled else "completed"
        if job.status != expected:
            problems.append(f"{job.job_id} is {job.status} instead of {expected} ({job.error})")
        if (job.result is not None) != (job.status == "completed"):
            problems.append(f"{job.job_id} is {job.status} and its result is {job.result}")
    # A late result must not revive a cancelled job.
    for job in map(client.get, sorted(cancelled)):
        if job.status != "cancelled" or job.result is not None:
            problems.append(f"{job.job_id} was cancelled and is {job.status} in the end")
    return problems


def main() -> int:
    """Run it; 0 when everything adds up, 1 when it does not, 3 when jobs are still open in the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--api-url", default=os.environ.get("AI_JOBS_API_URL"), help="default: $AI_JOBS_API_URL")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--job-type", default="social-media")
    parser.add_argument("--input", type=json.loads, default=SOCIAL_MEDIA_POST, help="the jobs' input, as JSON")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds")
    arguments = parser.parse_args()
    if not arguments.api_url:
        parser.error("which API? give --api-url or set AI_JOBS_API_URL")

    started = time.monotonic()
    with JobsClient(arguments.api_url, SigV4Auth()) as client:
        job_ids, cancelled = submit_and_cancel(client, arguments)
        print(f"{len(job_ids)} jobs submitted, {len(cancelled)} cancelled after {time.monotonic() - started:.1f} s")
        ended: list[Job] = []
        try:
            ended.extend(client.iter_results(job_ids, arguments.timeout))
        except WaitTimeoutError as error:
            print(error, file=sys.stderr)
            return 3
        problems = problems_of(client, job_ids, cancelled, ended)
    counts = collections.Counter(job.status for job in ended)
    print(f"{counts['completed']} completed, {counts['cancelled']} cancelled after {time.monotonic() - started:.1f} s")
    print("\n".join(problems) or "every job is accounted for")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
