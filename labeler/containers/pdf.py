"""PDF (ISO 32000-1): the item as the key AIGC of the information dictionary (TC260-PG-20258A, 6.3).

Every change is an incremental update (7.5.6): the file as it was, and the changed objects behind it.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, BinaryIO, cast

from labeler.containers import Buffer, Copy, Piece, Span, _xmp
from policies.errors import BadInput, Unsupported
from policies.terms import Media

NAME = "PDF"
MEDIA = Media.TEXT
SUFFIXES = (".pdf",)
MIME = "application/pdf"
SLOT = "information dictionary, key AIGC"

_KEY = "/AIGC"
_HEADER_WITHIN = 1024  # bytes in which readers look for the header, Annex H.3
_TAIL = 2048  # and for startxref at the end
_PAGES = 100  # read from each end of the document
_MAX_FLATE = 256 << 20  # bytes that qpdf may inflate one stream to
_STARTXREF = re.compile(rb"startxref\s+(\d{1,12})\s+%%EOF")


def sniff(data: Buffer, suffix: str) -> bool:
    return b"%PDF-" in data[:_HEADER_WITHIN]


def read(data: Buffer) -> list[Copy]:
    with _opened(data) as pdf:
        copies = []
        info = _info(pdf)
        if info is not None and _KEY in info:
            copies.append(Copy(_string(info[_KEY]), "in the information dictionary, key AIGC"))
        if (packet := _packet(pdf)) is not None:
            found = _xmp.read(packet, "in the document's XMP packet")
            copies += [replace(copy, normative=False) for copy in found]
        return copies


def write(data: Buffer, item: str) -> list[Piece]:
    import pikepdf

    if [(c.value, c.normative) for c in read(data)] == [(item, True)]:
        return [Span(0, len(data))]
    with _opened(data, to_change=True) as pdf:
        fence = _next_number(pdf)
        info = _info(pdf)
        if info is None or not info.is_indirect:
            info = pdf.make_indirect(pikepdf.Dictionary(dict(info.items()) if info is not None else {}))
            pdf.trailer["/Info"] = info
        info[_KEY] = pikepdf.String(item)
        changed = [info]
        if (packet := _packet(pdf)) is not None and (moved := _xmp.remove(packet)) != packet:
            # One copy: GB 45438-2025 6.1 c).
            pdf.Root["/Metadata"].write(moved)
            changed.append(pdf.Root["/Metadata"])
        return _appended(data, pdf, changed, fence)


def text(data: Buffer) -> str:
    """The words of the first and last hundred pages, each from the top, as far as the fonts tell them."""
    return "\n".join(line for page in _pages(data) if page.read for line in page.read.lines)


def unread(data: Buffer) -> str:
    """Why words may stand in the file that `text` does not give; "" where it gives them all."""
    reasons = [f"page {page.number}: {page.why}" for page in _pages(data) if page.why]
    with _opened(data) as pdf:
        if (left_out := len(pdf.pages) - 2 * _PAGES) > 0:
            reasons.append(f"{left_out} pages in the middle were not looked at")
    more = f"; {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return "; ".join(reasons[:3]) + more


def insert(data: Buffer, notice: str, place: str, form: str = "line") -> list[Piece]:
    """The notice drawn at the first page's top, or at the last page's foot, as it is displayed."""
    import pikepdf

    from labeler.containers import _pdf_notice, _pdf_text

    with _opened(data, to_change=True) as pdf:
        fence = _next_number(pdf)
        if not len(pdf.pages):
            raise BadInput("the PDF has no page to put a notice on")
        try:
            page = pdf.pages[0 if place == "start" else -1]
            _pdf_notice.draw(pdf, page, notice, place, form)
        except (pikepdf.PdfError, *_pdf_text.MALFORMED) as error:
            raise BadInput(f"the page cannot take a notice: {error}; print the document to a new PDF") from error
        return _appended(data, pdf, [page.obj], fence)


# ---- reading ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _PageRead:
    """What was read of a page, or why it could not be, or not wholly."""

    number: int
    read: Any
    why: str


class _Raw(io.RawIOBase):
    """A file over the mapped bytes, with a position of its own."""

    def __init__(self, data: Buffer) -> None:
        self._data = data
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        chunk = self._data[self._position : self._position + len(target)]
        target[: len(chunk)] = chunk
        self._position += len(chunk)
        return len(chunk)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: len(self._data)}[whence]
        self._position = max(0, base + offset)
        return self._position


@cache
def _pikepdf() -> Any:
    """qpdf with a bound on what it inflates, unless the program around us has set one."""
    import pikepdf
    from pikepdf import settings

    if not settings.get_qpdf_limits()["flate_max_memory"]:
        settings.set_qpdf_limits(flate_max_memory=_MAX_FLATE)
    return pikepdf


@contextmanager
def _opened(data: Buffer, to_change: bool = False) -> Iterator[Any]:
    """The parsed file. Raises BadInput for a damaged one, Unsupported where it needs a password or, `to_change`,
    is encrypted."""
    pikepdf = _pikepdf()
    from labeler.containers import _pdf_text

    try:
        with pikepdf.open(
            cast(BinaryIO, io.BufferedReader(_Raw(data))),
            attempt_recovery=False,
            suppress_warnings=True,
            inherit_page_attributes=False,  # it would change pages that we do not touch
        ) as pdf:
            if to_change and pdf.is_encrypted:
                raise Unsupported("the PDF is encrypted; take the protection off first, e.g. with qpdf --decrypt")
            yield pdf
    except pikepdf.PasswordError as error:
        remedy = "take the protection off first, e.g. with qpdf --decrypt"
        raise Unsupported(f"the PDF needs a password; {remedy}") from error
    except (pikepdf.PdfError, pikepdf.DataDecodingError) as error:
        raise BadInput(f"the PDF is damaged: {error}; open and save it anew, e.g. with qpdf") from error
    except _pdf_text.MALFORMED as error:
        raise BadInput(f"the PDF is not built as it should be: {error}; open and save it anew") from error


def _info(pdf: Any) -> Any:
    info = pdf.trailer.get("/Info")
    return info if isinstance(info, _pikepdf().Dictionary) else None


def _string(value: Any) -> str:
    return str(value) if isinstance(value, _pikepdf().String) else value.unparse().decode("utf-8", "replace")


def _packet(pdf: Any) -> bytes | None:
    from labeler.containers import _pdf_text

    metadata = pdf.Root.get("/Metadata")
    return _pdf_text.inflated(metadata) if isinstance(metadata, _pikepdf().Stream) else None


def _pages(data: Buffer) -> list[_PageRead]:
    from labeler.containers import _pdf_notice, _pdf_text

    found = []
    with _opened(data) as pdf:
        total = len(pdf.pages)
        for index in sorted({*range(min(total, _PAGES)), *range(max(0, total - _PAGES), total)}):
            page = pdf.pages[index]
            try:
                read = _pdf_text.read(page, *_pdf_notice.displayed(page))
            except BadInput as error:
                found.append(_PageRead(index + 1, None, str(error)))
            else:
                found.append(_PageRead(index + 1, read, _why_unread(read)))
    return found


def _why_unread(read: Any) -> str:
    if read.unknown:
        return f"a font does not say which characters {read.unknown} of its codes are"
    if read.pictures and not read.lines:
        return "a picture without words beside it, a scan perhaps; reading it needs OCR"
    return ""


# ---- writing ------------------------------------------------------------------------------------------------


def _next_number(pdf: Any) -> int:
    """The first object number that this file does not use; taken, so that all after it are new, too."""
    return int(pdf.make_indirect(_pikepdf().Dictionary()).objgen[0])


def _with_new(changed: Sequence[Any], fence: int) -> list[Any]:
    """The changed objects, and the new ones that they refer to."""
    pikepdf = _pikepdf()
    found = {thing.objgen: thing for thing in changed}
    queue = list(changed)
    while queue:
        thing = queue.pop()
        inner = thing.stream_dict if isinstance(thing, pikepdf.Stream) else thing
        for child in inner.values() if isinstance(inner, pikepdf.Dictionary) else inner:
            if not isinstance(child, (pikepdf.Dictionary, pikepdf.Array, pikepdf.Stream)):
                continue
            if child.is_indirect and (child.objgen[0] < fence or child.objgen in found):
                continue
            if child.is_indirect:
                found[child.objgen] = child
            queue.append(child)
    return list(found.values())


def _appended(data: Buffer, pdf: Any, changed: Sequence[Any], fence: int) -> list[Piece]:
    """The file, and behind it the changed and new objects with a cross-reference section of the kind the file has."""
    base = max(0, data[:_HEADER_WITHIN].find(b"%PDF-"))  # offsets count from the header, Annex H.3
    previous = _startxref(data)
    start = len(data) - base
    out = bytearray(b"" if data[-1:] in (b"\n", b"\r") else b"\n")
    offsets: dict[tuple[int, int], int] = {}
    for thing in _with_new(changed, fence):
        offsets[thing.objgen] = start + len(out)
        out += _object(thing)
    in_stream = data[base + previous : base + previous + 4] != b"xref"
    trailer = _trailer(pdf, previous, [number for number, _ in offsets], bytes(out))
    xref = start + len(out)
    out += _xref_stream(trailer, offsets, xref) if in_stream else _xref_table(trailer, offsets)
    out += f"startxref\n{xref}\n%%EOF\n".encode()
    return [Span(0, len(data)), bytes(out)]


def _startxref(data: Buffer) -> int:
    found = list(_STARTXREF.finditer(data[max(0, len(data) - _TAIL) :]))
    if not found:
        raise BadInput("the PDF does not end with startxref and %%EOF; open and save it anew, e.g. with qpdf")
    return int(found[-1][1])


def _object(thing: Any) -> bytes:
    number, generation = thing.objgen
    head = f"{number} {generation} obj\n".encode()
    if not isinstance(thing, _pikepdf().Stream):
        return head + bytes(thing.unparse(resolved=True)) + b"\nendobj\n"
    body = thing.read_raw_bytes()
    described = thing.stream_dict
    described["/Length"] = len(body)
    return head + bytes(described.unparse(resolved=True)) + b"\nstream\n" + bytes(body) + b"\nendstream\nendobj\n"


def _trailer(pdf: Any, previous: int, numbers: Sequence[int], content: bytes) -> Any:
    pikepdf = _pikepdf()
    old = pdf.trailer
    trailer = pikepdf.Dictionary(Size=max(int(old.get("/Size", 0)), max(numbers) + 1), Prev=previous)
    for key in ("/Root", "/Info"):
        if key in old:
            trailer[key] = old[key]
    id = old.get("/ID")
    if isinstance(id, pikepdf.Array) and len(id) == 2:
        # The second half changes with each version of the file, 14.4.
        version = hashlib.sha256(bytes(id[1]) + content).digest()[:16]
        trailer["/ID"] = pikepdf.Array([id[0], pikepdf.String(version)])
    return trailer


def _xref_table(trailer: Any, offsets: dict[tuple[int, int], int]) -> bytes:
    lines = ["xref\n"]
    for (number, generation), offset in sorted(offsets.items()):
        lines.append(f"{number} 1\n{offset:010d} {generation:05d} n \n")
    return "".join(lines).encode() + b"trailer\n" + bytes(trailer.unparse(resolved=True)) + b"\n"


def _xref_stream(trailer: Any, offsets: dict[tuple[int, int], int], at: int) -> bytes:
    """A cross-reference stream (7.5.8); it lists itself, too."""
    pikepdf = _pikepdf()
    number = int(trailer["/Size"])
    entries = sorted({**offsets, (number, 0): at}.items())
    body = b"".join(struct.pack(">BQH", 1, offset, generation) for (_, generation), offset in entries)
    trailer["/Size"] = number + 1
    trailer["/Type"] = pikepdf.Name.XRef
    trailer["/W"] = pikepdf.Array([1, 8, 2])
    trailer["/Index"] = pikepdf.Array([n for (entry, _), _ in entries for n in (entry, 1)])
    trailer["/Length"] = len(body)
    head = f"{number} 0 obj\n".encode() + bytes(trailer.unparse(resolved=True))
    return head + b"\nstream\n" + body + b"\nendstream\nendobj\n"
