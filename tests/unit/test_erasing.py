"""Erasing everything of one user."""

from __future__ import annotations

from datetime import timedelta

import boto3
import pytest

from ai_jobs import AIJobResultMessage, ConfigurationError, Erased, JobError, erase_user
from ai_jobs.aws import objects
from ai_jobs.contract import timestamps
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.service.budget import Budget
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.outcomes import Applied, ClaimTerms, Refusal
from ai_jobs.service.token_counters import counter_key


@pytest.fixture
def claim(store, clock, body):
    def take(job_id="job-1", user="user-1"):
        job = ReceivedJob.parse(body(jobId=job_id, userId=user), {}, "m", clock())
        return store.claim(job, "m", ClaimTerms(clock() + timedelta(minutes=15), 3600, 60))

    return take


@pytest.fixture
def erase(aws):
    return lambda user="user-1": erase_user(user, table_name=aws.table, bucket=aws.bucket)


def test_rows_results_and_counters_of_the_user_go_and_nothing_else(aws, store, claim, erase):
    for number in range(3):
        claim(f"job-{number}")
    claim("other", user="user-2")
    objects.put_result(aws.bucket, "user-1", "job-1", {"text": "secret"})
    Budget(aws.table, daily_tokens_per_user=10).for_invocation(timestamps.now()).reserve("user-1", 5)
    assert erase() == Erased(jobs=3, objects=1)
    assert [store.get(f"job-{number}") for number in range(3)] == [None] * 3
    assert store.get("other")["userId"] == "user-2"
    items = boto3.client("dynamodb").scan(TableName=aws.table)["Items"]
    assert not [item for item in items if "user-1" in str(item)]
    counter = counter_key(timestamps.now().date().isoformat(), "user-1")
    assert counter not in [item["jobId"]["S"] for item in items]
    assert erase() == Erased(jobs=0, objects=0)


def test_an_open_job_ends_and_its_late_message_and_result_are_dropped(store, claim, erase):
    claim()
    erase()
    assert claim() is Refusal.FINISHED
    late = AIJobResultMessage("job-1", "user-1", "greeting", "completed", result={"text": "secret"})
    assert store.apply_result(late).applied is Applied.SUPERSEDED
    assert store.get("job-1") is None
    assert store.release("job-1", 1) is False


def test_what_is_left_of_a_job_expires_after_its_last_message(store, claim, erase, clock, aws):
    claim()
    JobStore(aws.table, clock=clock).erase("job-1")
    clock.forward(days=29)
    assert claim() is Refusal.FINISHED
    clock.forward(days=2)
    assert claim().attempt == 1
    assert store.get("job-1")["status"] == "processing", "nothing of the erased row is left"


def test_a_run_that_broke_off_is_taken_up_again(store, claim, erase, monkeypatch):
    for number in range(3):
        claim(f"job-{number}")
    erase_one = JobStore.erase

    def fail_at_the_second(self, job_id):
        if job_id == "job-1":
            raise JobError("DEPENDENCY_UNAVAILABLE", "DynamoDB throttles")
        erase_one(self, job_id)

    with monkeypatch.context() as patch:
        patch.setattr(JobStore, "erase", fail_at_the_second)
        with pytest.raises(JobError):
            erase()
    assert erase() == Erased(jobs=2, objects=0)


def test_a_user_id_that_can_be_none_is_refused(erase):
    with pytest.raises(JobError, match='userId is "a b"'):
        erase("a b")


def test_missing_names_are_named(monkeypatch):
    for name in ("AI_JOB_TABLE_NAME", "AI_JOB_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="AI_JOB_TABLE_NAME"):
        erase_user("user-1")
    with pytest.raises(ConfigurationError, match="AI_JOB_BUCKET"):
        erase_user("user-1", table_name="jobs")
