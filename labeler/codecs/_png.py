"""PNG (ISO/IEC 15948): an overlay on its samples; every scanline that the overlay does not meet is kept as it is.

Bit depth, colour type and interlacing stay. The lines that change, and the one below them, which is predicted
from them, are filtered anew (type Up); all lines are then compressed again.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from labeler.codecs._compositing import Array, box, over
from labeler.codecs._planes import Overlay
from labeler.containers import Buffer
from labeler.containers.png import SIGNATURE, chunks, make_chunk
from policies.errors import BadInput

Bytes: TypeAlias = NDArray[np.uint8]

_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_CHANNELS = {"L": 1, "RGB": 3, "P": 1, "LA": 2, "RGBA": 4}
# Adam7 (8.2): first column, first row, column step, row step of each pass.
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_UP = 2
_IDAT_SIZE = 1 << 20
# Greys that a palette is given where entries are free, the most needed first: letters, box, and their edges.
_NOTICE_GREYS = (255, 40, 150, 95, 200, 65, 225, 120)


@dataclass(frozen=True, slots=True)
class Header:
    """The IHDR chunk's fields. Raises BadInput for combinations the standard does not have."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool

    def __post_init__(self) -> None:
        if self.depth not in _DEPTHS.get(self.colour, ()) or not (self.width and self.height):
            raise BadInput("the PNG's header is not one the standard knows; the file is damaged")

    @property
    def mode(self) -> str:
        return _MODES[self.colour]

    @property
    def channels(self) -> int:
        return _CHANNELS[self.mode]

    @property
    def most(self) -> int:
        return (1 << self.depth) - 1

    def line_size(self, columns: int) -> int:
        """Bytes of a scanline, without its filter type."""
        return (columns * self.depth * self.channels + 7) // 8

    def passes(self) -> Iterator[tuple[slice, slice]]:
        """The rows and columns of each pass that has any."""
        for x, y, dx, dy in _ADAM7 if self.interlaced else ((0, 0, 1, 1),):
            if x < self.width and y < self.height:
                yield slice(y, self.height, dy), slice(x, self.width, dx)


@dataclass(frozen=True, slots=True)
class _Palette:
    """PLTE as (n, 3) and the opacity of each entry (n,)."""

    colours: Bytes
    opacity: Bytes


def header(data: Buffer) -> Header:
    first = next(chunks(data), None)
    if first is None or first.type != b"IHDR" or first.stop - first.start != 25:
        raise BadInput("the PNG has no IHDR chunk; the file is damaged")
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", first.data(data))
    return Header(width, height, depth, colour, interlace == 1)


def draw(data: Buffer, picture: Image.Image, overlay: Overlay) -> bytes:
    """The picture with the overlay as a PNG of the same kind, without the chunks that only describe it.

    `picture` is the file opened by Pillow. Raises BadInput for damage.
    """
    head = header(data)
    pixels = samples(data, picture, head)
    inside = box(overlay, pixels.shape)
    before = pixels[inside].copy()
    palette, key = _palette(data, head), _clear_colour(data, head)
    if palette is None:
        pixels[inside] = over(before, overlay, head.mode, head.most)
        _avoid(pixels[inside], overlay, key, head.most)
    else:
        palette = _with_greys(palette, pixels, head)
        pixels[inside][..., 0] = _nearest(before[..., 0], overlay, palette)
    lines = _inflated(data, head)
    _replace_lines(lines, pixels, inside[0], head)
    return _file(data, lines, palette, key)


def samples(data: Buffer, picture: Image.Image, head: Header) -> Array:
    """The samples (h, w, channels) as the file counts them, 0 to 2^depth - 1; palette indices for a palette."""
    if head.depth == 16:
        return _deep_samples(data, head)
    array = np.asarray(picture)
    if head.mode == "L" and head.depth < 8:
        # Pillow spreads short grey samples over 0 to 255, or False and True.
        array = array.astype(np.uint8) if head.depth == 1 else array // np.uint8(255 // head.most)
    pixels = array.reshape(array.shape[0], array.shape[1], -1).copy()
    if pixels.shape != (head.height, head.width, head.channels):
        raise BadInput("the PNG's pixels are not what its header says; the file is damaged")
    return pixels


def _deep_samples(data: Buffer, head: Header) -> Array:
    """16-bit samples, which Pillow would cut to 8."""
    array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.dtype != np.uint16 or array.shape[:2] != (head.height, head.width):
        raise BadInput("the 16-bit PNG cannot be decoded; the file is damaged")
    channels = array.reshape(head.height, head.width, -1)
    # OpenCV gives grey, BGR or BGRA, whatever the file has.
    wanted = {"L": [0], "LA": [0, -1], "RGB": [2, 1, 0], "RGBA": [2, 1, 0, 3]}[head.mode]
    if channels.shape[2] < len(wanted):
        raise BadInput("the 16-bit PNG cannot be decoded; the file is damaged")
    return channels[..., wanted].copy()


def _chunk_data(data: Buffer, kind: bytes) -> bytes:
    return b"".join(chunk.data(data) for chunk in chunks(data) if chunk.type == kind)


# ---- Colours --------------------------------------------------------------------------------------------


def _palette(data: Buffer, head: Header) -> _Palette | None:
    if head.mode != "P":
        return None
    colours = np.frombuffer(_chunk_data(data, b"PLTE"), np.uint8)
    if not colours.size or colours.size % 3 or colours.size // 3 > 256:
        raise BadInput("the PNG's palette is damaged")
    opacity = np.full(colours.size // 3, 255, np.uint8)
    given = np.frombuffer(_chunk_data(data, b"tRNS"), np.uint8)[: opacity.size]
    opacity[: given.size] = given
    return _Palette(colours.reshape(-1, 3).copy(), opacity)


def _with_greys(palette: _Palette, samples: Array, head: Header) -> _Palette:
    """The palette with the notice's greys in entries that no pixel uses."""
    used = np.bincount(samples.ravel(), minlength=head.most + 1)
    spare = [int(i) for i in np.flatnonzero(used[: head.most + 1] == 0)][: len(_NOTICE_GREYS)]
    size = max([len(palette.colours), *(i + 1 for i in spare)])
    colours = np.zeros((size, 3), np.uint8)
    colours[: len(palette.colours)] = palette.colours
    opacity = np.full(size, 255, np.uint8)
    opacity[: len(palette.opacity)] = palette.opacity
    for entry, grey in zip(spare, _NOTICE_GREYS, strict=False):
        colours[entry], opacity[entry] = grey, 255
    return _Palette(colours, opacity)


def _nearest(indices: Bytes, overlay: Overlay, palette: _Palette) -> Bytes:
    """The indices of the opaque entries nearest to what the overlay makes of the colours."""
    if int(indices.max(initial=0)) >= len(palette.colours):
        raise BadInput("the PNG's pixels name colours that its palette lacks; the file is damaged")
    wanted = over(palette.colours[indices], overlay, "RGB").astype(np.int32)
    opaque = np.flatnonzero(palette.opacity == 255)
    entries = opaque if opaque.size else np.arange(len(palette.colours))
    colours = palette.colours[entries].astype(np.int32)
    chosen = [entries[((row[:, None] - colours) ** 2).sum(axis=2).argmin(axis=1)] for row in wanted]
    return np.where(overlay.rgba[..., 3] > 0, np.array(chosen, np.uint8), indices)


def _clear_colour(data: Buffer, head: Header) -> bytes:
    """The tRNS chunk of a grey or colour picture: the one colour that is transparent."""
    return _chunk_data(data, b"tRNS") if head.mode in ("L", "RGB") else b""


def _avoid(drawn: Array, overlay: Overlay, key: bytes, most: int) -> None:
    """Keep the notice from the one colour that is transparent: white letters in a picture that is clear in white."""
    count = drawn.shape[2]
    if len(key) != 2 * count:
        return
    clear = np.array(struct.unpack(f">{count}H", key)) & most
    hit = (drawn == clear).all(axis=2) & (overlay.rgba[..., 3] >= 128)
    drawn[hit, 0] = clear[0] - 1 if clear[0] else 1


# ---- Scanlines ------------------------------------------------------------------------------------------


def _inflated(data: Buffer, head: Header) -> Bytes:
    """All filtered scanlines. BadInput where there are fewer than the header says."""
    size = sum(_extent(head, rows, columns)[2] for rows, columns in head.passes())
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(_chunk_data(data, b"IDAT"), size)
    except zlib.error as error:
        raise BadInput(f"the PNG's pixels are not valid zlib data: {error}") from error
    if len(raw) < size:
        raise BadInput("the PNG's pixels end too early; the file is cut short or damaged")
    return np.frombuffer(bytearray(raw), np.uint8)


def _extent(head: Header, rows: slice, columns: slice) -> tuple[int, int, int]:
    """A pass's lines, the bytes of each with its filter type, and of all."""
    count = len(range(head.height)[rows])
    line = 1 + head.line_size(len(range(head.width)[columns]))
    return count, line, count * line


def _replace_lines(lines: Bytes, samples: Array, changed: slice, head: Header) -> None:
    """Write the samples of the changed rows into the scanlines, pass by pass."""
    start = 0
    for rows, columns in head.passes():
        count, line, size = _extent(head, rows, columns)
        part = lines[start : start + size].reshape(count, line)
        start += size
        met = [i for i, row in enumerate(range(head.height)[rows]) if changed.start <= row < changed.stop]
        if met:
            first, last = met[0], min(met[-1] + 1, count - 1)  # the line below was predicted from a changed one
            packed = _packed(samples[rows, columns][max(first - 1, 0) : last + 1], head)
            above = packed[:-1] if first else np.vstack([np.zeros_like(packed[:1]), packed[:-1]])
            part[first : last + 1, 0] = _UP
            part[first : last + 1, 1:] = packed[-len(above) :] - above


def _packed(samples: Array, head: Header) -> Bytes:
    """Rows of samples (h, w, channels) as the bytes of unfiltered scanlines."""
    rows = samples.reshape(samples.shape[0], -1)
    if head.depth == 16:
        return rows.astype(">u2").view(np.uint8)
    if head.depth == 8:
        return np.ascontiguousarray(rows, np.uint8)
    shifts = np.arange(head.depth - 1, -1, -1, dtype=np.uint8)
    bits = (rows[..., None] >> shifts) & 1
    return np.packbits(bits.reshape(rows.shape[0], -1).astype(np.uint8), axis=1)


def _file(data: Buffer, lines: Bytes, palette: _Palette | None, key: bytes) -> bytes:
    parts = [SIGNATURE, make_chunk(b"IHDR", _chunk_data(data, b"IHDR"))]
    if palette is not None:
        parts.append(make_chunk(b"PLTE", palette.colours.tobytes()))
        key = palette.opacity.tobytes().rstrip(b"\xff")
    elif suggested := _chunk_data(data, b"PLTE"):
        parts.append(make_chunk(b"PLTE", suggested))
    if key:
        parts.append(make_chunk(b"tRNS", key))
    packed = zlib.compress(lines.data, 6)
    parts += [make_chunk(b"IDAT", packed[i : i + _IDAT_SIZE]) for i in range(0, len(packed), _IDAT_SIZE)]
    return b"".join([*parts, make_chunk(b"IEND", b"")])
