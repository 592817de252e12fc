"""MP3 (ISO/IEC 11172-3, 13818-3 layer III): the item in ID3v2 TXXX:AIGC before the frames (TC260-PG-202510A)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import chain

from labeler.containers import Buffer, Copy, Piece, Span, _id3, splice
from policies.terms import Media

NAME = "MP3"
MEDIA = Media.AUDIO
SUFFIXES = (".mp3",)
MIME = "audio/mpeg"
SLOT = _id3.SLOT

# Kilobits a second by the header's index, for MPEG-1 and for MPEG-2 and 2.5 (layer III).
_BIT_RATES = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_SAMPLE_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
# Where taggers left junk behind their tag, the frames still start this near.
_SEARCH = 8192
_MAX_TAIL_TAGS = 8


@dataclass(frozen=True, slots=True)
class Frame:
    """What a frame's header says; consecutive frames of one stream share `kind`."""

    kind: tuple[int, int]  # version bits, sample rate
    size: int


def sniff(data: Buffer, suffix: str) -> bool:
    start = _id3.end_of_tags(data)
    if start >= len(data):
        return start > 0  # nothing but a tag, or one cut short: what it describes is lost, the layout is this
    return _is_stream(data, start) or (start > 0 and _stream_start(data, start) is not None)


def read(data: Buffer) -> list[Copy]:
    return [copy for tag in _id3.tags(data) for copy in _id3.read(data, tag)]


def write(data: Buffer, item: str) -> list[Piece]:
    tags = _id3.tags(data)
    if not tags:
        return [_id3.new(item), Span(0, len(data))]
    # Readers look at the first tag.
    edits = [_id3.edits(data, tag, item if tag is tags[0] else None) for tag in tags]
    return splice(len(data), chain.from_iterable(edits))


def graft(source: Buffer, encoded: Buffer) -> list[Piece]:
    """The source's tags, in front and behind, around the encoded frames; Spans are of `encoded`, the larger one."""
    front = min(_id3.end_of_tags(source), len(source))
    start, stop = _id3.end_of_tags(encoded), start_of_tail(encoded)
    pieces: list[Piece] = [source[:front], Span(start, stop), source[max(front, start_of_tail(source)) :]]
    return [piece for piece in pieces if piece]


def start_of_tail(data: Buffer) -> int:
    """Where the tags behind the frames start: ID3v1, APEv2 and Lyrics3v2, in any order."""
    stop = len(data)
    for _ in range(_MAX_TAIL_TAGS):
        stop -= _tail_size(data, stop)
    return stop


def _tail_size(data: Buffer, stop: int) -> int:
    """The length of the tag that ends at `stop`; 0 where there is none that fits."""
    if data[max(0, stop - 128) : stop][:3] == b"TAG" and stop >= 128:
        return 128
    footer = data[max(0, stop - 32) : stop]
    if footer[:8] == b"APETAGEX" and len(footer) == 32:
        size, _, flags = struct.unpack_from("<3I", footer, 12)
        size += 32 if flags & 1 << 31 else 0  # the length counts the footer, not the header
        return size if 32 <= size <= stop else 0
    if footer[-9:] == b"LYRICS200" and footer[-15:-9].isdigit():
        size = int(footer[-15:-9]) + 15
        return size if size <= stop else 0
    return 0


def frame(header: bytes) -> Frame | None:
    """What a four-byte frame header says; None where it is none of layer III with a stated bit rate."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    version, bit_rate, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or bit_rate in (0, 15) or rate == 3:
        return None
    first = version == 3
    hertz = _SAMPLE_RATES[version][rate]
    kilobits = _BIT_RATES[0 if first else 1][bit_rate]
    size = (144000 if first else 72000) * kilobits // hertz + (header[2] >> 1 & 1)
    return Frame((version, hertz), size)


def bit_rate(hertz: int, least: int) -> int:
    """The lowest constant bit rate at this sample rate that is not below `least`, in bits a second."""
    rates = _BIT_RATES[0 if hertz in _SAMPLE_RATES[3] else 1]
    return next((1000 * rate for rate in rates[1:] if 1000 * rate >= least), 1000 * rates[-1])


def _is_stream(data: Buffer, start: int) -> bool:
    """Whether a frame stands here and another like it, or the end of the frames, right behind it."""
    one = frame(data[start : start + 4])
    if one is None:
        return False
    two = frame(data[start + one.size : start + one.size + 4])
    return two.kind == one.kind if two else start + one.size == start_of_tail(data)


def _stream_start(data: Buffer, start: int) -> int | None:
    """Where the frames start behind junk; None also where the signal says itself that it is another one."""
    head = data[start : start + _SEARCH]
    if head[:4] == b"fLaC" or (head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xF6 == 0xF0):
        return None  # FLAC or AAC behind an ID3 tag
    position = head.find(b"\xff")
    while position >= 0:
        if _is_stream(data, start + position):
            return start + position
        position = head.find(b"\xff", position + 1)
    return None
