"""Drawing on a video: the picture lies where it is displayed, in its colours, and everything else is as it was."""

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from labeler.asset import Asset
from labeler.codecs.video import Kept, Overlay, Size, draw, shown, tracks
from labeler.containers import mp4
from policies.errors import BadInput, ToolkitError, Unsupported
from tests.clips import RECIPES, SIZE, chart, clip, frame_times, keyframes, made, pictures, probe
from tests.conftest import run, stream_hash, tool

COLOUR = (200, 60, 90)
BOX = (61, 37)  # width and height, odd on purpose
MARGIN = 11


def box(size: Size) -> Overlay:
    """An opaque box of COLOUR near the bottom right corner of what is displayed."""
    rgba = np.full((BOX[1], BOX[0], 4), (*COLOUR, 255), np.uint8)
    return Overlay(rgba, size[0] - BOX[0] - MARGIN, size[1] - BOX[1] - MARGIN)


def drawn(source: Path, seconds: float = math.inf) -> tuple[Path, Kept, dict[str, str]]:
    """The finished file (grafted, as notices do), and what is said to be kept."""
    encoded, target = (source.with_name(f"{name}{source.suffix}") for name in ("encoded", "drawn"))
    with Asset.open(source) as asset:
        kept = draw(asset, encoded, box, seconds)
        with Asset.open(encoded) as signal:
            signal.save(mp4.graft(asset.data, signal.data), target)
    with Asset.open(target) as result:
        return target, kept, kept.compare(result)


def in_box(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The mean colour well inside the box's place."""
    height, width = picture.shape[:2]
    right, bottom = width - MARGIN, height - MARGIN
    inside = picture[bottom - BOX[1] + 6 : bottom - 6, right - BOX[0] + 6 : right - 6]
    return np.asarray(inside.mean((0, 1)))


def has_box(picture: NDArray[np.uint8]) -> bool:
    return bool(np.abs(in_box(picture) - COLOUR).max() < 12)


def outside(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The picture with the box's place, and the codec blocks around it, in black."""
    copy = picture.astype(np.float64)
    copy[-BOX[1] - MARGIN - 16 :, -BOX[0] - MARGIN - 16 :] = 0
    return copy


STREAM_FACTS = (
    *("codec_name", "profile", "width", "height", "pix_fmt", "color_range", "color_space", "color_transfer"),
    *("color_primaries", "chroma_location", "field_order", "sample_aspect_ratio", "time_base", "start_pts", "tags"),
)


def facts(path: Path) -> list[dict[str, Any]]:
    streams = probe(path, "-show_streams")["streams"]
    return [{name: stream.get(name) for name in (*STREAM_FACTS, "disposition")} for stream in streams]


# ---- Every kind of video ----------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", RECIPES)
def test_ffprobe_sees_the_same_stream_facts_and_frame_times(recipe: str, tmp_path: Path) -> None:
    source = clip(tmp_path, recipe)
    target, _, _ = drawn(source)
    assert facts(target) == facts(source)
    assert frame_times(target) == frame_times(source)


@pytest.mark.parametrize("recipe", [name for name in RECIPES if not set(name.split()) & {"grey", "pq", "anamorphic"}])
def test_ffmpeg_displays_the_box_in_its_colour_and_the_rest_as_it_was(recipe: str, tmp_path: Path) -> None:
    source = clip(tmp_path, recipe)
    before, after = pictures(source), pictures(drawn(source)[0])
    assert len(after) == len(before)
    for old, new in zip(before, after, strict=True):
        assert has_box(new)
        error = np.mean((outside(old) - outside(new)) ** 2)
        assert 10 * np.log10(255**2 / max(error, 1e-9)) > 30


@pytest.mark.parametrize("recipe", ["hevc grey", "hevc grey 12 bit"])
def test_a_grey_video_gets_the_box_in_grey(recipe: str, tmp_path: Path) -> None:
    luma = np.dot(COLOUR, (0.299, 0.587, 0.114))
    picture = pictures(drawn(clip(tmp_path, recipe))[0])[0]
    np.testing.assert_allclose(in_box(picture), luma, atol=4)


def test_hdr_white_is_graphics_white_and_the_hdr_data_stay(tmp_path: Path) -> None:
    source = clip(tmp_path, "hevc bt2020 pq")
    target, _, _ = drawn(source)
    what = ("-select_streams", "v:0", "-read_intervals", "%+#1", "-show_frames")
    static = ("Mastering display metadata", "Content light level metadata")
    said = [
        [d for d in probe(path, *what)["frames"][0]["side_data_list"] if d["side_data_type"] in static]
        for path in (source, target)
    ]
    assert len(said[0]) == 2
    assert said[1] == said[0]
    with Asset.open(target) as asset:
        grey = next(shown(asset)).grey()
    # BT.2020's luma of the box's colour, which `grey` brings back from PQ to an SDR screen's levels.
    assert abs(int(grey[-MARGIN - 18, -MARGIN - 30]) - np.dot(COLOUR, (0.2627, 0.6780, 0.0593))) < 12


def test_white_in_a_pq_video_is_203_candelas(tmp_path: Path) -> None:
    source = clip(tmp_path, "hevc bt2020 pq", 0.1)
    encoded = tmp_path / "encoded.mp4"

    def white(size: Size) -> Overlay:
        return Overlay(np.full((64, 64, 4), 255, np.uint8), 100, 60)

    with Asset.open(source) as asset:
        draw(asset, encoded, white, math.inf)
    raw = tmp_path / "luma"
    run(
        *(tool("ffmpeg"), "-v", "error", "-i", encoded, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray10le", raw)
    )
    luma = np.fromfile(raw, "<u2").reshape(180, 320)[80:104, 120:144].mean()
    # SMPTE ST 2084: 203 cd/m² is 58 % of the signal (ITU-R BT.2408, table 1); ffmpeg's grey is of full range.
    assert abs(luma / 1023 - 0.5807) < 0.006


@pytest.mark.parametrize("recipe", ["h264", "vp9", "hevc", "av1", "mpeg4"])
def test_keyframes_stay_keyframes(recipe: str, tmp_path: Path) -> None:
    source = clip(tmp_path, recipe, 1.5)
    assert set(keyframes(source)) <= set(keyframes(drawn(source)[0]))


def test_quicktime_and_apple_get_the_sample_entry_hvc1(tmp_path: Path) -> None:
    source = clip(tmp_path, "hevc open GOP 4:2:2 10 bit")
    stream = probe(drawn(source)[0], "-show_streams")["streams"][0]
    assert stream["codec_tag_string"] == "hvc1"


@pytest.mark.parametrize("recipe", ["hevc", "av1"])
def test_the_encoders_do_not_print(recipe: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = clip(tmp_path, recipe, 0.1)
    drawn(source)
    assert tuple(capfd.readouterr()) == ("", "")


# ---- How it is displayed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_the_box_stands_upright_in_a_turned_video(angle: int, tmp_path: Path) -> None:
    source = made(tmp_path / "turned.mp4", f"-i {clip(tmp_path)} -c copy -metadata:s:v rotate={angle}")
    target, _, _ = drawn(source)
    before, after = (
        probe(path, "-show_streams")["streams"][0]["side_data_list"][0]["displaymatrix"] for path in (source, target)
    )
    assert after == before
    picture = pictures(target)[0]
    assert picture.shape[:2] == (SIZE if angle != 180 else SIZE[::-1])
    assert has_box(picture)


def test_the_first_displayed_frame_behind_an_edit_list_has_the_box(tmp_path: Path) -> None:
    whole = clip(tmp_path, seconds=1.5)
    source = made(tmp_path / "late.mp4", f"-ss 0.5 -i {whole} -c copy")
    target, _, _ = drawn(source, 0.25)
    boxes = [has_box(picture) for picture in pictures(target)]
    assert boxes == [True] * 8 + [False] * (len(boxes) - 8)
    assert frame_times(target) == frame_times(source)
    assert len(boxes) == 30


@pytest.mark.parametrize("recipe", ["h264", "h264 variable rate"])
def test_frames_displayed_before_the_time_have_the_box_and_no_others(recipe: str, tmp_path: Path) -> None:
    source = clip(tmp_path, recipe, 1.0)
    target, _, _ = drawn(source, 0.5)
    times = frame_times(target)
    assert [has_box(p) for p in pictures(target)] == [t - times[0] < Fraction(1, 2) for t in times]


def test_a_clip_shorter_than_the_time_has_the_box_throughout(tmp_path: Path) -> None:
    source = made(tmp_path / "one.mp4", f"-f lavfi -i {chart(1)} -frames:v 1 -c:v libx264 -pix_fmt yuv420p")
    target, _, _ = drawn(source, 2.5)
    assert [has_box(p) for p in pictures(target)] == [True]


def test_an_anamorphic_box_has_its_displayed_shape(tmp_path: Path) -> None:
    target, _, _ = drawn(clip(tmp_path, "h264 anamorphic"))
    picture = pictures(target)[0].astype(int)
    like = np.abs(picture - COLOUR).max(axis=2) < 25
    columns = np.flatnonzero(like[SIZE[1] - MARGIN - BOX[1] // 2, -100:])
    assert abs(len(columns) - BOX[0] * 3 / 4) <= 2


# ---- Everything beside the picture --------------------------------------------------------------------------


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """Two languages of sound, subtitles, chapters, a cover, tags; the index behind the data."""
    (tmp_path / "words.srt").write_text("1\n00:00:00,200 --> 00:00:00,900\n你好\n", "utf-8")
    (tmp_path / "chapters.txt").write_text(
        ";FFMETADATA1\ntitle=Title\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=one\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=500\nEND=1000\ntitle=two\n"
    )
    cover = made(tmp_path / "cover.png", "-f lavfi -i color=blue:s=64x64 -frames:v 1")
    return made(
        tmp_path / "rich.mp4",
        f"-f lavfi -i {chart(1)} -f lavfi -i sine=d=1 -f lavfi -i sine=d=1:f=660 -i {tmp_path}/words.srt "
        f"-i {tmp_path}/chapters.txt -i {cover} -map 0 -map 1 -map 2 -map 3 -map 5 -map_metadata 4 "
        "-c:v:0 libx264 -pix_fmt yuv420p -c:a aac -c:s mov_text -c:v:1 png -disposition:v:1 attached_pic "
        "-metadata:s:a:0 language=fra -metadata:s:a:1 language=zho -metadata:s:s:0 language=zho "
        "-disposition:a:0 0 -disposition:a:1 default",
    )


def test_sound_subtitles_cover_languages_and_chapters_stay(rich: Path) -> None:
    target, _, said = drawn(rich)
    assert facts(target) == facts(rich)
    assert probe(target, "-show_chapters") == probe(rich, "-show_chapters")
    was, now = (stream_hash(path).splitlines() for path in (rich, target))
    assert was[0] != now[0]  # the picture
    assert now[1:] == was[1:]
    assert set(said) == {"video", "audio 1", "audio 2", "subtitle 1", "cover 1"}


def test_sound_that_starts_late_starts_as_late(tmp_path: Path) -> None:
    source = made(
        tmp_path / "late.mp4",
        f"-f lavfi -i {chart(1)} -itsoffset 0.2345 -f lavfi -i sine=d=0.6 -c:v libx264 -pix_fmt yuv420p -c:a aac",
    )
    target, _, _ = drawn(source)
    packets = [
        [p["pts"] for p in probe(path, "-select_streams", "a:0", "-show_packets")["packets"]]
        for path in (source, target)
    ]
    assert packets[1] == packets[0]


def test_every_video_track_gets_the_box(tmp_path: Path) -> None:
    source = made(
        tmp_path / "two.mp4",
        f"-f lavfi -i {chart(0.4)} -f lavfi -i {chart(0.4, (160, 240))} -map 0 -map 1 -c:v libx264 -pix_fmt yuv420p",
    )
    target, _, _ = drawn(source)
    assert all(has_box(pictures(target, stream)[0]) for stream in (0, 1))
    with Asset.open(target) as asset:
        assert tracks(asset) == 2


def test_the_comparison_notices_a_missing_stream_a_changed_packet_and_a_lost_frame(rich: Path, tmp_path: Path) -> None:
    target, kept, _ = drawn(rich)
    copied = f"-i {target} -map 0:v:0 -c copy"
    wrong = {
        "beside the video": made(tmp_path / "a.mp4", copied),
        "packet by packet": made(tmp_path / "b.mp4", f"-i {target} -map 0 -c copy -c:a:1 aac -b:a:1 40k"),
        "times": made(tmp_path / "c.mp4", f"-i {target} -map 0 -c copy -t 0.5"),
    }
    for words, path in wrong.items():
        with Asset.open(path) as result, pytest.raises(ToolkitError, match=words):
            kept.compare(result)


# ---- What is refused, with the reason -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "suffix", "reason"),
    [
        ("-c:v prores_ks -profile:v 4 -pix_fmt yuva444p10le", "mov", "transparent"),
        ("-c:v libx264rgb", "mp4", "gbrp"),
        ("-c:v qtrle", "mov", "rgb24"),
        ("-c:v ffv1 -pix_fmt yuv420p", "mov", "can't encode ffv1"),
        ("-c:v libx265 -x265-params log-level=none:interlace=tff -pix_fmt yuv420p", "mp4", "interlaced"),
    ],
)
def test_what_would_lose_something_is_unsupported(how: str, suffix: str, reason: str, tmp_path: Path) -> None:
    source = made(tmp_path / f"source.{suffix}", f"-f lavfi -i {chart(0.2)} {how}")
    with pytest.raises(Unsupported, match=reason):
        drawn(source)


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    source = clip(tmp_path)
    source.write_bytes(source.read_bytes()[:-4000])
    with pytest.raises(BadInput, match="cut short"):
        drawn(source)


def test_a_damaged_frame_is_refused(tmp_path: Path) -> None:
    source = clip(tmp_path, seconds=1.0)
    data = bytearray(source.read_bytes())
    middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[middle : middle + 1500] = bytes(1500)
    source.write_bytes(data)
    with pytest.raises(BadInput):
        drawn(source)


def test_frames_before_the_first_that_decodes_are_shown_by_nobody(tmp_path: Path) -> None:
    source = made(tmp_path / "headless.mp4", f"-i {clip(tmp_path, seconds=1.5)} -c copy -bsf:v noise=drop=lt(n\\,1)")
    target, _, _ = drawn(source)
    with Asset.open(source) as before, Asset.open(target) as after:
        assert len(list(shown(after))) == len(list(shown(before)))


@pytest.mark.parametrize("seed", range(12))
def test_hostile_bytes_end_in_a_toolkit_error_or_a_sound_file(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    source = clip(tmp_path, seconds=0.2)
    data = np.frombuffer(source.read_bytes(), np.uint8).copy()
    places = rng.integers(0, min(len(data), 2500), 6)
    data[places] = rng.integers(0, 256, 6)
    source.write_bytes(data.tobytes())
    try:
        target, _, _ = drawn(source)
    except ToolkitError:
        return
    assert len(pictures(target))
