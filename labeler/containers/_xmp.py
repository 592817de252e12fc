"""XMP packets: the property TC260:AIGC read from, and put into, a packet whose other bytes stay as they are.

TC260-PG-20259A: namespace http://www.tc260.org.cn/ns/AIGC/1.0/, prefix TC260, property AIGC, whose text is the
bare JSON; a packet that holds other properties is edited, not replaced.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from labeler.containers import Copy
from policies.errors import BadInput

NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"
SLOT = "XMP property TC260:AIGC"
MAX_PACKET = 16 << 20
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_MAX_DEPTH = 64

_HEADER = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_TRAILER = '<?xpacket end="w"?>'


@dataclass(frozen=True, slots=True)
class _Place:
    """A copy of the property, in byte offsets of the packet: the whole of it, and its text if an element."""

    start: int
    stop: int
    inner: tuple[int, int] | None
    value: str
    normative: bool


def read(packet: bytes, where: str) -> list[Copy]:
    """Every copy of the property in the packet; BadInput for XML that cannot be parsed."""
    places = _Scan(packet, where).places
    return [Copy(p.value, f"{where}, property TC260:AIGC", p.normative) for p in places]


def write(packet: bytes | None, item: str, where: str = "XMP packet") -> bytes:
    """The packet with `item` as its only copy of the property; a new packet where there was none."""
    if packet is None:
        body = f'<rdf:RDF xmlns:rdf="{_RDF}">{_description("", item)}</rdf:RDF>'
        return f'{_HEADER}<x:xmpmeta xmlns:x="adobe:ns:meta/">{body}</x:xmpmeta>{_TRAILER}'.encode()
    scan = _Scan(packet, where)
    if [(p.value, p.normative) for p in scan.places] == [(item, True)]:
        return packet
    edits = [(p.start, p.stop, "") for p in scan.places]
    home = next((i for i, p in enumerate(scan.places) if p.normative and p.inner), None)
    if home is not None:
        start, stop = scan.places[home].inner or (0, 0)
        edits[home] = (start, stop, escape(item))
    elif scan.insert_at >= 0:
        edits.append((scan.insert_at, scan.insert_at, _description(scan.about, item)))
    else:
        raise BadInput(f"{where} holds no rdf:RDF element to put the label in")
    data = scan.data
    for start, stop, new in sorted(edits, reverse=True):  # from the back, so that offsets stay true
        data = data[:start] + new.encode() + data[stop:]
    return data


def _description(about: str, item: str) -> str:
    return (
        f'<rdf:Description rdf:about={quoteattr(about)} xmlns:rdf="{_RDF}" xmlns:TC260="{NAMESPACE}">'
        f"<TC260:AIGC>{escape(item)}</TC260:AIGC></rdf:Description>"
    )


class _Scan:
    """One pass of expat over a packet: the copies in it, and where a new description may go."""

    def __init__(self, packet: bytes, where: str) -> None:
        if len(packet) > MAX_PACKET:
            raise BadInput(f"{where} is over {MAX_PACKET} bytes long")
        self.data = _utf8(packet, where)
        self.places: list[_Place] = []
        self.insert_at = -1
        self.about = ""
        self._where = where
        self._depth = 0
        self._open: tuple[int, int, int, bool] | None = None  # depth, tag start, tag end, normative
        self._text: list[str] = []
        self._parser: Any = expat.ParserCreate("utf-8", " ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        try:
            # What follows the root (padding, NULs) is none of the parser's business.
            self._parser.Parse(self.data[: self.data.rfind(b">") + 1], True)
        except expat.ExpatError as error:
            raise BadInput(f"{where} is not well-formed XML: {error}") from error
        finally:
            self._parser = None  # the handlers point back here

    def _doctype(self, *_: object) -> None:
        raise BadInput(f"{self._where} declares a document type, which XMP never does")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise BadInput(f"{self._where} nests deeper than {_MAX_DEPTH} elements")
        start = self._parser.CurrentByteIndex
        if name == f"{_RDF} RDF" and self.insert_at < 0:
            stop = _tag_end(self.data, start)
            if self.data[stop - 2 : stop] != b"/>":
                self.insert_at = stop
        elif name == f"{_RDF} Description":
            # Every description in a packet is about the same thing (XMP part 1, 7.4).
            self.about = self.about or attributes.get(f"{_RDF} about", "")
        for key, value in attributes.items():
            namespace, _, local = key.rpartition(" ")
            if local == "AIGC" and namespace:
                self._attribute(start, value, namespace == NAMESPACE)
        namespace, _, local = name.rpartition(" ")
        if local == "AIGC" and self._open is None:
            self._open = (self._depth, start, _tag_end(self.data, start), namespace == NAMESPACE)
            self._text = []

    def _attribute(self, tag: int, value: str, normative: bool) -> None:
        text = self.data[tag : _tag_end(self.data, tag)]
        if found := re.search(rb"""\s[^\s=<>"']+:AIGC\s*=\s*("[^"]*"|'[^']*')""", text):
            self.places.append(_Place(tag + found.start(), tag + found.end(), None, value, normative))

    def _characters(self, text: str) -> None:
        if self._open is not None:
            self._text.append(text)

    def _end(self, _name: str) -> None:
        if self._open is not None and self._open[0] == self._depth:
            _, start, inside, normative = self._open
            close = self._parser.CurrentByteIndex
            empty = close == start  # <TC260:AIGC/>
            stop = inside if empty else _tag_end(self.data, close)
            inner = None if empty else (inside, close)
            self.places.append(_Place(start, stop, inner, "".join(self._text), normative))
            self._open = None
        self._depth -= 1


def _tag_end(data: bytes, start: int) -> int:
    """The offset behind the `>` of the tag at `start`; one inside quotes does not end it."""
    found = re.compile(rb"""<(?:[^>"']|"[^"]*"|'[^']*')*>""").match(data, start)
    return found.end() if found else len(data)


def _utf8(packet: bytes, where: str) -> bytes:
    """XMP is UTF-8 nearly everywhere; the UTF-16 and UTF-32 it may also be are told by their zero bytes."""
    head = packet[:4]
    for encoding, mark in (
        ("utf-32-be", b"\0\0\0<"),
        ("utf-32-le", b"<\0\0\0"),
        ("utf-16-be", b"\0<"),
        ("utf-16-le", b"<\0"),
        ("utf-32-be", b"\0\0\xfe\xff"),
        ("utf-32-le", b"\xff\xfe\0\0"),
        ("utf-16-be", b"\xfe\xff"),
        ("utf-16-le", b"\xff\xfe"),
    ):
        if head.startswith(mark):
            try:
                return packet.decode(encoding).lstrip("\ufeff").encode()
            except UnicodeError as error:
                raise BadInput(f"{where} is not readable as {encoding}") from error
    return packet
