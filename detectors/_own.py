"""What the detectors of notices share: a sighting as a finding; others' drawn words, which would need OCR."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from labeler.asset import Asset
from labeler.notices import Sighting
from policies.errors import ToolkitError
from policies.terms import Finding, Mark, Status

OTHERS_UNREAD = "only biaoshi's own lettering is recognised yet; other drawn notices need OCR"


def own(detector: str, asset: Asset, find: Callable[[Asset], Sequence[Sighting]], otherwise: str) -> Iterator[Finding]:
    """A finding for each of biaoshi's own notices; where there is none, why that does not say "absent".

    A file too damaged to decode may still carry a notice: it was not looked at, and that is all one can say.
    """
    try:
        sightings = find(asset)
    except ToolkitError as error:
        yield Finding(detector, Mark.EXPLICIT, Status.UNCHECKED, f"could not be looked at: {error}")
        return
    yield from (found(detector, sighting) for sighting in sightings)
    if not sightings:
        yield Finding(detector, Mark.EXPLICIT, Status.UNCHECKED, otherwise)


def found(detector: str, sighting: Sighting) -> Finding:
    """The finding that a notice's sighting makes."""
    return Finding(
        detector,
        Mark.EXPLICIT,
        Status.FOUND,
        sighting.detail,
        confidence=sighting.confidence,
        where=sighting.where,
        measured=sighting.facts,
    )
