"""What the command prints: into pipes, on narrow terminals, and in any encoding."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from ai_jobs.aws.queues import send_message
from ai_jobs.cli import output

JOB_ID = "3b8c2cfb-a250-4459-be35-847823d125d8"
COLUMNS = ("JOB", "STATUS", "TYPE", "USER", "CREATED", "TOOK", "ERROR")
ROW = (JOB_ID, "failed", "listing-description", "agent-1001@example.com", "2026-11-24T15:29:08Z", "1.1 s", None)
FOUND = f"its job is still processing: see https://example.com/{'x' * 60} or arn:aws:sqs:eu-west-1:123456789012:queue"


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture(params=[20, 40, 80, 200])
def width(request, monkeypatch):
    """A terminal of this width, without colors."""
    monkeypatch.setenv("COLUMNS", str(request.param))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(output, "sys", SimpleNamespace(stdout=Terminal()))
    return request.param


def test_an_id_stays_in_one_piece_however_narrow_the_terminal_is(width):
    lines = output.rendered(COLUMNS, [ROW] * 3).splitlines()
    assert [line.split()[0] for line in lines] == ["JOB", JOB_ID, JOB_ID, JOB_ID], (
        "one line per job; the terminal wraps it"
    )
    assert all(str(cell) in lines[1] for cell in ROW[:-1])


def test_free_text_is_folded_between_words(width):
    ids = [JOB_ID, "x" * 128]
    text = output.rendered(("OUTCOME", "MESSAGES", "REASON", "JOBS"), [("skipped", 2, FOUND, ", ".join(ids))])
    assert {*ids[1:], f"{JOB_ID},", *FOUND.split()} <= set(text.split())
    assert len(text.splitlines()) > 2


def test_folded_text_fits_the_terminal_where_its_words_do(monkeypatch, width):
    text = output.rendered(("CHECK", "FOUND"), [("queue", "word " * 50)])
    assert max(map(len, text.splitlines())) <= width
    assert text.split().count("word") == 50


def test_colors_do_not_move_columns(monkeypatch):
    monkeypatch.setattr(output, "sys", SimpleNamespace(stdout=Terminal()))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    rows = [("a", "failed", "x"), ("\u65e5\u672c", "completed", "y")]
    colored = output.rendered(("JOB", "STATUS", "TYPE"), rows)
    assert "\x1b[31mfailed" in colored
    plain = re.sub("\x1b\\[[0-9;]*m", "", colored)
    assert plain.splitlines() == ["JOB   STATUS     TYPE", "a     failed     x", "\u65e5\u672c  completed  y"]
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.rendered(("JOB", "STATUS", "TYPE"), rows) == plain


@pytest.fixture
def strange_message(aws, body):
    """A dead-lettered message whose input has half a surrogate pair, a control character, and non-ASCII characters."""
    text = body(input={"na\ud83cme": "caf\u00e9 \ud83c \x1b[2J \u2028 \U0001f600"})
    send_message(aws.request_dlq, text, {"ErrorCode": "INVALID_INPUT", "ErrorMessage": "caf\u00e9 \U0001f600"})


@pytest.mark.parametrize("charset", ["utf-8", "ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize("command", [("list",), ("show", "job-1")])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_any_text_is_printed_in_any_encoding(cli, strange_message, charset, command, options, monkeypatch):
    monkeypatch.setattr("ai_jobs.operate.sweep._POLL_SECONDS", 0)
    result = cli("dlq", *command, *options, charset=charset)
    assert result.exit_code == 0, result.output
    if options:
        document = json.loads(result.stdout)
        message = document["letters"][0] if "letters" in document else document[0]
        assert message["errorMessage"] == "caf\u00e9 \U0001f600"
    else:
        assert "caf" in result.stdout


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_half_a_surrogate_pair_does_not_end_the_command(encoding):
    """In a process of its own, with a real standard output, whose encoding the environment determines."""
    code = (
        "from ai_jobs.cli.main import main\nfrom ai_jobs.cli import output, verify\n"
        "def printed(*_):\n"
        "    output.print_json([text])\n    output.print_table(('JOB',), [[text]])\n"
        "    output.print_fields({'a': text}, text)\n"
        "    output.say(text)\n    print(text)\n"
        "text = 'caf\\u00e9 \\ud83c \\U0001f600'\n"
        "verify.verify.callback = lambda **_: printed()\nmain(['verify'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        env={"PYTHONPATH": "functions", "PYTHONIOENCODING": encoding},
    )
    assert done.returncode == 0, done.stderr.decode()
    document, _ = json.JSONDecoder().raw_decode(done.stdout.decode("utf-8", "replace"))
    assert document == ["caf\u00e9 \ufffd \U0001f600"]
