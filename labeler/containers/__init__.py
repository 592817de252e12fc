"""One module a byte layout, each reading and writing the AIGC item in the slot the TC260 guides name.

A container module defines

    NAME      what people call it ("PNG")
    MEDIA     what it holds
    SUFFIXES  its usual file name endings, lower case, the first one preferred
    MIME      its media type
    SLOT      the normative slot as the guide names it; "" where the guides name none
    sniff(data, suffix) -> bool            is this byte layout here? Binary formats ignore the suffix.
    read(data) -> list[Copy]               every copy of the AIGC item, in file order
    write(data, item) -> list[Piece]       the file with `item` in the normative slot and no other copy

and, where it applies,

    media(data) -> Media                   where the layout holds several kinds (an audio-only MP4)
    graft(source, encoded) -> list[Piece]  the metadata of `source` around the signal of `encoded`, a
                                           freshly encoded file of the same layout; Spans are of `source` for
                                           pictures, of `encoded` for sound and film, which are long
    text(data) -> str                      documents: the text a reader sees
    margins(data) -> Mapping[str, str]     documents: the text that every page shows at its "start" and "end"
    unread(data) -> str                    documents: why words may stand there that text() cannot give, or ""
    insert(data, notice, place, form) -> list[Piece]   documents: a "line" or "corner" notice put at the "start"
                                           or "end"

`data` is the whole file, mapped: index only what you need, trust no length in it. Damage that makes the
item unreadable raises BadInput; damage elsewhere is left alone.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast

from labeler.discover import modules
from labeler.metadata import Deviation
from policies.errors import BadInput, Unsupported
from policies.terms import Media

MAX_COPIES = 64
"""No file in the wild has more copies of the item; what has is damaged or hostile."""

MAX_PARTS = 1 << 20
"""Chunks or segments in one file: more than any real file has, so few that a walk over them takes seconds."""

Buffer: TypeAlias = "bytes | mmap.mmap"


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` to `stop` of the source, carried over as they are."""

    start: int
    stop: int


Piece: TypeAlias = "bytes | Span"


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of the AIGC item: its value as found (text, or a mapping where the slot is one), and where.

    `deviations` are those that only the reader of the slot can see. A `generic` slot is one for any text.
    """

    value: str | Mapping[str, Any]
    where: str
    normative: bool = True
    deviations: tuple[Deviation, ...] = ()
    generic: bool = False


class Container(Protocol):
    """What every container module offers; the optional functions are looked up where they are used."""

    NAME: str
    MEDIA: Media
    SUFFIXES: tuple[str, ...]
    MIME: str
    SLOT: str

    def sniff(self, data: Buffer, suffix: str) -> bool: ...
    def read(self, data: Buffer) -> list[Copy]: ...
    def write(self, data: Buffer, item: str) -> list[Piece]: ...


def containers() -> dict[str, Container]:
    """Every container by its module name, which is also its name in reports."""
    return cast("dict[str, Container]", modules(__name__))


def identify(data: Buffer, suffix: str) -> tuple[str, Container]:
    """The container these bytes are. The name's suffix only chooses among layouts the bytes allow."""
    matches = [(name, c) for name, c in containers().items() if c.sniff(data, suffix)]
    if not matches:
        known = ", ".join(f"{c.NAME} ({c.SUFFIXES[0]})" for c in containers().values())
        raise Unsupported(f"not a format biaoshi knows; it reads and writes {known}")
    return next((m for m in matches if suffix in m[1].SUFFIXES), matches[0])


def render(data: Buffer, pieces: Sequence[Piece]) -> bytes:
    """The pieces joined in memory: for small files and tests."""
    return b"".join(data[p.start : p.stop] if isinstance(p, Span) else p for p in pieces)


class CutShort(BadInput):
    """A length runs past the end of what encloses it."""


def take(data: Buffer, start: int, size: int, what: str, end: int | None = None) -> bytes:
    """`size` bytes at `start`, or CutShort when they run past `end` (default: the file's end)."""
    stop = start + size
    if size < 0 or start < 0 or stop > (len(data) if end is None else min(end, len(data))):
        raise CutShort(f"{what} runs past the end of what encloses it; the file is cut short or damaged")
    return data[start:stop]


def before_the_cut(copies: Iterable[Copy]) -> list[Copy]:
    """The copies up to where the file is cut short; CutShort where that leaves none, for then one may be missing."""
    found: list[Copy] = []
    try:
        for copy in copies:
            if len(found) == MAX_COPIES:
                raise BadInput(f"over {MAX_COPIES} AIGC items in one file, where one belongs; the file is damaged")
            found.append(copy)
    except CutShort:
        if not found:
            raise
    return found


def splice(size: int, edits: Iterable[tuple[int, int, bytes]]) -> list[Piece]:
    """The source's `size` bytes with `new` in the place of each edit (start, stop, new); all others as Spans.

    Edits do not overlap; those that insert at one offset keep their order.
    """
    pieces: list[Piece] = []
    position = 0
    for start, stop, new in sorted(edits, key=lambda edit: edit[:2]):
        pieces += [Span(position, start), new]
        position = stop
    pieces.append(Span(position, size))
    return [p for p in pieces if (p.start < p.stop if isinstance(p, Span) else p)]
