"""The elements of a JSON array, one after another, from a file that may be larger than memory."""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK_BYTES = 1 << 16

_BLANKS = re.compile(r"[ \t\r\n]*")

_EXCERPT = 40


class NotAnArrayError(ValueError):
    """The file is not a JSON array; the message says what is wrong."""


def elements(content: BinaryIO) -> Iterator[Any]:
    """The elements of the array that begins here. Only one of them and a chunk of the file are in memory.

    Raises:
        NotAnArrayError: if something follows the elements read so far that does not belong there.
        RecursionError: if an element is nested too deeply.
        UnicodeDecodeError: if the file is not UTF-8 text.
    """
    reader = _Reader(content)
    reader.take("[")
    if reader.next_character() != "]":
        yield reader.value()
        while reader.next_character() == ",":
            reader.take(",")
            yield reader.value()
    reader.take("]")
    if reader.next_character():
        raise reader.wrong("there is more after the array's end")


class _Reader:
    def __init__(self, content: BinaryIO) -> None:
        self._content = content
        self._utf_8 = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self._is_all = False

    def next_character(self) -> str:
        """The next character that is not blank; empty at the end of the file."""
        while True:
            self._at = _BLANKS.match(self._text, self._at).end()  # type: ignore[union-attr]  # it matches nothing, too
            if self._at < len(self._text) or self._is_all:
                return self._text[self._at : self._at + 1]
            self._read_on()

    def take(self, character: str) -> None:
        """Move past this character."""
        if self.next_character() != character:
            raise self.wrong(f"a {character} is missing")
        self._at += 1

    def value(self) -> Any:
        """The value that begins here."""
        self.next_character()
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._is_all:
                    raise self.wrong(error.msg, error.pos) from None
            else:
                # What ends with the text read so far may go on in what comes next, as a number does.
                if end < len(self._text) or self._is_all:
                    self._at = end
                    return value
            self._read_on()

    def wrong(self, what: str, at: int | None = None) -> NotAnArrayError:
        """The error that names what is wrong, and shows where."""
        rest = self._text[self._at if at is None else at :][:_EXCERPT]
        return NotAnArrayError(f"{what}, at {rest!r}" if rest else f"{what}, at its end")

    def _read_on(self) -> None:
        """Drop what was consumed, and read as much again as is left: a long value is not parsed over and over."""
        rest = self._text[self._at :]
        chunk = self._content.read(max(_CHUNK_BYTES, len(rest)))
        self._text, self._at, self._is_all = rest + self._utf_8.decode(chunk, final=not chunk), 0, not chunk
