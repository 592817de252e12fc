"""Sound joined with a cue: how much of the source stays as it was, as FFmpeg decodes it."""

import contextlib
import json
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutagen.flac import FLAC
from mutagen.id3 import ID3
from mutagen.mp4 import MP4
from numpy.typing import NDArray

from labeler.asset import Asset
from labeler.codecs import audio
from labeler.containers import _riff
from policies.errors import BadInput, ToolkitError, Unsupported
from tests.conftest import run, sample, tool

LOSSLESS = {
    "8-bit WAV": ("wav", "-c:a", "pcm_u8"),
    "24-bit 5.1 WAV": ("wav", "-c:a", "pcm_s24le", "-ac", "6"),
    "32-bit WAV": ("wav", "-c:a", "pcm_s32le"),
    "float WAV": ("wav", "-c:a", "pcm_f32le", "-ac", "2"),
    "double WAV": ("wav", "-c:a", "pcm_f64le"),
    "mu-law WAV": ("wav", "-c:a", "pcm_mulaw", "-ar", "8000"),
    "RF64": ("wav", "-c:a", "pcm_s16le", "-rf64", "always"),
    "16-bit FLAC": ("flac", "-c:a", "flac", "-sample_fmt", "s16", "-ac", "2"),
    "24-bit FLAC": ("flac", "-c:a", "flac", "-sample_fmt", "s32"),
    "5.1 FLAC": ("flac", "-c:a", "flac", "-sample_fmt", "s16", "-ac", "6"),
    "16-bit ALAC": ("m4a", "-c:a", "alac", "-sample_fmt", "s16p", "-ac", "2"),
    "24-bit ALAC": ("m4a", "-c:a", "alac", "-sample_fmt", "s32p"),
}
LOSSY = {
    "stereo MP3": ("mp3", "-c:a", "libmp3lame", "-b:a", "128k", "-ac", "2"),
    "mono 8 kHz MP3": ("mp3", "-c:a", "libmp3lame", "-b:a", "16k", "-ar", "8000"),
    "VBR MP3": ("mp3", "-c:a", "libmp3lame", "-q:a", "4", "-ac", "2"),
    "MP3 without Xing": ("mp3", "-c:a", "libmp3lame", "-b:a", "64k", "-write_xing", "0"),
    "stereo AAC": ("m4a", "-c:a", "aac", "-b:a", "128k", "-ac", "2"),
    "mono AAC at the end": ("m4a", "-c:a", "aac", "-b:a", "64k", "-ar", "16000"),
}


def made(path: Path, *options: str) -> Path:
    """A second and a bit of chirp, as FFmpeg encodes it."""
    signal = "aevalsrc='0.3*sin(2*PI*(200+300*t)*t)':d=1.25:s=48000"
    run(tool("ffmpeg"), "-v", "error", "-y", "-f", "lavfi", "-i", signal, *options, path)
    return path


def decoded(path: Path, channels: int) -> NDArray[np.float64]:
    command = [tool("ffmpeg"), "-v", "error", "-i", str(path), "-map", "0:a", "-f", "f64le", "-"]
    sound = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(sound, "<f8").reshape(-1, channels)


def shown(path: Path) -> dict[str, Any]:
    fields = "codec_name,sample_rate,channels,channel_layout,sample_fmt,bits_per_raw_sample,profile"
    probed = run(tool("ffprobe"), "-v", "error", "-show_entries", f"stream={fields}", "-of", "json", path)
    return dict(json.loads(probed)["streams"][0])


def tone(rate: int, seconds: float = 0.4) -> audio.Samples:
    return (0.25 * np.sin(2 * np.pi * 880 * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def joined(path: Path, folder: Path, head: Sequence[float], tail: Sequence[float]) -> tuple[Path, audio.Sound, str]:
    """The file with tones of that many seconds around it, and how its sound is coded."""
    folder.mkdir()
    with Asset.open(path) as asset:
        sound = audio.probe(asset)
        parts = [np.concatenate([tone(sound.rate, s) for s in [*ends, 0]]) for ends in (head, tail)]
        result = audio.join(asset, parts[0], parts[1], folder)
        out = folder / f"out{path.suffix}"
        with result.asset as longer:
            assert longer.source == str(path)
            out.write_bytes(bytes(longer.data))
    return out, sound, result.untouched


@pytest.mark.parametrize("kind", LOSSLESS)
def test_a_lossless_sound_keeps_every_sample_and_its_format(kind: str, tmp_path: Path) -> None:
    suffix, *options = LOSSLESS[kind]
    path = made(tmp_path / f"in.{suffix}", *options)
    out, sound, said = joined(path, tmp_path / "out", [0.4], [0.3])
    channels = len(sound.channels)
    source, longer = decoded(path, channels), decoded(out, channels)
    head, tail = int(0.4 * sound.rate), int(0.3 * sound.rate)
    assert len(longer) == head + len(source) + tail
    assert np.array_equal(longer[head : head + len(source)], source)
    assert np.abs(longer[:head, 0]).max() == pytest.approx(0.25, abs=0.01)
    assert shown(out) == shown(path)
    assert "every sample" in said or "decoded again and compared" in said


@pytest.mark.parametrize("kind", LOSSY)
def test_a_lossy_sound_is_encoded_again_at_its_rate_without_a_gap(kind: str, tmp_path: Path) -> None:
    suffix, *options = LOSSY[kind]
    path = made(tmp_path / f"in.{suffix}", *options)
    out, sound, said = joined(path, tmp_path / "out", [0.4], [0.3])
    channels = len(sound.channels)
    source, longer = decoded(path, channels), decoded(out, channels)
    head, tail = int(0.4 * sound.rate), int(0.3 * sound.rate)
    assert abs(len(longer) - (head + len(source) + tail)) <= 1152
    middle = slice(sound.rate // 4, sound.rate)
    there = longer[head : head + len(source)]
    assert np.corrcoef(source[middle, 0], there[middle, 0])[0, 1] > 0.99
    assert shown(out) == shown(path)
    assert "re-encoded" in said


def test_a_file_of_varying_bit_rate_is_not_encoded_below_its_average(tmp_path: Path) -> None:
    path = made(tmp_path / "in.mp3", *LOSSY["VBR MP3"][1:])
    with Asset.open(path) as asset, av.open(str(path)) as container:
        assert audio.probe(asset).bit_rate >= container.streams.audio[0].bit_rate


def test_tags_and_cover_stay(tmp_path: Path) -> None:
    mp3, _, _ = joined(sample("mp3"), tmp_path / "mp3", [0.1], [])
    assert ID3(mp3) == ID3(sample("mp3"))
    flac, _, _ = joined(sample("flac"), tmp_path / "flac", [0.1], [])
    assert FLAC(flac).tags == FLAC(sample("flac")).tags
    assert FLAC(flac).pictures[0].data == FLAC(sample("flac")).pictures[0].data
    m4a, _, _ = joined(sample("mp4", "audio"), tmp_path / "m4a", [0.1], [])
    assert MP4(m4a).tags == MP4(sample("mp4", "audio")).tags


def test_a_cover_in_an_m4a_stays(tmp_path: Path) -> None:
    path = tmp_path / "covered.m4a"
    path.write_bytes(sample("mp4", "audio").read_bytes())
    tags = MP4(path)
    tags["covr"] = [ID3(sample("mp3")).getall("APIC")[0].data]
    tags.save()
    out, _, _ = joined(path, tmp_path / "out", [0.1], [])
    assert MP4(out).tags == tags.tags


def test_the_result_of_a_flac_decodes_without_complaint_and_its_checksum_holds(tmp_path: Path) -> None:
    out, _, _ = joined(sample("flac"), tmp_path / "out", [0.1], [0.1])
    assert run(tool("ffmpeg"), "-v", "warning", "-xerror", "-i", out, "-map", "0:a", "-f", "null", "-") == ""
    pcm = decoded_as(out, "s16le")
    md5 = FLAC(out).info.md5_signature
    assert md5 == int(run_md5(pcm), 16)


def decoded_as(path: Path, format: str) -> bytes:
    command = [tool("ffmpeg"), "-v", "error", "-i", str(path), "-map", "0:a", "-f", format, "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def run_md5(data: bytes) -> str:
    command = [tool("md5sum")]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode().split()[0]


# ---- WAV, byte by byte -----------------------------------------------------------------------------------


def wav(samples: bytes, *chunks: tuple[bytes, bytes], behind: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    fmt = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    rows = [(b"fmt ", fmt), *chunks, (b"data", samples), *behind]
    body = b"WAVE" + b"".join(_riff.chunk(kind, content) for kind, content in rows)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunks_of(data: bytes) -> dict[bytes, bytes]:
    found = _riff.chunks(data, _riff.HEADER, len(data), len(data))
    return {chunk.id: data[chunk.body : chunk.end] for chunk in found}


def longer(data: bytes, head: int, tail: int, folder: Path) -> bytes:
    with Asset.open(data) as asset:
        parts = [np.full(count, 0.5, np.float32) for count in (head, tail)]
        with audio.join(asset, parts[0], parts[1], folder).asset as result:
            return bytes(result.data)


def test_other_chunks_stay_and_marked_positions_move_with_the_samples(tmp_path: Path) -> None:
    points = struct.pack("<I", 2) + b"".join(
        struct.pack("<II4sIII", i, at, b"data", 0, 0, at) for i, at in enumerate((10, 40))
    )
    loops = bytes(28) + struct.pack("<II", 1, 0) + struct.pack("<6I", 0, 0, 5, 25, 0, 0)
    peak = struct.pack("<IIfI", 1, 0, 0.9, 7)
    source = wav(
        bytes(200), (b"fact", struct.pack("<I", 100)), (b"cue ", points), (b"smpl", loops), (b"PEAK", peak),
        (b"bext", b"x" * 603), behind=[(b"LIST", b"INFOINAM\4\0\0\0name")],
    )  # fmt: skip
    out = chunks_of(longer(source, 50, 30, tmp_path))
    assert struct.unpack("<I", out[b"fact"]) == (180,)
    assert [struct.unpack_from("<I4x4x4xI", out[b"cue "], 8 + 24 * i) for i in (0, 1)] == [(60, 60), (90, 90)]
    assert struct.unpack_from("<II", out[b"smpl"], 44) == (55, 75)
    assert struct.unpack_from("<fI", out[b"PEAK"], 8) == (pytest.approx(0.9), 57)
    assert out[b"data"] == b"\0\x40" * 50 + bytes(200) + b"\0\x40" * 30
    kept = (b"fmt ", b"bext", b"LIST")
    assert [out[kind] for kind in kept] == [chunks_of(source)[kind] for kind in kept]


def test_positions_stay_where_only_the_end_grows(tmp_path: Path) -> None:
    points = struct.pack("<I", 1) + struct.pack("<II4sIII", 0, 10, b"data", 0, 0, 10)
    out = chunks_of(longer(wav(bytes(200), (b"cue ", points)), 0, 30, tmp_path))
    assert out[b"cue "] == points


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_streamed_file_gets_its_sizes(size: int, tmp_path: Path) -> None:
    source = bytearray(wav(bytes(200)))
    source[4:8] = source[40:44] = struct.pack("<I", size)
    out = longer(bytes(source), 10, 0, tmp_path)
    assert struct.unpack_from("<I", out, 4) == (len(out) - 8,)
    assert len(chunks_of(out)[b"data"]) == 220


def test_the_padding_byte_of_an_odd_number_of_samples_comes_and_goes(tmp_path: Path) -> None:
    path = made(tmp_path / "in.wav", "-c:a", "pcm_u8", "-ar", "8000", "-t", "0.010125")
    out = longer(path.read_bytes(), 10, 0, tmp_path)
    assert len(out) == 8 + struct.unpack_from("<I", out, 4)[0]
    assert len(chunks_of(out)[b"data"]) == len(chunks_of(path.read_bytes())[b"data"]) + 10


def test_a_coding_in_blocks_is_refused_with_a_remedy(tmp_path: Path) -> None:
    path = made(tmp_path / "in.wav", "-c:a", "adpcm_ms")
    with Asset.open(path) as asset, pytest.raises(Unsupported, match="convert it to PCM"):
        audio.join(asset, tone(8000), tone(8000), tmp_path)


# ---- Listening, and files that are not what they seem ----------------------------------------------------


def test_the_ends_of_a_long_sound_are_heard_with_their_times(tmp_path: Path) -> None:
    signal = "aevalsrc='if(lt(t,50),0.1,-0.2)':d=100:s=8000"
    for suffix in ("wav", "flac", "mp3"):
        path = tmp_path / f"long.{suffix}"
        run(tool("ffmpeg"), "-v", "error", "-f", "lavfi", "-i", signal, path)
        with Asset.open(path) as asset:
            first, last = audio.ends(asset, 5)
        assert first.start == 0
        assert last.start == pytest.approx(95, abs=0.2)
        assert first.samples.size == last.samples.size == 5 * audio.LISTENING_RATE
        if suffix != "mp3":  # which does not carry a constant
            assert first.samples[1000] == pytest.approx(0.1, abs=0.01)
            assert last.samples[1000] == pytest.approx(-0.2, abs=0.01)


def test_a_short_sound_is_one_window() -> None:
    with Asset.open(sample("wav")) as asset:
        [window] = audio.ends(asset, 30)
    assert window.total == pytest.approx(3.6, abs=0.001)


def test_no_sound_at_all_is_bad_input(tmp_path: Path) -> None:
    with Asset.open(wav(b"")) as asset:
        with pytest.raises(BadInput, match="holds no sound"):
            audio.probe(asset)
        with pytest.raises(BadInput, match="holds no sound"):
            audio.ends(asset, 30)


@pytest.mark.parametrize(("container", "name"), [("flac", "encoded.flac"), ("mp3", "encoded.mp3")])
def test_a_full_disk_is_told_from_a_broken_sound(container: str, name: str, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    (tmp_path / name).symlink_to("/dev/full")
    with Asset.open(sample(container)) as asset, pytest.raises(BadInput, match="free space"):
        audio.join(asset, tone(audio.probe(asset).rate), tone(8000)[:0], tmp_path)


def test_a_coding_nobody_decodes_is_refused_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(bytes(800)).replace(b"fmt \x10\0\0\0\x01\0", b"fmt \x10\0\0\0\x34\x12"))
    with Asset.open(path) as asset, pytest.raises(Unsupported, match=r"no decoder .*; convert"):
        audio.ends(asset, 5)


def test_two_tracks_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "two.m4a"
    source = str(sample("mp4", "audio"))
    run(tool("ffmpeg"), "-v", "error", "-i", source, "-map", "0:a", "-map", "0:a", "-c", "copy", path)
    with Asset.open(path) as asset, pytest.raises(Unsupported, match="2 audio tracks"):
        audio.probe(asset)


def test_a_container_whose_sound_is_not_decoded_says_so() -> None:
    with Asset.open(sample("png")) as asset, pytest.raises(Unsupported, match="PNG"):
        audio.probe(asset)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["wav", "flac", "mp3"]),
    changes=st.lists(st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=4)), max_size=5),
    cut=st.integers(200, 30000),
)
def test_mutated_files_raise_nothing_but_toolkit_errors(
    name: str, changes: list[tuple[int, bytes]], cut: int, tmp_path: Path
) -> None:
    data = bytearray(sample(name).read_bytes()[:cut])
    for at, new in changes:
        data[at : at + len(new)] = new
    with contextlib.suppress(ToolkitError), Asset.open(bytes(data)) as asset:
        with contextlib.suppress(ToolkitError):
            audio.ends(asset, 1)
        audio.join(asset, tone(8000, 0.01), tone(8000, 0.01), tmp_path).asset.close()
