"""Notices in pictures: what is planned is drawn, and found again after hard use."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps
from skimage import data as photographs

from detectors import verify
from labeler import label
from labeler.asset import Asset
from labeler.notices import Sighting, plan
from labeler.notices.image import Notice, draw, find
from policies.errors import BadInput, Unsupported
from policies.judge import Verdict
from policies.policy import load
from policies.terms import Mark, Media
from tests.conftest import LABEL, SAMPLES, sample

NOTICE = Notice("AI生成", "bottom-right", 0.055)
CAT = Image.fromarray(photographs.chelsea())


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def drawn(data: bytes, notice: Notice = NOTICE) -> bytes:
    with Asset.open(data) as asset, draw(asset, notice, SAMPLES).asset as result:
        return bytes(result.data)


def found(data: bytes, planned: Notice | None = None) -> list[Sighting]:
    with Asset.open(data) as asset:
        return find(asset, planned)


PICTURES = {
    "png": encoded(CAT, "PNG"),
    "png, palette": encoded(CAT.quantize(200), "PNG"),
    "png, grey": encoded(CAT.convert("L"), "PNG"),
    "png, black and white": encoded(CAT.convert("1"), "PNG"),
    "png, clear": encoded(Image.new("RGBA", (320, 180), (0, 0, 0, 0)), "PNG"),
    "png, 16-bit grey": encoded(Image.fromarray(np.asarray(CAT.convert("L")).astype(np.uint16) * 257), "PNG"),
    "jpeg": encoded(CAT, "JPEG", quality=85),
    "jpeg, grey": encoded(CAT.convert("L"), "JPEG"),
    "jpeg, cmyk": encoded(CAT.convert("CMYK"), "JPEG"),
    "webp": encoded(CAT, "WEBP", quality=80),
    "webp, lossless": encoded(CAT, "WEBP", lossless=True),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_notice_is_found_as_it_was_planned(name: str) -> None:
    assert found(PICTURES[name]) == []
    [sighting] = found(drawn(PICTURES[name]))
    facts = sighting.facts
    assert (facts["text"], facts["position"]) == ("AI生成", "bottom-right")
    assert facts["height"] - facts["height_error"] >= 0.05
    assert facts["contrast"] >= 4.5
    assert sighting.confidence > 0.85


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_notice_stands_upright_in_a_turned_photograph(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = drawn(encoded(CAT, "JPEG", quality=90, exif=exif))
    [sighting] = found(data)
    assert sighting.facts["position"] == "bottom-right"
    # The same as any viewer would see it, through Pillow's own turning.
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    [seen] = found(encoded(upright, "PNG"))
    assert seen.facts["text"] == "AI生成"
    assert seen.facts["position"] == "bottom-right"


def test_a_notice_is_found_after_saving_as_jpeg_of_quality_75() -> None:
    again = Image.open(io.BytesIO(drawn(PICTURES["png"])))
    [sighting] = found(encoded(again, "JPEG", quality=75))
    assert sighting.facts["text"] == "AI生成"


def test_a_notice_is_found_at_half_the_size() -> None:
    again = Image.open(io.BytesIO(drawn(PICTURES["jpeg"], Notice("AI生成", "bottom-right", 0.07))))
    [sighting] = found(encoded(again.resize((again.width // 2, again.height // 2)), "JPEG", quality=80))
    assert sighting.facts["text"] == "AI生成"


@pytest.mark.parametrize("container", ["png", "jpeg", "webp"])
def test_the_samples_are_labelled_and_judged_met(container: str) -> None:
    result = label(sample(container), None, LABEL, name=f"x.{container}")
    assert result.data is not None
    report = verify(result.data)
    assert report.verdict is Verdict.MET, [j.because for j in report.judgements if j.verdict is not Verdict.MET]
    assert "picture" in result.untouched


@pytest.mark.parametrize("container", ["png", "jpeg", "webp"])
def test_labelling_again_draws_no_second_notice(container: str) -> None:
    once = label(sample(container), None, LABEL).data
    assert once is not None
    assert label(once, None, LABEL).data == once


def test_exactly_five_percent_is_judged_met() -> None:
    result = label(PICTURES["png"], None, LABEL, notice={"height": 0.05})
    assert result.data is not None
    assert verify(result.data).verdict is Verdict.MET


def test_a_wording_of_the_users_own_is_drawn_and_read_back() -> None:
    result = label(PICTURES["png"], None, LABEL, marks=[Mark.EXPLICIT], notice={"text": "某某公司AI生成"})
    assert result.data is not None
    assert found(result.data, Notice("某某公司AI生成", "bottom-right", 0.055))


def test_the_policy_suggests_a_notice_whose_facts_it_accepts() -> None:
    notice = plan(load("cn"), Media.IMAGE)
    assert isinstance(notice, Notice)
    with pytest.raises(BadInput, match="position"):
        plan(load("cn"), Media.IMAGE, {"position": "center"})
    with pytest.raises(BadInput, match="height"):
        plan(load("cn"), Media.IMAGE, {"height": 0.04})


def test_a_picture_too_small_for_a_legible_notice_is_refused() -> None:
    with pytest.raises(BadInput, match="32x32"):
        drawn(encoded(Image.new("RGB", (32, 32)), "PNG"))


def test_a_container_without_drawing_is_unsupported() -> None:
    with Asset.open(sample("wav")) as asset, pytest.raises(Unsupported, match="PNG"):
        draw(asset, NOTICE, SAMPLES)
