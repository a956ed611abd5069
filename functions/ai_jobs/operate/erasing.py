"""Erasing everything that the service keeps about one user."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from ai_jobs.aws import objects, settings
from ai_jobs.contract import timestamps, variables
from ai_jobs.contract.rules import check_user_id
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.table import JobsTable
from ai_jobs.service.token_counters import counter_key


@dataclass(frozen=True)
class Erased:
    """What one run of `erase_user` found and erased."""

    jobs: int
    objects: int


def erase_user(user_id: str, *, table_name: str | None = None, bucket: str | None = None) -> Erased:
    """Erase a user's jobs: the rows, the uploads, the stored inputs and results, and the token counters.

    An open job ends with it: what remains of its row says nothing about the user, and makes the service drop the job's
    message when it arrives, and the result of a worker that is running the job. Such rows expire after 30 days.

    If a run fails, run it again: it continues with what is left. If the user may have had open jobs, also run it once
    more later: a job that no worker has claimed yet does not have a row, a running worker (15 minutes at most) may
    still store a result or lease tokens for its next job, and a form for an upload works for 15 minutes. Stop the
    user's submissions first. Once the queue holds none of their messages, a run that finds 0 jobs and 0 objects leaves
    nothing behind. The reconciler drops the messages in the dead-letter queues when it finds the erased rows.

    Args:
        table_name: the jobs table, by default `AI_JOB_TABLE_NAME`.
        bucket: the bucket for files, large inputs, and results, by default `AI_JOB_BUCKET`.

    Raises:
        ConfigurationError: if a name is neither passed nor set.
        JobError: `INVALID_MESSAGE` if the id can't be a user's; `DEPENDENCY_UNAVAILABLE` or `DEPENDENCY_REFUSED` if
            DynamoDB or S3 fails.
    """
    check_user_id(user_id)
    table = table_name or settings.required(variables.TABLE_NAME)
    objects_in = bucket or settings.required(variables.BUCKET)
    store = JobStore(table)
    jobs = 0
    for job_id in store.listing.ids_of(user_id):
        store.erase(job_id)
        jobs += 1
    today = timestamps.now().date()
    for day in (today, today - timedelta(days=1), today - timedelta(days=2)):
        JobsTable(table).delete(counter_key(day.isoformat(), user_id))
    return Erased(jobs=jobs, objects=objects.erase_objects_of(objects_in, user_id))
