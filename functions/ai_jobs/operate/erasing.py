"""Erasing everything that is kept of one user."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from ai_jobs.aws import objects, settings
from ai_jobs.contract import timestamps
from ai_jobs.contract.rules import check_user_id
from ai_jobs.service.budget import counter_key
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.table import JobsTable


@dataclass(frozen=True)
class Erased:
    """What one run of `erase_user` found and erased."""

    jobs: int
    objects: int


def erase_user(user_id: str, *, table_name: str | None = None, bucket: str | None = None) -> Erased:
    """Erase a user's jobs: the rows, the stored inputs and results, the token counters.

    A job that is still open ends here: its row becomes one that says nothing about the user, so that its message, when
    it comes up, is dropped, and so is the result of a worker that is busy with it. Such rows expire after 30 days.

    Run it again after a failure: it goes on with what is left. Run it once more when the user may have had open jobs:
    one that no worker has claimed yet has no row to find, and a busy worker (15 minutes at most) may still store a
    result. Stop the user's submissions first; once the queue has nothing of theirs, a run that finds 0 jobs and 0
    objects leaves nothing. The reconciler drops what lies in the dead-letter queues as it finds the erased rows.

    Args:
        table_name: the jobs table, `AI_JOB_TABLE_NAME` by default.
        bucket: the bucket of large inputs and results, `AI_JOB_BUCKET` by default.

    Raises:
        ConfigurationError: when a name is neither given nor set.
        JobError: `INVALID_MESSAGE` when the id can't be one; `DEPENDENCY_UNAVAILABLE` or `DEPENDENCY_REFUSED` when
            DynamoDB or S3 fails.
    """
    check_user_id(user_id)
    table = table_name or settings.required("AI_JOB_TABLE_NAME")
    objects_in = bucket or settings.required("AI_JOB_BUCKET")
    store = JobStore(table)
    jobs = 0
    for job_id in store.listing.ids_of(user_id):
        store.erase(job_id)
        jobs += 1
    today = timestamps.now().date()
    for day in (today, today - timedelta(days=1), today - timedelta(days=2)):
        JobsTable(table).delete(counter_key(day.isoformat(), user_id))
    return Erased(jobs=jobs, objects=objects.erase_objects_of(objects_in, user_id))
