"""MP4 and MOV: the item in moov/udta/meta, every other byte and every offset as true as before."""

import contextlib
import json
import os
import re
import struct
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutagen.mp4 import MP4, AtomDataType, MP4FreeForm

from labeler.asset import Asset
from labeler.containers import Copy, Piece, Span, _xmp, identify, mp4, render
from labeler.containers._bmff import Box, Edits, box, chains, children, first, number, top
from labeler.containers._bmff_meta import new_meta, parse
from labeler.metadata import decode, encode
from policies.errors import BadInput, ToolkitError
from policies.terms import Media
from tests.conftest import LABEL, SAMPLES, run, sample, stream_hash, tool

ITEM = encode(LABEL)
NEXT = encode(LABEL.with_produce_id("c0ffee00-0000-4000-8000-00000000000000002"))
BLANK = sample("mp4").read_bytes()
MOVIE = SAMPLES / "mp4" / "quicktime.mov"
AUDIO = SAMPLES / "mp4" / "audio.m4a"
FAST = ("-movflags", "+faststart")
TAGS = ("-metadata", "title=Hello", "-metadata", "artist=Me")

# ---- Files of every layout, as ffmpeg makes them of the samples --------------------------------------------

LAYOUTS: dict[str, tuple[Path, str, tuple[str, ...]]] = {
    "moov last": (sample("mp4"), "mp4", ()),
    "moov first": (sample("mp4"), "mp4", FAST),
    "fragmented": (sample("mp4"), "mp4", ("-movflags", "frag_keyframe+empty_moov", "-frag_duration", "200000")),
    "fragmented with default base": (
        sample("mp4"),
        "mp4",
        ("-movflags", "frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "200000"),
    ),
    "fragmented with sidx": (sample("mp4"), "mp4", ("-movflags", "dash+frag_keyframe", "-frag_duration", "200000")),
    "fragmented with samples in moov": (sample("mp4"), "mp4", ("-movflags", "frag_keyframe")),
    "MOV": (MOVIE, "mov", ()),
    "MOV moov first": (MOVIE, "mov", FAST),
    "M4A": (AUDIO, "m4a", TAGS),
    "M4A moov first": (AUDIO, "m4a", (*FAST, *TAGS)),
    "iTunes tags": (sample("mp4"), "mp4", TAGS),
    "iTunes tags, moov first": (sample("mp4"), "mp4", (*FAST, *TAGS)),
    "named tags, moov first": (sample("mp4"), "mp4", ("-movflags", "faststart+use_metadata_tags", *TAGS)),
    "3GP": (sample("mp4"), "3gp", ("-f", "3gp")),
}


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("layouts")

    def make(name: str) -> Path:
        source, suffix, options = LAYOUTS[name]
        path = folder / f"{name.replace(' ', '-')}.{suffix}"
        if not path.exists():
            ffmpeg(path, "-i", source, "-map", "0:v?", "-map", "0:a?", "-c", "copy", *options)
        return path

    return make


def ffmpeg(target: Path, *options: str | Path) -> Path:
    run(tool("ffmpeg"), "-v", "error", "-y", *options, target)
    return target


def labelled(path: Path, item: str = ITEM) -> Path:
    data = path.read_bytes()
    target = path.with_stem(f"{path.stem}-labelled")
    target.write_bytes(render(data, mp4.write(data, item)))
    return target


def written(data: bytes, item: str = ITEM) -> bytes:
    return render(data, mp4.write(data, item))


def values(data: bytes) -> list[tuple[object, bool]]:
    return [(copy.value, copy.normative) for copy in mp4.read(data)]


def moov_of(data: bytes) -> Box:
    return next(b for b in top(data) if b.kind == b"moov")


def outside_moov(data: bytes) -> list[bytes]:
    return [data[b.start : b.stop] for b in top(data) if b.kind not in (b"moov", b"free")]


def with_moov(data: bytes, *extra: bytes) -> bytes:
    """The file with more boxes at the end of its moov; the samples here have it last."""
    moov = moov_of(data)
    edits = Edits(data)
    edits.insert(moov.stop, b"".join(extra), (moov,))
    return render(data, edits.pieces())


def names_meta(names: Sequence[bytes], texts: Sequence[str], full: bool) -> bytes:
    keys = box(b"keys", struct.pack(">II", 0, len(names)), *(box(b"mdta", n) for n in names)) if names else b""
    data = [box(b"data", struct.pack(">II", 1, 0), t.encode()) for t in texts]
    ilst = box(b"ilst", *(box(struct.pack(">I", i + 1), d) for i, d in enumerate(data)))
    hdlr = box(b"hdlr", bytes(8), b"mdta", bytes(13))
    return box(b"meta", bytes(4) if full else b"", hdlr, keys, ilst)


# ---- Nothing else changes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_packet_is_found_where_it_was_after_one_and_two_writes(name: str, layout: Callable[[str], Path]) -> None:
    source = layout(name)
    before = stream_hash(source)
    once = labelled(source)
    twice = labelled(once, NEXT)
    assert stream_hash(once) == before
    assert stream_hash(twice) == before
    assert values(once.read_bytes()) == [(ITEM, True)]
    assert values(twice.read_bytes()) == [(NEXT, True)]


@pytest.mark.parametrize("name", [n for n in LAYOUTS if not n.startswith("fragmented")])
def test_every_box_but_moov_and_padding_stays_byte_for_byte(name: str, layout: Callable[[str], Path]) -> None:
    data = layout(name).read_bytes()
    assert outside_moov(written(data)) == outside_moov(data)


@pytest.mark.parametrize("name", LAYOUTS)
def test_labelling_twice_equals_labelling_once(name: str, layout: Callable[[str], Path]) -> None:
    once = written(layout(name).read_bytes())
    assert mp4.write(once, ITEM) == [Span(0, len(once))]


@pytest.mark.parametrize("name", [n for n in LAYOUTS if "first" in n or n.startswith("fragmented")])
def test_the_next_label_fits_behind_moov_and_moves_nothing(name: str, layout: Callable[[str], Path]) -> None:
    once = written(layout(name).read_bytes())
    twice = written(once, NEXT)
    assert len(NEXT) > len(ITEM)
    assert len(twice) == len(once)
    assert outside_moov(twice) == outside_moov(once)


def chunks(data: bytes) -> list[bytes]:
    """The bytes that each chunk offset points to."""
    return [data[o : o + 16] for t in offsets(data) for (o,) in struct.iter_unpack(">I", t[8:])]


@pytest.mark.parametrize("room", range(-10, 11))
def test_padding_is_used_if_what_is_left_of_it_can_be_a_box(room: int, layout: Callable[[str], Path]) -> None:
    bare = layout("moov first").read_bytes()
    growth = moov_of(written(bare)).size - moov_of(bare).size
    moov = moov_of(bare)
    shifted = bytearray(bare)
    for *_, stco in chains(bare, moov, b"trak", b"mdia", b"minf", b"stbl", b"stco"):
        for place in range(stco.body + 8, stco.stop, 4):
            struct.pack_into(">I", shifted, place, number(bare, stco, place) + growth + room - 8)
    # ffmpeg's own free box of 8 bytes follows moov, and counts.
    padding = box(b"free", bytes(growth + room - 16))
    data = bytes(shifted[: moov.stop]) + padding + bytes(shifted[moov.stop :])
    assert chunks(data) == chunks(bare)
    out = written(data)
    assert chunks(out) == chunks(bare)
    assert values(out) == [(ITEM, True)]
    assert (len(out) == len(data)) == (room == 0 or room >= 8)


def test_padding_inside_the_user_data_is_used_before_the_media_moves(
    layout: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "padded.m4a"
    path.write_bytes(layout("M4A moov first").read_bytes())
    tags = MP4(path)
    tags["\xa9alb"] = "Album"
    tags.save(padding=lambda _: 2000)
    data = path.read_bytes()
    out = labelled(path)
    assert len(out.read_bytes()) == len(data)
    assert stream_hash(out) == stream_hash(path)
    assert MP4(out)["\xa9alb"] == ["Album"]


def test_samples_in_what_calls_itself_padding_are_not_written_over(layout: Callable[[str], Path]) -> None:
    data = bytearray(layout("moov first").read_bytes())
    mdat = next(b for b in top(bytes(data)) if b.kind == b"mdat")
    data[mdat.start + 4 : mdat.start + 8] = b"free"
    out = written(bytes(data) + box(b"mdat", b"other"))
    assert data[mdat.body : mdat.stop] in out


def test_a_64_bit_mdat_size_is_kept_and_its_samples_found(layout: Callable[[str], Path], tmp_path: Path) -> None:
    data = layout("moov first").read_bytes()
    free, mdat = (next(b for b in top(data) if b.kind == kind) for kind in (b"free", b"mdat"))
    assert (free.size, free.stop) == (8, mdat.start)
    path = tmp_path / "wide.mp4"
    header = struct.pack(">I4sQ", 1, b"mdat", mdat.stop - free.start)
    path.write_bytes(data[: free.start] + header + data[mdat.body :])
    assert stream_hash(path) == stream_hash(layout("moov first"))
    assert stream_hash(labelled(path)) == stream_hash(path)


def test_samples_in_several_mdat_boxes_are_all_found(layout: Callable[[str], Path], tmp_path: Path) -> None:
    data = bytearray(layout("moov first").read_bytes())
    mdat = next(b for b in top(bytes(data)) if b.kind == b"mdat")
    path = b"trak", b"mdia", b"minf", b"stbl", b"stco"
    *_, second = [chain[-1] for chain in chains(bytes(data), moov_of(bytes(data)), *path)]
    for place in range(second.body + 8, second.stop, 4):
        struct.pack_into(">I", data, place, number(bytes(data), second, place) + mdat.size)
    media = bytes(data[mdat.start : mdat.stop])
    several = tmp_path / "several.mp4"
    several.write_bytes(bytes(data) + media)
    assert stream_hash(several) == stream_hash(layout("moov first"))
    assert stream_hash(labelled(several)) == stream_hash(several)


def test_subtitles_stay_in_their_place(layout: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "s.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    inputs = ("-i", layout("moov last"), "-i", tmp_path / "s.srt", "-map", "0", "-map", "1")
    source = ffmpeg(tmp_path / "s.mp4", *inputs, "-c", "copy", "-c:s", "mov_text", *FAST, *TAGS)
    assert "1,s" in stream_hash(source) or "2,s" in stream_hash(source)
    assert stream_hash(labelled(source)) == stream_hash(source)


def test_an_encrypted_file_still_decrypts(layout: Callable[[str], Path], tmp_path: Path) -> None:
    key = "0123456789abcdef0123456789abcdef"
    scheme = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key, "-encryption_kid", key)
    source = ffmpeg(tmp_path / "e.mp4", "-i", layout("moov last"), "-map", "0", "-c", "copy", *scheme, *FAST)

    def frames(path: Path) -> str:
        return run(tool("ffmpeg"), "-v", "error", "-decryption_key", key, "-i", path, "-f", "framemd5", "-")

    data = source.read_bytes()
    assert any(chains(data, moov_of(data), b"trak", b"mdia", b"minf", b"stbl", b"saio"))
    assert frames(labelled(source)) == frames(source)


@pytest.mark.parametrize("room", [0, 5000])
def test_offsets_into_moov_itself_stay_true(room: int, layout: Callable[[str], Path], tmp_path: Path) -> None:
    """Encryption's auxiliary data may lie in the track (senc), behind a udta box that grows."""
    key = "0123456789abcdef0123456789abcdef"
    scheme = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key, "-encryption_kid", key)
    plain = ffmpeg(tmp_path / "e.mp4", "-i", layout("moov last"), "-map", "0", "-c", "copy", *scheme).read_bytes()
    moov = moov_of(plain)
    edits = Edits(plain)
    edits.insert(children(plain, moov)[1].start, box(b"udta", box(b"\xa9nam", bytes(room))), (moov,))
    data = bytearray(render(plain, edits.pieces()))
    added = len(data) - len(plain)
    for saio in auxiliary(bytes(data)):
        place = saio.body + 8
        struct.pack_into(">I", data, place, number(bytes(data), saio, place) + added)

    def pointed(film: bytes) -> list[bytes]:
        return [film[number(film, s, s.body + 8) :][:16] for s in auxiliary(film)]

    assert pointed(bytes(data)) == pointed(plain)
    assert pointed(written(bytes(data))) == pointed(plain)


def auxiliary(data: bytes) -> list[Box]:
    path = b"trak", b"mdia", b"minf", b"stbl", b"saio"
    return [chain[-1] for chain in chains(data, moov_of(data), *path)]


def test_a_segment_index_before_moov_still_points_to_its_segment(layout: Callable[[str], Path]) -> None:
    film = layout("fragmented with default base").read_bytes()
    moov = moov_of(film)
    moof = next(b for b in top(film) if b.kind == b"moof")
    sidx = box(b"sidx", bytes(4), struct.pack(">IIIIHH", 1, 1000, 0, moof.start - moov.start, 0, 0))
    data = film[: moov.start] + sidx + film[moov.start :]
    out = written(data)
    found = next(b for b in top(out) if b.kind == b"sidx")
    assert len(out) > len(data)
    assert out[found.stop + number(out, found, found.body + 16) + 4 :][:4] == b"moof"


def test_the_random_access_index_still_points_to_fragments(layout: Callable[[str], Path]) -> None:
    data = layout("fragmented").read_bytes()
    assert index(data)
    out = written(data)
    assert len(out) > len(data)
    assert {out[offset + 4 : offset + 8] for offset in index(out)} == {b"moof"}
    assert [b - a for a, b in zip(index(data), index(out), strict=True)] == [len(out) - len(data)] * len(index(data))


def index(data: bytes) -> list[int]:
    found = []
    for tfra in (t for m in top(data) if m.kind == b"mfra" for t in children(data, m, b"tfra")):
        assert (data[tfra.body], number(data, tfra, tfra.body + 8)) == (1, 0)
        count = number(data, tfra, tfra.body + 12)
        found += [number(data, tfra, tfra.body + 24 + 19 * i, 8) for i in range(count)]
    return found


def test_items_of_the_movie_follow_the_data(layout: Callable[[str], Path]) -> None:
    data = layout("moov first").read_bytes()
    mdat = next(b for b in top(data) if b.kind == b"mdat")

    def holding(shift: int) -> bytes:
        extents = struct.pack(">HHHII", 1, 0, 1, mdat.body + shift + 100, 16)
        iloc = box(b"iloc", bytes(4), b"\x44\0", struct.pack(">H", 1), extents)
        meta = box(b"meta", bytes(4), box(b"hdlr", bytes(8), b"null", bytes(13)), iloc)
        edits = Edits(data)
        edits.insert(moov_of(data).stop, meta, (moov_of(data),))
        return render(data, edits.pieces())

    source = holding(len(holding(0)) - len(data))

    def item(film: bytes) -> bytes:
        iloc = first(film, moov_of(film), b"meta", b"iloc")
        assert iloc
        start = number(film, iloc, iloc.stop - 8)
        return film[start : start + 16]

    assert item(source) == data[mdat.body + 100 : mdat.body + 116]
    assert len(written(source)) > len(source)
    assert item(written(source)) == item(source)


def test_a_track_in_another_file_keeps_its_offsets(layout: Callable[[str], Path]) -> None:
    data = bytearray(layout("moov first").read_bytes())
    moov = moov_of(bytes(data))
    path = b"trak", b"mdia", b"minf"
    minf = next(chains(bytes(data), moov, *path))[-1]
    dref = first(bytes(data), minf, b"dinf", b"dref")
    assert dref
    data[dref.body + 8 + 11] = 0  # the flag that says the samples are in this file
    tables = [offsets(film) for film in (bytes(data), written(bytes(data)))]
    assert tables[0][0] == tables[1][0]
    assert tables[0][1] != tables[1][1]


def offsets(data: bytes) -> list[bytes]:
    path = b"trak", b"mdia", b"minf", b"stbl", b"stco"
    return [data[c[-1].body : c[-1].stop] for c in chains(data, moov_of(data), *path)]


# ---- Large files ------------------------------------------------------------------------------------------------


def sparse(path: Path, data: bytes, hole: int) -> Path:
    """The file with an mdat box of `hole` empty bytes put behind moov."""
    moov = moov_of(data)
    edits = bytearray(data)
    for _, _, _, _, _, stco in chains(data, moov, b"trak", b"mdia", b"minf", b"stbl", b"stco"):
        for place in range(stco.body + 8, stco.stop, 4):
            struct.pack_into(">I", edits, place, number(data, stco, place) + hole)
    with path.open("wb") as file:
        file.write(edits[: moov.stop] + struct.pack(">I4sQ", 1, b"mdat", hole))
        file.seek(moov.stop + hole)
        file.write(edits[moov.stop :])
    return path


def save_sparse(source: Path, pieces: Sequence[Piece], target: Path) -> Path:
    """As Asset.save, but what is a hole in the source stays one, so that the test needs no gigabytes of disk."""
    with source.open("rb") as file, target.open("wb") as out:
        for piece in pieces:
            if not isinstance(piece, Span):
                out.write(piece)
                continue
            begin = out.tell() - piece.start
            for start, stop in stored(file.fileno(), piece):
                file.seek(start)
                out.seek(begin + start)
                out.write(file.read(stop - start))
            out.seek(begin + piece.stop)
    return target


def stored(file: int, span: Span) -> Iterator[tuple[int, int]]:
    """The parts of a span that take disk space."""
    start = span.start
    while start < span.stop:
        with contextlib.suppress(OSError):  # no data up to the end of the file
            start = os.lseek(file, start, os.SEEK_DATA)
            stop = min(os.lseek(file, start, os.SEEK_HOLE), span.stop)
            if start < stop:
                yield start, stop
            start = stop
            continue
        return


def test_a_file_of_two_gigabytes_is_not_read_into_memory(layout: Callable[[str], Path], tmp_path: Path) -> None:
    path = sparse(tmp_path / "long.mp4", layout("moov first").read_bytes(), 2 << 30)
    with Asset.open(path) as asset:
        tracemalloc.start()
        pieces = mp4.write(asset.data, ITEM)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 << 20
    assert sum(len(p) for p in pieces if not isinstance(p, Span)) < 1 << 16
    assert sum(p.stop - p.start for p in pieces if isinstance(p, Span)) > 2 << 30


def test_offsets_that_would_pass_4_gib_become_64_bit_ones(layout: Callable[[str], Path], tmp_path: Path) -> None:
    data = layout("moov first").read_bytes()
    last = max(max(struct.unpack(f">{len(t[8:]) // 4}I", t[8:])) for t in offsets(data))
    source = sparse(tmp_path / "near.mp4", data, (1 << 32) - 200 - last)
    with Asset.open(source) as asset:
        target = save_sparse(source, mp4.write(asset.data, ITEM), tmp_path / "beyond.mp4")
    assert stream_hash(source) == stream_hash(layout("moov first"))
    assert stream_hash(target) == stream_hash(source)
    with Asset.open(target) as asset:
        path = b"trak", b"mdia", b"minf", b"stbl", b"co64"
        assert any(chains(asset.data[:1_000_000], moov_of(asset.data[:1_000_000]), *path))
        assert [c.normative for c in mp4.read(asset.data)] == [True]


# ---- What independent readers see -------------------------------------------------------------------------------


def seen(path: Path) -> dict[str, object]:
    """The item as ffprobe, ExifTool and MediaInfo show it."""
    probe = json.loads(run(tool("ffprobe"), "-v", "error", "-show_entries", "format_tags", "-of", "json", path))
    exif = json.loads(run(tool("exiftool"), "-G1", "-j", path))[0]
    info = run(tool("mediainfo"), "--Inform=General;%AIGC%", path).strip()
    return {
        "ffprobe": probe["format"]["tags"].get("AIGC"),
        "ExifTool": exif.get("Keys:AIGC"),
        "MediaInfo": info,
        "warning": exif.get("ExifTool:Warning"),
    }


@pytest.mark.parametrize("name", LAYOUTS)
def test_ffprobe_exiftool_and_mediainfo_show_the_item(name: str, layout: Callable[[str], Path]) -> None:
    shown = seen(labelled(layout(name)))
    assert shown == {"ffprobe": ITEM, "ExifTool": ITEM, "MediaInfo": ITEM, "warning": None}


@pytest.mark.parametrize("name", ["iTunes tags", "iTunes tags, moov first", "M4A"])
def test_itunes_tags_stay_readable_beside_the_item(name: str, layout: Callable[[str], Path]) -> None:
    path = labelled(layout(name))
    probe = json.loads(run(tool("ffprobe"), "-v", "error", "-show_entries", "format_tags", "-of", "json", path))
    exif = json.loads(run(tool("exiftool"), "-G1", "-j", path))[0]
    assert (probe["format"]["tags"]["title"], probe["format"]["tags"]["artist"]) == ("Hello", "Me")
    assert (exif["ItemList:Title"], exif["ItemList:Artist"]) == ("Hello", "Me")
    assert "Hello" in run(tool("mediainfo"), path)
    assert (MP4(path)["\xa9nam"], MP4(path)["\xa9ART"]) == (["Hello"], ["Me"])


@pytest.mark.parametrize("udta", ["no udta", "udta before", "udta behind"])
@pytest.mark.parametrize("full", [False, True])
def test_quicktime_names_of_the_movie_keep_their_values(udta: str, full: bool, tmp_path: Path) -> None:
    apple = names_meta([b"com.apple.quicktime.make", b"com.apple.quicktime.model"], ["Maker", "Model"], full)
    user = box(b"udta", box(b"\xa9nam", struct.pack(">HH", 5, 0x55C4), b"Hello"))
    path = tmp_path / "phone.mov"
    bare = without_udta(MOVIE.read_bytes())
    extra = {"no udta": (apple,), "udta before": (user, apple), "udta behind": (apple, user)}[udta]
    path.write_bytes(with_moov(bare, *extra))
    out = labelled(path)
    if not full:  # an ISO-style moov/meta is invisible to ExifTool and MediaInfo, before and after
        assert seen(out) == {"ffprobe": ITEM, "ExifTool": ITEM, "MediaInfo": ITEM, "warning": None}
    probe = json.loads(run(tool("ffprobe"), "-v", "warning", "-show_entries", "format_tags", "-of", "json", out))
    tags = probe["format"]["tags"]
    assert (tags["com.apple.quicktime.make"], tags["com.apple.quicktime.model"]) == ("Maker", "Model")
    assert tags["AIGC"] == ITEM
    assert values(out.read_bytes()) == [(ITEM, True)]


def without_udta(data: bytes) -> bytes:
    edits = Edits(data)
    moov = moov_of(data)
    for stale in children(data, moov, b"udta"):
        edits.delete(stale, (moov,))
    return render(data, edits.pieces())


def test_the_box_is_the_one_that_ffmpeg_writes(tmp_path: Path) -> None:
    metadata = ("-movflags", "use_metadata_tags", "-metadata", f"AIGC={ITEM}")
    theirs = ffmpeg(tmp_path / "t.mp4", "-i", sample("mp4"), "-c", "copy", *metadata).read_bytes()
    meta = parse(theirs, next(chains(theirs, moov_of(theirs), b"udta", b"meta")))
    ours = new_meta(ITEM, meta.names)
    [entry] = [e for e in meta.entries if e.name == "AIGC"]
    assert meta.keys
    assert (
        ours
        == box(
            b"meta",
            theirs[meta.box.body : meta.keys.stop],  # version and flags, hdlr, keys
            box(b"ilst", theirs[entry.box.start : entry.box.stop]),
        )
    )


# ---- Other places of the item, and the move to the one that the guide names ---------------------------------------

XMP = _xmp.write(None, ITEM)
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def freeform(data: bytes, tmp_path: Path, name: str = "AIGC") -> bytes:
    path = tmp_path / "freeform.mp4"
    path.write_bytes(data)
    tags = MP4(path)
    tags[f"----:com.apple.iTunes:{name}"] = [MP4FreeForm(ITEM.encode(), AtomDataType.UTF8)]
    tags["\xa9nam"] = ["Hello"]
    tags.save()
    return path.read_bytes()


PLACES: dict[str, Callable[[bytes], bytes]] = {
    "moov/meta, QuickTime style": lambda d: with_moov(d, names_meta([b"AIGC"], [ITEM], full=False)),
    "moov/meta, ISO style": lambda d: with_moov(d, names_meta([b"AIGC"], [ITEM], full=True)),
    "a list without names": lambda d: with_moov(d, box(b"udta", names_meta([], [ITEM], full=True))),
    "a list without names, wrapped": lambda d: with_moov(
        d, box(b"udta", names_meta([], [f'{{"AIGC":{ITEM}}}'], full=True))
    ),
    "a name in lower case": lambda d: with_moov(d, box(b"udta", names_meta([b"aigc"], [ITEM], full=True))),
    "a box AIGC": lambda d: with_moov(d, box(b"udta", box(b"AIGC", ITEM.encode()))),
    "a box aigc with a header of its own": lambda d: with_moov(
        d, box(b"udta", box(b"aigc", bytes(4), ITEM.encode(), b"\0"))
    ),
    "moov/udta/XMP_": lambda d: with_moov(d, box(b"udta", box(b"XMP_", XMP))),
    "an XMP uuid box": lambda d: d + box(b"uuid", XMP_UUID, XMP),
    "an XMP uuid box before moov": lambda d: (
        d[: moov_of(d).start] + box(b"uuid", XMP_UUID, XMP) + d[moov_of(d).start :]
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_an_item_in_another_place_is_read_and_moves_to_its_slot(place: str, tmp_path: Path) -> None:
    path = tmp_path / "film.mov"
    path.write_bytes(PLACES[place](without_udta(MOVIE.read_bytes())))
    [copy] = mp4.read(path.read_bytes())
    assert not copy.normative
    assert decode(copy.value).label == LABEL
    out = labelled(path, NEXT)
    assert values(out.read_bytes()) == [(NEXT, True)]
    assert stream_hash(out) == stream_hash(path)


def test_an_itunes_freeform_tag_moves_and_the_other_tags_stay(layout: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(freeform(layout("moov last").read_bytes(), tmp_path))
    assert mp4.read(path.read_bytes()) == [Copy(ITEM, "in moov/udta/meta, iTunes tag com.apple.iTunes:AIGC", False)]
    out = labelled(path, NEXT)
    assert values(out.read_bytes()) == [(NEXT, True)]
    assert MP4(out)["\xa9nam"] == ["Hello"]
    assert "----:com.apple.iTunes:AIGC" not in MP4(out)


def test_copies_in_several_places_are_all_reported_and_become_one(tmp_path: Path) -> None:
    user = box(b"udta", names_meta([b"AIGC"], [ITEM], full=True), box(b"AIGC", ITEM.encode()))
    data = with_moov(without_udta(MOVIE.read_bytes()), names_meta([b"AIGC", b"x"], [ITEM, "kept"], full=False), user)
    assert [copy.normative for copy in mp4.read(data)] == [False, True, False]
    out = written(data, NEXT)
    assert values(out) == [(NEXT, True)]
    assert b"kept" in out
    assert ITEM.encode() not in out


def test_other_names_and_values_stay_byte_for_byte(tmp_path: Path) -> None:
    theirs = names_meta([b"title", b"AIGC", b"place"], ["Title", ITEM, "Place"], full=True)
    data = with_moov(without_udta(MOVIE.read_bytes()), box(b"udta", theirs))
    out = written(data, NEXT)
    meta = first(out, moov_of(out), b"udta", b"meta")
    assert meta
    assert out[meta.start : meta.stop] == names_meta([b"title", b"AIGC", b"place"], ["Title", NEXT, "Place"], full=True)


def test_the_rest_of_an_xmp_packet_stays_when_the_item_leaves_it(tmp_path: Path) -> None:
    rating = b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5"/></rdf:RDF>'
    packet = XMP.replace(b"</rdf:RDF>", rating)
    path = tmp_path / "film.mov"
    path.write_bytes(with_moov(without_udta(MOVIE.read_bytes()), box(b"udta", box(b"XMP_", packet))))
    out = labelled(path)
    assert run(tool("exiftool"), "-s3", "-XMP-xmp:Rating", out).strip() == "5"
    assert seen(out)["ExifTool"] == ITEM


def test_a_damaged_xmp_packet_about_other_things_is_left_alone(tmp_path: Path) -> None:
    packet = box(b"uuid", XMP_UUID, b"<x:xmpmeta><broken")
    data = MOVIE.read_bytes() + packet
    assert mp4.read(data) == []
    assert written(data).endswith(packet)


def test_an_item_within_other_text_is_read_and_refused_with_its_place(tmp_path: Path) -> None:
    comment = f'{{"AIGC":{ITEM},"prompt":"a cat"}}'
    data = with_moov(without_udta(MOVIE.read_bytes()), box(b"udta", names_meta([b"comment"], [comment], full=True)))
    [copy] = mp4.read(data)
    assert decode(copy.value).label == LABEL
    with pytest.raises(BadInput, match="moov/udta/meta, key comment"):
        mp4.write(data, NEXT)


# ---- What a file is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("brand", [b"heic", b"avif", b"mif1", b"msf1", b"crx ", b"jp2 "])
def test_pictures_of_the_same_family_are_not_movies(brand: bytes) -> None:
    assert not mp4.sniff(box(b"ftyp", brand, bytes(4)) + BLANK, ".mp4")


def test_quicktime_from_before_brands_is_known_by_its_moov() -> None:
    data = MOVIE.read_bytes()
    old = data[top(data)[0].stop :]  # starts with wide
    assert identify(old, ".mov")[0] == "mp4"
    assert not mp4.sniff(old[: moov_of(old).start], ".mov")


def test_a_movie_with_pictures_is_video_and_one_with_sound_alone_is_audio() -> None:
    assert mp4.media(BLANK) is Media.VIDEO
    assert mp4.media(AUDIO.read_bytes()) is Media.AUDIO


def test_sound_with_a_cover_track_is_audio_and_a_still_without_sound_is_video(tmp_path: Path) -> None:
    still = ("-f", "lavfi", "-i", "testsrc2=s=320x180:d=1", "-frames:v", "1")
    cover = ("-i", AUDIO, *still, "-map", "0:a", "-map", "1:v", "-c:a", "copy", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p")
    sound = ffmpeg(tmp_path / "cover.mov", *cover)
    alone = ffmpeg(tmp_path / "still.mov", *still, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p")
    film = ffmpeg(tmp_path / "film.mp4", *cover[:-5], "copy", "-c:v", "libx264")
    assert mp4.media(sound.read_bytes()) is Media.AUDIO
    assert mp4.media(alone.read_bytes()) is Media.VIDEO
    assert mp4.media(film.read_bytes()) is Media.VIDEO


def test_a_movie_of_text_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    text = ffmpeg(tmp_path / "t.mp4", "-i", tmp_path / "s.srt", "-c:s", "mov_text")
    with pytest.raises(BadInput, match="neither"):
        mp4.media(text.read_bytes())


def turned(data: bytes) -> bytes:
    """The film with its first track turned clockwise by a quarter."""
    head = first(data, moov_of(data), b"trak", b"tkhd")
    assert head
    start = head.body + 40
    matrix = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    return data[:start] + matrix + data[start + 36 :]


# ---- Metadata around another signal ---------------------------------------------------------------------------------


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """A film with tags, chapters, languages and a turned picture; labelled, as the pipeline grafts it."""
    chapters = tmp_path / "chapters.txt"
    chapters.write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\ntitle=One\n")
    about = ("-metadata:s:a:0", "language=fra", "-metadata:s:v:0", "handler_name=Camera", "-metadata", "comment=C")
    inputs = ("-i", sample("mp4"), "-i", chapters, "-map", "0", "-map_metadata", "1")
    created = ("-metadata", "creation_time=2021-02-03T04:05:06Z")
    path = ffmpeg(tmp_path / "rich.mp4", *inputs, "-c", "copy", *TAGS, *about, *created)
    path.write_bytes(written(turned(path.read_bytes())))
    return path


@pytest.fixture
def encoded(tmp_path: Path) -> Path:
    codecs = ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-metadata:s:a:0", "language=deu")
    return ffmpeg(tmp_path / "encoded.mp4", "-i", sample("mp4"), "-map", "0", *codecs, *FAST)


def test_graft_puts_the_sources_metadata_around_the_encoded_signal(rich: Path, encoded: Path) -> None:
    pieces = mp4.graft(rich.read_bytes(), encoded.read_bytes())
    target = encoded.with_name("grafted.mp4")
    target.write_bytes(render(encoded.read_bytes(), pieces))
    assert stream_hash(target) == stream_hash(encoded)
    shown = json.loads(run(tool("ffprobe"), "-v", "error", "-show_format", "-show_streams", "-show_chapters",
                           "-of", "json", target))  # fmt: skip
    tags = shown["format"]["tags"]
    assert (tags["title"], tags["artist"], tags["comment"], tags["AIGC"]) == ("Hello", "Me", "C", ITEM)
    assert tags["creation_time"].startswith("2021-02-03T04:05:06")
    assert "encoder" not in tags
    video, audio = shown["streams"][:2]
    assert (audio["tags"]["language"], video["tags"]["handler_name"]) == ("fra", "Camera")
    assert [c["tags"]["title"] for c in shown["chapters"]] == ["One"]
    assert [data["rotation"] for data in video["side_data_list"]] == [-90]  # ffprobe counts the other way round
    assert values(target.read_bytes()) == [(ITEM, True)]


def test_graft_holds_no_signal_as_bytes(rich: Path, encoded: Path) -> None:
    pieces = mp4.graft(rich.read_bytes(), encoded.read_bytes())
    data = encoded.read_bytes()
    media = next(b for b in top(data) if b.kind == b"mdat")
    assert any(isinstance(p, Span) and p.start <= media.start and media.stop <= p.stop for p in pieces)


def test_writing_keeps_nero_chapters(rich: Path) -> None:
    data = rich.read_bytes()
    chpl = first(data, moov_of(data), b"udta", b"chpl")
    assert chpl
    out = written(data, NEXT)
    assert data[chpl.start : chpl.stop] in out


# ---- Damaged and hostile files ------------------------------------------------------------------------------------


def test_a_download_without_moov_is_refused_with_the_remedy(layout: Callable[[str], Path]) -> None:
    data = layout("moov last").read_bytes()
    with pytest.raises(BadInput, match="get all of it"):
        mp4.read(data[: moov_of(data).start])
    with pytest.raises(BadInput, match="cut short"):
        mp4.read(data[:-100])


def test_a_file_whose_media_is_cut_short_is_still_read(layout: Callable[[str], Path]) -> None:
    data = written(layout("moov first").read_bytes())
    assert values(data[:-5000]) == [(ITEM, True)]


def test_a_compressed_moov_is_refused_with_the_remedy() -> None:
    with pytest.raises(BadInput, match="remux"):
        mp4.read(box(b"moov", box(b"cmov", bytes(20))))


def test_a_count_that_runs_past_its_table_is_refused(layout: Callable[[str], Path]) -> None:
    data = bytearray(layout("moov first").read_bytes())
    path = b"trak", b"mdia", b"minf", b"stbl", b"stco"
    stco = next(chains(bytes(data), moov_of(bytes(data)), *path))[-1]
    struct.pack_into(">I", data, stco.body + 4, 0xFFFFFFFF)
    assert mp4.read(bytes(data)) == []
    with pytest.raises(BadInput, match="past its box"):
        mp4.write(bytes(data), ITEM)


def test_deep_nesting_is_not_followed() -> None:
    nest = b""
    for _ in range(2000):
        nest = box(b"udta", nest)
    data = with_moov(without_udta(MOVIE.read_bytes()), nest)
    assert values(written(data)) == [(ITEM, True)]


def test_more_items_than_anyone_writes_are_an_error_not_a_list() -> None:
    data = with_moov(without_udta(MOVIE.read_bytes()), box(b"udta", box(b"AIGC", b"{}") * 1000))
    with pytest.raises(BadInput, match="items in one file"):
        mp4.read(data)


SEEDS = ["moov first", "fragmented", "iTunes tags, moov first", "named tags, moov first", "MOV"]


@pytest.fixture(scope="session")
def seeds(layout: Callable[[str], Path]) -> list[bytes]:
    found = [layout(name).read_bytes() for name in SEEDS]
    found += [written(found[0]), PLACES["moov/udta/XMP_"](without_udta(MOVIE.read_bytes()))]
    return found


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_mutated_file_raises_nothing_but_toolkit_errors(seeds: list[bytes], data: st.DataObject) -> None:
    film = data.draw(st.sampled_from(seeds))
    moov = moov_of(film)
    heads = [b for b in top(film) if b.kind != b"mdat"]
    names = [b.start + p.start() for b in heads for p in re.finditer(rb"[a-zA-Z_]{4}", film[b.start : b.stop])]
    mutated = bytearray(film)
    for _ in range(data.draw(st.integers(1, 4))):
        if data.draw(st.booleans()):  # a size or count field: the four bytes before or behind a type
            place = data.draw(st.sampled_from(names)) + data.draw(st.sampled_from([-4, 4, 8]))
            value = data.draw(st.sampled_from([0, 1, 7, 8, 9, 0x7FFFFFFF, 0xFFFFFFFF]) | st.integers(0, 1 << 16))
            struct.pack_into(">I", mutated, min(max(place, 0), len(mutated) - 4), value)
        else:
            place = data.draw(st.integers(moov.start, moov.stop - 1))
            mutated[place] = data.draw(st.integers(0, 255))
    film = bytes(mutated[: data.draw(st.sampled_from([len(mutated), moov.stop, len(mutated) - 9]))])
    for act in (mp4.read, mp4.media, written):
        with contextlib.suppress(ToolkitError):
            act(film)
    for pair in ((film, seeds[0]), (seeds[0], film)):
        with contextlib.suppress(ToolkitError):
            render(pair[1], mp4.graft(*pair))
    mp4.sniff(film, ".mp4")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([b"udta", b"meta", b"trak", b"cmov"]))
def test_any_bytes_inside_moov_raise_nothing_but_toolkit_errors(noise: bytes, kind: bytes) -> None:
    data = BLANK[:32] + box(b"moov", box(kind, noise)) + box(b"mdat", b"signal")
    with contextlib.suppress(ToolkitError):
        assert values(written(data)) == [(ITEM, True)]


def test_a_huge_count_of_boxes_takes_bounded_memory() -> None:
    data = BLANK[:32] + box(b"moov", box(b"free") * 100_000)
    tracemalloc.start()
    with pytest.raises(ToolkitError):
        mp4.read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20
