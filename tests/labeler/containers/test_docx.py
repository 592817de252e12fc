"""The item as a custom property of a Word file, and a notice as a paragraph, seen by python-docx and ExifTool."""

import contextlib
import io
import re
import struct
import zipfile
from pathlib import Path

import docx as python_docx
import pytest
from hypothesis import given, settings
from lxml import etree

from labeler.containers import Span, docx, identify, render
from labeler.containers._zip import MAX_PART, Archive
from labeler.metadata import decode, encode
from policies.errors import BadInput, ToolkitError, Unsupported
from policies.terms import AigcLabel
from tests.conftest import LABEL, run, sample, tool
from tests.labeler.containers.hostile import mutations, survives
from tests.labeler.containers.zips import members, rezipped

ITEM = encode(LABEL)
NOTICE = "本内容由人工智能生成"
BLANK = sample("docx").read_bytes()
PROPERTIES = "http://schemas.openxmlformats.org/officeDocument/2006/custom-properties"


def labelled(data: bytes, item: str = ITEM) -> bytes:
    return render(data, docx.write(data, item))


def test_python_docx_opens_the_result_and_the_property_is_related_and_typed() -> None:
    package = python_docx.Document(io.BytesIO(labelled(BLANK))).part.package
    [part] = [r.target_part for r in package.rels.values() if r.reltype.endswith("/custom-properties")]
    assert part.partname == "/docProps/custom.xml"
    assert part.content_type.endswith("custom-properties+xml")
    root = etree.fromstring(part.blob)
    [found] = root.findall(f"{{{PROPERTIES}}}property")
    assert found.get("name") == "AIGC"
    assert found.get("pid") == "2"
    assert found[0].tag.endswith("docPropsVTypes}lpwstr")
    assert found[0].text == ITEM


def test_exiftool_shows_the_item(tmp_path: Path) -> None:
    path = tmp_path / "labelled.docx"
    path.write_bytes(labelled(BLANK))
    assert run(tool("exiftool"), "-s3", "-XML:AIGC", path).strip() == ITEM


def test_every_other_member_keeps_its_packed_bytes() -> None:
    before, after = members(BLANK), members(labelled(BLANK))
    added = {"[Content_Types].xml", "_rels/.rels", "docProps/custom.xml"}
    assert {name: content for name, content in after.items() if name not in added} == {
        name: content for name, content in before.items() if name not in added
    }
    spans = b"".join(BLANK[p.start : p.stop] for p in docx.write(BLANK, ITEM) if isinstance(p, Span))
    for info in zipfile.ZipFile(io.BytesIO(BLANK)).infolist():
        if info.filename not in added:
            start = info.header_offset
            assert BLANK[start : start + 30 + len(info.filename) + info.compress_size] in spans


def test_other_properties_stay_and_theirs_are_the_numbers_not_taken() -> None:
    custom = (
        f'<?xml version="1.0"?><p:Properties xmlns:p="{PROPERTIES}" xmlns:t="urn:t">'
        '<p:property fmtid="{x}" pid="2" name="Client"><t:lpwstr>a &amp; b</t:lpwstr></p:property></p:Properties>'
    ).encode()
    data = rezipped(labelled(BLANK), {"docProps/custom.xml": custom})
    written = members(labelled(data))["docProps/custom.xml"]
    assert written.startswith(custom.removesuffix(b"</p:Properties>"))
    assert [p.get("pid") for p in etree.fromstring(written)] == ["2", "3"]
    [copy] = docx.read(labelled(data))
    assert copy.normative


def test_an_empty_part_and_awkward_characters() -> None:
    item = encode(AigcLabel.produced("a<b>&'c", "]]>"))
    data = rezipped(labelled(BLANK), {"docProps/custom.xml": f'<Properties xmlns="{PROPERTIES}"/>'.encode()})
    [copy] = docx.read(labelled(data, item))
    assert copy.value == item


def test_a_label_in_a_custom_xml_part_is_read_and_moves_to_the_property() -> None:
    part = f"<aigc>{ITEM}</aigc>".encode()
    relation = (
        b'<Relationship Id="rId77" Type="urn:x/customXml" Target="../customXml/aigcMetadata1.xml"/></Relationships>'
    )
    rels = members(BLANK)["word/_rels/document.xml.rels"].replace(b"</Relationships>", relation)
    data = rezipped(BLANK, {"customXml/aigcMetadata1.xml": part, "word/_rels/document.xml.rels": rels})
    [copy] = docx.read(data)
    assert not copy.normative
    assert decode(copy.value).label == LABEL
    written = labelled(data)
    assert [c.normative for c in docx.read(written)] == [True]
    assert "customXml/aigcMetadata1.xml" not in members(written)
    assert b"rId77" not in members(written)["word/_rels/document.xml.rels"]
    python_docx.Document(io.BytesIO(written))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_streamed_and_zip64_archives_are_labelled(method: int) -> None:
    class Pipe(io.RawIOBase):
        """A file that cannot seek, so that zipfile writes data descriptors."""

        def __init__(self) -> None:
            self.content = b""

        def writable(self) -> bool:
            return True

        def write(self, chunk: bytes) -> int:  # type: ignore[override]
            self.content += bytes(chunk)
            return len(chunk)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", method) as target:
        for name, content in members(BLANK).items():
            with target.open(name, "w", force_zip64=True) as file:
                file.write(content)
    written = labelled(pipe.content)
    assert [c.value for c in docx.read(written)] == [ITEM]
    assert members(written)["word/document.xml"] == members(BLANK)["word/document.xml"]


def test_a_zip64_directory_keeps_its_wide_offsets() -> None:
    """As archives beyond 4 GiB have them: a directory entry whose offset stands in the extra field."""
    archive = Archive(BLANK)
    table, end = b"", BLANK.rfind(b"PK\5\6")
    for member in archive.members:
        name_size = struct.unpack_from("<H", member.record, 28)[0]
        extra = struct.pack("<HHQ", 1, 8, member.start)
        fixed = member.record[:30] + struct.pack("<H", len(extra)) + member.record[32:42] + b"\xff" * 4
        table += fixed + member.record[46 : 46 + name_size] + extra
    start = struct.unpack_from("<I", BLANK, end + 16)[0]
    counts = BLANK[end + 8 : end + 12]
    wide = BLANK[:start] + table + b"PK\5\6\0\0\0\0" + counts + struct.pack("<IIH", len(table), start, 0)
    assert members(wide) == members(BLANK)
    written = labelled(wide)
    assert members(written)["word/document.xml"] == members(BLANK)["word/document.xml"]
    assert [c.value for c in docx.read(written)] == [ITEM]


def test_encrypted_doubled_and_bloated_archives_are_refused_with_the_reason() -> None:
    directory = BLANK.rfind(b"_rels/.rels") - 46
    encrypted = BLANK[: directory + 8] + b"\1" + BLANK[directory + 9 :]
    with pytest.raises(Unsupported, match="without a password"):
        docx.read(encrypted)
    doubled = BLANK.replace(b"docProps/core.xml", b"word/settings.xml")
    with pytest.raises(BadInput, match="same name"):
        docx.read(doubled)
    bomb = rezipped(BLANK, {"_rels/.rels": b" " * (MAX_PART + 1)})
    assert len(bomb) < 1 << 20
    with pytest.raises(BadInput, match="over"):
        docx.read(bomb)


def test_a_size_that_lies_about_a_bomb_does_not_help_it() -> None:
    bomb = bytearray(rezipped(BLANK, {"_rels/.rels": b" " * (MAX_PART + 1)}))
    at = bomb.rfind(b"_rels/.rels") - 46 + 24
    bomb[at : at + 4] = struct.pack("<I", 100)
    with pytest.raises(BadInput, match="inflates to over"):
        docx.read(bytes(bomb))


def test_entities_are_refused() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><Relationships>&a;</Relationships>'
    with pytest.raises(BadInput, match="document type"):
        docx.read(rezipped(BLANK, {"_rels/.rels": bomb}))


def test_a_protected_document_is_told_by_its_suffix_and_the_remedy_is_named() -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512
    assert identify(ole, ".docx")[0] == "docx"
    with pytest.raises(Unsupported, match="save it unprotected"):
        docx.read(ole)


def test_another_office_file_is_not_a_word_document() -> None:
    parts = {name.replace("word/", "xl/"): content for name, content in members(BLANK).items()}
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w"):
        pass
    assert not docx.sniff(rezipped(empty.getvalue(), parts), ".docx")


@pytest.mark.parametrize(("place", "number"), [("start", 0), ("end", -1)])
def test_python_docx_sees_the_notice_as_first_or_last_paragraph(place: str, number: int) -> None:
    data = labelled(BLANK)
    written = python_docx.Document(io.BytesIO(render(data, docx.insert(data, NOTICE, place))))
    texts = [p.text for p in written.paragraphs]
    before = [p.text for p in python_docx.Document(io.BytesIO(BLANK)).paragraphs]
    assert texts[number] == NOTICE
    assert (texts[1:] if place == "start" else texts[:-1]) == before
    assert len(written.sections) == len(python_docx.Document(io.BytesIO(BLANK)).sections)


def test_only_one_place_of_the_document_part_changes() -> None:
    before = members(BLANK)["word/document.xml"]
    after = members(render(BLANK, docx.insert(BLANK, NOTICE, "start")))["word/document.xml"]
    assert re.sub(rb'<w:p xmlns:w="[^"]*"><w:r><w:t xml:space="preserve">[^<]*</w:t></w:r></w:p>', b"", after) == before


def test_a_corner_mark_is_superscript() -> None:
    written = render(BLANK, docx.insert(BLANK, "AI", "end", "corner"))
    last = python_docx.Document(io.BytesIO(written)).paragraphs[-1]
    assert last.runs[0].font.superscript
    assert docx.text(written).endswith("ᴬᴵ")


def test_text_leaves_out_what_does_not_show_and_margins_give_headers(tmp_path: Path) -> None:
    document = python_docx.Document()
    document.add_paragraph("shown").add_run(" hidden").font.hidden = True
    document.sections[0].header.paragraphs[0].text = NOTICE
    document.save(str(tmp_path / "a.docx"))
    data = (tmp_path / "a.docx").read_bytes()
    assert docx.text(data) == "shown"
    assert docx.margins(data) == {"start": NOTICE, "end": ""}


@settings(max_examples=150, deadline=None)
@given(mutations(labelled(BLANK)))
def test_damaged_files_raise_nothing_but_toolkit_errors(data: bytes) -> None:
    survives(docx, data, ITEM)
    for act in (docx.text, docx.margins, lambda d: docx.insert(d, NOTICE, "end")):
        with contextlib.suppress(ToolkitError):
            act(data)


@settings(max_examples=100, deadline=None)
@given(mutations(members(labelled(BLANK))["docProps/custom.xml"]))
def test_damaged_parts_raise_nothing_but_toolkit_errors(part: bytes) -> None:
    survives(docx, rezipped(labelled(BLANK), {"docProps/custom.xml": part}), ITEM)
