"""An AIGC item in a place meant for any text (EXIF UserComment, a JPEG segment): told from other text."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from labeler.metadata import MAX_ITEM, decode

_PADDING = "\0 \t\r\n"
_HEAD = re.compile(r'(?:AIGC\s*+[:=]?\s*+)?(?=[{"])', re.IGNORECASE)
# `"AIGC": {`, `AIGC{` or Annex E's first key; ByteDance's private "aigc_info" is not the label.
_SIGN = re.compile(r"""AIGC\\?["']?\s*+[:=]?\s*+["']?\{|ContentProducer""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Item:
    """The item's text, and whether nothing else stands in its place."""

    text: str
    alone: bool


def find(text: str) -> Item | None:
    """The AIGC item that `text` begins with, if any; a damaged one is taken to be all of the text."""
    text = text.strip(_PADDING)
    head = _HEAD.match(text)
    if head is None or len(text) > MAX_ITEM or not _SIGN.search(text):
        return None
    try:
        value, stop = json.JSONDecoder().raw_decode(text, head.end())
    except (ValueError, RecursionError):
        return Item(text, alone=True)
    if decode(text[:stop]).is_other_schema:
        return None  # it stays where it is: the object is not the label, whatever its outer key is called
    if isinstance(value, dict) and len(value) > 1:
        wrapped = {key: inner for key, inner in value.items() if key.casefold() == "aigc"}
        if wrapped:
            return Item(json.dumps(wrapped), alone=False)
    return Item(text[:stop], alone=not text[stop:].strip(_PADDING))
