"""MP4, MOV, M4V, 3GP, M4A (ISO/IEC 14496-12/-14, QuickTime): the item under the key AIGC in moov/udta/meta.

TC260-PG-202510A: handler `mdta`, name `AIGC` in `keys`, bare JSON in `ilst`; byte for byte what ffmpeg writes with
`-movflags use_metadata_tags`.

Beside iTunes tags (handler `mdir`) the item gets a `meta` box of its own, behind theirs in `udta`. Measured on
ffmpeg-made files: so ffprobe, ExifTool and MediaInfo show the item and all of them and mutagen the tags; before
theirs mutagen loses the tags, in a shared list ffprobe or MediaInfo loses one of the two, and in an ISO-style
moov/meta only ffprobe sees the item. Beside QuickTime's names in moov/meta: see `_bmff_meta.new_meta`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from labeler.containers import Buffer, Copy, Piece, Span, _xmp, before_the_cut, render
from labeler.containers._bmff import Box, Edits, box, chains, children, end_of, first, full, is_cut, number, top
from labeler.containers._bmff_meta import Entry, Meta, is_only_item, item_of, name_it, new_meta, parse, put, take_out
from labeler.containers._bmff_offsets import settle
from labeler.metadata import MAX_ITEM
from policies.errors import BadInput, TooLarge, ToolkitError
from policies.terms import Media

NAME = "MP4/MOV"
MEDIA = Media.VIDEO
SUFFIXES = (".mp4", ".mov", ".m4v", ".m4a", ".m4b", ".m4r", ".3gp", ".3g2", ".qt", ".f4v")
MIME = "video/mp4"
SLOT = "moov/udta/meta, key AIGC"

MAX_MOOV = 256 << 20
"""A day of 60 frames a second with sound needs about half of it."""

# Pictures and picture sequences (HEIF, AVIF, JPEG 2000, JPEG XL, CR3) have containers of their own.
_HEIF = b"heic heix heim heis hevc hevx hevm hevs avif avis avci avcs mif1 mif2 msf1 miaf jpeg jpgs j2ki j2is"
_PICTURES = frozenset([*_HEIF.split(), b"jp2 ", b"jpx ", b"jpm ", b"jxl ", b"crx "])
_QUICKTIME = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_LITERAL = frozenset({b"AIGC", b"aigc", b"Aigc"})
_XMP_WORDS = tuple("AIGC".encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"))
_XMP_UUID = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
# A track of one such picture beside sound is its cover.
_STILL = frozenset({b"jpeg", b"png ", b"mjpa", b"mjpb", b"MJPG", b"mp4v", b"gif ", b"tiff"})
# What says how the signal was encoded, and is wrong of another encoding of it.
_ENCODING = frozenset({b"\xa9swr", b"\xa9enc", b"\xa9too", b"\xa9req"})
_ENCODING_NAMES = frozenset(
    {"\xa9too", "\xa9enc", "encoder", "encodersettings", "itunsmpb", "itunnorm", "encoding params"}
    | {"major_brand", "minor_version", "compatible_brands"}
)


def sniff(data: Buffer, suffix: str) -> bool:
    kind = data[4:8]
    if kind == b"ftyp":
        return data[8:12] not in _PICTURES
    if kind not in _QUICKTIME:
        return False
    try:
        return any(b.kind == b"moov" for b in top(data))
    except ToolkitError:
        return False


def media(data: Buffer) -> Media:
    """VIDEO where a track of moving pictures is there, AUDIO where only sound is; BadInput for neither."""
    tracks = _tracks(data, _movie(data)[1])
    sound = any(t.kind == b"soun" for t in tracks)
    thumbnails = {t for track in tracks for t in _chapters(data, track)}
    pictures = [t for t in tracks if t.kind == b"vide" and _id(data, t) not in thumbnails]
    if any(not (sound and _is_cover(data, t)) for t in pictures):
        return Media.VIDEO
    if sound:
        return Media.AUDIO
    raise BadInput("the movie has neither a picture nor a sound track; there is nothing in it to label")


def read(data: Buffer) -> list[Copy]:
    tops, moov = _movie(data)
    found = [
        *((e.box.start, c) for m in _metas(data, moov) for e in m.entries if (c := _copy(data, m, e))),
        *((b.start, Copy(_literal(data, b), "in moov/udta, box AIGC", False)) for b in _literals(data, moov)),
        *((p.start, c) for p in _packets(data, tops, moov) for c in p.copies(data)),
    ]
    return before_the_cut(copy for _, copy in sorted(found, key=lambda f: f[0]))


def write(data: Buffer, item: str) -> list[Piece]:
    """Only `moov` changes, and where data behind it had to move, the offsets that point to it."""
    tops, moov = _movie(data)
    if [(c.value, c.normative) for c in read(data)] == [(item, True)]:
        return [Span(0, len(data))]
    edits = Edits(data)
    for packet in _packets(data, tops, moov):
        _clear(edits, packet)
    metas = _metas(data, moov)
    for meta in metas:
        _refuse_mixed(data, meta)
    home = next((m for m in metas if _in_udta(m) and m.has_names), None)
    for literal in _literals(data, moov):
        edits.delete(literal, _around(data, moov, literal))
    for meta in metas:
        if meta is not home:
            take_out(edits, meta, lambda entry: item_of(data, entry) is not None)
    if home is not None:
        put(edits, home, item)
    else:
        _add_meta(edits, moov, metas, item)
    settle(edits, tops, moov)
    return edits.pieces()


def graft(source: Buffer, encoded: Buffer) -> list[Piece]:
    """The metadata of `source` around the signal of `encoded`. THE SPANS ARE OF `encoded`, other than in image
    containers: a film is too long to be held as bytes, its metadata is not.

    Taken from `source`: moov/udta and moov/meta with tags, cover, chapters (`chpl`) and AIGC item, but not what
    names the encoder; the XMP packet; the time of creation. For each kind of track of which both files have as
    many, in order: display matrix (expect the frames as they were coded, not turned), layer, alternate group,
    flags, language, name and user data. All of that replaces what `encoded` had in its place.
    """
    tops, moov = _movie(encoded)
    source_tops, source_moov = _movie(source)
    edits = Edits(encoded)
    for old in children(encoded, moov):
        if old.kind in (b"udta", b"meta"):
            edits.delete(old, (moov,))
    _graft_tracks(edits, source, _tracks(source, source_moov), moov)
    _graft_creation(edits, source, source_moov, moov)
    for inner in children(source, source_moov):
        if inner.kind == b"udta" or (inner.kind == b"meta" and first(source, inner, b"iloc") is None):
            edits.insert(end_of(encoded, moov), _descriptive(source, inner), (moov,))
    for packet in _xmp_uuids(source, source_tops):
        edits.insert(moov.stop, source[packet.start : packet.stop], ())
    settle(edits, tops, moov)
    return edits.pieces()


# ---- The movie and its tracks -------------------------------------------------------------------------------


def _movie(data: Buffer) -> tuple[list[Box], Box]:
    """The file's boxes and `moov` among them; BadInput where that cannot be used as it is."""
    tops = top(data)
    moov = next((b for b in tops if b.kind == b"moov"), None)
    if moov is None:
        raise BadInput("there is no moov box: the file was cut short or its recording not finished; get all of it")
    if is_cut(data, moov):
        raise BadInput("the moov box runs past the end of the file, which was cut short; get all of it")
    if moov.size > MAX_MOOV:
        raise TooLarge(f"the moov box is {moov.size} bytes long, over {MAX_MOOV}; split the file")
    if first(data, moov, b"cmov") is not None:
        raise BadInput("the moov box is compressed (cmov); remux the file: ffmpeg -i in.mov -map 0 -c copy out.mov")
    return tops, moov


@dataclass(frozen=True, slots=True)
class _Track:
    box: Box
    kind: bytes
    tkhd: Box | None


def _tracks(data: Buffer, moov: Box) -> list[_Track]:
    tracks = []
    for trak in children(data, moov, b"trak"):
        hdlr = first(data, trak, b"mdia", b"hdlr")
        kind = data[hdlr.body + 8 : min(hdlr.body + 12, hdlr.stop)] if hdlr else b""
        tracks.append(_Track(trak, kind, first(data, trak, b"tkhd")))
    return tracks


def _id(data: Buffer, track: _Track) -> int:
    if track.tkhd is None:
        return 0
    return number(data, track.tkhd, track.tkhd.body + (20 if full(data, track.tkhd)[0] else 12))


def _chapters(data: Buffer, track: _Track) -> list[int]:
    """The tracks that hold this one's chapter titles and thumbnails."""
    chap = first(data, track.box, b"tref", b"chap")
    if chap is None:
        return []
    return [number(data, chap, place) for place in range(chap.body, chap.stop - 3, 4)]


def _is_cover(data: Buffer, track: _Track) -> bool:
    stbl = (b"mdia", b"minf", b"stbl")
    stsd = first(data, track.box, *stbl, b"stsd")
    stsz = first(data, track.box, *stbl, b"stsz")
    if stsd is None or stsz is None:
        return False
    return data[stsd.body + 12 : min(stsd.body + 16, stsd.stop)] in _STILL and number(data, stsz, stsz.body + 8) == 1


def _matrix_at(data: Buffer, head: Box) -> int:
    """Where the 36 bytes of a tkhd's matrix begin."""
    return head.body + (52 if full(data, head)[0] else 40)


# ---- The places of the item ---------------------------------------------------------------------------------


def _metas(data: Buffer, moov: Box) -> list[Meta]:
    paths: tuple[tuple[bytes, ...], ...] = ((b"udta", b"meta"), (b"meta",))
    return [parse(data, chain) for path in paths for chain in chains(data, moov, *path)]


def _in_udta(meta: Meta) -> bool:
    return meta.inside[-1].kind == b"udta"


def _copy(data: Buffer, meta: Meta, entry: Entry) -> Copy | None:
    value = item_of(data, entry)
    return None if value is None else Copy(value, f"in {_place(meta, entry)}", meta.is_normative(entry))


def _place(meta: Meta, entry: Entry) -> str:
    name = f"{entry.space}:{entry.name}" if entry.box.kind == b"----" else entry.name
    kind = "key" if entry.space == "mdta" else "iTunes tag"
    return f"moov/{'udta/' if _in_udta(meta) else ''}meta, {kind} {name}"


def _refuse_mixed(data: Buffer, meta: Meta) -> None:
    for entry in meta.entries:
        if item_of(data, entry) is not None and not is_only_item(data, entry):
            raise BadInput(f"{_place(meta, entry)} holds an AIGC item and other text; move the item out of it first")


def _literals(data: Buffer, moov: Box) -> list[Box]:
    return [b for *_, udta in chains(data, moov, b"udta") for b in children(data, udta) if b.kind in _LITERAL]


def _literal(data: Buffer, found: Box) -> str:
    """The text of a box AIGC: bare, or behind a FullBox's or QuickTime string's four bytes."""
    raw = data[found.body : min(found.stop, found.body + MAX_ITEM + 1)]
    at = raw[:16].find(b"{")
    return raw[max(at, 0) :].rstrip(b"\0").decode("utf-8", "replace")


def _around(data: Buffer, moov: Box, inner: Box) -> tuple[Box, ...]:
    return next(c for c in chains(data, moov, b"udta") if c[-1].start < inner.start < c[-1].stop)


@dataclass(frozen=True, slots=True)
class _Packet:
    """An XMP packet that speaks of the item."""

    start: int
    stop: int
    where: str

    def load(self, data: Buffer) -> bytes:
        if self.stop - self.start > _xmp.MAX_PACKET:
            raise TooLarge(f"the XMP packet {self.where} is over {_xmp.MAX_PACKET} bytes long; nothing real is")
        return data[self.start : self.stop]

    def copies(self, data: Buffer) -> Iterator[Copy]:
        for copy in _xmp.read(self.load(data), self.where):
            yield replace(copy, normative=False)


def _packets(data: Buffer, tops: Sequence[Box], moov: Box) -> list[_Packet]:
    packets = [_Packet(b.body + 16, b.stop, f"in uuid box (XMP) at byte {b.start}") for b in _xmp_uuids(data, tops)]
    packets += [_Packet(c[-1].body, c[-1].stop, "in moov/udta/XMP_") for c in chains(data, moov, b"udta", b"XMP_")]
    # A packet that does not speak of the item may be as damaged as it likes.
    return [p for p in packets if any(data.find(word, p.start, p.stop) >= 0 for word in _XMP_WORDS)]


def _clear(edits: Edits, packet: _Packet) -> None:
    """The item moves from the packet to its slot: one copy, GB 45438-2025 6.1 c). The packet keeps its length."""
    old = packet.load(edits.data)
    new = _xmp.remove(old, packet.where)
    if new == old:
        return
    if len(new) > len(old):
        raise BadInput(f"the XMP packet {packet.where} is not in UTF-8 and cannot be edited; save it as UTF-8 first")
    trailer = new.rfind(b"<?xpacket")
    at = trailer if trailer >= 0 else len(new)
    edits.overwrite(packet.start, new[:at] + b" " * (len(old) - len(new)) + new[at:])


def _xmp_uuids(data: Buffer, tops: Sequence[Box]) -> Iterator[Box]:
    for found in tops:
        if found.kind == b"uuid" and data[found.body : found.body + 16] == _XMP_UUID and not is_cut(data, found):
            yield found


def _add_meta(edits: Edits, moov: Box, metas: Sequence[Meta], item: str) -> None:
    """A new meta box for the item, in `udta`; its names go on from those of a moov/meta that stays."""
    kept = (m for m in metas if not _in_udta(m) and m.has_names and m.names and not edits.replaced(m.box))
    other = next(kept, None)
    new = new_meta(item, other.names if other else ())
    udta = first(edits.data, moov, b"udta")
    if udta is None:
        # Before the other one, so that the first names in the file are the longer list.
        edits.insert(other.box.start if other else end_of(edits.data, moov), box(b"udta", new), (moov,))
        return
    if other and other.box.start < udta.start:
        name_it(edits, other)
    edits.insert(end_of(edits.data, udta), new, (moov, udta))


# ---- Metadata of one movie in another -----------------------------------------------------------------------


def _descriptive(source: Buffer, found: Box) -> bytes:
    """A udta or meta box without what names the encoder."""
    edits = Edits(source)
    for chain in chains(source, found, *((b"meta",) if found.kind == b"udta" else ())):
        take_out(edits, parse(source, chain), lambda entry: entry.name.casefold() in _ENCODING_NAMES)
    if found.kind == b"udta":
        for inner in children(source, found):
            if inner.kind in _ENCODING:
                edits.delete(inner, (found,))
    return render(source, edits.pieces(found.start, found.stop))


def _graft_creation(edits: Edits, source: Buffer, source_moov: Box, moov: Box) -> None:
    old, new = first(source, source_moov, b"mvhd"), first(edits.data, moov, b"mvhd")
    if old and new and full(source, old)[0] == full(edits.data, new)[0]:
        width = 8 if full(source, old)[0] else 4
        edits.overwrite(new.body + 4, number(source, old, old.body + 4, width).to_bytes(width, "big"))


def _graft_tracks(edits: Edits, source: Buffer, originals: Sequence[_Track], moov: Box) -> None:
    tracks = _tracks(edits.data, moov)
    for kind in {t.kind for t in tracks}:
        olds, news = ([t for t in group if t.kind == kind] for group in (originals, tracks))
        if len(olds) == len(news):
            for old, new in zip(olds, news, strict=True):
                _graft_track(edits, source, old, (moov, new.box))


def _graft_track(edits: Edits, source: Buffer, original: _Track, inside: tuple[Box, Box]) -> None:
    data = edits.data
    old, new = original.tkhd, first(data, inside[1], b"tkhd")
    if old and new:
        _overwrite(edits, new, new.body + 1, source, old, old.body + 1, 3)  # flags: enabled, in movie
        start, place = _matrix_at(source, old), _matrix_at(data, new)
        _overwrite(edits, new, place - 8, source, old, start - 8, 4)  # layer, alternate group
        _overwrite(edits, new, place, source, old, start, 36)
    for mdia in children(data, inside[1], b"mdia"):
        _graft_media(edits, source, original.box, (*inside, mdia))
    user = first(source, original.box, b"udta")
    if user:
        for stale in children(data, inside[1], b"udta"):
            edits.delete(stale, inside)
        edits.insert(end_of(data, inside[1]), source[user.start : user.stop], inside)


def _graft_media(edits: Edits, source: Buffer, original: Box, inside: tuple[Box, Box, Box]) -> None:
    """Language and name."""
    data = edits.data
    old, new = first(source, original, b"mdia", b"mdhd"), first(data, inside[2], b"mdhd")
    if old and new:
        start, place = (b.body + (32 if full(d, b)[0] else 20) for d, b in ((source, old), (data, new)))
        _overwrite(edits, new, place, source, old, start, 2)
    for kind in (b"hdlr", b"elng"):
        theirs, ours = first(source, original, b"mdia", kind), first(data, inside[2], kind)
        if theirs and new:
            start, stop = (ours.start, ours.stop) if ours else (new.stop, new.stop)
            edits.replace(start, stop, [source[theirs.start : theirs.stop]], inside)


def _overwrite(edits: Edits, new: Box, place: int, source: Buffer, old: Box, start: int, size: int) -> None:
    number(edits.data, new, place, size)  # both are there
    edits.overwrite(place, number(source, old, start, size).to_bytes(size, "big"))
