"""Laying an overlay over the samples of a picture, and checking that nothing else of it changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from labeler.codecs._planes import Overlay
from policies.errors import BadInput, ToolkitError

Array: TypeAlias = NDArray[Any]
Levels: TypeAlias = NDArray[np.float64]
Box: TypeAlias = tuple[slice, slice]

# A grey level as each of Pillow's modes writes it, channel by channel, 0 to 1. Overlays are grey: white on black.
_GREY: Mapping[str, Callable[[Levels], tuple[Levels, ...]]] = {
    "L": lambda grey: (grey,),
    "RGB": lambda grey: (grey, grey, grey),
    "YCbCr": lambda grey: (grey, np.full_like(grey, 128 / 255), np.full_like(grey, 128 / 255)),
    "CMYK": lambda grey: (np.zeros_like(grey), np.zeros_like(grey), np.zeros_like(grey), 1 - grey),
}


def box(overlay: Overlay, shape: tuple[int, ...]) -> Box:
    """The rows and columns that the overlay takes. BadInput for one that does not lie within (h, w)."""
    rows, columns = overlay.rgba.shape[:2]
    if overlay.x < 0 or overlay.y < 0 or overlay.y + rows > shape[0] or overlay.x + columns > shape[1]:
        raise BadInput("the notice does not lie within the picture; choose another position or a smaller --height")
    return slice(overlay.y, overlay.y + rows), slice(overlay.x, overlay.x + columns)


def over(under: Array, overlay: Overlay, mode: str, most: int = 255) -> Array:
    """The samples (h, w, channels) of a box, 0 to `most`, with the overlay over them.

    `mode` is Pillow's; the last channel of "LA" and "RGBA" is straight alpha. Where the overlay is clear
    the samples stay as they are.
    """
    grey, alpha = (overlay.rgba[..., channel].astype(np.float64) / 255 for channel in (0, 3))
    upper = np.dstack(_GREY[mode.removesuffix("A")](grey))
    lower = under / most
    cover = alpha[..., None]
    if mode in ("LA", "RGBA"):
        behind = lower[..., -1:] * (1 - cover)
        total = cover + behind
        colour = (upper * cover + lower[..., :-1] * behind) / np.maximum(total, 1e-9)
        mixed = np.dstack([colour, total])
    else:
        mixed = upper * cover + lower * (1 - cover)
    whole: Array = np.rint(mixed * most).astype(under.dtype)
    return np.where(cover > 0, whole, under)


def check_outside(before: Array, after: Array, inside: Box) -> None:
    """Raise ToolkitError unless the two pictures (h, w, …) agree in every sample outside the box."""
    if before.shape != after.shape or differing(before, after, inside):
        raise ToolkitError("the picture changed outside the notice, so it was not saved; please report the file")


def differing(before: Array, after: Array, inside: Box) -> int:
    """How many samples outside the box differ."""
    return sum(int(np.count_nonzero(before[part] != after[part])) for part in around(inside))


def around(inside: Box) -> tuple[Box, ...]:
    """The rows and columns above, below, left and right of a box."""
    rows, columns = inside
    everything = slice(None)
    return (
        (slice(0, rows.start), everything),
        (slice(rows.stop, None), everything),
        (rows, slice(0, columns.start)),
        (rows, slice(columns.stop, None)),
    )
