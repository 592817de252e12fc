"""Animated PNG (PNG third edition, 4.9): an overlay on every frame that is shown, each with its own time.

Frames are drawn on one another as viewers do, and written as what changed of the labelled picture since the one
before: the source's own frames may be parts of the picture, or wipe it, and would take the notice with them.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from itertools import chain

import numpy as np
from PIL import Image, ImageChops, PngImagePlugin

from labeler.codecs._compositing import box, over
from labeler.codecs._planes import Overlay
from labeler.containers import Buffer
from labeler.containers.png import SIGNATURE, chunks, make_chunk

_TIME = slice(20, 24)  # of an fcTL chunk: numerator and denominator of the time


def is_animated(data: Buffer) -> bool:
    return any(chunk.type == b"acTL" for chunk in chunks(data))


def draw(data: Buffer, picture: PngImagePlugin.PngImageFile, overlay: Overlay) -> bytes:
    """The animation with the overlay, in 8-bit RGBA, without the chunks that only describe it."""
    writer = _Writer(picture.size)
    times = [chunk.data(data)[_TIME] for chunk in chunks(data) if chunk.type == b"fcTL"]
    # A default image is what viewers without animation show: it has no time.
    untimed = [None] if picture.default_image else []
    for frame, time in zip(frames(picture), chain(untimed, times), strict=False):
        frame.paste(stamped(frame, overlay), (overlay.x, overlay.y))
        writer.add(frame, time)
    plays = next(chunk.data(data)[4:8] for chunk in chunks(data) if chunk.type == b"acTL")
    return writer.file(plays)


def frames(picture: Image.Image) -> Iterator[Image.Image]:
    """Every frame as it is shown, in RGBA."""
    for number in range(getattr(picture, "n_frames", 1)):
        picture.seek(number)
        yield picture.convert("RGBA")


def stamped(frame: Image.Image, overlay: Overlay) -> Image.Image:
    """The frame's box under the overlay, with the overlay over it."""
    rows, columns = overlay.rgba.shape[:2]
    box(overlay, (frame.height, frame.width))
    crop = frame.crop((overlay.x, overlay.y, overlay.x + columns, overlay.y + rows))
    under = np.asarray(crop).reshape(rows, columns, -1)
    mixed = over(under, overlay, frame.mode)
    return Image.frombytes(frame.mode, crop.size, np.ascontiguousarray(mixed).tobytes())


class _Writer:
    """Collects the chunks of an animation."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._parts: list[bytes] = []
        self._number = 0  # of the next fcTL or fdAT chunk
        self._frames = 0
        self._shown: Image.Image | None = None

    def add(self, frame: Image.Image, time: bytes | None) -> None:
        """Add a whole picture; one without a time stands apart from the animation."""
        if time is None:
            self._parts += [make_chunk(b"IDAT", _pixels(frame))]
            return
        x, y, width, height = self._changed(frame)
        self._shown = frame
        self._frames += 1
        place = struct.pack(">IIII", width, height, x, y)
        # Dispose none, blend source: the part replaces what was there.
        self._parts.append(make_chunk(b"fcTL", self._next() + place + time + b"\0\0"))
        pixels = _pixels(frame.crop((x, y, x + width, y + height)))
        first = not any(part[4:8] == b"IDAT" for part in self._parts)
        self._parts.append(make_chunk(b"IDAT", pixels) if first else make_chunk(b"fdAT", self._next() + pixels))

    def _changed(self, frame: Image.Image) -> tuple[int, int, int, int]:
        if self._shown is None:
            return (0, 0, *self._size)
        differing = ImageChops.difference(frame, self._shown).getbbox(alpha_only=False)
        left, top, right, bottom = differing or (0, 0, 1, 1)
        return left, top, right - left, bottom - top

    def _next(self) -> bytes:
        self._number += 1
        return struct.pack(">I", self._number - 1)

    def file(self, plays: bytes) -> bytes:
        header = make_chunk(b"IHDR", struct.pack(">IIBBBBB", *self._size, 8, 6, 0, 0, 0))
        control = make_chunk(b"acTL", struct.pack(">I", self._frames) + plays)
        return b"".join([SIGNATURE, header, control, *self._parts, make_chunk(b"IEND", b"")])


def _pixels(frame: Image.Image) -> bytes:
    """The picture as Pillow compresses it: the contents of its IDAT chunks."""
    file = io.BytesIO()
    frame.save(file, "PNG")
    data = file.getvalue()
    return b"".join(chunk.data(data) for chunk in chunks(data) if chunk.type == b"IDAT")
