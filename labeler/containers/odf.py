"""OpenDocument texts, workbooks and presentations (ISO/IEC 26300): the item as a user-defined field in meta.xml.

No guide names a slot; this is the place the format has for metadata that others define (part 3, 4.3.2.9). A digital
signature (META-INF/documentsignatures.xml) is left as it is; whoever checks it learns that the document was changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from labeler.containers import Buffer, Copy, Piece, _xml, _zip, before_the_cut, render, splice
from labeler.containers._layout import Box, Page, corner_box, tab_name
from labeler.containers._xml import Element
from labeler.containers._zip import Archive
from policies.errors import BadInput, ToolkitError, Unsupported
from policies.terms import Media

NAME = "OpenDocument"
MEDIA = Media.TEXT
SUFFIXES = (".odt", ".ods", ".odp", ".ott", ".ots", ".otp")
MIME = "application/vnd.oasis.opendocument.text"
SLOT = "meta.xml, meta:user-defined AIGC"

_KINDS = ("text", "spreadsheet", "presentation")
_TYPES = tuple(f"application/vnd.oasis.opendocument.{kind}".encode() for kind in _KINDS)
_META, _CONTENT, _STYLES, _MANIFEST = "meta.xml", "content.xml", "styles.xml", "META-INF/manifest.xml"
_LABEL = "AIGC"
_SPACES = {
    kind: f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"
    for kind, name in {
        "office": "office", "meta": "meta", "text": "text", "table": "table", "draw": "drawing", "style": "style",
        "svg": "svg-compatible", "fo": "xsl-fo-compatible",
    }.items()
}  # fmt: skip
_EMPTY_META = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<office:document-meta '
    f'xmlns:office="{_SPACES["office"]}" office:version="1.3"><office:meta></office:meta></office:document-meta>'
).encode()
# What stands before the paragraphs, sheets or slides, and what behind them (part 3, 3.4, 3.7, 3.8).
_BEFORE = (
    "forms", "tracked-changes", "variable-decls", "sequence-decls", "user-field-decls", "dde-connection-decls",
    "alphabetical-index-auto-mark-file", "calculation-settings", "content-validations", "label-ranges", "header-decl",
    "footer-decl", "date-time-decl",
)  # fmt: skip
_BEHIND = ("named-expressions", "database-ranges", "data-pilot-tables", "consolidation", "dde-links", "settings")
_BEHIND_SHAPES = ("par", "seq", "iterate", "audio", "command", "animate", "set", "transitionFilter", "notes")
_KIND_DEPTH = 2  # levels below the root: document-content/body/text
_LENGTH = re.compile(r"(-?\d{1,9}(?:\.\d{1,9})?)(cm|mm|in|pt|pc)")
_POINTS = {"cm": 72 / 2.54, "mm": 7.2 / 2.54, "in": 72.0, "pt": 1.0, "pc": 12.0}
_USUAL_PAGE = (28 * _POINTS["cm"], 15.75 * _POINTS["cm"])  # LibreOffice's slide


def sniff(data: Buffer, suffix: str) -> bool:
    """By the member `mimetype`; a damaged file is told by its suffix."""
    if data[:4] != _zip.MAGIC:
        return False
    try:
        archive = Archive(data)
        return "mimetype" in archive and archive.read("mimetype").startswith(_TYPES)
    except ToolkitError:
        return suffix in SUFFIXES


def read(data: Buffer) -> list[Copy]:
    return before_the_cut(_copies(_open(data)))


def _copies(archive: Archive) -> Iterator[Copy]:
    if _META not in archive:
        return
    for field in _labels(_part(archive, _META))[1]:
        name = _name(field)
        yield Copy(field.text, f"in {_META}, user-defined {name}", name == _LABEL)


def write(data: Buffer, item: str) -> list[Piece]:
    archive = _open(data)
    if _META in archive:
        return archive.rewrite({_META: _labelled(_part(archive, _META), item)})
    return archive.rewrite({_META: _labelled(_EMPTY_META, item), _MANIFEST: _listed(_part(archive, _MANIFEST))})


def text(data: Buffer) -> str:
    """The paragraphs that show, one a line, on slides those at the top edge first; a superscript AI as ᴬᴵ."""
    archive = _open(data)
    part = _part(archive, _CONTENT)
    pages = _xml.elements(part, ("page",), _CONTENT)[1:2]
    top = _page_size(archive, pages[0])[1] / 10 if pages else 0
    return "\n".join(_Reader(part, _CONTENT, top).lines)


def margins(data: Buffer) -> dict[str, str]:
    """What headers say at the "start" and footers at the "end" of each page."""
    archive = _open(data)
    if _STYLES not in archive:
        return {}
    said = _Reader(_part(archive, _STYLES), _STYLES, 0).margins
    return {place: "\n".join(lines) for place, lines in said.items()}


def insert(data: Buffer, notice: str, place: str, form: str = "line") -> list[Piece]:
    """The notice as first or last paragraph, as a sheet of its own, or in a box on the first or last slide."""
    archive = _open(data)
    part = _part(archive, _CONTENT)
    names = (*_KINDS, *_BEFORE, *_BEHIND, *_BEHIND_SHAPES, "page", "table", "style", "automatic-styles", "body")
    found = _xml.elements(part, names, _CONTENT)
    home = next((e for e in found if e.name in _KINDS and e.depth == _KIND_DEPTH), None)
    if home is None:
        raise BadInput("the document is neither text, workbook nor presentation, or damaged; save it again")
    if home.name == "presentation":
        edits = _on_slide(archive, part, found, notice, place, form)
    else:
        new = _paragraph(notice, form)
        if home.name == "spreadsheet":
            new = _table(new, tab_name(notice, {_name(e).casefold() for e in found if e.name == "table"}))
        edits = [_placed(part, found, home, new, place)]
        if form == "corner":
            edits += _styles(part, found, {_style(form): _text_style(form)})
    return archive.rewrite({_CONTENT: render(part, splice(len(part), edits))})


def _open(data: Buffer) -> Archive:
    archive = Archive(data)
    if _MANIFEST in archive and b"encryption-data" in archive.read(_MANIFEST):
        raise Unsupported("the document is encrypted; save it without a password")
    return archive


def _part(archive: Archive, name: str) -> bytes:
    return _xml.utf8(archive.read(name), name)


def _name(element: Element) -> str:
    return next((value for key, value in element.attributes.items() if key.rpartition(" ")[2] == "name"), "")


def _bound(*kinds: str) -> str:
    """The declarations of these prefixes: the part may bind them to anything."""
    return " ".join(f'xmlns:{kind}="{_SPACES[kind]}"' for kind in kinds)


# ---- the item --------------------------------------------------------------------------------------------------


def _labels(part: bytes) -> tuple[list[Element], list[Element]]:
    """All elements that count, root first, and those fields that are the item."""
    found = _xml.elements(part, ("meta", "user-defined"), _META)
    return found, [e for e in found if e.name == "user-defined" and _name(e).casefold() == _LABEL.casefold()]


def _labelled(part: bytes, item: str) -> bytes:
    found, labels = _labels(part)
    new = f'<meta:user-defined {_bound("meta")} meta:name="{_LABEL}">{escape(item)}</meta:user-defined>'.encode()
    if labels:
        edits = [(e.start, e.stop, new if e is labels[0] else b"") for e in labels]
    else:
        home = next((e for e in found if e.name == "meta" and e.depth == 1), None)
        whole = f"<office:meta {_bound('office')}>".encode() + new + b"</office:meta>"
        edits = [_xml.append(part, home, new) if home else _xml.append(part, found[0], whole)]
    return render(part, splice(len(part), edits))


def _listed(manifest: bytes) -> bytes:
    """The manifest with meta.xml in it (part 2, 4.3)."""
    found = _xml.elements(manifest, ("file-entry",), _MANIFEST)
    space = found[0].namespace
    if any(e.attributes.get(f"{space} full-path") == _META for e in found[1:]):
        return manifest
    new = f'<m:file-entry xmlns:m={quoteattr(space)} m:full-path="{_META}" m:media-type="text/xml"/>'.encode()
    return render(manifest, splice(len(manifest), [_xml.append(manifest, found[0], new)]))


# ---- the notice ------------------------------------------------------------------------------------------------


def _paragraph(notice: str, form: str, style: str = "") -> bytes:
    words = re.sub("(?<= ) ", "<text:s/>", escape(notice))  # a run of spaces counts as one
    style = style or (_style(form) if form == "corner" else "")
    spanned = f'<text:span text:style-name="{style}">{words}</text:span>' if style else words
    return f"<text:p {_bound('text')}>{spanned}</text:p>".encode()


def _table(paragraph: bytes, name: str) -> bytes:
    head = f"<table:table {_bound('table', 'office')} table:name={quoteattr(name)}><table:table-column/>"
    cell = '<table:table-row><table:table-cell office:value-type="string">'
    return f"{head}{cell}".encode() + paragraph + b"</table:table-cell></table:table-row></table:table>"


def _placed(part: bytes, found: list[Element], home: Element, new: bytes, place: str) -> tuple[int, int, bytes]:
    """Behind the declarations before the content, or before those behind it."""
    inner = [e for e in found if e.depth == home.depth + 1 and home.inside <= e.start < home.end]
    if place == "start" and not home.empty:
        at = max((e.stop for e in inner if e.name in _BEFORE), default=home.inside)
        return (at, at, new)
    behind = min((e.start for e in inner if e.name in _BEHIND), default=home.end)
    return _xml.append(part, home, new) if behind == home.end else (behind, behind, new)


def _style(form: str) -> str:
    return f"Aigc{form.capitalize()}"


def _text_style(form: str, font: str = "") -> str:
    raised = ' style:text-position="super 58%"' if form == "corner" else ""
    size = f' fo:color="#000000" fo:font-size="{font}" style:font-size-asian="{font}"' if font else ""
    properties = f"<style:text-properties{raised}{size}/>"
    return f'<style:style {_bound("style", "fo")} style:name="{{}}" style:family="text">{properties}</style:style>'


def _styles(part: bytes, found: list[Element], wanted: dict[str, str]) -> list[tuple[int, int, bytes]]:
    """The edit that adds those automatic styles which are not there yet; the values have a place for the name."""
    present = {_name(e) for e in found if e.name == "style"}
    new = "".join(style.format(name) for name, style in wanted.items() if name not in present).encode()
    home = next((e for e in found if e.name == "automatic-styles" and e.depth == 1), None)
    if not new:
        return []
    if home:
        return [_xml.append(part, home, new)]
    body = next(e for e in found if e.name == "body" and e.depth == 1)
    whole = f"<office:automatic-styles {_bound('office')}>".encode() + new + b"</office:automatic-styles>"
    return [(body.start, body.start, whole)]


# ---- slides ----------------------------------------------------------------------------------------------------


def _on_slide(
    archive: Archive, part: bytes, found: list[Element], notice: str, place: str, form: str
) -> list[tuple[int, int, bytes]]:
    pages = [e for e in found if e.name == "page" and e.depth == _KIND_DEPTH + 1]
    if not pages:
        raise BadInput("the presentation has no slides; add one")
    page = pages[0 if place == "start" else -1]
    box = corner_box(notice, *_page_size(archive, page), place)
    style, frame = f"{_style(form)}Slide", "AigcBox"
    inner = (e for e in found if e.depth == page.depth + 1 and page.inside <= e.start < page.end)
    behind = next((e.start for e in inner if e.name in _BEHIND_SHAPES), page.end)
    new = _frame(_paragraph(notice, form, style), box, frame)
    placed = _xml.append(part, page, new) if behind == page.end else (behind, behind, new)
    return [placed, *_styles(part, found, {style: _text_style(form, f"{box.font:.1f}pt"), frame: _box_style(box)})]


def _frame(paragraph: bytes, box: Box, style: str) -> bytes:
    place = f'svg:x="{box.left:.1f}pt" svg:y="{box.top:.1f}pt"'
    size = f'svg:width="{box.width:.1f}pt" svg:height="{box.height:.1f}pt"'
    head = f'<draw:frame {_bound("draw", "svg")} draw:style-name="{style}" draw:layer="layout" {size} {place}>'
    return f"{head}<draw:text-box>".encode() + paragraph + b"</draw:text-box></draw:frame>"


def _box_style(box: Box) -> str:
    """Black on white, so that it can be read on any slide."""
    return (
        f'<style:style {_bound("style", "fo", "draw")} style:name="{{}}" style:family="graphic">'
        '<style:graphic-properties draw:stroke="none" draw:fill="solid" draw:fill-color="#ffffff" '
        f'draw:textarea-vertical-align="middle" fo:padding="{box.inset:.1f}pt" fo:wrap-option="no-wrap"/></style:style>'
    )


def _page_size(archive: Archive, page: Element) -> tuple[float, float]:
    """Width and height in points of a slide, by way of its master page and that one's layout."""
    if _STYLES not in archive:
        return _USUAL_PAGE
    found = _xml.elements(_part(archive, _STYLES), ("master-page", "page-layout", "page-layout-properties"), _STYLES)
    master = page.attributes.get(f"{_SPACES['draw']} master-page-name", "")
    layouts = {_name(e): e.attributes.get(f"{_SPACES['style']} page-layout-name") for e in found}
    layout = next((e for e in found if e.name == "page-layout" and _name(e) == layouts.get(master)), None)
    if layout is None:
        return _USUAL_PAGE
    properties = (e for e in found if e.name == "page-layout-properties" and layout.start < e.start < layout.stop)
    given = next(properties, layout).attributes
    width, height = (_points(given.get(f"{_SPACES['fo']} page-{side}", "")) for side in ("width", "height"))
    return (width, height) if width and height and min(width, height) > 1 else _USUAL_PAGE


def _points(length: str) -> float | None:
    found = _LENGTH.fullmatch(length)
    return float(found[1]) * _POINTS[found[2]] if found else None


# ---- words -----------------------------------------------------------------------------------------------------

_BLANK = re.compile(r"[ \t\r\n]+")
_UNSEEN = frozenset(("annotation", "tracked-changes", "notes", "ruby-text", "forms", "title", "desc"))
_MARGINS = {
    f"{name}{kind}": place
    for name, place in (("header", "start"), ("footer", "end"))
    for kind in ("", "-left", "-first")
}


class _Reader:
    """The paragraphs of content.xml, and of the headers and footers in styles.xml."""

    def __init__(self, part: bytes, name: str, top: float) -> None:
        self.lines: list[str] = []
        self.margins: dict[str, list[str]] = {"start": [], "end": []}
        self._top = top
        self._page: Page | None = None
        self._y: float | None = None
        self._shape: list[str] = []
        self._depth = -1
        self._unseen: int | None = None  # the depth of the element that does not show
        self._margin = ""
        self._paragraphs: list[list[str]] = []  # the open ones: a text box or note may stand in a paragraph
        self._spans: list[tuple[int, bool]] = []
        self._style = ""
        self._raised: set[str] = set()
        _xml.walk(part, name, self._start, self._end, self._characters)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        name = tag.rpartition(" ")[2]
        given = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        if self._unseen is None and name in _UNSEEN:
            self._unseen = self._depth
        if name == "style":
            self._style = given.get("name", "")
        elif name == "text-properties" and given.get("text-position", "").startswith("super"):
            self._raised.add(self._style)
        elif name in _MARGINS:
            self._margin = _MARGINS[name]
        elif name == "page" and self._depth == _KIND_DEPTH + 1:
            self._page = Page(self._top)
        elif self._page and self._depth == _KIND_DEPTH + 2:
            self._shape, self._y = [], _points(given.get("y", ""))
        elif name in ("p", "h"):
            self._paragraphs.append([])
        elif self._paragraphs:
            self._inside(name, given)

    def _inside(self, name: str, given: dict[str, str]) -> None:
        paragraph = self._paragraphs[-1]
        if name == "span":
            self._spans.append((len(paragraph), given.get("style-name", "") in self._raised))
        elif name in ("s", "tab", "line-break") and self._unseen is None:
            paragraph.append({"s": " ", "tab": "\t", "line-break": "\n"}[name])

    def _characters(self, words: str) -> None:
        if self._paragraphs and self._unseen is None:
            self._paragraphs[-1].append(_BLANK.sub(" ", words))

    def _end(self, tag: str) -> None:
        name = tag.rpartition(" ")[2]
        if name == "span" and self._spans and self._paragraphs:
            self._close_span(*self._spans.pop())
        elif name in ("p", "h") and self._paragraphs:
            self._close_paragraph("".join(self._paragraphs.pop()))
        elif name in _MARGINS:
            self._margin = ""
        elif self._page and self._depth == _KIND_DEPTH + 2:
            self._page.add(self._y, self._shape)
            self._shape = []
        elif self._page and self._depth == _KIND_DEPTH + 1:
            self.lines += self._page.lines
            self._page = None
        if self._unseen == self._depth:
            self._unseen = None
        self._depth -= 1

    def _close_span(self, start: int, raised: bool) -> None:
        paragraph = self._paragraphs[-1]
        if raised and "".join(paragraph[start:]).strip().upper() == "AI":
            paragraph[start:] = ["ᴬᴵ"]

    def _close_paragraph(self, words: str) -> None:
        if not words.strip():
            return
        if self._margin:
            self.margins[self._margin].append(words)
        else:
            (self.lines if self._page is None else self._shape).append(words)
