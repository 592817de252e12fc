"""The item as a user-defined field of OpenDocument files, and a notice as paragraph, sheet or box, seen by lxml."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from lxml import etree

from labeler.containers import identify, odf, render
from labeler.metadata import encode
from policies.errors import ToolkitError, Unsupported
from tests.conftest import LABEL, SAMPLES, run, sample, tool
from tests.labeler.containers.hostile import mutations, survives
from tests.labeler.containers.zips import changed, keeps_packed_bytes, members, rezipped

ITEM = encode(LABEL)
NOTICE = "本内容由人工智能生成"
BLANK = sample("odf").read_bytes()
SHEETS = (SAMPLES / "odf" / "workbook.ods").read_bytes()
SLIDES = (SAMPLES / "odf" / "slides.odp").read_bytes()
every = pytest.mark.parametrize("data", [BLANK, SHEETS, SLIDES], ids=["odt", "ods", "odp"])
places = pytest.mark.parametrize("place", ["start", "end"])


def noticed(place: str, notice: str = NOTICE, form: str = "line", data: bytes = BLANK) -> bytes:
    return render(data, odf.insert(data, notice, place, form))


def content(data: bytes) -> etree._Element:
    return etree.fromstring(members(data)["content.xml"])


def children(data: bytes) -> list[etree._Element]:
    """What stands in the body's text, spreadsheet or presentation."""
    return list(content(data).xpath("/*/*[local-name()='body']/*/*"))


def local(element: etree._Element) -> str:
    return etree.QName(element).localname


@every
def test_only_meta_xml_changes_and_the_type_stays_first_and_stored(data: bytes) -> None:
    assert identify(data, ".wrong")[0] == "odf"
    written = render(data, odf.write(data, ITEM))
    assert changed(data, written) == {"meta.xml"}
    assert keeps_packed_bytes(data, odf.write(data, ITEM), {"meta.xml"})
    assert written[26:].startswith(data[26:100])
    [field] = etree.fromstring(members(written)["meta.xml"]).xpath("//*[@*[local-name()='name']='AIGC']")
    assert field.text == ITEM
    assert [(c.value, c.normative) for c in odf.read(written)] == [(ITEM, True)]


def test_exiftool_shows_the_item_beside_the_other_fields(tmp_path: Path) -> None:
    path = tmp_path / "labelled.odt"
    path.write_bytes(render(BLANK, odf.write(BLANK, ITEM)))
    shown = run(tool("exiftool"), "-a", "-s3", "-User-definedName", "-User-defined", path).splitlines()
    assert shown == ["Client", "AIGC", "a & b", ITEM]


def test_a_document_without_meta_xml_gets_one_and_it_is_in_the_manifest() -> None:
    parts = {name: part for name, part in members(BLANK).items() if name != "meta.xml"}
    manifest = parts["META-INF/manifest.xml"]
    entry = b'<manifest:file-entry manifest:full-path="meta.xml" manifest:media-type="text/xml"/>'
    assert entry in manifest
    bare = BLANK.replace(b"meta.xml", b"mine.xml")
    bare = rezipped(bare, {"META-INF/manifest.xml": manifest.replace(entry, b"")})
    written = render(bare, odf.write(bare, ITEM))
    assert [c.value for c in odf.read(written)] == [ITEM]
    assert b'full-path="meta.xml"' in members(written)["META-INF/manifest.xml"]


def test_copies_under_other_spellings_are_read_and_become_one() -> None:
    meta = members(BLANK)["meta.xml"]
    field = b'<meta:user-defined meta:name="%s">%s</meta:user-defined>'
    item = ITEM.encode()
    meta = meta.replace(b"</office:meta>", field % (b"aigc", item) + field % (b"AIGC", item) + b"</office:meta>")
    data = rezipped(BLANK, {"meta.xml": meta})
    assert [c.normative for c in odf.read(data)] == [False, True]
    assert [c.normative for c in odf.read(render(data, odf.write(data, ITEM)))] == [True]


def test_encrypted_documents_are_refused_with_the_remedy() -> None:
    manifest = members(BLANK)["META-INF/manifest.xml"].replace(b"/>", b"><manifest:encryption-data/>", 1)
    with pytest.raises(Unsupported, match="without a password"):
        odf.read(rezipped(BLANK, {"META-INF/manifest.xml": manifest}))


@every
@places
def test_a_notice_changes_the_content_alone_and_is_the_first_or_last_line(data: bytes, place: str) -> None:
    written = noticed(place, data=data)
    assert changed(data, written) == {"content.xml"}
    lines, before = odf.text(written).splitlines(), odf.text(data).splitlines()
    assert lines == ([NOTICE, *before] if place == "start" else [*before, NOTICE])


def test_the_first_paragraph_stands_behind_the_declarations() -> None:
    assert [local(e) for e in children(noticed("start"))][:3] == ["sequence-decls", "p", "h"]
    assert [local(e) for e in children(noticed("end"))][-1] == "p"


def test_a_workbook_gets_a_sheet_before_or_behind_its_own() -> None:
    assert [local(e) for e in children(noticed("end", data=SHEETS))] == ["table"] * 3 + ["named-expressions"]
    first = children(noticed("start", data=SHEETS))[0]
    assert NOTICE in first.attrib.values()
    assert "".join(first.itertext()) == NOTICE


@places
def test_a_slide_gets_a_box_at_its_edge_before_the_speakers_notes(place: str) -> None:
    pages = children(noticed(place, data=SLIDES))
    page = pages[0 if place == "start" else -1]
    assert [local(e) for e in page] == ["frame", "frame", "frame", "notes"]
    at = {etree.QName(k).localname: float(v.removesuffix("pt")) for k, v in page[2].attrib.items() if v.endswith("pt")}
    width, height = 28 / 2.54 * 72, 15.75 / 2.54 * 72
    assert 0 < at["x"] < at["x"] + at["width"] < width
    assert 0 < at["y"] < at["y"] + at["height"] < height
    assert (at["y"] < 0.1 * height) == (place == "start")


@every
@places
def test_a_corner_mark_is_superscript_by_a_style_that_is_declared_once(data: bytes, place: str) -> None:
    twice = noticed(place, "AI", "corner", data=noticed("end", "AI", "corner", data=data))
    assert odf.text(twice).count("ᴬᴵ") == 2
    used = {span.attrib.values()[0] for span in content(twice).xpath("//*[local-name()='span']")}
    styles = content(twice).xpath("/*/*[local-name()='automatic-styles']/*/@*[local-name()='name']")
    assert used <= set(styles)
    assert len(set(styles)) == len(styles)


def test_text_leaves_comments_and_notes_out_and_margins_give_headers() -> None:
    assert "a comment" not in odf.text(BLANK)
    assert "to be said" not in odf.text(SLIDES)
    assert odf.margins(BLANK) == {"start": "床前明月光", "end": ""}


@settings(max_examples=80, deadline=None)
@given(mutations(render(BLANK, odf.write(BLANK, ITEM))))
def test_damaged_files_raise_nothing_but_toolkit_errors(data: bytes) -> None:
    survives(odf, data, ITEM)
    _survives_notices(data)


@settings(max_examples=80, deadline=None)
@given(
    mutations(members(BLANK)["content.xml"]),
    mutations(members(SLIDES)["content.xml"]),
    mutations(members(SLIDES)["styles.xml"]),
)
def test_damaged_parts_raise_nothing_but_toolkit_errors(text: bytes, slides: bytes, styles: bytes) -> None:
    _survives_notices(rezipped(BLANK, {"content.xml": text}))
    _survives_notices(rezipped(SLIDES, {"content.xml": slides}))
    _survives_notices(rezipped(SLIDES, {"styles.xml": styles}))


@settings(max_examples=80, deadline=None)
@given(mutations(members(render(BLANK, odf.write(BLANK, ITEM)))["meta.xml"]))
def test_damaged_metadata_raises_nothing_but_toolkit_errors(meta: bytes) -> None:
    survives(odf, rezipped(BLANK, {"meta.xml": meta}), ITEM)


def _survives_notices(data: bytes) -> None:
    for act in (odf.text, odf.margins, lambda d: noticed("start", "AI", "corner", d), lambda d: noticed("end", data=d)):
        with contextlib.suppress(ToolkitError):
            act(data)
