"""Plain text: no header and so no slot for metadata (PG-20258A names none); a notice line is all it can carry."""

from __future__ import annotations

from labeler.containers import Buffer, Copy, Piece, _text
from policies.errors import Unsupported
from policies.terms import Media

NAME = "plain text"
MEDIA = Media.TEXT
SUFFIXES = (".txt", ".text")
MIME = "text/plain"
SLOT = ""

_CORNER = "[{}]"


def sniff(data: Buffer, suffix: str) -> bool:
    """Text that calls itself so, or nothing: a line of notice would break JSON, RTF or a program."""
    return suffix in ("", *SUFFIXES) and _text.looks_like_text(data)


def read(data: Buffer) -> list[Copy]:
    return []


def write(data: Buffer, item: str) -> list[Piece]:
    raise Unsupported("plain text has no metadata slot; label it with an explicit notice, or store it as Markdown")


def text(data: Buffer) -> str:
    return _text.decode(data).text


def insert(data: Buffer, notice: str, place: str, form: str = "line") -> list[Piece]:
    """The notice on a line of its own, a blank line between it and the text; a corner mark in brackets."""
    content = _text.decode(data)
    line = notice if form == "line" else _CORNER.format(notice)
    return content.splice(data, [_text.line_edit(content, line, place)])
