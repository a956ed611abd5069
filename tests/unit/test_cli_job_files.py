"""Files of jobs."""

from __future__ import annotations

import io
import json
import tracemalloc

import pytest

from ai_jobs.cli import json_array
from ai_jobs.cli.exits import Problem
from ai_jobs.cli.job_files import WrittenJobs

JOB = {"userId": "user-1", "jobType": "greeting", "input": {"name": "Ada"}}


def read_jobs(texts, **defaults):
    """The jobs of these files, by name."""
    files = {name: io.BytesIO(text.encode("utf-8", "surrogatepass")) for name, text in texts.items()}
    return list(WrittenJobs(files, **defaults))


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
        ("{\n  'no': 1}", "is not JSON: Expecting property name"),
        (json.dumps(JOB) + "\n{oops", "line 2 of"),
        ("7", "line 1 is a JSON number: a job must be an object"),
        ("null", "line 1 is a JSON null: a job must be an object"),
        ([JOB, "x"], "job 2 is a JSON string: a job must be an object"),
        ([JOB, [JOB]], "job 2 is a JSON array: a job must be an object"),
        ([JOB, True], "job 2 is a JSON boolean: a job must be an object"),
        ([JOB, JOB | {"userId": "a b"}], 'job 2: userId is "a b"'),
        (json.dumps(JOB) + "\n" + json.dumps(JOB | {"jobType": "A"}), 'line 2: jobType is "A"'),
        ([JOB | {"deadlineSecond": 5}], 'job 1: unknown field "deadlineSecond": a job has userId, jobType, input'),
        ([{"jobType": "greeting", "input": {}}], "userId is missing: every job needs it, in the file or from --user"),
        ([{"userId": "u", "input": {}}], "jobType is missing: every job needs it, in the file or from --type"),
        ([{"userId": "u", "jobType": "greeting"}], "input is missing: every job needs it"),
        ([JOB | {"input": []}], "input is missing or not an object. It must be a JSON object."),
        ([JOB | {"jobId": ""}], 'jobId is ""'),
        ([JOB | {"deadlineSeconds": "5"}], 'deadlineSeconds is "5". It must be a whole number'),
        ([JOB | {"jobId": "x"}, JOB, JOB | {"jobId": "x"}], "job 3 has the same jobId as"),
        ('{"userId": "u", "jobType": "greeting", "input": {"n": NaN}}', "can't be written as JSON"),
        ("[" * 100_000, "is not JSON, after job 0: it is nested too deeply"),
        ('{"a":' * 100_000, "is not JSON: it is nested too deeply"),
        ("[" + "9" * 5000 + "]", "is not JSON, after job 0: it has a number with too many digits"),
        (json.dumps([JOB]) + "x", "is not JSON, after job 1: there is more after the array's end, at 'x'"),
        (json.dumps([JOB])[:-1], "is not JSON, after job 1: a ] is missing, at its end"),
        (f"[{json.dumps(JOB)} {json.dumps(JOB)}]", "after job 1: a ] is missing, at '{"),
        (f"[{json.dumps(JOB)},]", "is not JSON, after job 1: Expecting value, at ']'"),
        (f"[{json.dumps(JOB)}, {{oops", "after job 1: Expecting property name enclosed in double quotes, at 'oops'"),
        (json.dumps(JOB) + "\n{\udc80}", "line 2 of jobs.json is not UTF-8 text: invalid continuation byte at byte 2"),
        (f'[{json.dumps(JOB)}, "\udc80"]', "jobs.json is not UTF-8 text, after job"),
    ],
)
def test_what_is_wrong_is_named(content, said):
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(Problem) as caught:
        read_jobs({"good.json": json.dumps(JOB), "jobs.json": text})
    assert said in caught.value.message
    assert "jobs.json" in caught.value.message


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\x1e", "\r"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_only_line_ends_end_a_line(separator, end):
    """JSON strings may contain some of the other characters at which str.splitlines() splits, unescaped."""
    written = separator if separator.isprintable() or separator in "\u2028\u2029\u0085" else json.dumps(separator)[1:-1]
    line = json.dumps(JOB | {"input": {"name": "Ada@Lovelace"}}).replace("@", written)
    jobs = read_jobs({"jobs.jsonl": (line + end) * 2})
    assert [job.message.input["name"] for job in jobs] == [f"Ada{separator}Lovelace"] * 2
    assert [job.place for job in jobs] == ["jobs.jsonl, line 1", "jobs.jsonl, line 2"]


@pytest.mark.parametrize("chunk", [1, 2, 7, 64])
@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_is_the_same_in_chunks_of_any_size(monkeypatch, chunk, indent):
    monkeypatch.setattr(json_array, "_CHUNK_BYTES", chunk)
    inputs = [{"n": number, "text": "\u00e9\u2028\U0001f600" * number, "list": [1.5, [], {}]} for number in range(9)]
    text = (
        "\ufeff " + json.dumps([JOB | {"input": given} for given in inputs], indent=indent, ensure_ascii=False) + "\n"
    )
    assert [job.message.input for job in read_jobs({"jobs.json": text})] == inputs


@pytest.mark.parametrize("text", ["[12, 345]", "[ 12,345 ]"])
def test_a_number_does_not_end_where_a_chunk_does(monkeypatch, text):
    monkeypatch.setattr(json_array, "_CHUNK_BYTES", 1)
    assert list(json_array.elements(io.BytesIO(text.encode()))) == [12, 345]


@pytest.mark.parametrize("as_array", [True, False])
def test_the_jobs_are_never_all_in_memory(as_array):
    """8 MB of jobs, read twice."""
    line = json.dumps(JOB | {"input": {"text": "x" * 20_000}}).encode()
    content = b"[" + b",".join([line] * 400) + b"]" if as_array else b"\n".join([line] * 400)
    jobs = WrittenJobs({"jobs": io.BytesIO(content)})
    tracemalloc.start()
    try:
        assert [sum(1 for _ in jobs) for _ in range(2)] == [400, 400]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
