"""The AIGC item: an AigcLabel as the text of a slot, and back. Strict to write, lenient to read."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from xml.sax.saxutils import unescape

from policies.errors import BadInput
from policies.provider_code import faults, looks_like_code
from policies.terms import KEYS, AigcLabel

MAX_ITEM = 1 << 20
"""No real label comes near a mebibyte; a longer item is not parsed."""

# Annex E j): printable ASCII without space and backslash; the quote only in its escaped form.
_WRITABLE = re.compile(r"[\x21-\x5b\x5d-\x7e]*")
# Possessive, or a mebibyte of blanks would be tried in every split between the two \s*.
# All zeros, an unfilled template, an empty variable, a printed object instead of its number.
_PLACEHOLDER = re.compile(
    r"[0-]{8,}|null|None|undefined|NaN|%[sd]|\{\w*\}|\$\{\w*\}|<\w+>|\[object \w+\]", re.IGNORECASE
)
_OBJECT_DUMP = re.compile(r"^\w+(?:\.\w+)*(?:\(\w+=|@[0-9a-f]{6,8}$)")
_FOLDED = {key.casefold(): key for key in KEYS}
_NEAR = 0.8  # difflib's ratio: "ProducerID" is ProduceID, "ContentId" is nothing of ours
_LONGEST_LITERAL = 16 << 10
_DEEPEST_LITERAL = 32
_PREFIX = re.compile(r"\s*AIGC\s*+[:=]?\s*(?=\{)", re.IGNORECASE)
_WRAPPER = "aigc"
_OTHER_SCHEMA = "aigc.schema.other"


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

    @property
    def is_other_schema(self) -> bool:
        """Whether it is a whole object with none of Annex E's keys: not a damaged label, but none at all."""
        return any(deviation.id == _OTHER_SCHEMA for deviation in self.deviations)


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


def decode(value: str | Mapping[str, Any], generic: bool = False) -> Reading:
    """Understand a slot's value in any form seen in the wild, and say how it departs from Annex E.

    A `generic` slot is one for any text (EXIF UserComment, PNG text chunk): there the item is wrapped in
    {"AIGC": …}, as Annex E b) and TC260-PG-20259A Annex B show it; a slot named AIGC holds it bare.
    """
    deviations: list[Deviation] = []
    found = value if isinstance(value, Mapping) else _parse(value, deviations)
    if not isinstance(found, Mapping):
        return Reading(None, tuple(deviations))
    found = _unwrapped(found, deviations, generic)
    if found and not any(_standard(str(key), _FOLDED) for key in found):
        keys = ", ".join(str(key)[:32] for key in list(found)[:4])
        return Reading(None, (Deviation(_OTHER_SCHEMA, f"none of its keys is one of Annex E's: {keys}"),))
    fields = _fields(found, deviations)
    if not ({"label", "content_producer"} & fields.keys()):
        deviations.append(Deviation("aigc.key.missing", "neither Label nor ContentProducer is there"))
        return Reading(None, tuple(deviations))
    label = AigcLabel(**({"label": ""} | fields))
    deviations += _values(label, fields)
    return Reading(label, tuple(deviations))


def _unwrapped(found: Mapping[str, Any], deviations: list[Deviation], generic: bool) -> Mapping[str, Any]:
    """The item without an outer object; that it has one, or lacks it in a generic slot, is a deviation."""
    inner = None if _is_key(found) else _inner(found, deviations)
    if inner is None:
        if generic and not any(deviation.id == "aigc.form.prefixed" for deviation in deviations):
            detail = 'the item stands bare in a place for any text, where the guide wraps it in {"AIGC": …}'
            deviations.append(Deviation("aigc.form.bare", detail))
        return found
    if not generic:
        deviations.append(Deviation("aigc.form.wrapped", "the item is wrapped in an outer object"))
    if len(found) > 1:
        deviations.append(Deviation("aigc.key.unknown", "other keys stand beside AIGC in the outer object"))
    return inner


def _inner(found: Mapping[str, Any], deviations: list[Deviation]) -> Mapping[str, Any] | None:
    """What the key AIGC of an outer object holds, or its only key of whatever name."""
    named = (value for key, value in found.items() if str(key).casefold() == _WRAPPER)
    inner = next(named, next(iter(found.values())) if len(found) == 1 else None)
    if isinstance(inner, str) and isinstance(parsed := _json(inner), Mapping):
        deviations.append(Deviation("aigc.json.double", "the JSON is encoded twice"))
        return parsed
    return inner if isinstance(inner, Mapping) else None


def _parse(text: str, deviations: list[Deviation]) -> Any:
    if len(text) > MAX_ITEM:
        deviations.append(Deviation("aigc.json.broken", f"the item is over {MAX_ITEM} characters long"))
        return None
    if prefix := _PREFIX.match(text):
        deviations.append(Deviation("aigc.form.prefixed", f"{prefix[0].strip()!r} stands before the JSON"))
        text = text[prefix.end() :]
    found = _json(text)
    if found is None and "&quot;" in text:
        deviations.append(Deviation("aigc.json.escaped", "the JSON is escaped as for XML, where no XML is"))
        text = unescape(text, {"&quot;": '"', "&apos;": "'"})
        found = _json(text)
    if isinstance(found, str):
        deviations.append(Deviation("aigc.json.double", "the JSON is encoded twice"))
        found = _json(found)
    elif found is None and (found := _literal(text)) is not None:
        deviations.append(Deviation("aigc.json.pseudo", "the item is written like JSON, but is none"))
    elif re.search(r"[\r\n]", text):
        deviations.append(Deviation("aigc.json.whitespace", "the JSON has line breaks"))
    if not isinstance(found, dict):
        deviations.append(Deviation("aigc.json.broken", "the item is not a JSON object"))
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _literal(text: str) -> dict[Any, Any] | None:
    """The object of a text with single quotes, as scripts print it; short ones only, Python's parser is no fortress."""
    if len(text) > _LONGEST_LITERAL or max(map(text.count, "{[(")) > _DEEPEST_LITERAL:
        return None
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _is_key(found: Mapping[str, Any]) -> bool:
    return any(str(key).casefold() in _FOLDED for key in found)


def _fields(found: Mapping[str, Any], deviations: list[Deviation]) -> dict[str, str]:
    """The known keys' values as text, by field name."""
    fields: dict[str, str] = {}
    free = _FOLDED.keys() - {str(key).casefold() for key in found}
    for key, value in found.items():
        standard = _standard(str(key), free)
        if standard is None:
            deviations.append(Deviation("aigc.key.unknown", f"key {str(key)[:64]!r} is not one of Annex E's"))
            continue
        if key != standard:
            id = "aigc.key.case" if str(key).casefold() == standard.casefold() else "aigc.key.misspelt"
            deviations.append(Deviation(id, f"key {str(key)[:64]!r} should be {standard!r}"))
        fields[KEYS[standard]] = _text(standard, value, deviations)
    missing = [key for key, name in KEYS.items() if name not in fields]
    deviations += [Deviation("aigc.key.missing", f"key {key} is missing") for key in missing]
    if not missing and list(fields) != list(KEYS.values()):
        deviations.append(Deviation("aigc.key.order", "the keys are not in Annex E's order"))
    return fields


def _standard(key: str, free: Collection[str]) -> str | None:
    """Annex E's key that this one is, by its letters or, where that one is not there itself, nearly so."""
    folded = key.casefold()
    if folded in _FOLDED:
        return _FOLDED[folded]
    near = get_close_matches(folded, free, n=2, cutoff=_NEAR) if len(folded) <= 32 else []
    return _FOLDED[near[0]] if len(near) == 1 else None  # of two that are as near, none is guessed


def _text(key: str, value: Any, deviations: list[Deviation]) -> str:
    if isinstance(value, str):
        return value
    nested = isinstance(value, (Mapping, list)) and key.startswith("Reserved")
    id = "aigc.reserved.object" if nested else "aigc.value.type"
    deviations.append(Deviation(id, f"{key} is not a string"))
    return "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _values(label: AigcLabel, fields: Mapping[str, str]) -> list[Deviation]:
    found = []
    if "label" in fields and label.label not in ("1", "2", "3"):
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
        if _PLACEHOLDER.fullmatch(value) or _OBJECT_DUMP.search(value):
            found.append(
                Deviation("aigc.value.placeholder", f"{key} is {value[:64]!r}: not a value, a slip of a program")
            )
    for key in ("ContentProducer", "ContentPropagator"):
        value = getattr(label, KEYS[key])
        if looks_like_code(value):
            found += [Deviation(fault.id, f"{key}: {fault.detail}") for fault in faults(value)]
        elif value and key == "ContentProducer":
            found.append(Deviation("aigc.producer.name", f"{key} is a name, {value[:64]!r}, which 6.1 a) allows"))
    for key in ("ReservedCode1", "ReservedCode2"):
        if _is_opaque(getattr(label, KEYS[key])):
            found.append(
                Deviation("aigc.reserved.opaque", f"{key} is not in PG-202511A's form; only its maker knows it")
            )
    return found


def _is_opaque(reserved: str) -> bool:
    """Whether a ReservedCode is anything but the SecurityData object of TC260-PG-202511A."""
    found = _json(reserved) if reserved.lstrip().startswith("{") else None
    return reserved != "" and not (isinstance(found, dict) and "SecurityData" in found)
