"""Does the picture of a video say from its opening frame on that it is generated (GB 45438-2025 5.4)?"""

from __future__ import annotations

from collections.abc import Iterator

from detectors._own import OTHERS_UNREAD, own
from labeler.asset import Asset
from labeler.notices import video
from policies.terms import Finding, Mark, Media

MARK = Mark.EXPLICIT


def detect(asset: Asset) -> Iterator[Finding]:
    """A finding for each notice that biaoshi drew; unchecked where there is none, as other lettering isn't read."""
    if asset.media is Media.VIDEO:
        yield from own("explicit_video", asset, video.find, OTHERS_UNREAD)
