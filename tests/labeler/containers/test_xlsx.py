"""The item as a custom property of a workbook, and a notice as a sheet, seen by openpyxl and ExifTool."""

import contextlib
import io
import re
import warnings
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings

from labeler.containers import render, xlsx
from labeler.metadata import encode
from policies.errors import BadInput, ToolkitError, Unsupported
from tests.conftest import LABEL, run, sample, tool
from tests.labeler.containers.hostile import mutations, survives
from tests.labeler.containers.zips import changed, keeps_packed_bytes, members, rezipped

ITEM = encode(LABEL)
NOTICE = "本内容由人工智能生成"
BLANK = sample("xlsx").read_bytes()


def noticed(place: str, notice: str = NOTICE, form: str = "line", data: bytes = BLANK) -> bytes:
    return render(data, xlsx.insert(data, notice, place, form))


def opened(data: bytes) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(data), rich_text=True)


def cells(data: bytes) -> dict[str, list[list[object]]]:
    return {sheet.title: [[c.value for c in row] for row in sheet.iter_rows()] for sheet in opened(data)}


def test_openpyxl_shows_the_item_as_a_custom_property_and_the_cells_as_they_were() -> None:
    written = render(BLANK, xlsx.write(BLANK, ITEM))
    assert opened(written).custom_doc_props["AIGC"].value == ITEM
    assert cells(written) == cells(BLANK)


def test_exiftool_shows_the_item(tmp_path: Path) -> None:
    path = tmp_path / "labelled.xlsx"
    path.write_bytes(render(BLANK, xlsx.write(BLANK, ITEM)))
    assert run(tool("exiftool"), "-s3", "-XML:AIGC", path).strip() == ITEM


@pytest.mark.parametrize(("place", "number"), [("start", 0), ("end", -1)])
def test_openpyxl_sees_the_notice_on_a_sheet_and_its_tab_and_all_others_as_they_were(place: str, number: int) -> None:
    book = opened(noticed(place))
    assert book.worksheets[number].title == NOTICE
    assert book.worksheets[number]["A1"].value == NOTICE
    others = cells(noticed(place))
    assert others.pop(NOTICE) == [[NOTICE]]
    assert others == cells(BLANK)
    lines = xlsx.text(noticed(place)).splitlines()
    assert lines[number] == NOTICE


@pytest.mark.parametrize("place", ["start", "end"])
def test_what_counts_sheets_still_means_the_same_ones(place: str) -> None:
    before, after = opened(BLANK), opened(noticed(place))
    assert after.active.title == before.active.title == "Walden"
    assert {s.title: s.print_area for s in after if s.title != NOTICE} == {s.title: s.print_area for s in before}
    assert [s.title for s in after if s.sheet_view.tabSelected] == ["Walden"]


def test_no_sheet_and_no_string_is_rewritten() -> None:
    added = {"[Content_Types].xml", "xl/_rels/workbook.xml.rels", "xl/workbook.xml", "xl/worksheets/aigc1.xml"}
    assert changed(BLANK, noticed("start")) == added
    assert keeps_packed_bytes(BLANK, xlsx.insert(BLANK, NOTICE, "start"), added)


def test_a_view_that_names_no_active_sheet_keeps_showing_the_first_of_the_users() -> None:
    book = members(BLANK)["xl/workbook.xml"].replace(b' activeTab="1"', b"")
    written = noticed("start", data=rezipped(BLANK, {"xl/workbook.xml": book}))
    assert opened(written).active.title == "诗"


def test_notices_at_both_ends_have_tabs_of_their_own() -> None:
    both = noticed("end", data=noticed("start"))
    assert opened(both).sheetnames == [NOTICE, "诗", "Walden", "故乡", f"{NOTICE} (2)"]


@pytest.mark.parametrize(
    ("notice", "tab"),
    [("AI: [a/b]", "AI   a b"), ("本内容由人工智能生成" * 4, "AI生成"), ("This is 'AI'", "This is 'AI")],
)
def test_a_tab_has_a_name_that_excel_takes(notice: str, tab: str) -> None:
    with warnings.catch_warnings(action="error"):
        book = opened(noticed("end", notice))
    assert book.sheetnames[-1] == tab
    assert book.worksheets[-1]["A1"].value == notice


def test_a_corner_mark_is_superscript() -> None:
    written = noticed("end", "AI", "corner")
    [run_] = opened(written).worksheets[-1]["A1"].value
    assert run_.font.vertAlign == "superscript"
    assert xlsx.text(written).endswith("ᴬᴵ")


def test_text_is_the_strings_of_the_sheets_that_show() -> None:
    lines = xlsx.text(BLANK).splitlines()
    assert lines[:2] == ["静夜思", "李白"]  # the first is rich text in two runs
    assert lines[-1] == "静夜思1854"  # what a formula came to
    assert "希望" not in xlsx.text(BLANK)  # on the hidden sheet
    assert xlsx.unread(BLANK) == ""


def test_a_long_string_named_many_times_does_not_fill_the_memory() -> None:
    row = b'<c t="s"><v>0</v></c>' * 100_000
    parts = members(BLANK)
    first = re.sub(rb"<sheetData>.*</sheetData>", b"<sheetData><row>" + row + b"</row></sheetData>",
                   parts["xl/worksheets/sheet1.xml"])  # fmt: skip
    shared = parts["xl/sharedStrings.xml"].replace("静".encode(), b"x" * 2_000)
    with pytest.raises(BadInput, match="split the workbook"):
        xlsx.text(rezipped(BLANK, {"xl/worksheets/sheet1.xml": first, "xl/sharedStrings.xml": shared}))


def test_binary_workbooks_are_refused_with_the_remedy() -> None:
    rels = members(BLANK)["_rels/.rels"].replace(b"xl/workbook.xml", b"xl/workbook.bin")
    with pytest.raises(Unsupported, match="save the workbook as XLSX"):
        xlsx.text(rezipped(BLANK, {"_rels/.rels": rels}))


@settings(max_examples=80, deadline=None)
@given(mutations(noticed("start", data=render(BLANK, xlsx.write(BLANK, ITEM)))))
def test_damaged_files_raise_nothing_but_toolkit_errors(data: bytes) -> None:
    survives(xlsx, data, ITEM)
    _survives_notices(data)


@settings(max_examples=80, deadline=None)
@given(mutations(members(BLANK)["xl/workbook.xml"]), mutations(members(BLANK)["xl/worksheets/sheet1.xml"]))
def test_damaged_parts_raise_nothing_but_toolkit_errors(book: bytes, sheet: bytes) -> None:
    for name, part in (("xl/workbook.xml", book), ("xl/worksheets/sheet1.xml", sheet)):
        _survives_notices(rezipped(BLANK, {name: part}))


def _survives_notices(data: bytes) -> None:
    for act in (xlsx.text, xlsx.unread, lambda d: noticed("start", data=d), lambda d: noticed("end", data=d)):
        with contextlib.suppress(ToolkitError):
            act(data)
