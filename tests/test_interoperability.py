"""What biaoshi writes, read by the tools that others use: the same JSON, byte for byte, under their names for it."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pptx
import pytest
import yaml
from lxml import etree
from mutagen._riff import RiffFile
from PIL import Image

from detectors import detect
from labeler import Asset, label
from labeler.metadata import encode
from policies.terms import Mark
from service.demo import demo
from tests.conftest import LABEL, SAMPLES, run, stream_hash, tool

Reader = Callable[[Path], str]


def exiftool(name: str) -> Reader:
    """All values of the tag, as ExifTool prints them raw; -u shows chunks it has no name for."""

    def read(path: Path) -> str:
        return run(tool("exiftool"), "-a", "-u", "-b", f"-{name}", path)

    return read


def ffprobe(path: Path) -> str:
    """The tag AIGC of the format or, as in Ogg, of a stream."""
    entries = ("-show_entries", "format_tags:stream_tags", "-of", "json")
    shown = json.loads(run(tool("ffprobe"), "-v", "error", *entries, path))
    holders = [shown.get("format", {}), *shown.get("streams", [])]
    (value,) = {h["tags"]["AIGC"] for h in holders if "AIGC" in h.get("tags", {})}
    return str(value)


def mediainfo(path: Path) -> str:
    """The field AIGC that MediaInfo lists among the extra ones of the General track."""
    tracks = json.loads(run(tool("mediainfo"), "--Output=JSON", path))["media"]["track"]
    (value,) = [t["extra"]["AIGC"] for t in tracks if "AIGC" in t.get("extra", {})]
    return str(value)


def exiv2(path: Path) -> str:
    return run(tool("exiv2"), "-K", "Xmp.TC260.AIGC", "-P", "v", "print", path).removesuffix("\n")


def pdfinfo(path: Path) -> str:
    (line,) = [x for x in run(tool("pdfinfo"), "-custom", path).splitlines() if x.startswith("AIGC:")]
    return line.removeprefix("AIGC:").strip()


def riff_chunk(path: Path) -> str:
    """The chunk as mutagen's RIFF walker cuts it out."""
    with path.open("rb") as file:
        return bytes(RiffFile(file)["AIGC"].read()).decode("ascii")


def exiftool_chunk(path: Path) -> str:
    """ExifTool shows the byte that fills a chunk of odd length up as part of it."""
    return exiftool("RIFF:Unknown_AIGC")(path).removesuffix("\0")


def python_docx(path: Path) -> str:
    """The document property AIGC among the parts that python-docx opens."""
    return _property(docx.Document(str(path)).part.package)


def python_pptx(path: Path) -> str:
    """The same of python-pptx."""
    return _property(pptx.Presentation(path).part.package)


def _property(package: Any) -> str:
    (part,) = [p for p in package.iter_parts() if p.partname == "/docProps/custom.xml"]
    (value,) = etree.fromstring(part.blob).xpath("//*[local-name()='property'][@name='AIGC']/*")
    return str(value.text)


def openpyxl_property(path: Path) -> str:
    return str(openpyxl.load_workbook(path).custom_doc_props["AIGC"].value)


def exiftool_pairs(name: str, value: str, key: str) -> Reader:
    """ExifTool lists names and values of such fields as tags apart, in the same order."""

    def read(path: Path) -> str:
        names, values = (run(tool("exiftool"), "-a", "-s3", f"-{tag}", path).splitlines() for tag in (name, value))
        return dict(zip(names, values, strict=True))[key]

    return read


def front_matter(path: Path) -> str:
    """The mapping AIGC of the YAML front matter, as compact JSON."""
    mapping = next(yaml.safe_load_all(path.read_text("utf-8")))["AIGC"]
    return json.dumps(mapping, separators=(",", ":"))


def html_parser(path: Path) -> str:
    class Meta(HTMLParser):
        value = ""

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "meta" and dict(attrs).get("name") == "AIGC":
                self.value += dict(attrs)["content"] or ""

    parser = Meta()
    parser.feed(path.read_text("utf-8"))
    return parser.value


XMP = {"exiftool": exiftool("XMP-TC260:Aigc"), "exiv2": exiv2}
FIELD = exiftool_pairs("XMP-meta:User-definedName", "XMP-meta:User-defined", "AIGC")
KEYS = {"exiftool": exiftool("Keys:AIGC"), "ffprobe": ffprobe, "mediainfo": mediainfo}

READERS: dict[str, dict[str, Reader]] = {
    "png/blank.png": XMP,
    "jpeg/blank.jpg": XMP,
    "webp/blank.webp": XMP,
    "mp4/blank.mp4": KEYS,
    "mp4/quicktime.mov": KEYS,
    "mp4/audio.m4a": KEYS,
    "mp3/blank.mp3": {"exiftool": exiftool("ID3:Aigc"), "ffprobe": ffprobe, "mediainfo": mediainfo},
    "wav/blank.wav": {"exiftool": exiftool_chunk, "mutagen": riff_chunk},  # the other tools pass this chunk over
    "flac/blank.flac": {"exiftool": exiftool("Vorbis:Aigc"), "ffprobe": ffprobe, "mediainfo": mediainfo},
    "docx/blank.docx": {"exiftool": exiftool("XML:AIGC"), "python-docx": python_docx},
    "xlsx/blank.xlsx": {"exiftool": exiftool("XML:AIGC"), "openpyxl": openpyxl_property},
    "pptx/blank.pptx": {"exiftool": exiftool("XML:AIGC"), "python-pptx": python_pptx},
    "odf/blank.odt": {"exiftool": FIELD},
    "odf/workbook.ods": {"exiftool": FIELD},
    "odf/slides.odp": {"exiftool": FIELD},
    "epub/blank.epub": {"exiftool": exiftool_pairs("XML:MetaProperty", "XML:Meta", "TC260:AIGC")},
    "pdf/blank.pdf": {"exiftool": exiftool("PDF:AIGC"), "pdfinfo": pdfinfo},
    "markdown/blank.md": {"pyyaml": front_matter},
    "html/blank.html": {"exiftool": exiftool("HTML:Aigc"), "html.parser": html_parser},
}
"""Sample -> who shows its label."""


def pixels(path: Path) -> str:
    """A hash of the decoded picture, whatever the file says around it."""
    with Image.open(path) as picture:
        return hashlib.sha256(picture.convert("RGBA").tobytes()).hexdigest()


def document_text(path: Path) -> str:
    return "\n".join(p.text for p in docx.Document(str(path)).paragraphs)


def pdf_text(path: Path) -> str:
    return run(tool("pdftotext"), "-layout", path, "-")


def sheet_cells(path: Path) -> str:
    """Every cell of every sheet, formulas as they stand."""
    book = openpyxl.load_workbook(path)
    return repr([[sheet.title, *sheet.iter_rows(values_only=True)] for sheet in book])


def slide_text(path: Path) -> str:
    slides = pptx.Presentation(path).slides
    return repr([[s.text_frame.text for s in slide.shapes if s.has_text_frame] for slide in slides])


def package_parts(path: Path) -> str:
    """A hash of every part but the one that holds metadata, all checksums verified."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = [name for name in archive.namelist() if not name.endswith(("meta.xml", ".opf"))]
        return hashlib.sha256(b"".join(name.encode() + archive.read(name) for name in names)).hexdigest()


CONTENT: dict[str, Reader] = {
    ".png": pixels,
    ".jpg": pixels,
    ".webp": pixels,
    ".mp4": stream_hash,
    ".mov": stream_hash,
    ".m4a": stream_hash,
    ".mp3": stream_hash,
    ".wav": stream_hash,
    ".flac": stream_hash,
    ".docx": document_text,
    ".xlsx": sheet_cells,
    ".pptx": slide_text,
    ".odt": package_parts,
    ".ods": package_parts,
    ".odp": package_parts,
    ".epub": package_parts,
    ".pdf": pdf_text,
    ".md": lambda path: path.read_text("utf-8").split("---\n", 2)[2],
    ".html": lambda path: path.read_text("utf-8").partition("<body")[2],
}
"""File name ending -> what must not change when only the metadata is written."""


def plays(path: Path) -> None:
    """Every frame and sample decodes; an error makes ffmpeg fail."""
    strict = ("-xerror", "-err_detect", "crccheck+bitstream+buffer+explode")
    run(tool("ffmpeg"), "-v", "error", *strict, "-i", path, "-map", "0:v?", "-map", "0:a?", "-f", "null", "-")


def package_parses(path: Path) -> None:
    """The type first and stored, as ODF (part 2, 3.3) and EPUB (OCF 4.3) ask; every XML part well-formed."""
    with zipfile.ZipFile(path) as archive:
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        for name in archive.namelist():
            if name.endswith((".xml", ".opf", ".xhtml")):
                etree.fromstring(archive.read(name))


OPENS: dict[str, Callable[[Path], object]] = {
    "image": lambda path: Image.open(path).load(),
    "video": plays,
    "audio": plays,
    ".docx": lambda path: docx.Document(str(path)),
    ".xlsx": openpyxl.load_workbook,
    ".pptx": pptx.Presentation,
    **dict.fromkeys((".odt", ".ods", ".odp", ".epub"), package_parses),
    ".pdf": lambda path: run(tool("qpdf"), "--check", path),
}
"""Media or file name ending -> a strict program that opens it."""

READINGS = [
    pytest.param(name, reader, id=f"{name}-{who}")
    for name, readers in READERS.items()
    for who, reader in readers.items()
]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The sample with all marks, made once for all readers."""
    folder = tmp_path_factory.mktemp("labelled")

    def made(name: str) -> Path:
        target = folder / name.replace("/", "-")
        if not target.exists():
            label(SAMPLES / name, target, LABEL)
        return target

    return made


@pytest.mark.parametrize(("name", "reader"), READINGS)
def test_an_independent_tool_shows_the_item_byte_for_byte(
    labelled: Callable[[str], Path], name: str, reader: Reader
) -> None:
    assert reader(labelled(name)) == encode(LABEL)


@pytest.mark.parametrize("name", list(READERS))
def test_writing_the_metadata_leaves_the_decoded_content_as_it_was(name: str, tmp_path: Path) -> None:
    source = SAMPLES / name
    content = CONTENT[source.suffix]
    target = tmp_path / source.name
    label(source, target, LABEL, marks=["metadata"])
    assert target.read_bytes() != source.read_bytes()
    assert content(target) == content(source)


@pytest.mark.parametrize("name", [name for name in READERS if Path(name).suffix not in (".md", ".html")])
def test_a_strict_program_opens_the_labelled_file(labelled: Callable[[str], Path], name: str) -> None:
    path = labelled(name)
    with Asset.open(path) as asset:
        (OPENS.get(path.suffix) or OPENS[asset.media])(path)


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of results of `biaoshi demo`."""
    folder = tmp_path_factory.mktemp("demo")
    said: list[str] = []
    assert demo(SAMPLES, folder, 1, said.append), "\n".join(said)
    return folder


@pytest.mark.parametrize(("name", "reader"), [r for r in READINGS if "/blank." in str(r.values[0])])
def test_the_demonstration_shows_other_tools_what_it_shows_us(demonstrated: Path, name: str, reader: Reader) -> None:
    path = demonstrated / Path(name).parent / f"labelled{Path(name).suffix}"
    with Asset.open(path) as asset:
        (read,) = [f.label for f in detect(asset) if f.mark is Mark.METADATA and f.label]
    assert reader(path) == encode(read)
