"""FLAC (RFC 9639): the item as the Vorbis comment AIGC=<json> (TC260-PG-202510A, Annex C)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from labeler.containers import Buffer, Copy, Piece, Span, _id3, render, splice, take
from policies.errors import BadInput
from policies.terms import Media

NAME = "FLAC"
MEDIA = Media.AUDIO
SUFFIXES = (".flac",)
MIME = "audio/flac"
SLOT = "VORBIS_COMMENT block, comment AIGC"

SIGNATURE = b"fLaC"
_KEY = b"AIGC="
_VENDOR = b"biaoshi"
_MAX_BLOCK = (1 << 24) - 1
_MAX_BLOCKS = 1 << 14
_MAX_HOLDERS = 8
_MAX_COMMENTS = 1 << 16
_MAX_COPIES = 64


class Kind(IntEnum):
    """Metadata block types that matter here (RFC 9639, 8.1)."""

    STREAMINFO = 0
    PADDING = 1
    SEEKTABLE = 3
    VORBIS_COMMENT = 4


@dataclass(frozen=True, slots=True)
class Block:
    """A metadata block: its four-byte header at `start`, its content up to `stop`."""

    kind: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class _Comment:
    """One comment of a block's body: its length field at `start`, its text up to `stop`."""

    start: int
    stop: int
    text: bytes

    @property
    def is_item(self) -> bool:
        return self.text[: len(_KEY)].upper() == _KEY


def sniff(data: Buffer, suffix: str) -> bool:
    start = _id3.end_of_tags(data)
    return data[start : start + 4] == SIGNATURE


def read(data: Buffer) -> list[Copy]:
    copies = [
        replace(copy, where=f"{copy.where}, before the FLAC stream", normative=False)
        for tag in _id3.tags(data)
        for copy in _id3.read(data, tag)
    ]
    for start, body in _holders(data, list(blocks(data))).items():
        where = f"in VORBIS_COMMENT block at byte {start}, comment AIGC"
        copies += [Copy(item.text[len(_KEY) :].decode("utf-8", "replace"), where) for item in _items(body)]
    return copies


def write(data: Buffer, item: str) -> list[Piece]:
    edits = [edit for tag in _id3.tags(data) for edit in _id3.edits(data, tag, None)]
    found = list(blocks(data))
    changed = _commented(data, found, item)
    pieces = splice(found[0].start, edits)
    if changed:
        pieces += [*_laid_out(found, changed), Span(found[-1].stop, len(data))]
    else:
        pieces.append(Span(found[0].start, len(data)))
    return pieces


def graft(source: Buffer, encoded: Buffer) -> list[Piece]:
    """The source's tags and blocks around the encoded stream; Spans are of `encoded`, which is the larger.

    The seek table goes, as its offsets are of the old frames.
    """
    fresh = list(blocks(encoded))
    bodies: list[tuple[int, bytes]] = [(Kind.STREAMINFO, encoded[fresh[0].start + 4 : fresh[0].stop])]
    for block in blocks(source):
        if block.kind not in (Kind.STREAMINFO, Kind.SEEKTABLE):
            bodies.append((block.kind, source[block.start + 4 : block.stop]))
    front = min(_id3.end_of_tags(source), len(source))
    headed = [_header(kind, len(body), i == len(bodies) - 1) + body for i, (kind, body) in enumerate(bodies)]
    return [source[:front] + SIGNATURE, *headed, Span(fresh[-1].stop, len(encoded))]


def blocks(data: Buffer) -> Iterator[Block]:
    """The metadata blocks in file order, STREAMINFO first; BadInput where they are cut short or damaged."""
    position = _id3.end_of_tags(data) + len(SIGNATURE)
    for count in range(_MAX_BLOCKS):
        head = take(data, position, 4, "a FLAC metadata block")
        kind, stop = head[0] & 0x7F, position + 4 + int.from_bytes(head[1:], "big")
        if stop > len(data):
            raise BadInput("a FLAC metadata block runs past the end of the file; the file is cut short or damaged")
        if kind == 127 or (count == 0) != (kind == Kind.STREAMINFO):
            raise BadInput(f"FLAC metadata block {count + 1} is of type {kind}, which may not stand there; damaged")
        yield Block(kind, position, stop)
        if head[0] & 0x80:
            return
        position = stop
    raise BadInput(f"over {_MAX_BLOCKS} FLAC metadata blocks; the file is damaged")


def _holders(data: Buffer, found: list[Block]) -> dict[int, bytes]:
    """The bodies of VORBIS_COMMENT blocks by the block's offset; there should be one (RFC 9639, 8.6)."""
    holders = [block for block in found if block.kind == Kind.VORBIS_COMMENT]
    if len(holders) > _MAX_HOLDERS:
        raise BadInput(f"{len(holders)} FLAC blocks of comments, where one may be; the file is damaged")
    return {block.start: data[block.start + 4 : block.stop] for block in holders}


def bits(data: Buffer) -> int:
    """Bits per sample by STREAMINFO (RFC 9639, 8.2): 16 for most music, 24 for studio recordings."""
    info = next(blocks(data))
    fields = take(data, info.start + 4 + 10, 8, "STREAMINFO", info.stop)
    return (int.from_bytes(fields, "big") >> 36 & 31) + 1


def _comments(body: bytes) -> Iterator[_Comment]:
    """The comments of a VORBIS_COMMENT block's body; BadInput for a length that its block does not hold."""
    vendor = struct.unpack("<I", take(body, 0, 4, "the Vorbis comment"))[0]
    (count,) = struct.unpack("<I", take(body, 4 + vendor, 4, "the Vorbis comment's vendor"))
    position = 8 + vendor
    if count > min(_MAX_COMMENTS, (len(body) - position) // 4):
        raise BadInput(f"a Vorbis comment block states {count} comments, more than it can hold; it is damaged")
    for _ in range(count):
        (size,) = struct.unpack("<I", take(body, position, 4, "a Vorbis comment"))
        text = take(body, position + 4, size, "a Vorbis comment")
        yield _Comment(position, position + 4 + size, text)
        position += 4 + size


def _items(body: bytes) -> list[_Comment]:
    found = [comment for comment in _comments(body) if comment.is_item]
    if len(found) > _MAX_COPIES:
        raise BadInput(f"a Vorbis comment block holds over {_MAX_COPIES} AIGC items; it is damaged")
    return found


# ---- Splicing --------------------------------------------------------------------------------------------

_NEW = -1  # stands for the offset of a block that is not there yet


def _commented(data: Buffer, found: list[Block], item: str) -> dict[int, bytes]:
    """The new bodies of VORBIS_COMMENT blocks, by the block's offset: `item` once, other comments as they are."""
    wanted = _KEY + item.encode()
    holders = _holders(data, found)
    if not holders:
        return {_NEW: _with_item(struct.pack("<I", len(_VENDOR)) + _VENDOR + bytes(4), wanted)}
    home = next((start for start, body in holders.items() if _items(body)), min(holders))
    changed = {start: _with_item(body, wanted if start == home else None) for start, body in holders.items()}
    return {start: body for start, body in changed.items() if body != holders[start]}


def _with_item(body: bytes, wanted: bytes | None) -> bytes:
    """The block's body with the item in place of its first copy, else as the last comment."""
    items = _items(body)
    (vendor,) = struct.unpack_from("<I", body)
    (count,) = struct.unpack_from("<I", body, 4 + vendor)
    fresh = b"" if wanted is None else struct.pack("<I", len(wanted)) + wanted
    edits = [(c.start, c.stop, fresh if c is items[0] else b"") for c in items]
    if not items:
        end = max((comment.stop for comment in _comments(body)), default=8 + vendor)
        edits.append((end, end, fresh))
    count += bool(fresh) - len(items)
    return render(body, splice(len(body), [(4 + vendor, 8 + vendor, struct.pack("<I", count)), *edits]))


def _laid_out(found: list[Block], changed: dict[int, bytes]) -> list[Piece]:
    """All blocks with the changed bodies; the padding gives or takes so that the frames stay where they are."""
    rows: list[tuple[int, bytes | Block]] = [(block.kind, changed.get(block.start, block)) for block in found]
    if _NEW in changed:
        rows.insert(1, (Kind.VORBIS_COMMENT, changed[_NEW]))
    rows = _padded(rows, found[-1].stop - found[0].start)
    pieces: list[Piece] = []
    for i, (kind, content) in enumerate(rows):
        size = _content_size(content)
        if size > _MAX_BLOCK:
            raise BadInput("a FLAC metadata block would grow over 16 MiB; shorten the comments in it")
        pieces.append(_header(kind, size, i == len(rows) - 1))
        pieces.append(Span(content.start + 4, content.stop) if isinstance(content, Block) else content)
    return [piece for piece in pieces if piece]


def _padded(rows: list[tuple[int, bytes | Block]], room: int) -> list[tuple[int, bytes | Block]]:
    """The rows with the first PADDING block resized to fill `room`, if it can; else as they are."""
    home = next((i for i, (kind, _) in enumerate(rows) if kind == Kind.PADDING), None)
    spare = room - sum(4 + _content_size(content) for _, content in rows)
    if home is None:
        return [*rows, (Kind.PADDING, bytes(spare - 4))] if spare >= 4 else rows
    spare += 4 + _content_size(rows[home][1])
    if spare == 0:
        return rows[:home] + rows[home + 1 :]
    if 4 <= spare <= _MAX_BLOCK + 4:
        return [*rows[:home], (Kind.PADDING, bytes(spare - 4)), *rows[home + 1 :]]
    return rows


def _content_size(content: bytes | Block) -> int:
    return content.stop - content.start - 4 if isinstance(content, Block) else len(content)


def _header(kind: int, size: int, last: bool) -> bytes:
    return bytes([kind | (0x80 if last else 0)]) + size.to_bytes(3, "big")
