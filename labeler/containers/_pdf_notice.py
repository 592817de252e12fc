"""A notice drawn on a PDF page: words in an embedded subset of the packaged font, extractable by their meaning."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import pikepdf

from labeler.containers import _pdf_text
from labeler.containers._pdf_text import Matrix
from policies.errors import BadInput

_NAME = "/BiaoshiNotice"
_SIZE = 10.5  # points: 五号, the usual size of Chinese running text
_CORNER_SIZE = 7.0
_LEAST_SIZE = 5.0
_MARGIN = 18.0  # points from the page's edges
_PADDING = 0.25  # of the size, around the words
_INK, _PAPER = "0.13 g", "1 g"  # 16:1, so that the words are legible whatever the page's colour is


@dataclass(frozen=True, slots=True)
class _Face:
    """A subset of the font: its file, the glyph and width (thousandths of an em) of each character, its box."""

    file: bytes
    glyphs: Mapping[str, int]
    widths: Mapping[int, int]
    box: tuple[int, int, int, int]
    ascent: int
    descent: int


def box(page: pikepdf.Page) -> tuple[float, float, float, float]:
    """What of the page shows: CropBox within MediaBox (14.11.2), left, bottom, right, top in points."""
    media = _rectangle(_pdf_text.inherited(page, "/MediaBox")) or (0.0, 0.0, 612.0, 792.0)
    crop = _rectangle(_pdf_text.inherited(page, "/CropBox")) or media
    shown = max(media[0], crop[0]), max(media[1], crop[1]), min(media[2], crop[2]), min(media[3], crop[3])
    return shown if shown[0] < shown[2] and shown[1] < shown[3] else media


def upright(page: pikepdf.Page) -> tuple[Matrix, float, float]:
    """From the displayed page, origin at its lower left, to the page's space; and its displayed width and height."""
    left, bottom, right, top = box(page)
    width, height = right - left, top - bottom
    turn = _pdf_text.inherited(page, "/Rotate")
    quarter = int(turn) // 90 % 4 if isinstance(turn, int) else 0
    # /Rotate turns the page clockwise when it is displayed (7.7.3.3).
    if quarter == 1:
        return (0.0, 1.0, -1.0, 0.0, right, bottom), height, width
    if quarter == 2:
        return (-1.0, 0.0, 0.0, -1.0, right, top), width, height
    if quarter == 3:
        return (0.0, -1.0, 1.0, 0.0, left, top), height, width
    return (1.0, 0.0, 0.0, 1.0, left, bottom), width, height


def displayed(page: pikepdf.Page) -> tuple[Matrix, float, float]:
    """The other way: from the page's space to the displayed page, and its displayed width and height."""
    (a, b, c, d, e, f), width, height = upright(page)
    return (d, -b, -c, a, c * f - d * e, b * e - a * f), width, height  # the determinant of a turn is 1


def draw(pdf: pikepdf.Pdf, page: pikepdf.Page, notice: str, place: str, form: str) -> None:
    """Draw the notice at the top ("start") or bottom ("end") edge of the page, whose object is changed.

    Raises BadInput for characters that the font lacks and for words too long for the page.
    """
    face = _face(notice)
    content = _content(page, notice, face, place, form)
    shape = pdf.make_stream(content)
    left, bottom, right, top = box(page)
    shape.stream_dict.update(
        pikepdf.Dictionary(
            Type=pikepdf.Name.XObject,
            Subtype=pikepdf.Name.Form,
            BBox=[left, bottom, right, top],
            Resources=pikepdf.Dictionary(Font=pikepdf.Dictionary(F0=_font(pdf, face))),
        )
    )
    _lay_over(pdf, page, shape)


def _rectangle(found: Any) -> tuple[float, float, float, float] | None:
    if not isinstance(found, pikepdf.Array) or len(found) != 4:
        return None
    try:
        x0, y0, x1, y1 = (float(n) for n in found)
    except (TypeError, ValueError):
        return None
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _lay_over(pdf: pikepdf.Pdf, page: pikepdf.Page, shape: Any) -> None:
    """Put the shape behind the page's own content, which is fenced so that its state does not reach the shape."""
    found = _pdf_text.inherited(page, "/Resources")
    own = pikepdf.Dictionary(dict(found.items()) if isinstance(found, pikepdf.Dictionary) else {})
    shapes = own.get("/XObject")
    shapes = pikepdf.Dictionary(dict(shapes.items()) if isinstance(shapes, pikepdf.Dictionary) else {})
    name = next(n for n in (_NAME, *(f"{_NAME}{i}" for i in range(len(shapes) + 1))) if n not in shapes)
    shapes[name] = shape
    own["/XObject"] = shapes
    page.obj["/Resources"] = own
    before = page.obj.get("/Contents")
    opening = pdf.make_stream(b"q\n")
    closing = pdf.make_stream(b"\n" + b"Q\n" * (1 + _unclosed(before)) + f"q {name} Do Q\n".encode())
    page.obj["/Contents"] = pikepdf.Array([opening, *_pdf_text.streams(before), closing])


def _unclosed(content: Any) -> int:
    """How many `q` the page's content leaves without their `Q`."""
    depth = 0
    for instruction in _pdf_text.instructions(content, "q Q"):
        depth = max(0, depth + (1 if str(instruction.operator) == "q" else -1))
    return depth


def _content(page: pikepdf.Page, notice: str, face: _Face, place: str, form: str) -> bytes:
    matrix, width, height = upright(page)
    margin = min(_MARGIN, width / 10, height / 10)
    em = sum(face.widths[face.glyphs[c]] for c in notice) / 1000
    size = min(_SIZE if form == "line" else _CORNER_SIZE, (width - 2 * margin) / em)
    if size < _LEAST_SIZE:
        raise BadInput(f"{notice[:40]!r} is too long for a page {width:.0f} points wide; choose a shorter text")
    rise = size * (face.ascent - face.descent) / 1000
    # The corner mark stands in the right corner, a line begins where lines begin.
    x = margin if form == "line" else width - margin - em * size
    y = (height - margin - rise if place == "start" else margin) - size * face.descent / 1000
    pad = _PADDING * size
    plate = (x - pad, y + size * face.descent / 1000 - pad, em * size + 2 * pad, rise + 2 * pad)
    codes = "".join(f"{face.glyphs[c]:04X}" for c in notice)
    return (
        f"q {_numbers(matrix)} cm {_PAPER} {_numbers(plate)} re f "
        f"BT {_INK} /F0 {_numbers((size,))} Tf {_numbers((x, y))} Td <{codes}> Tj ET Q"
    ).encode()


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.3f}".rstrip("0").rstrip(".") for value in values)


# ---- the font -----------------------------------------------------------------------------------------------


def _face(notice: str) -> _Face:
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    source = resources.files("labeler.notices").joinpath("fonts", "BiaoshiNotice.ttf").read_bytes()
    font = TTFont(io.BytesIO(source), recalcTimestamp=False, lazy=True)
    known = font.getBestCmap()
    if missing := [c for c in dict.fromkeys(notice) if ord(c) not in known]:
        raise BadInput(f"the packaged font has no {' '.join(missing)}; choose another wording for a PDF")
    options = Options(
        hinting=False,
        drop_tables=[*Options().drop_tables, "ltag"],
        layout_features=[],
        name_IDs=[],
        notdef_outline=True,
        recalc_timestamp=False,
    )
    subsetter = Subsetter(options)
    subsetter.populate(text=notice)
    subsetter.subset(font)
    file = io.BytesIO()
    font.save(file)
    per_em = 1000 / font["head"].unitsPerEm
    cmap = font.getBestCmap()
    glyphs = {c: font.getGlyphID(cmap[ord(c)]) for c in set(notice)}
    widths = {font.getGlyphID(name): round(width * per_em) for name, (width, _) in font["hmtx"].metrics.items()}
    head, ruler = font["head"], font["hhea"]
    corners = [round(n * per_em) for n in (head.xMin, head.yMin, head.xMax, head.yMax)]
    return _Face(
        file.getvalue(),
        glyphs,
        widths,
        (corners[0], corners[1], corners[2], corners[3]),
        round(ruler.ascent * per_em),
        round(ruler.descent * per_em),
    )


def _font(pdf: pikepdf.Pdf, face: _Face) -> Any:
    """A composite font with two-byte codes that are glyph numbers (9.7.4)."""
    name = pikepdf.Name("/BIAOSH+BiaoshiNotice")
    file = pdf.make_stream(face.file)
    file.stream_dict["/Length1"] = len(face.file)
    descriptor = pdf.make_indirect(
        pikepdf.Dictionary(
            Type=pikepdf.Name.FontDescriptor,
            FontName=name,
            Flags=4,
            FontBBox=list(face.box),
            ItalicAngle=0,
            Ascent=face.ascent,
            Descent=face.descent,
            CapHeight=face.ascent,
            StemV=80,
            FontFile2=file,
        )
    )
    system = pikepdf.Dictionary(Registry=pikepdf.String("Adobe"), Ordering=pikepdf.String("Identity"), Supplement=0)
    widths = [item for glyph in sorted(set(face.glyphs.values())) for item in (glyph, [face.widths[glyph]])]
    inner = pdf.make_indirect(
        pikepdf.Dictionary(
            Type=pikepdf.Name.Font,
            Subtype=pikepdf.Name.CIDFontType2,
            BaseFont=name,
            CIDSystemInfo=system,
            CIDToGIDMap=pikepdf.Name.Identity,
            DW=1000,
            W=widths,
            FontDescriptor=descriptor,
        )
    )
    meaning = pdf.make_stream(_cmap(face.glyphs))
    return pdf.make_indirect(
        pikepdf.Dictionary(
            Type=pikepdf.Name.Font,
            Subtype=pikepdf.Name.Type0,
            BaseFont=name,
            Encoding=pikepdf.Name("/Identity-H"),
            DescendantFonts=[inner],
            ToUnicode=meaning,
        )
    )


def _cmap(glyphs: Mapping[str, int]) -> bytes:
    """What each code means, so that readers can copy, search and read aloud the notice (9.10.3)."""
    pairs = [f"<{glyph:04X}> <{c.encode('utf-16-be').hex().upper()}>" for c, glyph in sorted(glyphs.items())]
    blocks = [pairs[i : i + 100] for i in range(0, len(pairs), 100)]
    maps = "\n".join(f"{len(b)} beginbfchar\n{chr(10).join(b)}\nendbfchar" for b in blocks)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"
        f"{maps}\nendcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    ).encode()
