"""FLAC: the item as a Vorbis comment, every other comment, block and frame byte for byte."""

import contextlib
import io
import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutagen.flac import FLAC

from labeler.containers import flac, mp3, render
from labeler.metadata import encode
from policies.errors import BadInput, ToolkitError
from tests.conftest import LABEL, run, sample, stream_hash, tool

ITEM = encode(LABEL)
BLANK = sample("flac").read_bytes()
FRAMES = BLANK[list(flac.blocks(BLANK))[-1].stop :]
STREAMINFO = BLANK[8:42]


def written(data: bytes, item: str = ITEM) -> bytes:
    return render(data, flac.write(data, item))


def values(data: bytes) -> list[str | object]:
    return [copy.value for copy in flac.read(data)]


def built(*blocks: tuple[int, bytes], frames: bytes = FRAMES) -> bytes:
    rows = [(0, STREAMINFO), *blocks]
    heads = [bytes([kind | (0x80 if i == len(rows) - 1 else 0)]) for i, (kind, _) in enumerate(rows)]
    joined = b"".join(h + len(body).to_bytes(3, "big") + body for h, (_, body) in zip(heads, rows, strict=True))
    return b"fLaC" + joined + frames


def comments(*texts: bytes, vendor: bytes = b"reference") -> tuple[int, bytes]:
    body = struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", len(texts))
    return 4, body + b"".join(struct.pack("<I", len(text)) + text for text in texts)


def bodies(data: bytes) -> list[tuple[int, bytes]]:
    return [(block.kind, data[block.start + 4 : block.stop]) for block in flac.blocks(data)]


def mutagen_values(data: bytes) -> list[str]:
    return list(FLAC(io.BytesIO(data)).tags.get("AIGC", []))


def test_other_blocks_comments_and_the_frames_stay_byte_for_byte() -> None:
    out = written(BLANK)
    unchanged = {0, 2, 3, 5, 6}
    assert [b for b in bodies(out) if b[0] in unchanged] == [b for b in bodies(BLANK) if b[0] in unchanged]
    assert out.endswith(FRAMES)
    assert mutagen_values(out) == [ITEM]
    tags, source = FLAC(io.BytesIO(out)).tags, FLAC(io.BytesIO(BLANK)).tags
    assert [pair for pair in tags if pair[0].upper() != "AIGC"] == list(source)
    assert tags.vendor == source.vendor


def test_padding_gives_the_room_so_that_the_frames_do_not_move() -> None:
    data = built(comments(b"TITLE=Homeward"), (1, bytes(1000)), (6, b"picture"))
    out = written(data)
    assert len(out) == len(data)
    assert [kind for kind, _ in bodies(out)] == [0, 4, 1, 6]
    assert bodies(out)[1][1].startswith(comments(b"TITLE=Homeward")[1][:10])


def test_padding_that_is_used_up_to_the_last_byte_goes() -> None:
    grows = 4 + len(b"AIGC=" + ITEM.encode())
    data = built(comments(b"TITLE=Homeward"), (1, bytes(grows - 4)))
    out = written(data)
    assert len(out) == len(data)
    assert [kind for kind, _ in bodies(out)] == [0, 4]


def test_a_shorter_item_leaves_padding_where_it_was_longer() -> None:
    data = built(comments(b"AIGC=" + ITEM.encode() + b" " * 400))
    out = written(data)
    assert len(out) == len(data)
    assert values(out) == mutagen_values(out) == [ITEM]


def test_a_file_without_comments_gets_a_block_of_them() -> None:
    out = written(built((1, bytes(64))))
    assert [kind for kind, _ in bodies(out)] == [0, 4, 1]
    assert values(out) == mutagen_values(out) == [ITEM]
    assert values(written(built())) == [ITEM]


def test_the_first_copy_is_replaced_in_its_place_and_the_others_go() -> None:
    data = built(comments(b"A=1", b"aigc={}", b"B=2", b'AIGC={"Label":"2"}', b"B=3"), comments(b"AIGC={}", b"C=4"))
    assert values(data) == ["{}", '{"Label":"2"}', "{}"]
    out = written(data)
    wanted = b"AIGC=" + ITEM.encode()
    assert bodies(out)[1:3] == [comments(b"A=1", wanted, b"B=2", b"B=3"), comments(b"C=4")]


def test_an_id3_tag_before_the_stream_is_recognised_and_its_copy_moves() -> None:
    tag = mp3.write(b"", ITEM)[0]
    assert isinstance(tag, bytes)
    data = tag + BLANK
    assert flac.sniff(data, "")
    assert not mp3.sniff(data, "")
    [copy] = flac.read(data)
    assert not copy.normative
    out = written(data)
    [copy] = flac.read(out)
    assert (copy.value, copy.normative) == (ITEM, True)
    assert out[:3] == b"ID3"


def test_graft_puts_the_blocks_of_the_source_before_other_frames() -> None:
    source = built((2, b"appl" + b"x"), comments(b"TITLE=Homeward"), (3, bytes(18)), (6, b"picture"), (1, bytes(9)))
    info = bytes(34)
    encoded = b"fLaC\0\0\0\x22" + info + b"\x84\0\0\x08" + bytes(8) + b"frames"
    out = render(encoded, flac.graft(source, encoded))
    assert bodies(out) == [(0, info), *[b for b in bodies(source) if b[0] not in (0, 3)]]
    assert out.endswith(b"frames")


def test_ffprobe_and_mediainfo_read_the_item_and_the_packets_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "out.flac"
    path.write_bytes(written(BLANK))
    shown = run(tool("ffprobe"), "-v", "error", "-show_entries", "format_tags", "-of", "json", path)
    assert json.loads(shown)["format"]["tags"]["AIGC"] == ITEM
    assert LABEL.produce_id in run(tool("mediainfo"), "--Full", path)
    assert stream_hash(path) == stream_hash(sample("flac"))
    assert run(tool("ffmpeg"), "-v", "error", "-i", path, "-f", "null", "-") == ""


def test_exiftool_reads_the_item(tmp_path: Path) -> None:
    path = tmp_path / "out.flac"
    path.write_bytes(written(BLANK))
    [shown] = json.loads(run(tool("exiftool"), "-j", "-G", path))
    assert shown["Vorbis:Aigc"] == ITEM


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\xff\xff\xff\x7f", "cut short"),
        (b"\0\0\0\0\xff\xff\xff\xff", "more than it can hold"),
        (b"\0\0\0\0\1\0\0\0\xff\0\0\0AIGC={}", "cut short"),
    ],
)
def test_a_length_that_its_block_does_not_hold_is_damage(body: bytes, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        flac.read(built((4, body)))


def test_blocks_that_may_not_stand_where_they_do_are_damage() -> None:
    with pytest.raises(BadInput, match="type 4"):
        flac.read(b"fLaC\x84\0\0\0")
    with pytest.raises(BadInput, match="type 127"):
        flac.read(built((127, b"")))
    with pytest.raises(BadInput, match="cut short"):
        flac.read(BLANK[:60])


@settings(max_examples=150, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=4)), max_size=6),
    cut=st.integers(0, 20000),
    tagged=st.booleans(),
)
def test_mutated_files_raise_nothing_but_toolkit_errors(
    changes: list[tuple[int, bytes]], cut: int, tagged: bool
) -> None:
    start = render(b"", mp3.write(b"", ITEM)) if tagged else b""
    data = bytearray((start + written(built(comments(b"TITLE=x"), (1, bytes(300)))))[: max(cut, 10)])
    for at, new in changes:
        data[at : at + len(new)] = new
    flac.sniff(bytes(data), ".flac")
    with contextlib.suppress(ToolkitError):
        flac.read(bytes(data))
    with contextlib.suppress(ToolkitError):
        assert values(written(bytes(data))) == [ITEM]
