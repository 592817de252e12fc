"""Excel workbooks (ECMA-376 part 1, SpreadsheetML): the item as a custom document property.

A digital signature (`_xmlsignatures`) and macros are left as they are; whoever checks the signature learns that the
workbook was changed since.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from labeler.containers import Buffer, Piece, _ooxml, _xml, render, splice
from labeler.containers._layout import tab_name
from labeler.containers._zip import Archive
from policies.errors import BadInput, TooLarge, Unsupported
from policies.terms import Media

NAME = "XLSX"
MEDIA = Media.TEXT
SUFFIXES = (".xlsx", ".xlsm", ".xltx", ".xltm")
MIME = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SLOT = _ooxml.SLOT
read, write = _ooxml.read, _ooxml.write

_FOLDER = "xl/"
_SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
_MAX_TEXT = 64 << 20  # characters: a few bytes may name the same long string a million times


def sniff(data: Buffer, suffix: str) -> bool:
    return _ooxml.sniff(data, suffix, SUFFIXES, _FOLDER)


def text(data: Buffer) -> str:
    """The words in the cells of the sheets that show, one cell a line; a superscript AI as the letters ᴬᴵ."""
    archive = _open(data)
    shared = _shared_strings(archive)
    lines: list[str] = []
    size = 0
    for name in archive.within(_worksheets(archive)):
        for words in _Strings(archive, name, shared).found:
            size += len(words)
            if size > _MAX_TEXT:
                raise TooLarge(f"the sheets hold over {_MAX_TEXT} characters; split the workbook")
            lines.append(words)
    return "\n".join(lines)


def unread(data: Buffer) -> str:
    archive = _open(data)
    sheets = _worksheets(archive)
    skipped = len(sheets) - len(archive.within(sheets))
    if not skipped:
        return ""
    return f"{skipped} sheets between the first and the last were not read, the workbook is too large"


def insert(data: Buffer, notice: str, place: str, form: str = "line") -> list[Piece]:
    """The notice in the first cell of a new first or last sheet, and on its tab, which shows beside the others.

    No other sheet changes: rows put into one would move what formulas and print areas of others refer to.
    """
    archive = _open(data)
    book = _ooxml.main(archive)
    folder = book.target.rpartition("/")[0]
    name = _free_name(archive, f"{folder}/worksheets/aigc")
    kind = book.type.rpartition("/")[0]  # the namespace of relationships, in either form of the standard
    links = _ooxml.relations_name(book.target)
    related, id = _ooxml.related(_ooxml.xml_part(archive, links), links, f"{kind}/worksheet", f"/{name}")
    part = _ooxml.xml_part(archive, book.target)
    edits, namespace = _listed(part, book.target, notice, place, f'xmlns:r="{kind}" r:id="{id}"')
    return archive.rewrite(
        {
            book.target: render(part, splice(len(part), edits)),
            links: related,
            _ooxml.TYPES: _ooxml.typed(_ooxml.xml_part(archive, _ooxml.TYPES), name, _SHEET_TYPE),
            name: _sheet(notice, form, namespace),
        }
    )


def _open(data: Buffer) -> Archive:
    archive = _ooxml.open_archive(data)
    if _ooxml.main_part(archive).endswith(".bin"):
        raise Unsupported("the sheets are in Excel's binary form (XLSB); save the workbook as XLSX")
    return archive


def _worksheets(archive: Archive) -> list[str]:
    """The members that are worksheets and not hidden, in the order of their tabs."""
    listed = _ooxml.ordered(archive, "sheet")
    return [r.target for e, r in listed if r.kind == "worksheet" and e.attributes.get("state", "visible") == "visible"]


def _shared_strings(archive: Archive) -> list[str]:
    related = _ooxml.relations_of(archive, _ooxml.main_part(archive))
    name = next((r.target for r in related if r.kind == "sharedStrings" and r.target in archive), None)
    return _Strings(archive, name).found if name else []


# ---- the new sheet ---------------------------------------------------------------------------------------------


def _free_name(archive: Archive, stem: str) -> str:
    numbered = (f"{stem}{number}.xml" for number in range(1, len(archive.members) + 2))
    return next(name for name in numbered if name not in archive)


def _sheet(notice: str, form: str, namespace: str) -> bytes:
    words = f'<t xml:space="preserve">{escape(notice)}</t>'
    if form == "corner":
        words = f'<r><rPr><vertAlign val="superscript"/></rPr>{words}</r>'
    cell = f'<c r="A1" t="inlineStr"><is>{words}</is></c>'
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<worksheet xmlns="{namespace}"><sheetData><row r="1">{cell}</row></sheetData></worksheet>'
    ).encode()


def _listed(part: bytes, name: str, notice: str, place: str, link: str) -> tuple[list[tuple[int, int, bytes]], str]:
    """The edits that put the sheet among the workbook's, and the workbook's namespace."""
    found = _xml.elements(part, ("sheets", "sheet", "definedName", "workbookView"), name)
    parent = next((e for e in found if e.name == "sheets" and e.depth == 1), None)
    if parent is None:
        raise BadInput(f"{name} lists no sheets; the file is damaged")
    sheets = [e for e in found if e.name == "sheet" and e.depth == parent.depth + 1]
    tab = tab_name(notice, {e.attributes.get("name", "").casefold() for e in sheets})
    used = {e.attributes.get("sheetId", "") for e in sheets}
    number = next(n for n in range(1, len(used) + 2) if str(n) not in used)
    new = f'<sheet xmlns="{parent.namespace}" name={quoteattr(tab)} sheetId="{number}" {link}/>'.encode()
    if place == "end" or parent.empty:
        return [_xml.append(part, parent, new)], parent.namespace
    return [(parent.inside, parent.inside, new), *_moved(part, found)], parent.namespace


def _moved(part: bytes, found: list[_xml.Element]) -> list[tuple[int, int, bytes]]:
    """Names and views count the sheets: one has come before those they mean (18.2.5, 18.2.30).

    The view stays where it was; sheets that are selected together would be edited together.
    """
    edits = []
    for element in found:
        attribute = {"definedName": "localSheetId", "workbookView": "activeTab"}.get(element.name)
        value = element.attributes.get(attribute or "", "0" if element.name == "workbookView" else "")
        if attribute and value.isdecimal() and len(value) < 10:
            edits.append(_xml.set_attribute(part, element, attribute, str(int(value) + 1)))
    return edits


# ---- words -----------------------------------------------------------------------------------------------------


class _Strings:
    """The strings of the shared-strings part, or those of a worksheet's cells, rich text joined."""

    def __init__(self, archive: Archive, name: str, shared: Sequence[str] = ()) -> None:
        self.found: list[str] = []
        self._shared = shared
        self._kind = ""
        self._whole: list[str] = []
        self._run: list[str] = []
        self._raised = self._phonetic = self._in_text = False
        _xml.walk(_ooxml.xml_part(archive, name), name, self._start, self._end, self._characters)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        if name in ("c", "si"):
            self._kind = attributes.get("t", "n")
            self._whole, self._run = [], []
        elif name == "r":
            self._raised = False
        elif name == "vertAlign":
            self._raised = attributes.get("val") == "superscript"
        elif name == "rPh":  # how East Asian words are spoken
            self._phonetic = True
        elif name in ("t", "v"):
            self._in_text = not self._phonetic

    def _characters(self, words: str) -> None:
        if self._in_text:
            self._run.append(words)

    def _end(self, tag: str) -> None:
        name = tag.rpartition(" ")[2]
        if name in ("t", "v"):
            self._in_text = False
        elif name == "rPh":
            self._phonetic = False
        elif name == "r":
            self._close_run()
        elif name == "si":
            self._close_run()
            self.found.append("".join(self._whole))
        elif name == "c":
            self._close_run()
            self._cell("".join(self._whole))

    def _close_run(self) -> None:
        words = "".join(self._run)
        self._whole.append("ᴬᴵ" if self._raised and words.strip().upper() == "AI" else words)
        self._run, self._raised = [], False

    def _cell(self, value: str) -> None:
        """Strings only: shared by number, inline, or what a formula came to (18.18.11)."""
        if self._kind == "s" and value.strip().isdecimal() and len(value) < 10:
            value = self._shared[int(value)] if int(value) < len(self._shared) else ""
        elif self._kind not in ("inlineStr", "str"):
            return
        if value.strip():
            self.found.append(value)
