"""The item as package metadata of a book, and a notice as a paragraph of a page, seen by lxml and ExifTool."""

import contextlib
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from lxml import etree

from labeler.containers import epub, identify, render
from labeler.metadata import encode
from policies.errors import ToolkitError, Unsupported
from tests.conftest import LABEL, run, sample, tool
from tests.labeler.containers.hostile import mutations, survives
from tests.labeler.containers.zips import changed, keeps_packed_bytes, members, rezipped

ITEM = encode(LABEL)
NOTICE = "本内容由人工智能生成"
BLANK = sample("epub").read_bytes()
OPF, POEM, WALDEN, COVER = "OEBPS/book.opf", "OEBPS/text/诗.xhtml", "OEBPS/text/walden.xhtml", "OEBPS/cover.xhtml"
OLD = rezipped(BLANK, {OPF: members(BLANK)[OPF].replace(b'version="3.0"', b'version="2.0"')})


def noticed(place: str, notice: str = NOTICE, form: str = "line", data: bytes = BLANK) -> bytes:
    return render(data, epub.insert(data, notice, place, form))


def labelled(data: bytes = BLANK) -> bytes:
    return render(data, epub.write(data, ITEM))


def test_the_package_holds_the_item_once_as_a_property_of_the_book() -> None:
    package = etree.fromstring(members(labelled())[OPF])
    metas = package.findall("opf:metadata/opf:meta", {"opf": "http://www.idpf.org/2007/opf"})
    assert [(m.get("property"), m.text) for m in metas[2:]] == [("TC260:AIGC", ITEM)]


def test_exiftool_shows_the_item(tmp_path: Path) -> None:
    path = tmp_path / "labelled.epub"
    path.write_bytes(labelled())
    assert ITEM in run(tool("exiftool"), "-a", "-s3", "-XML:Meta", path)


def test_only_the_package_document_changes_and_the_type_stays_first_and_stored() -> None:
    assert identify(BLANK, ".zip")[0] == "epub"
    written = labelled()
    assert changed(BLANK, written) == {OPF}
    assert keeps_packed_bytes(BLANK, epub.write(BLANK, ITEM), {OPF})
    first = zipfile.ZipFile(io.BytesIO(written)).infolist()[0]
    assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)


def test_the_prefix_is_declared_beside_the_others_and_once() -> None:
    root = etree.fromstring(members(labelled(labelled()))[OPF])
    prefix = root.get("prefix").split()
    assert prefix[0] == "ibooks:"
    assert prefix[2:] == ["TC260:", "http://www.tc260.org.cn/ns/AIGC/1.0/"]
    undeclared = members(BLANK)[OPF].split(b'prefix="')
    opf = undeclared[0] + undeclared[1].split(b'"', 1)[1]
    root = etree.fromstring(members(labelled(rezipped(BLANK, {OPF: opf})))[OPF])
    assert root.get("prefix") == "TC260: http://www.tc260.org.cn/ns/AIGC/1.0/"


def test_an_epub_2_gets_a_named_meta_and_no_prefix() -> None:
    written = members(labelled(OLD))[OPF]
    [meta] = etree.fromstring(written).xpath("//*[@name='TC260:AIGC']")
    assert meta.get("content") == ITEM
    assert b"tc260.org.cn" not in written
    assert [c.normative for c in epub.read(labelled(OLD))] == [True]


def test_other_spellings_are_read_and_become_one() -> None:
    metas = f"<meta name='AIGC' content='{ITEM}'/><meta property='x:aigc'>{ITEM}</meta></metadata>"
    data = rezipped(BLANK, {OPF: members(BLANK)[OPF].replace(b"</metadata>", metas.encode())})
    assert [(c.value, c.normative) for c in epub.read(data)] == [(ITEM, False), (ITEM, False)]
    assert [(c.value, c.normative) for c in epub.read(labelled(data))] == [(ITEM, True)]


@pytest.mark.parametrize(("place", "page", "number"), [("start", POEM, 0), ("end", WALDEN, -1)])
def test_the_notice_is_the_first_or_last_paragraph_of_the_pages_with_words(place: str, page: str, number: int) -> None:
    written = noticed(place)
    assert changed(BLANK, written) == {page}
    body = etree.fromstring(members(written)[page]).find("{http://www.w3.org/1999/xhtml}body")
    assert body[number].tag == "{http://www.w3.org/1999/xhtml}p"
    assert body[number].text == NOTICE
    lines = epub.text(written).splitlines()
    assert lines.pop(number) == NOTICE
    assert lines == epub.text(BLANK).splitlines()


def test_a_page_without_an_xml_declaration_is_still_xml() -> None:
    page = b'<html xmlns="http://www.w3.org/1999/xhtml"><head><script src="a.js"/><title/></head><body>x</body></html>'
    written = noticed("start", data=rezipped(BLANK, {POEM: page}))
    assert members(written)[POEM] == page.replace(b"<body>", f'<body><p class="aigc-notice">{NOTICE}</p>'.encode())


def test_a_corner_mark_is_superscript() -> None:
    written = noticed("end", "AI", "corner")
    assert epub.text(written).endswith("ᴬᴵ")


def test_text_is_the_main_reading_order_and_a_book_of_pictures_is_unread() -> None:
    assert epub.text(BLANK).splitlines()[0] == "静夜思"
    assert epub.text(BLANK).count("静夜思") == 1  # the navigation is outside the order
    assert epub.unread(BLANK) == ""
    blank = members(BLANK)[COVER]
    assert "OCR" in epub.unread(rezipped(BLANK, {POEM: blank, WALDEN: blank}))


def test_encrypted_pages_are_unread_and_get_no_notice() -> None:
    encryption = (
        b'<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        b'<CipherReference URI="OEBPS/text/%E8%AF%97.xhtml"/></encryption>'
    )
    data = rezipped(BLANK, {"META-INF/encryption.xml": encryption, POEM: b"\x00\x80\xff" * 40})
    assert "encrypted" in epub.unread(data)
    assert "Walden" in epub.text(data)
    with pytest.raises(Unsupported, match="before it is protected"):
        noticed("start", data=data)
    assert [c.normative for c in epub.read(labelled(data))] == [True]


@settings(max_examples=80, deadline=None)
@given(mutations(labelled()))
def test_damaged_files_raise_nothing_but_toolkit_errors(data: bytes) -> None:
    survives(epub, data, ITEM)
    _survives_notices(data)


@settings(max_examples=80, deadline=None)
@given(mutations(members(labelled())[OPF]), mutations(members(BLANK)[POEM]))
def test_damaged_parts_raise_nothing_but_toolkit_errors(package: bytes, page: bytes) -> None:
    data = rezipped(BLANK, {OPF: package})
    survives(epub, data, ITEM)
    _survives_notices(data)
    _survives_notices(rezipped(BLANK, {POEM: page}))


def _survives_notices(data: bytes) -> None:
    for act in (epub.text, epub.unread, lambda d: noticed("start", data=d), lambda d: noticed("end", data=d)):
        with contextlib.suppress(ToolkitError):
            act(data)
