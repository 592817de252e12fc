"""PNG: the item in an uncompressed XMP chunk before the pixels, every other chunk as it was."""

import io
import json
import random
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from PIL import Image, PngImagePlugin

from labeler.asset import Asset
from labeler.containers import Span, _xmp, png, render
from labeler.metadata import MAX_ITEM, encode
from policies.errors import BadInput
from tests.conftest import LABEL, run, sample, tool
from tests.labeler.containers.hostile import mutations, survives

ITEM = encode(LABEL)
OTHER = encode(LABEL.with_produce_id("c0ffee00-0000-4000-8000-000000000002"))
BLANK = sample("png").read_bytes()


def written(data: bytes, item: str = ITEM) -> bytes:
    return render(data, png.write(data, item))


def values(data: bytes) -> list[tuple[object, bool]]:
    return [(copy.value, copy.normative) for copy in png.read(data)]


def kinds(data: bytes) -> list[bytes]:
    return [chunk.type for chunk in png.chunks(data)]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


def xmp_chunk(packet: bytes, compressed: bool = False) -> bytes:
    flag, text = (b"\1", zlib.compress(packet)) if compressed else (b"\0", packet)
    return chunk(b"iTXt", b"XML:com.adobe.xmp\0" + flag + b"\0\0\0" + text)


def picture(mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    noise = random.Random(mode).randbytes(3 * 9 * 7)
    Image.frombytes("RGB", (9, 7), noise).convert(mode).save(file, "PNG", **options)
    return file.getvalue()


def with_chunk(new: bytes, before: bytes = b"IDAT", data: bytes | None = None) -> bytes:
    """The tiny picture with a chunk put in front of the first one of that kind."""
    data = data or picture()
    at = next(c.start for c in png.chunks(data) if c.type == before)
    return data[:at] + new + data[at:]


def pixels(data: bytes) -> tuple[str, bytes]:
    with Image.open(io.BytesIO(data)) as image:
        return image.mode, image.tobytes()


PACKET = _xmp.write(None, ITEM)


def test_all_but_the_new_chunk_is_the_source_and_the_pixels_are_the_same() -> None:
    pieces = png.write(BLANK, ITEM)
    assert [p for p in pieces if isinstance(p, Span)] == [Span(0, 33), Span(33, len(BLANK))]
    assert kinds(written(BLANK)) == [b"IHDR", b"iTXt", *kinds(BLANK)[1:]]
    assert pixels(written(BLANK)) == pixels(BLANK)


def test_independent_readers_show_the_item(tmp_path: Path) -> None:
    path = tmp_path / "labelled.png"
    path.write_bytes(written(BLANK))
    [seen] = json.loads(run(tool("exiftool"), "-j", "-G1", "-XMP-TC260:all", "-validate", "-struct", path))
    assert json.loads(seen["XMP-TC260:Aigc"]) == json.loads(ITEM)
    assert seen["ExifTool:Validate"] == "OK"
    assert ITEM in run(tool("exiv2"), "-px", path)
    with Image.open(path) as image:
        assert isinstance(image, PngImagePlugin.PngImageFile)
        assert "AIGC" in image.text["XML:com.adobe.xmp"]


@pytest.mark.parametrize("place", [b"IDAT", b"IEND"], ids=["before the pixels", "behind the pixels"])
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_a_packet_is_edited_and_ends_up_plain_and_before_the_pixels(place: bytes, compressed: bool) -> None:
    packet = PACKET.replace(b"</rdf:RDF>", b'<rdf:Description xmlns:a="urn:a" a:b="kept"/></rdf:RDF>')
    data = with_chunk(xmp_chunk(packet, compressed), before=place)
    assert values(data) == [(ITEM, place == b"IDAT" and not compressed)]
    new = written(data, OTHER)
    assert values(new) == [(OTHER, True)]
    assert kinds(new).index(b"iTXt") < kinds(new).index(b"IDAT")
    assert b'a:b="kept"' in new
    assert written(new, OTHER) == new


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"tEXt", b"AIGC\0" + ITEM.encode()),
        (b"zTXt", b"AIGC\0\0" + zlib.compress(ITEM.encode())),
        (b"iTXt", b"AIGC\0\0\0\0\0" + ITEM.encode()),
        (b"iTXt", b"AIGC\0\1\0zh\0\xe6\xa0\x87\0" + zlib.compress(ITEM.encode())),
    ],
)
@pytest.mark.parametrize("place", [b"IDAT", b"IEND"])
def test_a_text_chunk_is_read_and_moves_to_the_slot(kind: bytes, body: bytes, place: bytes) -> None:
    data = with_chunk(chunk(kind, body), before=place)
    assert values(data) == [(ITEM, False)]
    assert values(written(data)) == [(ITEM, True)]
    assert b"AIGC\0" not in written(data)


def test_the_item_in_exif_is_read_and_its_comment_emptied() -> None:
    exif = Image.Exif()
    exif[0x010F] = "maker"
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + ITEM.encode()
    data = with_chunk(chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")))
    assert values(data) == [(ITEM, False)]
    new = written(data)
    assert values(new) == [(ITEM, True)]
    with Image.open(io.BytesIO(new)) as image:
        assert image.getexif()[0x010F] == "maker"


def test_copies_in_two_packets_become_one() -> None:
    data = with_chunk(xmp_chunk(PACKET) + xmp_chunk(_xmp.write(None, OTHER)))
    assert values(data) == [(ITEM, True), (OTHER, True)]
    assert values(written(data)) == [(ITEM, True)]


def test_an_animation_keeps_its_frames() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    data = picture(save_all=True, append_images=frames, duration=50)
    with Image.open(io.BytesIO(written(data))) as image:
        assert image.n_frames == 4
    assert values(written(data)) == [(ITEM, True)]


def test_what_follows_iend_stays() -> None:
    assert written(picture() + b"trailer").endswith(b"IEND\xaeB`\x82trailer")


def test_the_item_before_a_cut_is_read_and_a_cut_without_one_is_bad_input() -> None:
    assert values(written(BLANK)[:5000]) == [(ITEM, True)]
    for act in (lambda: png.read(BLANK[:5000]), lambda: png.write(written(BLANK)[:5000], ITEM)):
        with pytest.raises(BadInput, match="cut short"):
            act()


@pytest.mark.parametrize(
    "new",
    [
        xmp_chunk(bytes(17 << 20), compressed=True),
        chunk(b"zTXt", b"AIGC\0\0" + zlib.compress(bytes(17 << 20))),
        chunk(b"zTXt", b"AIGC\0\0not zlib"),
        xmp_chunk(PACKET, compressed=True) * 17,
    ],
    ids=["XMP bomb", "text bomb", "no zlib", "many packets"],
)
def test_bombs_and_broken_text_are_bad_input(new: bytes) -> None:
    with pytest.raises(BadInput):
        png.read(with_chunk(new))


def test_a_long_text_is_held_no_longer_than_needed_to_call_it_too_long() -> None:
    [copy] = png.read(with_chunk(chunk(b"tEXt", b"AIGC\0" + b"x" * (MAX_ITEM * 2))))
    assert len(copy.value) == MAX_ITEM + 1


def test_more_copies_than_any_file_has_are_bad_input() -> None:
    with pytest.raises(BadInput, match="one belongs"):
        png.read(with_chunk(chunk(b"tEXt", b"AIGC\0{}") * 100))


def test_a_file_without_a_header_chunk_is_refused() -> None:
    with pytest.raises(BadInput, match="IHDR"):
        png.write(png.SIGNATURE + chunk(b"IEND", b""), ITEM)


def test_a_mapped_file_can_be_closed_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    path.write_bytes(BLANK[:3000])
    with pytest.raises(BadInput, match="cut short"), Asset.open(path) as asset:
        png.read(asset.data)


def grafted(source: bytes, encoded: bytes) -> bytes:
    return render(source, png.graft(source, encoded))


def test_a_graft_has_the_sources_metadata_in_its_order_and_the_encoded_pixels() -> None:
    with Image.open(io.BytesIO(BLANK)) as image:
        file = io.BytesIO()
        image.rotate(180).save(file, "PNG")
    new = grafted(written(BLANK) + b"trailer", file.getvalue())
    assert pixels(new) == pixels(file.getvalue())
    assert new.endswith(b"trailer")
    assert values(new) == [(ITEM, True)]

    def describing(data: bytes) -> list[bytes]:
        signal = (b"IHDR", b"IDAT")
        return [data[c.start : c.stop] for c in png.chunks(data) if c.type not in signal]

    assert describing(new) == describing(written(BLANK))


def test_a_graft_onto_other_pixels_leaves_out_what_is_said_in_terms_of_the_old() -> None:
    source = with_chunk(chunk(b"bKGD", b"\1") + chunk(b"pHYs", bytes(9)), data=picture("P"))
    new = grafted(source, picture("RGB"))
    assert kinds(new) == [b"IHDR", b"pHYs", b"IDAT", b"IEND"]
    assert kinds(grafted(picture("RGB"), picture("P")))[:2] == [b"IHDR", b"PLTE"]
    assert pixels(grafted(picture("RGB"), picture("P"))) == pixels(picture("P"))


def test_a_graft_onto_no_picture_is_refused() -> None:
    with pytest.raises(BadInput, match="IDAT"):
        png.graft(png.SIGNATURE + chunk(b"IHDR", bytes(13)), picture())


_RICH = with_chunk(
    xmp_chunk(PACKET, compressed=True) + chunk(b"tEXt", b"AIGC\0{}") + xmp_chunk(_xmp.write(None, OTHER)),
    before=b"IEND",
)


@given(mutations(_RICH))
def test_damaged_files_raise_nothing_but_toolkit_errors(data: bytes) -> None:
    survives(png, data, ITEM)
