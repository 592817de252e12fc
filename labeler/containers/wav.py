"""WAV (RIFF/WAVE; RF64 and BW64, EBU Tech 3306 and ITU-R BS.2088): the item in a top-level chunk AIGC."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from labeler.containers import Buffer, Copy, CutShort, Piece, Span, _riff, sound_part, splice, take
from labeler.containers._riff import Chunk
from labeler.metadata import MAX_ITEM
from policies.errors import BadInput
from policies.terms import Media

NAME = "WAV"
MEDIA = Media.AUDIO
SUFFIXES = (".wav", ".wave", ".rf64", ".bwf")
MIME = "audio/wav"
SLOT = "top-level RIFF chunk AIGC"

_LARGE_FORMS = (b"RF64", b"BW64")
_FORMS = (b"RIFF", *_LARGE_FORMS)
_ITEM = b"AIGC"
# What follows from the samples; a graft takes it from where they are taken.
_OF_THE_SIGNAL = frozenset({b"ds64", b"fmt ", b"fact", b"PEAK", b"data"})
_SIZE = slice(4, 8)
_DS64_SIZE = slice(_riff.HEADER + 8, _riff.HEADER + 16)
_MAX_TABLE = 4096


@dataclass(frozen=True, slots=True)
class _Form:
    """The form's size, the field where that stands, and the sizes that ds64 has for chunks without their own."""

    size: int
    place: slice
    sizes: dict[bytes, int] = field(default_factory=dict)


def sniff(data: Buffer, suffix: str) -> bool:
    return _riff.is_form(data, _FORMS, b"WAVE")


def read(data: Buffer) -> list[Copy]:
    return sound_part(_copies(data))


def _copies(data: Buffer) -> Iterator[Copy]:
    for chunk in _chunks(data, _form(data)):
        if chunk.id == _ITEM:
            yield Copy(_text(data, chunk), f"in RIFF chunk AIGC at byte {chunk.start}")
        for inner in _info_items(data, chunk):
            yield Copy(_text(data, inner), f"in LIST INFO chunk AIGC at byte {inner.start}", normative=False)


def write(data: Buffer, item: str) -> list[Piece]:
    form = _form(data)
    fresh = _riff.chunk(_ITEM, item.encode())
    edits: list[tuple[int, int, bytes]] = []
    found = False
    last = stream = None
    for chunk in _chunks(data, form):
        last = chunk
        if chunk.id == _ITEM:
            edits.append((chunk.start, chunk.stop, b"" if found else fresh))
            found = True
        elif chunk.id == b"data" and _is_open(data, chunk, form):
            stream = chunk
        edits += _without_items(data, chunk)
    if last is None:
        raise BadInput("the WAV holds no chunk; the file is damaged")
    if not found:
        # Whatever followed data of unknown size would be played.
        place, pad = (stream.start, b"") if stream else (last.stop, _riff.padding(last))
        edits.append((place, place, pad + fresh))
    return splice(len(data), [*edits, *_resized(form, edits, 0 if stream else last.stop)])


def _resized(form: _Form, edits: list[tuple[int, int, bytes]], end: int) -> list[tuple[int, int, bytes]]:
    """The form's size after the edits: at least up to what was the `end` of its chunks. One never filled in stays."""
    if form.size in (0, _riff.UNKNOWN):
        return []
    size = max(form.size, end - 8) + sum(len(new) - (stop - start) for start, stop, new in edits)
    new = _riff.size_field(size) if form.place == _SIZE else struct.pack("<Q", size)
    return [(form.place.start, form.place.stop, new)]


def _without_items(data: Buffer, chunk: Chunk) -> list[tuple[int, int, bytes]]:
    """The edits that take the item out of a LIST of type INFO: it moves to its slot, 6.1 c)."""
    items = list(_info_items(data, chunk))
    left = chunk.size - sum(inner.stop - inner.start for inner in items)
    if not items:
        return []
    if left == len(b"INFO"):
        return [(chunk.start, chunk.stop, b"")]
    # With a last item of odd length goes the padding byte, which is then the list's.
    edits = [(i.start, chunk.stop if i.stop == chunk.end else i.stop, b"") for i in items]
    return [(chunk.start + 4, chunk.body, _riff.size_field(left)), *edits]


def graft(source: Buffer, encoded: Buffer) -> list[Piece]:
    """The source's chunks in their order around the encoded format, facts and samples."""
    signal = {c.id: _whole(encoded, c) for c in _chunks(encoded, _form(encoded)) if c.id in _OF_THE_SIGNAL}
    end = _riff.HEADER
    body: list[Piece] = [signal.pop(b"ds64")] if b"ds64" in signal else []
    for chunk in _chunks(source, _form(source)):
        end = chunk.stop
        if chunk.id == b"fmt ":
            body += [signal.pop(kind) for kind in (b"fmt ", b"fact", b"PEAK") if kind in signal]
        elif chunk.id == b"data":
            body += [signal.pop(kind) for kind in (b"data",) if kind in signal]
        elif chunk.id not in _OF_THE_SIGNAL:
            body += [Span(chunk.start, chunk.stop), _riff.padding(chunk)]
    if signal:
        raise BadInput(f"the WAV has no {' or '.join(k.decode() for k in signal)} chunk; the file is damaged")
    size = 4 + sum(len(p) if isinstance(p, bytes) else p.stop - p.start for p in body)
    return [*_head(encoded, body, size), Span(end, len(source))]


def _head(encoded: Buffer, body: list[Piece], size: int) -> list[Piece]:
    """The body behind a header of the encoded form, with the size where that form keeps it."""
    if encoded[:4] not in _LARGE_FORMS:
        return [b"RIFF" + _riff.size_field(size) + b"WAVE", *body]
    large = body[0]
    assert isinstance(large, bytes)  # ds64, which _form has seen there
    return [encoded[:4] + b"\xff\xff\xff\xffWAVE", large[:8] + struct.pack("<Q", size) + large[16:], *body[1:]]


def _whole(data: Buffer, chunk: Chunk) -> bytes:
    """The chunk as bytes, its size filled in where it was streamed; that of RF64 data stays in ds64."""
    body = data[chunk.body : chunk.end]
    if chunk.id == b"data" and data[:4] in _LARGE_FORMS:
        return b"data\xff\xff\xff\xff" + body + bytes(len(body) & 1)
    return _riff.chunk(chunk.id, body)


def _form(data: Buffer) -> _Form:
    """The header of a RIFF form, or of an RF64 one whose real sizes stand in ds64, its first chunk."""
    size = _riff.form_size(data)
    if data[:4] not in _LARGE_FORMS:
        return _Form(size, _SIZE)
    kind, length = struct.unpack("<4sI", take(data, _riff.HEADER, 8, "the ds64 chunk"))
    if kind != b"ds64" or length < 28:
        raise BadInput("the RF64 file does not begin with a ds64 chunk, so that its sizes are unknown; it is damaged")
    start, end = _riff.HEADER + 8, _riff.HEADER + 8 + length
    real, samples, _, count = struct.unpack("<QQQI", take(data, start, 28, "the ds64 chunk", end))
    table = take(data, start + 28, 12 * min(count, _MAX_TABLE), "the ds64 table", end)
    sizes = dict(struct.iter_unpack("<4sQ", table)) | {b"data": samples}
    return _Form(real, _DS64_SIZE, sizes) if size == _riff.UNKNOWN else _Form(size, _SIZE, sizes)


def _chunks(data: Buffer, form: _Form) -> Iterator[Chunk]:
    """The top-level chunks; `data` reaches the file's end where it was streamed and its size never filled in."""
    end = _riff.form_end(data, form.size)
    for chunk in _riff.chunks(data, _riff.HEADER, end, len(data), form.sizes, open_ended=(b"data",)):
        if chunk.id == b"data" and not chunk.size and (form.size in (0, _riff.UNKNOWN) or chunk.end >= end):
            yield replace(chunk, end=len(data), stop=len(data))
            return
        yield chunk


def _is_open(data: Buffer, chunk: Chunk, form: _Form) -> bool:
    """Whether the size field of this `data` says nothing, or something else than what there is."""
    size = struct.unpack("<I", data[chunk.start + 4 : chunk.body])[0]
    stated = form.sizes.get(b"data", size) if size == _riff.UNKNOWN else size
    return stated in (0, _riff.UNKNOWN) or stated != chunk.size


def _info_items(data: Buffer, chunk: Chunk) -> Iterator[Chunk]:
    """The items in a LIST of type INFO, as far as that is sound."""
    if chunk.id != b"LIST" or data[chunk.body : min(chunk.body + 4, chunk.end)] != b"INFO":
        return
    try:
        yield from (c for c in _riff.chunks(data, chunk.body + 4, chunk.end, chunk.end) if c.id == _ITEM)
    except CutShort:
        return


def _text(data: Buffer, chunk: Chunk) -> str:
    # A character has up to four bytes; a longer item is seen as too long.
    value = data[chunk.body : min(chunk.end, chunk.body + 4 * (MAX_ITEM + 1))]
    return value.decode("utf-8", "replace").rstrip("\0")
