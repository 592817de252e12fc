"""Drawing on a video: decode, lay the picture over the opening frames in place, encode again, copy all else.

The whole video is encoded again at a quality that looks lossless; frame times, colour, orientation and every
other stream stay as they are, and `Kept.compare` checks that on the finished file.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias, cast

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.stream import Stream
from av.video.frame import PictureType
from av.video.stream import VideoStream
from numpy.typing import NDArray

from labeler.asset import Asset
from labeler.codecs._encoders import Encoder, encoder_for, open_encoder
from labeler.codecs._planes import Geometry, Overlay, Signal, blend, display_matrix, geometry, grey, patches, signal
from labeler.codecs._streams import (
    REPAIR,
    Opening,
    Packet,
    clock,
    decode,
    is_cover,
    is_end,
    opened,
    openings,
    others,
    time_of,
    watchable,
)
from policies.errors import BadInput, ToolkitError, Unsupported

__all__ = ["Kept", "Overlay", "Shown", "Size", "draw", "shown", "tracks"]

Size: TypeAlias = tuple[int, int]
Times: TypeAlias = "array[int]"

_MUXERS = {b"qt  ": "mov", b"3gp": "3gp"}
"""Start of the major brand -> FFmpeg's muxer; all others are MP4."""
_NOT_TAGS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})


# ---- Looking at it ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame as displayed from `start` to `stop`, in seconds from the first one."""

    start: float
    stop: float
    _frame: av.VideoFrame
    _signal: Signal
    _geometry: Geometry

    def grey(self) -> NDArray[np.uint8]:
        """The upright picture in square pixels, full-range grey, (height, width)."""
        return np.ascontiguousarray(self._geometry.to_displayed(grey(self._frame, self._signal)))


def tracks(asset: Asset) -> int:
    """How many video streams a viewer can choose from."""
    with opened(asset) as container:
        return len(watchable(container))


def shown(asset: Asset, track: int = 0) -> Generator[Shown, None, None]:
    """The frames of a video stream (counted from 0) as they are displayed. Raises BadInput, Unsupported."""
    with opened(asset) as container:
        stream = watchable(container)[track]
        stream.thread_type = "AUTO"
        origin: Fraction | None = None
        previous: av.VideoFrame | None = None
        for frame in (f for packet in container.demux(stream) for f in decode(stream, packet)):
            if origin is None:
                origin, what, way = time_of(frame), signal(frame), geometry(frame, stream.sample_aspect_ratio)
            if previous is not None:
                yield Shown(float(time_of(previous) - origin), float(time_of(frame) - origin), previous, what, way)
            previous = frame
        if previous is None or origin is None:
            raise BadInput(f"no frame of the video can be decoded; {REPAIR}")
        start = time_of(previous) - origin
        yield Shown(float(start), float(start + previous.duration * clock(stream)), previous, what, way)


# ---- Drawing on it ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Digest:
    """Of a stream's packets: how many, and a hash over their bytes and times."""

    kind: str
    count: int = 0
    hash: Any = field(default_factory=hashlib.sha256)

    def add(self, packet: Packet) -> None:
        time = None if packet.pts is None else packet.pts * packet.time_base
        self.count += 1
        self.hash.update(f"{time} {packet.size};".encode())
        self.hash.update(cast(Any, packet))


class _CopyLane:
    """A stream whose packets go over as they are."""

    def __init__(self, out: OutputContainer, source: Stream, digest: _Digest) -> None:
        if source.type == "data" and source.name in (None, "none"):
            raise Unsupported(
                f"track {source.index + 1} holds data that FFmpeg can't write (from a camera or its maker); "
                f"take it out first, for instance with `ffmpeg -i IN -map 0 -map -0:{source.index} -c copy OUT`"
            )
        self._out = out
        self._target = out.add_stream_from_template(cast(Any, source), opaque=True)
        _describe(self._target, source)
        self.digest = digest

    def take(self, packet: Packet) -> None:
        if is_end(packet):
            return
        self.digest.add(packet)
        packet.stream = self._target
        self._out.mux(packet)

    def finish(self) -> None:
        """Nothing is held back."""


class _DrawLane:
    """A video stream that is decoded, drawn on for its first `seconds`, and encoded again.

    The encoder is given frame numbers for times and so writes an ordinary frame rate into the stream; the packets
    are given the frames' own times, which no encoder's clock has to be able to express.
    """

    def __init__(
        self,
        out: OutputContainer,
        source: VideoStream,
        opening: Opening,
        overlay: Callable[[Size], Overlay],
        seconds: float,
    ) -> None:
        first = opening.frame
        self._out, self._source, self._first, self._seconds = out, source, first, seconds
        self._signal = signal(first)
        way = geometry(first, opening.aspect)
        self._patches = patches(way.to_stored(overlay(way.size)), first, self._signal)
        self.encoder: Encoder = encoder_for(source, first)
        self._target, self._context = open_encoder(self.encoder, out, source, first)
        _describe(self._target, source)
        source.thread_type = "AUTO"
        self._durations: dict[int, int] = {}  # of the frames inside the encoder, by number
        self._packets: Times = array("q")
        self.times: Times = array("q")
        self.drawn = 0

    def take(self, packet: Packet) -> None:
        if packet.size and packet.pts is not None and not packet.is_discard:
            self._packets.append(packet.pts)
        for frame in decode(self._source, packet):
            self._check(frame)
            self._encode(frame)

    def finish(self) -> None:
        """Drain the encoder. Raises BadInput where frames are missing that a viewer would miss."""
        self._send(self._context.encode(None))
        # Before the first frame that decodes, no player shows anything: leading pictures of a cut open GOP.
        expected = np.array([pts for pts in self._packets if not self.times or pts >= self.times[0]])
        if lost := len(np.setdiff1d(expected, np.array(self.times))):
            raise BadInput(f"{lost} frames of the video can't be decoded; {REPAIR}")

    def _check(self, frame: av.VideoFrame) -> None:
        time = float(time_of(frame))
        if frame.is_corrupt:
            raise BadInput(f"the frame at {time:.3f} s is damaged; {REPAIR}")
        if self.times and cast(int, frame.pts) <= self.times[-1]:
            raise BadInput(f"the frame at {time:.3f} s comes when a later one is already shown; {REPAIR}")
        form, first = ((f.width, f.height, f.format.name, f.interlaced_frame) for f in (frame, self._first))
        if form != first:
            raise Unsupported(f"the picture's size or format changes at {time:.3f} s; encode the video in one format")

    def _encode(self, frame: av.VideoFrame) -> None:
        pts, duration = cast(int, frame.pts), frame.duration
        since = (pts - (self.times[0] if self.times else pts)) * clock(self._source)
        if since < self._seconds:
            blend(frame, self._patches, self._signal)
            self.drawn += 1
        # Random access stays where it was: the source's keyframes are keyframes again.
        frame.pict_type = PictureType.I if frame.key_frame else PictureType.NONE
        frame.pts, frame.time_base = len(self.times), 1 / self._context.framerate
        self.times.append(pts)
        self._durations[len(self.times) - 1] = duration
        self._send(self._context.encode(frame))

    def _send(self, packets: Sequence[Packet]) -> None:
        """Mux what the encoder gave, its frame numbers turned into the frames' own times."""
        for packet in packets:
            number, order = cast(int, packet.pts), cast(int, packet.dts)
            packet.duration = self._durations.pop(number)
            packet.pts, packet.dts, packet.time_base = self.times[number], self._before(order), clock(self._source)
            packet.stream = self._target
            self._out.mux(packet)

    def _before(self, order: int) -> int:
        """The decoding time of the packet that comes `order`th; those before 0 are a frame's duration apart."""
        step = max(1, round(1 / (self._context.framerate * clock(self._source))))
        return self.times[order] if order >= 0 else self.times[0] + order * step


def _describe(target: Stream, source: Stream) -> None:
    target.metadata.update(source.metadata)
    target.disposition = source.disposition
    target.time_base = source.time_base


def draw(asset: Asset, target: Path, overlay: Callable[[Size], Overlay], seconds: float) -> Kept:
    """Write to `target` the asset with `overlay` over every video stream while it shows its first `seconds`.

    `overlay` is asked for the picture to draw on a video displayed at a width and height. All streams and
    tags of the source are written; what the container says beyond them is the container module's to graft.

    Raises BadInput for damage, Unsupported (naming the remedy) for what cannot be encoded or kept.
    """
    starts = openings(asset)
    with opened(asset) as container:
        _check_whole(asset, container)
        streams = watchable(container)
        with _created(asset, target, container, starts) as out:
            drawn = {
                stream.index: _DrawLane(out, stream, opening, overlay, seconds)
                for stream, opening in zip(streams, starts, strict=True)
            }
            digests = _digests(container)
            copied = {s.index: _CopyLane(out, s, digest) for s, digest in zip(others(container), digests, strict=True)}
            lanes: dict[int, _DrawLane | _CopyLane] = {**drawn, **copied}
            for packet in container.demux([container.streams[index] for index in lanes]):
                lanes[packet.stream.index].take(packet)
            for lane in lanes.values():
                lane.finish()
        times = [(lane.times, clock(stream)) for lane, stream in zip(drawn.values(), streams, strict=True)]
        words = "; ".join(
            f"{len(lane.times)} frames encoded again by {lane.encoder.name}, {lane.drawn} of them drawn on"
            for lane in drawn.values()
        )
        return Kept(words, starts, times, digests)


def _check_whole(asset: Asset, container: InputContainer) -> None:
    """FFmpeg takes a file that was cut short for a shorter one; its index knows better."""
    for stream in container.streams:
        if len(stream.index_entries):
            last = stream.index_entries[-1]
            if last.pos + last.size > len(asset.data):
                raise BadInput("the file ends before its last frames: it was cut short; get all of it")


def _created(asset: Asset, target: Path, source: InputContainer, starts: Sequence[Opening]) -> OutputContainer:
    brand = asset.data[8:12] if asset.data[4:8] == b"ftyp" else b"qt  "  # QuickTime before 2001 has no ftyp
    muxer = next((name for start, name in _MUXERS.items() if brand.startswith(start)), "mp4")
    options = {"movflags": "+faststart", "fflags": "+bitexact", **_scales(source, starts)}
    if muxer == "mp4":
        options["brand"] = brand.decode("latin-1")
    path = str(target.resolve())  # absolute: FFmpeg would take "a:b" for a protocol
    out = av.open(path, "w", format=muxer, options=options, metadata_errors="surrogateescape")
    out.metadata.update({key: value for key, value in source.metadata.items() if key not in _NOT_TAGS})
    out.set_chapters(source.chapters())
    return out


def _scales(source: InputContainer, openings: Sequence[Opening]) -> dict[str, str]:
    """Clocks that express every track's times, and when it begins, exactly; the muxer's own is milliseconds."""
    scales = {clock(stream).denominator for stream in watchable(source)}
    options = {"video_track_timescale": str(*scales)} if len(scales) == 1 else {}
    starts = [time_of(opening.frame) for opening in openings]
    starts += [stream.start_time * clock(stream) for stream in others(source) if stream.start_time]
    if any((1000 * start).denominator != 1 for start in starts if start > 0):
        all_scales = math.lcm(*scales, *(clock(stream).denominator for stream in others(source)))
        options["movie_timescale"] = str(all_scales if all_scales < 1 << 31 else max(scales))
    return options


# ---- Checking the result --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kept:
    """What `draw` kept of the source, to be compared with the finished file."""

    words: str
    openings: Sequence[Opening]
    times: Sequence[tuple[Times, Fraction]]
    digests: Sequence[_Digest]

    def compare(self, result: Asset) -> dict[str, str]:
        """What of the source the finished file still has, in words. Raises ToolkitError for any difference."""
        times, digests = _survey(result)
        if len(times) != len(self.times):
            raise _differs(f"it has {len(times)} video streams, the source {len(self.times)}")
        for (was, was_base), (now, base) in zip(self.times, times, strict=True):
            ratio = was_base / base
            if len(was) != len(now) or any(a * ratio != b for a, b in zip(was, now, strict=True)):
                raise _differs("its frames are not shown at the source's times")
        if [d.kind for d in digests] != [d.kind for d in self.digests]:
            raise _differs(f"beside the video it has {', '.join(d.kind for d in digests) or 'nothing'}")
        for copied, copy in zip(self.digests, digests, strict=True):
            if (copied.count, copied.hash.digest()) != (copy.count, copy.hash.digest()):
                raise _differs(f"{copied.kind} is not the source's packet by packet")
        for before, after in zip(self.openings, openings(result), strict=True):
            _compare_openings(before, after)
        said = {"video": f"{self.words}; their times, size, colour tags and orientation compared with the source's"}
        return said | {d.kind: f"{d.count} packets copied, their bytes and times compared" for d in self.digests}


def _digests(container: InputContainer) -> list[_Digest]:
    """An empty digest for each stream that is copied, named by its kind and its place among them."""
    kinds = ["cover" if is_cover(stream) else stream.type for stream in others(container)]
    return [_Digest(f"{kind} {kinds[: i + 1].count(kind)}") for i, kind in enumerate(kinds)]


def _survey(asset: Asset) -> tuple[list[tuple[Times, Fraction]], list[_Digest]]:
    """The frame times of each video stream in order, and the digests of all other streams."""
    with opened(asset) as container:
        streams, rest, digests = watchable(container), others(container), _digests(container)
        times: dict[int, Times] = {stream.index: array("q") for stream in streams}
        copies = dict(zip((stream.index for stream in rest), digests, strict=True))
        for packet in container.demux([*streams, *rest]):
            if is_end(packet):
                continue
            if packet.stream.index in copies:
                copies[packet.stream.index].add(packet)
            elif packet.pts is not None and not packet.is_discard:
                times[packet.stream.index].append(packet.pts)
        ordered = [(array("q", sorted(times[stream.index])), clock(stream)) for stream in streams]
        return ordered, digests


def _compare_openings(before: Opening, after: Opening) -> None:
    was, now = _said(before), _said(after)
    if changed := [name for name in was if was[name] != now[name]]:
        raise _differs(", ".join(f"its {name} is {now[name]}, was {was[name]}" for name in changed))


def _said(opening: Opening) -> dict[str, Any]:
    frame = opening.frame
    return {
        "size": (frame.width, frame.height),
        "pixel format": frame.format.name,
        "sample aspect ratio": opening.aspect or Fraction(1),
        "colour": (frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range),
        "orientation": display_matrix(frame),
        "interlacing": frame.interlaced_frame,
    }


def _differs(how: str) -> ToolkitError:
    return ToolkitError(f"the labelled video differs from the source where it must not ({how}); nothing was saved")
