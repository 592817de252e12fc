"""The item as a custom property of a presentation, and a notice as a text box, seen by python-pptx and ExifTool."""

import contextlib
import io
from pathlib import Path

import pptx as python_pptx
import pytest
from hypothesis import given, settings
from pptx.util import Pt

from labeler.containers import pptx, render
from labeler.metadata import encode
from policies.errors import BadInput, ToolkitError
from tests.conftest import LABEL, run, sample, tool
from tests.labeler.containers.hostile import mutations, survives
from tests.labeler.containers.zips import changed, keeps_packed_bytes, members, rezipped

ITEM = encode(LABEL)
NOTICE = "本内容由人工智能生成"
BLANK = sample("pptx").read_bytes()
FIRST, LAST, HIDDEN = "ppt/slides/slide1.xml", "ppt/slides/slide3.xml", "ppt/slides/slide4.xml"


def noticed(place: str, notice: str = NOTICE, form: str = "line", data: bytes = BLANK) -> bytes:
    return render(data, pptx.insert(data, notice, place, form))


def slides(data: bytes) -> list:
    return list(python_pptx.Presentation(io.BytesIO(data)).slides)


def words(data: bytes) -> list[list[str]]:
    return [[shape.text_frame.text for shape in slide.shapes if shape.has_text_frame] for slide in slides(data)]


def test_exiftool_shows_the_item_and_python_pptx_opens_the_file(tmp_path: Path) -> None:
    path = tmp_path / "labelled.pptx"
    path.write_bytes(render(BLANK, pptx.write(BLANK, ITEM)))
    assert run(tool("exiftool"), "-s3", "-XML:AIGC", path).strip() == ITEM
    assert words(path.read_bytes()) == words(BLANK)


@pytest.mark.parametrize(("place", "number", "part"), [("start", 0, FIRST), ("end", 2, LAST)])
def test_the_notice_is_on_top_of_the_first_or_last_slide_that_shows(place: str, number: int, part: str) -> None:
    written = noticed(place)
    expected = words(BLANK)
    expected[number].append(NOTICE)
    assert words(written) == expected
    assert changed(BLANK, written) == {part}
    assert keeps_packed_bytes(BLANK, pptx.insert(BLANK, NOTICE, place), {part})


@pytest.mark.parametrize("place", ["start", "end"])
@pytest.mark.parametrize("notice", [NOTICE, "本内容由人工智能生成 (AI-generated)" * 2])
def test_the_box_lies_on_the_slide_at_its_edge_and_holds_the_words(place: str, notice: str) -> None:
    deck = python_pptx.Presentation(io.BytesIO(noticed(place, notice)))
    slide = deck.slides[0 if place == "start" else 2]
    box = slide.shapes[-1]
    assert 0 < box.left < box.left + box.width <= deck.slide_width
    assert 0 < box.top < box.top + box.height < deck.slide_height
    middle = box.top + box.height / 2
    assert middle < 0.1 * deck.slide_height if place == "start" else middle > 0.9 * deck.slide_height
    assert box.text_frame.paragraphs[0].runs[0].font.size >= Pt(10)


def test_shapes_keep_numbers_of_their_own() -> None:
    twice = noticed("start", data=noticed("start"))
    numbers = [shape.shape_id for shape in slides(twice)[0].shapes]
    assert len(set(numbers)) == len(numbers) == 4


def test_an_extension_list_stays_the_last_of_the_tree() -> None:
    part = members(BLANK)[FIRST].replace(b"</p:spTree>", b"<p:extLst/></p:spTree>")
    written = members(noticed("start", data=rezipped(BLANK, {FIRST: part})))[FIRST]
    assert b"</p:sp><p:extLst/></p:spTree>" in written


def test_a_corner_mark_is_superscript() -> None:
    written = noticed("end", "AI", "corner")
    properties = slides(written)[2].shapes[-1].text_frame.paragraphs[0].runs[0]._r.rPr
    assert int(properties.get("baseline")) > 0
    assert pptx.text(written).endswith("ᴬᴵ")


def test_text_is_what_shows_and_a_notice_at_the_top_edge_is_its_first_line() -> None:
    assert pptx.text(noticed("start")).splitlines()[:2] == [NOTICE, "静夜思"]
    assert "希望" not in pptx.text(BLANK)  # on the hidden slide
    hidden = members(BLANK)[FIRST].replace(b'name="Title 1"', b'name="Title 1" hidden="1"')
    assert pptx.text(rezipped(BLANK, {FIRST: hidden})).splitlines()[0] == "李白"


def test_what_a_master_puts_on_every_slide_is_in_the_margins() -> None:
    assert pptx.margins(BLANK) == {"start": "", "end": ""}
    deck = python_pptx.Presentation(io.BytesIO(noticed("end")))
    box = deck.slides[2].shapes[-1]._element
    deck.slide_master.shapes._spTree.append(box)
    out = io.BytesIO()
    deck.save(out)
    assert NOTICE not in pptx.text(out.getvalue())
    assert pptx.margins(out.getvalue()) == {"start": "", "end": NOTICE}


def test_a_slide_that_is_a_picture_is_unread_with_the_reason() -> None:
    assert pptx.unread(BLANK) == ""
    deck = python_pptx.Presentation(io.BytesIO(BLANK))
    box = deck.slides[1].shapes[-1]
    box._element.getparent().remove(box._element)
    out = io.BytesIO()
    deck.save(out)
    assert "slide 2 shows a picture and no words" in pptx.unread(out.getvalue())


def test_a_presentation_without_slides_is_refused() -> None:
    out = io.BytesIO()
    python_pptx.Presentation().save(out)
    with pytest.raises(BadInput, match="no slides"):
        noticed("start", data=out.getvalue())
    assert pptx.text(out.getvalue()) == ""


@settings(max_examples=80, deadline=None)
@given(mutations(render(BLANK, pptx.write(BLANK, ITEM))))
def test_damaged_files_raise_nothing_but_toolkit_errors(data: bytes) -> None:
    survives(pptx, data, ITEM)
    _survives_notices(data)


@settings(max_examples=80, deadline=None)
@given(mutations(members(noticed("start"))[FIRST]), mutations(members(BLANK)["ppt/presentation.xml"]))
def test_damaged_parts_raise_nothing_but_toolkit_errors(slide: bytes, deck: bytes) -> None:
    for name, part in ((FIRST, slide), ("ppt/presentation.xml", deck)):
        _survives_notices(rezipped(BLANK, {name: part}))


def _survives_notices(data: bytes) -> None:
    for act in (
        pptx.text,
        pptx.margins,
        pptx.unread,
        lambda d: noticed("start", data=d),
        lambda d: noticed("end", data=d),
    ):
        with contextlib.suppress(ToolkitError):
            act(data)
