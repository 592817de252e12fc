"""The blank samples that are ZIP packages of XML: slides by python-pptx, all others written by hand."""

from __future__ import annotations

import datetime
import io
import zipfile
from html import escape
from pathlib import Path

import _sources as sources
import pptx
from pptx.util import Inches

TITLE, AUTHOR, LINES = sources.POEM
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def package(path: Path, parts: dict[str, str | bytes], mimetype: str = "") -> None:
    """A ZIP of the parts, every entry dated 1980; `mimetype` comes first and is stored, as ODF and EPUB ask."""
    with zipfile.ZipFile(path, "w") as target:
        if mimetype:
            target.writestr(zipfile.ZipInfo("mimetype"), mimetype)
        for name, content in parts.items():
            target.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


# ---- Office ------------------------------------------------------------------------------------------------

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_CORE = (
    f'{_XML}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    "<dc:creator>biaoshi</dc:creator>"
    '<dcterms:created xsi:type="dcterms:W3CDTF">2026-11-20T00:00:00Z</dcterms:created></cp:coreProperties>'
)
_CORE_RELATION = (
    f'<Relationship Id="rId9" Type="{_PACKAGE}/relationships/metadata/core-properties" Target="docProps/core.xml"/>'
)
_STYLES = (
    f'{_XML}<styleSheet xmlns="{_SHEET}"><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="14"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill '
    'patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border>'
    "<left/><right/><top/><bottom/><diagonal/></border></borders>"
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="2">'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


def workbook(path: Path) -> None:
    """Two sheets and a hidden one, shared and rich strings, formulas across sheets, a print area, the second shown."""
    strings = [TITLE, AUTHOR, *LINES, sources.ESSAY, *sources.WALDEN, "Author", "Year", "Thoreau"]
    number = {words: index for index, words in enumerate(strings)}

    def cell(at: str, words: str) -> str:
        return f'<c r="{at}" t="s"><v>{number[words]}</v></c>'

    shared = "".join(f"<si><t>{escape(words)}</t></si>" for words in strings)
    rich = shared.replace(f"<t>{TITLE}</t>", f"<r><rPr><b/></rPr><t>静</t></r><r><t>{TITLE[1:]}</t></r>", 1)
    poem = "".join(
        f'<row r="{row}">{cell(f"A{row}", words)}</row>' for row, words in enumerate([TITLE, AUTHOR, *LINES], 1)
    )
    walden = (
        f'<row r="1">{cell("A1", "Author")}{cell("B1", "Year")}</row>'
        f'<row r="2">{cell("A2", "Thoreau")}<c r="B2"><v>1854</v></c></row>'
        f'<row r="3">{cell("A3", sources.WALDEN[0])}</row><row r="4">{cell("A4", sources.WALDEN[1])}</row>'
        f'<row r="5"><c r="A5" t="str"><f>\'诗\'!A1&amp;B2</f><v>{TITLE}1854</v></c></row>'
    )
    hidden = f'<row r="1">{cell("A1", sources.ESSAY)}</row>'
    sheets = {"诗": poem, "Walden": walden, "故乡": hidden}
    listed = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1))
    listed = listed.replace('name="故乡"', 'name="故乡" state="hidden"')
    kinds = [("worksheet", f"worksheets/sheet{n}.xml") for n in (1, 2, 3)]
    kinds += [("sharedStrings", "sharedStrings.xml"), ("styles", "styles.xml")]
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": _types({f"/xl/{t}": f"spreadsheetml.{k}" for k, t in kinds}),
        "_rels/.rels": _related([("officeDocument", "xl/workbook.xml")], _CORE_RELATION),
        "docProps/core.xml": _CORE,
        "xl/workbook.xml": f'{_XML}<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}/relationships"><bookViews>'
        f'<workbookView activeTab="1"/></bookViews><sheets>{listed}</sheets><definedNames>'
        '<definedName name="_xlnm.Print_Area" localSheetId="1">Walden!$A$1:$B$5</definedName>'
        '<definedName name="Poet">诗!$A$2</definedName></definedNames></workbook>',
        "xl/_rels/workbook.xml.rels": _related(kinds),
        "xl/sharedStrings.xml": f'{_XML}<sst xmlns="{_SHEET}">{rich}</sst>',
        "xl/styles.xml": _STYLES,
    }
    for n, rows in enumerate(sheets.values(), 1):
        selected = '<sheetViews><sheetView tabSelected="1" workbookViewId="0"/></sheetViews>' if n == 2 else ""
        parts[f"xl/worksheets/sheet{n}.xml"] = (
            f'{_XML}<worksheet xmlns="{_SHEET}">{selected}<sheetData>{rows}</sheetData></worksheet>'
        )
    package(path, parts)


def _types(overrides: dict[str, str]) -> str:
    office = "application/vnd.openxmlformats-officedocument"
    listed = {"/xl/workbook.xml": "spreadsheetml.sheet.main", **overrides}
    return (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        + "".join(f'<Override PartName="{p}" ContentType="{office}.{kind}+xml"/>' for p, kind in listed.items())
        + '<Override PartName="/docProps/core.xml" '
        'ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>'
    )


def _related(targets: list[tuple[str, str]], more: str = "") -> str:
    listed = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/relationships/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, 1)
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{listed}{more}</Relationships>'


def slides(cover: bytes) -> bytes:
    """A title slide, a picture that fills its slide, a list and a hidden slide: the bytes of the presentation."""
    deck = pptx.Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[0])
    first.shapes.title.text, first.placeholders[1].text = TITLE, AUTHOR
    full = deck.slides.add_slide(deck.slide_layouts[6])
    full.shapes.add_picture(io.BytesIO(cover), 0, 0, deck.slide_width, deck.slide_height)
    full.shapes.add_textbox(Inches(1), Inches(6.5), Inches(8), Inches(0.5)).text_frame.text = "\n".join(LINES)
    last = deck.slides.add_slide(deck.slide_layouts[1])
    last.shapes.title.text, last.placeholders[1].text = "Walden", "\n".join(sources.WALDEN)
    hidden = deck.slides.add_slide(deck.slide_layouts[1])
    hidden.shapes.title.text, hidden.placeholders[1].text = "故乡", sources.ESSAY
    hidden._element.set("show", "0")
    deck.core_properties.author = "biaoshi"
    deck.core_properties.created = deck.core_properties.modified = datetime.datetime(2026, 11, 20)
    buffer = io.BytesIO()
    deck.save(buffer)
    return buffer.getvalue()


# ---- OpenDocument ------------------------------------------------------------------------------------------

_ODF = "urn:oasis:names:tc:opendocument:xmlns"
_SPACES = " ".join(
    f'xmlns:{prefix}="{_ODF}:{name}:1.0"'
    for prefix, name in {
        "office": "office", "meta": "meta", "text": "text", "table": "table", "draw": "drawing", "style": "style",
        "svg": "svg-compatible", "fo": "xsl-fo-compatible", "presentation": "presentation",
    }.items()
)  # fmt: skip


def odt(path: Path) -> None:
    """Declarations before the first paragraph, an automatic style, a comment, a page header, a field of its own."""
    declared = (
        '<text:sequence-decls><text:sequence-decl text:display-outline-level="0" text:name="图"/></text:sequence-decls>'
    )
    comment = "<office:annotation><text:p>a comment, which is not in the text</text:p></office:annotation>"
    body = (
        f'{declared}<text:h text:outline-level="1">{TITLE}</text:h>'
        f'<text:p text:style-name="P1">{AUTHOR}{comment}</text:p>'
        + "".join(f"<text:p>{line}</text:p>" for line in (*LINES, sources.ESSAY))
        + f"<text:p>{sources.WALDEN[0]}<text:line-break/>{sources.WALDEN[1]}</text:p>"
    )
    _opendocument(path, "text", body, "<style:header><text:p>床前明月光</text:p></style:header>")


def ods(path: Path) -> None:
    """Two tables, and a named range behind them."""
    poem = "".join(_row(line) for line in (TITLE, AUTHOR, *LINES))
    body = (
        f'<table:table table:name="诗"><table:table-column/>{poem}</table:table>'
        f'<table:table table:name="Walden"><table:table-column/>{_row(sources.WALDEN[0])}</table:table>'
        '<table:named-expressions><table:named-range table:name="Poet" '
        'table:cell-range-address="$诗.$A$2"/></table:named-expressions>'
    )
    _opendocument(path, "spreadsheet", body)


def odp(path: Path) -> None:
    """Two slides with speaker's notes."""
    body = ""
    for title, words in ((TITLE, LINES[0]), ("Walden", sources.WALDEN[0])):
        frames = "".join(
            f'<draw:frame svg:x="2cm" svg:y="{y}cm" svg:width="24cm" svg:height="4cm"><draw:text-box>'
            f"<text:p>{text}</text:p></draw:text-box></draw:frame>"
            for y, text in ((3, title), (8, words))
        )
        notes = (
            "<presentation:notes><draw:frame><draw:text-box><text:p>to be said</text:p></draw:text-box></draw:frame>"
        )
        body += (
            f'<draw:page draw:name="{title}" draw:master-page-name="M">{frames}{notes}</presentation:notes></draw:page>'
        )
    _opendocument(path, "presentation", body)


def _row(words: str) -> str:
    cell = f'<table:table-cell office:value-type="string"><text:p>{words}</text:p></table:table-cell>'
    return f"<table:table-row>{cell}</table:table-row>"


def _opendocument(path: Path, kind: str, body: str, header: str = "") -> None:
    italic = '<style:text-properties fo:font-style="italic"/>'
    style = f'<style:style style:name="P1" style:family="paragraph">{italic}</style:style>'
    layout = (
        '<style:page-layout style:name="L"><style:page-layout-properties fo:page-width="28cm" '
        'fo:page-height="15.75cm"/></style:page-layout>'
    )
    master = f'<style:master-page style:name="M" style:page-layout-name="L">{header}</style:master-page>'
    meta = (
        "<meta:generator>biaoshi samples</meta:generator><meta:creation-date>2026-11-20T00:00:00</meta:creation-date>"
        '<meta:user-defined meta:name="Client">a &amp; b</meta:user-defined>'
    )
    type = f"application/vnd.oasis.opendocument.{kind}"
    entries = {"/": type, "content.xml": "text/xml", "styles.xml": "text/xml", "meta.xml": "text/xml"}
    listed = "".join(
        f'<manifest:file-entry manifest:full-path="{p}" manifest:media-type="{t}"/>' for p, t in entries.items()
    )
    parts: dict[str, str | bytes] = {
        "content.xml": _odf(
            "content",
            f"<office:automatic-styles>{style}</office:automatic-styles>"
            f"<office:body><office:{kind}>{body}</office:{kind}></office:body>",
        ),
        "styles.xml": _odf(
            "styles",
            f"<office:automatic-styles>{layout}</office:automatic-styles>"
            f"<office:master-styles>{master}</office:master-styles>",
        ),
        "meta.xml": _odf("meta", f"<office:meta>{meta}</office:meta>"),
        "META-INF/manifest.xml": '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<manifest:manifest xmlns:manifest="{_ODF}:manifest:1.0" manifest:version="1.3">{listed}</manifest:manifest>',
    }
    package(path, parts, type)


def _odf(kind: str, content: str) -> str:
    root = f"office:document-{kind}"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} {_SPACES} office:version="1.3">{content}</{root}>'


# ---- EPUB --------------------------------------------------------------------------------------------------

_OPF = f"""<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id"
  prefix="ibooks: http://vocabulary.itunes.apple.com/rdf/ibooks/vocabulary-extensions-1.0/">
  <metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
    <dc:identifier id="id">urn:uuid:00000000-0000-4000-8000-00000000b00c</dc:identifier>
    <dc:title>{TITLE} · Walden</dc:title>
    <dc:language>zh</dc:language>
    <meta property="dcterms:modified">2026-11-20T00:00:00Z</meta>
    <meta property="ibooks:specified-fonts">false</meta>
  </metadata>
  <manifest>
    <item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
    <item id="cover" href="cover.xhtml" media-type="application/xhtml+xml"/>
    <item id="picture" href="cover.jpg" media-type="image/jpeg" properties="cover-image"/>
    <item id="poem" href="text/%E8%AF%97.xhtml" media-type="application/xhtml+xml"/>
    <item id="walden" href="text/walden.xhtml" media-type="application/xhtml+xml"/>
  </manifest>
  <spine>
    <itemref idref="cover"/>
    <itemref idref="nav" linear="no"/>
    <itemref idref="poem"/>
    <itemref idref="walden"/>
  </spine>
</package>
"""


def epub(path: Path, cover: bytes) -> None:
    """EPUB 3: a prefix already declared, a cover without words, a page outside the order, a name in Chinese."""
    poem = f"<h1>{TITLE}</h1><p>{AUTHOR}</p>" + "".join(f"<p>{line}</p>" for line in LINES)
    walden = "<h1>Walden</h1>" + "".join(f"<p>{escape(words)}</p>" for words in sources.WALDEN)
    links = f'<li><a href="text/%E8%AF%97.xhtml">{TITLE}</a></li><li><a href="text/walden.xhtml">Walden</a></li>'
    nav = f'<nav xmlns:epub="http://www.idpf.org/2007/ops" epub:type="toc"><ol>{links}</ol></nav>'
    container = (
        '<?xml version="1.0"?>\n<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        '<rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles>'
        "</container>"
    )
    parts: dict[str, str | bytes] = {
        "META-INF/container.xml": container,
        "OEBPS/book.opf": _OPF,
        "OEBPS/nav.xhtml": _xhtml("Contents", nav),
        "OEBPS/cover.xhtml": _xhtml("Cover", '<div><img src="cover.jpg" alt=""/></div>'),
        "OEBPS/cover.jpg": cover,
        "OEBPS/text/诗.xhtml": _xhtml(TITLE, poem),
        "OEBPS/text/walden.xhtml": _xhtml("Walden", walden),
    }
    package(path, parts, "application/epub+zip")


def _xhtml(title: str, body: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml">\n'
        f"<head><title>{title}</title></head>\n<body>\n{body}\n</body>\n</html>\n"
    )
