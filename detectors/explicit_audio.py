"""Is a notice heard in the sound? biaoshi's own cues are recognised; of other spoken words nothing is known."""

from __future__ import annotations

from collections.abc import Iterator

from detectors._own import own
from labeler.asset import Asset
from labeler.notices import audio
from policies.terms import Finding, Mark, Media

MARK = Mark.EXPLICIT
_UNHEARD = (
    "none of biaoshi's own cues is heard in the first or last half minute; another spoken notice may be there, "
    "which only a speech recogniser could tell, and no speech recogniser is configured"
)


def detect(asset: Asset) -> Iterator[Finding]:
    """A finding for each cue, or one that says why none can be ruled out."""
    if asset.media is Media.AUDIO:
        yield from own("explicit_audio", asset, audio.find, _UNHEARD)
