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
