"""Speaks the voice cues of this folder and measures them: `python labeler/notices/cues/make.py` (needs espeak-ng).

Detection compares with these recordings, so a file labelled with an older recording is no longer recognised:
make them anew only with the version that is to be released.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
RATE = 24000
_LEVEL = 0.1  # root mean square of the speech: -20 dBFS, with room for its peaks
_HEARD = 0.01  # of full scale; quieter is the silence around the words
_EDGE = 0.03  # seconds of that silence kept

# GB 45438-2025 5.3, note: about 120 to 160 Chinese characters a minute. Measured: -s 150 gives 142.
CUES = {
    "zh": ("cmn", 150, "本内容由人工智能生成"),
    "en": ("en-us", 140, "This content is AI-generated"),
}


def make() -> None:
    """Write a recording for each language, and cues.toml with what was measured on it."""
    rows = ["# Written by make.py: espeak-ng's voices, trimmed, at -20 dBFS. rate: Chinese characters a minute.\n"]
    for language, (voice, speed, text) in CUES.items():
        samples, spoken = _trimmed(_resampled(*_spoken(voice, speed, text)))
        _save(samples * (_LEVEL / np.sqrt(np.mean(samples**2))), HERE / f"{language}.flac")
        rows.append(f'\n[{language}]\ntext = "{text}"\nseconds = {spoken:.3f}\n')
        if language == "zh":
            rows.append(f"rate = {len(text) / spoken * 60:.1f}\n")
    (HERE / "cues.toml").write_text("".join(rows), "utf-8")


def _spoken(voice: str, speed: int, text: str) -> tuple[NDArray[np.float32], int]:
    espeak = shutil.which("espeak-ng")
    if espeak is None:
        raise SystemExit("espeak-ng is not installed: apt-get install espeak-ng")
    command = [espeak, "-v", voice, "-s", str(speed), "--stdout", text]
    sound = subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603
    with wave.open(io.BytesIO(sound)) as file:
        samples = np.frombuffer(file.readframes(1 << 24), "<i2")
        return (samples / 32768).astype(np.float32), file.getframerate()


def _resampled(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
    frame.sample_rate = rate
    parts: list[Any] = [part.to_ndarray()[0] for step in (frame, None) for part in resampler.resample(step)]
    return np.concatenate(parts)


def _trimmed(samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """The words with a little silence around them, and how long the words alone take in seconds."""
    heard = np.flatnonzero(np.abs(samples) > _HEARD)
    edge = int(_EDGE * RATE)
    kept = samples[max(0, heard[0] - edge) : heard[-1] + edge]
    return kept, float(heard[-1] - heard[0]) / RATE


def _save(samples: NDArray[np.float32], path: Path) -> None:
    with av.open(str(path), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono", options={"compression_level": "12"})
        frame = av.AudioFrame.from_ndarray(
            (np.clip(samples, -1, 1) * 32767).astype("<i2")[None], format="s16", layout="mono"
        )
        frame.sample_rate = RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])


if __name__ == "__main__":
    make()
