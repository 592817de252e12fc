"""Office Open XML (ECMA-376): the item as the custom property AIGC (TC260-PG-20258A, 6.1)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from labeler.containers import Buffer, Copy, Piece, _xml, _zip, before_the_cut, render, splice
from labeler.containers._xml import Element
from labeler.containers._zip import Archive
from policies.errors import BadInput, ToolkitError, Unsupported

SLOT = "docProps/custom.xml, property AIGC"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""An encrypted Office file is an OLE compound file around the ZIP (MS-OFFCRYPTO), as are the formats before 2007."""

_NAME = "AIGC"
_PART = "docProps/custom.xml"
TYPES = "[Content_Types].xml"
_RELATIONS = "_rels/.rels"
_LISTED = 2  # levels below the root: workbook/sheets/sheet, presentation/sldIdLst/sldId
_FMTID = "{D5CDD505-2E9C-101B-9397-08002B2CF9AE}"
_PID = re.compile(r"[2-9]|[1-9][0-9]{1,8}")
_CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.custom-properties+xml"
_RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
_DECLARATION = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


@dataclass(frozen=True, slots=True)
class _Dialect:
    """The names that the transitional and the strict form of the standard differ in."""

    relation: str
    properties: str
    values: str


_TRANSITIONAL = _Dialect(
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships/custom-properties",
    "http://schemas.openxmlformats.org/officeDocument/2006/custom-properties",
    "http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes",
)
_STRICT = _Dialect(
    "http://purl.oclc.org/ooxml/officeDocument/relationships/customProperties",
    "http://purl.oclc.org/ooxml/officeDocument/customProperties",
    "http://purl.oclc.org/ooxml/officeDocument/docPropsVTypes",
)


@dataclass(frozen=True, slots=True)
class Relation:
    """One relationship of a part: the kind is its type's last word, the target a member's name."""

    kind: str
    type: str
    id: str
    target: str
    element: Element


def sniff(data: Buffer, suffix: str, suffixes: tuple[str, ...], folder: str) -> bool:
    """An Office file whose main part lies in `folder`; a damaged or encrypted one is told by its suffix."""
    if data[:8] == OLE:
        return suffix in suffixes
    if data[:4] != _zip.MAGIC:
        return False
    try:
        names = Archive(data).names()
    except ToolkitError:
        return suffix in suffixes
    return TYPES in names and any(name.startswith(folder) for name in names)


def open_archive(data: Buffer) -> Archive:
    """The file's members; Unsupported names the remedy where it is encrypted or older than 2007."""
    if data[:8] == OLE:
        raise Unsupported(
            "the document is protected by a password or older than 2007; save it unprotected in today's format"
        )
    return Archive(data)


def read(data: Buffer) -> list[Copy]:
    return before_the_cut(_copies(open_archive(data)))


def _copies(archive: Archive) -> Iterator[Copy]:
    if name := _custom_part(archive):
        for found in _labels(xml_part(archive, name), name)[1]:
            normative = found.attributes["name"] == _NAME and found.attributes.get("fmtid", "").upper() == _FMTID
            yield Copy(found.text, f"in {name}, property {found.attributes['name']}", normative)
    for name in _stray_parts(archive):
        root = _xml.elements(xml_part(archive, name), (), name)[0]
        yield Copy(_stray_text(xml_part(archive, name), root), f"in the part {name}", normative=False)


def write(data: Buffer, item: str) -> list[Piece]:
    archive = open_archive(data)
    name = _custom_part(archive)
    changes: dict[str, bytes | None] = {}
    dialect = _dialect(archive)
    if name is None:
        name = _PART
        changes[_RELATIONS], _ = related(xml_part(archive, _RELATIONS), _RELATIONS, dialect.relation, name)
        changes[TYPES] = typed(xml_part(archive, TYPES), name, _CONTENT_TYPE)
        before = _DECLARATION + f'<Properties xmlns="{dialect.properties}"></Properties>'.encode()
    else:
        before = xml_part(archive, name)
    changes[name] = _labelled(before, name, item, dialect)
    for stray in _stray_parts(archive):
        _leave_out(archive, stray, changes)
    return archive.rewrite(changes)


def _spliced(part: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    return render(part, splice(len(part), edits))


def relations(archive: Archive, part: str) -> list[Relation]:
    """What a .rels part relates to, external targets left out."""
    if part not in archive:
        return []
    base = posixpath.dirname(posixpath.dirname(part))
    found = []
    for element in _xml.elements(xml_part(archive, part), ("Relationship",), part)[1:]:
        attributes = element.attributes
        if attributes.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", base, attributes.get("Target", ""))).lstrip("/")
            kind = attributes.get("Type", "")
            found.append(Relation(kind.rpartition("/")[2], kind, attributes.get("Id", ""), target, element))
    return found


def relations_of(archive: Archive, name: str) -> list[Relation]:
    """What the member `name` relates to."""
    return relations(archive, relations_name(name))


def relations_name(name: str) -> str:
    """The .rels part that belongs to a member (ECMA-376 part 2, 6.5.2.3)."""
    folder, base = posixpath.split(name)
    return posixpath.join(folder, "_rels", f"{base}.rels")


def main(archive: Archive) -> Relation:
    """The relationship to the document itself."""
    found = next((r for r in relations(archive, _RELATIONS) if r.kind == "officeDocument"), None)
    if found is None:
        raise BadInput("the package names no main document; the file is damaged")
    return found


def main_part(archive: Archive) -> str:
    """The member that is the document itself."""
    return main(archive).target


def ordered(archive: Archive, element: str) -> list[tuple[Element, Relation]]:
    """The sheets or slides that the main part lists as `element`s, in order, each with its relationship."""
    name = main_part(archive)
    related_parts = {r.id: r for r in relations_of(archive, name) if r.target in archive}
    found = []
    for entry in _xml.elements(xml_part(archive, name), (element,), name)[1:]:
        id = next((value for key, value in entry.attributes.items() if key.endswith(" id")), "")
        if entry.depth == _LISTED and id in related_parts:
            found.append((entry, related_parts[id]))
    return found


def xml_part(archive: Archive, name: str) -> bytes:
    """A member that is XML, as UTF-8."""
    return _xml.utf8(archive.read(name), name)


def _custom_part(archive: Archive) -> str | None:
    kinds = ("custom-properties", "customProperties")
    found = (r.target for r in relations(archive, _RELATIONS) if r.kind in kinds)
    return next((name for name in found if name in archive), None)


def _dialect(archive: Archive) -> _Dialect:
    types = (r.type for r in relations(archive, _RELATIONS) if r.kind == "officeDocument")
    return _STRICT if any("//purl.oclc.org/" in kind for kind in types) else _TRANSITIONAL


def _labels(part: bytes, name: str) -> tuple[list[Element], list[Element]]:
    """All elements that count, root first, and those properties that are the item."""
    found = _xml.elements(part, ("property",), name)
    return found, [p for p in found[1:] if p.attributes.get("name", "").casefold() == _NAME.casefold()]


def _labelled(part: bytes, name: str, item: str, dialect: _Dialect) -> bytes:
    found, labels = _labels(part, name)
    pid = labels[0].attributes.get("pid", "") if labels else ""
    new = _property(item, pid if _PID.fullmatch(pid) else _free_pid(found), dialect)
    if not labels:
        return _spliced(part, [_xml.append(part, found[0], new)])
    return _spliced(part, [(p.start, p.stop, new if p is labels[0] else b"") for p in labels])


def _property(item: str, pid: str, dialect: _Dialect) -> bytes:
    # It declares its own namespaces, as the part may bind any prefix to them.
    return (
        f'<property xmlns="{dialect.properties}" fmtid="{_FMTID}" pid="{pid}" name="{_NAME}">'
        f'<vt:lpwstr xmlns:vt="{dialect.values}">{escape(item)}</vt:lpwstr></property>'
    ).encode()


def _free_pid(found: list[Element]) -> str:
    """0 and 1 are taken by the format itself (MS-OLEPS 2.1)."""
    used = {p.attributes.get("pid", "").lstrip("0") for p in found[1:]}
    return next(str(pid) for pid in range(2, len(used) + 3) if str(pid) not in used)


def related(part: bytes, what: str, type: str, target: str) -> tuple[bytes, str]:
    """The .rels part with one relationship more, and that one's id."""
    found = _xml.elements(part, ("Relationship",), what)
    used = {r.attributes.get("Id") for r in found[1:]}
    id = next(f"rId{number}" for number in range(1, len(used) + 2) if f"rId{number}" not in used)
    new = f'<Relationship xmlns="{_RELATIONSHIPS}" Id="{id}" Type={quoteattr(type)} Target={quoteattr(target)}/>'
    return _spliced(part, [_xml.append(part, found[0], new.encode())]), id


def typed(part: bytes, name: str, content_type: str) -> bytes:
    """The content types with the member's own added, unless it has one."""
    found = _xml.elements(part, ("Override",), TYPES)
    if any(o.attributes.get("PartName", "").casefold() == f"/{name}".casefold() for o in found[1:]):
        return part
    new = f'<Override xmlns={quoteattr(found[0].namespace)} PartName="/{name}" ContentType="{content_type}"/>'
    return _spliced(part, [_xml.append(part, found[0], new.encode())])


# ---- a label in a part of its own, as one exporter writes it ---------------------------------------------------


def _stray_parts(archive: Archive) -> list[str]:
    names = ((name, name.casefold()) for name in archive.names())
    return [
        n for n, folded in names if folded.startswith("customxml/") and "aigc" in folded and folded.endswith(".xml")
    ]


def _stray_text(part: bytes, root: Element) -> str:
    """All the words of the part: the item's JSON, whatever elements stand around it."""
    words: list[str] = []
    reader = _xml.parser("the custom XML part")
    reader.CharacterDataHandler = words.append
    _xml.parse(reader, part, "the custom XML part")
    return "".join(words).strip() or " ".join(root.attributes.values())


def _leave_out(archive: Archive, name: str, changes: dict[str, bytes | None]) -> None:
    """Without the part go its own relationships, those to it, and its content type: one copy, GB 45438-2025 6.1 c)."""
    changes[name] = None
    changes[relations_name(name)] = None
    for part in _relation_parts(archive):
        gone = [r.element for r in relations(archive, part) if r.target == name]
        if gone:
            content = changes.get(part) or xml_part(archive, part)
            ids = {e.attributes.get("Id") for e in gone}
            kept = [e for e in _xml.elements(content, ("Relationship",), part)[1:] if e.attributes.get("Id") in ids]
            changes[part] = _spliced(content, [(e.start, e.stop, b"") for e in kept])
    types = changes.get(TYPES) or xml_part(archive, TYPES)
    overrides = _xml.elements(types, ("Override",), TYPES)[1:]
    cut = [(o.start, o.stop, b"") for o in overrides if o.attributes.get("PartName") == f"/{name}"]
    changes[TYPES] = _spliced(types, cut)


def _relation_parts(archive: Archive) -> Iterator[str]:
    return (name for name in archive.names() if name.endswith(".rels"))
