"""Writes the inputs and outputs tables of modules/*/README.md, and the names in ATTRIBUTES; --check only compares.

    python -m scripts.module_docs [--check]

It reads what `terraform fmt` writes, line by line, instead of parsing HCL: so a type stands in the table as its author
laid it out, comments included. A README without the tables' markers gets them at its end, a module without a README
gets one.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.generated import write_or_check
from scripts.project import ROOT, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEGIN = "<!-- BEGIN inputs and outputs (generated: make docs) -->"
END = "<!-- END inputs and outputs -->"
BLOCK = re.compile(r'^(variable|output) "([^"]+)" \{$')
ATTRIBUTE = re.compile(r"^  (\w+)\s+= (.*)$")
HEREDOC = re.compile(r"^<<-?(\w+)$")


@dataclass
class Block:
    """A variable or an output with the source text of its attributes."""

    kind: str
    name: str
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def description(self) -> str:
        text = self.attributes.get("description", "")
        lines = text.splitlines()
        if lines and HEREDOC.match(lines[0]):
            return " ".join(line.strip() for line in lines[1:-1]).strip()
        return str(json.loads(text)) if text else ""


def blocks(source: str) -> Iterator[Block]:
    """The variables and outputs of a formatted file. Only what belongs to an attribute is indented deeper than it."""
    block: Block | None = None
    name = ""
    for line in source.splitlines():
        if block is None:
            if match := BLOCK.match(line):
                block, name = Block(match[1], match[2]), ""
        elif line == "}":
            yield block
            block = None
        elif match := ATTRIBUTE.match(line):
            name = match[1]
            block.attributes[name] = match[2]
        elif name and re.match(r"^(   |  [\])}]|$)|^\s*[A-Z]+$", line):
            block.attributes[name] += f"\n{line.removeprefix('  ')}"
        else:
            name = ""  # a nested block, such as a validation


def tables(module: Path) -> str:
    """The two tables of a module, in Markdown."""
    found = [block for path in sorted(module.glob("*.tf")) for block in blocks(path.read_text(encoding="utf-8"))]
    variables = [block for block in found if block.kind == "variable"]
    outputs = [block for block in found if block.kind == "output"]
    lines: list[str] = []
    if variables:
        lines += ["### Inputs", "", "| name | description | type | default |", "|---|---|---|---|"]
        lines += [
            f"| `{block.name}` | {_cell(block.description)} | {_code(block.attributes.get('type', 'any'))} "
            f"| {_code(block.attributes['default']) if 'default' in block.attributes else '*required*'} |"
            for block in variables
        ]
    if outputs:
        lines += [""] if lines else []
        lines += ["### Outputs", "", "| name | description |", "|---|---|"]
        lines += [f"| `{block.name}` | {_cell(block.description)} |" for block in outputs]
    return "\n".join(lines)


def with_tables(readme: str, text: str) -> str:
    """The README with the text between its markers."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        before, after = f"{readme.rstrip()}\n\n", "\n"
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(source: str) -> str:
    source = source.rstrip()
    if "\n" not in source and "|" not in source:
        return f"`{source}`"
    escaped = html.escape(source, quote=False).replace("|", "&#124;").replace("\n", "<br>")
    return f"<pre>{escaped}</pre>"


# The names that the command knows without a clone: `ai-jobs types check` finds the misspelled ones.
ATTRIBUTES = "functions/ai_jobs/cli/module_attributes.json"
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\w.-]+|[^\s\w]')


def attributes(module: Path) -> dict[str, Any]:
    """The names of all attributes that the objects among a module's variables have; None stands for any other value.

    What is by a name or an index of the caller's own is under "*".
    """
    found = [block for path in sorted(module.glob("*.tf")) for block in blocks(path.read_text(encoding="utf-8"))]
    types = {block.name: block.attributes.get("type", "any") for block in found if block.kind == "variable"}
    trees = {name: _tree(TOKEN.findall(re.sub(r"(#|//).*", "", text))) for name, text in sorted(types.items())}
    return {name: tree for name, tree in trees.items() if tree is not None}


def _tree(tokens: list[str]) -> Any:
    """Reads one type expression off the front of the tokens."""
    word = tokens.pop(0)
    if word not in ("object", "map", "list", "set", "optional"):
        return None
    tokens.pop(0)  # (
    if word == "object":
        tree: Any = _fields(tokens)
    else:
        inner = _tree(tokens)
        tree = inner if word == "optional" or inner is None else {"*": inner}
        _skip_default(tokens)
    tokens.pop(0)  # )
    return tree


def _fields(tokens: list[str]) -> dict[str, Any]:
    tokens.pop(0)  # {
    fields = {}
    while (name := tokens.pop(0)) != "}":
        if name != ",":
            tokens.pop(0)  # =
            fields[name] = _tree(tokens)
    return fields


def _skip_default(tokens: list[str]) -> None:
    """What follows the type in optional(type, default), up to its closing parenthesis."""
    depth = 0
    while depth or tokens[0] != ")":
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(tokens.pop(0), 0)


def _generated() -> Iterator[tuple[Path, str]]:
    for module in sorted(path.parent for path in (ROOT / "modules").glob("*/main.tf")):
        path = module / "README.md"
        readme = path.read_text(encoding="utf-8") if path.exists() else f"# {module.name}\n"
        yield path, with_tables(readme, tables(module))
    yield ROOT / ATTRIBUTES, json.dumps(attributes(ROOT / "modules/ai-jobs"), indent=1) + "\n"


def main() -> None:
    write_or_check("module_docs", "Inputs and outputs tables.", ROOT, _generated())


if __name__ == "__main__":
    run(main)
