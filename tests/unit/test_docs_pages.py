"""What the documentation tells readers to write and to run exists."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from ai_jobs.cli.main import main
from ai_jobs.cli.types.attributes import dropped_attributes, parsed_hcl
from ai_jobs.operate.doctor import keys
from ai_jobs.service.schemas import compile_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))

_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_TYPE = re.compile(r'^"[\w-]+" = \{')
_CALL = re.compile(r"(^(\$ )?|[|&] )ai-jobs ")
_SEPARATORS = {"&&", "|", ";", ">", "<"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    language: str
    text: str

    def __str__(self) -> str:
        """Its page and first line, for the name of its test."""
        return f"{self.page.relative_to(DOCS)}: {self.text.splitlines()[0]}"


def blocks(*languages: str) -> list[Block]:
    found = ((page, _FENCED.findall(page.read_text())) for page in PAGES)
    return [
        Block(page, language, textwrap.dedent(text))
        for page, matches in found
        for _, language, text in matches
        if language in languages
    ]


def module_variables() -> set[str]:
    texts = (path.read_text() for path in (ROOT / "modules/ai-jobs").glob("variables*.tf"))
    return {name for text in texts for name in re.findall(r'^variable "(\w+)"', text, re.MULTILINE)}


def given_to_the_module(document: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the module's block, or, in a fragment, of what stands in one."""
    calls = (block["ai_jobs"] for block in document.get("module", ()) if "ai_jobs" in block)
    call = next(calls, {name: value for name, value in document.items() if name in module_variables()})
    types = next(
        ({"job_types": block["job_types"]} for block in document.get("locals", ()) if "job_types" in block), {}
    )
    return call | types


@pytest.mark.parametrize("block", blocks("hcl"), ids=str)
def test_hcl_is_what_the_module_takes(block: Block) -> None:  # R-P3
    # A job type alone is a fragment of job_types.
    text = f"job_types = {{\n{block.text}}}\n" if _TYPE.match(block.text) else block.text
    given = given_to_the_module(parsed_hcl(text, block.page))
    assert not list(dropped_attributes(given))
    assert {name for name in given if not name.startswith("__")} - {"source", "depends_on"} <= module_variables()


@pytest.mark.parametrize(
    "block", [one for one in blocks("json") if "schema" in one.text or '"required"' in one.text], ids=str
)
def test_schemas_are_what_the_workers_compile(block: Block) -> None:
    compile_schema(json.loads(block.text), "schema")


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_compiles(block: Block) -> None:
    compile(block.text, str(block.page), "exec")


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every call of `ai-jobs` in a block without a language, and in a line of text, as words."""
    for block in blocks(""):
        for line in block.text.replace("\\\n", " ").splitlines():
            if _CALL.search(line):
                yield from _calls(block.page, shlex.split(line.removeprefix("$ ").replace(";", " ; "), comments=True))
    for page in PAGES:
        for code in re.findall(r"`(ai-jobs [^`\n]*)`", page.read_text()):
            yield from _calls(page, shlex.split(code))


def _calls(page: Path, words: list[str]) -> Iterator[tuple[str, list[str]]]:
    segment: list[str] = []
    for word in [*words, ";"]:
        if word in _SEPARATORS or word[0] == ">":
            if segment[:1] == ["ai-jobs"]:
                yield str(page.relative_to(DOCS)), segment[1:]
            segment = []
        else:
            segment.append(word)


@pytest.mark.parametrize(
    ("page", "words"), list(commands()), ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_commands_and_their_options_exist(page: str, words: list[str]) -> None:
    command: click.Command = main
    options = _options(command)
    rest = iter(words)
    for word in rest:
        if re.match("--?[a-z]", word):
            option = options.get(word.partition("=")[0])
            assert option, f"there is no such option: ai-jobs {' '.join(words)}"
            if not option.is_flag and "=" not in word:
                next(rest)
        elif isinstance(command, click.Group):
            found = command.get_command(click.Context(command), word)
            assert found, f"there is no such command: ai-jobs {' '.join(words)}"
            command, options = found, _options(found)


def _options(command: click.Command) -> dict[str, click.Option]:
    parameters = command.get_params(click.Context(command))
    return {name: one for one in parameters if isinstance(one, click.Option) for name in one.opts}


def test_the_readme_begins_with_ten_lines_and_two_commands() -> None:  # R-P6
    section = (ROOT / "README.md").read_text().partition("\n## Use the module\n")[2].partition("\n## ")[0]
    root, published = (text for _, language, text in _FENCED.findall(section) if language == "hcl")
    example = (ROOT / "examples/minimal/main.tf").read_text().splitlines(keepends=True)
    assert root == "".join(line for line in example if not line.lstrip().startswith("#"))
    assert len([line for line in root.splitlines() if line]) <= 10
    assert "s3 = {" in published
    (two,) = [text for _, language, text in _FENCED.findall(section) if not language and "ai-jobs local up" in text]
    assert [
        " ".join(words) for _, words in _calls(DOCS, shlex.split(two.replace("|\n", "|").replace("\n", " ; ")))
    ] == [
        "local up",
        "--env local submit - --wait",
    ]


def test_what_runs_is_asked_for_by_its_alias() -> None:  # R-P5
    """A bare name is the unpublished code: nothing triggers it, and no environment runs it."""
    texts = [" ".join(page.read_text().split()) for page in PAGES]
    calls = [
        call
        for text in texts
        for call in re.findall(r"aws lambda (?:list-event-source-mappings|invoke|get-function\S*) [^`|;]*", text)
    ]
    assert calls
    assert [call for call in calls if "FUNCTION:live" not in call and "--qualifier live" not in call] == []


def test_old_versions_are_listed_across_pages() -> None:
    text = DOCS.joinpath("releases.md").read_text()
    (program,) = re.findall(
        r"list-versions-by-function --function-name FUNCTION --output json \|\n +jq -r '(.+)' \|", text
    )
    versions = ["$LATEST", *map(str, range(1, 61))]
    given = json.dumps({"Versions": [{"Version": version} for version in versions]})
    printed = subprocess.run(["jq", "-r", program], input=given, capture_output=True, text=True, check=True).stdout
    assert printed.split() == [str(version) for version in range(1, 56)], "all but the newest five, numerically"
    for call in re.findall(r"list-versions-by-function [^\n]+", text):
        assert "--output json" in call, "as text, a query is applied to each page of 50"


def test_every_file_of_a_release_but_the_checksums_is_verified() -> None:  # R-P5 R-P8
    text = DOCS.joinpath("releases.md").read_text()
    (verified,) = re.findall(r"for file in (.+); do\n +gh attestation verify \"\$file\"", text)
    workflow = (ROOT / ".github/workflows/release.yml").read_text()
    assert f"-- {verified} SHA256SUMS" in workflow


def test_there_is_one_rule_for_security_fixes() -> None:  # R-P8
    policy = (ROOT / "SECURITY.md").read_text().partition("\n## Supported versions\n")[2].partition("\n## ")[0]
    rule = DOCS.joinpath("versioning.md").read_text().partition("\n## Which versions are supported\n")[2]
    assert "(docs/versioning.md#which-versions-are-supported)" in policy
    assert "/SECURITY.md)" in rule
    for words in (
        "latest minor release",
        "six months after a new major version",
        "last minor release of the one before",
    ):
        assert words in " ".join(policy.split())
        assert words in " ".join(rule.split())


def test_doctor_gets_the_outputs_of_the_last_apply() -> None:
    text = DOCS.joinpath("operations.md").read_text()
    for title in ("Upgrade", "Roll back"):
        section = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
        assert 0 < section.index("terraform output -json >outputs.json") < section.index("ai-jobs doctor"), title


def test_the_deployer_gets_what_it_needs_on_a_key() -> None:  # R-P8
    policies = json.loads(DOCS.joinpath("deployer-policy.json").read_text()).values()
    needed = next(one for policy in policies for one in policy["Statement"] if one["Sid"] == "CustomerKey")["Action"]
    text = DOCS.joinpath("how-to/use-your-own-key.md").read_text()
    (sentence,) = re.findall(r"that role needs (.+?) on the\s+key", text, re.DOTALL)
    assert sorted(re.findall(r"`(kms:\w+)`", sentence)) == needed


def test_the_page_that_doctor_names_has_the_statement_of_each_service() -> None:
    (page,) = re.findall(r"the key's policy \((docs/\S+)\)", Path(keys.__file__).read_text())
    text = (ROOT / page).read_text()
    assert keys.CLOUDWATCH in text
    assert 'Service = "logs.' in text


def cells(line: str) -> list[str]:
    return [cell.strip().replace("*", "") for cell in line.strip("|").split("|")]


def test_costs_add_up() -> None:
    text = DOCS.joinpath("operations.md").read_text().partition("## What it costs")[2].partition("\n## ")[0]
    tables = [table for table in text.split("\n\n") if table.startswith("| what | how many")]
    assert len(tables) == 2
    for table in tables:
        *rows, together = [cells(line) for line in table.splitlines()[2:]]
        amounts = [float(row[3].removeprefix("$")) for row in rows]
        for row, amount in zip(rows, amounts, strict=True):
            quantity = float(row[1].split()[0].replace(",", ""))
            assert round(quantity * float(row[2].removeprefix("$")), 2) == amount, row
        assert together[3] == f"${sum(amounts):.2f}"
