"""The attributes of the module's variables: Terraform silently drops a misspelled one."""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from importlib import resources
from typing import TYPE_CHECKING, Any

from ai_jobs.cli.exits import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


_VARIABLE = re.compile(r'^\s*variable\s+"?([\w-]+)"?\s*\{', re.MULTILINE)


def given_to(call: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a module call as far as a plan shows them: constants, and variables passed on unchanged.

    A plan only names what an expression refers to, so `{ cors = var.cors }` looks like `var.cors`. A variable whose
    name differs from the argument's counts if it has at least one of the argument's attributes; otherwise, nothing can
    be said about it.
    """
    given: dict[str, Any] = {}
    known = _known_attributes()
    for argument, expression in call.get("expressions", {}).items():
        references = _variables_in(expression) if isinstance(expression, dict) else []
        if isinstance(expression, dict) and "constant_value" in expression:
            given[argument] = expression["constant_value"]
        elif len(references) == 1:
            variable = references[0].removeprefix("var.")
            value = variables.get(variable, {}).get("value")
            if variable == argument or _shares_attribute(value, known.get(argument)):
                given[argument] = value
    return given


def _variables_in(expression: Mapping[str, Any]) -> list[str]:
    # Values of resources and locals may be merged with a variable's: what the variable has stays in it.
    return [one for one in expression.get("references", []) if one.startswith("var.")]


def _known_attributes() -> dict[str, Any]:
    text = resources.files("ai_jobs.cli").joinpath("module_attributes.json").read_text(encoding="utf-8")
    known: dict[str, Any] = json.loads(text)
    return known


def _shares_attribute(value: Any, known: Mapping[str, Any] | None) -> bool:
    return isinstance(value, dict) and known is not None and ("*" in known or not known.keys().isdisjoint(value))


def dropped_attributes(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The attributes of objects that Terraform drops, because the module's variables don't have them.

    Yields:
        The path of each, and what it may have been meant to be.
    """
    known = _known_attributes()
    for name in given:
        if name in known:
            yield from _unknown(given[name], known[name], name)


def _unknown(value: Any, known: Mapping[str, Any] | None, path: str) -> Iterator[tuple[str, str]]:
    if known is None or not isinstance(value, dict | list):
        return
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        name = str(key)
        if "*" in known or name in known:
            yield from _unknown(inner, known.get("*", known.get(name)), f"{path}.{name}")
        elif isinstance(value, dict):
            close = get_close_matches(name, known, n=1)
            names = ", ".join(sorted(known))
            yield (f"{path}.{name}", f"did you mean {close[0]}?" if close else f"it has {names}.")


def undeclared_variables(given: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    """The values that no variable of the folder's root module takes: Terraform only warns of them.

    Yields:
        The name of each, and what it may have been meant to be; nothing if the folder declares no variables.
    """
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.glob("*.tf")))
    declared = [name for text in texts for name in _VARIABLE.findall(text)]
    for name in given if declared else ():
        if name not in declared:
            close = get_close_matches(name, declared, n=1)
            yield name, f"did you mean {close[0]}?" if close else f"it has {', '.join(sorted(declared))}."


def parsed_hcl(text: str, file: Path) -> dict[str, Any]:
    """The content of a *.tfvars file. Raises a Problem if it can't be parsed."""
    # This import takes a second, and only these files need it.
    import hcl2

    try:
        # Without comments and escapes: only the names of the attributes matter.
        document: dict[str, Any] = _unquoted(hcl2.loads(text))
    except Exception as error:
        # Its errors come from its parser generator; all that they say is where.
        raise Problem(
            f"{file} can't be parsed ({type(error).__name__}). Run terraform fmt, which says what is wrong with it."
        ) from error
    return document


def _unquoted(value: Any) -> Any:
    """The same without the quotes that the parser leaves around quoted names."""
    if isinstance(value, dict):
        return {str(name).strip('"'): _unquoted(inner) for name, inner in value.items()}
    return [_unquoted(inner) for inner in value] if isinstance(value, list) else value
