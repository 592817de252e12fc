"""RIFF (Microsoft and IBM, 1991): chunks of an id, a little-endian size and an even number of bytes."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from labeler.containers import MAX_PARTS, Buffer, CutShort, take
from policies.errors import BadInput

HEADER = 12
"""Form id, size of what follows, form type."""

UNKNOWN = 0xFFFFFFFF
"""The size of what is streamed, or (in RF64) stands in the ds64 chunk."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: the offsets of its header, its body, its body's end, and its end with the padding byte."""

    id: bytes
    start: int
    body: int
    end: int
    stop: int

    @property
    def size(self) -> int:
        return self.end - self.body


def is_form(data: Buffer, ids: Collection[bytes], kind: bytes) -> bool:
    """Whether the file begins with one of these form ids ("RIFF", "RF64") and this form type ("WAVE")."""
    return data[:4] in ids and data[8:12] == kind


def form_size(data: Buffer) -> int:
    """The size that the form's header states."""
    return int(struct.unpack("<I", take(data, 4, 4, "a RIFF header"))[0])


def form_end(data: Buffer, size: int) -> int:
    """Where a form of this size ends; the file's end where the size was never filled in."""
    return len(data) if size in (0, UNKNOWN) else min(8 + size, len(data))


def chunks(
    data: Buffer,
    start: int,
    stop: int,
    limit: int,
    sizes: Mapping[bytes, int] | None = None,
    open_ended: Collection[bytes] = (),
) -> Iterator[Chunk]:
    """The chunks that begin between `start` and `stop` and end by `limit`: a list's end, or the file's, for
    the size of a form is wrong more often than those of its chunks. A last one without its padding byte
    passes; CutShort for one that passes the limit, unless its id is `open_ended`: then it reaches the limit.

    `sizes` has the real size of ids whose own size field says UNKNOWN (RF64's ds64).
    """
    for _ in range(MAX_PARTS):
        if start + 8 > stop:
            return
        kind, size = struct.unpack("<4sI", take(data, start, 8, "a RIFF chunk"))
        if size == UNKNOWN:
            size = (sizes or {}).get(kind, limit if kind in open_ended else UNKNOWN)
        end = start + 8 + size
        if end > limit and kind not in open_ended:
            raise CutShort(f"RIFF chunk {kind!r} runs past the end of what encloses it; it is cut short or damaged")
        end = min(end, limit)
        chunk = Chunk(kind, start, start + 8, end, min(end + (size & 1), limit))
        yield chunk
        start = chunk.stop
    raise BadInput(f"the file has over {MAX_PARTS} RIFF chunks; it is damaged")


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk as bytes, padded to an even length."""
    if len(body) >= UNKNOWN:
        raise BadInput(f"RIFF chunk {kind!r} would pass 4 GiB")
    return struct.pack("<4sI", kind, len(body)) + body + bytes(len(body) & 1)


def padding(chunk: Chunk) -> bytes:
    """The byte that a chunk of odd length lacks at the end of its file: needed before another one follows."""
    return bytes((chunk.stop - chunk.start) & 1)


def size_field(size: int) -> bytes:
    """A size as it stands in a header; BadInput where it passes what 32 bits hold."""
    if size >= UNKNOWN:
        raise BadInput("the file would pass the 4 GiB that RIFF can hold; convert it to RF64 or another format first")
    return struct.pack("<I", size)
