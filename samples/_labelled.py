"""Labelled samples, and what is left of their labels after one step through tools that everybody uses."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import docx
from _blanks import undated
from _wild import NUMBER, PRODUCER
from PIL import Image, ImageOps

from labeler import AigcLabel, label

LABEL = AigcLabel.produced(PRODUCER, NUMBER)


def write(folder: Path) -> None:
    """`labelled` beside each blank sample below `folder`, and `stripped` where a tool loses the item."""
    for blank in sorted(folder.glob("*/blank.*")):
        labelled = blank.with_stem("labelled")
        label(blank, labelled, LABEL, force=True)
        if pass_on := TOOLS.get(blank.parent.name):
            pass_on(labelled, blank.with_stem("stripped"))


def resave(source: Path, target: Path) -> None:
    """Pillow, as image hosts do: turned upright and encoded again."""
    with Image.open(source) as picture:
        ImageOps.exif_transpose(picture).save(target, quality=85)


def remux(source: Path, target: Path) -> None:
    """ffmpeg with its defaults: no sample changes, yet MP4's keys and WAV's unknown chunks are gone."""
    _ffmpeg(source, target)


def remux_clean(source: Path, target: Path) -> None:
    """ffmpeg told to leave the tags out, as upload sites do."""
    _ffmpeg(source, target, "-map_metadata", "-1")


def _ffmpeg(source: Path, target: Path, *options: str) -> None:
    flags = ("-map", "0", "-c", "copy", *options, "-fflags", "+bitexact")
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", str(source), *flags, str(target)], check=True)


def pages(source: Path, target: Path) -> None:
    """qpdf taking the pages into a new document, as merging and splitting do."""
    command = ["qpdf", "--deterministic-id", "--empty", "--pages", str(source), "--", str(target)]
    subprocess.run(command, check=True)


def paste(source: Path, target: Path) -> None:
    """The paragraphs pasted into a new document."""
    document = docx.Document()
    for paragraph in docx.Document(str(source)).paragraphs:
        document.add_paragraph(paragraph.text)
    buffer = io.BytesIO()
    document.save(buffer)
    target.write_bytes(undated(buffer.getvalue()))


def body(source: Path, target: Path) -> None:
    """The text without its front matter, as static site generators and chats take it over."""
    target.write_text(source.read_text("utf-8").split("---\n", 2)[2].lstrip("\n"), "utf-8")


def fragment(source: Path, target: Path) -> None:
    """The page's body in a frame of its own, as content management systems take it over."""
    text = source.read_text("utf-8")
    target.write_text(f"<!DOCTYPE html>\n<meta charset='utf-8'>\n{text[text.index('<body class') :]}", "utf-8")


TOOLS: dict[str, Callable[[Path, Path], None]] = {
    "png": resave,
    "jpeg": resave,
    "webp": resave,
    "mp4": remux,
    "wav": remux,
    "mp3": remux_clean,
    "flac": remux_clean,
    "pdf": pages,
    "docx": paste,
    "markdown": body,
    "html": fragment,
}
"""Container -> the step; plain text has no item to lose."""
