"""A validator that AppConfig would refuse in the middle of an apply is refused by the plan: modules/job-types."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from tests.plans import ROOT

TEST = """
mock_provider "aws" {}

run "refused" {
  command = plan

  variables {
    name          = "config-test"
    environment   = "test"
    strategy_name = "config-test-at-once"
    job_types     = {}
  }

  expect_failures = [aws_appconfig_configuration_profile.this]
}
"""


def test_a_validator_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """The module with another schema: it has no variable for that."""
    for path in (ROOT / "modules/job-types").glob("*.tf"):
        shutil.copy(path, tmp_path)
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "description": "x" * 33_000}
    (tmp_path / "document.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    (tmp_path / "refused.tftest.hcl").write_text(TEST, encoding="utf-8")
    for command in (("init", "-backend=false", "-input=false"), ("test",)):
        done = subprocess.run(
            [str(ROOT / "scripts/terraform"), f"-chdir={tmp_path}", *command],
            env=os.environ | {"TF_IN_AUTOMATION": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed, 0 failed" in done.stdout
