"""A picture generator that hands out nothing unlabelled: the bytes are labelled before anybody sees them.

python samples/pipelines/image.py FOLDER writes dunes-1.png, dunes-2.png, … and prints each one's number.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from labeler import AigcLabel, Labelled, label

SERVICE = AigcLabel.produced("Example-Studio")  # your name or 27-character provider code


def generate(seed: int, width: int = 480, height: int = 320) -> NDArray[np.uint8]:
    """Stands in for your model: dunes under an evening sky, RGB, height x width x 3."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    picture = np.stack([0.95 - 0.5 * y, 0.55 + 0.1 * y, 0.4 + 0.4 * (1 - y)], -1)
    for depth in np.linspace(0.45, 0.95, 5):
        waves, phase = random.uniform(2, 6), random.uniform(0, 6)
        ridge = depth + 0.06 * np.sin(waves * 6.28 * x + phase) * (1.2 - depth)
        sand = np.array([0.85, 0.6, 0.35]) * (1.15 - 0.7 * depth) + 0.03 * random.normal(size=(height, width, 1))
        picture = np.where((y > ridge)[..., None], sand, picture)
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """The encoder that the pipeline has anyway."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def pipeline(seeds: range) -> Iterator[Labelled]:
    """Each picture with its notice and its AIGC item; `data` is the finished PNG, `label` what to keep on record."""
    for seed in seeds:
        yield label(encode(generate(seed)), None, SERVICE, name=f"dunes-{seed}.png")


def main(folder: Path) -> None:
    for made in pipeline(range(1, 4)):
        assert made.data is not None  # no target was named
        (folder / made.source).write_bytes(made.data)
        print(made.source, made.label.produce_id)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
