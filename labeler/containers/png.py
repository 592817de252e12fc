"""PNG and APNG (ISO/IEC 15948): the item in an uncompressed iTXt XMP chunk before IDAT (TC260-PG-20259A)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from labeler.containers import MAX_PARTS, Buffer, Copy, CutShort, Piece, Span, _exif, _xmp, before_the_cut, splice, take
from labeler.metadata import MAX_ITEM
from policies.errors import BadInput
from policies.terms import Media

NAME = "PNG"
MEDIA = Media.IMAGE
SUFFIXES = (".png", ".apng")
MIME = "image/png"
SLOT = "iTXt chunk XML:com.adobe.xmp (uncompressed, before IDAT), XMP property TC260:AIGC"

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP_KEYWORD = b"XML:com.adobe.xmp\0"
_AIGC_KEYWORD = b"AIGC\0"
_TEXT_CHUNKS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_MAX_TEXT = 16 << 20
_MAX_PACKETS = 16  # each may inflate to _MAX_TEXT
# The chunks that are the picture, by where they have to stand; all others describe it.
_HEADERS = frozenset({b"IHDR", b"acTL", b"PLTE", b"tRNS"})
_FRAMES = frozenset({b"fcTL", b"IDAT", b"fdAT"})
# Their layout follows from the colour type, bit depth and palette (11.3.2.4, 11.3.4): wrong beside other pixels.
_IN_PIXEL_TERMS = frozenset({b"bKGD", b"hIST", b"sBIT"})


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: its type, and the offsets of the whole (length to CRC)."""

    type: bytes
    start: int
    stop: int

    def data(self, data: Buffer) -> bytes:
        return data[self.start + 8 : self.stop - 4]


def sniff(data: Buffer, suffix: str) -> bool:
    return data[:8] == SIGNATURE


def chunks(data: Buffer) -> Iterator[Chunk]:
    """The chunks in file order up to IEND; CutShort for one that runs past the end."""
    position = len(SIGNATURE)
    for _ in range(MAX_PARTS):
        if position >= len(data):
            return
        size, kind = struct.unpack(">I4s", take(data, position, 8, "a PNG chunk"))
        stop = position + 12 + size
        if stop > len(data):
            raise CutShort(f"PNG chunk {kind!r} runs past the end of the file; the file is cut short or damaged")
        yield Chunk(kind, position, stop)
        if kind == b"IEND":
            return
        position = stop
    raise BadInput(f"the PNG has over {MAX_PARTS} chunks; it is damaged")


def read(data: Buffer) -> list[Copy]:
    return before_the_cut(_copies(data))


def _copies(data: Buffer) -> Iterator[Copy]:
    behind = False
    packets = 0
    for chunk in chunks(data):
        behind = behind or chunk.type == b"IDAT"
        at = f"at byte {chunk.start}"
        if _is_xmp(data, chunk):
            packets = _counted(packets + 1)
            deviates = behind or _is_compressed(data, chunk)
            how = f"{' compressed' * _is_compressed(data, chunk)}{' behind IDAT' * behind}"
            for copy in _xmp.read(_text(chunk, data), f"in iTXt chunk XML:com.adobe.xmp{how} {at}"):
                yield replace(copy, normative=copy.normative and not deviates)
        elif _is_text_item(data, chunk):
            text = _text(chunk, data).decode("utf-8", "replace")[: MAX_ITEM + 1]
            yield Copy(text, f"in {chunk.type.decode()} chunk AIGC {at}", normative=False, generic=True)
        elif chunk.type == b"eXIf":
            yield from _exif.read(chunk.data(data), f"in eXIf chunk {at}")


def write(data: Buffer, item: str) -> list[Piece]:
    header: Chunk | None = None
    pixels = len(data)
    packets: list[Chunk] = []
    edits: list[tuple[int, int, bytes]] = []
    for chunk in chunks(data):
        if chunk.type == b"IHDR":
            header = header or chunk
        elif chunk.type == b"IDAT":
            pixels = min(pixels, chunk.start)
        elif _is_xmp(data, chunk):
            packets.append(chunk)
            _counted(len(packets))
        elif _is_text_item(data, chunk):
            edits.append((chunk.start, chunk.stop, b""))  # the item moves to its slot: one copy, 6.1 c)
        elif chunk.type == b"eXIf":
            edits += _without_comment(data, chunk)
    if header is None:
        raise BadInput("the PNG has no IHDR chunk; the file is damaged")
    return splice(len(data), edits + _slot(data, item, packets, header.stop, pixels))


def _slot(data: Buffer, item: str, packets: list[Chunk], place: int, pixels: int) -> list[tuple[int, int, bytes]]:
    """The edits that put the item into the packets, or into a new one at `place`, all before the `pixels`."""
    if not packets:
        return [(place, place, _xmp_chunk(_xmp.write(None, item)))]
    edits = []
    old = [_text(chunk, data) for chunk in packets]
    for chunk, before, after in zip(packets, old, _xmp.write_all(old, item), strict=True):
        late = chunk.start > pixels
        if late or after != before or _is_compressed(data, chunk):
            edits.append((chunk.start, chunk.stop, b""))
            at = place if late else chunk.start
            edits.append((at, at, _xmp_chunk(after) if after else b""))
    return edits


def _counted(packets: int) -> int:
    if packets > _MAX_PACKETS:
        raise BadInput(f"over {_MAX_PACKETS} XMP packets in one PNG, where one belongs; the file is damaged")
    return packets


def _without_comment(data: Buffer, chunk: Chunk) -> list[tuple[int, int, bytes]]:
    before = chunk.data(data)
    after = _exif.emptied(before, f"eXIf chunk at byte {chunk.start}")
    return [(chunk.start, chunk.stop, make_chunk(b"eXIf", after))] if after != before else []


def graft(source: Buffer, encoded: Buffer) -> list[Piece]:
    """The source's descriptive chunks, each before or behind the pixels as it was, around the encoded picture."""
    fresh = [(c.type, encoded[c.start : c.stop]) for c in chunks(encoded)]
    left = _FRAMES if _pixel_terms(source) == _pixel_terms(encoded) else _FRAMES | _IN_PIXEL_TERMS
    pieces: list[Piece] = [Span(0, len(SIGNATURE))]
    used: set[bytes] = set()
    stop = len(SIGNATURE)
    for chunk in chunks(source):
        stop = chunk.stop
        if chunk.type == b"IDAT" and b"IDAT" not in used:
            # Headers that only the new picture has, a palette say, come in time for its pixels.
            pieces += [body for kind, body in fresh if kind in _HEADERS - used]
            pieces += [body for kind, body in fresh if kind in _FRAMES]
            used |= _HEADERS
        elif chunk.type in _HEADERS:
            pieces += [body for kind, body in fresh if kind == chunk.type and kind not in used]
        elif chunk.type not in left:
            pieces.append(Span(chunk.start, chunk.stop))
        used.add(chunk.type)
    if b"IDAT" not in used:
        raise BadInput("the PNG has no IDAT chunk; the file is damaged")
    return [*pieces, Span(stop, len(source))]


def _pixel_terms(data: Buffer) -> list[bytes]:
    """Bit depth, colour type and palette."""
    found = {c.type: c.data(data) for c in chunks(data) if c.type in (b"IHDR", b"PLTE")}
    return [found.get(b"IHDR", b"")[8:10], found.get(b"PLTE", b"")]


def make_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


def _xmp_chunk(packet: bytes) -> bytes:
    return make_chunk(b"iTXt", _XMP_KEYWORD + b"\0\0\0\0" + packet)


def _keyword(data: Buffer, chunk: Chunk) -> bytes:
    head = data[chunk.start + 8 : min(chunk.start + 8 + 80, chunk.stop - 4)]
    return head[: head.find(b"\0") + 1]


def _is_xmp(data: Buffer, chunk: Chunk) -> bool:
    return chunk.type == b"iTXt" and _keyword(data, chunk) == _XMP_KEYWORD


def _is_compressed(data: Buffer, chunk: Chunk) -> bool:
    flag = chunk.start + 8 + len(_XMP_KEYWORD)
    return data[flag : flag + 1] == b"\1"


def _is_text_item(data: Buffer, chunk: Chunk) -> bool:
    return chunk.type in _TEXT_CHUNKS and _keyword(data, chunk) == _AIGC_KEYWORD


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
