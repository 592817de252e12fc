"""WebP (RFC 9649): the item in the XMP chunk, which the VP8X header announces (TC260-PG-20259A)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from labeler.containers import Buffer, Copy, Piece, Span, _exif, _riff, _xmp, before_the_cut, splice
from labeler.containers._riff import Chunk
from policies.errors import BadInput
from policies.terms import Media

NAME = "WebP"
MEDIA = Media.IMAGE
SUFFIXES = (".webp",)
MIME = "image/webp"
SLOT = "XMP chunk, XMP property TC260:AIGC"

_FORMS = (b"RIFF",)
_PICTURE = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})
# RFC 9649 2.7: XMP comes behind these, and in front of what is unknown.
_IN_FRONT_OF_XMP = _PICTURE | {b"VP8X", b"ICCP", b"EXIF"}
_ALPHA, _ANIMATION, _XMP_FLAG = 0x10, 0x02, 0x04
_FLAGS = {b"ICCP": 0x20, b"ALPH": _ALPHA, b"EXIF": 0x08, b"XMP ": _XMP_FLAG, b"ANIM": _ANIMATION}


def sniff(data: Buffer, suffix: str) -> bool:
    return _riff.is_form(data, _FORMS, b"WEBP")


def read(data: Buffer) -> list[Copy]:
    return before_the_cut(_copies(data))


def _chunks(data: Buffer) -> Iterator[Chunk]:
    return _riff.chunks(data, _riff.HEADER, _riff.form_end(data, _riff.form_size(data)), len(data))


def _copies(data: Buffer) -> Iterator[Copy]:
    for chunk in _chunks(data):
        if chunk.id == b"XMP ":
            yield from _xmp.read(data[chunk.body : chunk.end], f"in XMP chunk at byte {chunk.start}")
        elif chunk.id == b"EXIF":
            yield from _exif.read(data[chunk.body : chunk.end], f"in EXIF chunk at byte {chunk.start}")


def write(data: Buffer, item: str) -> list[Piece]:
    edits: list[tuple[int, int, bytes]] = []
    packets: list[Chunk] = []
    place: Chunk | None = None
    last: Chunk | None = None
    header: Chunk | None = None
    picture: Chunk | None = None
    flags = 0
    for chunk in _chunks(data):
        last = chunk
        flags |= _FLAGS.get(chunk.id, 0)
        if chunk.id in _IN_FRONT_OF_XMP:
            place = chunk
        if chunk.id == b"VP8X":
            header = header or chunk
        elif chunk.id in (b"VP8 ", b"VP8L"):
            picture = picture or chunk
        elif chunk.id == b"XMP ":
            packets.append(chunk)
        elif chunk.id == b"EXIF":
            edits += _without_comment(data, chunk)
    if place is None or last is None:
        raise BadInput("the WebP holds no picture; the file is damaged")
    edits += _announced(data, header, picture, flags)
    edits += _slot(data, item, packets, place)
    if all(stop != last.stop for _, stop, _ in edits):
        edits.append((last.stop, last.stop, _riff.padding(last)))
    size = last.stop - 8 + sum(len(new) - (stop - start) for start, stop, new in edits)
    return splice(len(data), [(4, 8, _riff.size_field(size)), *edits])


def _announced(data: Buffer, header: Chunk | None, picture: Chunk | None, flags: int) -> list[tuple[int, int, bytes]]:
    """The edit that makes the VP8X header announce XMP; a new header where there is none."""
    if header is None:
        if picture is None:
            raise BadInput("the WebP holds neither a VP8X header nor a picture; the file is damaged")
        body = _header_of(data[picture.body : picture.end], picture.id, flags | _XMP_FLAG)
        return [(_riff.HEADER, _riff.HEADER, _riff.chunk(b"VP8X", body))]
    if header.size < 10:
        raise BadInput("the WebP's VP8X header is too short; the file is damaged")
    return [(header.body, header.body + 1, bytes([data[header.body] | _XMP_FLAG]))]


def _header_of(picture: bytes, kind: bytes, flags: int) -> bytes:
    """A VP8X body for a still picture: flags, three reserved bytes, width - 1 and height - 1 in 24 bits each."""
    width = height = 0
    if kind == b"VP8L" and picture[:1] == b"\x2f" and len(picture) >= 5:
        bits = int.from_bytes(picture[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        flags |= _ALPHA if bits >> 28 & 1 else 0
    elif kind == b"VP8 " and picture[3:6] == b"\x9d\x01\x2a" and len(picture) >= 10:
        width, height = (int.from_bytes(picture[i : i + 2], "little") & 0x3FFF for i in (6, 8))
    if not width or not height:
        raise BadInput(f"the WebP's {kind.decode()} chunk does not begin like a picture; the file is damaged")
    return struct.pack("<I", flags) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def _slot(data: Buffer, item: str, packets: Sequence[Chunk], place: Chunk) -> list[tuple[int, int, bytes]]:
    """The edits that put the item into the file's packets, or into a new one behind `place`."""
    if not packets:
        return [(place.stop, place.stop, _riff.padding(place) + _riff.chunk(b"XMP ", _xmp.write(None, item)))]
    old = [data[chunk.body : chunk.end] for chunk in packets]
    edits = []
    for chunk, before, after in zip(packets, old, _xmp.write_all(old, item), strict=True):
        if after != before:
            edits.append((chunk.start, chunk.stop, _riff.chunk(b"XMP ", after) if after else b""))
    return edits


def _without_comment(data: Buffer, chunk: Chunk) -> list[tuple[int, int, bytes]]:
    before = data[chunk.body : chunk.end]
    after = _exif.emptied(before, f"EXIF chunk at byte {chunk.start}")
    return [(chunk.start, chunk.stop, _riff.chunk(b"EXIF", after))] if after != before else []


def graft(source: Buffer, encoded: Buffer) -> list[Piece]:
    """The source's ICCP, EXIF, XMP and unknown chunks around the encoded picture and its canvas and flags."""
    fresh = list(_chunks(encoded))
    kept = [c for c in _chunks(source) if c.id not in _PICTURE and c.id != b"VP8X"]
    picture = [encoded[c.start : c.stop] + _riff.padding(c) for c in fresh if c.id in _PICTURE]
    if not picture:
        raise BadInput("the encoded WebP holds no picture")
    body: list[Piece] = []
    if kept or fresh[0].id == b"VP8X":
        body.append(_riff.chunk(b"VP8X", _header_for(encoded, fresh, {c.id for c in kept})))
    body += [p for c in kept if c.id == b"ICCP" for p in _padded(c)]
    body += picture
    for ids in ({b"EXIF"}, {b"XMP "}):
        body += [p for c in kept if c.id in ids for p in _padded(c)]
    body += [p for c in kept if c.id not in _FLAGS for p in _padded(c)]
    size = 4 + sum(len(p) if isinstance(p, bytes) else p.stop - p.start for p in body)
    end = max((c.stop for c in _chunks(source)), default=_riff.HEADER)
    return [b"RIFF" + _riff.size_field(size) + b"WEBP", *body, Span(end, len(source))]


def _header_for(encoded: Buffer, fresh: Sequence[Chunk], kept: set[bytes]) -> bytes:
    """The encoded picture's VP8X body, with the flags of the chunks that were kept of the source."""
    flags = 0
    for kind in kept:
        flags |= _FLAGS.get(kind, 0)
    first = fresh[0]
    if first.id != b"VP8X":
        return _header_of(encoded[first.body : first.end], first.id, flags)
    body = encoded[first.body : first.end]
    return bytes([body[0] & (_ALPHA | _ANIMATION) | flags]) + body[1:]


def _padded(chunk: Chunk) -> list[Piece]:
    pad = _riff.padding(chunk)
    return [Span(chunk.start, chunk.stop), *([pad] if pad else [])]
