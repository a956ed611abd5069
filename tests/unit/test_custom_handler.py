"""examples/custom-handler: its layer has the handler that its job type names. Acme's own tests are in the example."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import types
import zipfile
from pathlib import Path

import pytest

from ai_jobs.contract.errors import JobError
from ai_jobs.service.handler_code import find_handler
from ai_jobs.service.job_type_document import read_job_type
from ai_jobs.testing import ScriptedModel, run_handler

ACME = Path(__file__).parents[2] / "examples/custom-handler/acme-jobs"


def schema(name):
    return json.loads((ACME / f"inspection-report.{name}.json").read_text("utf-8"))


@pytest.fixture
def build(tmp_path):
    """Runs the documented command."""

    def run(name):
        subprocess.run([sys.executable, ACME / "build_layer.py", tmp_path / name], check=True)
        return tmp_path / name

    return run


@pytest.fixture
def handler(build, tmp_path, monkeypatch):
    """The handler from the built layer, found as the worker finds it."""
    monkeypatch.syspath_prepend(tmp_path / "opt/python")
    # In this process, the example's own tests may have imported the modules from their folder.
    for name in ("acme_jobs", "acme_jobs.reports"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with zipfile.ZipFile(build("layer.zip")) as archive:
        archive.extractall(tmp_path / "opt")
    (reference,) = re.findall(r'handler += "(.*)"', (ACME / "outputs.tf").read_text("utf-8"))
    settings = {"modelId": "m", "maxTokens": 500, "timeoutSeconds": 240}
    schemas = {"inputSchema": schema("schema"), "outputSchema": schema("output")}
    function = find_handler(read_job_type("inspection-report", settings | schemas | {"handler": reference}))
    assert Path(sys.modules["acme_jobs.reports"].__file__).is_relative_to(tmp_path)
    yield function
    for name in ("acme_jobs", "acme_jobs.reports"):
        del sys.modules[name]


def test_the_same_code_is_the_same_layer(build):  # R-A5
    first, second = build("first.zip"), build("second.zip")
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert archive.namelist() == ["python/acme_jobs/__init__.py", "python/acme_jobs/reports.py"]


def test_the_layer_has_the_types_handler_and_what_it_returns_fits_the_types_schema(handler):  # R-A5
    model = ScriptedModel(["A note.", {"summary": "Fine.", "defects": []}])
    schemas = {"input_schema": schema("schema"), "output_schema": schema("output")}
    result = run_handler(handler, {"pages": ["Roof ..."]}, model=model, **schemas)
    assert result.json == {"summary": "Fine.", "defects": [], "pages": 1}


def test_the_code_in_the_docs_runs(monkeypatch):  # R-A5
    text = ACME.parents[2].joinpath("docs/job-types.md").read_text("utf-8").partition("## Your own function\n")[2]
    section = text.partition("\n## ")[0]
    handler, tests = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    module = types.ModuleType("acme_jobs.translations")
    monkeypatch.setitem(sys.modules, "acme_jobs", types.ModuleType("acme_jobs"))
    monkeypatch.setitem(sys.modules, "acme_jobs.translations", module)
    exec(handler, vars(module))  # noqa: S102
    found = {}
    exec(tests, found)  # noqa: S102
    run = [test() for name, test in found.items() if name.startswith("test_")]
    assert len(run) == 2


def test_the_message_in_the_docs_is_the_workers(monkeypatch):  # R-A5
    # As in a worker without layers, although the example's own tests may have run in this process.
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if "acme-jobs" not in folder])
    monkeypatch.delitem(sys.modules, "acme_jobs", raising=False)
    text = ACME.parents[2].joinpath("docs/job-types.md").read_text("utf-8")
    quoted = text.partition("> The handler ")[2].partition("\n\n")[0].replace("\n> ", " ")
    document = {"modelId": "m", "maxTokens": 1, "timeoutSeconds": 1, "inputSchema": {"type": "object"}}
    job_type = read_job_type("translation", document | {"handler": "acme_jobs.translations:translate"})
    with pytest.raises(JobError) as caught:
        find_handler(job_type)
    assert caught.value.message == f"The handler {quoted}"
