"""Notices in videos: what is planned is drawn, displayed upright, and found again after hard use."""

import math
from pathlib import Path

import numpy as np
import pytest

from detectors import verify
from labeler import label
from labeler.asset import Asset
from labeler.notices import Sighting, plan
from labeler.notices.video import Notice, draw, find
from policies.errors import BadInput, Unsupported
from policies.judge import Verdict
from policies.policy import load
from policies.terms import Mark, Media
from tests.clips import chart, clip, made, pictures
from tests.conftest import LABEL, SAMPLES, run, sample, stream_hash, tool

NOTICE = Notice("AI生成", "bottom-right", 0.055, 2.5)


def drawn(source: Path, notice: Notice = NOTICE) -> Path:
    target = source.with_name(f"labelled{source.suffix}")
    with Asset.open(source) as asset, draw(asset, notice, source.parent).asset as result:
        target.write_bytes(bytes(result.data))
    return target


def found(path: Path, planned: Notice | None = None) -> list[Sighting]:
    with Asset.open(path) as asset:
        return find(asset, planned)


def test_the_policy_suggests_a_notice_whose_facts_it_accepts() -> None:
    notice = plan(load("cn"), Media.VIDEO)
    assert isinstance(notice, Notice)
    assert notice.facts()["start"] == 0.0
    assert notice.facts()["seconds"] >= 2.0


@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan, "2"])
def test_a_time_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(BadInput, match="seconds"):
        Notice("AI生成", "bottom-right", 0.055, seconds)


@pytest.mark.parametrize("position", ["bottom-right", "top-left", "bottom", "right"])
def test_a_notice_is_found_as_it_was_planned(position: str, tmp_path: Path) -> None:
    source = clip(tmp_path, seconds=1.5)
    [sighting] = found(drawn(source, Notice("AI生成", position, 0.07, 1.0)))
    assert {"text": "AI生成", "position": position, "start": 0.0, "whole_clip": False}.items() <= sighting.facts.items()
    assert 0.07 <= sighting.facts["height"] < 0.078
    assert sighting.facts["seconds"] == pytest.approx(1.0)
    assert sighting.facts["contrast"] >= 3
    assert sighting.confidence > 0.9


def test_an_unlabelled_video_has_none(tmp_path: Path) -> None:
    assert found(clip(tmp_path)) == []
    assert found(sample("mp4")) == []


def test_a_notice_for_the_whole_clip_is_on_every_frame(tmp_path: Path) -> None:
    source = clip(tmp_path, seconds=1.5)
    [sighting] = found(drawn(source, Notice("AI生成", "bottom-right", 0.06, 0.5, whole_clip=True)))
    assert sighting.facts["whole_clip"] is True
    assert sighting.facts["seconds"] == pytest.approx(1.5)


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_turned_video_shows_the_notice_upright(angle: int, tmp_path: Path) -> None:
    source = made(tmp_path / "turned.mp4", f"-i {clip(tmp_path)} -c copy -metadata:s:v rotate={angle}")
    target = drawn(source)
    # ffmpeg turns the picture by its own reading of the matrix; without a matrix it is found just the same.
    upright = made(tmp_path / "upright.mp4", f"-i {target} -c:v libx264 -crf 12 -metadata:s:v rotate=0")
    for path in (target, upright):
        assert [s.facts["position"] for s in found(path)] == ["bottom-right"]


@pytest.mark.parametrize(
    "recipe", ["h264 full range", "hevc bt2020 pq", "h264 anamorphic", "h264 interlaced", "vp9 odd size", "hevc grey"]
)
def test_it_is_legible_in_every_kind_of_signal(recipe: str, tmp_path: Path) -> None:
    [sighting] = found(drawn(clip(tmp_path, recipe)))
    assert sighting.facts["text"] == "AI生成"
    assert sighting.facts["height"] + sighting.facts["height_error"] >= 0.055


@pytest.mark.parametrize("how", ["-crf 30", "-vf scale=iw*2:-2", "-vf scale=iw*3/4:-2 -crf 24", "-c:v mpeg4 -q:v 8"])
def test_it_is_found_after_another_encoding(how: str, tmp_path: Path) -> None:
    source = made(tmp_path / "big.mp4", f"-f lavfi -i {chart(0.4, (640, 360))} -c:v libx264 -pix_fmt yuv420p")
    harmed = made(tmp_path / "harmed.mp4", f"-i {drawn(source)} -c:v libx264 {how}")
    assert "AI生成" in [s.facts["text"] for s in found(harmed)]


def test_a_wording_of_ones_own_is_found_when_it_is_named(tmp_path: Path) -> None:
    planned = Notice("人工智能合成视频", "top-right", 0.06, 2.5)
    target = drawn(clip(tmp_path), planned)
    assert [s.facts["text"] for s in found(target, planned)][:1] == [planned.text]


def test_a_video_in_which_one_track_is_without_notice_has_none(tmp_path: Path) -> None:
    source = clip(tmp_path)
    half = made(tmp_path / "half.mp4", f"-i {drawn(source)} -i {source} -map 0 -map 1 -c copy")
    assert found(half) == []
    assert len(found(drawn(half))) == 1


def test_of_two_tracks_the_shorter_notice_counts(tmp_path: Path) -> None:
    source = clip(tmp_path, seconds=1.0)
    long = drawn(source).rename(tmp_path / "long.mp4")
    short = drawn(source, Notice("AI生成", "bottom-right", 0.055, 0.5))
    both = made(tmp_path / "both.mp4", f"-i {long} -i {short} -map 0 -map 1 -c copy")
    [sighting] = found(both)
    assert sighting.facts["seconds"] == pytest.approx(0.5)
    assert sighting.where == "video track 2"


def test_an_edit_list_does_not_hide_the_notice(tmp_path: Path) -> None:
    source = made(tmp_path / "late.mp4", f"-ss 0.5 -i {clip(tmp_path, seconds=1.5)} -c copy")
    [sighting] = found(drawn(source, Notice("AI生成", "bottom-right", 0.055, 0.6)))
    assert sighting.facts["start"] == 0.0
    assert sighting.facts["seconds"] == pytest.approx(0.6, abs=0.034)


def test_only_the_result_stays_in_the_scratch_folder(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with Asset.open(clip(tmp_path)) as asset, draw(asset, NOTICE, scratch).asset as result:
        assert [path.name for path in scratch.iterdir()] == [result.path.name if result.path else ""]
        assert result.source == asset.source


def test_a_notice_too_wide_for_the_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="shorter --text"):
        drawn(clip(tmp_path), Notice("本内容由人工智能生成合成", "bottom", 0.16, 2.5))


def test_sound_alone_cannot_be_drawn_on(tmp_path: Path) -> None:
    with Asset.open(sample("flac")) as asset, pytest.raises(Unsupported):
        draw(asset, NOTICE, tmp_path)


@pytest.mark.parametrize("source", [sample("mp4"), SAMPLES / "mp4" / "quicktime.mov"], ids=lambda path: path.name)
def test_a_labelled_file_meets_every_clause_and_keeps_its_sound(source: Path, tmp_path: Path) -> None:
    target = tmp_path / f"labelled{source.suffix}"
    done = label(source, target, LABEL)
    assert {"video", "audio 1", "bytes"} <= done.untouched.keys()
    report = verify(target, "cn")
    asked = [j for j in report.judgements if j.requirement.mark in (Mark.EXPLICIT, Mark.METADATA)]
    assert {j.requirement.id for j in asked if j.verdict is not Verdict.MET} == set()
    assert stream_hash(target).splitlines()[1:] == stream_hash(source).splitlines()[1:]
    assert "AIGC" in run(tool("ffprobe"), "-v", "error", "-show_format", target)


def test_labelling_twice_is_labelling_once(tmp_path: Path) -> None:
    once, twice = tmp_path / "once.mp4", tmp_path / "twice.mp4"
    label(sample("mp4"), once, LABEL)
    label(once, twice, LABEL)
    assert twice.read_bytes() == once.read_bytes()


def test_white_letters_stand_on_a_dark_box(tmp_path: Path) -> None:
    source = made(tmp_path / "white.mp4", "-f lavfi -i color=white:s=320x180:d=0.2 -c:v libx264 -pix_fmt yuv420p")
    corner = pictures(drawn(source))[0][-24:-6, -52:-6]
    assert corner.max() > 235
    assert np.percentile(corner, 25) < 110
