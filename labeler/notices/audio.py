"""Audible notices: a spoken cue or the rhythm 短长 短短, put before or behind the sound and found again.

GB 45438-2025 5.3: a voice at normal speed (note: Chinese about 120 to 160 characters a minute) or the rhythm, at the
start, the end or in the middle. The standard gives the rhythm neither pitch nor tempo; these follow what is in use.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import av
import numpy as np

from labeler.asset import Asset
from labeler.codecs import audio
from labeler.codecs.audio import LISTENING_RATE, Samples, Window
from labeler.notices import Edited, Sighting, _listening
from labeler.notices._listening import Heard
from policies.errors import BadInput

CUES = ("voice", "rhythm")
LANGUAGES = {"zh": ("zh",), "en": ("en",), "zh-en": ("zh", "en")}
"""The languages to choose from, and the recordings that are played for each."""
PLACES = ("start", "end", "both")

_UNIT = 0.12  # seconds of the short tone
_PITCH = 1046.5  # Hz, the C two octaves above middle C
_EDGE = 0.005  # seconds in which a tone swells and fades, against clicks
_GAP = 0.2  # seconds between the cue and the sound
_PAUSE = 0.4  # seconds between two languages
_WINDOW = 30.0  # seconds listened to at each end
_NEAR = 3.0  # seconds from an end that still are the start or the end

# The cue is as loud as what it announces, within limits (root mean square): never lost, never a shock.
_QUIETEST, _LOUDEST = 10 ** (-30 / 20), 10 ** (-18 / 20)
_PEAK = 10 ** (-1 / 20)
_BLOCK = int(0.4 * LISTENING_RATE)
_SILENCE = 10 ** (-50 / 20)


@dataclass(frozen=True, slots=True)
class Notice:
    """A cue as planned: "voice" or "rhythm", the voice's language, and its place in the sound."""

    cue: str
    language: str
    place: str

    def __post_init__(self) -> None:
        for what, value, known in (
            ("cue", self.cue, CUES),
            ("language", self.language, tuple(LANGUAGES)),
            ("place", self.place, PLACES),
        ):
            if value not in known:
                raise BadInput(f"no {what} {value!r} for sound; try: {', '.join(known)}")

    def facts(self) -> dict[str, Any]:
        if self.cue == "rhythm":
            return _rhythm_facts(_UNIT) | {"place": self.place}
        return _spoken_facts(LANGUAGES[self.language]) | {"place": self.place}


@dataclass(frozen=True, slots=True)
class Recording:
    """A packaged voice: what it says, how many Chinese characters a minute (0 for others), and its sound."""

    text: str
    rate: float
    hertz: int
    samples: Samples


def draw(asset: Asset, notice: Notice, scratch: Path) -> Edited:
    """The sound with the cue and a short silence before it, behind it or both, in its own codec."""
    sound = audio.probe(asset)
    cue = _cue(notice, sound.rate) * _gain(notice, audio.ends(asset, _WINDOW)[0])
    gap = np.zeros(round(_GAP * sound.rate), np.float32)
    nothing = np.zeros(0, np.float32)
    head = np.concatenate([cue, gap]) if notice.place in ("start", "both") else nothing
    tail = np.concatenate([gap, cue]) if notice.place in ("end", "both") else nothing
    joined = audio.join(asset, head, tail, scratch)
    return Edited(joined.asset, {"sound": joined.untouched})


def find(asset: Asset, planned: Notice | None = None) -> list[Sighting]:
    """biaoshi's own cues in the first and the last half minute; a planned one is among the usual ones."""
    return [sighting for window in audio.ends(asset, _WINDOW) for sighting in _sightings(window)]


def _sightings(window: Window) -> Iterator[Sighting]:
    power = _listening.power_of(window.samples)
    for heard in _listening.rhythms(power):
        yield _sighting("the rhythm 短长 短短", heard, window, _rhythm_facts(heard.unit))
    for languages, heard in _spoken(power):
        facts = _spoken_facts(languages)
        yield _sighting(f"the voice saying {facts['text']!r}", heard, window, facts)


def _spoken(power: _listening.Rows) -> list[tuple[tuple[str, ...], Heard]]:
    """The voices in order of time; what follows shortly on another language is one cue with it."""
    voices: list[tuple[tuple[str, ...], Heard]] = [
        ((name,), heard) for name in _recordings() for heard in _listening.recordings(power, _template(name))
    ]
    joined: list[tuple[tuple[str, ...], Heard]] = []
    for languages, heard in sorted(voices, key=lambda voice: voice[1].start):
        if joined and 0 <= heard.start - joined[-1][1].stop < 2 * _PAUSE and languages[0] not in joined[-1][0]:
            before, first = joined.pop()
            languages = (*before, *languages)
            heard = replace(first, stop=heard.stop, score=min(first.score, heard.score))
        joined.append((languages, heard))
    return joined


def _sighting(what: str, heard: Heard, window: Window, facts: dict[str, Any]) -> Sighting:
    start, stop = window.start + max(heard.start, 0.0), min(window.start + heard.stop, window.total)
    where = f"{start:.1f} to {stop:.1f} s"
    place = _place(start, window.total - stop)
    return Sighting(f"{what}, {where}", round(heard.score, 3), where, facts | {"place": place})


def _place(before: float, behind: float) -> str:
    """Where a cue lies with that many seconds of sound before and behind it."""
    if min(before, behind) > _NEAR:
        return "middle"
    return "start" if before <= behind else "end"


def _rhythm_facts(unit: float) -> dict[str, Any]:
    return {"form": "rhythm", "text": "短长 短短", "pattern": "short-long short-short", "unit": round(unit, 3)}


def _spoken_facts(languages: Sequence[str]) -> dict[str, Any]:
    spoken = [_recordings()[language] for language in languages]
    facts: dict[str, Any] = {"form": "voice", "text": " ".join(recording.text for recording in spoken)}
    # The note's number is one of Chinese characters; it says nothing of other languages.
    rates = [recording.rate for recording in spoken if recording.rate]
    return facts | ({"rate": rates[0]} if rates else {})


# ---- The cues --------------------------------------------------------------------------------------------


def _cue(notice: Notice, rate: int) -> Samples:
    """The cue at full scale and at the sound's rate."""
    if notice.cue == "rhythm":
        return _rhythm(rate)
    parts: list[Samples] = []
    for language in LANGUAGES[notice.language]:
        recording = _recordings()[language]
        pause = np.zeros(round(_PAUSE * rate) if parts else 0, np.float32)
        parts += [pause, audio.resampled(recording.samples, recording.hertz, rate)]
    return np.concatenate(parts)


def _rhythm(rate: int) -> Samples:
    """短长 短短: tones with soft edges."""
    gate = _listening.pattern(max(1, round(_UNIT * rate)))
    edge = max(1, round(_EDGE * rate))
    rise = np.sin(np.linspace(0, np.pi / 2, edge)) ** 2
    swell = np.diff(rise, prepend=0.0)
    soft = np.convolve(gate, swell)[: gate.size]
    # The tones fade where the gate has closed; the last one needs a little room to do so.
    soft = np.concatenate([soft, 1 - rise])
    times = np.arange(soft.size) / rate
    tone: Samples = (soft * np.sin(2 * np.pi * min(_PITCH, rate / 4) * times)).astype(np.float32)
    return tone


def _gain(notice: Notice, window: Window) -> float:
    """What brings the cue to the loudness of the sound's first half minute, without its peaks being cut."""
    cue = _cue(notice, LISTENING_RATE)
    level = min(max(_level(window.samples), _QUIETEST), _LOUDEST)
    return float(min(level / _level(cue), _PEAK / np.abs(cue).max()))


def _level(samples: Samples) -> float:
    """Root mean square of the blocks of 0.4 s that are not silence; 0 where all are."""
    count = max(1, samples.size // _BLOCK)
    blocks = [float(np.mean(block.astype(np.float64) ** 2)) for block in np.array_split(samples, count)]
    heard = [square for square in blocks if square > _SILENCE**2]
    return float(np.sqrt(np.mean(heard))) if heard else 0.0


@cache
def _recordings() -> dict[str, Recording]:
    """The packaged voices by language, as cues.toml lists them."""
    folder = resources.files("labeler.notices") / "cues"
    rows = tomllib.loads((folder / "cues.toml").read_text("utf-8"))
    found = {}
    for language, row in rows.items():
        with (folder / f"{language}.flac").open("rb") as file, av.open(file, "r", format="flac") as container:
            frames = list(container.decode(container.streams.audio[0]))
        samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        scaled = (samples / 32768).astype(np.float32)
        found[language] = Recording(row["text"], row.get("rate", 0.0), frames[0].sample_rate, scaled)
    return found


@cache
def _template(language: str) -> _listening.Rows:
    """The power spectrogram that a recording is recognised by."""
    recording = _recordings()[language]
    return _listening.power_of(audio.resampled(recording.samples, recording.hertz, LISTENING_RATE))
