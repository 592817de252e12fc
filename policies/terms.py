"""The nouns that every package speaks: media, marks, labels, findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any


class Media(StrEnum):
    """Content kinds of the Measures, Art. 3, that a file can hold."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    TEXT = "text"


class Mark(StrEnum):
    """One carrier of a label in an asset."""

    EXPLICIT = "explicit"
    METADATA = "metadata"
    WATERMARK = "watermark"
    C2PA = "c2pa"


class Status(StrEnum):
    """Absent, damaged and not looked at are different facts."""

    FOUND = "found"
    DAMAGED = "damaged"
    ABSENT = "absent"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class AigcLabel:
    """The seven elements of GB 45438-2025 Annex E, in its order; an unused one is an empty string.

    A label that was read holds whatever the file held. A label that is written goes through
    `labeler.metadata.encode`, which lets only Annex E's characters pass.
    """

    label: str = "1"
    content_producer: str = ""
    produce_id: str = ""
    reserved_code1: str = ""
    content_propagator: str = ""
    propagate_id: str = ""
    reserved_code2: str = ""

    @classmethod
    def produced(cls, producer: str, produce_id: str = "", reserved_code: str = "") -> AigcLabel:
        """A generating service's label at its first write: the propagator's half repeats the
        producer's (Annex E, note 1). An empty `produce_id` is given a fresh UUID when written."""
        return cls("1", producer, produce_id, reserved_code, producer, produce_id)

    def with_produce_id(self, produce_id: str) -> AigcLabel:
        """The same label numbered; the propagator's number follows where it repeats the producer's."""
        follows = self.propagate_id == self.produce_id and self.content_propagator == self.content_producer
        return replace(self, produce_id=produce_id, propagate_id=produce_id if follows else self.propagate_id)

    def as_dict(self) -> dict[str, str]:
        """Annex E's key names to values, in its order."""
        return {key: getattr(self, name) for key, name in KEYS.items()}


KEYS: Mapping[str, str] = dict(
    zip(
        (
            "Label",
            "ContentProducer",
            "ProduceID",
            "ReservedCode1",
            "ContentPropagator",
            "PropagateID",
            "ReservedCode2",
        ),
        (f.name for f in fields(AigcLabel)),
        strict=True,
    )
)
"""Annex E's key -> the field of AigcLabel that holds it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one detector saw of one mark, or why it could not look.

    `id` names a deviation ("aigc.copy.duplicate"); it is empty for the sighting of a mark itself.
    `measured` holds the facts that policies judge ("height": 0.055); a value may have its measuring
    error beside it ("height_error": 0.002).
    """

    detector: str
    mark: Mark
    status: Status
    detail: str
    id: str = ""
    label: AigcLabel | None = None
    confidence: float = 1.0
    where: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the asset itself when it is judged."""

    source: str
    sha256: str
    media: Media
    container: str
