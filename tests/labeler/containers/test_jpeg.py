"""JPEG: the item in an APP1 XMP segment, every other byte as it was; the other places producers use are read."""

import contextlib
import io
import json
import random
import struct
from pathlib import Path

import pytest
from hypothesis import given
from PIL import Image

from labeler.asset import Asset
from labeler.containers import Span, _exif, _xmp, jpeg, render
from labeler.metadata import decode, encode
from policies.errors import BadInput
from tests.conftest import LABEL, run, sample, tool
from tests.labeler.containers.hostile import mutations, survives

ITEM = encode(LABEL)
OTHER = encode(LABEL.with_produce_id("c0ffee00-0000-4000-8000-000000000002"))
BLANK = sample("jpeg").read_bytes()
SIGNATURE = b"http://ns.adobe.com/xap/1.0/\0"
PACKET = _xmp.write(None, ITEM)


def written(data: bytes, item: str = ITEM) -> bytes:
    return render(data, jpeg.write(data, item))


def values(data: bytes) -> list[tuple[object, bool]]:
    return [(copy.value, copy.normative) for copy in jpeg.read(data)]


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def xmp(packet: bytes) -> bytes:
    return segment(0xE1, SIGNATURE + packet)


def picture(mode: str = "RGB", size: tuple[int, int] = (17, 9), **options: object) -> bytes:
    file = io.BytesIO()
    noise = random.Random(f"{mode}{size}").randbytes(3 * size[0] * size[1])
    Image.frombytes("RGB", size, noise).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


TINY = picture()


def with_segments(*new: bytes, data: bytes = TINY) -> bytes:
    """The picture with segments put behind its JFIF segment."""
    at = next(s.stop for s in jpeg.segments(data))
    return data[:at] + b"".join(new) + data[at:]


def exif_block(comment: bytes, order: str = "<", kind: int = 7) -> bytes:
    """A TIFF structure with a Make in IFD0 and a UserComment in the Exif IFD."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    ifd0 = struct.pack(order + "H", 2) + struct.pack(order + "HHI4s", 0x010F, 2, 4, b"abc\0")
    ifd0 += struct.pack(order + "HHII", 0x8769, 4, 1, 38) + bytes(4)
    exif = struct.pack(order + "HHHIII", 1, 0x9286, kind, len(comment), 56, 0)
    return head + ifd0 + exif + comment


def commented(comment: bytes, order: str = "<", kind: int = 7) -> bytes:
    return with_segments(segment(0xE1, b"Exif\0\0" + exif_block(comment, order, kind)))


def pixels(data: bytes) -> tuple[str, bytes]:
    with Image.open(io.BytesIO(data)) as image:
        return image.mode, image.tobytes()


def markers(data: bytes) -> list[int]:
    return [s.marker for s in jpeg.segments(data)]


def test_all_but_the_new_segment_is_the_source_and_the_pixels_are_the_same() -> None:
    pieces = jpeg.write(BLANK, ITEM)
    spans = [p for p in pieces if isinstance(p, Span)]
    assert spans == [Span(0, spans[0].stop), Span(spans[0].stop, len(BLANK))]
    assert markers(written(BLANK))[:3] == [0xE0, 0xE1, 0xE1]  # JFIF and Exif stay first
    assert pixels(written(BLANK)) == pixels(BLANK)


def test_independent_readers_show_the_item(tmp_path: Path) -> None:
    path = tmp_path / "labelled.jpg"
    path.write_bytes(written(BLANK))
    [seen] = json.loads(run(tool("exiftool"), "-j", "-G1", "-XMP-TC260:all", "-warning", path))
    assert json.loads(seen["XMP-TC260:Aigc"]) == json.loads(ITEM)
    assert "ExifTool:Warning" not in seen
    assert ITEM in run(tool("exiv2"), "-px", path)
    with Image.open(path) as image:
        assert b"TC260:AIGC" in image.info["xmp"]


def test_a_packet_is_edited_in_its_place() -> None:
    packet = PACKET.replace(b"</rdf:RDF>", b'<rdf:Description xmlns:a="urn:a" a:b="kept"/></rdf:RDF>')
    data = with_segments(segment(0xFE, b"before"), xmp(packet), segment(0xFE, b"after"))
    new = written(data, OTHER)
    assert values(new) == [(OTHER, True)]
    assert markers(new) == markers(data)
    assert b'a:b="kept"' in new
    assert written(new, OTHER) == new


def test_a_file_that_carries_the_item_is_not_changed_at_all() -> None:
    assert jpeg.write(written(BLANK), ITEM) == [Span(0, len(written(BLANK)))]


def test_bare_text_behind_the_xmp_signature_is_read_and_becomes_a_packet() -> None:
    data = with_segments(xmp(f'TC260:AIGC="{ITEM}"'.encode()))
    assert values(data) == [(ITEM, False)]
    assert values(written(data)) == [(ITEM, True)]


def test_copies_in_two_packets_become_one_and_a_packet_of_nothing_else_goes() -> None:
    data = with_segments(xmp(PACKET), xmp(b"TC260:AIGC='x'"), xmp(_xmp.write(None, OTHER)))
    assert len(values(data)) == 3
    new = written(data)
    assert values(new) == [(ITEM, True)]
    assert markers(new).count(0xE1) == 2


def test_extended_xmp_is_left_alone() -> None:
    extension = segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + bytes(8) + b"<x/>")
    data = with_segments(xmp(PACKET), extension)
    assert extension in written(data, OTHER)


def test_a_packet_that_cannot_grow_is_refused_and_its_padding_is_given_up_first() -> None:
    def packet(comment: int, padding: int) -> bytes:
        commented = PACKET.replace(b"<TC260:AIGC>", b"<!--" + b"x" * comment + b"--><TC260:AIGC>")
        return commented.replace(b"<?xpacket end", b" " * padding + b"<?xpacket end")

    free = 65502 - len(packet(0, 0))
    largest = with_segments(xmp(packet(free, 2)))
    assert written(largest) == largest
    longer = encode(LABEL.with_produce_id("y" * 100))
    assert values(written(with_segments(xmp(packet(free - 200, 200))), longer)) == [(longer, True)]
    with pytest.raises(BadInput, match="65502"):
        jpeg.write(with_segments(xmp(packet(free, 0))), longer)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "comment",
    [
        b"ASCII\0\0\0" + b'{"AIGC":%s}' % ITEM.encode() + b"\0\0",
        b"ASCII\0\0\0AIGC" + ITEM.encode(),
        b"\0\0\0\0\0\0\0\0" + ITEM.encode(),
        b"UNICODE\0" + ITEM.encode("utf-16-le"),
        b"UNICODE\0" + ITEM.encode("utf-16-be"),
        b"UNICODE\0" + ITEM.encode("utf-16"),
        ITEM.encode(),
    ],
    ids=["ASCII", "glued", "undefined", "little-endian", "big-endian", "byte order mark", "no character code"],
)
def test_the_item_in_a_user_comment_is_read_and_moves_to_the_slot(comment: bytes, order: str) -> None:
    data = commented(comment, order)
    [copy] = jpeg.read(data)
    assert not copy.normative
    assert decode(copy.value).label == LABEL
    new = written(data)
    assert values(new) == [(ITEM, True)]
    assert len(new) == len(data) + len(xmp(PACKET))
    with Image.open(io.BytesIO(new)) as image:
        assert image.getexif()[0x010F] == "abc"
        assert not image.getexif().get_ifd(0x8769)[0x9286].strip(b"\0")


def test_exiftool_finds_no_fault_with_an_emptied_comment(tmp_path: Path) -> None:
    path = tmp_path / "emptied.jpg"
    path.write_bytes(written(commented(b"ASCII\0\0\0" + ITEM.encode())))
    [seen] = json.loads(run(tool("exiftool"), "-j", "-UserComment", "-Make", "-warning", path))
    assert seen == {"SourceFile": str(path), "UserComment": "", "Make": "abc"}


@pytest.mark.parametrize(
    "text",
    [
        "a cat, masterpiece\nNegative prompt: AIGC, ContentProducer",
        '{"data":{"product":"aweme","aigc_info":{"aigc_type":1}}}',
        '{"label":"cat","score":1}',
        '{"AIGC":{"ServiceProvider":"x","ServiceUser":"y","Time":"z","ContentId":"1"}}',
        "",
        "charset=Ascii AIGC is a word",
    ],
)
def test_other_comments_are_no_item_and_stay(text: str) -> None:
    data = commented(b"ASCII\0\0\0" + text.encode())
    assert jpeg.read(data) == []
    assert text.encode() in written(data)


def test_the_item_in_an_image_description_is_read_and_moves_to_the_slot() -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x010F] = ITEM, "abc"
    data = with_segments(segment(0xE1, b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")))
    assert values(data) == [(ITEM, False)]
    new = written(data)
    assert values(new) == [(ITEM, True)]
    assert len(new) == len(data) + len(xmp(PACKET))
    with Image.open(io.BytesIO(new)) as image:
        assert image.getexif()[0x010F] == "abc"
        assert not image.getexif()[0x010E].strip("\0")


@pytest.mark.parametrize("text", ['{"AIGC":%s,"app":"x"}', "%s and more"])
def test_a_comment_that_holds_more_than_the_item_is_read_and_never_emptied(text: str) -> None:
    data = commented(b"ASCII\0\0\0" + (text % ITEM).encode())
    [copy] = jpeg.read(data)
    assert decode(copy.value).label == LABEL
    with pytest.raises(BadInput, match="UserComment holds more"):
        jpeg.write(data, ITEM)


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[:20],
        lambda b: b.replace(b"II*\0", b"II+\0"),
        lambda b: b.replace(struct.pack("<I", 8), b"\xff\xff\xff\xff", 1),
        lambda b: b.replace(struct.pack("<HHII", 0x8769, 4, 1, 38), struct.pack("<HHII", 0x8769, 4, 1, 8)),
        lambda b: b.replace(struct.pack("<HHI", 0x9286, 7, 261), struct.pack("<HHI", 0x9286, 7, 1 << 31)),
    ],
    ids=["cut", "no TIFF", "offset beyond", "IFD pointing at itself", "length beyond"],
)
def test_a_damaged_exif_block_holds_no_item(damage: object) -> None:
    sound = exif_block(b"ASCII\0\0\0" + ITEM.encode())
    block = damage(sound)  # type: ignore[operator]
    assert block != sound
    assert _exif.read(block, "here") == []
    assert _exif.emptied(block, "here") == block


@pytest.mark.parametrize("marker", [0xE9, 0xEB, 0xFE])
@pytest.mark.parametrize("text", ["AIGC%s", "AIGC: %s\0", '{"AIGC":%s}'])
def test_an_item_glued_into_a_segment_is_read_and_moves_to_the_slot(marker: int, text: str) -> None:
    data = with_segments(segment(marker, (text % ITEM).encode()))
    [copy] = jpeg.read(data)
    assert not copy.normative
    assert decode(copy.value).label == LABEL
    assert written(data) == written(TINY)


def test_a_segment_that_holds_more_than_the_item_is_refused() -> None:
    data = with_segments(segment(0xE9, f"AIGC{ITEM} and more".encode()))
    assert values(data) == [(f"AIGC{ITEM}", False)]
    with pytest.raises(BadInput, match="APP9"):
        jpeg.write(data, ITEM)


def test_what_follows_the_picture_stays() -> None:
    assert written(BLANK + b"trailer").endswith(BLANK[-1000:] + b"trailer")


def multi_picture(order: str = ">") -> bytes:
    """A file of two pictures, its MPF segment in front of the second's XMP; as phones store a gain map."""
    second = picture(size=(8, 8))
    head = {"<": b"II*\0", ">": b"MM\0*"}[order]

    def segments(first: int, offset: int) -> list[bytes]:
        entries = struct.pack(order + "IIIHH", 0x20030000, first, 0, 0, 0)
        entries += struct.pack(order + "IIIHH", 0, len(second), offset, 0, 0)
        ifd = struct.pack(order + "IH", 8, 3) + struct.pack(order + "HHI4s", 0xB000, 7, 4, b"0100")
        ifd += struct.pack(order + "HHII", 0xB001, 4, 1, 2)
        ifd += struct.pack(order + "HHII", 0xB002, 7, 32, 50) + bytes(4)
        return [segment(0xE2, b"MPF\0" + head + ifd + entries), xmp(_xmp.write(None, "{}"))]

    first = len(with_segments(*segments(0, 0)))
    base = next(s.body for s in jpeg.segments(with_segments(*segments(0, 0))) if s.marker == 0xE2) + 4
    return with_segments(*segments(first, first - base)) + second


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("graft", [False, True], ids=["written", "grafted"])
def test_a_multi_picture_file_still_points_at_its_pictures(order: str, graft: bool) -> None:
    data = multi_picture(order)
    new = render(data, jpeg.graft(data, picture(size=(33, 9)))) if graft else written(data)
    assert len(new) != len(data)
    for file in (data, new):
        with Image.open(io.BytesIO(file)) as image:
            assert image.n_frames == 2
            image.seek(1)
            image.load()
            assert image.size == (8, 8)
        mpf = next(s for s in jpeg.segments(file) if s.marker == 0xE2)
        size, offset = (struct.unpack_from(order + "I", file, mpf.body + 4 + at)[0] for at in (54, 74))
        assert size == mpf.body + 4 + offset == file.rindex(b"\xff\xd8\xff")


@pytest.mark.parametrize("place", [2, 40], ids=["no header", "in the header"])
def test_a_file_cut_in_its_header_is_bad_input_and_can_be_closed(place: int, tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(BLANK[:place] + b"\xff\xe5\xff\xff")
    for act in (jpeg.read, lambda data: jpeg.write(data, ITEM)):
        with pytest.raises(BadInput, match="cut short"), Asset.open(path) as asset:
            act(asset.data)


def test_the_item_before_a_cut_is_read() -> None:
    assert values(written(BLANK)[:3000]) == [(ITEM, True)]


def test_bytes_between_segments_are_passed_over_as_decoders_do() -> None:
    data = with_segments(b"\0junk\0", xmp(PACKET))
    assert values(data) == [(ITEM, True)]
    assert values(written(data, OTHER)) == [(OTHER, True)]


def grafted(source: bytes, encoded: bytes) -> bytes:
    return render(source, jpeg.graft(source, encoded))


def test_a_graft_has_the_sources_segments_and_trailer_around_the_encoded_picture() -> None:
    source = with_segments(segment(0xFE, b"a comment"), data=written(BLANK)) + b"trailer"
    encoded = picture("RGB", (371, 427), progressive=True, comment=b"not this one")
    new = grafted(source, encoded)
    assert pixels(new) == pixels(encoded)
    assert new.endswith(b"\xff\xd9trailer")
    assert values(new) == [(ITEM, True)]
    assert b"not this one" not in new
    with Image.open(io.BytesIO(new)) as image, Image.open(io.BytesIO(source)) as before:
        assert image.getexif() == before.getexif()
        assert image.info["icc_profile"] == before.info["icc_profile"]
        assert image.info["dpi"] == before.info["dpi"]


@pytest.mark.parametrize(
    ("source", "encoded"),
    [("RGB", "CMYK"), ("CMYK", "RGB"), ("CMYK", "CMYK"), ("L", "RGB"), ("RGB", "L")],
)
def test_a_grafts_colours_are_understood_as_those_of_the_encoded_picture(source: str, encoded: str) -> None:
    assert pixels(grafted(picture(source), picture(encoded))) == pixels(picture(encoded))


def test_a_graft_of_unconverted_rgb_does_not_pass_for_ycc() -> None:
    encoded = picture("RGB", keep_rgb=True)
    assert pixels(grafted(TINY, encoded)) == pixels(encoded)


_RICH = with_segments(
    segment(0xE1, b"Exif\0\0" + exif_block(b"ASCII\0\0\0" + ITEM.encode())),
    xmp(PACKET),
    segment(0xE9, b"AIGC" + ITEM.encode()),
    xmp(_xmp.write(None, OTHER)),
    multi_picture()[TINY.index(b"\xff\xdb") : 150],
)


@given(mutations(_RICH))
def test_damaged_files_raise_nothing_but_toolkit_errors(data: bytes) -> None:
    survives(jpeg, data, ITEM)


@given(mutations(exif_block(b"ASCII\0\0\0" + ITEM.encode(), ">")))
def test_damaged_exif_blocks_never_raise_and_keep_their_length(block: bytes) -> None:
    copies = _exif.read(block, "here")
    assert not any(copy.normative for copy in copies)
    with contextlib.suppress(BadInput):  # a comment of which the damage made more than the item
        emptied = _exif.emptied(block, "here")
        assert len(emptied) == len(block)
        assert _exif.read(emptied, "here") == []
