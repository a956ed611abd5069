"""A job type that is a function in a layer, examples/custom-handler, through the real zips: R-A5 on the local AWS."""

from __future__ import annotations

TYPE = "inspection-report"


def note_prompt(page):
    """What the example asks about a page."""
    return f"Note what matters on this page. If it is not from a report, answer NOT A REPORT.\n<page>{page}</page>"


def test_a_job_is_the_work_of_a_function_in_a_layer(submit, ended, model, text, logged, until):  # R-A5
    pages = [text(), text()]
    job_id = submit("", jobType=TYPE, input={"pages": pages})
    job = ended(job_id)
    assert job["status"] == "completed", job
    assert (job["result"]["json"]["pages"], job["result"]["json"]["defects"]) == (2, [])
    assert job["result"]["modelCalls"] == 3
    assert job["result"]["usage"] == {"inputTokens": 21, "outputTokens": 33}
    assert job["model"] == "amazon.nova-lite-v1:0"
    assert [model.calls(note_prompt(page)) for page in pages] == [1, 1]
    lines = until(lambda: [line for line in logged("pages read") if line["jobId"] == job_id], "the handler's log line")
    assert (lines[0]["jobType"], lines[0]["userId"], lines[0]["attempt"], lines[0]["pages"]) == (TYPE, "user-1", 1, 2)


def test_what_the_function_says_of_the_input_reaches_the_caller(submit, ended, text, model):  # R-A5
    page = text()
    job = ended(submit("", jobType=TYPE, input={"pages": [page, " "]}))
    assert (job["status"], job["error"]["code"], job["error"]["field"]) == ("failed", "INVALID_INPUT", "input.pages.1")
    assert model.calls(note_prompt(page)) == 0


def test_a_busy_model_makes_the_whole_function_start_over(submit, ended, text, model):  # R-A5
    first, second = text(), text("429,200")
    job = ended(submit("", jobType=TYPE, input={"pages": [first, second]}))
    assert job["status"] == "completed", job
    assert [model.calls(note_prompt(page)) for page in (first, second)] == [2, 2]
    assert job["result"]["modelCalls"] == 3, "those of the attempt that completed it"


def test_a_function_that_hangs_is_left_behind(submit, ended, text, logged):  # R-A5
    job_id = submit("", jobType="faulty", input={"acts": ["hang", "answer"], "text": text()})
    job = ended(job_id)
    assert (job["status"], job["attempts"]) == ("completed", 2)
    (line,) = [line for line in logged("handler failed") if line["jobId"] == job_id]
    assert "did not return within its timeout_seconds" in line["problem"]


def test_a_function_that_ends_the_process_is_a_crash(submit, ended, text, model):  # R-A5
    said = text()
    job = ended(submit("", jobType="faulty", input={"acts": ["exit", "answer"], "text": said}))
    assert (job["status"], job["attempts"], model.calls(said)) == ("completed", 2, 1)


def test_a_function_that_asks_for_a_pause_uses_no_attempt(submit, ended, text):  # R-A5
    job = ended(
        submit("", jobType="faulty", input={"acts": ["later", "later", "later", "later", "answer"], "text": text()})
    )
    assert (job["status"], job["attempts"]) == ("completed", 1)


def test_a_function_that_keeps_failing_is_given_up_and_can_be_redriven(submit, ended, received_from, outputs):  # R-A5
    job_id = submit("", jobType="faulty", input={"acts": ["fail"]})
    job = ended(job_id)
    assert (job["status"], job["error"]["code"]) == ("failed", "RETRIES_EXHAUSTED")
    assert (
        "The last error was HANDLER_FAILED: The handler raised ValueError in faulty_jobs.py" in job["error"]["message"]
    )
    assert received_from(outputs.request_dlq_url, job_id).attributes["ErrorCode"] == "RETRIES_EXHAUSTED"


def test_a_function_that_is_not_in_the_layer_breaks_only_its_type(submit, ended, text, received_from, outputs):  # R-A5
    lost, echo = submit("", jobType="lost", input={}), submit(text())
    job = ended(lost)
    assert (job["status"], job["error"]["code"]) == ("failed", "HANDLER_NOT_FOUND")
    assert "there is no module acme_jobs.nowhere" in job["error"]["message"]
    assert received_from(outputs.request_dlq_url, lost).attributes["ErrorCode"] == "HANDLER_NOT_FOUND"
    assert ended(echo)["status"] == "completed"
