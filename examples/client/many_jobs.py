"""Submit many jobs, cancel some, wait for all, and account for each.

    make local-up
    set -a; . environments/local/.ai-jobs-local/credentials.env; set +a
    .venv/bin/python examples/client/many_jobs.py --api-url "$(make -s local-outputs | jq -r .api_url)"

It needs only the installed library. It exits with 0 if every job ended exactly once, and in the way that it should.
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
    """Submit the jobs from several threads, and cancel every tenth one immediately.

    Returns:
        The ids of all jobs, and the ids of those whose cancellation the API confirmed.
    """
    cancelled: set[str] = set()

    def submit(number: int) -> str:
        doomed = number % 10 == 0
        # Without a short delay, a fast worker completes the job before it can be cancelled.
        delay_seconds = 10 if doomed else None
        user = f"many-jobs-{number % 5}"
        job = client.submit(arguments.job_type, arguments.input, user_id=user, delay_seconds=delay_seconds)
        if doomed and was_cancelled(client, job):
            cancelled.add(job.job_id)
        return job.job_id

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        return list(threads.map(submit, range(arguments.jobs))), cancelled


def was_cancelled(client: JobsClient, job: Job) -> bool:
    """Cancel a job; return False if the worker was faster."""
    try:
        client.cancel(job)
    except ConflictError as error:
        if error.code != "JOB_ENDED":
            raise
        return False
    return True


def problems_of(client: JobsClient, job_ids: list[str], cancelled: set[str], ended: list[Job]) -> list[str]:
    """Return what does not add up: an empty list if all is well."""
    times_seen = collections.Counter(job.job_id for job in ended)
    problems = [f"{job_id} was returned {times_seen[job_id]} times" for job_id in job_ids if times_seen[job_id] != 1]
    problems += [f"{job_id} is not one of the submitted jobs" for job_id in times_seen.keys() - set(job_ids)]
    for job in ended:
        expected = "cancelled" if job.job_id in cancelled else "completed"
        if job.status != expected:
            problems.append(f"{job.job_id} is {job.status} instead of {expected} ({job.error})")
        if (job.result is not None) != (job.status == "completed"):
            problems.append(f"{job.job_id} is {job.status}, but its result is {job.result}")
    # A late result must not revive a cancelled job.
    for job in map(client.get, sorted(cancelled)):
        if job.status != "cancelled" or job.result is not None:
            problems.append(f"{job.job_id} was cancelled, but is now {job.status}")
    return problems


def main() -> int:
    """Return 0 if everything adds up, 1 if it does not, 3 if jobs are still open at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--api-url", default=os.environ.get("AI_JOBS_API_URL"), help="default: $AI_JOBS_API_URL")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--job-type", default="social-media")
    parser.add_argument("--input", type=json.loads, default=SOCIAL_MEDIA_POST, help="the input of the jobs, as JSON")
    parser.add_argument("--timeout", type=float, default=120.0, help="how long to wait, in seconds")
    arguments = parser.parse_args()
    if not arguments.api_url:
        parser.error("The URL of the API is missing. Pass --api-url or set AI_JOBS_API_URL.")

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
