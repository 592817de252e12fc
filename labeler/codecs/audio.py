"""Sound: heard in windows, and joined with another sound in its own codec, rate, layout and bit depth.

Samples are float32 in -1 to 1, mono. Everything streams: no more than a minute of the sound is in memory at once.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from labeler.asset import Asset
from labeler.codecs import _streams, _wav
from labeler.containers import Piece, flac, mp3, mp4
from policies.errors import BadInput, ToolkitError, Unsupported

Samples = NDArray[np.float32]

LISTENING_RATE = 16000
"""Hertz of the windows that detectors listen to: speech and cues lie below half of it."""

# What FFmpeg calls our containers. The format is forced, so that no file makes it open another one.
_DEMUXERS = {"wav": "wav", "mp3": "mp3", "flac": "flac", "mp4": "mp4"}
_RATES = range(1000, 768001)
_BROKEN = (av.FFmpegError, ValueError)


@dataclass(frozen=True, slots=True)
class Sound:
    """How a sound is coded. `bits` counts those of a sample, 0 for codecs that have none; `length` is in samples
    where the container states one that its last frame overshoots."""

    codec: str
    rate: int
    layout: str
    channels: tuple[str, ...]
    format: str
    bits: int
    bit_rate: int
    length: int | None


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the sound at LISTENING_RATE, `start` seconds into it, of `total` seconds in all."""

    start: float
    total: float
    samples: Samples


@dataclass(frozen=True, slots=True)
class Joined:
    """The longer sound, and what of the source stayed as it was."""

    asset: Asset
    untouched: str


def probe(asset: Asset) -> Sound:
    """How the asset's sound is coded; BadInput where it holds none, Unsupported where it can't be looked at."""
    with _opened(asset) as (_, stream):
        first = next(_decoded(stream), None)
        if first is None:
            raise BadInput(f"{asset.source} holds no sound: not one sample of it can be decoded")
        codec = stream.codec_context
        name = _coded_as(asset, codec)
        length = round(stream.duration * stream.time_base * first.sample_rate) if _overshoots(asset, stream) else None
        return Sound(
            name,
            first.sample_rate,
            first.layout.name,
            tuple(channel.name for channel in first.layout.channels),
            first.format.name,
            _bits(asset, name, first),
            _bit_rate(name, first.sample_rate, stream.bit_rate or 0),
            length,
        )


def ends(asset: Asset, seconds: float) -> list[Window]:
    """The first and the last `seconds` of the sound, or all of it in one window where it is no longer than both."""
    with _opened(asset) as (container, stream):
        heard, ended = _listen(stream, int(2 * seconds * LISTENING_RATE))
        if not heard.size:
            raise BadInput(f"{asset.source} holds no sound: not one sample of it can be decoded")
        if ended:
            return [Window(0.0, heard.size / LISTENING_RATE, heard)]
        first = heard[: int(seconds * LISTENING_RATE)]
        last, total = _last(container, stream, seconds)
    return [Window(0.0, total, first), Window(total - last.size / LISTENING_RATE, total, last)]


def join(asset: Asset, head: Samples, tail: Samples, scratch: Path) -> Joined:
    """The asset with `head` before its sound and `tail` behind it (either may be empty), at the sound's own rate.

    The result lies in the folder `scratch`. Raises BadInput for what cannot be decoded, Unsupported for a codec
    that biaoshi cannot write.
    """
    sound = probe(asset)
    way = _JOINS.get((asset.container_name, sound.codec)) or _JOINS.get((asset.container_name, _ANY))
    if way is None:
        raise Unsupported(f"{sound.codec} in {asset.container.NAME} can't be extended by a cue; convert it first")
    try:
        return way(asset, sound, head, tail, scratch)
    except OSError as error:
        raise _unwritable(error) from error


def resampled(samples: Samples, rate: int, wanted: int) -> Samples:
    """Mono samples at another rate."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=wanted)
    frame = _frame(samples[None], "flt", "mono", rate)
    return np.concatenate([part.to_ndarray()[0] for step in (frame, None) for part in resampler.resample(step)])


# ---- Decoding --------------------------------------------------------------------------------------------


@contextmanager
def _opened(asset: Asset) -> Iterator[tuple[Any, Any]]:
    """The asset's container and its only audio stream, as PyAV has them."""
    demuxer = _DEMUXERS.get(asset.container_name)
    if demuxer is None:
        raise Unsupported(f"the sound of {asset.container.NAME} files can't be decoded yet")
    with asset.reader() as file, _translated(asset, "decoded"), av.open(file, format=demuxer) as container:
        streams = container.streams.audio
        if not streams:
            raise BadInput(f"{asset.source} holds no sound: it has no audio track")
        if len(streams) > 1:
            raise Unsupported(f"{asset.source} has {len(streams)} audio tracks; save the one to be labelled by itself")
        if streams[0].codec_context is None:
            raise Unsupported(f"there is no decoder for the sound of {asset.source}; convert it to PCM or AAC first")
        yield container, streams[0]


@contextmanager
def _translated(asset: Asset, act: str) -> Iterator[None]:
    try:
        yield
    except ToolkitError:
        raise
    except _BROKEN as error:
        if isinstance(error, av.FFmpegError) and error.errno in _streams.UNWRITABLE:
            raise _unwritable(error) from error
        raise BadInput(f"the sound of {asset.source} cannot be {act}: {error}; repair or convert it first") from error


def _unwritable(error: OSError | av.FFmpegError) -> BadInput:
    return BadInput(f"cannot write the longer sound: {error.strerror or error}; free space or permit it")


def _decoded(stream: Any, strict: bool = False) -> Iterator[Any]:
    """The frames from where the container stands; a packet that is broken is passed over unless `strict`."""
    rate = stream.codec_context.sample_rate
    if rate not in _RATES:
        raise Unsupported(f"a sample rate of {rate} Hz; biaoshi takes {_RATES.start} to {_RATES.stop - 1}")
    for packet in _packets(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            if strict:
                raise
            continue
        yield from (frame for frame in frames if frame.samples)


def _packets(stream: Any) -> Iterator[Any]:
    """The packets up to where the file ends or breaks off."""
    with suppress(av.FFmpegError):
        yield from stream.container.demux(stream)


def _listen(stream: Any, most: int) -> tuple[Samples, bool]:
    """At most `most` samples at LISTENING_RATE from where the container stands, and whether the sound ended there."""
    parts: list[Samples] = []
    count = 0
    for part in _listening(_decoded(stream)):
        parts.append(part)
        count += part.size
        if count > most:
            return _joined(parts)[:most], False
    return _joined(parts), True


def _listening(frames: Iterator[Any]) -> Iterator[Samples]:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=LISTENING_RATE)
    for frame in frames:
        frame.pts = None  # no silence is made up for gaps in the time stamps
        yield from (part.to_ndarray()[0] for part in resampler.resample(frame))
    with suppress(*_BROKEN):  # nothing was ever put in
        yield from (part.to_ndarray()[0] for part in resampler.resample(None))


def _last(container: Any, stream: Any, seconds: float) -> tuple[Samples, float]:
    """The last `seconds`, and how long the sound is in all; read from a little before where they should begin."""
    most = int(seconds * LISTENING_RATE)
    with suppress(*_BROKEN):
        container.seek(max(0, int((container.duration or 0) - (seconds + 5) * av.time_base)))
    kept, total = _tail_of(stream, most)
    if kept.size < most:  # the stated duration was wrong
        container.seek(0)
        kept, total = _tail_of(stream, most)
    return kept, total


def _tail_of(stream: Any, most: int) -> tuple[Samples, float]:
    end = 0.0

    def timed(frames: Iterator[Any]) -> Iterator[Any]:
        nonlocal end
        for frame in frames:
            end = (frame.time or 0.0) + frame.samples / frame.sample_rate
            yield frame

    parts: deque[Samples] = deque()
    count = 0
    for part in _listening(timed(_decoded(stream))):
        parts.append(part)
        count += part.size
        while count - parts[0].size >= most:
            count -= parts.popleft().size
    return _joined(list(parts))[-most:], end


def _joined(parts: list[Samples]) -> Samples:
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _overshoots(asset: Asset, stream: Any) -> bool:
    """Whether the container cuts the last frame short and FFmpeg leaves that to us: MP4's edit list."""
    return asset.container_name == "mp4" and bool(stream.duration)


def _bits(asset: Asset, codec: str, frame: Any) -> int:
    if codec == "flac":
        return flac.bits(asset.data)
    return {"alac": {"s16p": 16, "s32p": 24}}.get(codec, {}).get(frame.format.name, 0)


# ---- Joining ---------------------------------------------------------------------------------------------


def _join_wav(asset: Asset, sound: Sound, head: Samples, tail: Samples, scratch: Path) -> Joined:
    """Uncompressed samples: the cue is put into the `data` chunk, and not a byte of the source's samples changes."""
    pieces, moved = _wav.inserted(asset.data, _front(sound.channels), head, tail)
    path = scratch / "joined.wav"
    asset.save(pieces, path)
    note = "; cue points and loops moved with them" if moved else ""
    return Joined(Asset.open(path, asset.source), f"every sample, copied byte for byte{note}")


def _join_lossless(asset: Asset, sound: Sound, head: Samples, tail: Samples, scratch: Path) -> Joined:
    """Decoded, encoded again without loss, decoded once more and compared sample by sample."""
    before = _Digest()
    path = _encode(asset, sound, head, tail, scratch, before, strict=True)
    joined = _grafted(asset, path, scratch)
    after = _Digest(skip=head.size, most=before.samples)
    with _opened(joined) as (_, stream):
        for frame in _decoded(stream, strict=True):
            after.add(frame)
    if not before.samples or before.value() != after.value():
        raise ToolkitError("the samples read back differ from the source's; the disk or memory is failing")
    said = f"all {before.samples} samples, decoded again and compared; tags and cover, with any times in them"
    return Joined(joined, said)


def _join_lossy(asset: Asset, sound: Sound, head: Samples, tail: Samples, scratch: Path) -> Joined:
    """Decoded and encoded again at the source's bit rate: the tags stay, the samples are near but not the same."""
    path = _encode(asset, sound, head, tail, scratch, _Digest(), strict=False)
    rate = f"{sound.bit_rate / 1000:.0f} kbit/s"
    said = f"tags and cover, with any times in them; the sound is re-encoded ({sound.codec}, {rate})"
    return Joined(_grafted(asset, path, scratch), said)


_ANY = "*"
_JOINS: dict[tuple[str, str], Callable[[Asset, Sound, Samples, Samples, Path], Joined]] = {
    ("wav", _ANY): _join_wav,
    ("flac", "flac"): _join_lossless,
    ("mp4", "alac"): _join_lossless,
    ("mp3", "mp3"): _join_lossy,
    ("mp4", "aac"): _join_lossy,
}
"""How a codec in a container is joined: what keeps more of the source takes its row."""

# What FFmpeg encodes with, in which file; an M4A's index stands in front, as players stream it.
_MUXERS = {
    "flac": ("flac", ".flac", {}),
    "mp3": ("mp3", ".mp3", {}),
    "mp4": ("ipod", ".m4a", {"movflags": "faststart"}),
}
_ENCODERS = {"mp3": "libmp3lame"}
_GRAFTS: dict[str, Callable[[Any, Any], list[Piece]]] = {"flac": flac.graft, "mp3": mp3.graft, "mp4": mp4.graft}


def _encode(
    asset: Asset, sound: Sound, head: Samples, tail: Samples, scratch: Path, digest: _Digest, strict: bool
) -> Path:
    """Head, source and tail as a new file; `digest` is given the source's frames on the way."""
    muxer, suffix, options = _MUXERS[asset.container_name]
    path = scratch / f"encoded{suffix}"
    with _translated(asset, "encoded"), av.open(str(path), "w", format=muxer, options=options) as out:
        stream: Any = out.add_stream(_ENCODERS.get(sound.codec, sound.codec), rate=sound.rate, options=_options(sound))
        codec = stream.codec_context
        codec.layout, codec.format = sound.layout, sound.format
        if not sound.bits:
            codec.bit_rate = sound.bit_rate
        for frame in _timed(_frames(asset, sound, head, tail, digest, strict), sound.rate):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def _options(sound: Sound) -> dict[str, str]:
    # FFmpeg calls its 32-bit FLAC experimental; RFC 9639 has it, and what was written is decoded and compared.
    return {"bits_per_raw_sample": "32", "strict": "experimental"} if sound.bits == 32 else {}


def _frames(asset: Asset, sound: Sound, head: Samples, tail: Samples, digest: _Digest, strict: bool) -> Iterator[Any]:
    if head.size:
        yield _cue_frame(head, sound)
    with _opened(asset) as (_, stream):
        for frame in _cut_to(sound.length, _decoded(stream, strict)):
            if (frame.sample_rate, frame.layout.name, frame.format.name) != (sound.rate, sound.layout, sound.format):
                raise Unsupported("the sound changes its rate or layout midway; convert it to one of each first")
            digest.add(frame)
            yield frame
    if tail.size:
        yield _cue_frame(tail, sound)


def _cut_to(length: int | None, frames: Iterator[Any]) -> Iterator[Any]:
    """The frames, the last one shortened by what it holds beyond `length` samples in all."""
    last, count = None, 0
    for frame in frames:
        if last is not None:
            yield last
        last, count = frame, count + frame.samples
    if last is not None:
        excess = count - (count if length is None else length)
        yield _shortened(last, last.samples - excess) if 0 < excess < last.samples else last


def _timed(frames: Iterator[Any], rate: int) -> Iterator[Any]:
    """The frames one after the other, whatever their time stamps were."""
    count = 0
    for frame in frames:
        frame.pts, frame.time_base = count, Fraction(1, rate)
        count += frame.samples
        yield frame


def _shortened(frame: Any, count: int) -> Any:
    """The first `count` samples of a frame."""
    columns = count * (1 if frame.format.is_planar else len(frame.layout.channels))
    return _frame(frame.to_ndarray()[:, :columns], frame.format.name, frame.layout.name, frame.sample_rate)


def _cue_frame(samples: Samples, sound: Sound) -> Any:
    """The cue in the sound's own sample format, on its front channels."""
    spread = np.zeros((len(sound.channels), samples.size), np.float32)
    spread[_front(sound.channels)] = samples
    kind = av.AudioFormat(sound.format)
    planes: NDArray[Any] = spread
    if not kind.name.startswith("flt"):
        wide = 8 * kind.bytes
        bits = min(sound.bits or wide, wide)
        whole = np.clip(np.rint(spread.astype(np.float64) * (1 << bits - 1)), -(1 << bits - 1), (1 << bits - 1) - 1)
        planes = whole.astype(f"i{kind.bytes}") << (wide - bits)
    if kind.is_packed:
        planes = np.ascontiguousarray(planes.T).reshape(1, -1)
    return _frame(planes, sound.format, sound.layout, sound.rate)


def _front(channels: tuple[str, ...]) -> list[int]:
    """The channels a cue is heard from: left and right, or all there are."""
    return [i for i, name in enumerate(channels) if name in ("FL", "FR")] or list(range(len(channels)))


def _frame(planes: NDArray[Any], format: str, layout: str, rate: int) -> Any:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(planes), format=format, layout=layout)
    frame.sample_rate = rate
    return frame


def _grafted(asset: Asset, encoded: Path, scratch: Path) -> Asset:
    """The encoded sound with the source's tags and pictures, opened under the source's name."""
    path = scratch / f"joined{encoded.suffix}"
    with Asset.open(encoded) as fresh:
        fresh.save(_GRAFTS[asset.container_name](asset.data, fresh.data), path)
    encoded.unlink()
    return Asset.open(path, asset.source)


class _Digest:
    """A hash of `most` samples behind the first `skip`, however they are cut into frames."""

    def __init__(self, skip: int = 0, most: int | None = None) -> None:
        self.samples = 0
        self._skip = skip
        self._most = most
        self._planes: list[Any] = []

    def add(self, frame: Any) -> None:
        step = frame.format.bytes * (1 if frame.format.is_planar else len(frame.layout.channels))
        start = min(self._skip, frame.samples)
        stop = frame.samples if self._most is None else min(frame.samples, start + self._most - self.samples)
        self._skip -= start
        self._planes = self._planes or [hashlib.sha256() for _ in frame.planes]
        for digest, plane in zip(self._planes, frame.planes, strict=True):
            digest.update(memoryview(plane)[start * step : stop * step])
        self.samples += stop - start

    def value(self) -> list[bytes]:
        return [digest.digest() for digest in self._planes]


def _bit_rate(codec: str, rate: int, average: int) -> int:
    """What to encode at: a file of varying bit rate becomes one of the next constant rate that MP3 has."""
    return mp3.bit_rate(rate, average) if codec == "mp3" else average


def _coded_as(asset: Asset, codec: Any) -> str:
    """The codec's name; Unsupported for a profile of it that FFmpeg reads but cannot write."""
    name = str(codec.codec.canonical_name)
    if name == "aac" and codec.profile != "LC":
        raise Unsupported(f"{codec.profile} can be decoded but not encoded; convert {asset.source} to AAC-LC first")
    return name
