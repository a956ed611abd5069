"""The generated tables of the modules' READMEs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts import module_docs
from scripts.module_limits import ranges
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
    A queue, <explained>,
    in *two* `<lines>`. And more.

    See docs/queues.md and examples/minimal.
  EOT
  type = object({
    # At most 14 days, the
    # limit of SQS | and ours.
    retention_seconds = optional(number, 1209600)
    tags              = optional(map(string), { "a,)" = "b" })
    owner             = string # Who answers for it.
    readers = optional(map(object({
      # See docs/access.md#aws_iam.
      arn = string
    })))
  })
  default = {
    owner = "me"
  }
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


def test_every_variable_and_output_has_a_row_with_an_anchor(module: Path) -> None:  # R-P7
    lines = module_docs.tables(module).splitlines()
    assert '| <a id="name"></a>`name` | Name \\| of all. | `string` | *required* |' in lines
    assert "| [`queue`](#queue) | A queue, &lt;explained>, in \\*two\\* `<lines>`. | `object` | below |" in lines
    assert '| <a id="output_url"></a>`url` | URL of the "queue". |' in lines


def test_a_variable_with_attributes_has_a_section_with_all_of_them(module: Path) -> None:  # R-P7
    section = module_docs.tables(module).partition("#### `queue`\n\n")[2].partition("\n\n### Outputs")[0]
    assert section.split("\n\n") == [
        "A queue, &lt;explained>, in \\*two\\* `<lines>`. And more.",
        "See [docs/queues.md](../../docs/queues.md) and [examples/minimal](../../examples/minimal).",
        "| attribute | description | type | default |\n| --- | --- | --- | --- |\n"
        "| `retention_seconds` | At most 14 days, the limit of SQS \\| and ours. | `number` | `1209600` |\n"
        '| `tags` |  | `map(string)` | `{ "a,)" = "b" }` |\n'
        "| `owner` | Who answers for it. | `string` | *required* |\n"
        "| `readers` |  | `map(object)` | `null` |\n"
        "| `readers.NAME.arn` | See [docs/access.md](../../docs/access.md#aws_iam). | `string` | *required* |",
        "Default:",
        '```hcl\n{\n  owner = "me"\n}\n```',
    ]


def test_a_section_without_descriptions_has_no_column_for_them(module: Path) -> None:
    (module / "variables.tf").write_text('variable "table" {\n  type = object({ name = string })\n}\n')
    assert "| attribute | type | default |\n| --- | --- | --- |\n| `name` | `string` | *required* |" in (
        module_docs.tables(module)
    )


def test_the_names_of_attributes_are_those_of_the_types(module: Path) -> None:
    names = {"retention_seconds": None, "tags": None, "owner": None, "readers": {"*": {"arn": None}}}
    assert module_docs.attributes(module) == {"queue": names}


MODULE = Path(__file__).parents[2] / "modules/ai-jobs"


@pytest.mark.parametrize(
    ("variable", "row"),
    [
        ("processor", "| `timeout_seconds` | A job type's"),
        ("jobs_api", "| `timeout_seconds` | From 1 to 29 seconds, because API Gateway does not wait any longer. |"),
        (
            "reconciler",
            "executions that are set aside for this function alone. At least 1, or null to reserve nothing. |",
        ),
        (
            "job_types",
            "not match the schema. From 0 to 3, because each is another model call within the same job. |",
        ),
        ("job_types", "| `top_p` | Some models reject it. From 0 to 1. |"),
    ],
)
def test_a_number_has_the_range_that_the_module_validates(variable, row) -> None:  # R-P7
    section = module_docs.tables(MODULE).partition(f"#### `{variable}`\n")[2].partition("\n#### ")[0]
    assert row in section


def test_every_range_is_of_an_attribute() -> None:
    tree = module_docs.attributes(MODULE)
    for variable, numbers in ranges(MODULE).items():
        names = tree[variable].get("*", tree[variable])
        for path in numbers:
            parent, _, name = path.rpartition(".")
            assert name in (names[parent] if parent else names)


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
