"""Writes the inputs and outputs tables of modules/*/README.md, and the names in ATTRIBUTES; --check only compares.

    python -m scripts.module_docs [--check]

It reads what `terraform fmt` writes, line by line, instead of parsing HCL, which would drop the comments: the comment
above an attribute of an object type is that attribute's description. A README without the tables' markers gets them at
its end, a module without a README gets one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.generated import markdown_table, write_or_check
from scripts.module_limits import ranges
from scripts.project import ROOT, run
from scripts.type_constraints import Constraint, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Row = tuple[str, str, str, str]

BEGIN = "<!-- BEGIN inputs and outputs (generated: make docs) -->"
END = "<!-- END inputs and outputs -->"
BLOCK = re.compile(r'^(variable|output) "([^"]+)" \{$')
ATTRIBUTE = re.compile(r"^  (\w+)\s+= (.*)$")
HEREDOC = re.compile(r"^<<-?(\w+)$")
# In a description: code, a page of docs/ or an example, and what Markdown would take for its own.
MARKUP = re.compile(r"(?P<code>`[^`]*`)|(?P<page>\b(?:docs/[\w/-]+\.md|examples/[\w-]+)(?:#[\w-]+)?)|[<*]")
ESCAPED = {"<": "&lt;", "*": "\\*"}
SENTENCE_END = re.compile(r"(?<=\.) (?=[A-Z])")


@dataclass
class Block:
    """A variable or an output with the source text of its attributes."""

    kind: str
    name: str
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def paragraphs(self) -> list[str]:
        """The paragraphs of the description, one line each."""
        text = self.attributes.get("description", "")
        lines = text.splitlines()
        if lines and HEREDOC.match(lines[0]):
            found = "\n".join(line.strip() for line in lines[1:-1]).split("\n\n")
            return [paragraph.replace("\n", " ").strip() for paragraph in found]
        return [str(json.loads(text))] if text else []

    @property
    def description(self) -> str:
        """The description as one paragraph."""
        return " ".join(self.paragraphs)

    @property
    def type(self) -> Constraint:
        return parse(self.attributes.get("type", "any"))

    @property
    def default(self) -> str | None:
        """The source text of the default; None if callers must set the variable."""
        return self.attributes["default"].rstrip() if "default" in self.attributes else None


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


def module_blocks(module: Path) -> list[Block]:
    """The variables and outputs of a module's files."""
    return [block for path in sorted(module.glob("*.tf")) for block in blocks(path.read_text(encoding="utf-8"))]


def tables(module: Path) -> str:
    """The module's inputs and outputs, in Markdown: a table of each, and a section for every variable with attributes.

    Every name has an anchor: a variable its own name, an output `output_` and its name.
    """
    found = module_blocks(module)
    variables = [block for block in found if block.kind == "variable"]
    outputs = [block for block in found if block.kind == "output"]
    parts = []
    if variables:
        header = ("name", "description", "type", "default")
        parts += ["### Inputs", markdown_table(header, map(_variable_row, variables))]
        numbers = ranges(module)
        parts += [_section(block, numbers.get(block.name, {})) for block in variables if block.type.members]
    if outputs:
        rows = [(f'<a id="output_{block.name}"></a>`{block.name}`', _cell(block.description)) for block in outputs]
        parts += ["### Outputs", markdown_table(("name", "description"), rows)]
    return "\n\n".join(parts)


def _variable_row(block: Block) -> Row:
    if block.type.members:
        name, text = f"[`{block.name}`](#{block.name})", SENTENCE_END.split(block.description)[0]
    else:
        name, text = f'<a id="{block.name}"></a>`{block.name}`', block.description
    return name, _cell(text), _code(block.type.label), _default(block.default)


def _section(block: Block, numbers: Mapping[str, str]) -> str:
    """What a variable with attributes means, and the table of them, with the ranges of numbers, which are by path."""
    rows = list(_attribute_rows(block.type, numbers))
    columns = (0, 1, 2, 3) if any(row[1] for row in rows) else (0, 2, 3)  # without descriptions that nobody wrote
    header = ("attribute", "description", "type", "default")
    table = markdown_table([header[i] for i in columns], [[row[i] for i in columns] for row in rows])
    parts = [f"#### `{block.name}`", *map(_prose, block.paragraphs), table]
    if block.default and "\n" in block.default:
        parts.append(f"Default:\n\n```hcl\n{block.default}\n```")
    return "\n\n".join(parts)


def _attribute_rows(constraint: Constraint, numbers: Mapping[str, str], prefix: str = "") -> Iterator[Row]:
    """The attributes, and below each of them those that it has itself."""
    for attribute in constraint.members:
        name = f"{prefix}{attribute.name}"
        text = f"{attribute.meaning} {numbers.get(name, '')}".strip()
        yield _code(name), _cell(text), _code(attribute.type.label), _default(attribute.default)
        inner = f"{name}.NAME." if attribute.type.word == "map" else f"{name}."
        yield from _attribute_rows(attribute.type, numbers, inner)


def with_tables(readme: str, text: str) -> str:
    """The README with the text between its markers."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        before, after = f"{readme.rstrip()}\n\n", "\n"
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def _prose(text: str) -> str:
    """The text of a description as Markdown, in which pages of docs/ and examples are links."""

    def markup(match: re.Match[str]) -> str:
        if match["page"]:
            return f"[{match['page'].partition('#')[0]}](../../{match[0]})"
        return ESCAPED.get(match[0], match[0])

    return MARKUP.sub(markup, text)


def _cell(text: str) -> str:
    return _prose(text).replace("|", "\\|")


def _code(source: str) -> str:
    return f"`{source}`"


def _default(source: str | None) -> str:
    if source is None:
        return "*required*"
    return "below" if "\n" in source else _code(source)


# The names that the command knows without a clone: `ai-jobs types check` finds the misspelled ones.
ATTRIBUTES = "functions/ai_jobs/cli/module_attributes.json"


def attributes(module: Path) -> dict[str, Any]:
    """The names of all attributes that the objects among a module's variables have; None stands for any other value.

    What is by a name or an index of the caller's own is under "*".
    """
    types = {block.name: block.type for block in module_blocks(module) if block.kind == "variable"}
    return {name: _tree(constraint) for name, constraint in sorted(types.items()) if constraint.members}


def _tree(constraint: Constraint) -> Any:
    if constraint.element:
        inner = _tree(constraint.element)
        return inner and {"*": inner}
    return {attribute.name: _tree(attribute.type) for attribute in constraint.attributes} or None


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
