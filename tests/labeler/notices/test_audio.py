"""Audible notices: what is planned is drawn, heard again after hard use, and told from what only resembles it."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.asset import Asset
from labeler.codecs.audio import LISTENING_RATE
from labeler.notices import Sighting, _listening, audio, plan
from labeler.notices.audio import Notice
from policies.errors import BadInput
from policies.policy import load
from policies.terms import Media
from tests.conftest import run, sample, tool

SOURCES = {
    "wav": sample("wav"),
    "flac": sample("flac"),
    "mp3": sample("mp3"),
    "m4a": sample("mp4", "audio"),
}
ZH, EN = "本内容由人工智能生成", "This content is AI-generated"


def drawn(source: Path, notice: Notice, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    out = folder / f"labelled{source.suffix}"
    with Asset.open(source) as asset, audio.draw(asset, notice, folder).asset as result:
        out.write_bytes(bytes(result.data))
    return out


def found(path: Path) -> list[Sighting]:
    with Asset.open(path) as asset:
        return audio.find(asset)


def noisy(path: Path, out: Path) -> Path:
    """The sound with white noise 15 dB below it, as MP3 at 64 kbit/s."""
    raw = subprocess.run(
        [tool("ffmpeg"), "-v", "error", "-i", str(path), "-map", "0:a", "-ac", "1", "-f", "f32le", "-ar", "44100", "-"],
        capture_output=True,
        check=True,
    ).stdout
    sound = np.frombuffer(raw, "<f4")
    level = np.sqrt(np.mean(sound[np.abs(sound) > 1e-4] ** 2)) * 10 ** (-15 / 20)
    sound = (sound + np.random.default_rng(7).normal(0, level, sound.size)).astype("<f4")
    command = [tool("ffmpeg"), "-v", "error", "-y", "-f", "f32le", "-ar", "44100", "-ac", "1", "-i", "-"]
    subprocess.run([*command, "-b:a", "64k", str(out)], input=sound.tobytes(), check=True)
    return out


def music(seed: int, seconds: float = 8) -> audio.Samples:
    """Decaying notes of four harmonics in no rhythm."""
    random = np.random.default_rng(seed)
    sound = np.zeros(int(seconds * LISTENING_RATE))
    at = 0
    while at < sound.size:
        length = min(int(random.choice([0.1, 0.2, 0.3, 0.4]) * LISTENING_RATE), sound.size - at)
        times = np.arange(length) / LISTENING_RATE
        pitch = 220 * 2 ** (random.integers(0, 24) / 12)
        for harmonic in (1, 2, 3, 4):
            tone = np.sin(2 * np.pi * pitch * harmonic * times) / harmonic
            sound[at : at + length] += tone * np.exp(-times * random.uniform(2, 8))
        at += length
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def morse(code: str, unit: float, pitch: float) -> audio.Samples:
    step = int(unit * LISTENING_RATE)
    gate = np.concatenate(
        [np.zeros(6 * step)]
        + [np.repeat({".": [1.0, 0], "-": [1.0, 1, 1, 0], " ": [0.0, 0]}[sign], step) for sign in code]
        + [np.zeros(6 * step)]
    )
    return (0.3 * gate * np.sin(2 * np.pi * pitch * np.arange(gate.size) / LISTENING_RATE)).astype(np.float32)


def best(samples: audio.Samples) -> list[_listening.Heard]:
    return _listening.rhythms(_listening.power_of(samples))


@pytest.mark.parametrize("suffix", SOURCES)
@pytest.mark.parametrize(
    ("notice", "text", "places"),
    [
        (Notice("voice", "zh", "start"), ZH, ["start"]),
        (Notice("voice", "zh-en", "both"), f"{ZH} {EN}", ["start", "end"]),
        (Notice("rhythm", "zh", "end"), "短长 短短", ["end"]),
    ],
)
def test_a_cue_is_found_where_it_was_put(
    suffix: str, notice: Notice, text: str, places: list[str], tmp_path: Path
) -> None:
    sightings = found(drawn(SOURCES[suffix], notice, tmp_path))
    assert [s.facts["place"] for s in sightings] == places
    assert {s.facts["text"] for s in sightings} == {text}
    assert {s.facts["form"] for s in sightings} == {notice.cue}
    assert all(s.confidence > 0.9 for s in sightings)


@pytest.mark.parametrize("cue", audio.CUES)
@pytest.mark.parametrize("place", ["start", "end"])
def test_a_cue_outlives_mp3_at_64_kbit_and_noise(cue: str, place: str, tmp_path: Path) -> None:
    [sighting] = found(noisy(drawn(SOURCES["wav"], Notice(cue, "zh", place), tmp_path), tmp_path / "worn.mp3"))
    assert sighting.facts["place"] == place


@pytest.mark.parametrize("place", audio.PLACES)
def test_the_sound_grows_by_the_cue_and_a_short_silence(place: str, tmp_path: Path) -> None:
    def seconds(path: Path) -> float:
        shown = run(tool("ffprobe"), "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path)
        return float(shown)

    rhythm = 11 * 0.12 + 0.005 + 0.2
    for source in SOURCES.values():
        out = drawn(source, Notice("rhythm", "zh", place), tmp_path / source.suffix[1:])
        grown = seconds(out) - seconds(source)
        assert grown == pytest.approx(rhythm * (2 if place == "both" else 1), abs=2048 / 22050)


def test_unlabelled_samples_hold_no_cue() -> None:
    for source in SOURCES.values():
        assert found(source) == []


def test_a_second_label_finds_the_first(tmp_path: Path) -> None:
    once = drawn(SOURCES["flac"], Notice("voice", "en", "start"), tmp_path)
    assert [s.facts["text"] for s in found(once)] == [EN]


def test_a_cue_inside_a_long_sound_is_found_with_its_time(tmp_path: Path) -> None:
    long = tmp_path / "long.wav"
    run(tool("ffmpeg"), "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=80:a=0.05:r=8000:seed=1", long)
    with Asset.open(drawn(long, Notice("rhythm", "zh", "both"), tmp_path)) as asset:
        first, last = audio.find(asset)
    assert first.where.startswith("0.0 to 1.3")
    assert last.where.startswith("81.7 to 83.0")


@pytest.mark.parametrize(
    ("field", "notice"),
    [("cue", ("bell", "zh", "start")), ("language", ("voice", "fr", "start")), ("place", ("voice", "zh", "middle"))],
)
def test_what_is_not_known_is_refused_with_what_is(field: str, notice: tuple[str, str, str]) -> None:
    with pytest.raises(BadInput, match=rf"no {field} .*; try: "):
        Notice(*notice)


def test_chinas_rule_refuses_a_cue_in_english_alone_and_takes_the_others() -> None:
    with pytest.raises(BadInput, match=r"GB 45438-2025 5\.3"):
        plan(load("cn"), Media.AUDIO, {"language": "en"})
    for options in ({"language": "zh"}, {"language": "zh-en"}, {"cue": "rhythm", "language": "en"}):
        assert plan(load("cn"), Media.AUDIO, options).facts()["place"] == "start"  # type: ignore[arg-type]


def test_the_chinese_voice_speaks_as_fast_as_the_note_says_by_its_own_recording() -> None:
    facts = Notice("voice", "zh", "start").facts()
    recording = audio._recordings()["zh"]
    heard = np.flatnonzero(np.abs(recording.samples) > 0.01)
    seconds = float(heard[-1] - heard[0]) / recording.hertz
    assert facts["rate"] == pytest.approx(len(ZH) / seconds * 60, rel=0.02)
    assert 120 <= facts["rate"] <= 160
    assert "rate" not in Notice("voice", "en", "start").facts()


@pytest.mark.parametrize("rate", [8000, 44100])
def test_the_rhythm_is_short_long_short_short_with_soft_edges(rate: int) -> None:
    sound = audio._rhythm(rate)
    unit = int(0.12 * rate)
    loud = [float(np.abs(sound[i * unit + unit // 4 : (i + 1) * unit - unit // 4]).max()) > 0.5 for i in range(11)]
    assert "".join("#" if tone else "." for tone in loud) == "#.###...#.#"
    assert np.abs(np.diff(sound)).max() <= 2 * np.pi * 1046.5 / rate + 0.05
    assert abs(sound[0]) < 0.01
    assert abs(sound[-1]) < 0.01


@pytest.mark.parametrize("unit", [0.06, 0.08, 0.1, 0.12, 0.15])
@pytest.mark.parametrize("pitch", [600, 800, 1200])
def test_the_rhythm_of_others_is_found_at_their_tempo_and_pitch(unit: float, pitch: int) -> None:
    [heard] = best(np.concatenate([morse(".- ..", unit, pitch), music(3, 3)]))
    assert heard.unit == pytest.approx(unit, abs=0.005)
    assert heard.start == pytest.approx(6 * unit, abs=0.05)


@pytest.mark.parametrize("code", ["... --- ...", ".- -.", ".- .-", ".. ..", ".- ...", ".- .", ".- ....", ". -"])
def test_other_morse_is_not_the_rhythm(code: str) -> None:
    assert [heard for unit in (0.06, 0.1, 0.12) for heard in best(morse(code, unit, 1046.5))] == []


@pytest.mark.parametrize("seed", range(6))
def test_music_and_noise_are_no_cue(seed: int) -> None:
    hiss = np.random.default_rng(seed).normal(0, 0.15, 8 * LISTENING_RATE).astype(np.float32)
    for sound in (music(seed), hiss):
        power = _listening.power_of(sound)
        assert _listening.rhythms(power) == []
        assert [h for name in ("zh", "en") for h in _listening.recordings(power, audio._template(name))] == []


@pytest.mark.parametrize(
    ("voice", "speed", "text"),
    [
        ("cmn", 150, "本内容由人工编辑制作"),
        ("cmn", 150, "本内容由人工智能审核"),
        ("cmn", 150, "本内容不由人工智能生成"),
        ("cmn", 150, "今天天气很好我们去公园散步吧看见很多花和树"),
        ("en-us", 140, "This content is not AI-generated"),
        ("en-us", 140, "This content is AI-moderated"),
        ("en-us", 140, "This content is hand generated"),
    ],
)
def test_the_same_voice_with_other_words_is_no_cue(voice: str, speed: int, text: str, tmp_path: Path) -> None:
    path = tmp_path / "spoken.wav"
    run(tool("espeak-ng"), "-v", voice, "-s", str(speed), "-w", path, text)
    assert found(path) == []


def test_the_cue_is_as_loud_as_the_sound_within_limits(tmp_path: Path) -> None:
    def level(gain: float) -> float:
        source = tmp_path / f"at{gain}.wav"
        run(tool("ffmpeg"), "-v", "error", "-f", "lavfi", "-i", f"anoisesrc=d=4:a={gain}:r=16000:seed=1", source)
        out = drawn(source, Notice("voice", "zh", "start"), tmp_path / f"{gain}")
        cue = np.frombuffer(out.read_bytes()[44 : 44 + 2 * 4 * 16000], "<i2") / 32768
        assert np.abs(cue).max() < 0.95
        return float(20 * np.log10(np.sqrt(np.mean(cue**2))))

    assert level(0.0001) == pytest.approx(-30, abs=1.5)
    assert level(0.05) == pytest.approx(20 * np.log10(0.05 / np.sqrt(3)), abs=2)
    assert -21 < level(0.9) < -17


@settings(max_examples=15, deadline=None)
@given(st.binary(max_size=4000))
def test_any_samples_can_be_listened_to(noise: bytes) -> None:
    samples = np.frombuffer(noise[: len(noise) & ~1], "<i2").astype(np.float32) / 32768
    power = _listening.power_of(samples)
    assert _listening.rhythms(power) == []
    assert _listening.recordings(power, audio._template("zh")) == []
