"""Is a notice drawn in the picture? biaoshi's own lettering is recognised; other drawn words would need OCR."""

from __future__ import annotations

from collections.abc import Iterator

from detectors._own import OTHERS_UNREAD, own
from labeler.asset import Asset
from labeler.notices import image
from policies.terms import Finding, Mark, Media

MARK = Mark.EXPLICIT


def detect(asset: Asset) -> Iterator[Finding]:
    """A finding for each notice, or one that says why none can be ruled out."""
    if asset.media is Media.IMAGE:
        yield from own("explicit_image", asset, image.find, OTHERS_UNREAD)
