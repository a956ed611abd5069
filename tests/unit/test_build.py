"""Which build runs: every log line names it."""

from __future__ import annotations

import json

from ai_jobs.service.safe_logging import function_logger


def test_every_log_line_names_the_build(monkeypatch, capsys):
    from aws_lambda_powertools import Logger

    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "build-test")
    monkeypatch.setenv("AI_JOB_BUILD", "0123456789ab")
    elsewhere = Logger()  # another module's
    function_logger().info("one")
    elsewhere.info("two")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["message"], line["build"]) for line in lines] == [("one", "0123456789ab"), ("two", "0123456789ab")]
