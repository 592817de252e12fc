"""Which AIGC item does the file's metadata carry, where, and how does it depart from the standard?"""

from __future__ import annotations

from collections.abc import Iterator

from labeler.asset import Asset
from labeler.containers import Copy
from labeler.metadata import Deviation, Reading, decode
from policies.errors import BadInput
from policies.terms import KEYS, AigcLabel, Finding, Mark, Status

MARK = Mark.METADATA


def detect(asset: Asset) -> Iterator[Finding]:
    """A finding for each copy of the item, and one for each deviation."""
    if not asset.container.SLOT:
        yield _finding(Status.UNCHECKED, f"the guides name no metadata slot for {asset.container.NAME}")
        return
    try:
        copies = asset.container.read(asset.data)
    except BadInput as error:
        yield _finding(Status.DAMAGED, str(error))
        return
    if not copies:
        yield _finding(Status.ABSENT, f"no AIGC item in {asset.container.SLOT} or any other slot known")
        return
    read = [(copy, decode(copy.value, copy.generic)) for copy in copies]
    for copy, reading in read:
        yield from _copy(asset, copy, reading)
    labels = [(copy, reading) for copy, reading in read if not reading.is_other_schema]
    if not labels:
        yield _finding(Status.ABSENT, f"what stands {copies[0].where} is no AIGC item: it has another schema's keys")
    if len(labels) > 1:
        yield _duplicate(labels)


def _copy(asset: Asset, copy: Copy, reading: Reading) -> Iterator[Finding]:
    if reading.is_other_schema:
        yield from (_deviation(deviation, copy) for deviation in reading.deviations)
        return
    if reading.label is None:
        yield _finding(Status.DAMAGED, f"an AIGC item that cannot be understood, {copy.where}", copy)
    else:
        measured = {
            "label": reading.label.label,
            "slot": "normative" if copy.normative else "other",
            "elements": _elements(reading.label),
        }
        yield Finding(
            "metadata",
            MARK,
            Status.FOUND,
            f"AIGC item, {copy.where}",
            label=reading.label,
            where=copy.where,
            measured=measured,
        )
    for deviation in (*copy.deviations, *reading.deviations):
        yield _deviation(deviation, copy)
    if not copy.normative:
        slot = asset.container.SLOT
        yield _deviation(Deviation("aigc.slot.nonstandard", f"found {copy.where}; the guide names {slot}"), copy)


def _elements(label: AigcLabel) -> str:
    """GB 45438-2025 6.1 a): the producer's name or code and its number for the content."""
    absent = [key for key in ("ContentProducer", "ProduceID") if not getattr(label, KEYS[key])]
    return f"without {' and '.join(absent)}" if absent else "complete"


def _duplicate(read: list[tuple[Copy, Reading]]) -> Finding:
    same = len({reading.label for _, reading in read}) == 1
    id = "aigc.copy.duplicate" if same else "aigc.copy.conflicting"
    detail = f"{len(read)} copies {'of the same label' if same else 'that differ'}, one is allowed"
    where = "; ".join(copy.where for copy, _ in read)
    return Finding("metadata", MARK, Status.FOUND, detail, id=id, where=where)


def _deviation(deviation: Deviation, copy: Copy) -> Finding:
    return Finding("metadata", MARK, Status.FOUND, deviation.detail, id=deviation.id, where=copy.where)


def _finding(status: Status, detail: str, copy: Copy | None = None) -> Finding:
    return Finding("metadata", MARK, status, detail, where=copy.where if copy else "")
