"""What the detector of drawn notices says of pictures with one, without one, and of damaged ones."""

from __future__ import annotations

import pytest

from detectors.explicit_image import MARK, detect
from labeler.asset import Asset
from labeler.notices.image import Notice, draw
from policies.terms import Finding, Status
from tests.conftest import SAMPLES, sample

PICTURES = ["png", "jpeg", "webp"]


def findings(data: bytes) -> list[Finding]:
    with Asset.open(data) as asset:
        return list(detect(asset))


@pytest.mark.parametrize("container", PICTURES)
def test_a_drawn_notice_is_found_with_its_facts(container: str) -> None:
    notice = Notice("AI生成", "top-left", 0.06)
    with Asset.open(sample(container)) as asset, draw(asset, notice, SAMPLES).asset as result:
        [finding] = detect(result)
    assert (finding.mark, finding.status) == (MARK, Status.FOUND)
    assert {"text": "AI生成", "position": "top-left"}.items() <= finding.measured.items()
    assert {"height", "height_error", "contrast"} <= finding.measured.keys()
    assert "pixels at" in finding.where


@pytest.mark.parametrize("container", PICTURES)
def test_a_picture_without_one_is_unchecked_not_absent(container: str) -> None:
    [finding] = findings(sample(container).read_bytes())
    assert finding.status is Status.UNCHECKED
    assert "OCR" in finding.detail


@pytest.mark.parametrize("container", PICTURES)
def test_a_picture_cut_short_is_unchecked_with_the_reason(container: str) -> None:
    data = sample(container).read_bytes()
    [finding] = findings(data[: len(data) // 2])
    assert finding.status is Status.UNCHECKED
    assert "cut short" in finding.detail


@pytest.mark.parametrize("container", ["wav", "mp4", "markdown"])
def test_other_media_are_none_of_its_business(container: str) -> None:
    assert findings(sample(container).read_bytes()) == []
