"""In which order `apply` changes things, where that matters; nothing in a plan tells."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_EDGE = re.compile(r'"([^"]+)" -> "([^"]+)"')


@pytest.fixture(scope="module")
def waits_for(tmp_path_factory):
    """Tells whether a resource of modules/ai-jobs is changed only after another one."""
    terraform = [str(ROOT / "scripts/terraform"), f"-chdir={ROOT / 'environments/local'}"]
    environment = os.environ | {"TF_IN_AUTOMATION": "1", "TF_DATA_DIR": str(tmp_path_factory.mktemp("terraform"))}

    def run(*command):
        return subprocess.run(
            [*terraform, *command], env=environment, capture_output=True, text=True, check=True
        ).stdout

    run("init", "-backend=false", "-input=false", "-lockfile=readonly")
    edges = _EDGE.findall(run("graph"))
    assert edges

    def reaches(later, earlier):
        seen, waiting = set(), [f"module.ai_jobs.{later}"]
        while waiting:
            resource = waiting.pop()
            found = {after for before, after in edges if before == resource} - seen
            seen |= found
            waiting += found
        return f"module.ai_jobs.{earlier}" in seen

    return reaches


DEPLOYMENT = "module.job_types.aws_appconfig_deployment.this"


def test_a_model_may_be_called_before_its_job_types_are_deployed(waits_for):
    assert waits_for(DEPLOYMENT, "module.processor.aws_iam_role_policy.this")


def test_the_layers_with_the_handlers_are_there_before_their_job_types_are_deployed(waits_for):  # R-A5
    assert waits_for(DEPLOYMENT, "module.processor.aws_lambda_alias.live")
    assert waits_for("module.processor.aws_lambda_alias.live", "module.processor.aws_lambda_function.this")


def test_the_first_job_finds_its_type(waits_for):  # R-J7
    assert waits_for("module.processor.aws_lambda_event_source_mapping.queue", DEPLOYMENT)
