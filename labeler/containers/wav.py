"""WAV (RIFF/WAVE; RF64 and BW64, EBU Tech 3306 and ITU-R BS.2088): the item in a top-level chunk AIGC."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from labeler.containers import Buffer, Copy, CutShort, Piece, _riff, before_the_cut, splice, take
from labeler.containers._riff import Chunk
from labeler.metadata import MAX_ITEM
from policies.errors import BadInput
from policies.terms import Media

NAME = "WAV"
MEDIA = Media.AUDIO
SUFFIXES = (".wav", ".wave", ".rf64", ".bwf")
MIME = "audio/wav"
SLOT = "top-level RIFF chunk AIGC"

LARGE_FORMS = (b"RF64", b"BW64")
_FORMS = (b"RIFF", *LARGE_FORMS)
_ITEM = b"AIGC"
DS64 = _riff.HEADER + 8
"""Where the fields of ds64 begin, the first chunk of an RF64 file: its size, that of data, the number of samples."""
_SIZE = slice(4, 8)
_DS64_SIZE = slice(DS64, DS64 + 8)
_MAX_TABLE = 4096


@dataclass(frozen=True, slots=True)
class Form:
    """The form's size, the field where that stands, and the sizes that ds64 has for chunks without their own."""

    size: int
    place: slice
    sizes: dict[bytes, int] = field(default_factory=dict)


def sniff(data: Buffer, suffix: str) -> bool:
    return _riff.is_form(data, _FORMS, b"WAVE")


def read(data: Buffer) -> list[Copy]:
    return before_the_cut(_copies(data))


def _copies(data: Buffer) -> Iterator[Copy]:
    for chunk in chunks(data, form_of(data)):
        if chunk.id == _ITEM:
            yield Copy(_text(data, chunk), f"in RIFF chunk AIGC at byte {chunk.start}")
        for inner in _info_items(data, chunk):
            yield Copy(_text(data, inner), f"in LIST INFO chunk AIGC at byte {inner.start}", normative=False)


def write(data: Buffer, item: str) -> list[Piece]:
    form = form_of(data)
    fresh = _riff.chunk(_ITEM, item.encode())
    edits: list[tuple[int, int, bytes]] = []
    found = False
    last = stream = None
    for chunk in chunks(data, form):
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


def _resized(form: Form, edits: list[tuple[int, int, bytes]], end: int) -> list[tuple[int, int, bytes]]:
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


def form_of(data: Buffer) -> Form:
    """The header of a RIFF form, or of an RF64 one whose real sizes stand in ds64, its first chunk."""
    size = _riff.form_size(data)
    if data[:4] not in LARGE_FORMS:
        return Form(size, _SIZE)
    kind, length = struct.unpack("<4sI", take(data, _riff.HEADER, 8, "the ds64 chunk"))
    if kind != b"ds64" or length < 28:
        raise BadInput("the RF64 file does not begin with a ds64 chunk, so that its sizes are unknown; it is damaged")
    start, end = DS64, DS64 + length
    real, samples, _, count = struct.unpack("<QQQI", take(data, start, 28, "the ds64 chunk", end))
    table = take(data, start + 28, 12 * min(count, _MAX_TABLE), "the ds64 table", end)
    sizes = dict(struct.iter_unpack("<4sQ", table)) | {b"data": samples}
    return Form(real, _DS64_SIZE, sizes) if size == _riff.UNKNOWN else Form(size, _SIZE, sizes)


def chunks(data: Buffer, form: Form) -> Iterator[Chunk]:
    """The top-level chunks; `data` reaches the file's end where it was streamed and its size never filled in."""
    end = _riff.form_end(data, form.size)
    for chunk in _riff.chunks(data, _riff.HEADER, end, len(data), form.sizes, open_ended=(b"data",)):
        if chunk.id == b"data" and not chunk.size and (form.size in (0, _riff.UNKNOWN) or chunk.end >= end):
            yield replace(chunk, end=len(data), stop=len(data))
            return
        yield chunk


def _is_open(data: Buffer, chunk: Chunk, form: Form) -> bool:
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
