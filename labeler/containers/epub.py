"""EPUB books (EPUB 3.3; ISO/IEC 23736): the item as metadata of the package document.

No guide names a slot. EPUB 3 takes properties of other vocabularies, whose prefix the package declares (5.5.3, D.1.4);
EPUB 2 has names with contents instead (OPF 2.0.1, 2.2). A signature (META-INF/signatures.xml) is left as it is;
whoever checks it learns that the book was changed since.
"""

from __future__ import annotations

import codecs
import posixpath
import re
from collections.abc import Iterator
from urllib.parse import unquote
from xml.sax.saxutils import escape, quoteattr

from labeler.containers import Buffer, Copy, Piece, _xml, _zip, before_the_cut, html, render, splice
from labeler.containers._xml import Element
from labeler.containers._zip import Archive
from policies.errors import BadInput, ToolkitError, Unsupported
from policies.terms import Media

NAME = "EPUB"
MEDIA = Media.TEXT
SUFFIXES = (".epub",)
MIME = "application/epub+zip"
SLOT = "package document, meta property TC260:AIGC"

_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_LABEL = "TC260:AIGC"
_PREFIX = "TC260: http://www.tc260.org.cn/ns/AIGC/1.0/"
_PAGES = ("application/xhtml+xml", "text/html")
_DECLARATION = b'<?xml version="1.0"?>'
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def sniff(data: Buffer, suffix: str) -> bool:
    """By the member `mimetype`; a damaged file is told by its suffix."""
    if data[:4] != _zip.MAGIC:
        return False
    try:
        archive = Archive(data)
        return "mimetype" in archive and archive.read("mimetype").strip() == MIME.encode()
    except ToolkitError:
        return suffix in SUFFIXES


def read(data: Buffer) -> list[Copy]:
    return before_the_cut(_copies(Archive(data)))


def _copies(archive: Archive) -> Iterator[Copy]:
    name = _package(archive)
    root, *found = _labels(_part(archive, name), name)
    for meta in found:
        if meta.name == "meta":
            key = "property" if "property" in meta.attributes else "name"
            value = meta.text if key == "property" else meta.attributes.get("content", "")
            normative = meta.attributes[key] == _LABEL and key == _key(root) and "refines" not in meta.attributes
            yield Copy(value, f"in {name}, meta {key} {meta.attributes[key]}", normative)


def write(data: Buffer, item: str) -> list[Piece]:
    archive = Archive(data)
    name = _package(archive)
    part = _part(archive, name)
    root, *found = _labels(part, name)
    home = next((e for e in found if e.name == "metadata" and e.depth == 1), None)
    if home is None:
        raise BadInput(f"{name} has no metadata; the book is damaged")
    new = _meta(item, root)
    labels = [e for e in found if e.name == "meta"]
    edits = [(e.start, e.stop, new if e is labels[0] else b"") for e in labels] or [_xml.append(part, home, new)]
    return archive.rewrite({name: render(part, splice(len(part), [*edits, *_prefixed(part, root)]))})


def text(data: Buffer) -> str:
    """The words of the pages in reading order."""
    archive = Archive(data)
    clear = [name for name in _pages(archive) if name not in _encrypted(archive)]
    return "\n".join(filter(None, (_words(archive, name) for name in archive.within(clear))))


def unread(data: Buffer) -> str:
    archive = Archive(data)
    pages = _pages(archive)
    clear = [name for name in pages if name not in _encrypted(archive)]
    if len(clear) < len(pages):
        return f"{len(pages) - len(clear)} pages are encrypted"
    if len(archive.within(clear)) < len(clear):
        return f"{len(clear) - 2} pages between the first and the last were not read, the book is too large"
    return "" if text(data) else "the pages hold no words, and reading words in pictures needs OCR"


def insert(data: Buffer, notice: str, place: str, form: str = "line") -> list[Piece]:
    """The notice as a paragraph, first in the first page that has words or last in the last one."""
    archive = Archive(data)
    pages = archive.within(_pages(archive))
    if not pages:
        raise BadInput("the book has no pages in its reading order; it is damaged")
    if place == "end":
        pages.reverse()
    encrypted = _encrypted(archive)
    name = next((page for page in pages if page in encrypted or _words(archive, page)), pages[0])
    if name in encrypted:
        raise Unsupported(f"the page {name} is encrypted; label the book before it is protected")
    page = _as_xml(archive.read(name))
    new = render(page, html.insert(page, notice, place, form))
    return archive.rewrite({name: new if page == archive.read(name) else new.removeprefix(_DECLARATION)})


def _part(archive: Archive, name: str) -> bytes:
    return _xml.utf8(archive.read(name), name)


def _package(archive: Archive) -> str:
    """The package document of the book's first rendition (EPUB 3.3, 4.2.6.3.1)."""
    files = _xml.elements(_part(archive, _CONTAINER), ("rootfile",), _CONTAINER)[1:]
    kinds = ("application/oebps-package+xml", "")
    found = (e.attributes.get("full-path", "") for e in files if e.attributes.get("media-type", "") in kinds)
    name = next((name for name in found if name in archive), None)
    if name is None:
        raise BadInput(f"{_CONTAINER} names no package document; the book is damaged")
    return name


# ---- the item --------------------------------------------------------------------------------------------------


def _labels(part: bytes, name: str) -> list[Element]:
    """The root, the metadata and those metas that are the item."""
    root, *found = _xml.elements(part, ("metadata", "meta"), name)
    return [root, *(e for e in found if e.name == "metadata" or _is_label(e))]


def _is_label(meta: Element) -> bool:
    key = meta.attributes.get("property", meta.attributes.get("name", ""))
    return key.rpartition(":")[2].casefold() == "aigc"


def _key(root: Element) -> str:
    """The attribute that says what a meta is, in the package's version."""
    return "name" if root.attributes.get("version", "").startswith(("1", "2")) else "property"


def _meta(item: str, root: Element) -> bytes:
    head = f"<meta xmlns={quoteattr(root.namespace)}"
    if _key(root) == "name":
        return f'{head} name="{_LABEL}" content={quoteattr(item)}/>'.encode()
    return f'{head} property="{_LABEL}">{escape(item)}</meta>'.encode()


def _prefixed(part: bytes, root: Element) -> list[tuple[int, int, bytes]]:
    """The edit that declares the prefix, where it is not."""
    declared = root.attributes.get("prefix", "")
    if _key(root) == "name" or re.search(r"(?:^|\s)TC260:", declared):
        return []
    return [_xml.set_attribute(part, root, "prefix", f"{declared} {_PREFIX}".strip())]


# ---- pages -----------------------------------------------------------------------------------------------------


def _pages(archive: Archive) -> list[str]:
    """The members that are pages of the main reading order (EPUB 3.3, 5.7)."""
    package = _package(archive)
    found = _xml.elements(_part(archive, package), ("item", "itemref"), package)[1:]
    items = {e.attributes.get("id"): e.attributes for e in found if e.name == "item"}
    names: dict[str, None] = {}
    for reference in found:
        item = items.get(reference.attributes.get("idref"), {})
        linear = reference.name == "itemref" and reference.attributes.get("linear") != "no"
        if linear and item.get("media-type") in _PAGES:
            path = unquote(item.get("href", "").partition("#")[0])
            name = posixpath.normpath(posixpath.join(posixpath.dirname(package), path))
            if name in archive:
                names[name] = None
    return list(names)


def _encrypted(archive: Archive) -> frozenset[str]:
    if _ENCRYPTION not in archive:
        return frozenset()
    found = _xml.elements(_part(archive, _ENCRYPTION), ("CipherReference",), _ENCRYPTION)[1:]
    return frozenset(unquote(e.attributes.get("URI", "")) for e in found)


def _words(archive: Archive, name: str) -> str:
    return html.text(_as_xml(archive.read(name)))


def _as_xml(page: bytes) -> bytes:
    """The page with an XML declaration, by which `html` knows that <script/> and <title/> are closed."""
    return page if page.startswith(_MARKS) or page.lstrip().startswith(b"<?xml") else _DECLARATION + page
