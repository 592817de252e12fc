"""The ISO base media file format's boxes (ISO/IEC 14496-12, 4.2), and edits of a file made of them.

A box is a 32-bit size, a four-character type and a body; size 1 says that a 64-bit size follows, size 0, at the
top level only, that the box runs to the end of the file.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labeler.containers import Buffer, Piece, Span, take
from policies.errors import BadInput, TooLarge

MAX_BOXES = 1 << 20
"""Boxes of the file itself; nine hours of one-frame fragments stay below it."""

MAX_CHILDREN = 1 << 16
"""Boxes side by side in another one; tracks, tags and names come in hundreds."""

MAX_EDITS = 1 << 21
"""Changes in one file: two for each of MAX_BOXES fragments."""

PADDING = frozenset({b"free", b"skip"})
_MAX_SIZE = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its type, and the offsets of its header, its body and its end."""

    kind: bytes
    start: int
    body: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start

    @property
    def span(self) -> Span:
        return Span(self.start, self.stop)


def boxes(data: Buffer, start: int, stop: int) -> Iterator[Box]:
    """The boxes from `start` to `stop`, each within them; BadInput for one that is not.

    Less than a header, or a header of zeros (QuickTime's end of a user data list), ends them.
    """
    position = start
    for _ in range(MAX_CHILDREN):
        if stop - position < 8 or data[position : position + 8] == bytes(8):
            return
        box = _header(data, position, stop)
        if box.stop > stop:
            raise BadInput(f"box {_name(box.kind)} at byte {position} runs past what encloses it; the file is damaged")
        yield box
        position = box.stop
    raise TooLarge(f"over {MAX_CHILDREN} boxes side by side before byte {position}; no real file has that many")


def top(data: Buffer) -> list[Box]:
    """The boxes of the file itself; the last one of a file cut short ends where the file does."""
    found: list[Box] = []
    position = 0
    while len(data) - position >= 8:
        try:
            box = _header(data, position, len(data), to_end=True)
        except BadInput:
            break  # something else was appended to the file; it stays where it is
        found.append(Box(box.kind, box.start, box.body, min(box.stop, len(data))))
        position = box.stop
        if len(found) > MAX_BOXES:
            raise TooLarge(f"over {MAX_BOXES} boxes in the file; no real file has that many")
    return found


def is_cut(data: Buffer, box: Box) -> bool:
    """Whether a box that `top` returned ends before its own size says."""
    return _header(data, box.start, len(data), to_end=True).stop > box.stop


def _header(data: Buffer, position: int, stop: int, to_end: bool = False) -> Box:
    size, kind = struct.unpack(">I4s", take(data, position, 8, "a box header", stop))
    body = position + 8
    if size == 1:
        (size,) = struct.unpack(">Q", take(data, body, 8, "a 64-bit box size", stop))
        body += 8
    elif size == 0 and to_end:
        size = stop - position
    if position + size < body:
        raise BadInput(f"box {_name(kind)} at byte {position} is smaller than its own header; the file is damaged")
    return Box(kind, position, body, position + size)


def _name(kind: bytes) -> str:
    return repr(kind.decode("latin-1"))


def children(data: Buffer, box: Box, kind: bytes | None = None) -> list[Box]:
    """The boxes in a box's body, or those of one type."""
    return [b for b in boxes(data, body_of(data, box), box.stop) if kind is None or b.kind == kind]


def body_of(data: Buffer, box: Box) -> int:
    """Where the boxes inside a box begin: `meta` has version and flags before them in ISO files, not in QuickTime."""
    if box.kind != b"meta" or data[box.body + 4 : box.body + 8] == b"hdlr":
        return box.body
    return min(box.body + 4, box.stop)


def end_of(data: Buffer, box: Box) -> int:
    """Where another box can be put behind those in a box: before a terminator or stray bytes, which end them."""
    inner = children(data, box)
    return inner[-1].stop if inner else body_of(data, box)


def chains(data: Buffer, box: Box, *path: bytes) -> Iterator[tuple[Box, ...]]:
    """Every box that the types in `path` lead to from `box`, with all the boxes on the way: (box, …, found)."""
    if not path:
        yield (box,)
        return
    for inner in children(data, box, path[0]):
        for chain in chains(data, inner, *path[1:]):
            yield (box, *chain)


def first(data: Buffer, box: Box, *path: bytes) -> Box | None:
    """The first box that the types in `path` lead to."""
    return next((chain[-1] for chain in chains(data, box, *path)), None)


def full(data: Buffer, box: Box) -> tuple[int, int]:
    """A FullBox's version and flags."""
    (word,) = struct.unpack(">I", take(data, box.body, 4, f"box {_name(box.kind)}", box.stop))
    return word >> 24, word & 0xFFFFFF


def number(data: Buffer, box: Box, position: int, width: int = 4) -> int:
    """An unsigned number `width` bytes wide at `position` in `box`; BadInput where it is not in it."""
    return int.from_bytes(take(data, position, width, f"box {_name(box.kind)}", box.stop), "big")


def box(kind: bytes, *body: bytes) -> bytes:
    """A box with that body."""
    content = b"".join(body)
    return struct.pack(">I4s", 8 + len(content), kind) + content


class Edits:
    """Replacements of byte ranges in a file of boxes; the boxes around them get their new sizes by themselves."""

    def __init__(self, data: Buffer) -> None:
        self.data = data
        self._edits: list[tuple[int, int, tuple[Piece, ...]]] = []
        self._growth: Counter[Box] = Counter()
        self.growth = 0

    def replace(self, start: int, stop: int, new: Sequence[Piece], inside: Sequence[Box] = ()) -> None:
        """Put `new` in the place of `start` to `stop`; `inside` are all the boxes that hold the range."""
        if len(self._edits) >= MAX_EDITS:
            raise TooLarge(f"over {MAX_EDITS} offsets would have to change; no real file has that many")
        growth = _size(new) - (stop - start)
        self._edits.append((start, stop, tuple(new)))
        self.growth += growth
        for outer in inside:
            self._growth[outer] += growth

    def overwrite(self, start: int, new: bytes) -> None:
        """Put `new` over as many bytes."""
        self.replace(start, start + len(new), [new])

    def insert(self, at: int, new: bytes, inside: Sequence[Box]) -> None:
        """Put `new` before the byte at `at`; later insertions at one place come behind earlier ones."""
        self.replace(at, at, [new], inside)

    def delete(self, box: Box, inside: Sequence[Box]) -> None:
        self.replace(box.start, box.stop, [], inside)

    def replaced(self, found: Box) -> bool:
        """Whether the whole of a box is to be replaced or deleted."""
        return any(start <= found.start and found.stop <= stop for start, stop, _ in self._edits)

    def growths(self) -> list[tuple[int, int]]:
        """Where, in the source, bytes that stay begin to lie elsewhere, and by how much more each."""
        sizes = [(stop, _size(new) - (stop - start)) for start, stop, new in self._edits]
        return [(stop, size) for stop, size in sizes if size]

    def pieces(self, start: int = 0, stop: int | None = None) -> list[Piece]:
        """The edited file, or the edited range of it."""
        stop = len(self.data) if stop is None else stop
        edits = [e for e in (*self._edits, *self._sizes()) if start <= e[0] and e[1] <= stop]
        pieces: list[Piece] = []
        position = start
        for begin, end, new in sorted(edits, key=lambda e: e[:2]):
            if begin < position:
                raise BadInput(f"the boxes around byte {begin} overlap; the file is damaged")
            if begin > position:
                pieces.append(Span(position, begin))
            pieces += [p for p in new if p]
            position = end
        if stop > position:
            pieces.append(Span(position, stop))
        return pieces

    def _sizes(self) -> Iterator[tuple[int, int, tuple[Piece, ...]]]:
        for outer, growth in self._growth.items():
            size = outer.size + growth
            if not growth:
                continue
            if outer.body - outer.start >= 16:
                yield outer.start + 8, outer.start + 16, (struct.pack(">Q", size),)
            elif size > _MAX_SIZE:
                raise BadInput(f"box {_name(outer.kind)} would grow past 4 GiB; make the metadata in it smaller")
            else:
                yield outer.start, outer.start + 4, (struct.pack(">I", size),)


def _size(pieces: Sequence[Piece]) -> int:
    return sum(p.stop - p.start if isinstance(p, Span) else len(p) for p in pieces)
