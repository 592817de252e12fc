"""MP3: the item in TXXX:AIGC, every other frame and the signal byte for byte."""

import contextlib
import io
import json
import struct
import zlib
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutagen.id3 import ID3, PRIV, TIT2, TXXX

from labeler.containers import _id3, _xmp, identify, mp3, render
from labeler.metadata import encode
from policies.errors import BadInput, ToolkitError
from tests.conftest import LABEL, run, sample, stream_hash, tool

ITEM = encode(LABEL)
BLANK = sample("mp3").read_bytes()
FRAMES = BLANK[_id3.end_of_tags(BLANK) :]


def written(data: bytes, item: str = ITEM) -> bytes:
    return render(data, mp3.write(data, item))


def values(data: bytes) -> list[str | object]:
    return [copy.value for copy in mp3.read(data)]


def tagged(frames: bytes, version: int = 4, flags: int = 0, padding: int = 0, stream: bytes = FRAMES) -> bytes:
    body = frames + bytes(padding)
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    footer = b"3DI" + bytes([version, 0, flags]) + size if flags & 0x10 else b""
    return b"ID3" + bytes([version, 0, flags]) + size + body + footer + stream


def frame(id: bytes, content: bytes, version: int = 4, flags: bytes = b"\0\0") -> bytes:
    if version == 2:
        return id + len(content).to_bytes(3, "big") + content
    size = bytes(len(content) >> shift & 0x7F for shift in (21, 14, 7, 0)) if version == 4 else None
    return id + (size or len(content).to_bytes(4, "big")) + flags + content


def other_frames(data: bytes, carrier: bytes = b"TXX") -> list[bytes]:
    return [data[f.start : f.stop] for t in _id3.tags(data) for f in t.frames if not f.id.startswith(carrier)]


def mutagen_values(data: bytes) -> list[str]:
    return [text for found in ID3(io.BytesIO(data)).getall("TXXX:AIGC") for text in found.text]


def test_frames_of_the_tag_and_of_the_signal_stay_byte_for_byte() -> None:
    out = written(BLANK)
    assert other_frames(out) == other_frames(BLANK)
    assert out.endswith(FRAMES)
    assert {f.id for f in _id3.tags(out)[0].frames} > {b"APIC", b"TIT2", b"COMM"}


def test_the_item_fits_into_existing_padding_and_the_signal_does_not_move() -> None:
    data = tagged(frame(b"TIT2", b"\3Title"), padding=2000)
    out = written(data)
    assert len(out) == len(data)
    assert out.endswith(FRAMES)
    assert out[:10] == data[:10]


def test_a_tag_without_room_leaves_a_kilobyte_for_the_next_label() -> None:
    out = written(tagged(frame(b"TIT2", b"\3Title")))
    longer = written(out, encode(LABEL.with_produce_id("c0ffee00" * 4)))
    assert len(longer) == len(out)


def test_a_file_without_a_tag_gets_one_of_version_2_4() -> None:
    out = written(FRAMES)
    assert out[:4] == b"ID3\4"
    assert out.endswith(FRAMES)
    assert mutagen_values(out) == [ITEM]


@pytest.mark.parametrize("version", [2, 3, 4])
def test_each_version_keeps_its_version(version: int) -> None:
    title = frame(b"TT2" if version == 2 else b"TIT2", b"\0Title", version)
    out = written(tagged(title, version, padding=20))
    assert out[3] == version
    assert other_frames(out) == [title]
    assert mutagen_values(out) == values(out) == [ITEM]


def test_the_first_copy_is_replaced_in_its_place_and_the_others_go() -> None:
    def copy(value: bytes) -> bytes:
        return frame(b"TXXX", b"\3AIGC\0" + value)

    data = tagged(copy(b"{}") + frame(b"TIT2", b"\3T") + copy(b'{"Label":"2"}') + frame(b"TXXX", b"\3other\0kept"))
    assert values(data) == ["{}", '{"Label":"2"}']
    out = written(data)
    assert [f.id for f in _id3.tags(out)[0].frames] == [b"TXXX", b"TIT2", b"TXXX"]
    assert values(out) == [ITEM]
    assert b"\3other\0kept" in out


def test_wide_text_in_version_2_3_is_read_as_written() -> None:
    tags = ID3()
    tags.add(TXXX(encoding=1, desc="AIGC", text='{"Label":"1","ContentProducer":"某公司"}'))
    file = io.BytesIO(FRAMES)
    tags.save(file, v2_version=3)
    assert values(file.getvalue()) == ['{"Label":"1","ContentProducer":"某公司"}']


@pytest.mark.parametrize("version", [2, 3, 4])
def test_text_beyond_ascii_is_written_so_that_mutagen_reads_it(version: int) -> None:
    item = '{"Label":"1","ContentProducer":"某公司é"}'
    out = written(tagged(b"", version, flags=0x80, padding=16), item)
    assert values(out) == mutagen_values(out) == [item]


@pytest.mark.parametrize("version", [2, 3])
def test_an_unsynchronised_tag_is_walked_and_spliced_as_stored(version: int) -> None:
    picture = b"\0image/jpeg\0\3\0" + b"\xff\xe0\xff\0\xff" * 300
    plain = frame(b"PIC" if version == 2 else b"APIC", picture, version)
    stored = plain.replace(b"\xff", b"\xff\0")
    data = tagged(stored, version, flags=0x80, padding=900)
    out = written(data)
    assert len(out) == len(data)
    assert other_frames(out) == [stored]
    assert values(out) == mutagen_values(out) == [ITEM]
    assert b"\xff\xe0" not in out[: -len(FRAMES)]


@pytest.mark.parametrize("flag", [0x80, 0])
def test_frames_of_version_2_4_that_are_unsynchronised_packed_or_grouped_are_read(flag: int) -> None:
    content = b"\3AIGC\0" + ITEM.encode()
    packed = len(content).to_bytes(4, "big") + zlib.compress(content)
    assert values(tagged(frame(b"TXXX", packed, flags=b"\0\x09"), flags=flag)) == [ITEM]
    assert values(tagged(frame(b"TXXX", b"g" + content, flags=b"\0\x40"), flags=flag)) == [ITEM]
    wide = b"\1" + "AIGC\0".encode("utf-16") + ITEM.encode("utf-16")
    stored = wide.replace(b"\xff", b"\xff\0")
    assert values(tagged(frame(b"TXXX", stored, flags=b"\0\x02"), flags=flag)) == [ITEM]


def test_an_extended_header_is_walked_and_loses_only_its_checksum() -> None:
    title = frame(b"TIT2", b"\3Title")
    extended = b"\0\0\0\x0e\1\x70\0\5" + bytes(5) + b"\1" + b"\x5a"
    extended = len(extended).to_bytes(4, "big") + extended[4:]
    out = written(tagged(extended + title, flags=0x40))
    assert values(out) == mutagen_values(out) == [ITEM]
    assert out[10:19] == b"\0\0\0\x09\1\x50\0\1\x5a"
    third = written(tagged(b"\0\0\0\6" + bytes(6) + frame(b"TIT2", b"\0T", 3), 3, flags=0x40, padding=8))
    assert third[5] == 0
    assert values(third) == mutagen_values(third) == [ITEM]


def test_a_tag_with_a_footer_keeps_it_in_step_and_takes_no_padding() -> None:
    out = written(tagged(frame(b"TIT2", b"\3Title"), flags=0x10))
    [tag] = _id3.tags(out)
    assert out[tag.stop - 10 : tag.stop] == b"3DI" + out[3:10]
    assert tag.tail == tag.limit
    assert out[tag.stop :] == FRAMES
    assert values(out) == [ITEM]


def test_plain_lengths_in_version_2_4_as_old_itunes_wrote_them_are_walked() -> None:
    picture = b"APIC" + (300).to_bytes(4, "big") + b"\0\0" + b"\0image/png\0\3\0" + b"x" * 287
    label = frame(b"TXXX", b"\3AIGC\0" + ITEM.encode(), version=3)
    data = tagged(picture + label, padding=50)
    assert [f.id for f in _id3.tags(data)[0].frames] == [b"APIC", b"TXXX"]
    assert values(data) == [ITEM]
    assert values(written(data)) == [ITEM]


def test_an_item_in_xmp_moves_to_its_slot_and_the_packet_keeps_the_rest() -> None:
    packet = _xmp.write(None, ITEM).replace(
        b"</rdf:RDF>",
        b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="audio/mpeg"/></rdf:RDF>',
    )
    tags = ID3()
    tags.add(PRIV(owner="XMP", data=packet))
    tags.add(TIT2(encoding=3, text="Title"))
    file = io.BytesIO(FRAMES)
    tags.save(file)
    [copy] = mp3.read(file.getvalue())
    assert (copy.value, copy.normative) == (ITEM, False)
    out = written(file.getvalue())
    [copy] = mp3.read(out)
    assert (copy.value, copy.normative) == (ITEM, True)
    assert b'dc:format="audio/mpeg"' in ID3(io.BytesIO(out)).getall("PRIV")[0].data


def test_of_several_tags_the_first_carries_the_item() -> None:
    second = tagged(frame(b"TXXX", b"\3AIGC\0{}"))
    data = tagged(frame(b"TIT2", b"\3Title"), 3, stream=second)
    out = written(data)
    assert values(out) == mutagen_values(out) == [ITEM]


def test_tags_behind_the_signal_stay() -> None:
    ape = b"APETAGEX" + struct.pack("<4I8x", 2000, 32, 0, 0)
    tail = ape + b"TAG" + b"Homeward".ljust(125, b"\0")
    out = written(BLANK + tail)
    assert out.endswith(FRAMES + tail)
    assert mp3.start_of_tail(out) == len(out) - len(tail)


def test_graft_puts_the_tags_of_the_source_around_other_frames() -> None:
    source = written(BLANK) + b"TAG" + bytes(125)
    encoded = tagged(frame(b"TSSE", b"\3Lavf"), stream=FRAMES[:2000])
    out = render(encoded, mp3.graft(source, encoded))
    assert out == source[: _id3.end_of_tags(source)] + FRAMES[:2000] + b"TAG" + bytes(125)


def test_ffprobe_and_mediainfo_read_the_item_and_the_packets_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "out.mp3"
    path.write_bytes(written(BLANK))
    shown = run(tool("ffprobe"), "-v", "error", "-show_entries", "format_tags", "-of", "json", path)
    assert json.loads(shown)["format"]["tags"]["AIGC"] == ITEM
    assert LABEL.produce_id in run(tool("mediainfo"), "--Full", path)
    assert stream_hash(path) == stream_hash(sample("mp3"))


def test_exiftool_reads_the_item(tmp_path: Path) -> None:
    path = tmp_path / "out.mp3"
    path.write_bytes(written(BLANK))
    [shown] = json.loads(run(tool("exiftool"), "-j", "-G", path))
    # Up to version 12 ExifTool shows every TXXX as UserDefinedText.
    assert ITEM in (shown.get("ID3:Aigc"), str(shown.get("ID3:UserDefinedText")).removeprefix("(AIGC) "))


def test_only_layer_three_is_taken_for_mp3() -> None:
    assert mp3.sniff(FRAMES, "")
    assert mp3.sniff(tagged(b"", padding=10, stream=bytes(200) + FRAMES), "")
    assert not mp3.sniff(tagged(b"", padding=10, stream=sample("flac").read_bytes()), "")
    adts = (b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(9)) * 20
    assert not mp3.sniff(adts, "")
    assert not mp3.sniff(tagged(b"", padding=10, stream=adts), "")
    assert not mp3.sniff("\ufeffUTF-16 text".encode("utf-16-le") * 50, ".mp3")
    assert identify(BLANK, "")[0] == "mp3"


def test_a_tag_or_frame_that_runs_past_its_end_is_damage() -> None:
    with pytest.raises(BadInput, match="cut short"):
        mp3.read(BLANK[:500])
    with pytest.raises(BadInput, match="runs past"):
        mp3.read(tagged(b"TIT2\0\0\x7f\x7f\0\0" + b"\3T"))
    with pytest.raises(BadInput, match="extended"):
        mp3.read(tagged(b"\x7f\x7f\x7f\x7f", flags=0x40))


def test_a_frame_that_unpacks_to_far_more_is_cut_off() -> None:
    bomb = zlib.compress(b"\3AIGC\0" + bytes(50 << 20))
    size = bytes(len(bomb) >> shift & 0x7F for shift in (21, 14, 7, 0))
    data = tagged(b"TXXX" + size + b"\0\x08" + bomb)
    assert sum(len(str(value)) for value in values(data)) < 4 << 20


@settings(max_examples=150, deadline=None)
@given(
    base=st.sampled_from([written(BLANK)[:40000], written(tagged(frame(b"TIT2", b"\1\xff\xfeT\0"), 3, flags=0x80))]),
    changes=st.lists(st.tuples(st.integers(0, 600), st.binary(min_size=1, max_size=4)), max_size=6),
    cut=st.integers(0, 39999),
)
def test_mutated_files_raise_nothing_but_toolkit_errors(
    base: bytes, changes: list[tuple[int, bytes]], cut: int
) -> None:
    data = bytearray(base[: max(cut, 10)])
    for at, new in changes:
        data[at : at + len(new)] = new
    mp3.sniff(bytes(data), ".mp3")
    with contextlib.suppress(ToolkitError):
        mp3.read(bytes(data))
    with contextlib.suppress(ToolkitError):
        out = written(bytes(data))
        assert values(out) == [ITEM]


def test_consecutive_headers_walk_the_sample_to_its_end() -> None:
    position, starts = 0, []
    while (header := mp3.frame(FRAMES[position : position + 4])) is not None:
        starts.append(position)
        position += header.size
    assert position == len(FRAMES)
    assert all(313 <= b - a <= 523 for a, b in pairwise(starts))
