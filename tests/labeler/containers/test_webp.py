"""WebP: the item in the XMP chunk, announced by VP8X, every other chunk as it was."""

import io
import json
import random
import struct
from pathlib import Path

import pytest
from hypothesis import given
from PIL import Image

from labeler.asset import Asset
from labeler.containers import Span, _riff, _xmp, render, webp
from labeler.metadata import decode, encode
from policies.errors import BadInput
from tests.conftest import LABEL, run, sample, tool
from tests.labeler.containers.hostile import mutations, survives

ITEM = encode(LABEL)
OTHER = encode(LABEL.with_produce_id("c0ffee00-0000-4000-8000-000000000002"))
BLANK = sample("webp").read_bytes()
PACKET = _xmp.write(None, ITEM)


def written(data: bytes, item: str = ITEM) -> bytes:
    return render(data, webp.write(data, item))


def values(data: bytes) -> list[tuple[object, bool]]:
    return [(copy.value, copy.normative) for copy in webp.read(data)]


def chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks' bodies by id; the size of the form is asserted to be exact and even."""
    stop = 8 + struct.unpack("<I", data[4:8])[0]
    assert stop <= len(data)
    assert stop % 2 == 0
    found = list(_riff.chunks(data, 12, stop, stop))
    assert found[-1].stop == stop
    return {c.id: data[c.body : c.end] for c in found}


def form(*parts: bytes) -> bytes:
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def image(mode: str = "RGB", size: tuple[int, int] = (19, 7)) -> Image.Image:
    noise = random.Random(mode).randbytes(4 * size[0] * size[1])
    return Image.frombytes("RGBA", size, noise).convert(mode)


def picture(mode: str = "RGB", size: tuple[int, int] = (19, 7), **options: object) -> bytes:
    file = io.BytesIO()
    image(mode, size).save(file, "WEBP", **options)
    return file.getvalue()


def animation() -> bytes:
    frames = [Image.new("RGBA", (8, 8), colour) for colour in ("green", "#0000ff80")]
    return picture("RGBA", (8, 8), save_all=True, append_images=frames, duration=[10, 20, 30])


def pixels(data: bytes) -> list[tuple[str, bytes]]:
    found = []
    with Image.open(io.BytesIO(data)) as opened:
        for i in range(getattr(opened, "n_frames", 1)):
            opened.seek(i)
            found.append((opened.mode, opened.tobytes()))
    return found


SIMPLE = picture()
BARE = {
    "lossy": SIMPLE,
    "lossy with alpha": picture("RGBA"),
    "lossless": picture(lossless=True),
    "lossless with alpha": picture("RGBA", lossless=True),
    "one pixel": picture(size=(1, 1)),
    "wide": picture(size=(16383, 1), method=0),
    "animated": animation(),
}


def test_all_but_sizes_flags_and_the_new_chunk_is_the_source() -> None:
    new = written(BLANK)
    before, after = chunks(BLANK), chunks(new)
    assert list(after) == [*before, b"XMP "]
    assert after[b"VP8X"] == bytes([before[b"VP8X"][0] | 4]) + before[b"VP8X"][1:]
    assert all(after[kind] == body for kind, body in before.items() if kind != b"VP8X")
    kept = sum(p.stop - p.start for p in webp.write(BLANK, ITEM) if isinstance(p, Span))
    assert kept == len(BLANK) - 5
    assert pixels(new) == pixels(BLANK)


@pytest.mark.parametrize("kind", BARE)
def test_every_kind_is_labelled_and_decodes_to_the_same_pixels(kind: str) -> None:
    new = written(BARE[kind])
    assert values(new) == [(ITEM, True)]
    assert pixels(new) == pixels(BARE[kind])
    header = chunks(new)[b"VP8X"]
    with Image.open(io.BytesIO(BARE[kind])) as opened:
        assert opened.size == tuple(1 + int.from_bytes(header[at : at + 3], "little") for at in (4, 7))
        assert bool(header[0] & 0x10) == (opened.mode == "RGBA")


@pytest.mark.parametrize("kind", ["lossy", "lossless with alpha", "animated"])
def test_independent_readers_show_the_item(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "labelled.webp"
    path.write_bytes(written(BARE[kind]))
    [seen] = json.loads(run(tool("exiftool"), "-j", "-G1", "-XMP-TC260:all", "-validate", path))
    assert json.loads(seen["XMP-TC260:Aigc"]) == json.loads(ITEM)
    assert seen["ExifTool:Validate"] == "OK"
    assert ITEM in run(tool("exiv2"), "-px", path)
    with Image.open(path) as opened:
        assert b"TC260:AIGC" in opened.info["xmp"]


def test_a_packet_is_edited_and_keeps_its_other_properties() -> None:
    packet = PACKET.replace(b"</rdf:RDF>", b'<rdf:Description xmlns:a="urn:a" a:b="kept"/></rdf:RDF>')
    data = picture(xmp=packet)
    new = written(data, OTHER)
    assert values(new) == [(OTHER, True)]
    assert b'a:b="kept"' in chunks(new)[b"XMP "]
    assert list(chunks(new)) == list(chunks(data))
    assert written(new, OTHER) == new


def test_the_chunk_goes_behind_exif_and_in_front_of_what_is_unknown() -> None:
    data = form(written(SIMPLE)[12:30], SIMPLE[12:], _riff.chunk(b"EXIF", b"?"), _riff.chunk(b"C2PA", b"abc"))
    assert list(chunks(written(data))) == [b"VP8X", b"VP8 ", b"EXIF", b"XMP ", b"C2PA"]


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_the_item_in_a_user_comment_is_read_and_moves_to_the_slot(prefix: bytes) -> None:
    exif = Image.Exif()
    exif[0x010F] = "maker"
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + b'{"AIGC":%s}' % ITEM.encode()
    block = prefix + exif.tobytes().removeprefix(b"Exif\0\0")
    header = _riff.chunk(b"VP8X", b"\x08" + chunks(written(SIMPLE))[b"VP8X"][1:])
    data = form(header, SIMPLE[12:], _riff.chunk(b"EXIF", block))
    [copy] = webp.read(data)
    assert not copy.normative
    assert decode(copy.value).label == LABEL
    assert values(written(data)) == [(ITEM, True)]
    with Image.open(io.BytesIO(written(data))) as opened:
        assert opened.getexif()[0x010F] == "maker"


def test_copies_in_two_packets_become_one() -> None:
    data = form(written(SIMPLE)[12:], _riff.chunk(b"XMP ", _xmp.write(None, OTHER)))
    assert values(data) == [(ITEM, True), (OTHER, True)]
    assert values(written(data)) == [(ITEM, True)]


@pytest.mark.parametrize("last", [b"XMP ", b"EXIF", b"ABCD"])
@pytest.mark.parametrize("item", [ITEM, ITEM + " "])
def test_a_last_chunk_without_its_padding_byte_is_padded(last: bytes, item: str) -> None:
    packet = _xmp.write(None, item)
    odd = packet if len(packet) % 2 else packet + b" "
    body = odd if last == b"XMP " else b"odd"
    parts = written(SIMPLE)[12:30] + SIMPLE[12:] + last + struct.pack("<I", len(body)) + body
    data = b"RIFF" + struct.pack("<I", len(parts) + 4) + b"WEBP" + parts
    new = written(data)
    assert values(new) == [(ITEM, True)]
    assert chunks(new)
    assert written(new) == new


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF], ids=["zero", "streamed"])
def test_a_size_that_was_never_filled_in_is_put_right(size: int) -> None:
    data = SIMPLE[:4] + struct.pack("<I", size) + SIMPLE[8:]
    assert written(data) == written(SIMPLE)


def test_what_follows_the_form_stays() -> None:
    assert written(SIMPLE + b"trailer") == written(SIMPLE) + b"trailer"


def test_a_cut_file_is_bad_input_and_can_be_closed(tmp_path: Path) -> None:
    path = tmp_path / "cut.webp"
    path.write_bytes(BLANK[:1000])
    for act in (webp.read, lambda data: webp.write(data, ITEM)):
        with pytest.raises(BadInput, match="cut short"), Asset.open(path) as asset:
            act(asset.data)


@pytest.mark.parametrize(
    "data",
    [
        form(),
        form(_riff.chunk(b"EXIF", b"")),
        form(_riff.chunk(b"VP8X", b"\0")),
        form(_riff.chunk(b"VP8 ", bytes(20))),
        form(_riff.chunk(b"VP8L", b"\x2f")),
    ],
    ids=["no chunk", "no picture", "short header", "no VP8", "short VP8L"],
)
def test_a_file_whose_picture_cannot_be_announced_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput, match="damaged"):
        webp.write(data, ITEM)


def grafted(source: bytes, encoded: bytes) -> bytes:
    return render(source, webp.graft(source, encoded))


@pytest.mark.parametrize("kind", BARE)
def test_a_graft_has_the_sources_metadata_around_the_encoded_picture(kind: str) -> None:
    source = form(written(BLANK)[12:], _riff.chunk(b"ABCD", b"odd")) + b"trailer"
    new = grafted(source, BARE[kind])
    before, after = chunks(source), chunks(new)
    assert pixels(new) == pixels(BARE[kind])
    assert {k: v for k, v in before.items() if k in (b"ICCP", b"EXIF", b"XMP ", b"ABCD")}.items() <= after.items()
    assert after[b"VP8X"][0] & 0x2C == 0x2C
    assert new.endswith(b"trailer")
    assert values(new) == [(ITEM, True)]


def test_a_graft_of_bare_pictures_stays_bare_and_takes_no_metadata_of_the_encoded_one() -> None:
    assert grafted(picture(quality=5), SIMPLE) == SIMPLE
    assert list(chunks(grafted(SIMPLE, written(SIMPLE)))) == [b"VP8X", b"VP8 "]
    assert not chunks(grafted(SIMPLE, written(SIMPLE)))[b"VP8X"][0] & 4


def test_a_graft_of_a_still_picture_onto_an_animation_is_no_animation() -> None:
    header = chunks(grafted(written(animation()), SIMPLE))[b"VP8X"]
    assert not header[0] & 2


_RICH = form(
    written(picture(size=(1, 1)))[12:],
    _riff.chunk(b"EXIF", b"II*\0\x08\0\0\0\1\0\x86\x92\7\0\4\0\0\0{}  \0\0\0\0"),
    _riff.chunk(b"XMP ", _xmp.write(None, OTHER)),
)


@given(mutations(_RICH))
def test_damaged_files_raise_nothing_but_toolkit_errors(data: bytes) -> None:
    survives(webp, data, ITEM)
