"""The blank samples: one real file a container, with the metadata that real files carry and no label."""

from __future__ import annotations

import datetime
import io
import struct
import subprocess
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from html import escape
from pathlib import Path

import _packages as packages
import _sources as sources
import docx
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, COMM, ID3, TIT2, TPE1
from mutagen.mp4 import MP4
from PIL import Image, ImageCms, PngImagePlugin

_EXACT = ("-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact", "-map_metadata", "-1")
_X264 = ("-c:v", "libx264", "-preset", "slow", "-crf", "26", "-bf", "2", "-g", "50", "-threads", "1")


def write(folder: Path) -> None:
    """Every blank sample below `folder`, one folder a container."""
    for name, make in {
        "png/blank.png": png,
        "jpeg/blank.jpg": jpeg,
        "webp/blank.webp": webp,
        "mp4/blank.mp4": mp4,
        "mp4/quicktime.mov": quicktime,
        "mp4/audio.m4a": m4a,
        "mp3/blank.mp3": mp3,
        "wav/blank.wav": wav,
        "flac/blank.flac": flac,
        "txt/blank.txt": text,
        "markdown/blank.md": markdown,
        "html/blank.html": html,
        "docx/blank.docx": word,
        "xlsx/blank.xlsx": packages.workbook,
        "pptx/blank.pptx": slides,
        "odf/blank.odt": packages.odt,
        "odf/workbook.ods": packages.ods,
        "odf/slides.odp": packages.odp,
        "epub/blank.epub": book,
        "pdf/blank.pdf": pdf,
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)


# ---- pictures ---------------------------------------------------------------------------------------------


def png(path: Path) -> None:
    """Text before the pixels, an ICC profile and a resolution."""
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Title", "Chelsea the cat")
    notes.add_text("Author", "Stefan van der Walt")
    notes.add_itxt("Description", "一只猫", "zh", "说明", zip=True)
    sources.cat().save(path, pnginfo=notes, icc_profile=_srgb(), dpi=(144, 144), optimize=True)


def jpeg(path: Path) -> None:
    """Stored lying on its side, as a phone held upright does: EXIF orientation 6; 4:2:0, no whole blocks."""
    upright = sources.rocket().crop((130, 0, 501, 427))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "biaoshi"
    exif[0x0132] = "2015:02:11 18:03:00"
    exif.get_ifd(0x8769)[0x9003] = "2015:02:11 18:03:00"
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    lying.save(path, quality=90, subsampling="4:2:0", exif=exif, icc_profile=_srgb(), dpi=(72, 72))


def webp(path: Path) -> None:
    """Lossy with an alpha plane, an ICC profile and EXIF."""
    exif = Image.Exif()
    exif[0x010E] = "Coffee, by Rachel Michetti"
    picture = sources.rounded(sources.coffee(479))
    picture.save(path, quality=82, method=6, icc_profile=_srgb(), exif=exif)


def _srgb() -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2026, 11, 20, 0, 0, 0)  # the time of making would differ each run
    return bytes(profile)


# ---- moving pictures and sound ----------------------------------------------------------------------------


def mp4(path: Path) -> None:
    """320 x 180, 3.6 s at 25 frames a second, H.264 with B-frames, AAC; the index in front."""
    _film(path, sources.rocket(), 320, 180, 90, "-c:a", "aac", "-b:a", "96k", "-movflags", "+faststart")


def quicktime(path: Path) -> None:
    """320 x 212, 2 s, H.264 with PCM sound; the index behind the media."""
    _film(path, sources.coffee(), 320, 212, 50, "-c:a", "pcm_s16le", "-ar", "16000", "-ac", "1")


def m4a(path: Path) -> None:
    """AAC with iTunes tags and no pictures."""
    _sound(path, "-c:a", "aac", "-b:a", "96k")
    tags = MP4(path)
    tags["\xa9nam"] = sources.TITLE
    tags["\xa9ART"] = "biaoshi"
    tags["trkn"] = [(1, 3)]
    tags.save()


def mp3(path: Path) -> None:
    """ID3v2.3 with a title, a comment and a cover."""
    _sound(path, "-c:a", "libmp3lame", "-b:a", "96k", "-ar", "44100", "-id3v2_version", "0", "-write_xing", "1")
    tags = ID3()
    tags.add(TIT2(encoding=1, text="归乡 Homeward"))
    tags.add(TPE1(encoding=0, text="biaoshi"))
    tags.add(COMM(encoding=0, lang="eng", desc="", text="espeak-ng over four chords"))
    tags.add(APIC(encoding=0, mime="image/jpeg", type=3, desc="Cover", data=_cover()))
    tags.save(path, v2_version=3)


def wav(path: Path) -> None:
    """16-bit stereo PCM with a LIST/INFO chunk behind the samples."""
    sources.save_wav(sources.song(), path)
    title = b"Homeward\0\0"
    chunk = b"INFOINAM" + struct.pack("<I", 9) + title
    data = path.read_bytes() + b"LIST" + struct.pack("<I", len(chunk)) + chunk
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])


def flac(path: Path) -> None:
    """Vorbis comments, a picture and padding."""
    _sound(path, "-c:a", "flac", "-sample_fmt", "s16")
    tags = FLAC(path)
    tags["title"], tags["artist"] = sources.TITLE, "biaoshi"
    cover = Picture()
    cover.type, cover.mime, cover.desc, cover.data = 3, "image/jpeg", "Cover", _cover()
    cover.width, cover.height, cover.depth = 160, 107, 24
    tags.add_picture(cover)
    tags.save()


def _film(path: Path, picture: Image.Image, width: int, height: int, frames: int, *options: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        heard = sources.save_wav(sources.song(frames / 25), Path(scratch) / "sound.wav")
        raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "25", "-i", "-")
        picked = ("-pix_fmt", "yuv420p", *_X264, *options, *_EXACT)
        frames_in = sources.zoom(picture, width, height, frames)
        _ffmpeg(*raw, "-i", str(heard), *picked, str(path), stdin=(frame.tobytes() for frame in frames_in))


def _sound(path: Path, *options: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        heard = sources.save_wav(sources.song(), Path(scratch) / "sound.wav")
        _ffmpeg("-i", str(heard), *options, *_EXACT, str(path))


def _ffmpeg(*options: str, stdin: Iterable[bytes] = ()) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *options], input=b"".join(stdin), check=True)


def _cover() -> bytes:
    buffer = io.BytesIO()
    sources.coffee(160).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


# ---- text and documents -----------------------------------------------------------------------------------


def text(path: Path) -> None:
    """UTF-8, Chinese and English paragraphs."""
    title, author, lines = sources.POEM
    path.write_text("\n\n".join([title, author, "\n".join(lines), sources.ESSAY, *sources.WALDEN]) + "\n", "utf-8")


def markdown(path: Path) -> None:
    """YAML front matter with a comment, lists and a nested mapping, which an edit has to leave as they are."""
    title, author, lines = sources.POEM
    path.write_text(
        f"""---
title: 归乡 # both poems are about home
authors: [{author}, 鲁迅, Thoreau]
source:
  year: 1921
  licence: "public domain"
---

# {title}

{"  ".join([lines[0], chr(10) + lines[1]])}

## 故乡

{sources.ESSAY}

```yaml
AIGC: this is an example inside a code block, not a label
```

## Walden

> {sources.WALDEN[0]}

{sources.WALDEN[1]}
""",
        "utf-8",
    )


def html(path: Path) -> None:
    """HTML 5 with a head, a script and a comment that hold the word body."""
    title, author, lines = sources.POEM
    path.write_text(
        f"""<!DOCTYPE html>
<html lang="zh-CN">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>{title}</title>
  <!-- a comment with <body> in it -->
  <script>const tag = "<body>";</script>
  <style>body {{ max-width: 40em; margin: 2em auto; }}</style>
</head>
<body class="prose">
  <h1>{title}</h1>
  <p class="author">{author}</p>
  <p>{"<br>".join(lines)}</p>
  <h2>故乡</h2>
  <p>{sources.ESSAY}</p>
  <h2>Walden</h2>
  <p lang="en">{escape(sources.WALDEN[0])}</p>
  <p lang="en">{escape(sources.WALDEN[1])}</p>
</body>
</html>
""",
        "utf-8",
    )


def word(path: Path) -> None:
    """Headings, a bulleted list, a table and a picture, by python-docx."""
    title, author, lines = sources.POEM
    document = docx.Document()
    document.add_heading(title, 0)
    document.add_paragraph(author)
    for line in lines:
        document.add_paragraph(line, style="List Bullet")
    document.add_heading("故乡", 1)
    document.add_paragraph(sources.ESSAY)
    document.add_heading("Walden", 1)
    for paragraph in sources.WALDEN:
        document.add_paragraph(paragraph)
    table = document.add_table(2, 2)
    for cell, words in zip(table._cells, ("Author", "Year", "Thoreau", "1854"), strict=True):
        cell.text = words
    document.add_picture(io.BytesIO(_cover()))
    document.core_properties.author = "biaoshi"
    document.core_properties.created = datetime.datetime(2026, 11, 20)
    document.core_properties.modified = datetime.datetime(2026, 11, 20)
    buffer = io.BytesIO()
    document.save(buffer)
    path.write_bytes(undated(buffer.getvalue()))


def slides(path: Path) -> None:
    """A title, a picture over all of its slide, a list, a hidden slide, by python-pptx."""
    path.write_bytes(undated(packages.slides(_cover())))


def book(path: Path) -> None:
    """EPUB 3 with a cover that has no words."""
    packages.epub(path, _cover())


def undated(archive: bytes) -> bytes:
    """The ZIP with every entry dated 1980, so that making it twice gives the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            info = zipfile.ZipInfo(entry.filename)
            info.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(info, source.read(entry))
    return out.getvalue()


def pdf(path: Path) -> None:
    """Two A4 pages set in Helvetica with compressed content, an Info dictionary and a classic xref table."""
    pages = [_page("Walden", sources.WALDEN[0]), _page("The stream", sources.WALDEN[1])]
    first = 5
    kids = " ".join(f"{first + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Title (Walden) /Author (Henry David Thoreau) /CreationDate (D:20261120000000Z) >>",
    ]
    for number, content in enumerate(pages):
        packed = zlib.compress(content, 9)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] "
            b"/Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>" % (first + 2 * number + 1)
        )
        head = b"<< /Length %d /Filter /FlateDecode >>\nstream\n" % len(packed)
        objects.append(head + packed + b"\nendstream")
    path.write_bytes(_pdf_file(objects))


def _page(title: str, prose: str) -> bytes:
    lines, line = [], ""
    for word_ in prose.split():
        if len(line) + len(word_) > 72:
            lines.append(line)
            line = ""
        line = f"{line} {word_}".strip()
    shown = "\n".join(f"({words}) '" for words in [*lines, line])
    return f"BT /F1 20 Tf 72 760 Td ({title}) Tj /F1 12 Tf 16 TL 0 -12 Td\n{shown}\nET\n".encode("ascii")


def _pdf_file(objects: list[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.6\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 4 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)
