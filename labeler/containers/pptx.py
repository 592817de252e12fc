"""PowerPoint presentations (ECMA-376 part 1, PresentationML): the item as a custom document property.

A digital signature (`_xmlsignatures`) and macros are left as they are; whoever checks the signature learns that the
presentation was changed since.
"""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from labeler.containers import Buffer, Piece, _ooxml, _xml, render, splice
from labeler.containers._layout import Box, Page, corner_box
from labeler.containers._xml import Element
from labeler.containers._zip import Archive
from policies.errors import BadInput
from policies.terms import Media

NAME = "PPTX"
MEDIA = Media.TEXT
SUFFIXES = (".pptx", ".pptm", ".potx", ".potm", ".ppsx", ".ppsm")
MIME = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
SLOT = _ooxml.SLOT
read, write = _ooxml.read, _ooxml.write

_FOLDER = "ppt/"
_EMU = 12700  # a point
_USUAL = (9_144_000, 6_858_000)  # the size of slides where none is given (19.2.1.39)
_LARGEST = 51_206_400
_TREE = 2  # levels below the root: sld/cSld/spTree
_OFFSET = re.compile(r"-?\d{1,12}")
_RAISED = re.compile(r"0*[1-9]\d*(?:\.\d+)?%?")  # thousandths of a percent, or percent in the strict form
_HIDDEN = ("0", "false")


def sniff(data: Buffer, suffix: str) -> bool:
    return _ooxml.sniff(data, suffix, SUFFIXES, _FOLDER)


def text(data: Buffer) -> str:
    """The words on the slides that show, a paragraph a line, what stands at a slide's top edge first."""
    archive = _ooxml.open_archive(data)
    slides = _slides(archive)
    top = _size(archive)[1] // 10
    words = (_Reader(_ooxml.xml_part(archive, name), name, top).text for name in archive.within(slides))
    return "\n".join(filter(None, words))


def margins(data: Buffer) -> dict[str, str]:
    """What layouts and masters put on every slide, placeholders apart: "start" in the upper half, "end" below."""
    archive = _ooxml.open_archive(data)
    layouts = _related(archive, archive.within(_slides(archive)), "slideLayout")
    names = [*layouts, *_related(archive, layouts, "slideMaster")]
    half = _size(archive)[1] // 2
    pages = [_Reader(_ooxml.xml_part(archive, name), name, half, fixed=True).page for name in archive.within(names)]
    upper = [line for page in pages for line in page.upper]
    return {"start": "\n".join(upper), "end": "\n".join(line for page in pages for line in page.other)}


def unread(data: Buffer) -> str:
    archive = _ooxml.open_archive(data)
    slides = _slides(archive)
    skipped = len(slides) - len(archive.within(slides))
    if skipped:
        return f"{skipped} slides between the first and the last were not read, the presentation is too large"
    for number, name in enumerate(slides, 1):
        part = _ooxml.xml_part(archive, name)
        if not _Reader(part, name, 0).text and _xml.elements(part, ("blip",), name)[1:]:
            return f"slide {number} shows a picture and no words, and reading words in pictures needs OCR"
    return ""


def insert(data: Buffer, notice: str, place: str, form: str = "line") -> list[Piece]:
    """The notice in a text box of its own: at the top edge of the first slide that shows or the bottom of the last."""
    archive = _ooxml.open_archive(data)
    slides = _slides(archive)
    if not slides:
        raise BadInput("the presentation has no slides; add one")
    shown = (name for name in (slides if place == "start" else reversed(slides)) if _shows(archive, name))
    name = next(shown, slides[0 if place == "start" else -1])
    part = _ooxml.xml_part(archive, name)
    found = _xml.elements(part, ("spTree", "extLst", "cNvPr"), name)
    tree = next((e for e in found if e.name == "spTree" and e.depth == _TREE), None)
    if tree is None:
        raise BadInput(f"{name} has no shapes; the file is damaged")
    width, height = _size(archive)
    box = corner_box(notice, width / _EMU, height / _EMU, place)
    edit = _placed(part, found, tree, _shape(notice, form, box, _free_id(found), tree.namespace))
    return archive.rewrite({name: render(part, splice(len(part), [edit]))})


def _slides(archive: Archive) -> list[str]:
    return [relation.target for _, relation in _ooxml.ordered(archive, "sldId") if relation.kind == "slide"]


def _related(archive: Archive, names: list[str], kind: str) -> list[str]:
    """The members of that kind which these relate to, each once."""
    found = (r for name in names for r in _ooxml.relations_of(archive, name))
    return list(dict.fromkeys(r.target for r in found if r.kind == kind and r.target in archive))


def _shows(archive: Archive, name: str) -> bool:
    root = _xml.elements(_ooxml.xml_part(archive, name), (), name)[0]
    return root.attributes.get("show") not in _HIDDEN


def _size(archive: Archive) -> tuple[int, int]:
    """Width and height of the slides in EMU."""
    name = _ooxml.main_part(archive)
    given = _xml.elements(_ooxml.xml_part(archive, name), ("sldSz",), name)[1:]
    values = [given[0].attributes.get(key, "") for key in ("cx", "cy")] if given else []
    if len(values) == 2 and all(v.isdecimal() and len(v) < 10 and 0 < int(v) <= _LARGEST for v in values):
        return int(values[0]), int(values[1])
    return _USUAL


# ---- the text box ----------------------------------------------------------------------------------------------


def _free_id(found: list[Element]) -> int:
    used = {e.attributes.get("id", "") for e in found if e.name == "cNvPr"}
    return next(number for number in range(2, len(used) + 3) if str(number) not in used)


def _shape(notice: str, form: str, box: Box, id: int, namespace: str) -> bytes:
    """Black on white, so that it can be read on any slide."""
    strict = "//purl.oclc.org/" in namespace
    drawing = f"http://{'purl.oclc.org/ooxml' if strict else 'schemas.openxmlformats.org'}/drawingml/"
    drawing += "main" if strict else "2006/main"
    left, top, width, height = (round(value * _EMU) for value in (box.left, box.top, box.width, box.height))
    raised = ' baseline="30000"' if form == "corner" else ""
    inset = " ".join(f'{side}Ins="{round(box.inset * _EMU)}"' for side in "ltrb")
    return (
        f'<p:sp xmlns:p="{namespace}" xmlns:a="{drawing}"><p:nvSpPr><p:cNvPr id="{id}" name="AIGC"/>'
        '<p:cNvSpPr txBox="1"/><p:nvPr/></p:nvSpPr><p:spPr><a:xfrm>'
        f'<a:off x="{left}" y="{top}"/><a:ext cx="{width}" cy="{height}"/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom><a:solidFill><a:srgbClr val="FFFFFF"/></a:solidFill></p:spPr>'
        f'<p:txBody><a:bodyPr wrap="none" {inset} anchor="ctr"/><a:lstStyle/><a:p><a:r>'
        f'<a:rPr sz="{round(box.font * 100)}"{raised}><a:solidFill><a:srgbClr val="000000"/></a:solidFill></a:rPr>'
        f"<a:t>{escape(notice)}</a:t></a:r></a:p></p:txBody></p:sp>"
    ).encode()


def _placed(part: bytes, found: list[Element], tree: Element, new: bytes) -> tuple[int, int, bytes]:
    """Before all else, behind the other shapes: the last one lies on top (19.3.1.45)."""
    last = next((e for e in reversed(found) if e.name == "extLst" and e.depth == tree.depth + 1), None)
    if last and tree.inside <= last.start < tree.end:
        return (last.start, last.start, new)
    return _xml.append(part, tree, new)


# ---- words -----------------------------------------------------------------------------------------------------


class _Reader:
    """A slide's paragraphs as they show: no hidden shapes, each alternative once; "" for a hidden slide.

    `top` in EMU: shapes that begin above it come first, whatever their place in the part. `fixed` leaves
    placeholders out, as a layout's show on no slide.
    """

    def __init__(self, part: bytes, name: str, top: int, fixed: bool = False) -> None:
        self.page = Page(top)
        self._fixed = fixed
        self._placeholder = False
        self._depth = -1
        self._y: int | None = None
        self._shape: list[str] = []
        self._paragraph: list[str] = []
        self._run: list[str] = []
        self._raised = self._in_text = False
        self._fallback = 0
        self._hidden: int | None = None  # the depth of the shape that does not show
        self._shows = True
        _xml.walk(part, name, self._start, self._end, self._characters)

    @property
    def text(self) -> str:
        return "\n".join(self.page.lines) if self._shows else ""

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        self._depth += 1
        if self._depth == 0:
            self._shows = attributes.get("show") not in _HIDDEN
        elif self._depth == _TREE + 1:
            self._shape, self._y, self._placeholder = [], None, False
        if name == "off" and self._y is None and _OFFSET.fullmatch(attributes.get("y", "")):
            self._y = int(attributes["y"])
        elif name == "cNvPr" and self._hidden is None and attributes.get("hidden") in ("1", "true"):
            self._hidden = self._depth - 2
        elif name == "ph":
            self._placeholder = True
        elif name == "Fallback":
            self._fallback += 1
        elif name == "p":
            self._paragraph, self._run = [], []
        elif name in ("r", "fld"):
            self._raised = False
        elif name == "rPr":
            self._raised = _RAISED.fullmatch(attributes.get("baseline", "")) is not None
        elif name == "br":
            self._paragraph.append("\n")
        elif name == "t":
            self._in_text = True

    def _characters(self, words: str) -> None:
        if self._in_text and not self._fallback and self._hidden is None:
            self._run.append(words)

    def _end(self, tag: str) -> None:
        name = tag.rpartition(" ")[2]
        if name == "t":
            self._in_text = False
        elif name == "Fallback":
            self._fallback -= 1
        elif name in ("r", "fld"):
            words = "".join(self._run)
            self._paragraph.append("ᴬᴵ" if self._raised and words.strip().upper() == "AI" else words)
            self._run = []
        elif name == "p" and any(words.strip() for words in self._paragraph):
            self._shape.append("".join(self._paragraph))
        if self._hidden is not None and self._depth <= self._hidden:
            self._hidden = None
        if self._depth == _TREE + 1:
            self.page.add(self._y, [] if self._fixed and self._placeholder else self._shape)
        self._depth -= 1
