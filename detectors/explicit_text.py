"""Does the text itself say that it is generated, by a line or a corner mark (GB 45438-2025 5.1)?"""

from __future__ import annotations

from collections.abc import Iterator

from detectors._own import found
from labeler.asset import Asset
from labeler.notices import text
from policies.errors import ToolkitError
from policies.terms import Finding, Mark, Media, Status

MARK = Mark.EXPLICIT


def detect(asset: Asset) -> Iterator[Finding]:
    """A finding for each notice in the text; absent only where every word could be read."""
    if asset.media is not Media.TEXT:
        return
    try:
        sightings = text.find(asset)
        reason = "" if sightings else text.unread(asset)
    except ToolkitError as error:
        yield _finding(Status.UNCHECKED, f"the text could not be read: {error}")
        return
    yield from (found("explicit_text", sighting) for sighting in sightings)
    if reason:
        yield _finding(Status.UNCHECKED, f"no notice in what could be read; {reason}")
    elif not sightings:
        # GB 45438-2025 5.6 and Measures Art. 4(1) accept a notice in the interface around the text instead.
        yield _finding(
            Status.ABSENT,
            "no line or corner mark in the text says that it is generated; "
            "a notice in the interface around it is out of a file's reach",
        )


def _finding(status: Status, detail: str) -> Finding:
    return Finding("explicit_text", MARK, status, detail)
