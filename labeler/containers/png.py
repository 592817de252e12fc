"""PNG and APNG (ISO/IEC 15948): the item in an uncompressed iTXt XMP chunk before IDAT (TC260-PG-20259A)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from labeler.containers import Buffer, Copy, Piece, Span, _xmp, take
from policies.errors import BadInput
from policies.terms import Media

NAME = "PNG"
MEDIA = Media.IMAGE
SUFFIXES = (".png", ".apng")
MIME = "image/png"
SLOT = "iTXt chunk XML:com.adobe.xmp, XMP property TC260:AIGC"

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP_KEYWORD = b"XML:com.adobe.xmp\0"
_TEXT_KEYWORD = b"AIGC\0"
_MAX_TEXT = 16 << 20
# The chunks that are the picture, by where they have to stand; all others describe it.
_HEADERS = frozenset({b"IHDR", b"acTL", b"PLTE", b"tRNS"})
_FRAMES = frozenset({b"fcTL", b"IDAT", b"fdAT"})


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: its type, and the offsets of the whole (length to CRC) and of its data."""

    type: bytes
    start: int
    stop: int

    @property
    def span(self) -> Span:
        return Span(self.start, self.stop)

    def data(self, data: Buffer) -> bytes:
        return data[self.start + 8 : self.stop - 4]


def sniff(data: Buffer, suffix: str) -> bool:
    return data[:8] == SIGNATURE


def chunks(data: Buffer) -> Iterator[Chunk]:
    """The chunks in file order up to IEND; BadInput for one that runs past the end."""
    position = len(SIGNATURE)
    while position < len(data):
        size, kind = struct.unpack(">I4s", take(data, position, 8, "a PNG chunk"))
        stop = position + 12 + size
        if stop > len(data):
            raise BadInput(f"PNG chunk {kind!r} runs past the end of the file; the file is cut short or damaged")
        yield Chunk(kind, position, stop)
        if kind == b"IEND":
            return
        position = stop


def read(data: Buffer) -> list[Copy]:
    copies = []
    for chunk in chunks(data):
        if chunk.type == b"iTXt" and _is_xmp(data, chunk):
            copies += _xmp.read(_text(chunk, data), f"in iTXt chunk XML:com.adobe.xmp at byte {chunk.start}")
        elif chunk.type in (b"tEXt", b"zTXt", b"iTXt") and _keyword(data, chunk) == _TEXT_KEYWORD:
            where = f"in {chunk.type.decode()} chunk AIGC at byte {chunk.start}"
            copies.append(Copy(_text(chunk, data).decode("utf-8", "replace"), where, normative=False))
    return copies


def write(data: Buffer, item: str) -> list[Piece]:
    pieces: list[Piece] = [Span(0, len(SIGNATURE))]
    packet: bytes | None = None
    place = -1
    stop = len(SIGNATURE)
    for chunk in chunks(data):
        stop = chunk.stop
        if chunk.type == b"iTXt" and _is_xmp(data, chunk):
            if packet is not None:
                raise BadInput("two XMP packets in one PNG; which one holds the label cannot be told")
            packet, place = _text(chunk, data), len(pieces)
        elif chunk.type in (b"tEXt", b"zTXt", b"iTXt") and _keyword(data, chunk) == _TEXT_KEYWORD:
            continue  # the item moves to its slot: one copy, GB 45438-2025 6.1 c)
        else:
            pieces.append(chunk.span)
            if chunk.type == b"IHDR" and packet is None:
                place = len(pieces)
    if place < 0:
        raise BadInput("the PNG has no IHDR chunk; the file is damaged")
    body = _XMP_KEYWORD + b"\0\0\0\0" + _xmp.write(packet, item)
    pieces.insert(place, _chunk(b"iTXt", body))
    pieces.append(Span(stop, len(data)))
    return pieces


def graft(source: Buffer, encoded: Buffer) -> list[Piece]:
    """The source's descriptive chunks, each before or behind the pixels as it was, around the encoded picture."""
    fresh = [(c.type, encoded[c.start : c.stop]) for c in chunks(encoded)]
    pieces: list[Piece] = [Span(0, len(SIGNATURE))]
    used: set[bytes] = set()
    for chunk in chunks(source):
        if chunk.type in _HEADERS:
            pieces += [body for kind, body in fresh if kind == chunk.type]
        elif chunk.type == b"IDAT" and chunk.type not in used:
            # Headers that only the new picture has, a palette say, come in time for its pixels.
            pieces += [body for kind, body in fresh if kind in _HEADERS - used]
            pieces += [body for kind, body in fresh if kind in _FRAMES]
        elif chunk.type not in _FRAMES:
            pieces.append(chunk.span)
        used.add(chunk.type)
    return pieces


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


def _keyword(data: Buffer, chunk: Chunk) -> bytes:
    head = data[chunk.start + 8 : min(chunk.start + 8 + 80, chunk.stop - 4)]
    return head[: head.find(b"\0") + 1]


def _is_xmp(data: Buffer, chunk: Chunk) -> bool:
    return _keyword(data, chunk) == _XMP_KEYWORD


def _text(chunk: Chunk, data: Buffer) -> bytes:
    """The text of a tEXt, zTXt or iTXt chunk, inflated within a bound."""
    body = chunk.data(data).partition(b"\0")[2]
    compressed = chunk.type == b"zTXt"
    if chunk.type == b"zTXt":
        body = body[1:]
    elif chunk.type == b"iTXt":
        compressed = body[:1] == b"\1"
        body = body[2:].partition(b"\0")[2].partition(b"\0")[2]
    if not compressed:
        return body
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(body, _MAX_TEXT)
    except zlib.error as error:
        raise BadInput(f"the text chunk at byte {chunk.start} is not valid zlib data: {error}") from error
    if inflater.unconsumed_tail:
        raise BadInput(f"the text chunk at byte {chunk.start} inflates to over {_MAX_TEXT} bytes")
    return text
