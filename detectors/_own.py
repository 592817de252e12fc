"""What the detectors of notices share: a sighting as a finding; others' drawn words, which would need OCR."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from labeler.asset import Asset
from labeler.notices import Sighting
from policies.errors import BadInput, ToolkitError
from policies.terms import Finding, Mark, Status

UNREAD = "only biaoshi's own lettering is recognised yet; other drawn notices need OCR"


def lettering(detector: str, asset: Asset, find: Callable[[Asset], Sequence[Sighting]]) -> Iterator[Finding]:
    """A finding for each notice that `find` sees in the asset; where it sees none, why that does not say "absent"."""
    try:
        sightings = find(asset)
    except BadInput as error:
        yield Finding(detector, Mark.EXPLICIT, Status.DAMAGED, f"the picture cannot be decoded: {error}")
        return
    except ToolkitError as error:
        yield Finding(detector, Mark.EXPLICIT, Status.UNCHECKED, str(error))
        return
    yield from (found(detector, sighting) for sighting in sightings)
    if not sightings:
        yield Finding(detector, Mark.EXPLICIT, Status.UNCHECKED, UNREAD)


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
