"""EXIF blocks: the texts in which some producers put the AIGC item, read and emptied in place.

CIPA DC-008 (Exif 2.32) 4.6: a TIFF structure whose IFD0 points to the Exif IFD; UserComment is tag 0x9286,
ImageDescription tag 0x010E. The guides put the label elsewhere, so every copy here is a non-normative one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from labeler.containers import Buffer, Copy, _item
from policies.errors import BadInput

SIGNATURE = b"Exif\0\0"
"""What stands before the TIFF header in a JPEG segment; some writers put it into other containers too."""

_EXIF_IFD = 0x8769
_TEXTS = {0x9286: "UserComment", 0x010E: "ImageDescription"}
_LONG = 4
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_CHARSETS = (b"ASCII\0\0\0", b"UNICODE\0", b"JIS\0\0\0\0\0", b"\0\0\0\0\0\0\0\0")
_MAX_TEXT = 4 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One IFD entry whose value lies inside the block: its tag, type, and the value's offsets in the block."""

    tag: int
    type: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class _ExifText:
    name: str
    start: int
    stop: int
    item: _item.Item


def read(block: Buffer, where: str) -> list[Copy]:
    """The items in the block's texts; a damaged EXIF structure holds none."""
    return [Copy(p.item.text, f"{where}, {p.name}", normative=False, generic=True) for p in _places(block)]


def emptied(block: bytes, where: str) -> bytes:
    """The block with zeros for a text that is the item: same length, so that no offset moves.

    Raises BadInput where the text holds more than the item.
    """
    for place in _places(block):
        if not place.item.alone:
            raise BadInput(
                f"{where}: {place.name} holds more than a label; take the rest out with an EXIF editor first"
            )
        block = block[: place.start] + bytes(place.stop - place.start) + block[place.stop :]
    return block


def byte_order(block: Buffer, start: int = 0) -> str:
    """The struct prefix of a TIFF header's byte order; "" where there is no such header."""
    return {b"II*\0": "<", b"MM\0*": ">"}.get(block[start : start + 4], "")


def first_ifd(block: Buffer, start: int = 0) -> list[Entry]:
    """The first IFD behind the TIFF header at `start`; none where there is no such header."""
    order = byte_order(block, start)
    return list(_entries(block, start, _number(block, start + 4, order + "I"), order)) if order else []


def _entries(block: Buffer, start: int, offset: int, order: str) -> Iterator[Entry]:
    """The entries of the IFD at `offset` from the TIFF header; those whose value leaves the block are skipped."""
    place = start + offset
    count = _number(block, place, order + "H")
    for i in range(place + 2, min(place + 2 + 12 * count, len(block) - 11), 12):
        tag, kind, length = struct.unpack(order + "HHI", block[i : i + 8])
        size = _SIZES.get(kind, 0) * length
        value = i + 8 if size <= 4 else start + _number(block, i + 8, order + "I")
        if value + size <= len(block):
            yield Entry(tag, kind, value, value + size)


def _number(block: Buffer, place: int, form: str) -> int:
    """The number at `place`, 0 beyond the block's end."""
    size = struct.calcsize(form)
    return int(struct.unpack(form, block[place : place + size])[0]) if place + size <= len(block) else 0


def _places(block: Buffer) -> list[_ExifText]:
    """The texts that are an item, in either IFD, for some writers misplace them."""
    start = len(SIGNATURE) if block[: len(SIGNATURE)] == SIGNATURE else 0
    order = byte_order(block, start)
    first = first_ifd(block, start)
    pointers = (e.start for e in first if e.tag == _EXIF_IFD and e.type == _LONG and e.stop - e.start == 4)
    offset = next((_number(block, at, order + "I") for at in pointers), 0)
    second = _entries(block, start, offset, order) if offset else iter(())
    places = {(e.start, e.stop): _TEXTS[e.tag] for e in (*_texts(first), *_texts(second))}
    items = ((a, b, name, _item.find(_text(block[a:b], order))) for (a, b), name in sorted(places.items()))
    return [_ExifText(name, a, b, item) for a, b, name, item in items if item is not None]


def _texts(ifd: Iterable[Entry]) -> list[Entry]:
    """The IFD's texts; a tag comes once in an IFD, so that a second one is not looked at."""
    found: dict[int, Entry] = {}
    for entry in ifd:
        if entry.tag in _TEXTS and entry.stop - entry.start <= _MAX_TEXT:
            found.setdefault(entry.tag, entry)
    return list(found.values())


def _text(value: bytes, order: str) -> str:
    """A text, by a UserComment's character code; some writers leave that out, some the byte order to guess."""
    charset = value[:8]
    if charset not in _CHARSETS:
        return value.decode("utf-8", "replace")
    body = value[8:]
    if charset != _CHARSETS[1]:
        return body.decode("utf-8", "replace")
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace")
    if b"\0" in body[:2]:  # an ASCII character, as JSON begins with
        order = ">" if body[:1] == b"\0" else "<"
    return body.decode("utf-16-le" if order == "<" else "utf-16-be", "replace")
