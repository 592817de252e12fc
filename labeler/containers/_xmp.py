"""XMP packets: the property TC260:AIGC read from, and put into, a packet whose other bytes stay as they are.

TC260-PG-20259A: namespace http://www.tc260.org.cn/ns/AIGC/1.0/, prefix TC260, property AIGC, whose text is the
bare JSON; a packet that holds other properties is edited, not replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr, unescape

from labeler.containers import MAX_COPIES, Copy, render, splice
from labeler.metadata import MAX_ITEM, Deviation
from policies.errors import BadInput
from policies.terms import KEYS

NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"
SLOT = "XMP property TC260:AIGC"
MAX_PACKET = 16 << 20
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_MAX_DEPTH = 64
_MAX_HEAD = 512
_BLANK = b"\0 \t\r\n"
_FIELDS = frozenset(key.casefold() for key in KEYS)

_ATTRIBUTE_FORM = Deviation("aigc.xmp.attribute", "the property is written as an attribute, which RDF allows")
_KEY_BY_KEY = Deviation("aigc.xmp.per-field", "each key is a property of its own, where the guide has one JSON text")
_NOT_XML = Deviation("aigc.xmp.not-xml", "the property stands in the packet's place as bare text")

_HEADER = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_TRAILER = '<?xpacket end="w"?>'

# Possessive throughout: each of them looks at a byte once, however long the tag is.
_TAG = re.compile(rb"""<(?:[^>"']++|"[^"]*+"|'[^']*+')*+>""")
_BEGIN = re.compile(rb"""\sbegin\s*+=\s*+(?:"(?:\xef\xbb\xbf)?"|'(?:\xef\xbb\xbf)?')""")
_TAG_NAME = re.compile(rb"<([^\s/>]++)")
_ATTRIBUTE = re.compile(rb"""\s++([^\s=<>"'/]++)\s*+=\s*+(?:"[^"]*+"|'[^']*+')""")


def read(packet: bytes, where: str) -> list[Copy]:
    """Every copy of the item in the packet; BadInput for XML that cannot be parsed."""
    scan = _Scan(packet, where)
    wrapper = _wrapper(scan.data)
    return [Copy(_bounded(p.value), f"{where}, {p.what}", p.normative, p.deviations + wrapper) for p in scan.places]


def write(packet: bytes | None, item: str, where: str = "XMP packet") -> bytes:
    """The packet with `item` as its only copy of the property; a new packet where there was none."""
    return write_all([packet], item, where)[0] if packet is not None else _new(item)


def write_all(packets: Sequence[bytes], item: str, where: str = "XMP packet") -> list[bytes]:
    """All packets of one file, with `item` once: in the first that held a copy, or else in the first.

    A packet that was nothing but another copy comes back empty.
    """
    scans = [_Scan(packet, where) for packet in packets]
    home = next((i for i, scan in enumerate(scans) if scan.places), 0)
    return [scan.edited(item if i == home else None) for i, scan in enumerate(scans)]


def remove(packet: bytes, where: str = "XMP packet") -> bytes:
    """The packet for a file whose item stands in another slot: one copy may stay (GB 45438-2025 6.1 c)."""
    return _Scan(packet, where).edited(None)


def _bounded(value: str | dict[str, str]) -> str | dict[str, str]:
    """Long enough to be seen as too long, so that a hostile packet is not held in memory."""
    return value[: MAX_ITEM + 1] if isinstance(value, str) else value


def _new(item: str) -> bytes:
    body = f'<rdf:RDF xmlns:rdf="{_RDF}">{_description("", item)}</rdf:RDF>'
    return f'{_HEADER}<x:xmpmeta xmlns:x="adobe:ns:meta/">{body}</x:xmpmeta>{_TRAILER}'.encode()


def _description(about: str, item: str) -> str:
    return (
        f'<rdf:Description rdf:about={quoteattr(about)} xmlns:rdf="{_RDF}" xmlns:TC260="{NAMESPACE}">'
        f"<TC260:AIGC>{escape(item)}</TC260:AIGC></rdf:Description>"
    )


@dataclass(slots=True)
class _Place:
    """A copy in byte offsets of the packet: all that belongs to it, and its text where that can be exchanged."""

    spans: list[tuple[int, int]]
    value: str | dict[str, str]
    what: str = "property TC260:AIGC"
    normative: bool = False
    inner: tuple[int, int] | None = None
    deviations: tuple[Deviation, ...] = ()


@dataclass(slots=True)
class _Element:
    """An element that is being read: the AIGC property, or one of its seven keys as an element of its own."""

    name: str
    namespace: str
    depth: int
    start: int
    inside: int
    normative: bool
    plain: bool
    text: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)


class _Scan:
    """One pass of expat over a packet: the copies in it, and where a new description may go."""

    def __init__(self, packet: bytes, where: str) -> None:
        if len(packet) > MAX_PACKET:
            raise BadInput(f"{where} is over {MAX_PACKET} bytes long")
        self.places: list[_Place] = []
        self._packet = packet
        self._where = where
        self.data = _utf8(packet, where)
        self._root: tuple[int, int] | None = None  # the rdf:RDF start tag
        self._root_depth = 0
        self._about = ""
        self._depth = 0
        self._property: _Element | None = None
        self._field: _Element | None = None
        self._loose_keys: dict[str, str] = {}  # the seven keys where they stand outside of any AIGC property
        self._loose = _Place([], self._loose_keys, "a property for each key", deviations=(_KEY_BY_KEY,))
        self._bare = _bare(packet)
        if self._bare is not None:
            what = "TC260:AIGC as bare text instead of XML"
            self.places = [_Place([], self._bare, what, deviations=(_NOT_XML,))]
        else:
            self._parse()

    def edited(self, item: str | None) -> bytes:
        """The packet with `item` as its only copy, or without one where another packet holds it."""
        if self._bare is not None:
            return b"" if item is None else _new(item)
        if [(p.value, p.normative) for p in self.places] == ([] if item is None else [(item, True)]):
            return self._packet
        home = None if item is None else next((p for p in self.places if p.inner), None)
        edits = [(start, stop, b"") for p in self.places if p is not home for start, stop in p.spans]
        if home is not None and home.inner is not None:
            edits.append((*home.inner, escape(item or "").encode()))
        elif item is not None:
            edits.append(self._insertion(item))
        return render(self.data, splice(len(self.data), edits))

    def _insertion(self, item: str) -> tuple[int, int, bytes]:
        if self._root is None:
            raise BadInput(f"{self._where} holds no rdf:RDF element to put the label in")
        start, stop = self._root
        new = _description(self._about, item).encode()
        if self.data[stop - 2 : stop] != b"/>":
            return stop, stop, new
        name = _TAG_NAME.match(self.data, start)
        assert name is not None  # expat saw a tag there
        return stop - 2, stop, b">" + new + b"</" + name[1] + b">"

    def _parse(self) -> None:
        # What stands before the first tag, or follows the last one (padding, NULs), is none of the parser's business.
        self._base = max(self.data.find(b"<"), 0)
        self._parser: Any = expat.ParserCreate("utf-8", " ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        try:
            self._parser.Parse(self.data[self._base : self.data.rfind(b">") + 1], True)
        except expat.ExpatError as error:
            complete = self._root is not None and self._depth == 0
            if not complete:
                raise BadInput(f"{self._where} is not well-formed XML: {error}") from error
        finally:
            self._parser = None  # the handlers point back here

    def _doctype(self, *_: object) -> None:
        raise BadInput(f"{self._where} declares a document type, which XMP never does")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise BadInput(f"{self._where} nests deeper than {_MAX_DEPTH} elements")
        start = self._base + self._parser.CurrentByteIndex
        if name == f"{_RDF} RDF" and self._root is None:
            self._root, self._root_depth = (start, self._tag_end(start)), self._depth
        elif name == f"{_RDF} Description":
            # Every description in a packet is about the same thing (XMP part 1, 7.4).
            self._about = self._about or attributes.get(f"{_RDF} about", "")
        namespace, _, local = name.rpartition(" ")
        if self._field is None and _is_key(name):
            self._field = self._element(start, name, False, attributes)
        elif self._field is None and self._property is None and local == "AIGC":
            normative = namespace == NAMESPACE and self._depth == self._root_depth + 2
            self._property = self._element(start, name, normative, attributes)
        if any(_is_ours(key) for key in attributes):
            self._attributes(start, attributes)

    def _element(self, start: int, name: str, normative: bool, attributes: dict[str, str]) -> _Element:
        namespace, _, local = name.rpartition(" ")
        return _Element(local, namespace, self._depth, start, self._tag_end(start), normative, not attributes)

    def _attributes(self, start: int, attributes: dict[str, str]) -> None:
        if self._property is not None:
            keys = {key.rpartition(" ")[2]: value for key, value in attributes.items() if _is_key(key)}
            self._property.fields.update(keys)
            return
        if self._field is not None:
            return
        for (key, value), span in zip(attributes.items(), self._attribute_spans(start), strict=False):
            namespace, _, local = key.rpartition(" ")
            if _is_key(key):
                self._add_loose(local, value, span)
            elif _is_ours(key):
                normative = namespace == NAMESPACE and self._depth == self._root_depth + 1
                deviations = (_ATTRIBUTE_FORM, *_foreign(namespace))
                self._add(_Place([span], value, normative=normative, deviations=deviations))

    def _attribute_spans(self, start: int) -> Iterator[tuple[int, int]]:
        """Where the tag's attributes stand, in order, without the namespace declarations that expat keeps back."""
        for found in _ATTRIBUTE.finditer(self.data, start, self._tag_end(start)):
            if found[1] != b"xmlns" and not found[1].startswith(b"xmlns:"):
                yield found.span()

    def _add_loose(self, name: str, value: str, span: tuple[int, int]) -> None:
        if not self._loose.spans:
            self._add(self._loose)
        self._loose_keys[name] = value
        self._loose.spans.append(span)

    def _add(self, place: _Place) -> None:
        if len(self.places) == MAX_COPIES:
            raise BadInput(f"{self._where} holds over {MAX_COPIES} AIGC items, where one belongs; it is damaged")
        self.places.append(place)

    def _characters(self, text: str) -> None:
        for element in (self._field, self._property):
            if element is not None:
                element.text.append(text)

    def _end(self, _name: str) -> None:
        close = self._base + self._parser.CurrentByteIndex
        if self._field is not None and self._field.depth == self._depth:
            self._end_field(self._field, close)
            self._field = None
        elif self._property is not None and self._property.depth == self._depth:
            self._end_property(self._property, close)
            self._property = None
        self._depth -= 1

    def _end_field(self, element: _Element, close: int) -> None:
        text = "".join(element.text)
        if self._property is not None:
            self._property.fields[element.name] = text
        else:
            self._add_loose(element.name, text, self._span(element, close))

    def _end_property(self, element: _Element, close: int) -> None:
        span = self._span(element, close)
        deviations = _foreign(element.namespace)
        if element.fields:
            deviations = (_KEY_BY_KEY, *deviations)
            self._add(_Place([span], element.fields, "property TC260:AIGC as a structure", deviations=deviations))
            return
        exchangeable = element.plain and element.normative and not self._is_empty(element)
        inner = (element.inside, close) if exchangeable else None
        text = "".join(element.text)
        self._add(_Place([span], text, normative=element.normative, inner=inner, deviations=deviations))

    def _span(self, element: _Element, close: int) -> tuple[int, int]:
        return element.start, element.inside if self._is_empty(element) else self._tag_end(close)

    def _is_empty(self, element: _Element) -> bool:
        return self.data[element.inside - 2 : element.inside] == b"/>"

    def _tag_end(self, start: int) -> int:
        """The offset behind the `>` of the tag at `start`; one inside quotes does not end it."""
        found = _TAG.match(self.data, start)
        return found.end() if found else len(self.data)


def _is_key(name: str) -> bool:
    """Whether it is one of the seven keys, as a property of its own in our namespace."""
    namespace, _, local = name.rpartition(" ")
    return namespace == NAMESPACE and local.casefold() in _FIELDS


def _is_ours(name: str) -> bool:
    """Whether it is the property, in any namespace, or one of its keys."""
    namespace, _, local = name.rpartition(" ")
    return (namespace != "" and local == "AIGC") or _is_key(name)


def _foreign(namespace: str) -> tuple[Deviation, ...]:
    if namespace == NAMESPACE:
        return ()
    return (Deviation("aigc.xmp.namespace", f"the property's namespace is {namespace[:128]!r}, not {NAMESPACE}"),)


def _wrapper(data: bytes) -> tuple[Deviation, ...]:
    """How the packet's header departs from XMP part 1, 7.3.2, which lets it be left out."""
    at = data.find(b"<?xpacket", 0, _MAX_HEAD)
    if at < 0:
        return ()
    faults = []
    if b"<?xml" in data[:at]:
        faults.append("an XML declaration stands before it")
    header = data[at : at + _MAX_HEAD].partition(b"?>")[0]
    if header.endswith(b"?"):
        faults.append("it ends with two question marks")
    if not _BEGIN.search(header):
        faults.append("begin is neither U+FEFF nor empty")
    return (Deviation("aigc.xmp.packet", f"the packet header is unusual: {', '.join(faults)}"),) if faults else ()


def _bare(packet: bytes) -> str | None:
    """The value of a "packet" that is no XML but `TC260:AIGC="…"`, as an early toolkit wrote it."""
    name, _, value = packet.strip(_BLANK).partition(b"=")
    if name.strip() != b"TC260:AIGC":
        return None
    value = value.strip()
    if len(value) > 1 and value[:1] in b"\"'" and value[-1:] == value[:1]:
        value = value[1:-1]
    return unescape(value.decode("utf-8", "replace"), {"&quot;": '"', "&apos;": "'"})


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
                text = packet.decode(encoding).lstrip("\ufeff")
                return _undeclared(text).encode()
            except UnicodeError as error:
                raise BadInput(f"{where} is not readable as {encoding}") from error
    return packet


def _undeclared(text: str) -> str:
    """Without the XML declaration's encoding, which is no longer true once the text is UTF-8."""
    head, close, tail = text[:256].partition("?>")
    if not close or not head.startswith("<?xml "):
        return text
    return re.sub(r"""\sencoding\s*=\s*("[^"]*"|'[^']*')""", "", head) + close + tail + text[256:]
