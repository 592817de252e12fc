"""Making room in a movie: the padding behind `moov` used up first, and every absolute offset kept true after that.

Absolute file offsets stand in stco, co64, saio, tfhd, tfra and iloc (ISO/IEC 14496-12, 8.7.5, 8.7.9, 8.8.7, 8.8.10,
8.11.3); sidx (8.16.3) counts from its own end, which matters only where `moov` lies between it and the data.
"""

from __future__ import annotations

import struct
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

from labeler.containers import Buffer, Piece, Span
from labeler.containers._bmff import PADDING, Box, Edits, box, chains, children, full, number
from policies.errors import BadInput

RESERVE = 1024
"""Bytes left free behind a `moov` that had to grow: the propagator's half of the label fits without another move."""

_CHUNK = 1 << 16
_REMUX = "remux it (ffmpeg -i in.mp4 -map 0 -c copy out.mp4) and label the result"


class Shift:
    """Where the byte at an offset of the source lies after the edits; `growths` as `Edits.growths` gives them."""

    def __init__(self, growths: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(growths)
        self._places = [place for place, _ in ordered]
        self._moves = [0, *accumulate(growth for _, growth in ordered)]
        self.first = self._places[0] if ordered else sys.maxsize

    def __call__(self, offset: int) -> int:
        return offset + self._moves[bisect_right(self._places, offset)]


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of absolute offsets: the boxes down to it, its first entry's place, the number and width of entries."""

    chain: tuple[Box, ...]
    start: int
    count: int
    width: int
    top: int = 0

    @property
    def box(self) -> Box:
        return self.chain[-1]

    def values(self, data: Buffer) -> Iterator[tuple[int, ...]]:
        """The entries, a bounded number at a time."""
        code = "I" if self.width == 4 else "Q"
        for done in range(0, self.count, _CHUNK):
            count = min(_CHUNK, self.count - done)
            yield struct.unpack_from(f">{count}{code}", data, self.start + done * self.width)


def settle(edits: Edits, tops: list[Box], moov: Box) -> None:
    """Account for what the edits in and behind `moov` changed in size; adds the edits that keep all offsets true.

    The data behind stays where it is if the padding there can take the change. Otherwise it moves once, and
    RESERVE bytes of padding are left for the next change. Raises BadInput where an offset cannot be kept true.
    """
    tables = _tables(edits.data, moov)
    _make_room(edits, tops, moov, tables)
    growths = edits.growths()
    if not growths:
        return
    # The most that anything can move by, if every table is widened; a table too narrow for that is.
    most = sum(max(g, 0) for _, g in growths) + sum(t.count * 4 for t in tables if t.width == 4)
    start = min(place for place, _ in growths)
    metas = [chain[-1] for chain in _staying(edits, moov, (b"meta",), (b"trak", b"meta"), (b"udta", b"meta"))]
    wide = [t for t in tables if t.width == 4 and t.top >= start and t.top + most >= 1 << 32]
    shift = Shift([*growths, *((t.box.stop, t.count * 4) for t in wide)])
    for table in tables:
        if table.top >= shift.first or table in wide:
            _rewrite(edits, table, shift, table in wide)
    for found in tops:
        if found.kind in _MOVERS:
            _MOVERS[found.kind](edits, found, shift)
    for meta in metas:
        _move_items(edits, meta, shift)


def _make_room(edits: Edits, tops: list[Box], moov: Box, tables: list[_Table]) -> None:
    behind = tops[tops.index(moov) + 1 :]
    padding = _padding(behind)
    if any(_points_into(edits.data, t, moov.stop, padding[-1].stop) for t in tables if padding):
        padding = []  # not padding after all: samples lie in it
    stop = padding[-1].stop if padding else moov.stop
    if len(padding) == len(behind) and all(t.top < stop for t in tables):
        return
    if not _fits(edits.growth, stop - moov.stop) and edits.growth > 0:
        _drop_inner_padding(edits, moov)
    slack = stop - moov.stop
    left = slack - edits.growth if _fits(edits.growth, slack) else RESERVE
    if left != slack:
        edits.replace(moov.stop, stop, _free(left, stop, slack))


def _padding(behind: list[Box]) -> list[Box]:
    count = next((i for i, b in enumerate(behind) if b.kind not in PADDING), len(behind))
    return behind[:count]


def _fits(growth: int, slack: int) -> bool:
    """Whether padding of `slack` bytes can take the change: what is left of it must be nothing, or be a box."""
    return growth == slack or slack - growth >= 8


def _free(size: int, stop: int, slack: int) -> list[Piece]:
    """A free box of that size; its body is the old padding before `stop` as far as that goes."""
    if not size:
        return []
    header = struct.pack(">I4s", size, b"free") if size < 1 << 32 else struct.pack(">I4sQ", 1, b"free", size)
    room = size - len(header)
    if room <= slack:
        return [header, Span(stop - room, stop)] if room else [header]
    return [header + bytes(room)]


def _drop_inner_padding(edits: Edits, moov: Box) -> None:
    """Padding inside the user data, as iTunes leaves it beside `ilst`, is used before anything moves."""
    for chain in _staying(edits, moov, (b"udta",), (b"udta", b"meta")):
        for inner in children(edits.data, chain[-1]):
            if inner.kind in PADDING:
                edits.delete(inner, chain)


def _staying(edits: Edits, moov: Box, *paths: tuple[bytes, ...]) -> list[tuple[Box, ...]]:
    """The boxes that the paths lead to and that are not to be deleted, each with those around it."""
    return [c for path in paths for c in chains(edits.data, moov, *path) if not edits.replaced(c[-1])]


def _tables(data: Buffer, moov: Box) -> list[_Table]:
    return [
        _table(data, (*chain, inner))
        for chain in chains(data, moov, b"trak", b"mdia", b"minf", b"stbl")
        if _own_data(data, chain[3])
        for inner in children(data, chain[-1])
        if inner.kind in (b"stco", b"co64", b"saio")
    ]


def _own_data(data: Buffer, minf: Box) -> bool:
    """Whether a track's samples lie in this file: the flag of each data reference says so (8.7.2)."""
    own = {
        bool(full(data, entry)[1] & 1)
        for *_, dref in chains(data, minf, b"dinf", b"dref")
        for entry in _refs(data, dref)
    }
    if own == {True, False}:
        raise BadInput(f"one track's samples lie partly in other files; {_REMUX}")
    return own != {False}


def _refs(data: Buffer, dref: Box) -> list[Box]:
    inner = Box(b"dref", dref.start, min(dref.body + 8, dref.stop), dref.stop)
    return children(data, inner)


def _table(data: Buffer, chain: tuple[Box, ...]) -> _Table:
    found = chain[-1]
    version, flags = full(data, found)
    start = found.body + 4
    width = 8 if found.kind == b"co64" else 4
    if found.kind == b"saio":
        start += 8 if flags & 1 else 0
        width = 8 if version else 4
    table = _Table(chain, start + 4, number(data, found, start), width)
    if table.start + table.count * width > found.stop:
        raise BadInput(f"the offset table at byte {found.start} runs past its box; the file is damaged")
    return replace(table, top=max((max(values) for values in table.values(data)), default=0))


def _points_into(data: Buffer, table: _Table, start: int, stop: int) -> bool:
    return table.top >= start and any(start <= v < stop for values in table.values(data) for v in values)


def _rewrite(edits: Edits, table: _Table, shift: Shift, widen: bool) -> None:
    code = "Q" if widen or table.width == 8 else "I"
    try:
        entries = b"".join(
            struct.pack(f">{len(values)}{code}", *map(shift, values)) for values in table.values(edits.data)
        )
    except struct.error as error:
        raise BadInput(f"an offset in the table at byte {table.box.start} is beyond any file; it is damaged") from error
    if not widen:
        _change(edits, table.start, entries)
        return
    head = edits.data[table.box.body : table.start]
    wide = box(b"co64", head, entries) if table.box.kind == b"stco" else box(b"saio", b"\1", head[1:], entries)
    edits.replace(table.box.start, table.box.stop, [wide], table.chain[:-1])


def _move_fragment(edits: Edits, moof: Box, shift: Shift) -> None:
    for *_, tfhd in chains(edits.data, moof, b"traf", b"tfhd"):
        if full(edits.data, tfhd)[1] & 1:
            _patch(edits, tfhd, tfhd.body + 8, 8, shift)


def _move_index(edits: Edits, mfra: Box, shift: Shift) -> None:
    """Random access table: time, offset of a moof, and three numbers of 1 to 4 bytes each an entry."""
    for tfra in children(edits.data, mfra, b"tfra"):
        width = 8 if full(edits.data, tfra)[0] else 4
        sizes = number(edits.data, tfra, tfra.body + 8)
        step = 2 * width + sum((sizes >> bits & 3) + 1 for bits in (4, 2, 0))
        count = number(edits.data, tfra, tfra.body + 12)
        start = tfra.body + 16
        if start + count * step > tfra.stop:
            raise BadInput(f"the index at byte {tfra.start} runs past its box; the file is damaged")
        for place in range(start, start + count * step, step):
            _patch(edits, tfra, place + width, width, shift)


def _move_segment_index(edits: Edits, sidx: Box, shift: Shift) -> None:
    width = 8 if full(edits.data, sidx)[0] else 4
    place = sidx.body + 12 + width
    target = sidx.stop + number(edits.data, sidx, place, width)
    _change(edits, place, _fitting(shift(target) - shift(sidx.stop), width, sidx))


def _move_items(edits: Edits, meta: Box, shift: Shift) -> None:
    for iloc in children(edits.data, meta, b"iloc"):
        move_items(edits, iloc, shift)


def move_items(edits: Edits, iloc: Box, shift: Shift) -> None:
    """Item locations (8.11.3): the items whose extents are file offsets follow the data."""
    data = edits.data
    version, _ = full(data, iloc)
    sizes = number(data, iloc, iloc.body + 4, 2)
    offset_size, length_size, base_size, index_size = (sizes >> bits & 15 for bits in (12, 8, 4, 0))
    index_size = index_size if version in (1, 2) else 0
    wide = 4 if version == 2 else 2
    count = number(data, iloc, iloc.body + 6, wide)
    place = iloc.body + 6 + wide
    for _ in range(count):
        place += wide
        method = 0
        if version in (1, 2):
            method = number(data, iloc, place, 2) & 15
            place += 2
        in_file = method == 0 and number(data, iloc, place, 2) == 0
        base_place, base = place + 2, number(data, iloc, place + 2, base_size)
        place += 2 + base_size
        extents = number(data, iloc, place, 2)
        place += 2
        step = index_size + offset_size + length_size
        number(data, iloc, place, extents * step)  # the extents are all in the box
        places = [place + i * step + index_size for i in range(extents)] if offset_size else []
        place += extents * step
        if in_file:
            _move_item(edits, iloc, (base_place, base_size, base), places, offset_size, shift)


def _move_item(
    edits: Edits, iloc: Box, base: tuple[int, int, int], places: list[int], offset_size: int, shift: Shift
) -> None:
    """Move an item by its base offset, and each extent by what it moves beyond that."""
    base_place, base_size, origin = base
    moved = shift(origin) if base_size else origin
    _change(edits, base_place, _fitting(moved, base_size, iloc) if base_size else b"")
    for place in places:
        offset = number(edits.data, iloc, place, offset_size)
        _change(edits, place, _fitting(shift(origin + offset) - moved, offset_size, iloc))


def _patch(edits: Edits, found: Box, place: int, width: int, shift: Shift) -> None:
    _change(edits, place, _fitting(shift(number(edits.data, found, place, width)), width, found))


def _change(edits: Edits, place: int, new: bytes) -> None:
    if edits.data[place : place + len(new)] != new:
        edits.overwrite(place, new)


def _fitting(offset: int, width: int, found: Box) -> bytes:
    try:
        return offset.to_bytes(width, "big")
    except OverflowError as error:
        raise BadInput(f"offset {offset} is too great for the box at byte {found.start}; {_REMUX}") from error


_MOVERS = {b"moof": _move_fragment, b"mfra": _move_index, b"sidx": _move_segment_index, b"meta": _move_items}
