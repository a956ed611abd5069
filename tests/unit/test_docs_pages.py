"""What the documentation tells readers to write and to run exists."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from ai_jobs.cli.main import main
from ai_jobs.cli.types.attributes import dropped_attributes, parsed_hcl
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
