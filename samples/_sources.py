"""What the blank samples are made of: photographs, moving pictures, sound and prose, all free of rights."""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage import data as photographs

Pixels = NDArray[np.uint8]

RATE = 22050
TITLE = "Homeward"
SPOKEN = "Three, two, one, ignition, and lift-off."

# Li Bai (701-762); Lu Xun, "My Old Home" (1921); Thoreau, "Walden" (1854): all in the public domain.
POEM = ("静夜思", "李白", ("床前明月光，疑是地上霜。", "举头望明月，低头思故乡。"))
ESSAY = (
    "我在朦胧中，眼前展开一片海边碧绿的沙地来，上面深蓝的天空中挂着一轮金黄的圆月。"
    "我想：希望是本无所谓有，无所谓无的。这正如地上的路；其实地上本没有路，走的人多了，也便成了路。"
)
WALDEN = (
    "I went to the woods because I wished to live deliberately, to front only the essential facts of life, "
    "and see if I could not learn what it had to teach, and not, when I came to die, discover that I had not lived.",
    "Time is but the stream I go a-fishing in. I drink at it; but while I drink I see the sandy bottom and detect "
    "how shallow it is. Its thin current slides away, but eternity remains.",
)


def cat() -> Image.Image:
    """Chelsea, 451 x 300; CC0 by Stefan van der Walt."""
    return Image.fromarray(photographs.chelsea())


def coffee(width: int = 600) -> Image.Image:
    """A cup of coffee, 3:2; CC0 by Rachel Michetti."""
    return _fit(Image.fromarray(photographs.coffee()), width)


def rocket(width: int = 640) -> Image.Image:
    """The launch of DSCOVR, 3:2; released into the public domain by SpaceX."""
    return _fit(Image.fromarray(photographs.rocket()), width)


def rounded(picture: Image.Image, radius: int = 40) -> Image.Image:
    """The picture with transparent corners whose edges are soft."""
    mask = Image.new("L", (picture.width * 4, picture.height * 4))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, mask.width - 1, mask.height - 1), radius * 4, fill=255)
    picture = picture.copy()
    picture.putalpha(mask.resize(picture.size, Image.Resampling.LANCZOS))
    return picture


def zoom(picture: Image.Image, width: int, height: int, frames: int) -> Iterator[Pixels]:
    """A slow move into the picture with film grain: `frames` RGB frames of height x width."""
    noise = np.random.default_rng(7)
    for number in range(frames):
        grown = 1 - 0.25 * number / max(frames - 1, 1)
        w, h = picture.width * grown, picture.width * grown * height / width
        left, top = (picture.width - w) * 0.4, (picture.height - h) * 0.6
        still = picture.resize((width, height), Image.Resampling.BICUBIC, (left, top, left + w, top + h))
        grain = noise.normal(0, 2.5, (height, width, 1))
        yield np.clip(np.asarray(still, np.float32) + grain, 0, 255).astype(np.uint8)


@cache
def speech(voice: str = "en-gb", text: str = SPOKEN) -> NDArray[np.float32]:
    """espeak-ng reading the text: mono at RATE, full scale 1.0."""
    command = ["espeak-ng", "-v", voice, "-s", "150", "--stdout", text]
    done = subprocess.run(command, capture_output=True, check=True)
    head = done.stdout.index(b"data") + 8  # a streamed WAV does not know its length
    return np.frombuffer(done.stdout[head:], "<i2").astype(np.float32) / 32768


@cache
def music(seconds: float = 3.6) -> NDArray[np.float32]:
    """Four plucked chords, stereo at RATE: shape (samples, 2), full scale 1.0."""
    chords = ((220.0, 277.18, 329.63), (246.94, 293.66, 369.99), (196.0, 246.94, 293.66), (220.0, 277.18, 440.0))
    length = int(seconds * RATE)
    mix = np.zeros((length, 2), np.float32)
    for number, chord in enumerate(chords):
        start = number * length // len(chords)
        time = np.arange(length - start) / RATE
        for note, pitch in enumerate(chord):
            harmonics = sum(np.sin(2 * np.pi * pitch * k * time) / k**2 for k in (1, 2, 3, 4))
            tone = 0.12 * np.exp(-2.2 * time) * harmonics
            mix[start:, 0] += (0.4 + 0.1 * note) * tone
            mix[start:, 1] += (0.6 - 0.1 * note) * tone
    return mix


def song(seconds: float = 3.6) -> NDArray[np.float32]:
    """Speech in the middle over music."""
    mix = 0.7 * music(seconds)
    voice = speech()[: len(mix)]
    mix[: len(voice)] += 0.6 * voice[:, None]
    return np.clip(mix, -1, 1).astype(np.float32)


def save_wav(samples: NDArray[np.float32], path: Path) -> Path:
    """16-bit PCM at RATE, mono or stereo."""
    pcm = np.round(np.atleast_2d(samples.T).T * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(pcm.shape[1])
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm.tobytes())
    return path


def _fit(picture: Image.Image, width: int) -> Image.Image:
    if picture.width == width:
        return picture
    return picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
