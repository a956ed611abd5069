"""`ai-jobs types compare`: two versions with the same inputs, side by side, and the thresholds of the new one."""

from __future__ import annotations

import json
import re
import signal
import threading

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from ai_jobs.cli.main import main
from ai_jobs.contract.errors import JobError
from ai_jobs.contract.result import JobResult, Usage
from ai_jobs.operate.comparison import Case, Comparison, Pair, Thresholds
from ai_jobs.operate.comparison_report import markdown
from ai_jobs.operate.trials import Trial
from ai_jobs.operate.type_version import TypeVersion
from ai_jobs.service.conversation import Answer
from ai_jobs.service.job_type_document import read_job_type

NOVA = "amazon.nova-lite-v1:0"
SCHEMA = {"type": "object", "required": ["price"], "properties": {"price": {"type": "number"}}}
PRICE = ("--price", f"{NOVA}=10,20")


def answer(text, tokens=(1000, 10)):
    usage = {"inputTokens": tokens[0], "outputTokens": tokens[1], "totalTokens": sum(tokens)}
    message = {"role": "assistant", "content": [{"text": text}]}
    return {"output": {"message": message}, "stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 1}}


def prompt_of(call):
    return call["messages"][0]["content"][0]["text"]


def polite(call):
    """The new prompt, which asks for politeness, gets shorter answers for more tokens."""
    if "politely" in prompt_of(call):
        return answer("Good day. How are you?", (1500, 5))
    return answer("Good day. How are you? Fine?")


@pytest.fixture
def compare(tmp_path, type_document, calls):
    """Compares `greeting` with a version that has these changes, over these inputs."""
    calls.answers["Converse"] = polite
    inputs = tmp_path / "inputs"
    inputs.mkdir()

    def run(*arguments, changes=None, names=("Ada", "Bob"), old=None, **more):
        for name in names:
            (inputs / f"{name}.json").write_text(json.dumps({"name": name}))
        changes = {"prompt": "Greet {{ name }} politely."} if changes is None else changes
        old = type_document | (old or {})
        versions = {"old": {"greeting": old}, "new": {"greeting": old | changes} | more}
        for version, types in versions.items():
            (tmp_path / f"{version}.json").write_text(json.dumps({"version": version, "jobTypes": types}))
        files = ("--from", str(tmp_path / "old.json"), "--with", str(tmp_path / "new.json"))
        options = arguments if "--with" in arguments or "--model" in arguments else (*files, *arguments)
        command = ["types", "compare", "greeting", "--inputs", str(inputs), *options]
        done = CliRunner().invoke(main, command)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    run.inputs = inputs
    return run


def test_both_versions_are_put_side_by_side(compare):  # R-A6
    done = compare(*PRICE, "--concurrency", "1")
    assert done.exit_code == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    for line in (
        "completed 2 of 2 2 of 2",
        "input tokens 2000 3000 +50%",
        "output tokens 20 10 -50%",
        "cost $0.0204 $0.0302 +48%",
        "All runs together cost $0.0506.",
        "met: 100% of the new version's runs completed (at least 100%)",
    ):
        assert line in lines
    assert any(line.startswith("Ada.json completed completed 1010 → 1505 $0.0102 → $0.0151") for line in lines)
    assert done.stdout.count("+0 -1") == 2
    assert "4 jobs in all" in done.stderr


def test_the_report_is_markdown_and_json(compare, tmp_path):  # R-A6
    files = [str(tmp_path / name) for name in ("report.md", "report.json")]
    printed = compare(*PRICE, "--output", files[0], "--output", files[1], "--json").stdout
    page = (tmp_path / "report.md").read_text()
    assert "| completed | 2 of 2 | 2 of 2 |  |" in page
    assert "-  Greet {{ name }}.\n+  Greet {{ name }} politely.\n" in page
    assert "<summary>Ada.json</summary>\n\n```diff\n" in page
    assert " How are you?\n-Fine?\n" in page
    document = json.loads((tmp_path / "report.json").read_text())
    assert document == json.loads(printed)
    assert document["new"]["usage"] == {"inputTokens": 3000, "outputTokens": 10}
    assert document["costRatio"] == pytest.approx(0.0302 / 0.0204)
    assert [run["input"] for run in document["runs"]] == ["Ada.json", "Bob.json"]
    assert document["runs"][0]["new"]["result"]["text"] == "Good day. How are you?"
    assert document["finished"] is True


def test_invalid_json_misses_the_threshold(compare, calls):  # R-A6
    def model(call):
        text = '{"price": "low"}' if "politely" in prompt_of(call) and "Bob" in prompt_of(call) else '{"price": 7}'
        return answer(text)

    calls.answers["Converse"] = model
    old = {"outputSchema": SCHEMA}
    done = compare(old=old)
    assert done.exit_code == 1
    assert "NOT MET: 50% of the new version's runs completed (at least 100%)" in done.stdout
    assert "OUTPUT_INVALID result.price" in done.stdout
    assert compare("--min-valid", "0.5", old=old).exit_code == 0


@pytest.mark.parametrize(("limit", "code"), [("1.5", 0), ("1.4", 1)])
def test_a_new_version_must_not_cost_too_much(compare, limit, code):  # R-A6
    done = compare(*PRICE, "--max-cost-ratio", limit)
    assert done.exit_code == code
    assert f"the new version's cost is 1.48 times the old version's (at most {limit} times)" in done.stdout


def test_a_threshold_that_is_not_known_is_not_met(compare):  # R-A6
    done = compare("--max-cost-ratio", "2")
    assert (done.exit_code, "NOT MET: the new version's cost is unknown" in done.stdout) == (1, True)


def test_a_slower_version_misses_its_threshold(compare, calls, monkeypatch):  # R-A6
    moments = iter([0, 1, 10, 15])  # one second, and then five
    monkeypatch.setattr("ai_jobs.operate.trials.time", type("Time", (), {"monotonic": lambda: next(moments)}))
    done = compare("--max-latency-ratio", "4.9", "--concurrency", "1", names=["Ada"])
    document_line = "the new version's latency is 5 times the old version's (at most 4.9 times)"
    assert (done.exit_code, f"NOT MET: {document_line}" in done.stdout) == (1, True)


def test_each_input_can_be_run_several_times(compare, calls):  # R-A6
    done = compare("--runs", "3", "--json", names=["Ada"])
    runs = json.loads(done.stdout)["runs"]
    assert [(run["input"], run["run"]) for run in runs] == [("Ada.json", 1), ("Ada.json", 2), ("Ada.json", 3)]
    assert len(calls.of("Converse")) == 6


def test_a_model_can_be_compared_with_another(compare, calls, tmp_path):  # R-A6
    compare(names=["Ada"])
    del calls.made[:]
    done = compare("--from", str(tmp_path / "old.json"), "--model", "other", "--json", names=["Ada"])
    assert sorted(call["modelId"] for call in calls.of("Converse")) == [NOVA, "other"]
    assert json.loads(done.stdout)["new"]["modelIds"] == ["other"]


def test_an_input_that_only_the_old_version_takes_fails_the_new_one(compare, type_document):  # R-A6
    stricter = {"properties": {"name": {"type": "string", "maxLength": 3}}, "type": "object"}
    done = compare(changes={"inputSchema": stricter, "systemPrompt": None}, names=["Ada", "Robert"])
    assert done.exit_code == 1
    assert "INVALID_INPUT input.name" in done.stdout


def test_the_files_of_an_input_are_in_the_folder_of_its_name(compare, calls):  # R-A6, R-A2
    (compare.inputs / "Ada").mkdir()
    (compare.inputs / "Ada" / "house.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    calls.answers["Converse"] = answer("Hi")
    old = {"attachments": {"mediaTypes": ["image/png"], "maxCount": 1, "maxBytes": 100}}
    assert compare("--concurrency", "1", old=old).exit_code == 0
    kinds = [[next(iter(block)) for block in call["messages"][0]["content"]] for call in calls.of("Converse")]
    assert kinds == [["image", "text"], ["image", "text"], ["text"], ["text"]]


def test_a_busy_model_is_tried_again(compare, calls, monkeypatch):  # R-A6
    monkeypatch.setattr("ai_jobs.operate.trials.time.sleep", lambda _: None)
    busy = ClientError({"Error": {"Code": "ThrottlingException", "Message": "busy"}}, "Converse")
    answers = iter([busy, answer("Hi")])
    calls.answers["Converse"] = lambda call: next(answers, answer("Hi"))
    done = compare("--concurrency", "1", names=["Ada"])
    assert (done.exit_code, "Tries after an error that passed: 1." in done.stdout) == (0, True)


def test_without_credentials_the_hint_says_so(compare, calls):
    calls.answers["Converse"] = NoCredentialsError()
    done = compare(names=["Ada"])
    assert (done.exit_code, "there are no AWS credentials: set AWS_PROFILE" in done.stderr) == (1, True)
    assert "MODEL_UNREACHABLE" in done.stdout


def test_ctrl_c_prints_what_is_finished_and_waits_for_nothing(compare, calls, tmp_path):  # R-A6
    go_on = threading.Event()

    def model(call):
        if "Bob" in prompt_of(call) and not go_on.is_set():
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            go_on.wait(timeout=60)
        return polite(call)

    calls.answers["Converse"] = model
    try:
        done = compare("--concurrency", "1", "--output", str(tmp_path / "report.md"))
    finally:
        go_on.set()
    assert done.exit_code == 130
    assert "interrupted after 1 of 2" in done.stderr
    assert "completed       1 of 1" in done.stdout
    assert "Interrupted: 1 of 2 runs were made." in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("--runs", "0"), "pass a whole number from 1 to 100"),
        (("--concurrency", "51"), "from 1 to 50"),
        (("--min-valid", "90%"), "pass a number from 0 to 1, such as 0.95"),
        (("--min-valid", "90"), "pass a number from 0 to 1, such as 0.95"),
        (("--max-cost-ratio", "0"), "above 0"),
        (("--output", "report.txt"), "pass a file that ends in .md or .json"),
        (("--output", "nowhere/report.md"), "there is no folder nowhere. Create it first."),
        (("--from", "-", "--with", "-"), "--from and --with can't both be standard input"),
    ],
)
def test_wrong_options_are_told(compare, arguments, found):
    done = compare(*arguments)
    assert (done.exit_code, found in done.stderr) == (2, True)


def test_there_must_be_something_to_compare(compare, tmp_path, calls):  # R-A6
    done = compare(changes={})
    assert (done.exit_code, "there is nothing to compare" in done.stderr) == (1, True)
    done = CliRunner().invoke(main, ["types", "compare", "greeting", "--inputs", str(tmp_path)])
    assert (done.exit_code, "pass --with FILE, --model MODEL, or both" in done.stderr) == (2, True)
    assert calls.of("Converse") == []


def test_an_empty_folder_is_told(compare, calls):  # R-A6
    done = compare(names=[])
    assert (done.exit_code, "inputs has no *.json files. Each of them is an input" in done.stderr) == (1, True)
    assert calls.of("Converse") == []


def test_a_type_that_one_of_the_documents_lacks_is_told_with_the_document(compare, tmp_path):  # R-A6
    compare(names=["Ada"])
    types = json.loads((tmp_path / "new.json").read_text())["jobTypes"]
    (tmp_path / "other.json").write_text(json.dumps({"version": "1", "jobTypes": {"greetings": types["greeting"]}}))
    done = compare("--from", str(tmp_path / "old.json"), "--with", str(tmp_path / "other.json"))
    message = done.stderr.replace("\n", " ")
    assert (done.exit_code, 'other.json: jobType "greeting" is not configured. Use one of: greetings.' in message) == (
        1,
        True,
    )


@pytest.mark.parametrize("content", ["{", "[]", '{"age": 3}'])
def test_a_wrong_input_is_told_before_anything_is_called(compare, calls, content):  # R-A6
    (compare.inputs / "wrong.json").write_text(content)
    done = compare()
    assert (done.exit_code, "wrong.json" in done.stderr) == (1, True)
    assert calls.of("Converse") == []


@given(st.text(), st.text())
@example("```\n# mine\n```", "result.|\n# mine")
def test_no_output_gets_out_of_its_block_in_the_report(old_text, new_text):
    """Whatever a model writes: the page's own lines are the same as with two harmless texts."""
    page = _page(old_text, new_text)
    lines, fence = [], None
    for line in page.split("\n"):
        if fence is None and line.startswith("```"):
            fence = line.removesuffix("diff")
        elif line == fence:
            fence = None
        elif fence is None:
            lines.append(line)
    assert fence is None
    headings = [line for line in lines if line.startswith("#")]
    assert headings == ["# Job type t: two versions", "## The change", "## The inputs"]
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("| a.json")] == [8, 8]
    page.encode()


def _page(old_text, new_text):
    document = {"modelId": "m", "prompt": "Hi", "maxTokens": 1, "timeoutSeconds": 1, "inputSchema": {"type": "object"}}
    version = TypeVersion("here", document, read_job_type("t", document))
    case = Case("a.json", {})
    pairs = [
        Pair(case, 1, _trial(old_text), _trial(new_text)),
        Pair(case, 2, _trial(old_text, JobError("OUTPUT_INVALID", old_text, new_text)), _trial(new_text)),
    ]
    return markdown(Comparison("t", version, version, pairs, 2), Thresholds())


def _trial(text, error=None):
    usage = Usage(1, 1)
    result = None if error else JobResult(text, "m", usage, "end_turn", truncated=False)
    return Trial(result, error, Answer(text, None, "m", usage, "end_turn", truncated=False), 1, usage, None, 0.1)
