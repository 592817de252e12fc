"""Samples put into the `data` chunk of a WAV file: its own samples are copied, sizes and positions follow."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from labeler.containers import Buffer, Piece, _riff, splice, take, wav
from labeler.containers._riff import Chunk
from policies.errors import BadInput, Unsupported

Samples = NDArray[np.float32]
Edit = tuple[int, int, bytes]

_EXTENSIBLE = 0xFFFE
_MAX_TABLE = 1 << 20
# Codings whose samples are alone, each in bytes of its own: by format tag and bytes a sample (RFC 2361).
_CODECS = {
    (1, 1): "pcm_u8",
    (1, 2): "pcm_s16le",
    (1, 3): "pcm_s24le",
    (1, 4): "pcm_s32le",
    (3, 4): "pcm_f32le",
    (3, 8): "pcm_f64le",
    (6, 1): "pcm_alaw",
    (7, 1): "pcm_mulaw",
}


@dataclass(frozen=True, slots=True)
class _Table:
    """Where a chunk holds positions in samples: entries from `first` on, and the fields in each."""

    first: int
    stride: int
    fields: tuple[int, ...]
    count_at: int | None


_TABLES = {
    b"cue ": _Table(4, 24, (4, 20), count_at=0),
    b"smpl": _Table(36, 24, (8, 12), count_at=28),
    b"PEAK": _Table(8, 8, (4,), count_at=None),
}


@dataclass(frozen=True, slots=True)
class _Format:
    codec: str
    channels: int
    rate: int
    width: int

    @property
    def block(self) -> int:
        return self.channels * self.width


def inserted(data: Buffer, front: Sequence[int], head: Samples, tail: Samples) -> tuple[list[Piece], bool]:
    """The file with `head` and `tail` (mono, at its rate) on its `front` channels around its samples, and whether
    marked positions moved.

    Raises BadInput for a damaged file and one that would pass what its form can hold, Unsupported for a coding
    whose samples cannot stand alone.
    """
    form = wav.form_of(data)
    chunks = list(wav.chunks(data, form))
    sound = next((chunk for chunk in chunks if chunk.id == b"data"), None)
    if sound is None:
        raise BadInput("the WAV has no data chunk; the file is cut short or damaged")
    format = _format(data, chunks)
    before, behind = (_encoded(part, format, front) for part in (head, tail))
    moved = [edit for chunk in chunks for edit in _moved(data, chunk, len(head))] if len(head) else []
    edits = [*moved, *_counted(data, chunks, len(head) + len(tail))]
    end = sound.end - sound.size % format.block
    edits += [(sound.body, sound.body, before), (end, end, behind)]
    size = sound.size + len(before) + len(behind)
    if size & 1 != sound.stop - sound.end:
        edits.append((sound.end, sound.stop, bytes(size & 1)))
    grown = sum(len(new) - (stop - start) for start, stop, new in edits)
    stated = len(data) if form.size in (0, _riff.UNKNOWN) else 8 + form.size
    edits += _sizes(data, sound, size, form.place, max(stated, chunks[-1].stop) - 8 + grown)
    return splice(len(data), edits), bool(moved)


def _format(data: Buffer, chunks: Sequence[Chunk]) -> _Format:
    """The sample format by the fmt chunk, and by its extension where the tag says so."""
    chunk = next((chunk for chunk in chunks if chunk.id == b"fmt "), None)
    if chunk is None:
        raise BadInput("the WAV has no fmt chunk; the file is damaged")
    tag, channels, rate, _, block = struct.unpack("<HHIIH", take(data, chunk.body, 14, "the fmt chunk", chunk.end))
    if tag == _EXTENSIBLE:
        (tag,) = struct.unpack("<H", take(data, chunk.body + 24, 2, "the fmt chunk's extension", chunk.end))
    if not channels or not rate or not block or block % channels:
        raise BadInput("the WAV's fmt chunk contradicts itself; the file is damaged")
    width = block // channels
    if (tag, width) not in _CODECS:
        raise Unsupported(f"WAV coding {tag:#06x} can't be extended by a cue; convert it to PCM first")
    return _Format(_CODECS[tag, width], channels, rate, width)


def _encoded(samples: Samples, format: _Format, front: Sequence[int]) -> bytes:
    """Mono samples in the file's own coding, on its front channels, with silence on the others."""
    if not samples.size:
        return b""
    spread = np.empty((samples.size, format.channels, format.width), np.uint8)
    spread[:] = _coded(np.zeros(1, np.float32), format)
    spread[:, list(front)] = _coded(samples, format)[:, None]
    return spread.tobytes()


def _coded(samples: Samples, format: _Format) -> NDArray[np.uint8]:
    """The samples as rows of bytes."""
    codec: Any = av.CodecContext.create(format.codec, "w")
    codec.sample_rate, codec.layout, codec.format = format.rate, "mono", codec.codec.audio_formats[0]
    frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
    frame.sample_rate = format.rate
    coded = b"".join(bytes(packet) for step in (frame, None) for packet in codec.encode(step))
    return np.frombuffer(coded, np.uint8).reshape(-1, format.width)


def _moved(data: Buffer, chunk: Chunk, samples: int) -> Iterator[Edit]:
    """Marked positions, which lie that much later now: cue points, loops, peaks."""
    table = _TABLES.get(chunk.id)
    if table is None or chunk.size < table.first:
        return
    body = bytearray(data[chunk.body : min(chunk.end, chunk.body + _MAX_TABLE)])
    room = (len(body) - table.first) // table.stride
    if table.count_at is not None:
        room = min(room, struct.unpack_from("<I", body, table.count_at)[0])
    for entry in range(room):
        for field in table.fields:
            at = table.first + entry * table.stride + field
            (position,) = struct.unpack_from("<I", body, at)
            struct.pack_into("<I", body, at, min(position + samples, 0xFFFFFFFF))
    if room:
        yield chunk.body, chunk.body + len(body), bytes(body)


def _counted(data: Buffer, chunks: Sequence[Chunk], samples: int) -> Iterator[Edit]:
    """The numbers of samples that stand in `fact` and, for RF64, in ds64."""
    for chunk in chunks:
        if chunk.id == b"fact" and chunk.size >= 4:
            (count,) = struct.unpack("<I", data[chunk.body : chunk.body + 4])
            if count != _riff.UNKNOWN:
                yield chunk.body, chunk.body + 4, struct.pack("<I", min(count + samples, _riff.UNKNOWN))
    if data[:4] in wav.LARGE_FORMS:
        (count,) = struct.unpack("<Q", take(data, wav.DS64 + 16, 8, "the ds64 chunk"))
        yield wav.DS64 + 16, wav.DS64 + 24, struct.pack("<Q", min(count + samples, (1 << 64) - 1))


def _sizes(data: Buffer, sound: Chunk, size: int, place: slice, form: int) -> Iterator[Edit]:
    """The sizes of the data and of the form, where each of them stands."""
    if data[:4] in wav.LARGE_FORMS and data[sound.start + 4 : sound.body] == b"\xff" * 4:
        yield wav.DS64 + 8, wav.DS64 + 16, struct.pack("<Q", size)
    else:
        yield sound.start + 4, sound.body, _riff.size_field(size)
    yield place.start, place.stop, struct.pack("<Q", form) if place.start == wav.DS64 else _riff.size_field(form)
