"""A video file's streams as FFmpeg sees them: opening it safely, and telling pictures from covers and helpers."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias, cast

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet as AnyPacket
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream

from labeler.asset import Asset
from policies.errors import BadInput, TooLarge, ToolkitError, Unsupported

REPAIR = "repair it with `ffmpeg -i IN -c copy OUT`, or encode it again"
Packet: TypeAlias = "AnyPacket[Any]"
UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS})
"""What the system says where it takes no more; it is the disk's fault then, not the file's."""
_MAX_PIXELS = 1 << 26  # 8192 x 8192; a bigger frame would exhaust the machine
_DEMUXERS = {"mp4": "mov"}
"""Container module -> FFmpeg's demuxer. Named, never probed: a file must not choose what reads it."""


@contextmanager
def opened(asset: Asset) -> Iterator[InputContainer]:
    """The asset under FFmpeg's demuxer. Inside, whatever FFmpeg raises becomes a ToolkitError."""
    demuxer = _DEMUXERS.get(asset.container_name)
    if demuxer is None:
        raise Unsupported(f"videos in {asset.container.NAME} are not labelled yet; remux the file as MP4")
    # surrogateescape: tags in old encodings go through as the bytes they were.
    how: dict[str, Any] = {"format": demuxer, "metadata_errors": "surrogateescape"}
    limit = {"max_pixels": str(_MAX_PIXELS)}
    with asset.reader() as file, _explained(), av.open(file, "r", options=limit, **how) as container:
        yield container


@contextmanager
def _explained() -> Iterator[None]:
    """What FFmpeg raises, in our terms."""
    try:
        yield
    except ToolkitError:
        raise
    except FFmpegError as error:
        if error.errno in UNWRITABLE:
            raise BadInput(f"cannot write the labelled video: {error.strerror}; free space or permit it") from error
        raise BadInput(f"cannot decode and encode the video: {error.strerror}; {REPAIR}") from error
    except MemoryError as error:
        raise TooLarge("the video's frames need more memory than there is; scale it down first") from error
    except (OSError, ValueError) as error:
        raise Unsupported(f"cannot decode and encode the video: {error}; convert it to H.264 and AAC in MP4") from error


def is_cover(stream: Stream) -> bool:
    """Whether the stream is a still that describes the file, not something to watch."""
    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def _is_made_by_muxer(stream: Stream) -> bool:
    """Chapter titles and time codes: tracks in the file, but written anew from the chapters and tags."""
    return stream.discard is Discard.all or (stream.type == "data" and "timecode" in stream.metadata)


def watchable(container: InputContainer) -> list[VideoStream]:
    """The video streams that a viewer can choose to watch. Raises Unsupported where one has no decoder."""
    streams = [stream for stream in container.streams.video if not is_cover(stream)]
    if any(stream.codec_context is None for stream in streams):
        raise Unsupported("there is no decoder for the video's codec; convert it to H.264 first")
    return streams


def others(container: InputContainer) -> list[Stream]:
    """The streams that are carried along; covers come last, as the muxer puts them."""
    watched = {stream.index for stream in watchable(container)}
    found = [s for s in container.streams if s.index not in watched and not _is_made_by_muxer(s)]
    return sorted(found, key=is_cover)


def decode(stream: VideoStream, packet: Packet) -> list[av.VideoFrame]:
    """The frames that come out when the packet goes in; the demuxer's empty last one drains the decoder."""
    return [] if not packet.size and not is_end(packet) else stream.codec_context.decode(packet)


def is_end(packet: Packet) -> bool:
    """Whether it is the mark that the demuxer sets behind a stream's last packet."""
    return packet.size == 0 and packet.dts is None


def clock(stream: Stream) -> Fraction:
    """The unit of the stream's times in seconds."""
    if not stream.time_base:
        raise BadInput(f"a stream of the video has no clock; {REPAIR}")
    return stream.time_base


def time_of(frame: av.VideoFrame) -> Fraction:
    """When the frame is displayed, in seconds on the file's own clock."""
    if frame.pts is None or not frame.time_base:
        raise BadInput(f"a frame of the video has no time; {REPAIR}")
    return frame.pts * frame.time_base


@dataclass(frozen=True, slots=True)
class Opening:
    """How a stream begins: its first displayed frame, and the aspect ratio of its samples."""

    frame: av.VideoFrame
    aspect: Fraction | None


def openings(asset: Asset) -> list[Opening]:
    """The opening of each watchable stream. Raises BadInput where one has no frame."""
    with opened(asset) as container:
        streams = watchable(container)
        found: dict[int, av.VideoFrame] = {}
        for packet in container.demux(streams):
            if packet.stream.index not in found:
                for frame in decode(cast(VideoStream, packet.stream), packet)[:1]:
                    found[packet.stream.index] = frame
            if len(found) == len(streams):
                break
        if not streams or len(found) < len(streams):
            raise BadInput(f"no frame of the video can be decoded; {REPAIR}")
        return [Opening(found[stream.index], stream.sample_aspect_ratio) for stream in streams]
