"""JPEG (ITU-T T.81; XMP part 3, 1.1.3): the item in the XMP packet of an APP1 segment (TC260-PG-20259A)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labeler.containers import (
    MAX_PARTS,
    Buffer,
    Copy,
    CutShort,
    Piece,
    Span,
    _exif,
    _item,
    _xmp,
    before_the_cut,
    splice,
    take,
)
from policies.errors import BadInput
from policies.terms import Media

NAME = "JPEG"
MEDIA = Media.IMAGE
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
MIME = "image/jpeg"
SLOT = "APP1 segment with XMP, XMP property TC260:AIGC"

_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_JFIF = (b"JFIF\0", b"JFXX\0")
_ADOBE = b"Adobe"
_MPF = b"MPF\0"
_MP_ENTRIES = 0xB002
_MAX_PACKET = 65502  # XMP part 3, 1.1.3.1; what is larger goes to Extended XMP, which is not the place for a property
_MAX_SEGMENT = 65533

_APP0, _APP1, _APP2, _APP14, _COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
_SOS, _EOI = 0xDA, 0xD9
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # TEM, RST0-7, SOI: markers without a length
_DESCRIBING = frozenset({*range(0xE0, 0xF0), _COM})

# In entropy-coded data FF00 is a stuffed byte, FFD0 to FFD7 are restart markers and FF may be repeated as fill.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_PADDING = re.compile(rb"\s++(?=<\?xpacket end=)")


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker and, where it has one, its payload; offsets of the whole from FF on, and of the payload."""

    marker: int
    start: int
    body: int
    stop: int

    def payload(self, data: Buffer) -> bytes:
        return data[self.body : self.stop]

    def begins(self, data: Buffer, signature: bytes) -> bool:
        return data[self.body : min(self.stop, self.body + len(signature))] == signature


def sniff(data: Buffer, suffix: str) -> bool:
    return data[:3] == b"\xff\xd8\xff"


def segments(data: Buffer) -> Iterator[Segment]:
    """The segments behind SOI up to the first SOS (or EOI), which is the last one given."""
    position = 2
    for _ in range(MAX_PARTS):
        segment = _segment(data, position)
        yield segment
        if segment.marker in (_SOS, _EOI):
            return
        position = segment.stop
    raise BadInput(f"the JPEG has over {MAX_PARTS} segments; it is damaged")


def _segment(data: Buffer, position: int) -> Segment:
    """The next segment from `position` on; what is no marker is passed over, as decoders do."""
    found = _MARKER.search(data, position)
    if found is None:
        raise CutShort("the JPEG ends before its picture begins; the file is cut short or damaged")
    start, marker = found.start(), data[found.start() + 1]
    if marker in _BARE or marker == _EOI:
        return Segment(marker, start, start + 2, start + 2)
    size = struct.unpack(">H", take(data, start + 2, 2, "a JPEG segment"))[0]
    if size < 2 or start + 2 + size > len(data):
        raise CutShort(f"the JPEG segment at byte {start} runs past the end of the file; it is cut short or damaged")
    return Segment(marker, start, start + 4, start + 2 + size)


def read(data: Buffer) -> list[Copy]:
    return before_the_cut(_copies(data))


def _copies(data: Buffer) -> Iterator[Copy]:
    for segment in segments(data):
        where = _where(segment)
        if _is_xmp(data, segment):
            yield from _xmp.read(segment.payload(data)[len(_XMP) :], where)
        elif _is_exif(data, segment):
            yield from _exif.read(segment.payload(data), where)
        elif item := _glued(data, segment):
            yield Copy(item.text, where, normative=False)


def write(data: Buffer, item: str) -> list[Piece]:
    edits: list[tuple[int, int, bytes]] = []
    packets: list[Segment] = []
    multi_picture: list[Segment] = []
    place = 2
    for segment in segments(data):
        if segment.start == place and (_is_jfif(data, segment) or _is_exif(data, segment)):
            place = segment.stop  # JFIF and Exif want to be first
        if _is_xmp(data, segment):
            packets.append(segment)
        elif _is_exif(data, segment):
            edits += _replaced(data, segment, _exif.emptied(segment.payload(data), _where(segment)))
        elif _is_multi_picture(data, segment):
            multi_picture.append(segment)
        elif glued := _glued(data, segment):
            if not glued.alone:
                raise BadInput(f"the segment {_where(segment)} holds more than a label; take the rest out first")
            edits.append((segment.start, segment.stop, b""))  # the item moves to its slot: one copy, 6.1 c)
    edits += _slot(data, item, packets, place)
    edits += _repointed(data, multi_picture, edits)
    return splice(len(data), edits)


def _slot(data: Buffer, item: str, packets: Sequence[Segment], place: int) -> list[tuple[int, int, bytes]]:
    """The edits that put the item into the file's packets, or into a new one at `place`."""
    if not packets:
        return [(place, place, _new(_APP1, _XMP + _fitting(_xmp.write(None, item))))]
    old = [segment.payload(data)[len(_XMP) :] for segment in packets]
    edits = []
    for segment, before, after in zip(packets, old, _xmp.write_all(old, item), strict=True):
        if after != before:
            edits += _replaced(data, segment, _XMP + _fitting(after) if after else b"")
    return edits


def _fitting(packet: bytes) -> bytes:
    """The packet, without its padding where it would be too large with it."""
    if len(packet) > _MAX_PACKET:
        packet = _PADDING.sub(b"", packet)
    if len(packet) > _MAX_PACKET:
        raise BadInput(
            f"the XMP packet would be {len(packet)} bytes long and a JPEG segment holds {_MAX_PACKET}; "
            "make room in it (edit history, thumbnails) with an XMP editor"
        )
    return packet


def _replaced(data: Buffer, segment: Segment, payload: bytes) -> list[tuple[int, int, bytes]]:
    if payload == segment.payload(data):
        return []
    return [(segment.start, segment.stop, _new(segment.marker, payload) if payload else b"")]


def _new(marker: int, payload: bytes) -> bytes:
    assert len(payload) <= _MAX_SEGMENT
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def graft(source: Buffer, encoded: Buffer) -> list[Piece]:
    """The source's APPn and COM segments, and what follows its picture, around the encoded picture.

    JFIF and Adobe segments say how the samples are to be understood, so they go by the encoded picture:
    Adobe's is taken from it, the source's JFIF is kept where it has one too.
    """
    fresh = list(segments(encoded))
    jfif = any(_is_jfif(encoded, s) for s in fresh)
    head = [
        s
        for s in segments(source)
        if s.marker in _DESCRIBING and not _is_adobe(source, s) and (jfif or not _is_jfif(source, s))
    ]
    signal = [encoded[s.start : s.stop] for s in fresh[:-1] if s.marker not in _DESCRIBING or _is_adobe(encoded, s)]
    signal.append(encoded[fresh[-1].start : _end_of_picture(encoded)])
    tail = Span(_end_of_picture(source), len(source))

    pieces: list[Piece] = [Span(0, 2), *(Span(s.start, s.stop) for s in head), *signal, tail]
    new_tail = sum(len(p) if isinstance(p, bytes) else p.stop - p.start for p in pieces[:-1])
    position = 2
    for i, segment in enumerate(head, start=1):
        if _is_multi_picture(source, segment):
            move = (new_tail - position) - (tail.start - segment.start)
            pieces[i] = _shifted(source, segment, move, new_tail - tail.start)
        position += segment.stop - segment.start
    return pieces


def _end_of_picture(data: Buffer) -> int:
    """The offset behind the EOI that ends the picture; the file's end where there is none."""
    position = 2
    try:
        while True:
            segment = _segment(data, position)
            position = segment.stop
            if segment.marker == _EOI:
                return position
    except CutShort:
        return len(data)


def _repointed(
    data: Buffer, multi_picture: Sequence[Segment], edits: Sequence[tuple[int, int, bytes]]
) -> list[tuple[int, int, bytes]]:
    """Multi-picture segments that still point at their pictures, which the edits have moved."""
    grown = sum(len(new) - (stop - start) for start, stop, new in edits)
    found = []
    for segment in multi_picture:
        behind = sum(len(new) - (stop - start) for start, stop, new in edits if start >= segment.start)
        found += _replaced(data, segment, _shifted(data, segment, behind, grown)[4:])
    return found


def _shifted(data: Buffer, segment: Segment, move: int, grown: int) -> bytes:
    """The MPF segment, its pictures `move` bytes further from it and the first one `grown` bytes larger.

    CIPA DC-007 5.2.3.3: entries of 16 bytes (attributes, size, offset from the MP header, two numbers);
    the first picture is the file's own and has offset 0.
    """
    before = segment.payload(data)
    after = bytearray(before)
    order = _exif.byte_order(before, len(_MPF))
    pictures = [e for e in _exif.first_ifd(before, len(_MPF)) if e.tag == _MP_ENTRIES]
    for at in (at for entry in pictures for at in range(entry.start, entry.stop - 15, 16)):
        size, offset = struct.unpack_from(order + "II", before, at + 4)
        size, offset = (size, offset + move) if offset else (size + grown, 0)
        if 0 <= size < 1 << 32 and 0 <= offset < 1 << 32:
            struct.pack_into(order + "II", after, at + 4, size, offset)
    return _new(segment.marker, bytes(after))


def _is_xmp(data: Buffer, segment: Segment) -> bool:
    return segment.marker == _APP1 and segment.begins(data, _XMP)


def _is_exif(data: Buffer, segment: Segment) -> bool:
    return segment.marker == _APP1 and segment.begins(data, _exif.SIGNATURE)


def _is_jfif(data: Buffer, segment: Segment) -> bool:
    return segment.marker == _APP0 and any(segment.begins(data, signature) for signature in _JFIF)


def _is_adobe(data: Buffer, segment: Segment) -> bool:
    return segment.marker == _APP14 and segment.begins(data, _ADOBE)


def _is_multi_picture(data: Buffer, segment: Segment) -> bool:
    return segment.marker == _APP2 and segment.begins(data, _MPF)


def _glued(data: Buffer, segment: Segment) -> _item.Item | None:
    """The item where it is all, or the beginning, of an APPn or COM segment."""
    if segment.marker not in _DESCRIBING:
        return None
    return _item.find(segment.payload(data).decode("utf-8", "replace"))


def _where(segment: Segment) -> str:
    name = "COM" if segment.marker == _COM else f"APP{segment.marker - _APP0}"
    return f"in {name} segment at byte {segment.start}"
