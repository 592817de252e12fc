"""Text files: their encoding, their newline, and edits that leave every other byte as it is."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from labeler.containers import Buffer, Piece, splice
from policies.errors import BadInput, TooLarge

MAX_SIZE = 64 << 20
"""Bytes; documents are handled in memory, and no document of words comes near it."""

HEAD = 64 << 10
"""Bytes that are looked at to tell text from binary."""

Edit: TypeAlias = "tuple[int, int, str]"
"""Characters `start` to `stop` of a text, and what stands there instead."""

# The longer mark first: UTF-32's little-endian one begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# GB18030 is the encoding that GB 18030-2022 obliges Chinese products to read; it holds GBK and GB2312.
_UNMARKED = ("utf-8", "gb18030")
_NEWLINE = re.compile(r"\r\n|\n|\r")
_CONTROLS = frozenset(map(chr, range(32))) - frozenset("\t\n\f\r")


@dataclass(frozen=True)
class Text:
    """A decoded text file. `text` is without the byte order mark, which is `bom`."""

    text: str
    encoding: str
    bom: bytes

    @cached_property
    def newline(self) -> str:
        """The line ending of the first line; LF where there is but one line."""
        first = _NEWLINE.search(self.text)
        return first[0] if first else "\n"

    def splice(self, data: Buffer, edits: Sequence[Edit], errors: str = "strict") -> list[Piece]:
        """`data` with the edits made; all bytes around them are Spans.

        Edits must not overlap. `errors` is the codec's way with characters that the file's encoding lacks.
        """
        in_bytes: list[tuple[int, int, bytes]] = []
        position, offset = 0, len(self.bom)
        for start, stop, new in sorted(edits):
            begin = offset + self._size(position, start)
            offset = begin + self._size(start, stop)
            position = stop
            in_bytes.append((begin, offset, self._encode(new, errors)))
        if offset + self._size(position, len(self.text)) != len(data):
            raise BadInput(f"the text is not in regular {self.encoding}; save it as UTF-8")
        return splice(len(data), in_bytes)

    def _size(self, start: int, stop: int) -> int:
        return len(self.text[start:stop].encode(self.encoding))

    def _encode(self, new: str, errors: str) -> bytes:
        try:
            return new.encode(self.encoding, errors)
        except UnicodeEncodeError as error:
            raise BadInput(
                f"{self.encoding} has no {error.object[error.start]!r}; save the text as UTF-8 first"
            ) from error


def decode(data: Buffer, declared: str = "") -> Text:
    """The file's text, by its byte order mark, else as `declared` (HTML says), else UTF-8 or GB18030.

    Raises TooLarge beyond 64 MiB and BadInput for bytes that are no text in any of them.
    """
    if len(data) > MAX_SIZE:
        raise TooLarge(f"the text is {len(data)} bytes long, over the {MAX_SIZE} that are handled; split it")
    content = data[: len(data)]
    bom, marked = _mark(content)
    for encoding in (marked,) if marked else (declared, *_UNMARKED) if declared else _UNMARKED:
        try:
            return Text(content[len(bom) :].decode(encoding), encoding, bom)
        except (UnicodeError, LookupError):
            continue
    tried = marked or ", ".join(_UNMARKED)
    raise BadInput(f"the text cannot be read as {tried}; save it as UTF-8")


def looks_like_text(data: Buffer) -> bool:
    """Whether the first 64 KiB decode and hold no control character: one that is no text is told at once."""
    return head(data) is not None


def head(data: Buffer) -> str | None:
    """The first 64 KiB as text, or None where they are none."""
    start = data[:HEAD]
    bom, marked = _mark(start)
    for encoding in (marked,) if marked else _UNMARKED:
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            text = decoder.decode(start[len(bom) :], final=len(data) <= HEAD)
        except UnicodeError:
            continue
        return None if _CONTROLS & set(text) else text
    return None


def _mark(data: bytes) -> tuple[bytes, str]:
    return next(((mark, encoding) for mark, encoding in _MARKS if data.startswith(mark)), (b"", ""))


def line_edit(text: Text, line: str, place: str, start: int = 0) -> Edit:
    """`line` as a paragraph of its own: at character `start` and before what follows, or at the end."""
    newline = text.newline
    if place == "start":
        return (start, start, f"{line}{newline}{newline}")
    end = len(text.text)
    gap = "" if text.text.endswith(newline * 2) or not text.text else newline
    if text.text and not text.text.endswith(("\n", "\r")):
        gap = newline * 2
    return (end, end, f"{gap}{line}{newline}")
