"""WAV: the item in a top-level chunk, every sample as it was; streamed and large files too."""

import base64
import io
import json
import struct
import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.asset import Asset
from labeler.containers import Span, _riff, render, wav
from labeler.metadata import MAX_ITEM, encode
from policies.errors import BadInput
from tests.conftest import LABEL, run, sample, stream_hash, tool
from tests.labeler.containers.hostile import mutations, survives

ITEM = encode(LABEL)
OTHER = encode(LABEL.with_produce_id("c0ffee00-0000-4000-8000-000000000002"))
BLANK = sample("wav").read_bytes()
UNKNOWN = 0xFFFFFFFF

FORMAT = _riff.chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8))
SOUND = bytes(range(100, 140))


def written(data: bytes, item: str = ITEM) -> bytes:
    return render(data, wav.write(data, item))


def values(data: bytes) -> list[tuple[object, bool]]:
    return [(copy.value, copy.normative) for copy in wav.read(data)]


def form(*parts: bytes, size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def data_chunk(size: int, sound: bytes = SOUND) -> bytes:
    return b"data" + struct.pack("<I", size) + sound


def item_chunk(item: str = ITEM) -> bytes:
    return _riff.chunk(b"AIGC", item.encode())


def info(*parts: bytes) -> bytes:
    return _riff.chunk(b"LIST", b"INFO" + b"".join(parts))


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks by their own sizes; that of the form is asserted to be exact."""
    stop = 8 + struct.unpack("<I", data[4:8])[0]
    found = list(_riff.chunks(data, 12, stop, stop))
    assert found[-1].stop == stop
    return [(c.id, data[c.body : c.end]) for c in found]


def large(*parts: bytes, kind: bytes = b"RF64", sound: bytes = SOUND, table: bytes = b"") -> bytes:
    """A file whose sizes stand in ds64."""
    size = 4 + 36 + len(table) + sum(map(len, parts)) + 8 + len(sound)
    sizes = struct.pack("<QQQI", size, len(sound), len(sound), len(table) // 12) + table
    body = _riff.chunk(b"ds64", sizes) + b"".join(parts) + data_chunk(UNKNOWN, sound)
    return kind + struct.pack("<I", UNKNOWN) + b"WAVE" + body


PLAIN = form(FORMAT, data_chunk(len(SOUND)))


def test_all_but_the_size_and_the_new_chunk_is_the_source(tmp_path: Path) -> None:
    pieces = wav.write(BLANK, ITEM)
    assert [p for p in pieces if isinstance(p, Span)] == [Span(0, 4), Span(8, len(BLANK))]
    new = written(BLANK)
    assert chunks(new) == [*chunks(BLANK), (b"AIGC", ITEM.encode())]
    (tmp_path / "a.wav").write_bytes(BLANK)
    (tmp_path / "b.wav").write_bytes(new)
    assert stream_hash(tmp_path / "a.wav") == stream_hash(tmp_path / "b.wav")


@pytest.mark.parametrize("kind", ["RIFF", "RF64"])
def test_independent_readers_show_the_item_and_find_no_fault(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "labelled.wav"
    path.write_bytes(written(BLANK if kind == "RIFF" else large(FORMAT)))
    [seen] = json.loads(run(tool("exiftool"), "-j", "-G1", "-u", "-b", "-warning", "-RIFF:all", path))
    shown = base64.b64decode(seen["RIFF:Unknown_AIGC"].removeprefix("base64:"))
    assert shown.rstrip(b"\0") == ITEM.encode()  # ExifTool counts the padding byte in
    assert "ExifTool:Warning" not in seen
    assert json.loads(run(tool("ffprobe"), "-v", "error", "-show_format", "-of", "json", path))["format"]["duration"]


def test_the_wave_module_of_python_still_reads_the_samples() -> None:
    with wave.open(io.BytesIO(written(PLAIN))) as file:
        assert file.readframes(1000) == SOUND


def test_an_item_is_replaced_where_it_stands() -> None:
    data = form(FORMAT, item_chunk(), data_chunk(len(SOUND)))
    assert written(data, OTHER) == form(FORMAT, item_chunk(OTHER), data_chunk(len(SOUND)))
    assert written(written(PLAIN), OTHER) == written(PLAIN, OTHER)


def test_two_items_become_one() -> None:
    data = form(item_chunk(OTHER), FORMAT, data_chunk(len(SOUND)), item_chunk())
    assert values(data) == [(OTHER, True), (ITEM, True)]
    assert chunks(written(data))[0] == (b"AIGC", ITEM.encode())
    assert values(written(data)) == [(ITEM, True)]


@pytest.mark.parametrize("item", [ITEM, ITEM + " "], ids=["odd", "even"])
def test_an_item_in_info_is_read_and_moves_to_its_chunk(item: str) -> None:
    title = _riff.chunk(b"INAM", b"title\0")
    for copy in (_riff.chunk(b"AIGC", item.encode()), b"AIGC" + struct.pack("<I", len(item)) + item.encode()):
        for before in ((copy, title), (title, copy), (copy,)):
            data = form(FORMAT, info(*before), data_chunk(len(SOUND)))
            if copy != before[-1] and len(copy) % 2:
                continue  # without its padding byte only the last one can be found
            assert values(data) == [(item, False)]
            lists = [info(title)] if title in before else []
            assert written(data) == form(FORMAT, *lists, data_chunk(len(SOUND)), item_chunk())


def test_a_damaged_info_list_hides_no_item_before_the_damage_and_stays() -> None:
    broken = info(_riff.chunk(b"AIGC", b"{}"), b"INAM\xff\xff\xff\x0fx")
    data = form(FORMAT, broken, data_chunk(len(SOUND)))
    assert values(data) == [("{}", False)]
    assert values(written(data)) == [(ITEM, True)]
    assert b"INAM\xff\xff\xff\x0fx" in written(data)


def test_a_terminating_nul_is_not_part_of_the_item() -> None:
    assert values(form(FORMAT, item_chunk(ITEM + "\0"), data_chunk(0, b""))) == [(ITEM, True)]


def test_a_long_item_is_held_no_longer_than_needed_to_call_it_too_long() -> None:
    [copy] = wav.read(form(FORMAT, item_chunk("x" * (MAX_ITEM * 8)), data_chunk(len(SOUND))))
    assert MAX_ITEM < len(copy.value) <= 4 * (MAX_ITEM + 1)


STREAMED = {
    "both sizes unknown": form(FORMAT, data_chunk(UNKNOWN), size=UNKNOWN),
    "both sizes zero": form(FORMAT, data_chunk(0), size=0),
    "sizes of an empty file": form(FORMAT, data_chunk(0), size=36),
    "a size beyond the end": form(FORMAT, data_chunk(0x7FFFF000), size=0x7FFFF024),
    "RF64 with sizes of zero": large(FORMAT)[:20] + bytes(16) + large(FORMAT)[36:],
    "cut short": PLAIN[:-7],
}


@pytest.mark.parametrize("kind", STREAMED)
def test_in_front_of_data_without_an_end_the_item_stands_before_it(kind: str, tmp_path: Path) -> None:
    data = STREAMED[kind]
    assert wav.read(data) == []
    new = written(data)
    assert values(new) == [(ITEM, True)]
    at = data.index(b"data")
    assert new[at:] == item_chunk() + data[at:]
    assert written(new, OTHER) == written(data, OTHER)
    for name, content in (("a", data), ("b", new)):
        (tmp_path / f"{name}.wav").write_bytes(content)
    assert stream_hash(tmp_path / "a.wav") == stream_hash(tmp_path / "b.wav")


def test_a_pipe_of_ffmpeg_is_labelled_and_plays_the_same(tmp_path: Path) -> None:
    piped = tmp_path / "piped.wav"
    run("sh", "-c", f"'{tool('ffmpeg')}' -v error -f lavfi -i sine=duration=0.1 -f wav - > '{piped}'")
    new = tmp_path / "labelled.wav"
    new.write_bytes(written(piped.read_bytes()))
    assert values(new.read_bytes()) == [(ITEM, True)]
    assert stream_hash(new) == stream_hash(piped)


@pytest.mark.parametrize("size", [None, 0, UNKNOWN, 20, 36], ids=["right", "zero", "unknown", "too small", "at data"])
def test_a_wrong_size_of_the_form_does_not_hide_a_chunk(size: int | None) -> None:
    data = form(FORMAT, data_chunk(len(SOUND)), size=size)
    new = written(data)
    assert values(new) == [(ITEM, True)]
    assert written(new) == new
    assert SOUND in new


def test_data_of_odd_length_at_the_end_is_padded_before_the_item() -> None:
    data = form(FORMAT, data_chunk(39, SOUND[:39]))
    assert chunks(written(data))[-2:] == [(b"data", SOUND[:39]), (b"AIGC", ITEM.encode())]
    assert written(data) == written(form(FORMAT, data_chunk(39, SOUND[:39] + b"\0")))


def test_what_follows_the_form_stays_behind_it() -> None:
    assert written(PLAIN + b"TAGtrailer") == written(PLAIN) + b"TAGtrailer"


@pytest.mark.parametrize("kind", [b"RF64", b"BW64"])
def test_in_large_forms_the_size_in_ds64_grows(kind: bytes) -> None:
    data = large(FORMAT, kind=kind)
    new = written(data)
    assert values(new) == [(ITEM, True)]
    assert new[:20] == data[:20]
    assert struct.unpack("<Q", new[20:28])[0] == len(new) - 8
    assert new[28 : len(data)] == data[28:]
    assert written(new) == new


def test_a_size_in_the_table_of_ds64_is_used() -> None:
    other = b"axml" + struct.pack("<I", UNKNOWN) + b"<x/> "[:4]
    data = large(FORMAT, other, table=b"axml" + struct.pack("<Q", 4))
    assert values(written(data)) == [(ITEM, True)]
    assert written(data).endswith(SOUND + item_chunk())


def test_a_large_form_without_ds64_is_refused() -> None:
    with pytest.raises(BadInput, match="ds64"):
        wav.read(b"RF64\xff\xff\xff\xffWAVE" + FORMAT + data_chunk(UNKNOWN))


def test_a_file_of_gigabytes_is_labelled_in_pieces_and_one_too_many_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.wav"
    for size in (3 << 30, 0xFFFFFF00):
        with path.open("wb") as file:
            file.write(form(FORMAT, b"data" + struct.pack("<I", size - 36), size=size))
            file.truncate(8 + size)  # holes: no disk is used
        with Asset.open(path) as asset:
            if size == 3 << 30:
                pieces = wav.write(asset.data, ITEM)
                assert sum(len(p) for p in pieces if isinstance(p, bytes)) < 1000
            else:
                with pytest.raises(BadInput, match="RF64"):
                    wav.write(asset.data, ITEM)


@pytest.mark.parametrize("data", [form(), form(FORMAT[:10]), form(FORMAT, b"LIST\xff\0\0\0INFO")])
def test_a_file_without_chunks_or_cut_in_one_is_bad_input(data: bytes) -> None:
    with pytest.raises(BadInput, match="damaged"):
        wav.write(data, ITEM)


_RICH = form(FORMAT, info(item_chunk("{}"), _riff.chunk(b"INAM", b"t")), data_chunk(7, b"1234567\0"), item_chunk(OTHER))


@given(mutations(_RICH) | mutations(large(FORMAT, info(item_chunk("{}")))) | st.sampled_from(list(STREAMED.values())))
def test_damaged_files_raise_nothing_but_toolkit_errors(data: bytes) -> None:
    if wav.sniff(data, ".wav"):
        survives(wav, data, ITEM)
