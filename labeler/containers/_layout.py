"""Where a notice goes in slides and workbooks, whose words have no order of their own: boxes on pages, tabs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

_FONT = 0.035  # of the page's height: 19 points on the usual slide
_MARGIN = 0.012
_LINE = 1.35  # of the font's size; CJK fonts need more than the 1.2 of Latin ones
_INSET = 0.2
_NARROW = 0.62  # ems that a Latin letter is wide, at most on average

_LONGEST_TAB = 31  # UTF-16 units; Excel repairs workbooks with longer ones
_SHORT_TAB = "AI生成"
_NOT_IN_TAB = re.compile(r"[\[\]:*?/\\]")


@dataclass(frozen=True, slots=True)
class Box:
    """A text box, in points from the page's top left corner; `inset` is between its edges and the words."""

    left: float
    top: float
    width: float
    height: float
    font: float
    inset: float


def corner_box(words: str, width: float, height: float, place: str) -> Box:
    """A box for one line in the top left ("start") or bottom left ("end") corner of a page of that size in points."""
    ems = sum(1.0 if unicodedata.east_asian_width(c) in "WF" else _NARROW for c in words) + 2 * _INSET
    margin = _MARGIN * height
    font = max(1.0, min(_FONT * height, (width - 2 * margin) / ems))
    tall = font * (_LINE + 2 * _INSET)
    top = margin if place == "start" else height - margin - tall
    return Box(margin, top, font * ems, tall, font, font * _INSET)


class Page:
    """The paragraphs of a page's shapes: first those of shapes that begin above `top`, else in the file's order."""

    def __init__(self, top: float) -> None:
        self._top = top
        self.upper: list[str] = []
        self.other: list[str] = []

    def add(self, y: float | None, paragraphs: Sequence[str]) -> None:
        """A shape's paragraphs; `y` is None where it takes its place from elsewhere."""
        (self.other if y is None or y >= self._top else self.upper).extend(paragraphs)

    @property
    def lines(self) -> list[str]:
        return [*self.upper, *self.other]


def tab_name(notice: str, taken: Collection[str]) -> str:
    """The notice as the name of a sheet, in short where it is too long for one. `taken` is case-folded."""
    name = _NOT_IN_TAB.sub(" ", notice).strip(" '")
    numbered = [name, *(f"{name} ({number})" for number in range(2, len(taken) + 3))]
    fitting = [n for n in numbered if 0 < len(n.encode("utf-16-le")) // 2 <= _LONGEST_TAB]
    short = [_SHORT_TAB, *(f"{_SHORT_TAB} ({number})" for number in range(2, len(taken) + 3))]
    return next(n for n in [*fitting, *short] if n.casefold() not in taken)
