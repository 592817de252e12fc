"""Drawn notices in videos as findings: found, unchecked and damaged are told apart."""

from pathlib import Path

import pytest

from detectors.explicit_video import detect
from labeler.asset import Asset
from labeler.notices.video import Notice, draw
from policies.terms import Finding, Mark, Status
from tests.clips import chart, clip, made
from tests.conftest import sample


def seen(path: Path) -> list[Finding]:
    with Asset.open(path) as asset:
        return list(detect(asset))


def test_a_notice_of_biaoshi_is_found_with_its_facts(tmp_path: Path) -> None:
    source = clip(tmp_path, seconds=1.0)
    with Asset.open(source) as asset, draw(asset, Notice("AI生成", "top-left", 0.06, 0.5), tmp_path).asset as result:
        [finding] = detect(result)
    assert (finding.detector, finding.mark, finding.status) == ("explicit_video", Mark.EXPLICIT, Status.FOUND)
    assert finding.measured["text"] == "AI生成"
    assert finding.measured["position"] == "top-left"
    assert finding.measured["seconds"] == pytest.approx(0.5)
    assert finding.confidence > 0.9


def test_without_it_nothing_is_claimed_for_other_lettering_is_not_read() -> None:
    [finding] = seen(sample("mp4"))
    assert finding.status is Status.UNCHECKED
    assert "OCR" in finding.detail


def test_a_video_that_cannot_be_decoded_is_unchecked(tmp_path: Path) -> None:
    source = clip(tmp_path, "h264 baseline")
    data = bytearray(source.read_bytes())
    start = data.index(b"mdat") + 4
    stop = start - 8 + int.from_bytes(data[start - 8 : start - 4], "big")
    data[start:stop] = bytes(stop - start)
    source.write_bytes(data)
    [finding] = seen(source)
    assert finding.status is Status.UNCHECKED
    assert "decode" in finding.detail


def test_pixels_that_are_not_read_are_unchecked(tmp_path: Path) -> None:
    source = made(tmp_path / "animation.mov", f"-f lavfi -i {chart(0.1)} -c:v qtrle")
    [finding] = seen(source)
    assert finding.status is Status.UNCHECKED
    assert "rgb24" in finding.detail


def test_it_has_nothing_to_say_of_sound_and_pictures() -> None:
    assert seen(sample("mp4", "audio")) == []
    assert seen(sample("png")) == []
