"""Labels as others write them, damaged or in their own way, put in by plain means and never by biaoshi's writers."""

from __future__ import annotations

import io
import json
import re
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pikepdf
from mutagen.flac import FLAC
from mutagen.id3 import ID3, TXXX

PRODUCER = "Example-Studio"
NUMBER = "00000000-0000-4000-8000-000000000001"

# What a writer leaves that cuts a value at 64 characters, as fixed-length database columns do.
CUT = json.dumps({"Label": "1", "ContentProducer": PRODUCER, "ProduceID": NUMBER}, separators=(",", ":"))[:64]

_NAMESPACES = 'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"'
_RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'

# Doubao's packet byte for byte, with its XML declaration, empty `begin` and double question mark.
_DOUBAO = (
    '<?xml version="1.0" encoding="UTF-8"?><?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"??>'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {_RDF}><rdf:Description rdf:about="" {_NAMESPACES}><TC260:AIGC>'
    '{"Label":"1","ContentProducer":"001191110102MACQD9K64010000","ProduceID":"cc75f5e99aae4210960acb722f10974e",'
    '"ReservedCode1":"","ContentPropagator":"","PropagateID":"","ReservedCode2":""}'
    '</TC260:AIGC></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
DOUBAO = re.sub(r"\{.*\}", lambda item: item[0].replace('"', "&quot;"), _DOUBAO)

PICWISH = '{"Label":"1","ContentProducer":"picwish"}'
TENCENT = '{"AIGC":{"Label":"1","ContentProducer":"001191440300708461136T1308L","ProduceID":"abc123"}}'
KLING = (
    '{"Label":"1","ContentProducer":"kling","ProduceID":"SGP_PROD_ai_web_1","ContentPropagator":"kling",'
    '"PropagateID":"SGP_PROD_ai_web_1"}'
)
MINIMAX = '{"Label":"1","ContentProducer":"MiniMax","ProduceID":"0123456789"}'
CAMEL = json.dumps(
    {
        "label": 1,
        "contentProducer": PRODUCER,
        "produceId": NUMBER,
        "reservedCode1": "",
        "contentPropagator": PRODUCER,
        "propagateId": NUMBER,
        "reservedCode2": "",
    }
)
SPACED = json.dumps({"Label": "1", "ContentProducer": "示例工作室", "ProduceID": NUMBER}, ensure_ascii=False)
MINIMAX_EXPORT = f"""AIGC:
    ContentProducer: Minimax Agent AI
    ContentPropagator: Minimax Agent AI
    Label: AIGC
    ProduceID: "{"0" * 32}"
    PropagateID: "{"0" * 32}"
    ReservedCode1: 3045022033db164e70579ab2f23ff4a1a41482ca44fb
    ReservedCode2: 304502210088c88f2a3bf17d0ffa93811ae94337217b
"""


def write(folder: Path) -> None:
    """`damaged` and `foreign` beside each blank sample below `folder`."""
    for container, forms in FORMS.items():
        (blank,) = (folder / container).glob("blank.*")
        for name, make in forms.items():
            target = blank.with_stem(name)
            target.write_bytes(blank.read_bytes())
            make(target)


# ---- one plain writer a slot: each edits the file at `path` in place ----------------------------------------


def xmp(item: str) -> bytes:
    """A packet with the item as the element's text."""
    return _packet("", f"<TC260:AIGC>{escape(item)}</TC260:AIGC>")


def xmp_attribute(item: str) -> bytes:
    """A packet with the item as an attribute, which RDF allows."""
    return _packet(f" TC260:AIGC={quoteattr(item)}", "")


def _packet(attribute: str, element: str) -> bytes:
    described = f'<rdf:Description rdf:about="" {_NAMESPACES}{attribute}>{element}</rdf:Description>'
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {_RDF}>{described}</rdf:RDF></x:xmpmeta>'.encode()


def png_xmp(path: Path, packet: bytes) -> None:
    data = path.read_bytes()
    body = b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + packet
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    after_header = 8 + 25
    path.write_bytes(data[:after_header] + chunk + data[after_header:])


def jpeg_xmp(path: Path, packet: bytes) -> None:
    data = path.read_bytes()
    body = b"http://ns.adobe.com/xap/1.0/\0" + packet
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:])


def jpeg_comment(path: Path, item: str) -> None:
    """EXIF UserComment, written by exiv2."""
    command = f"set Exif.Photo.UserComment charset=Ascii {item}"
    subprocess.run(["exiv2", "-M", command, str(path)], check=True)


def webp_xmp(path: Path, packet: bytes) -> None:
    data = bytearray(path.read_bytes())
    assert data[12:16] == b"VP8X"
    data[20] |= 0x04
    path.write_bytes(_riff_with(bytes(data), b"XMP ", packet))


def wav_chunk(path: Path, item: str) -> None:
    path.write_bytes(_riff_with(path.read_bytes(), b"AIGC", item.encode()))


def wav_info(path: Path, item: str) -> None:
    body = item.encode() + b"\0"
    info = b"INFOAIGC" + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    path.write_bytes(_riff_with(path.read_bytes(), b"LIST", info))


def _riff_with(data: bytes, kind: bytes, body: bytes) -> bytes:
    data += kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def mp4_key(path: Path, item: str) -> None:
    """moov/udta/meta with keys and ilst, written by ffmpeg."""
    blank = path.with_name(f".{path.name}")
    path.rename(blank)
    flags = ["-movflags", "use_metadata_tags+faststart", "-metadata", f"AIGC={item}", "-c", "copy", "-map", "0"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(blank), *flags, "-fflags", "+bitexact", str(path)], check=True)
    blank.unlink()


def mp3_frame(path: Path, item: str) -> None:
    tags = ID3(path)
    tags.add(TXXX(encoding=3, desc="AIGC", text=item))
    tags.save(path, v2_version=4)


def flac_comment(path: Path, item: str) -> None:
    tags = FLAC(path)
    tags["AIGC"] = item
    tags.save()


def front_matter(path: Path, lines: str) -> None:
    text = path.read_text("utf-8")
    path.write_text(text.replace("---\n", f"---\n{lines}", 1), "utf-8")


def html_meta(path: Path, item: str) -> None:
    tag = f"<meta name='aigc' content={quoteattr(item)}>\n</head>"
    path.write_text(path.read_text("utf-8").replace("</head>", tag, 1), "utf-8")


def word_property(path: Path, item: str) -> None:
    """docProps/custom.xml with its relationship and content type."""
    kind = "http://schemas.openxmlformats.org/officeDocument/2006"
    custom = (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><Properties xmlns="{kind}/custom-properties" '
        f'xmlns:vt="{kind}/docPropsVTypes"><property fmtid="{{D5CDD505-2E9C-101B-9397-08002B2CF9AE}}" pid="2" '
        f'name="AIGC"><vt:lpwstr>{escape(item)}</vt:lpwstr></property></Properties>'
    )
    related = f'<Relationship Id="rIdAIGC" Type="{kind}/custom-properties" Target="docProps/custom.xml"/>'
    typed = (
        '<Override PartName="/docProps/custom.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.custom-properties+xml"/>'
    )
    edits = {
        "_rels/.rels": lambda text: text.replace("</Relationships>", related + "</Relationships>"),
        "[Content_Types].xml": lambda text: text.replace("</Types>", typed + "</Types>"),
    }
    _zip_edit(path, edits, {"docProps/custom.xml": custom})


def custom_part(path: Path, item: str) -> None:
    """customXml/aigcMetadata1.xml, unrelated to anything, as one exporter leaves it."""
    _zip_edit(path, {}, {"customXml/aigcMetadata1.xml": f"<aigc>{escape(item)}</aigc>"})


def odf_field(path: Path, name: str, item: str) -> None:
    """A user-defined field in meta.xml."""
    field = f'<meta:user-defined meta:name="{name}">{escape(item)}</meta:user-defined></office:meta>'
    _zip_edit(path, {"meta.xml": lambda text: text.replace("</office:meta>", field)}, {})


def opf_meta(path: Path, meta: str) -> None:
    """A meta element in the package document."""
    _zip_edit(path, {"OEBPS/book.opf": lambda text: text.replace("</metadata>", f"{meta}</metadata>")}, {})


def _zip_edit(path: Path, edits: dict[str, Callable[[str], str]], added: dict[str, str]) -> None:
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            if edit := edits.get(entry.filename):
                data = edit(data.decode()).encode()
            target.writestr(zipfile.ZipInfo(entry.filename), data, entry.compress_type)
        for name, text in added.items():
            target.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)


def pdf_info(path: Path, item: str) -> None:
    with pikepdf.open(path, allow_overwriting_input=True) as document:
        document.docinfo["/AIGC"] = item
        document.save(path, deterministic_id=True)


def pdf_xmp(path: Path, packet: bytes) -> None:
    with pikepdf.open(path, allow_overwriting_input=True) as document:
        document.Root.Metadata = document.make_stream(packet, Type=pikepdf.Name.Metadata, Subtype=pikepdf.Name.XML)
        document.save(path, deterministic_id=True)


FORMS: dict[str, dict[str, Callable[[Path], None]]] = {
    "png": {"damaged": lambda p: png_xmp(p, xmp(CUT)), "foreign": lambda p: png_xmp(p, DOUBAO.encode())},
    "jpeg": {"damaged": lambda p: jpeg_xmp(p, xmp(CUT)), "foreign": lambda p: jpeg_comment(p, TENCENT)},
    "webp": {"damaged": lambda p: webp_xmp(p, xmp(CUT)), "foreign": lambda p: webp_xmp(p, xmp_attribute(PICWISH))},
    "mp4": {"damaged": lambda p: mp4_key(p, CUT), "foreign": lambda p: mp4_key(p, KLING)},
    "mp3": {"damaged": lambda p: mp3_frame(p, CUT), "foreign": lambda p: mp3_frame(p, MINIMAX)},
    "wav": {"damaged": lambda p: wav_chunk(p, CUT), "foreign": lambda p: wav_info(p, MINIMAX)},
    "flac": {"damaged": lambda p: flac_comment(p, CUT), "foreign": lambda p: flac_comment(p, CAMEL)},
    "markdown": {
        "damaged": lambda p: front_matter(p, f"AIGC: {CUT}\n"),
        "foreign": lambda p: front_matter(p, MINIMAX_EXPORT),
    },
    "html": {"damaged": lambda p: html_meta(p, CUT), "foreign": lambda p: html_meta(p, SPACED)},
    "docx": {"damaged": lambda p: word_property(p, CUT), "foreign": lambda p: word_property(p, f'{{"AIGC":{SPACED}}}')},
    "xlsx": {"damaged": lambda p: word_property(p, CUT), "foreign": lambda p: custom_part(p, MINIMAX)},
    "pptx": {"damaged": lambda p: word_property(p, CUT), "foreign": lambda p: word_property(p, TENCENT)},
    "odf": {"damaged": lambda p: odf_field(p, "AIGC", CUT), "foreign": lambda p: odf_field(p, "aigc", SPACED)},
    "epub": {
        "damaged": lambda p: opf_meta(p, f'<meta property="TC260:AIGC">{escape(CUT)}</meta>'),
        "foreign": lambda p: opf_meta(p, f'<meta name="AIGC" content={quoteattr(KLING)}/>'),
    },
    "pdf": {"damaged": lambda p: pdf_info(p, CUT), "foreign": lambda p: pdf_xmp(p, xmp(MINIMAX))},
}
"""What to make of each container's blank sample."""
