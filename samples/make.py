"""Make the samples anew: `make samples`. Needs biaoshi, its test extra, ffmpeg, espeak-ng, exiv2 and qpdf."""

from __future__ import annotations

from pathlib import Path

import _blanks
import _labelled
import _wild

FOLDER = Path(__file__).parent

if __name__ == "__main__":
    _blanks.write(FOLDER)
    _wild.write(FOLDER)
    _labelled.write(FOLDER)
