"""Whether a file is what it says it is, by its first bytes.

A table of our own, because there are few types: the libraries (puremagic, filetype) know hundreds of others, but don't
tell an Office document from another zip archive by its beginning, and text not at all.
"""

from __future__ import annotations

import codecs
import re

from ai_jobs.aws.uploads import BEGINNING_BYTES
from ai_jobs.contract.limits import MEDIA_TYPES

_OFFICE = {
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "word/",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xl/",
}
_ZIP = "application/zip"

# https://www.iana.org/assignments/media-types and the specifications that it names. Types that no job can have are here
# because people attach them.
_BEGINNINGS = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*%PDF-"), "application/pdf"),
    (re.compile(rb"PK(?:\x03\x04|\x05\x06|\x07\x08)"), _ZIP),
    (re.compile(rb".{4}ftyp(?:heic|heix|hevc|mif1|msf1|avif)", re.DOTALL), "image/heic or image/avif"),
    (re.compile(rb"(?:II\*\x00|MM\x00\*)"), "image/tiff"),
    (re.compile(rb"BM.{4}\x00{4}", re.DOTALL), "image/bmp"),
    (re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "an Office document of before 2007"),
    (re.compile(rb"\x1f\x8b"), "application/gzip"),
)
_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body|script)\b", re.IGNORECASE)

# The name in the header of each file in a zip archive:
# https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (4.3.7).
_ZIPPED_NAME = re.compile(rb"PK\x03\x04.{22}(..)..([ -~]*)", re.DOTALL)
_OF_OFFICE = ("[Content_Types].xml", "_rels/", "docProps/", "customXml/", *_OFFICE.values())


def problem_of(beginning: bytes, media_type: str, *, is_whole: bool) -> str | None:
    """What shows that a file is not of this type, as a sentence without its subject; None if nothing does.

    Args:
        beginning: its first bytes, a few hundred at least.
        media_type: one of `ai_jobs.contract.limits.MEDIA_TYPES`.
        is_whole: whether that is all of it.
    """
    if not beginning:
        return "is empty (0 bytes)."
    found = _type_of(beginning)
    if found == media_type:
        return None
    if found is None and media_type.startswith("text/"):
        return _problem_of_text(beginning, is_whole=is_whole)
    if found == _ZIP and media_type in _OFFICE and _may_be(beginning, media_type):
        return None
    return f"is not {_named(media_type)}: its content is {found or _described(beginning, is_whole=is_whole)}."


def _type_of(beginning: bytes) -> str | None:
    return next((name for pattern, name in _BEGINNINGS if pattern.match(beginning)), None)


def _may_be(beginning: bytes, media_type: str) -> bool:
    """Are the first files in this zip archive those of an Office document, and of no other kind of document?

    No more than the first: a Word document can contain an Excel document, with all of its files.
    """
    found = _ZIPPED_NAME.finditer(beginning[:BEGINNING_BYTES])
    names = [one[2][: int.from_bytes(one[1], "little")].decode() for one in found]
    others = tuple(folder for other, folder in _OFFICE.items() if other != media_type)
    return bool(names) and names[0].startswith(_OF_OFFICE) and not any(name.startswith(others) for name in names)


def _problem_of_text(beginning: bytes, *, is_whole: bool) -> str | None:
    if b"\x00" in beginning:
        return "is not text: it contains a byte 0. Send text in UTF-8."
    try:
        codecs.getincrementaldecoder("utf-8")().decode(beginning, final=is_whole)
    except UnicodeDecodeError as error:
        return f"is not text in UTF-8 (byte {error.start + 1}). Convert it."
    return None


def _described(beginning: bytes, *, is_whole: bool) -> str:
    if _HTML.match(beginning):
        return "text/html"
    return "of an unknown type" if _problem_of_text(beginning, is_whole=is_whole) else "text"


def _named(media_type: str) -> str:
    return f"{media_type} (.{MEDIA_TYPES[media_type]['extensions'][0]})"
