"""Incremental updates that qpdf, Poppler and ExifTool read: the item, and a notice whose words can be extracted."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from hypothesis import given, settings

from labeler.containers import Span, pdf, render
from labeler.metadata import encode
from policies.errors import BadInput, ToolkitError, Unsupported
from policies.terms import AigcLabel
from tests.conftest import LABEL, run, sample, tool
from tests.labeler.containers.hostile import mutations, survives

ITEM = encode(LABEL)
NOTICE = "本内容由人工智能生成"
BLANK = sample("pdf").read_bytes()
OBJECT_STREAMS = pikepdf.ObjectStreamMode.generate


def labelled(data: bytes, item: str = ITEM) -> bytes:
    return render(data, pdf.write(data, item))


def noticed(data: bytes, place: str = "start", form: str = "line", notice: str = NOTICE) -> bytes:
    return render(data, pdf.insert(data, notice, place, form))


def resaved(change: Callable[[pikepdf.Pdf], object] = lambda _: None, **options: Any) -> bytes:
    """The sample, changed and saved by qpdf."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(BLANK)) as document:
        change(document)
        document.save(out, **options)
    return out.getvalue()


def extracted(data: bytes, folder: Path, *options: str) -> str:
    path = folder / "out.pdf"
    path.write_bytes(data)
    run(tool("qpdf"), "--check", path)
    return run(tool("pdftotext"), *options, path, "-")


@pytest.fixture(params=["table", "streams", "linearized", "linearized streams"])
def variant(request: pytest.FixtureRequest) -> bytes:
    """The sample with each kind of cross-reference."""
    options: dict[str, Any] = {
        "table": {},
        "streams": {"object_stream_mode": OBJECT_STREAMS},
        "linearized": {"linearize": True},
        "linearized streams": {"linearize": True, "object_stream_mode": OBJECT_STREAMS},
    }[request.param]
    return resaved(**options)


def test_the_original_is_a_prefix_and_other_tools_see_the_item(variant: bytes, tmp_path: Path) -> None:
    pieces = pdf.write(variant, ITEM)
    assert pieces[0] == Span(0, len(variant))
    path = tmp_path / "labelled.pdf"
    path.write_bytes(render(variant, pieces))
    run(tool("qpdf"), "--check", path)
    shown = run(tool("pdfinfo"), "-custom", path)
    assert f"AIGC:            {ITEM}" in shown
    assert "Henry David Thoreau" in shown
    assert run(tool("exiftool"), "-s3", "-PDF:AIGC", path).strip() == ITEM


def test_writing_again_changes_nothing_and_another_item_replaces_it(variant: bytes, tmp_path: Path) -> None:
    once = labelled(variant)
    assert labelled(once) == once
    other = encode(LABEL.with_produce_id("another"))
    assert [c.value for c in pdf.read(labelled(once, other))] == [other]
    extracted(labelled(once, other), tmp_path)


def test_a_file_without_an_information_dictionary_gets_one(tmp_path: Path) -> None:
    def drop(document: pikepdf.Pdf) -> None:
        del document.trailer["/Info"]

    written = labelled(resaved(drop))
    assert [c.value for c in pdf.read(written)] == [ITEM]
    extracted(written, tmp_path)


def test_awkward_characters_survive() -> None:
    for item in (encode(AigcLabel.produced("(a)(", ")%")), '{"Label":"生成"}'):
        with pikepdf.open(io.BytesIO(labelled(BLANK, item))) as document:
            assert str(document.docinfo["/AIGC"]) == item


def test_a_copy_in_xmp_is_read_and_moves_to_the_slot(tmp_path: Path) -> None:
    def put(document: pikepdf.Pdf) -> None:
        packet = (
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            '<rdf:Description rdf:about="" xmlns:dc="urn:dc" xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/">'
            f"<dc:kept>yes</dc:kept><TC260:AIGC>{ITEM}</TC260:AIGC></rdf:Description></rdf:RDF></x:xmpmeta>"
        )
        document.Root["/Metadata"] = document.make_stream(packet.encode(), Type=pikepdf.Name.Metadata)

    data = resaved(put, compress_streams=True)
    [copy] = pdf.read(data)
    assert not copy.normative
    written = labelled(data)
    assert [(c.value, c.normative) for c in pdf.read(written)] == [(ITEM, True)]
    with pikepdf.open(io.BytesIO(written)) as document:
        assert b"<dc:kept>yes</dc:kept>" in document.Root["/Metadata"].read_bytes()
    extracted(written, tmp_path)


def test_words_before_the_header_do_not_shift_the_offsets(tmp_path: Path) -> None:
    data = b"junk\n" + BLANK
    assert pdf.sniff(data, "")
    assert NOTICE in extracted(noticed(labelled(data)), tmp_path)


def test_encrypted_files_are_refused_with_the_remedy() -> None:
    locked = resaved(encryption=pikepdf.Encryption(owner="o", user="u"))
    for act in (pdf.read, pdf.text, labelled, noticed):
        with pytest.raises(Unsupported, match=r"password.*qpdf --decrypt"):
            act(locked)
    restricted = resaved(encryption=pikepdf.Encryption(owner="o", user=""))
    assert pdf.read(restricted) == []
    with pytest.raises(Unsupported, match=r"encrypted.*qpdf --decrypt"):
        labelled(restricted)


def test_damaged_files_are_refused() -> None:
    for damaged in (BLANK[: len(BLANK) // 2], BLANK.replace(b"startxref\n", b"startxref\n9")):
        with pytest.raises(BadInput, match="damaged"):
            pdf.read(damaged)


@pytest.mark.parametrize("notice", [NOTICE, "This content is AI-generated", "本内容由人工智能生成 (AI-generated)"])
def test_a_notice_is_the_first_line_that_poppler_extracts(variant: bytes, notice: str, tmp_path: Path) -> None:
    written = noticed(variant, notice=notice)
    assert written.startswith(variant)
    assert extracted(written, tmp_path).splitlines()[0] == notice
    assert pdf.text(written).splitlines()[0] == notice
    assert run(tool("pdffonts"), tmp_path / "out.pdf").count("BIAOSH+BiaoshiNotice") == 1


def test_a_notice_at_the_end_stands_on_the_last_page(tmp_path: Path) -> None:
    written = noticed(BLANK, "end")
    assert extracted(written, tmp_path).strip().endswith(NOTICE)
    assert NOTICE not in extracted(written, tmp_path, "-l", "1")
    assert pdf.text(written).splitlines()[-1] == NOTICE


def test_both_places_of_a_single_page_and_the_label_go_together(tmp_path: Path) -> None:
    def one_page(document: pikepdf.Pdf) -> None:
        del document.pages[1:]

    written = noticed(noticed(labelled(resaved(one_page))), "end")
    lines = extracted(written, tmp_path).split("\n")
    assert [line for line in lines if line == NOTICE] == [NOTICE] * 2
    assert [c.value for c in pdf.read(written)] == [ITEM]


@pytest.mark.parametrize("turn", [0, 90, 180, 270, -90])
def test_turned_and_cropped_pages_show_the_notice_upright_at_their_top(turn: int, tmp_path: Path) -> None:
    def shape(document: pikepdf.Pdf) -> None:
        page = document.pages[0].obj
        page["/MediaBox"], page["/CropBox"], page["/Rotate"] = [-50, -20, 700, 900], [10, 20, 310, 420], turn

    written = noticed(resaved(shape))
    assert pdf.text(written).splitlines()[0] == NOTICE
    boxes = extracted(written, tmp_path, "-bbox", "-cropbox", "-f", "1", "-l", "1")
    [line] = [line for line in boxes.splitlines() if NOTICE in line]
    left, top, right, bottom = (float(part) for part in line.split('"')[1::2])
    # An upright line of words is wider than high and stands in the displayed page's upper left corner.
    assert 10 < left < right < 300
    assert 10 < top < bottom < 45
    assert right - left > 3 * (bottom - top)


def test_a_page_that_leaves_its_state_changed_does_not_move_the_notice(tmp_path: Path) -> None:
    def spoil(document: pikepdf.Pdf) -> None:
        page = document.pages[0]
        content = page.Contents.read_bytes()
        page.Contents = document.make_stream(b"q q 0 0.1 -0.1 0 300 300 cm 1 0 0 rg " + content)

    boxes = extracted(noticed(resaved(spoil)), tmp_path, "-bbox", "-l", "1")
    [line] = [line for line in boxes.splitlines() if NOTICE in line]
    assert float(line.split('"')[1]) == pytest.approx(18, abs=1)


def test_a_shared_resource_dictionary_does_not_put_the_notice_on_other_pages(tmp_path: Path) -> None:
    def share(document: pikepdf.Pdf) -> None:
        shared = document.make_indirect(document.pages[0].obj["/Resources"])
        for page in document.pages:
            del page.obj["/Resources"]
        document.Root.Pages["/Resources"] = shared

    written = noticed(resaved(share))
    assert extracted(written, tmp_path).count(NOTICE) == 1
    with pikepdf.open(io.BytesIO(written)) as document:
        assert "/XObject" not in document.pages[1].obj["/Resources"]


def test_what_a_page_inherits_stays_its_own(tmp_path: Path) -> None:
    """qpdf hands inherited values down as new objects, which an update must not refer to without having them."""
    parts = (
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 300 400] /Rotate 90 >>",
        "<< /Type /Page /Parent 2 0 R >>",
    )
    data, offsets = b"%PDF-1.4\n", b""
    for number, part in enumerate(parts, 1):
        offsets += b"%010d 00000 n \n" % len(data)
        data += f"{number} 0 obj\n{part}\nendobj\n".encode()
    end = b"trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(data)
    data += b"xref\n0 4\n0000000000 65535 f \n" + offsets + end
    assert NOTICE in extracted(noticed(data), tmp_path)
    with pikepdf.open(tmp_path / "out.pdf") as document:
        assert [float(n) for n in document.pages[0].mediabox] == [0, 0, 300, 400]
    assert b"/MediaBox" not in (tmp_path / "out.pdf").read_bytes()[len(data) :]


def test_a_notice_that_cannot_be_set_is_refused() -> None:
    with pytest.raises(BadInput, match="no ก"):
        noticed(BLANK, notice="ก AI生成")

    def narrow(document: pikepdf.Pdf) -> None:
        document.pages[0].obj["/MediaBox"] = [0, 0, 40, 40]

    with pytest.raises(BadInput, match="shorter"):
        noticed(resaved(narrow))


def test_a_corner_mark_is_told_from_words_that_say_ai() -> None:
    assert pdf.text(noticed(BLANK, "end", "corner", "AI")).splitlines()[-1] == "ᴬᴵ"
    assert "ᴬᴵ" not in pdf.text(noticed(BLANK, "end", "line", "AI"))


def test_words_in_a_font_without_meanings_are_reported_as_unread() -> None:
    def forget(document: pikepdf.Pdf) -> None:
        for thing in document.objects:
            if isinstance(thing, pikepdf.Dictionary) and "/ToUnicode" in thing:
                del thing["/ToUnicode"]

    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(noticed(BLANK))) as document:
        forget(document)
        document.save(out)
    assert NOTICE not in pdf.text(out.getvalue())
    assert "page 1: a font does not say" in pdf.unread(out.getvalue())
    assert pdf.unread(BLANK) == ""


def test_a_scan_is_reported_as_unread() -> None:
    def scan(document: pikepdf.Pdf) -> None:
        picture = document.make_stream(
            bytes(4), Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image, Width=2, Height=2, BitsPerComponent=8,
            ColorSpace=pikepdf.Name.DeviceGray,
        )  # fmt: skip
        del document.pages[1:]
        document.pages[0].obj["/Resources"] = pikepdf.Dictionary(XObject=pikepdf.Dictionary(P=picture))
        document.pages[0].Contents = document.make_stream(b"q 300 0 0 300 0 0 cm /P Do Q")

    assert "OCR" in pdf.unread(resaved(scan))


def test_gb_encodings_without_a_unicode_map_are_read() -> None:
    def set_in_gbk(document: pikepdf.Pdf) -> None:
        inner = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.CIDFontType0, BaseFont="/STSong-Light")
        outer = pikepdf.Dictionary(
            Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type0, Encoding=pikepdf.Name("/GBK-EUC-H"),
            DescendantFonts=[document.make_indirect(inner)],
        )  # fmt: skip
        document.pages[0].obj["/Resources"] = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=outer))
        codes = NOTICE.encode("gb18030").hex()
        document.pages[0].Contents = document.make_stream(f"BT /F 12 Tf 72 700 Td <{codes}> Tj ET".encode())

    assert pdf.text(resaved(set_in_gbk)).splitlines()[0] == NOTICE


@settings(max_examples=150, deadline=None)
@given(mutations(noticed(labelled(BLANK))))
def test_damaged_files_raise_nothing_but_toolkit_errors(data: bytes) -> None:
    survives(pdf, data, ITEM)
    for act in (pdf.text, pdf.unread, lambda d: pdf.insert(d, "AI生成", "end")):
        with contextlib.suppress(ToolkitError):
            act(data)


@settings(max_examples=60, deadline=None)
@given(mutations(labelled(resaved(object_stream_mode=OBJECT_STREAMS))))
def test_damaged_object_streams_raise_nothing_but_toolkit_errors(data: bytes) -> None:
    survives(pdf, data, ITEM)
