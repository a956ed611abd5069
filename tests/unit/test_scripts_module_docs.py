"""The generated tables of the modules' READMEs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts import module_docs
from scripts.project import Failure

VARIABLES = """
locals {
  unrelated = "x"
}

variable "name" {
  description = "Name | of all."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.name) > 0
    error_message = "name is empty."
  }
}

variable "queue" {
  description = <<-EOT
    A queue,
    explained.
  EOT
  type = object({
    # the limit of SQS
    retention_seconds = optional(number, 1209600)
  })
  default  = {}
  nullable = false
}
"""
OUTPUTS = """
output "url" {
  description = "URL of the \\"queue\\"."
  value = {
    description = "not this"
  }
}
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    module = tmp_path / "modules" / "queue"
    module.mkdir(parents=True)
    (tmp_path / module_docs.ATTRIBUTES).parent.mkdir(parents=True)
    (module / "main.tf").touch()
    (module / "variables.tf").write_text(VARIABLES)
    (module / "outputs.tf").write_text(OUTPUTS)
    monkeypatch.setattr(module_docs, "ROOT", tmp_path)
    return module


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["module_docs", *arguments])
    module_docs.main()


def test_variables_and_outputs_become_rows(module: Path) -> None:
    lines = module_docs.tables(module).splitlines()
    assert "| `name` | Name \\| of all. | `string` | *required* |" in lines
    assert (
        "| `queue` | A queue, explained. | <pre>object({<br>  # the limit of SQS<br>"
        "  retention_seconds = optional(number, 1209600)<br>})</pre> | `{}` |" in lines
    )
    assert '| `url` | URL of the "queue". |' in lines
    assert len([line for line in lines if line.startswith("| `")]) == 3


def test_writing_keeps_what_stands_around_the_tables(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = module / "README.md"
    readme.write_text(f"# Queue\n\n{module_docs.BEGIN}\nold\n{module_docs.END}\n\nMore.\n")
    run(monkeypatch)
    text = readme.read_text()
    assert text.startswith("# Queue\n\n")
    assert text.endswith("\n\nMore.\n")
    assert "old" not in text


def test_a_readme_without_markers_gets_them_once(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = module / "README.md"
    readme.write_text("# Queue\n")
    run(monkeypatch)
    first = readme.read_text()
    assert first.count(module_docs.BEGIN) == 1
    run(monkeypatch)
    assert readme.read_text() == first


def test_check_names_what_is_out_of_date_and_changes_nothing(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failure, match=r"modules/queue/README\.md.*make docs"):
        run(monkeypatch, "--check")
    assert not (module / "README.md").exists()
    run(monkeypatch)
    run(monkeypatch, "--check")
