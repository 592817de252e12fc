"""A video generator whose frames go through one encoder and come out labelled, without touching the disk.

python samples/pipelines/video.py TARGET.mp4 writes two and a half seconds of moving waves.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from labeler import AigcLabel, Labelled, label

SERVICE = AigcLabel.produced("Example-Studio")  # your name or 27-character provider code


def generate(frames: int = 75, width: int = 320, height: int = 180) -> Iterator[NDArray[np.uint8]]:
    """Stands in for your model: RGB frames, height x width x 3."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    for number in range(frames):
        time = number / 25
        swell = np.sin(9 * x + 3 * time) * np.cos(7 * y - 2 * time)
        frame = np.stack([0.2 + 0.1 * swell, 0.45 + 0.2 * swell, 0.6 + 0.3 * swell], -1)
        yield np.round(np.clip(frame, 0, 1) * 255).astype(np.uint8)


def encode(frames: Iterator[NDArray[np.uint8]], width: int = 320, height: int = 180, rate: int = 25) -> bytes:
    """The pipeline's one encoder: H.264 in MP4, in memory."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for pixels in frames:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        film.mux(stream.encode())
    return buffer.getvalue()


def pipeline() -> Labelled:
    """The finished film in `data`, its number in `label.produce_id`."""
    return label(encode(generate()), None, SERVICE, name="waves.mp4")


if __name__ == "__main__":
    made = pipeline()
    assert made.data is not None  # no target was named
    Path(sys.argv[1]).write_bytes(made.data)
    print(made.label.produce_id, dict(made.untouched))
