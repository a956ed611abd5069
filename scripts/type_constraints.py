"""Reads the types of Terraform variables, with the comments in them: what a caller may set, and what it means.

python-hcl2 reads HCL, too, but drops the comments. A comment above an attribute, or behind it on the same line, is its
description.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

TOKEN = re.compile(r'#[^\n]*|"(?:[^"\\]|\\.)*"|[\w.-]+|[^\s\w]')
CONTAINERS = ("map", "list", "set")


@dataclass
class Constraint:
    """A type: a word such as `number`, with the element type of a map, list, or set, or the attributes of an object."""

    word: str
    element: Constraint | None = None
    attributes: list[Attribute] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The type without its attributes: `number`, `list(string)`, `map(object)`."""
        return f"{self.word}({self.element.label})" if self.element else self.word

    @property
    def members(self) -> list[Attribute]:
        """The attributes of the object that this is, or that its elements are."""
        return self.element.members if self.element else self.attributes


@dataclass
class Attribute:
    """An attribute of an object type. The default is source text, and None if callers must set the attribute."""

    name: str
    type: Constraint
    default: str | None
    meaning: str


def parse(source: str) -> Constraint:
    """The type in this source text, as `terraform fmt` writes it."""
    return _Reader(source).constraint()


class _Reader:
    """Reads one expression off the front of the tokens at a time."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = list(TOKEN.finditer(source))
        self.end = 0  # of the last token
        self.behind = False  # whether the last token is on the line of the one before it

    def constraint(self) -> Constraint:
        word = self._next()
        if word == "object":
            return self._object()
        if word not in CONTAINERS:
            return Constraint(word)
        self._next()  # (
        element = self.constraint()
        self._next()  # )
        return Constraint(word, element)

    def _object(self) -> Constraint:
        self._next()  # (
        self._next()  # {
        found, comment = Constraint("object"), ""
        while (word := self._next()) != "}":
            if word.startswith("#"):
                comment += f" {word.lstrip('# ')}"
                if self.behind and found.attributes:  # an attribute on the same line
                    found.attributes[-1].meaning, comment = comment.strip(), ""
            elif word != ",":
                found.attributes.append(self._attribute(word, comment.strip()))
                comment = ""
        self._next()  # )
        return found

    def _attribute(self, name: str, meaning: str) -> Attribute:
        self._next()  # =
        if self.tokens[0].group() != "optional":
            return Attribute(name, self.constraint(), None, meaning)
        self._next()
        self._next()  # (
        kind = self.constraint()
        return Attribute(name, kind, self._default(), meaning)

    def _default(self) -> str:
        """What follows the type in optional(type, default), up to the closing parenthesis, which is consumed."""
        start, depth = self.tokens[0].end(), 0
        while depth or self.tokens[0].group() != ")":
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(self._next(), 0)
        end = self.tokens[0].start()
        self._next()  # )
        return self.source[start:end].strip() or "null"

    def _next(self) -> str:
        token = self.tokens.pop(0)
        self.behind = "\n" not in self.source[self.end : token.start()]
        self.end = token.end()
        return token.group()
