"""Notices in texts as findings: found, absent where all could be read, unchecked where not."""

import io
from pathlib import Path

import pikepdf
import pytest

from detectors.explicit_text import detect
from labeler.asset import Asset
from labeler.notices.text import Notice, draw
from policies.terms import Mark, Status
from tests.conftest import sample

LINE = "本内容由人工智能生成"


@pytest.mark.parametrize("name", ["txt", "markdown", "html", "docx", "xlsx", "pptx", "odf", "epub", "pdf"])
def test_a_notice_is_found_with_its_facts_and_without_one_it_is_absent(name: str, tmp_path: Path) -> None:
    with Asset.open(sample(name)) as blank:
        [finding] = detect(blank)
        assert finding.status is Status.ABSENT
        assert "interface around it is out of a file's reach" in finding.detail
        with draw(blank, Notice(LINE, "end"), tmp_path).asset as written:
            [finding] = detect(written)
    assert (finding.mark, finding.status) == (Mark.EXPLICIT, Status.FOUND)
    assert finding.measured == {"text": LINE, "place": "end", "form": "line"}


def test_a_scanned_page_is_unchecked_with_the_reason() -> None:
    out = io.BytesIO()
    with pikepdf.new() as document:
        page = document.add_blank_page()
        image = document.make_stream(
            b"\0", Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image, Width=1, Height=1, BitsPerComponent=8,
            ColorSpace=pikepdf.Name.DeviceGray,
        )  # fmt: skip
        page.obj["/Resources"] = pikepdf.Dictionary(XObject=pikepdf.Dictionary(P=image))
        page.Contents = document.make_stream(b"/P Do")
        document.save(out)
    [finding] = detect(Asset.open(out.getvalue(), "scan.pdf"))
    assert finding.status is Status.UNCHECKED
    assert "OCR" in finding.detail


def test_a_damaged_document_is_unchecked_not_absent() -> None:
    [finding] = detect(Asset.open(sample("docx").read_bytes()[:-100], "a.docx"))
    assert finding.status is Status.UNCHECKED


def test_other_media_are_none_of_its_business() -> None:
    with Asset.open(sample("png")) as picture:
        assert list(detect(picture)) == []
