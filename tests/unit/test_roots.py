"""What uses modules/ai-jobs keeps up with it: the environments, the examples, and the snippets in the docs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import hcl2
import pytest

from tests.module_source import SOURCE, roots, sources

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = sorted(path.parent for path in (ROOT / "environments").glob("*/main.tf"))
EXAMPLES = roots()
SNIPPETS = [
    pytest.param(snippet, id=f"{path.relative_to(ROOT)} {number}")
    for path in sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
    for number, snippet in enumerate(
        re.findall(r"^```(?:hcl|terraform)\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    )
    if 'module "ai_jobs"' in snippet
]

# What a root decides for itself, and why.
FIXED = {
    "environment": "the root is the environment",
    "require_tls": "AWS speaks TLS, and the local AWS acts as if it did",
    "protected_with": "it protects only what the root's own expression refers to",
}


def blocks(source: str, kind: str) -> dict[str, dict[str, Any]]:
    """The blocks of one kind in a file's source, by their label."""
    found = hcl2.loads(source).get(kind, [])
    return {name.strip('"'): body for block in found for name, body in block.items() if not name.startswith("__")}


def call_of(source: str) -> dict[str, Any]:
    """The arguments that a root gives the module."""
    return {name: value for name, value in blocks(source, "module")["ai_jobs"].items() if not name.startswith("__")}


def variables(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        name: block
        for path in folder.glob("*.tf")
        for name, block in blocks(path.read_text("utf-8"), "variable").items()
    }


MODULE_VARIABLES = variables(ROOT / "modules/ai-jobs")


@pytest.mark.parametrize("root", ENVIRONMENTS, ids=lambda path: path.name)
def test_an_environment_passes_on_every_variable_of_the_module(root: Path) -> None:
    call = call_of((root / "main.tf").read_text("utf-8"))
    own = variables(root)
    not_passed_on = {
        name
        for name in MODULE_VARIABLES.keys() - FIXED
        if name not in own or not re.search(rf"\bvar\.{name}\b", str(call.get(name, "")))
    }
    assert not not_passed_on, f"environments/{root.name} does not pass on {sorted(not_passed_on)}"


@pytest.mark.parametrize("root", ENVIRONMENTS, ids=lambda path: path.name)
def test_an_environment_leaves_types_and_defaults_to_the_module(root: Path) -> None:
    """A copy of an object type drops what the module's own learns later, and says nothing."""
    copied = {name for name, block in variables(root).items() if "object(" in str(block["type"])}
    assert not copied & MODULE_VARIABLES.keys()


@pytest.mark.parametrize("root", [*ENVIRONMENTS, *EXAMPLES], ids=lambda path: path.name)
def test_a_refused_destroy_spares_what_the_root_owns_beside_the_module(root: Path) -> None:
    """Terraform destroys what depends on the module before the module, unless the module knows of it."""
    resources = {
        f"{kind}.{label}".replace('"', ""): body
        for path in root.glob("*.tf")
        for block in hcl2.loads(path.read_text("utf-8")).get("resource", [])
        for kind, labeled in block.items()
        for label, body in labeled.items()
    }
    dependents: set[str] = set()
    while found := {
        address
        for address, body in resources.items()
        if address not in dependents
        and any(re.search(rf"\b{re.escape(other)}\b", str(body)) for other in ("module.ai_jobs", *dependents))
    }:
        dependents |= found
    listed = str(call_of((root / "main.tf").read_text("utf-8")).get("protected_with", ""))
    assert {address for address in resources if re.search(rf"\b{re.escape(address)}\b", listed)} == dependents


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_snippet_fits_the_module(snippet: str) -> None:
    """It names the service, as everybody copies it: what runs in an account must not bear the default's name."""
    call = call_of(snippet)
    assert call.keys() - {"source"} <= MODULE_VARIABLES.keys()
    if "# …" not in snippet:  # what a page leaves out, it marks
        assert call.keys() >= {"name", "environment", "packages"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.relative_to(ROOT / "examples").as_posix())
def test_an_example_fits_the_module(example: Path) -> None:
    call = call_of((example / "main.tf").read_text("utf-8"))
    assert call.keys() - {"source"} <= MODULE_VARIABLES.keys()
    assert call.keys() >= {"name", "environment", "packages"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.relative_to(ROOT / "examples").as_posix())
def test_the_command_finds_what_an_example_has_deployed(example: Path) -> None:
    outputs = {
        name: one for path in example.glob("*.tf") for name, one in blocks(path.read_text("utf-8"), "output").items()
    }
    assert "module.ai_jobs}" in str(outputs["ai_jobs"]["value"])


def test_every_example_uses_the_release_of_this_checkout() -> None:
    """Whoever copies one gets what its README describes."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    source = ("https://github.com/your-org/ai-jobs.git", "modules/ai-jobs", f"v{version}")
    assert sources() == {source}
    assert [root for root in EXAMPLES if not SOURCE.search((root / "main.tf").read_text("utf-8"))] == []


@pytest.mark.parametrize("folder", sorted({root.relative_to(ROOT / "examples").parts[0] for root in EXAMPLES}))
def test_an_example_says_how_to_run_it_and_what_it_costs(folder: str) -> None:
    text = (ROOT / "examples" / folder / "README.md").read_text("utf-8")
    headings = set(re.findall(r"^## (.*)$", text, re.MULTILINE))
    assert "What it costs to leave on" in headings
    assert headings & {"On your machine", "Plan it here"}


def test_there_are_snippets_and_examples() -> None:
    assert len(SNIPPETS) >= 1
    assert {"complete"} <= {example.name for example in EXAMPLES}
