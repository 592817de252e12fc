"""The notice drawn in a picture, at an edge or corner (GB 45438-2025 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeler.asset import Asset
from labeler.codecs import raster
from labeler.codecs._planes import Overlay
from labeler.containers import render
from labeler.notices import Edited, Sighting
from labeler.notices._lettering import stamp
from labeler.notices._looking import find as find_lettering
from policies.errors import Unsupported


@dataclass(frozen=True, slots=True)
class Notice:
    """Words to draw; `height` is ink over the shortest displayed side, `font` a file for other scripts."""

    text: str
    position: str
    height: float
    font: str | None = None

    def facts(self) -> dict[str, Any]:
        return {"text": self.text, "position": self.position, "height": self.height}


def draw(asset: Asset, notice: Notice, scratch: Path) -> Edited:
    """The picture with the notice, upright as it is displayed; on every frame where it moves.

    Raises BadInput for damage and for a notice that does not fit, TooLarge, Unsupported.
    """
    graft = getattr(asset.container, "graft", None)
    if graft is None:
        raise Unsupported(f"notices are not drawn into {asset.container.NAME} yet; convert it to PNG, JPEG or WebP")

    def overlay(size: raster.Size) -> Overlay:
        made = stamp(notice.text, notice.position, notice.height, size, notice.font)
        return Overlay(made.rgba, made.x, made.y)

    drawn = raster.draw(asset, overlay)
    labelled = render(asset.data, graft(asset.data, drawn.encoded))
    return Edited(Asset.open(labelled, asset.source), {"picture": drawn.untouched})


def find(asset: Asset, planned: Notice | None = None) -> list[Sighting]:
    """biaoshi's notices in the picture, or in the first one of an animation. Raises BadInput, Unsupported."""
    texts, font = ((planned.text,), planned.font) if planned else ((), None)
    matches = find_lettering(raster.luma(asset), texts, font)
    return [
        Sighting(
            f"{match.text!r} drawn {match.position}",
            match.confidence,
            f"{match.w}x{match.h} pixels at {match.x}, {match.y}",
            {
                "text": match.text,
                "position": match.position,
                "height": match.height,
                "height_error": match.height_error,
                "contrast": match.contrast,
            },
        )
        for match in matches
    ]
