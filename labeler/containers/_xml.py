"""XML parts by byte offsets: elements to read, replace or put something beside, all other bytes as they were."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from policies.errors import BadInput

_MAX_DEPTH = 256
_MAX_ELEMENTS = 200_000
_TAG = re.compile(rb"""<(?:[^>"']++|"[^"]*+"|'[^']*+')*+>""")
_ATTRIBUTE = re.compile(rb"""\s([^\s=<>"'/]++)\s*+=\s*+("[^"]*+"|'[^']*+')""")


@dataclass(slots=True)
class Element:
    """An element from byte `start` to `stop`, its content from `inside` to `end` (equal to `stop` if `<x/>`)."""

    namespace: str
    name: str
    attributes: Mapping[str, str]
    depth: int
    start: int
    inside: int
    end: int = -1
    stop: int = -1
    text: str = ""

    @property
    def empty(self) -> bool:
        return self.end == self.stop == self.inside


def utf8(part: bytes, what: str) -> bytes:
    """The part as UTF-8; Office may write UTF-16, whose declaration then goes (ECMA-376 part 2, 8.1.4)."""
    if not part.startswith((b"\xff\xfe", b"\xfe\xff")):
        return part
    try:
        return re.sub(r"^\s*<\?xml[^>]*\?>", "", part.decode("utf-16")).encode()
    except UnicodeError as error:
        raise BadInput(f"{what} is not readable as UTF-16; the file is damaged") from error


def elements(part: bytes, names: Collection[str], what: str) -> list[Element]:
    """The root, and all elements of these local names, in document order. `text` is of the root's descendants too.

    Raises BadInput for what is not well-formed or declares a document type.
    """
    return _Scan(part, names, what).found


class _Scan:
    def __init__(self, part: bytes, names: Collection[str], what: str) -> None:
        self.found: list[Element] = []
        self._part, self._names, self._what = part, names, what
        self._depth = -1
        self._open: list[Element] = []
        self._parser: Any = parser(what)
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        try:
            parse(self._parser, part, what)
        finally:
            self._parser = None  # the handlers point back here

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise BadInput(f"{self._what} nests deeper than {_MAX_DEPTH} elements")
        namespace, _, name = tag.rpartition(" ")
        if self._depth and name not in self._names:
            return
        if len(self.found) >= _MAX_ELEMENTS:
            raise BadInput(f"{self._what} has over {_MAX_ELEMENTS} elements {name}")
        start = self._parser.CurrentByteIndex
        element = Element(namespace, name, attributes, self._depth, start, _tag_end(self._part, start))
        self.found.append(element)
        self._open.append(element)

    def _end(self, _tag: str) -> None:
        if self._open and self._open[-1].depth == self._depth:
            element = self._open.pop()
            close = self._parser.CurrentByteIndex
            empty = self._part[element.inside - 2 : element.inside] == b"/>"
            element.end = element.inside if empty else close
            element.stop = element.inside if empty else _tag_end(self._part, close)
        self._depth -= 1

    def _characters(self, text: str) -> None:
        if self._open and self._open[-1].depth:
            self._open[-1].text += text


def parser(what: str) -> Any:
    """An expat parser that names elements "namespace local" and refuses document types."""

    def refuse(*_: object) -> None:
        raise BadInput(f"{what} declares a document type, which this part of a document never does")

    made = expat.ParserCreate("utf-8", " ")
    made.buffer_text = True
    made.StartDoctypeDeclHandler = refuse
    return made


def parse(made: Any, part: bytes, what: str) -> None:
    try:
        made.Parse(part, True)
    except expat.ExpatError as error:
        raise BadInput(f"{what} is not well-formed XML: {error}; the file is damaged") from error


def walk(
    part: bytes,
    what: str,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    characters: Callable[[str], None],
) -> None:
    """Call back for each start tag, end tag and run of text. Raises BadInput for XML that cannot be parsed."""
    made = parser(what)
    made.StartElementHandler, made.EndElementHandler, made.CharacterDataHandler = start, end, characters
    parse(made, part, what)


def append(part: bytes, parent: Element, new: bytes) -> tuple[int, int, bytes]:
    """The edit that makes `new` the last content of `parent`, which may be an empty element."""
    if not parent.empty:
        return (parent.end, parent.end, new)
    tag = part[parent.start : parent.stop]
    name = re.split(rb"[\s/>]", tag[1:], maxsplit=1)[0]
    return (parent.start, parent.stop, tag[:-2].rstrip() + b">" + new + b"</" + name + b">")


def set_attribute(part: bytes, element: Element, name: str, value: str) -> tuple[int, int, bytes]:
    """The edit that gives the element's start tag the attribute, in place of one of that name as it is spelt."""
    tag, new = part[element.start : element.inside], quoteattr(value).encode()
    for found in _ATTRIBUTE.finditer(tag):
        if found[1] == name.encode():
            return (element.start + found.start(2), element.start + found.end(2), new)
    at = element.start + len(re.split(rb"[\s/>]", tag, maxsplit=1)[0])
    return (at, at, b" " + name.encode() + b"=" + new)


def _tag_end(part: bytes, start: int) -> int:
    """The offset behind the `>` of the tag at `start`; one inside quotes does not end it."""
    found = _TAG.match(part, start)
    return found.end() if found else len(part)
