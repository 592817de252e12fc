"""Word documents (ECMA-376 part 1, WordprocessingML): the item as a custom document property."""

from __future__ import annotations

from xml.sax.saxutils import escape

from labeler.containers import Buffer, Piece, _ooxml, _xml, render, splice
from labeler.containers._xml import Element
from labeler.containers._zip import Archive
from policies.errors import BadInput
from policies.terms import Media

NAME = "DOCX"
MEDIA = Media.TEXT
SUFFIXES = (".docx", ".docm", ".dotx", ".dotm")
MIME = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SLOT = _ooxml.SLOT
read, write = _ooxml.read, _ooxml.write

_FOLDER = "word/"


def sniff(data: Buffer, suffix: str) -> bool:
    return _ooxml.sniff(data, suffix, SUFFIXES, _FOLDER)


def text(data: Buffer) -> str:
    """The body's paragraphs, one a line; a superscript AI as the letters ᴬᴵ."""
    archive = _ooxml.open_archive(data)
    return _paragraphs(archive, _ooxml.main_part(archive))


def margins(data: Buffer) -> dict[str, str]:
    """What headers say at the "start" and footers at the "end" of each page."""
    archive = _ooxml.open_archive(data)
    related = _ooxml.relations_of(archive, _ooxml.main_part(archive))
    return {
        place: "\n".join(_paragraphs(archive, r.target) for r in related if r.kind == kind and r.target in archive)
        for place, kind in (("start", "header"), ("end", "footer"))
    }


def insert(data: Buffer, notice: str, place: str, form: str = "line") -> list[Piece]:
    """The notice as the body's first or last paragraph; a corner mark is set superscript."""
    archive = _ooxml.open_archive(data)
    name = _ooxml.main_part(archive)
    part = _xml.utf8(archive.read(name), name)
    found = _xml.elements(part, ("body", "sectPr"), name)
    body = next((e for e in found if e.name == "body" and e.depth == 1), None)
    if body is None:
        raise BadInput(f"{name} has no body; the file is damaged")
    edit = _placed(part, found, body, _paragraph(notice, form, body.namespace), place)
    return archive.rewrite({name: render(part, splice(len(part), [edit]))})


def _paragraph(notice: str, form: str, namespace: str) -> bytes:
    raised = '<w:rPr><w:vertAlign w:val="superscript"/></w:rPr>' if form == "corner" else ""
    words = f'<w:t xml:space="preserve">{escape(notice)}</w:t>'
    return f'<w:p xmlns:w="{namespace}"><w:r>{raised}{words}</w:r></w:p>'.encode()


def _placed(part: bytes, found: list[Element], body: Element, new: bytes, place: str) -> tuple[int, int, bytes]:
    if place == "start" and not body.empty:
        return (body.inside, body.inside, new)
    section = next((e for e in reversed(found) if e.name == "sectPr" and e.depth == body.depth + 1), None)
    if section:  # the last section's properties are the body's last element (17.6.17)
        return (section.start, section.start, new)
    return _xml.append(part, body, new)


def _paragraphs(archive: Archive, name: str) -> str:
    return "".join(_Reader(_xml.utf8(archive.read(name), name), name).lines).strip("\n")


class _Reader:
    """The words of a WordprocessingML part as they show: no deleted or hidden runs, each alternative once."""

    def __init__(self, part: bytes, name: str) -> None:
        self.lines: list[str] = []
        self._run: list[str] = []
        self._raised = self._hidden = self._in_text = False
        self._fallback = 0
        _xml.walk(part, name, self._start, self._end, self._characters)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        value = next((v for key, v in attributes.items() if key.rpartition(" ")[2] == "val"), "")
        if name == "Fallback":  # mc:AlternateContent repeats its choice for old programs
            self._fallback += 1
        elif name == "r":
            self._run, self._raised, self._hidden = [], False, False
        elif name == "vertAlign":
            self._raised = value == "superscript"
        elif name == "vanish":
            self._hidden = value not in ("0", "false", "off")
        elif name == "t":
            self._in_text = True
        elif name in ("tab", "br", "cr"):
            self._run.append("\t" if name == "tab" else "\n")

    def _characters(self, text: str) -> None:
        if self._in_text:
            self._run.append(text)

    def _end(self, tag: str) -> None:
        match tag.rpartition(" ")[2]:
            case "p":
                self.lines.append("\n")
            case "r":
                words = "".join(self._run)
                if not self._hidden and not self._fallback:
                    self.lines.append("ᴬᴵ" if self._raised and words.strip().upper() == "AI" else words)
                self._run = []
            case "t":
                self._in_text = False
            case "Fallback":
                self._fallback -= 1
