"""HTML tags and words by their offsets: what an edit needs that leaves every other byte alone. Linear, tolerant.

Follows the tokenization of the HTML standard (13.2.5) as far as finding tags goes: comments, raw-text elements,
quoted attributes. What is not closed runs to the end, as in a browser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape

from policies.errors import TooLarge

_RAW = frozenset({"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"})
_NAME = re.compile(r"</?([a-zA-Z][^\s/>]*)")
_ATTRIBUTE = re.compile(r"""[\s/]*([^\s/>][^\s/>=]*)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s>]*))?""")
_GAP = re.compile(r"[\s/]*")
_MAX_ATTRIBUTES = 1000
_MAX_TAGS = 1_000_000


@dataclass(frozen=True, slots=True)
class Words:
    """Characters `start` to `stop` between two pieces of markup."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Tag:
    """A start or end tag, or the doctype (`name` "!doctype"), from character `start` to `stop`.

    `end` is behind the raw text of a script, a title or the like, whose end tag is the next tag; else `stop`.
    """

    name: str
    start: int
    stop: int
    end: int
    closing: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)


def tokens(text: str) -> Iterator[Tag | Words]:
    """Every tag, doctype and run of words; comments and what stands in raw-text elements are passed over.

    Raises TooLarge beyond a million tags.
    """
    xml = text.lstrip().startswith("<?xml")
    words = count = 0
    position = text.find("<")
    while position >= 0:
        count += 1
        if count > _MAX_TAGS:
            raise TooLarge(f"the HTML has over {_MAX_TAGS} tags; split it")
        token = _markup(text, position, xml)
        if token is None:
            position = text.find("<", position + 1)
            continue
        if position > words:
            yield Words(words, position)
        if token.name:
            yield token
        words = token.end
        position = text.find("<", words)
    if words < len(text):
        yield Words(words, len(text))


def _markup(text: str, position: int, xml: bool) -> Tag | None:
    """The markup that begins here; comments and declarations have no name."""
    if text.startswith("<!--", position):
        stop = _behind(text, "-->", position + 4)
        return Tag("", position, stop, stop)
    if text.startswith(("<!", "<?"), position):
        stop = _behind(text, ">", position)
        doctype = text[position + 2 : position + 9].lower() == "doctype" and text[stop - 1] == ">"
        return Tag("!doctype" if doctype else "", position, stop, stop)
    name = _NAME.match(text, position)
    return _tag(text, name, xml) if name else None


def _tag(text: str, name: re.Match[str], xml: bool) -> Tag:
    attributes: dict[str, str] = {}
    position = name.end()
    while found := _ATTRIBUTE.match(text, position):
        position = found.end()
        if len(attributes) < _MAX_ATTRIBUTES:
            attributes.setdefault(found[1].lower(), unescape((found[2] or "").strip("\"'")))
    gap = _GAP.match(text, position)
    stop = (gap.end() if gap else position) + 1
    if stop > len(text):
        return Tag("", name.start(), len(text), len(text))  # the file ends in the tag, which then is none
    kind, closing = name[1].lower(), text[name.start() + 1] == "/"
    closed = closing or (xml and text[stop - 2] == "/")  # <script/> is closed in XHTML only
    end = _raw_end(text, kind, stop) if kind in _RAW and not closed else stop
    return Tag(kind, name.start(), stop, end, closing, attributes)


def _raw_end(text: str, name: str, start: int) -> int:
    end = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(text, start)
    return end.start() if end else len(text)


def _behind(text: str, mark: str, start: int) -> int:
    found = text.find(mark, start)
    return len(text) if found < 0 else found + len(mark)
