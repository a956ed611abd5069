"""Which build runs: the release is one fact for the package and the module, and every log line names the build."""

from __future__ import annotations

import json
import re
import tomllib

from ai_jobs.service.safe_logging import function_logger
from scripts.project import ROOT


def test_the_module_is_of_the_packages_release():
    release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    named = re.findall(r'release = "([^"]+)"', (ROOT / "modules/function/main.tf").read_text())
    assert named == [release]


def test_every_log_line_names_the_build(monkeypatch, capsys):
    from aws_lambda_powertools import Logger

    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "build-test")
    monkeypatch.setenv("AI_JOB_BUILD", "1.2.3+abc")
    elsewhere = Logger()  # another module's
    function_logger().info("one")
    elsewhere.info("two")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["message"], line["build"]) for line in lines] == [("one", "1.2.3+abc"), ("two", "1.2.3+abc")]
