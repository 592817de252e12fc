"""The notice's letters: how high they stand, that they can be read on anything, and that they are found again."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFont
from skimage import data as photographs

from labeler.notices._lettering import FONT, HEIGHTS, LEAST_INK, POSITIONS, Stamp, stamp
from labeler.notices._looking import find, known_texts, still_there
from policies.errors import BadInput
from policies.policy import load, names
from policies.terms import Media

SIZE = (640, 360)
PHOTOGRAPHS = ["astronaut", "camera", "chelsea", "coffee", "rocket", "text", "page", "brick", "checkerboard"]


def photograph(name: str) -> np.ndarray:
    pixels = getattr(photographs, name)()
    return pixels if pixels.ndim == 3 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)


def grey(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)


def laid(rgb: np.ndarray, made: Stamp) -> np.ndarray:
    image = Image.fromarray(rgb).convert("RGBA")
    image.alpha_composite(Image.fromarray(made.rgba), (made.x, made.y))
    return np.asarray(image.convert("RGB"))


def labelled(name: str, text: str = "AI生成", position: str = "bottom-right", height: float = 0.055) -> np.ndarray:
    rgb = photograph(name)
    return laid(rgb, stamp(text, position, height, (rgb.shape[1], rgb.shape[0])))


def jpeg(rgb: np.ndarray, quality: int = 75) -> np.ndarray:
    _, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def halved(rgb: np.ndarray) -> np.ndarray:
    return cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def glyph_heights(made: Stamp) -> list[int]:
    """The ink rows of each glyph in the stamp, glyphs being parted by columns without ink."""
    coverage = made.rgba[..., 0] / 255 * (made.rgba[..., 3] / 255)
    inked = coverage >= 0.5
    columns = np.flatnonzero(inked.any(axis=0))
    glyphs = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    rows = [np.flatnonzero(inked[:, glyph].any(axis=1)) for glyph in glyphs]
    return [int(each[-1] - each[0]) + 1 for each in rows]


@pytest.mark.parametrize("size", [(640, 360), (1080, 1920), (333, 500), (97, 250), (4000, 3000)])
@pytest.mark.parametrize("height", [0.05, 0.055, 0.08])
def test_capitals_and_ideographs_reach_the_height(size: tuple[int, int], height: float) -> None:
    made = stamp("AI生成", "bottom-right", height, size)
    heights = glyph_heights(made)
    assert len(heights) >= 3  # at 10 pixels A and I touch
    assert min(heights) >= max(LEAST_INK, height * min(size))
    assert min(heights) == made.ink
    assert made.ink <= max(LEAST_INK, height * min(size)) * 1.15 + 2


def test_without_capitals_the_highest_glyph_counts() -> None:
    made = stamp("人工智能生成", "top", 0.06, SIZE)
    assert max(glyph_heights(made)) == made.ink
    assert made.ink >= 0.06 * 360


@pytest.mark.parametrize("level", [0, 60, 128, 200, 255])
def test_the_letters_stand_out_from_any_background(level: int) -> None:
    made = stamp("AI生成", "bottom-right", 0.055, SIZE)
    assert made.contrast >= 4.5
    [match] = find(grey(laid(np.full((360, 640, 3), level, np.uint8), made)))
    assert match.contrast >= made.contrast - 0.1


@pytest.mark.parametrize("position", POSITIONS)
def test_the_box_stands_at_its_edge_with_a_margin(position: str) -> None:
    made = stamp("AI生成", position, 0.055, SIZE)
    rows, columns = made.rgba.shape[:2]
    margin = round(0.02 * 360)
    right, below = SIZE[0] - made.x - columns, SIZE[1] - made.y - rows
    assert min(made.x, made.y, right, below) >= margin
    assert (made.x == margin) == position.endswith("left")
    assert (right == margin) == position.endswith("right")
    assert (made.y == margin) == position.startswith("top")
    assert (below == margin) == position.startswith("bottom")


@pytest.mark.parametrize("size", [(641, 361), (640, 360), (853, 479)])
@pytest.mark.parametrize("position", POSITIONS)
def test_an_even_box_lies_on_even_pixels(size: tuple[int, int], position: str) -> None:
    made = stamp("AI生成 AI-generated", position, 0.055, size, even=True)
    assert [n % 2 for n in (made.x, made.y, *made.rgba.shape[:2])] == [0, 0, 0, 0]
    assert made.x + made.rgba.shape[1] <= size[0]
    assert made.y + made.rgba.shape[0] <= size[1]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"text": "AI生成ก"}, "ก.*--font"),
        ({"text": "AI生成" * 9}, "pixels.*--text"),
        ({"text": ""}, "--text"),
        ({"text": "\u200b"}, "--text"),
        ({"text": "AI\n生成"}, "one line"),
        ({"text": "A" * 65}, "64"),
        ({"size": (30, 30)}, "30x30"),
        ({"size": (4000, 8)}, "4000x8"),
        ({"position": "middle"}, "bottom-right"),
        ({"height": 0.0}, "4% to 16%"),
        ({"height": 0.039}, "--height"),
        ({"height": float("nan")}, "height"),
        ({"height": 1.0}, "--height"),
        ({"font": "/nowhere.ttf"}, "--font"),
        ({"font": __file__}, "--font"),
    ],
)
def test_what_cannot_be_set_is_refused_with_the_remedy(options: dict[str, object], says: str) -> None:
    wanted = {"text": "AI生成", "position": "bottom-right", "height": 0.055, "size": SIZE} | options
    with pytest.raises(BadInput, match=says):
        stamp(**wanted)


def test_every_wording_that_a_policy_suggests_can_be_set_and_found() -> None:
    for policy in map(load, names()):
        for media in (Media.IMAGE, Media.VIDEO):
            texts = policy.notices.get(media, {}).get("text", {})
            for text in texts.values() if not isinstance(texts, str) else [texts]:
                made = stamp(text, "bottom-right", 0.05, (2000, 800))
                assert made.ink >= 40, policy.id
                assert text in known_texts(), policy.id


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs_without_a_notice_have_none(name: str) -> None:
    rgb = photograph(name)
    assert find(grey(rgb)) == []
    assert find(grey(halved(rgb))) == []


@pytest.mark.parametrize("level", [0, 127, 255])
def test_an_even_picture_has_none(level: int) -> None:
    assert find(np.full((360, 640), level, np.uint8)) == []


@pytest.mark.parametrize("text", ["AI生活", "AI-animated", "人工智能技术", "工人", "@photographer", "版权所有"])
def test_other_words_in_the_same_letters_are_not_the_notice(text: str) -> None:
    assert find(grey(labelled("coffee", text))) == []


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_notice_is_found_where_and_as_it_stands(name: str) -> None:
    rgb = photograph(name)
    made = stamp("AI生成", "bottom-left", 0.06, (rgb.shape[1], rgb.shape[0]))
    [match] = find(grey(laid(rgb, made)))
    assert (match.text, match.position) == ("AI生成", "bottom-left")
    assert (match.x, match.y, match.h, match.w) == (made.x, made.y, *made.rgba.shape[:2])
    assert match.height == made.ink / min(rgb.shape[:2])
    assert match.height_error <= 0.5 / min(rgb.shape[:2]) + 0.05 * match.height


@pytest.mark.parametrize("height", HEIGHTS)
def test_the_lowest_and_the_highest_notice_are_found(height: float) -> None:
    for text in ("AI生成", "人工智能生成"):
        [match] = find(jpeg(labelled("rocket", text, "top-left", height)))
        assert (match.text, match.position) == (text, "top-left")
        assert match.height == pytest.approx(height, abs=0.01)


@pytest.mark.parametrize("text", ["AI生成", "AI合成", "人工智能生成", "本内容由人工智能生成", "AI-generated"])
@pytest.mark.parametrize("position", ["top-left", "bottom", "right"])
def test_a_notice_survives_jpeg_at_quality_75(text: str, position: str) -> None:
    [match] = find(jpeg(labelled("astronaut", text, position)))
    assert (match.text, match.position) == (text, position)
    assert match.height - match.height_error >= 0.05


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
@pytest.mark.parametrize("text", ["AI生成", "AI-generated", "本内容由人工智能生成"])
def test_a_notice_survives_being_halved(name: str, text: str) -> None:
    rgb = photograph(name)
    made = stamp(text, "bottom-right", 0.07, (rgb.shape[1], rgb.shape[0]))
    [match] = find(jpeg(halved(laid(rgb, made))))
    assert (match.text, match.position) == (text, "bottom-right")
    assert abs(match.height - made.ink / min(rgb.shape[:2])) <= match.height_error


@pytest.mark.parametrize("size", [(1920, 1080), (4000, 3000), (180, 320), (120, 120)])
def test_a_notice_is_found_in_large_and_small_pictures(size: tuple[int, int]) -> None:
    rgb = cv2.resize(photograph("coffee"), size)
    [match] = find(grey(laid(rgb, stamp("AI生成", "bottom-right", 0.055, size))))
    assert (match.text, match.position) == ("AI生成", "bottom-right")


def test_the_longest_wording_that_stands_there_is_told_from_its_parts() -> None:
    for text in ("AI生成 AI-generated", "AI-generated", "内容由AI生成", "AI生成"):
        assert [m.text for m in find(grey(labelled("astronaut", text)))] == [text]


def test_a_wording_of_the_users_own_is_found_when_asked_for() -> None:
    picture = grey(labelled("coffee", "某某公司AI生成"))
    assert "某某公司AI生成" not in [m.text for m in find(picture)]
    assert [m.text for m in find(picture, ("某某公司AI生成",))] == ["某某公司AI生成"]


def test_a_font_of_the_users_own_is_drawn_with_and_found(tmp_path: Path) -> None:
    font = tmp_path / "other.ttf"
    font.write_bytes(FONT.read_bytes())
    rgb = photograph("coffee")
    made = stamp("AI生成", "top", 0.055, (rgb.shape[1], rgb.shape[0]), font=str(font))
    matches = find(grey(laid(rgb, made)), ("AI生成",), font=str(font))
    assert {m.text for m in matches} == {"AI生成"}


def test_a_place_is_checked_again_cheaply() -> None:
    picture = grey(labelled("astronaut"))
    [match] = find(picture)
    assert still_there(picture, match) > 0.9
    assert still_there(jpeg(labelled("rocket"))[: picture.shape[0], : picture.shape[1]], match) < 0.5
    assert still_there(grey(photograph("astronaut")), match) < 0.5


def test_two_notices_are_both_found() -> None:
    rgb = labelled("coffee", "AI生成", "top-left")
    both = laid(rgb, stamp("AI-generated", "bottom-right", 0.055, (rgb.shape[1], rgb.shape[0])))
    assert {(m.text, m.position) for m in find(grey(both))} == {
        ("AI生成", "top-left"),
        ("AI-generated", "bottom-right"),
    }


def test_the_font_holds_common_characters_and_its_licence_lies_beside_it() -> None:
    font = ImageFont.truetype(str(FONT), 24)
    assert font.getname() == ("Biaoshi Notice", "Bold")
    level_1 = bytes(n for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF) for n in (row, cell))
    characters = level_1.decode("gb2312", "ignore")
    lacking = bytes(font.getmask("\U0010ffff"))
    assert [c for c in characters + "AIaiéß€（）" if bytes(font.getmask(c)) == lacking] == []
    assert "SIL OPEN FONT LICENSE Version 1.1" in FONT.with_name("OFL.txt").read_text("utf-8")
