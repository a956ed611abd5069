"""`ai-jobs types list`, `show`, `render`, and `try`: what the types are, and what they do with an input."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from ai_jobs.aws import clients
from ai_jobs.cli.main import main
from tests import converse_stub

SCHEMA = {"type": "object", "required": ["price"], "properties": {"price": {"type": "number"}}}
NOVA = "amazon.nova-lite-v1:0"


def answer(text, **more):
    usage = {"inputTokens": 1000, "outputTokens": 10, "totalTokens": 1010}
    message = {"role": "assistant", "content": [{"text": text}]}
    return {
        "output": {"message": message},
        "stopReason": "end_turn",
        "usage": usage,
        "metrics": {"latencyMs": 1},
    } | more


@pytest.fixture
def types_file(tmp_path, type_document):
    """Writes a job type document: `greeting`, and these."""

    def write(**types):
        file = tmp_path / "types.json"
        file.write_text(json.dumps({"version": "v1", "jobTypes": {"greeting": type_document} | types}))
        return str(file)

    return write


@pytest.fixture
def input_file(tmp_path):
    def write(document):
        file = tmp_path / "input.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        return str(file)

    return write


def run(*arguments, stdin=None):
    done = CliRunner().invoke(main, ["types", *arguments], input=stdin)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_list_names_models_output_and_attachments(types_file, type_document):  # R-A6
    more = {"outputSchema": SCHEMA, "fallbackModelIds": ["other"]}
    files = {"attachments": {"mediaTypes": ["image/png"], "maxCount": 3, "maxBytes": 100}}
    handler = {"handler": "acme.reports:summarize"}
    source = types_file(data=type_document | more, photo=type_document | files, own=type_document | handler)
    lines = [line.split("  ") for line in run("list", "--from", source).stdout.splitlines()]
    assert [[word.strip() for word in line if word] for line in lines] == [
        ["TYPE", "MODELS", "OUTPUT", "ATTACHMENTS", "MAX TOKENS"],
        ["data", f"{NOVA}, other", "JSON", "-", "100"],
        ["greeting", NOVA, "text", "-", "100"],
        ["own", NOVA, "handler acme.reports:summarize", "-", "100"],
        ["photo", NOVA, "text", "up to 3: image/png", "100"],
    ]
    listed = json.loads(run("list", "--from", source, "--json").stdout)
    assert listed["jobTypes"][0] == {
        "name": "data",
        "modelIds": [NOVA, "other"],
        "output": "JSON",
        "attachments": None,
        "maxTokens": 100,
    }


def test_list_says_what_is_wrong_with_a_broken_type(types_file, type_document):  # R-A6
    done = run("list", "--from", types_file(poem=type_document | {"maxTokens": 0}))
    assert done.exit_code == 0
    assert "maxTokens: It is 0. It must be a whole number" in done.stderr
    assert "poem      -                      broken" in done.stdout


def test_show_has_everything_and_can_be_edited_and_used_again(types_file, type_document, tmp_path):  # R-A6
    source = types_file(data=type_document | {"outputSchema": SCHEMA, "promptCache": {"ttl": "5m"}})
    shown = run("show", "data", "--from", source).stdout
    for text in ("job type data", 'promptCache     {"ttl": "5m"}', "prompt:\n  Greet {{ name }}.", '    "required": ['):
        assert text in shown
    assert "job type greeting" in run("show", "--from", source).stdout
    document = run("show", "data", "--from", source, "--json").stdout
    again = run("show", "--from", "-", "--json", stdin=document)
    assert again.stdout == document
    assert list(json.loads(document)["jobTypes"]) == ["data"]


def test_a_type_that_does_not_exist_is_told_with_those_that_do(types_file):  # R-A6
    done = run("show", "greetings", "--from", types_file())
    assert (done.exit_code, 'jobType "greetings" is not configured. Use one of: greeting.' in done.stderr) == (1, True)


def test_render_shows_the_prompts_of_a_worker(types_file, input_file):  # R-A6
    source, file = types_file(), input_file({"name": "Ada"})
    done = run("render", "greeting", "--input", file, "--from", source)
    assert done.stdout == "--- system ---\nYou greet people in English.\n--- user ---\nGreet Ada.\n"
    done = run("render", "greeting", "--input", "-", "--from", source, "--json", stdin='{"name": "Bob"}')
    assert json.loads(done.stdout) == {"system": "You greet people in English.", "user": "Greet Bob."}


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ("{", "input.json is not JSON"),
        ("[1]", "input.json is a JSON array. An input must be an object"),
        ({}, "input.json: input.name is missing. It is required."),
        ({"name": 1}, "input.json: input.name must be string"),
        ({"jobType": "greeting", "userId": "u", "input": {"name": "Ada"}}, "looks like a whole job: pass only its"),
        ('{"name": "\\ud83c"}', "input.json: input.name contains half a surrogate pair"),
    ],
)
@pytest.mark.parametrize("command", ["render", "try"])
def test_a_wrong_input_is_told_with_its_file_and_field(types_file, input_file, document, found, command):  # R-A6
    done = run(command, "greeting", "--input", input_file(document), "--from", types_file())
    assert done.exit_code == 1
    assert found in done.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("{", "types.json is not JSON"),
        ("[]", "it is not a JSON object"),
        ("{}", "has no jobTypes. Pass the output of `terraform show -json PLANFILE`"),
        ('{"jobTypes": {}, "version": "1"}', "must have a version and jobTypes"),
        ('{"planned_values": {}}', "has no jobTypes"),
        ("PK\x03\x04", "is a saved plan. Run: terraform show -json"),
    ],
)
def test_a_document_without_types_is_told(types_file, content, found, tmp_path):  # R-A6
    source = types_file()
    (tmp_path / "types.json").write_text(content)
    done = run("list", "--from", source)
    assert (done.exit_code, found in done.stderr) == (1, True)


def plan(*contents):
    version = "aws_appconfig_hosted_configuration_version"
    resources = [
        {"address": f"module.m{number}", "type": version, "values": {"content": content} if content else {}}
        for number, content in enumerate(contents)
    ]
    return json.dumps({"planned_values": {"root_module": {"child_modules": [{"resources": resources}]}}})


def test_a_plan_is_a_document_too(types_file, tmp_path):  # R-A6
    source = types_file()
    content = (tmp_path / "types.json").read_text()
    assert run("list", "--from", "-", stdin=plan(content)).stdout == run("list", "--from", source).stdout
    unknown = run("list", "--from", "-", stdin=plan(None))
    assert "its job types are not known before the apply" in unknown.stderr
    two = run("list", "--from", "-", stdin=plan(content, content))
    assert "has the job types of module.m0, module.m1. Pass a plan with only one" in two.stderr


def test_without_a_file_they_are_the_deployed_ones(tmp_path, monkeypatch, types_file):  # R-A6
    types_file()
    client = SimpleNamespace(
        start_configuration_session=lambda **_: {"InitialConfigurationToken": "t"},
        get_latest_configuration=lambda **_: {"Configuration": io.BytesIO((tmp_path / "types.json").read_bytes())},
    )
    monkeypatch.setattr(clients, "get_appconfigdata_client", lambda: client)
    outputs = tmp_path / "outputs.json"
    ids = ("config_application_id", "config_environment_id", "config_profile_id")
    outputs.write_text(json.dumps(dict.fromkeys(ids, "id")))
    done = CliRunner().invoke(main, ["--outputs", str(outputs), "types", "list"])
    assert (done.exit_code, "greeting" in done.stdout) == (0, True)


def test_try_prints_the_answer_and_what_it_took(calls, types_file, input_file):  # R-A6
    calls.answers["Converse"] = answer("Hello, Ada.", serviceTier={"type": "flex"})
    done = run(
        "try", "greeting", "--input", input_file({"name": "Ada"}), "--from", types_file(), "--price", f"{NOVA}=3,5"
    )
    assert done.exit_code == 0
    fields = dict(line.split(maxsplit=1) for line in done.stdout.splitlines()[:7])
    assert fields.pop("latency").endswith(" s")
    assert fields == {
        "model": NOVA,
        "tier": "flex",
        "calls": "1",
        "tokens": "1000 in, 10 out",
        "cost": "$0.003050",
        "output": "text",
    }
    assert done.stdout.endswith("\n\nHello, Ada.\n")


def test_try_calls_the_model_that_it_is_told(calls, types_file, type_document, input_file):  # R-A6
    calls.answers["Converse"] = answer("Hi")
    source = types_file(greeting=type_document | {"fallbackModelIds": ["other"]})
    done = run("try", "greeting", "--input", input_file({"name": "Ada"}), "--from", source, "--model", "mine")
    assert [call["modelId"] for call in calls.of("Converse")] == ["mine"]
    assert "not known: pass --price MODEL=INPUT,OUTPUT" in done.stdout


def test_try_takes_the_prices_of_the_environment(calls, types_file, input_file, tmp_path):  # R-A6
    calls.answers["Converse"] = answer("Hi")
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps({"model_prices": {"value": {NOVA: {"input": 1, "output": 100}}}}))
    arguments = ["types", "try", "greeting", "--input", input_file({"name": "Ada"}), "--from", types_file(), "--json"]
    done = CliRunner().invoke(main, ["--outputs", str(outputs), *arguments])
    assert json.loads(done.stdout)["estimatedCost"] == pytest.approx(0.002)


def test_try_shows_valid_json_and_its_correction(calls, types_file, type_document, input_file):  # R-A6
    texts = iter(["{}", '{"price": 7}'])
    calls.answers["Converse"] = lambda _: answer(next(texts))
    source = types_file(data=type_document | {"outputSchema": SCHEMA})
    done = run("try", "data", "--input", input_file({"name": "Ada"}), "--from", source)
    assert "calls    2\n" in done.stdout
    assert "output   JSON, valid\n" in done.stdout
    assert done.stdout.endswith('\n{\n  "price": 7\n}\n')


def test_a_stand_in_for_bedrock_can_be_called(monkeypatch, types_file, type_document, input_file):  # R-A6
    source = types_file(data=type_document | {"outputSchema": SCHEMA, "prompt": "{{ name }} answers=broken,200"})
    with converse_stub.running() as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", stub.endpoint_url)
        done = run("try", "data", "--input", input_file({"name": "Ada"}), "--from", source, "--json")
    assert stub.history("Ada answers=broken,200") == ["broken", "200"]
    found = json.loads(done.stdout)
    assert (found["status"], found["modelCalls"], list(found["result"]["json"])) == ("completed", 2, ["price"])


def test_the_model_of_an_environment_comes_before_the_callers(tmp_path, monkeypatch, types_file, input_file):  # R-A6
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:9")
    outputs = tmp_path / "outputs.json"
    with converse_stub.running() as stub:
        outputs.write_text(json.dumps({"model_endpoint_url": {"value": stub.endpoint_url}}))
        arguments = ["types", "try", "greeting", "--input", input_file({"name": "Ada"}), "--from", types_file()]
        done = CliRunner().invoke(main, ["--outputs", str(outputs), *arguments])
    assert (done.exit_code, "You said: " in done.stdout) == (0, True)


def test_a_failed_try_exits_with_1_and_still_tells_its_cost(calls, types_file, type_document, input_file):  # R-A6
    calls.answers["Converse"] = answer("{}")
    source = types_file(data=type_document | {"outputSchema": SCHEMA})
    file = input_file({"name": "Ada"})
    done = run("try", "data", "--input", file, "--from", source, "--price", f"{NOVA}=3,5")
    assert (done.exit_code, "cost     $0.006100" in done.stdout) == (1, True)
    assert done.stdout.endswith("output   rejected\n\n{}\n")
    assert "still breaks the output schema: result.price is missing" in done.stderr.replace("\n", " ")
    found = json.loads(run("try", "data", "--input", file, "--from", source, "--json").stdout)
    assert (found["status"], found["error"]["field"], found["modelCalls"]) == ("failed", "result.price", 2)


def test_a_refusal_is_told_in_the_words_of_aws_with_a_hint(calls, types_file, input_file):  # R-A6
    calls.refuse("Converse", "AccessDeniedException", "You may not perform bedrock:InvokeModel")
    done = run("try", "greeting", "--input", input_file({"name": "Ada"}), "--from", types_file())
    assert (done.exit_code, done.stdout) == (1, "")
    assert "bedrock:InvokeModel" in done.stderr
    assert "these credentials do not allow this" in done.stderr


def test_try_says_that_it_waits_for_a_busy_model(calls, types_file, input_file, monkeypatch):  # R-A6
    slept = []
    monkeypatch.setattr("ai_jobs.cli.types.trying.time.sleep", slept.append)
    busy = ClientError({"Error": {"Code": "ThrottlingException", "Message": "busy"}}, "Converse")
    answers = iter([busy, answer("Hi")])
    calls.answers["Converse"] = lambda _: next(answers)
    done = run("try", "greeting", "--input", input_file({"name": "Ada"}), "--from", types_file())
    assert done.exit_code == 0
    assert f"Trying again in {slept[0]} s ..." in done.stderr


PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
PHOTO = {
    "prompt": "{{ attachments[0].name }}",
    "attachments": {"mediaTypes": ["image/png"], "maxCount": 1, "maxBytes": 100},
}


def test_files_go_with_the_input(calls, types_file, type_document, input_file, tmp_path):  # R-A6, R-A2
    calls.answers["Converse"] = answer("A house")
    (tmp_path / "house.png").write_bytes(PNG)
    source = types_file(photo=type_document | PHOTO)
    options = (
        "photo",
        "--input",
        input_file({"name": "Ada"}),
        "--from",
        source,
        "--attach",
        str(tmp_path / "house.png"),
    )
    assert run("render", *options).stdout.endswith("--- user ---\nhouse.png\n")
    assert run("try", *options).exit_code == 0
    (call,) = calls.of("Converse")
    assert call["messages"][0]["content"] == [
        {"image": {"format": "png", "source": {"bytes": PNG}}},
        {"text": "house.png"},
    ]


@pytest.mark.parametrize(
    ("name", "content", "job_type", "found"),
    [
        ("a.png", b"PK\x03\x04", "photo", 'a.png ("a.png") is not image/png'),
        ("a.png", b"", "photo", "'a.png' is empty"),
        ("a.png", PNG + bytes(100), "photo", "takes at most 100"),
        ("a.bmp", PNG, "photo", "'a.bmp' is not a file that a job can have: it must be one of"),
        ("a.txt", b"hello", "photo", "attachments.0 is a file of type"),
        ("a.png", PNG, "greeting", "takes no files"),
    ],
)
@pytest.mark.parametrize("command", ["render", "try"])
def test_a_wrong_file_is_told(types_file, type_document, input_file, tmp_path, name, content, job_type, found, command):
    (tmp_path / name).write_bytes(content)
    source = types_file(photo=type_document | PHOTO)
    options = ("--input", input_file({"name": "Ada"}), "--from", source, "--attach", str(tmp_path / name))
    done = run(command, job_type, *options)  # R-A6
    assert (done.exit_code, found in done.stderr.replace("\n", " ")) == (1, True)


@pytest.mark.parametrize("command", ["render", "try"])
def test_a_handler_is_not_tried_here(types_file, input_file, command):  # R-A6
    own = {"modelId": "m", "maxTokens": 1, "timeoutSeconds": 1, "inputSchema": {"type": "object"}, "handler": "a:b"}
    done = run(command, "own", "--input", input_file({}), "--from", types_file(own=own))
    assert (done.exit_code, "Test it with ai_jobs.testing" in done.stderr.replace("\n", " ")) == (1, True)


@pytest.mark.parametrize("price", ["x", f"{NOVA}=1", f"{NOVA}=1,2,3", f"{NOVA}=1,-2", f"{NOVA}=a,b", "=1,2"])
def test_a_wrong_price_is_told(types_file, input_file, price):
    done = run("try", "greeting", "--input", input_file({}), "--from", types_file(), "--price", price)
    assert (done.exit_code, "pass MODEL=INPUT,OUTPUT" in done.stderr) == (2, True)


@pytest.mark.parametrize("command", ["render", "try"])
def test_standard_input_is_only_one_file(command):
    done = run(command, "greeting", "--input", "-", "--from", "-", stdin="{}")
    assert (done.exit_code, "--from and --input can't both be standard input" in done.stderr) == (2, True)
