"""A decoded video frame's planes as arrays: which way up they are shown, what their numbers mean, drawing on them.

Colour by ITU-T H.273: matrix coefficients (table 4), transfer characteristics (table 3), full and limited range
(8.3). Everything works in place and on the sample values of the frame: no pixel outside the overlay changes.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, TypeAlias, cast

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type
from numpy.typing import NDArray

from policies.errors import BadInput, Unsupported

Array: TypeAlias = NDArray[Any]
Levels: TypeAlias = NDArray[np.float64]

_UPRIGHT = (0x10000, 0, 0, 0x10000)


@dataclass(frozen=True, slots=True)
class Overlay:
    """Pixels to lay over a picture: `rgba` (h, w, 4) with straight alpha, its top left corner at `x`, `y`."""

    rgba: NDArray[np.uint8]
    x: int
    y: int


# ---- Which way up ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Geometry:
    """How the stored picture of `width` x `height` samples is shown: transposed, then mirrored, then stretched.

    `aspect` is the sample aspect ratio, width over height, of the stored samples.
    """

    width: int
    height: int
    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False
    aspect: Fraction = Fraction(1)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as displayed, in square pixels; samples are only ever stretched, never squeezed."""
        width, height = self._stretched
        return (height, width) if self.transposed else (width, height)

    @property
    def _stretched(self) -> tuple[int, int]:
        if self.aspect >= 1:
            return round(self.width * self.aspect), self.height
        return self.width, round(self.height / self.aspect)

    def to_displayed(self, plane: Array) -> Array:
        """A plane of the stored picture's size as it is displayed."""
        if self.aspect != 1:
            plane = cv2.resize(plane, self._stretched, interpolation=cv2.INTER_LINEAR)
        return self._turned(plane)

    def _turned(self, plane: Array) -> Array:
        turned = plane.swapaxes(0, 1) if self.transposed else plane
        return turned[:: -1 if self.mirrored_y else 1, :: -1 if self.mirrored_x else 1]

    def to_stored(self, overlay: Overlay) -> Overlay:
        """An overlay for the displayed picture as it has to lie on the stored one."""
        rows, columns = overlay.rgba.shape[:2]
        width, height = self.size
        x = width - overlay.x - columns if self.mirrored_x else overlay.x
        y = height - overlay.y - rows if self.mirrored_y else overlay.y
        rgba = overlay.rgba[:: -1 if self.mirrored_y else 1, :: -1 if self.mirrored_x else 1]
        if self.transposed:
            rgba, x, y = rgba.swapaxes(0, 1), y, x
        return self._squeezed(Overlay(rgba, x, y))

    def _squeezed(self, overlay: Overlay) -> Overlay:
        if self.aspect == 1:
            return overlay
        across = Fraction(self.width, self._stretched[0])
        down = Fraction(self.height, self._stretched[1])
        rows, columns = overlay.rgba.shape[:2]
        size = max(1, round(columns * across)), max(1, round(rows * down))
        alpha = overlay.rgba[..., 3:].astype(np.float32) / 255
        weighted = np.dstack([overlay.rgba[..., :3] * alpha, overlay.rgba[..., 3:]])  # no colour from clear pixels
        small = cv2.resize(weighted.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        colour = np.divide(small[..., :3] * 255, small[..., 3:], out=small[..., :3] * 0, where=small[..., 3:] > 0)
        rgba = np.rint(np.dstack([np.clip(colour, 0, 255), small[..., 3:]])).astype(np.uint8)
        return Overlay(rgba, round(overlay.x * across), round(overlay.y * down))


def geometry(frame: av.VideoFrame, aspect: Fraction | None) -> Geometry:
    """How this frame is shown: its display matrix (ISO/IEC 14496-12, 6.2.2) and the stream's sample aspect ratio.

    Raises Unsupported for a picture that stands askew.
    """
    a, b, c, d = display_matrix(frame)
    if ((b or c) and (a or d)) or not (a * d - b * c):
        raise Unsupported("the video is turned by an angle other than 90, 180 or 270°; turn its pixels upright first")
    transposed = not a
    across, down = (c, b) if transposed else (a, d)
    ratio = aspect if aspect and Fraction(1, 16) <= aspect <= 16 else Fraction(1)
    return Geometry(frame.width, frame.height, transposed, across < 0, down < 0, ratio)


def display_matrix(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """a, b, c, d of the display matrix in 16.16 fixed point: x' = a x + c y, y' = b x + d y."""
    data = side_data(frame, Type.DISPLAYMATRIX)
    if data is None or len(data) < 36:
        return _UPRIGHT
    a, b, _, c, d, *_ = struct.unpack_from("=9i", data)
    return a, b, c, d


def side_data(frame: av.VideoFrame, kind: Type) -> bytes | None:
    """The frame's side data of a kind, in FFmpeg's own layout."""
    found = cast("dict[Type, Any]", frame.side_data).get(kind)
    return None if found is None else bytes(found)


# ---- What the numbers mean --------------------------------------------------------------------------------

_PLANAR = re.compile(r"(?:yuvj?(420|422|440|444)p|gray|gbrp)(?:(9|10|12|14|16)le)?")
_SUBSAMPLING = {"420": (2, 2), "422": (2, 1), "440": (1, 2), "444": (1, 1), None: (1, 1)}
_LUMA = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087)} | {
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
"""Matrix coefficients of H.273 -> the weights of red and blue in luma."""
_PQ, _HLG = 16, 18
_FULL = 2  # AVCOL_RANGE_JPEG
# Where an HDR picture has the white of letters and captions: 203 cd/m² (ITU-R BT.2408, table 1).
_PQ_WHITE = 203 / 10000
_HLG_WHITE = 0.265


@dataclass(frozen=True, slots=True)
class Signal:
    """How samples stand for colours. `sub` is how many columns and rows share a colour sample; `weights` are
    those of red and blue in luma, None for RGB planes; `planes` is 1 for grey."""

    bits: int
    sub: tuple[int, int]
    planes: int
    weights: tuple[float, float] | None
    full: bool
    transfer: int

    @property
    def dtype(self) -> Any:
        return np.uint8 if self.bits == 8 else np.dtype("<u2")


def signal(frame: av.VideoFrame) -> Signal:
    """What the frame's planes hold. Raises Unsupported for pixel formats that are not drawn on."""
    name = frame.format.name
    kind = _PLANAR.fullmatch(name)
    if kind is None:
        alpha = any(c.is_alpha for c in frame.format.components)
        why = "transparent video is not labelled yet; flatten it over a background" if alpha else "convert it"
        raise Unsupported(f"pixel format {name} is not one biaoshi draws on: {why}, to yuv420p for instance")
    bits = int(kind[2] or 8)
    rgb, grey = name.startswith("gbrp"), name.startswith("gray")
    full = rgb or name.startswith("yuvj") or frame.color_range == _FULL
    by_size = _LUMA[1] if frame.height >= 720 else _LUMA[6]  # untagged: what players assume
    weights = None if rgb else _LUMA.get(frame.colorspace, by_size)
    return Signal(bits, _SUBSAMPLING[kind[1]], 1 if grey else 3, weights, full, frame.color_trc)


def planes(frame: av.VideoFrame, signal: Signal) -> list[Array]:
    """The frame's planes as arrays over its own memory, without the padding at the lines' ends."""
    found = []
    for plane in frame.planes[: signal.planes]:
        if plane.line_size < plane.width * np.dtype(signal.dtype).itemsize:
            raise Unsupported("the video's lines are stored bottom up; convert it to H.264 first")
        samples = np.frombuffer(cast(Any, plane), signal.dtype)
        per_line = plane.line_size // samples.itemsize
        found.append(samples[: plane.height * per_line].reshape(plane.height, per_line)[:, : plane.width])
    return found


def grey(frame: av.VideoFrame, signal: Signal) -> NDArray[np.uint8]:
    """The stored picture in full-range grey as an SDR screen would show it, (height, width)."""
    samples = planes(frame, signal)
    if signal.weights is None:
        green, blue, red = (plane.astype(np.float32) for plane in samples)
        luma = (0.2126 * red + 0.7152 * green + 0.0722 * blue).astype(signal.dtype)
    else:
        luma = samples[0]
    if signal.bits == 8:
        return cast("NDArray[np.uint8]", cv2.LUT(luma, _to_grey(signal)))  # a tenth of the time that indexing takes
    return cast("NDArray[np.uint8]", _to_grey(signal)[np.minimum(luma, (1 << signal.bits) - 1)])


@cache
def _to_grey(signal: Signal) -> NDArray[np.uint8]:
    """Sample value -> grey, 0 to 255."""
    codes = np.arange(1 << signal.bits, dtype=np.float64)
    unit = 1 << (signal.bits - 8)
    levels = codes / codes[-1] if signal.full else (codes / unit - 16) / 219
    return cast("NDArray[np.uint8]", np.rint(255 * _from_hdr(np.clip(levels, 0, 1), signal.transfer)).astype(np.uint8))


def _to_hdr(levels: Levels, transfer: int) -> Levels:
    """SDR levels, 0 to 1, in the signal of an HDR transfer function, with white at graphics white."""
    if transfer == _PQ:
        powered = (_PQ_WHITE * levels**2.2) ** 0.1593017578125
        return ((0.8359375 + 18.8515625 * powered) / (1 + 18.6875 * powered)) ** 78.84375
    if transfer == _HLG:
        linear = _HLG_WHITE * levels**2.2
        bent = 0.17883277 * np.log(np.maximum(12 * linear - 0.28466892, 1e-9)) + 0.55991073
        return np.where(linear <= 1 / 12, np.sqrt(3 * linear), bent)
    return levels


def _from_hdr(levels: Levels, transfer: int) -> Levels:
    """The inverse of `_to_hdr`; what is brighter than graphics white is white."""
    if transfer not in (_PQ, _HLG):
        return levels
    sdr = np.linspace(0, 1, 1024)
    return np.interp(levels, _to_hdr(sdr, transfer), sdr)


# ---- Drawing -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Patch:
    """What is to be done to one plane: `old * keep + add` in 1/256ths, in the window at `rows`, `columns`."""

    plane: int
    rows: slice
    columns: slice
    keep: Array
    add: Array


def patches(overlay: Overlay, frame: av.VideoFrame, signal: Signal) -> list[Patch]:
    """The overlay (in stored orientation) in the frame's own sample values, one patch a plane.

    Raises BadInput where it reaches out of the picture.
    """
    rows, columns = overlay.rgba.shape[:2]
    if min(overlay.x, overlay.y) < 0 or overlay.x + columns > frame.width or overlay.y + rows > frame.height:
        raise BadInput("the notice does not fit into the video; choose a smaller --height or a shorter --text")
    alpha, values = _samples(overlay.rgba, signal)
    made = []
    for index, value in enumerate(values):
        step = signal.sub if index and signal.weights else (1, 1)
        x, y = overlay.x // step[0], overlay.y // step[1]
        covered = _shared(alpha, overlay, step)
        weighted = _shared(alpha * value, overlay, step)
        keep = np.rint(256 * (1 - covered)).astype(np.uint32)
        mean = np.divide(weighted, covered, out=np.zeros_like(weighted), where=covered > 0)
        add = np.rint(mean * (256 - keep) + 128).astype(np.uint32)
        window = slice(y, y + keep.shape[0]), slice(x, x + keep.shape[1])
        small = np.uint16 if signal.bits == 8 else np.uint32  # 255 * 256 + 128 still fits
        made.append(Patch(index, *window, keep.astype(small), add.astype(small)))
    return made


def _samples(rgba: NDArray[np.uint8], signal: Signal) -> tuple[Levels, list[Levels]]:
    """Alpha, 0 to 1, and each plane's sample values at full resolution."""
    red, green, blue, alpha = (rgba[..., i].astype(np.float64) / 255 for i in range(4))
    red, green, blue = (_to_hdr(c, signal.transfer) for c in (red, green, blue))
    unit, top = 1 << (signal.bits - 8), (1 << signal.bits) - 1
    if signal.weights is None:
        return alpha, [top * green, top * blue, top * red]
    of_red, of_blue = signal.weights
    luma = of_red * red + (1 - of_red - of_blue) * green + of_blue * blue
    colour = (blue - luma) / (2 * (1 - of_blue)), (red - luma) / (2 * (1 - of_red))
    if signal.full:
        return alpha, [top * luma, *(128 * unit + top * c for c in colour)][: signal.planes]
    return alpha, [unit * (16 + 219 * luma), *(unit * (128 + 224 * c) for c in colour)][: signal.planes]


def _shared(values: Levels, overlay: Overlay, step: tuple[int, int]) -> Levels:
    """The mean of `values` over each colour sample's columns and rows; outside the overlay they count as zero."""
    across, down = step
    rows, columns = values.shape
    left, above = overlay.x % across, overlay.y % down
    right, below = -(left + columns) % across, -(above + rows) % down
    padded = np.pad(values, ((above, below), (left, right)))
    cells = padded.reshape(padded.shape[0] // down, down, padded.shape[1] // across, across)
    return cast(Levels, cells.mean((1, 3)))


def blend(frame: av.VideoFrame, work: list[Patch], signal: Signal) -> None:
    """Draw the patches on the frame in place."""
    frame.make_writable()  # the decoder may still predict from this memory
    arrays = planes(frame, signal)
    for patch in work:
        window = arrays[patch.plane][patch.rows, patch.columns]
        window[:] = ((window * patch.keep + patch.add) >> 8).astype(signal.dtype)
