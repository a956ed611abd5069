"""What the check against the schema of AWS provider 6.x finds, on two made-up types."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from scripts import check_provider
from scripts.check_provider import check, declarations, schema
from scripts.project import Failure

LINK = "/**\n    * Docs: {{@link https://registry/docs/resources/queue#{0} Queue#{0}}}\n    */"


def declared(name: str, type_: str) -> str:
    return f"    {LINK.format(name)}\n    readonly {name}?: {type_};\n"


QUEUE = (
    "export interface QueueConfig extends cdktf.TerraformMetaArguments {\n"
    + declared("name", "string")
    + declared("tags", "{\n        [key: string]: string;\n    }")
    + declared("size", "number")
    + declared("rule", "QueueRule[] | cdktf.IResolvable")
    + "}\nexport interface QueueRule {\n"
    + declared("prefix", "string")
    + '}\nexport declare class Queue {\n    static readonly tfResourceType = "aws_queue";\n}\n'
)
REGION = (
    "export interface DataAwsRegionConfig extends cdktf.TerraformMetaArguments {\n"
    + declared("region", "string")
    + '}\nexport declare class DataAwsRegion {\n    static readonly tfResourceType = "aws_region";\n}\n'
)
TYPES = schema([("queue", QUEUE), ("data-aws-region", REGION)])

KNOWN = """
data "aws_region" "current" {}

resource "aws_queue" "jobs" {
  for_each = toset(["a"])

  name = each.key
  tags = { anything = "goes" }
  size = 3

  rule {
    prefix = "a"
  }
  dynamic "rule" {
    for_each = [1]
    content {
      prefix = rule.value
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "terraform_data" "other" {
  whatever = 1
}
"""


def checked(folder: Path, source: str) -> int:
    file = folder / "modules/queue/main.tf"
    file.parent.mkdir(parents=True)
    file.write_text(source, encoding="utf-8")
    return check([file], folder, TYPES)


def test_what_the_provider_has_is_counted(tmp_path: Path):  # R-P9
    assert checked(tmp_path, KNOWN) == 7


@pytest.mark.parametrize(
    ("known", "unknown", "named"),
    [
        ("  size = 3", "  sizes = 3", "aws_queue.jobs: sizes"),
        ('    prefix = "a"', '    prefixes = "a"', "aws_queue.jobs: rule: prefixes"),
        ("      prefix = rule", "      prefixes = rule", "aws_queue.jobs: rule: prefixes"),
        ('dynamic "rule"', 'dynamic "rules"', "aws_queue.jobs: rules"),
        # An argument of a block is none of the resource.
        ("  size = 3", '  prefix = "a"', "aws_queue.jobs: prefix"),
        ('resource "aws_queue"', 'resource "aws_queues"', "aws_queues.jobs: the provider has no such type"),
        ('data "aws_region"', 'data "aws_queue"', "data.aws_queue.current: the provider has no such type"),
    ],
)
def test_what_it_does_not_have_is_named_with_its_file_and_resource(
    tmp_path: Path, known: str, unknown: str, named: str
):  # R-P9
    assert known in KNOWN
    with pytest.raises(Failure) as failure:
        checked(tmp_path, KNOWN.replace(known, unknown))
    assert str(failure.value).splitlines()[1:-1] == [f"  modules/queue/main.tf: {named}"]


def test_the_declarations_are_read_from_the_package(tmp_path: Path):
    archive = tmp_path / "package.tgz"
    with tarfile.open(archive, "w:gz") as package:
        for name in ("package/lib/queue/index.d.ts", "package/lib/queue/index.js", "package/lib/index.d.ts"):
            member = tarfile.TarInfo(name)
            member.size = len(QUEUE)
            package.addfile(member, io.BytesIO(QUEUE.encode()))
    assert list(declarations(archive)) == [("queue", QUEUE)]


def test_a_package_that_is_there_is_not_downloaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    archive = tmp_path / "package.tgz"
    archive.touch()
    monkeypatch.setattr(check_provider, "ARCHIVE", archive)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it was"))
    check_provider.download()


def test_a_download_needs_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(check_provider, "ARCHIVE", tmp_path / "package.tgz")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failure, match="npm is not on PATH"):
        check_provider.download()
