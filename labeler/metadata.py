"""The AIGC item: an AigcLabel as the text of a slot, and back. Strict to write, lenient to read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policies.errors import BadInput
from policies.provider_code import faults, looks_like_code
from policies.terms import KEYS, AigcLabel

MAX_ITEM = 1 << 20
"""No real label comes near a mebibyte; a longer item is not parsed."""

# Annex E j): printable ASCII without space and backslash; the quote only in its escaped form.
_WRITABLE = re.compile(r"[\x21-\x5b\x5d-\x7e]*")
# Possessive, or a mebibyte of blanks would be tried in every split between the two \s*.
_PREFIX = re.compile(r"\s*AIGC\s*+[:=]?\s*(?=\{)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Deviation:
    """One way a label departs from Annex E; `id` is stable and named in policies."""

    id: str
    detail: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a slot's value turned out to be. `label` is None where nothing of it could be understood."""

    label: AigcLabel | None
    deviations: tuple[Deviation, ...]


def encode(label: AigcLabel) -> str:
    """The seven keys in Annex E's order as compact JSON.

    Raises BadInput for a value outside Annex E j)'s characters, a Label other than 1, 2, 3, or a missing
    producer or number, naming the key.
    """
    if label.label not in ("1", "2", "3"):
        raise BadInput(f'Label is {label.label!r}; Annex E allows "1" (is), "2" (may be), "3" (suspected)')
    for key in ("ContentProducer", "ProduceID"):
        if not getattr(label, KEYS[key]):
            raise BadInput(f"{key} is empty; GB 45438-2025 6.1 a) asks for it")
    for key, value in label.as_dict().items():
        good = _WRITABLE.match(value)
        assert good is not None  # the pattern matches the empty string
        if good.end() < len(value):
            raise BadInput(
                f"{key}: character {value[good.end()]!r} at position {good.end() + 1} is not allowed; "
                "Annex E j) lets printable ASCII pass, without space and backslash"
            )
    return json.dumps(label.as_dict(), separators=(",", ":"))


def decode(value: str | Mapping[str, Any]) -> Reading:
    """Understand a slot's value in any form seen in the wild, and say how it departs from Annex E."""
    deviations: list[Deviation] = []
    found = value if isinstance(value, Mapping) else _parse(value, deviations)
    if not isinstance(found, Mapping):
        return Reading(None, tuple(deviations))
    if len(found) == 1 and isinstance(inner := next(iter(found.values())), Mapping):
        deviations.append(Deviation("aigc.form.wrapped", "the item is wrapped in an outer object"))
        found = inner
    fields = _fields(found, deviations)
    if not ({"label", "content_producer"} & fields.keys()):
        deviations.append(Deviation("aigc.key.missing", "neither Label nor ContentProducer is there"))
        return Reading(None, tuple(deviations))
    label = AigcLabel(**({"label": ""} | fields))
    deviations += _values(label, fields)
    return Reading(label, tuple(deviations))


def _parse(text: str, deviations: list[Deviation]) -> Any:
    if len(text) > MAX_ITEM:
        deviations.append(Deviation("aigc.json.broken", f"the item is over {MAX_ITEM} characters long"))
        return None
    if prefix := _PREFIX.match(text):
        deviations.append(Deviation("aigc.form.prefixed", f"{prefix[0].strip()!r} stands before the JSON"))
        text = text[prefix.end() :]
    found = _json(text)
    if isinstance(found, str):
        deviations.append(Deviation("aigc.json.double", "the JSON is encoded twice"))
        found = _json(found)
    if not isinstance(found, dict):
        deviations.append(Deviation("aigc.json.broken", "the item is not a JSON object"))
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _fields(found: Mapping[str, Any], deviations: list[Deviation]) -> dict[str, str]:
    """The known keys' values as text, by field name."""
    by_folded = {key.casefold(): (key, name) for key, name in KEYS.items()}
    fields: dict[str, str] = {}
    for key, value in found.items():
        known = by_folded.get(str(key).casefold())
        if known is None:
            deviations.append(Deviation("aigc.key.unknown", f"key {str(key)[:64]!r} is not one of Annex E's"))
            continue
        standard, name = known
        if key != standard:
            deviations.append(Deviation("aigc.key.case", f"key {key!r} should be {standard!r}"))
        if not isinstance(value, str):
            deviations.append(Deviation("aigc.value.type", f"{standard} is not a string"))
            value = "" if value is None else value if isinstance(value, str) else json.dumps(value)
        fields[name] = value
    missing = [key for key, name in KEYS.items() if name not in fields]
    deviations += [Deviation("aigc.key.missing", f"key {key} is missing") for key in missing]
    if not missing and list(fields) != list(KEYS.values()):
        deviations.append(Deviation("aigc.key.order", "the keys are not in Annex E's order"))
    return fields


def _values(label: AigcLabel, fields: Mapping[str, str]) -> list[Deviation]:
    found = []
    if label.label not in ("1", "2", "3"):
        found.append(Deviation("aigc.label.invalid", f"Label is {label.label[:64]!r}, not 1, 2 or 3"))
    for key, id in (
        ("ContentProducer", "aigc.producer.empty"),
        ("ProduceID", "aigc.produce-id.empty"),
        ("ContentPropagator", "aigc.propagator.empty"),
        ("PropagateID", "aigc.propagate-id.empty"),
    ):
        if fields.get(KEYS[key]) == "":
            found.append(Deviation(id, f"{key} is empty"))
    for key, value in label.as_dict().items():
        if not _WRITABLE.fullmatch(value):
            found.append(Deviation("aigc.charset", f"{key} holds characters outside Annex E j)"))
    for key in ("ContentProducer", "ContentPropagator"):
        value = getattr(label, KEYS[key])
        if looks_like_code(value):
            found += [Deviation(fault.id, f"{key}: {fault.detail}") for fault in faults(value)]
    return found
