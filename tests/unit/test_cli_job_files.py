"""Jobs as people write them down."""

from __future__ import annotations

import json

import pytest

from ai_jobs.cli.job_files import read_jobs
from ai_jobs.cli.problems import Problem

JOB = {"userId": "user-1", "jobType": "greeting", "input": {"name": "Ada"}}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(JOB),
        json.dumps([JOB]),
        json.dumps(JOB) + "\n",
        json.dumps([JOB | {"jobId": None, "traceId": None, "deadlineSeconds": None}], indent=2),
    ],
)
def test_a_job_alone_and_in_an_array(text):
    (job,) = read_jobs({"jobs.json": text})
    assert (job.message.user_id, job.message.job_type, job.message.input) == ("user-1", "greeting", {"name": "Ada"})
    assert not job.has_own_id
    assert job.place.startswith("jobs.json")


def test_a_job_a_line_with_all_that_it_may_say():
    more = {"jobId": "mine", "traceId": "t", "deadlineSeconds": 60}
    first, second = read_jobs({"jobs.jsonl": "\n" + json.dumps(JOB) + "\n\n" + json.dumps(JOB | more)})
    assert (first.place, second.place) == ("jobs.jsonl, line 2", "jobs.jsonl, line 4")
    message = second.message
    assert (message.job_id, message.trace_id, message.deadline_seconds, second.has_own_id) == ("mine", "t", 60, True)


def test_what_a_job_does_not_say_comes_from_the_options():
    jobs = read_jobs({"f": json.dumps([{"input": {}}, JOB])}, user_id="user-9", job_type="other")
    assert [(job.message.user_id, job.message.job_type) for job in jobs] == [
        ("user-9", "other"),
        ("user-1", "greeting"),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("[]", "is an empty array"),
        ("{\n  'no': 1}", "is no JSON: Expecting property name"),
        (json.dumps(JOB) + "\n{oops", "line 2 of"),
        ("7", "is a JSON int: a job is an object"),
        ([JOB, "x"], "job 2 is a JSON str"),
        ([JOB, JOB | {"userId": "a b"}], "job 2: userId is 'a b'"),
        (json.dumps(JOB) + "\n" + json.dumps(JOB | {"jobType": "A"}), "line 2: jobType is 'A'"),
        ([JOB | {"deadlineSecond": 5}], "job 1: unknown field 'deadlineSecond'; a job has userId, jobType, input"),
        ([{"jobType": "greeting", "input": {}}], "userId is missing: every job needs it, in the file or --user"),
        ([{"userId": "u", "input": {}}], "jobType is missing: every job needs it, in the file or --type"),
        ([{"userId": "u", "jobType": "greeting"}], "input is missing: every job needs it"),
        ([JOB | {"input": []}], "input must be a JSON object"),
        ([JOB | {"jobId": ""}], "jobId is ''"),
        ([JOB | {"deadlineSeconds": "5"}], "deadlineSeconds must be a whole number"),
        ([JOB | {"jobId": "x"}, JOB, JOB | {"jobId": "x"}], "job 3 has the same jobId as"),
        ('{"userId": "u", "jobType": "greeting", "input": {"n": NaN}}', "can't be written as JSON"),
        ("[" * 100_000, "is no JSON"),
    ],
)
def test_what_is_wrong_is_named(content, said):
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(Problem) as caught:
        read_jobs({"good.json": json.dumps(JOB), "jobs.json": text})
    assert said in caught.value.message
    assert "jobs.json" in caught.value.message
