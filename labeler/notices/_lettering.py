"""The notice as drawn words: its font, its size and its place in the picture. `_looking` finds it again.

What "text height" means, GB 45438-2025 5.2 and 5.4 leave open. Here it is ink: the rows that a glyph
covers by at least half. The notice is set so large that the highest glyph *and* every capital letter reach
the height asked for, so the A of "AI生成" does and its ideographs exceed it. Glyphs that are low by
nature (一, small letters, punctuation) are not counted.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont, features

from policies.errors import BadInput, MissingDependency

Pixels = NDArray[np.uint8]
Levels = NDArray[np.float32]

FONT = Path(__file__).with_name("fonts") / "BiaoshiNotice.ttf"

# Where the box stands: the share of the free width and of the free height to its left and above it.
POSITIONS: Mapping[str, tuple[float, float]] = {
    "bottom-right": (1, 1),
    "bottom-left": (0, 1),
    "top-right": (1, 0),
    "top-left": (0, 0),
    "bottom": (0.5, 1),
    "top": (0.5, 0),
    "left": (0, 0.5),
    "right": (1, 0.5),
    "center": (0.5, 0.5),
}

MARGIN = 0.02  # from the picture's edges, of its shortest side
HEIGHTS = (0.04, 0.16)  # ink over the shortest side: what is drawn and what is looked for
LEAST_INK = 10  # pixels; below it ideographs such as 能 close up
_PADDING = 0.35  # around the ink, of its height
_ROUNDING = 0.3  # radius of the box's corners, of the ink height
_DARKNESS = 0.66  # opacity of the black box: white on it has a contrast of 7.3 even over white
_LONGEST = 64  # characters
_SURVEY = 256  # pixels an em: the size at which a text is measured before it is set


@dataclass(frozen=True, slots=True)
class Stamp:
    """A notice ready to be laid over a picture.

    `rgba` (h, w, 4) has straight alpha and stands upright; `x`, `y` is its top left corner in the displayed
    picture; `ink` the height of the lowest counted glyph in pixels; `contrast` the least WCAG ratio of the
    letters to the box, whatever lies behind it.
    """

    rgba: Pixels
    x: int
    y: int
    ink: int
    contrast: float


def stamp(
    text: str, position: str, height: float, size: tuple[int, int], font: str | None = None, even: bool = False
) -> Stamp:
    """The notice for a picture displayed at `size` (width, height) pixels.

    `height` is ink over the shortest side; the ink is never below 10 pixels. `even` keeps the box on even
    pixels, where a frame's colour planes are sampled. Raises BadInput for what cannot be set or does not fit.
    """
    place = _place(position)
    _check(text, height)
    set_in = _fitting(text, height, size, font)
    coverage, ink = letters_in(text, set_in)
    if even:
        coverage = np.pad(coverage, ((0, coverage.shape[0] % 2), (0, coverage.shape[1] % 2)))
    rows, columns = coverage.shape
    if columns > size[0] or rows > size[1]:
        raise _too_wide(text, columns, rows, size)
    x, y = (
        box_offset(free, size, share) for free, share in zip((size[0] - columns, size[1] - rows), place, strict=True)
    )
    step = 2 if even else 1
    return Stamp(_rgba(coverage, ink), x - x % step, y - y % step, ink, wcag_contrast(1.0, 1.0 - _DARKNESS))


def _place(position: str) -> tuple[float, float]:
    if position not in POSITIONS:
        raise BadInput(f"no position called {position!r}; try: {', '.join(POSITIONS)}")
    return POSITIONS[position]


def _check(text: str, height: float) -> None:
    if not text.strip() or len(text) > _LONGEST:
        raise BadInput(f"a drawn notice has 1 to {_LONGEST} characters; change --text")
    if any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in text):
        raise BadInput("a drawn notice is one line without control characters; change --text")
    if not HEIGHTS[0] <= height <= HEIGHTS[1]:
        low, high = (f"{share:.0%}" for share in HEIGHTS)
        raise BadInput(f"a notice is {low} to {high} of the shortest side high, so that it is found again; --height")


def box_offset(free: int, size: tuple[int, int], share: float) -> int:
    """The box's distance from the left or upper edge; the margin gives way where the box is nearly as wide."""
    margin = min(round(MARGIN * min(size)), free // 2)
    return margin + round((free - 2 * margin) * share)


# ---- Setting the text -----------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def font_of(path: str | None, size: int) -> ImageFont.FreeTypeFont:
    """The packaged font lays out alike everywhere; a font of the user's is for scripts that may need shaping."""
    shaping = path is not None and features.check_feature("raqm")
    engine = ImageFont.Layout.RAQM if shaping else ImageFont.Layout.BASIC
    try:
        return ImageFont.truetype(path or str(FONT), size, layout_engine=engine)
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot load the font {path or FONT}: {error}; --font takes a TrueType or OpenType") from error


def _fitting(text: str, height: float, size: tuple[int, int], path: str | None) -> ImageFont.FreeTypeFont:
    """The smallest size at which every counted glyph has the ink that is asked for."""
    # Half a pixel over what is asked: a height measured to half a pixel is then never in doubt.
    least = max(LEAST_INK, math.ceil(height * min(size) + 0.5 - 1e-9))
    survey = font_of(path, _SURVEY)
    if missing := missing_glyphs(text, survey):
        raise BadInput(
            f"the font has no {', '.join(map(_shown, missing))}; name one that does with --font, or change --text"
        )
    _check_shaping(text, survey)
    ink = ink_of(text, survey)
    if not ink:
        raise BadInput("the notice's text has nothing to see; change --text")
    scale = least / ink
    if survey.getlength(text) * scale > size[0]:
        raise _too_wide(text, math.ceil(survey.getlength(text) * scale), least, size)
    em = max(1, math.floor(scale * _SURVEY) - 2)
    while ink_of(text, font_of(path, em)) < least:
        em += 1
    return font_of(path, em)


def _too_wide(text: str, width: int, height: int, size: tuple[int, int]) -> BadInput:
    return BadInput(
        f"{text!r} needs {width}x{height} pixels, the picture has {size[0]}x{size[1]}; "
        f"choose a shorter --text or a smaller --height (ink is never under {LEAST_INK} pixels)"
    )


def missing_glyphs(text: str, font: ImageFont.FreeTypeFont) -> list[str]:
    """The characters that the font shows as its "no such glyph" box; shaping swallows joiners, they need no glyph."""
    box = bytes(font.getmask("\U0010ffff"))
    shaped = font.layout_engine is ImageFont.Layout.RAQM
    needed = [c for c in dict.fromkeys(text) if not (shaped and unicodedata.category(c) == "Cf")]
    return [c for c in needed if bytes(font.getmask(c)) == box]


def _shown(character: str) -> str:
    return character if character.isprintable() else f"U+{ord(character):04X}"


def _check_shaping(text: str, font: ImageFont.FreeTypeFont) -> None:
    joined = any(unicodedata.category(c) in ("Mn", "Mc") or unicodedata.bidirectional(c) in ("R", "AL") for c in text)
    if joined and font.layout_engine is not ImageFont.Layout.RAQM:
        raise MissingDependency("this script needs a font given with --font and Pillow's raqm library to join it")


def ink_of(text: str, font: ImageFont.FreeTypeFont) -> int:
    """The ink height in pixels of the highest glyph or of the lowest capital, whichever is less."""
    heights = {c: _rows(font, c) for c in set(text)}
    return min([max(heights.values()), *(height for c, height in heights.items() if c.isupper())])


def _rows(font: ImageFont.FreeTypeFont, character: str) -> int:
    glyph = _coverage(font, character)
    inked = np.flatnonzero((glyph >= 128).any(axis=1))
    return int(inked[-1] - inked[0]) + 1 if inked.size else 0


def _coverage(font: ImageFont.FreeTypeFont, text: str) -> Pixels:
    mask = font.getmask(text, mode="L")
    return np.frombuffer(bytes(mask), np.uint8).reshape(mask.size[1], mask.size[0])


def letters_in(text: str, font: ImageFont.FreeTypeFont) -> tuple[Pixels, int]:
    """How far each pixel of the notice's box is covered by letters, and their ink height."""
    coverage, ink = _coverage(font, text), ink_of(text, font)
    rows, columns = np.flatnonzero(coverage.any(axis=1)), np.flatnonzero(coverage.any(axis=0))
    trimmed = coverage[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.pad(trimmed, math.ceil(_PADDING * ink)), ink


def _rgba(coverage: Pixels, ink: int) -> Pixels:
    """White letters over a black box of `_DARKNESS`, as one layer with straight alpha."""
    letters = coverage.astype(np.float32) / 255
    box = _DARKNESS * _rounded(coverage.shape, _ROUNDING * ink)
    alpha = letters + box * (1 - letters)
    white = np.divide(letters, alpha, out=np.zeros_like(letters), where=alpha > 0)
    layer = np.dstack([white, white, white, alpha])
    pixels: Pixels = np.rint(layer * 255).astype(np.uint8)
    return pixels


def _rounded(shape: tuple[int, ...], radius: float) -> Levels:
    """How far each pixel lies inside a box with rounded corners, from its distance to the outline."""
    rows, columns = (np.abs(np.arange(n) + 0.5 - n / 2) - (n / 2 - radius) for n in shape)
    outside = np.hypot(np.maximum(rows, 0)[:, None], np.maximum(columns, 0)[None, :]) - radius
    inside: Levels = np.clip(0.5 - outside, 0, 1).astype(np.float32)
    return inside


def wcag_contrast(light: float, dark: float) -> float:
    """The WCAG 2.2 contrast ratio of two grey levels, 0 to 1."""
    return (_luminance(light) + 0.05) / (_luminance(dark) + 0.05)


def _luminance(level: float) -> float:
    return level / 12.92 if level <= 0.04045 else float(((level + 0.055) / 1.055) ** 2.4)
