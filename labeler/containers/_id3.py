"""ID3v2.2, 2.3 and 2.4 tags: TXXX:AIGC read and spliced, every other frame byte for byte (id3.org).

The tag stands in front of the signal (MP3, and sometimes FLAC or AAC) or alone in a chunk (WAV, AIFF). Offsets are
of the buffer that holds it. A stored length is longer than the logical one where bytes were stuffed against false
MPEG syncs ("unsynchronisation", FF 00 for FF): the tag as a whole up to version 2.3, each frame from 2.4.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from labeler.containers import Buffer, Copy, _xmp, take
from policies.errors import BadInput, Unsupported

Edit = tuple[int, int, bytes]
"""For `labeler.containers.splice`: start, stop, and what comes in their place."""

SLOT = "ID3v2 frame TXXX, description AIGC"

_DESCRIPTION = "AIGC"
_PADDING = 1024
_MAX_TAGS = 16
_MAX_FRAMES = 1 << 16
_MAX_COPIES = 64
_MAX_TEXT = 2 << 20
_CHUNK = 1 << 20
_XMP_OWNER = b"XMP\0"
_ENCODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")
_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_FRAME_ID = re.compile(rb"[A-Z0-9]{3,4}")
_SYNC = re.compile(rb"\xff(?=[\xe0-\xff\x00]|\Z)")

# Tag flags (2.4 structure, 3.1); 0x40 says "compressed" in version 2.2, with no method ever defined.
_UNSYNCHRONISED, _EXTENDED, _FOOTER = 0x80, 0x40, 0x10


@dataclass(frozen=True, slots=True)
class _Layout:
    """What differs among the versions: a frame's header, and the bits of its flags."""

    id_size: int
    length_size: int
    flags_size: int
    text_id: bytes
    compressed: int = 0
    encrypted: int = 0
    grouped: int = 0
    unsynchronised: int = 0
    length_given: int = 0

    @property
    def header(self) -> int:
        return self.id_size + self.length_size + self.flags_size


_LAYOUTS = {
    2: _Layout(3, 3, 0, b"TXX"),
    3: _Layout(4, 4, 2, b"TXXX", compressed=0x80, encrypted=0x40, grouped=0x20),
    4: _Layout(4, 4, 2, b"TXXX", compressed=0x08, encrypted=0x04, grouped=0x40, unsynchronised=0x02, length_given=0x01),
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: its header at `start`, its content from `body` to `stop`, as stored."""

    id: bytes
    start: int
    body: int
    stop: int
    flags: int


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag from `start` to `stop` (footer included); frames up to `tail`, then padding up to `limit`."""

    start: int
    stop: int
    version: int
    flags: int
    extended: tuple[int, int]
    frames: tuple[Frame, ...]
    tail: int
    limit: int
    padded: bool  # nothing but NULs follows the frames
    synchsafe: bool  # how the frames' lengths are coded

    @property
    def layout(self) -> _Layout:
        return _LAYOUTS[self.version]

    @property
    def stuffed(self) -> bool:
        """The tag as a whole is unsynchronised, frame headers included."""
        return self.version < 4 and bool(self.flags & _UNSYNCHRONISED)


@dataclass(frozen=True, slots=True)
class _Found:
    """A copy of the item and the frame that carries it."""

    frame: Frame
    copy: Copy


def end_of_tags(data: Buffer, start: int = 0) -> int:
    """Where the tags that follow each other from `start` end, by their headers: maybe beyond the data's end."""
    for _ in range(_MAX_TAGS):
        if (size := _stated_size(data, start)) is None:
            break
        start += size
    return start


def tags(data: Buffer, start: int = 0, stop: int | None = None) -> list[Tag]:
    """The tags that follow each other from `start`.

    Raises BadInput for one that runs past `stop` or is damaged, Unsupported for a version of the future.
    """
    end = len(data) if stop is None else stop
    found: list[Tag] = []
    while len(found) < _MAX_TAGS and (size := _stated_size(data, start)) is not None and start < end:
        if start + size > end:
            raise BadInput("the ID3 tag runs past the end of what encloses it; the file is cut short or damaged")
        found.append(_parse(data, start, size))
        start += size
    return found


def read(data: Buffer, tag: Tag) -> list[Copy]:
    """Every copy of the item in the tag: in TXXX frames, and in XMP packets of PRIV frames."""
    return [found.copy for found in _copies(data, tag)]


def new(item: str) -> bytes:
    """A tag of version 2.4 with the item, and room for the next label."""
    body = _text_frame(item, 4, 0, synchsafe=True) + bytes(_PADDING)
    return _header(4, 0, len(body)) + body


def edits(data: Buffer, tag: Tag, item: str | None) -> list[Edit]:
    """What to change in `data` so that the tag holds `item` once: in place of its first copy, else behind the frames.

    The tag keeps its length where its padding allows. `item` None is for a tag that is not the item's slot:
    one copy only may stay in a file (GB 45438-2025 6.1 c).
    """
    if tag.version == 2 and tag.flags & _EXTENDED:
        raise Unsupported("an ID3v2.2 tag that is compressed in an undefined way; save it as ID3v2.3 first")
    fresh = b"" if item is None else _text_frame(item, tag.version, tag.flags, tag.synchsafe)
    found = _copies(data, tag)
    if _as_meant(data, found, fresh):
        return []
    changed = {f.frame: _without_item(data, tag, f) for f in found}
    home = next((f.frame for f in found if f.frame.id == tag.layout.text_id), None)
    if home is not None:
        changed[home] = fresh
    frames = [(frame.start, frame.stop, new) for frame, new in changed.items()]
    if home is None and fresh:
        frames.append((tag.tail, tag.tail, fresh))
    return _resized(data, tag, [*frames, *_extended_header(data, tag)])


def _stated_size(data: Buffer, start: int) -> int | None:
    """The length of the tag whose header stands at `start`, footer included; None where there is none."""
    head = data[start : start + 10]
    if len(head) < 10 or head[:3] != b"ID3" or head[3] == 0xFF or head[4] == 0xFF or max(head[6:]) > 0x7F:
        return None
    footer = 10 if head[3] == 4 and head[5] & _FOOTER else 0
    return 10 + _synchsafe(head[6:]) + footer


def _parse(data: Buffer, start: int, size: int) -> Tag:
    version, flags = data[start + 3], data[start + 5]
    if version not in _LAYOUTS:
        raise Unsupported(f"an ID3 tag of version 2.{version}; biaoshi knows 2.2, 2.3 and 2.4")
    stuffed = version < 4 and bool(flags & _UNSYNCHRONISED)
    first = start + 10
    limit = start + size - (10 if version == 4 and flags & _FOOTER else 0)
    extended = (first, first)
    if version > 2 and flags & _EXTENDED:
        extended = (first, _extended_end(data, first, limit, version, stuffed))
    walks = (_walk(data, extended[1], limit, version, stuffed, synchsafe) for synchsafe in _length_codings(version))
    frames, tail, padded, synchsafe = _best(walks)
    return Tag(start, start + size, version, flags, extended, frames, tail, limit, padded, synchsafe)


def _length_codings(version: int) -> tuple[bool, ...]:
    # Old iTunes wrote plain lengths into version 2.4, where they are synchsafe by the book.
    return (True, False) if version == 4 else (False,)


_Walk = tuple[tuple[Frame, ...], int, bool, bool]  # the fields of Tag from `frames` on, without `limit`


def _best(walks: Iterator[_Walk | None]) -> _Walk:
    """The first walk that meets the tag's end in padding, else the first that fits into the tag at all."""
    fitting = []
    for walk in walks:
        if walk is not None:
            if walk[2]:
                return walk
            fitting.append(walk)
    if not fitting:
        raise BadInput("a frame runs past the end of the ID3 tag; the tag is damaged")
    return fitting[0]


def _walk(data: Buffer, position: int, limit: int, version: int, stuffed: bool, synchsafe: bool) -> _Walk | None:
    """The frames up to padding, junk or `limit`; None where one runs past it."""
    layout = _LAYOUTS[version]
    frames: list[Frame] = []
    while position + layout.header <= limit:
        head, body = _logical(data, position, layout.header, stuffed)
        id = head[: layout.id_size]
        if not _FRAME_ID.fullmatch(id):
            break
        length = head[layout.id_size : layout.id_size + layout.length_size]
        if synchsafe and max(length) > 0x7F:
            return None
        size = _synchsafe(length) if synchsafe else int.from_bytes(length, "big")
        if size > limit - body:
            return None
        stop = _stored_end(data, body, size) if stuffed else body + size
        if stop > limit:
            return None
        frames.append(Frame(id, position, body, stop, head[-1] if layout.flags_size else 0))
        if len(frames) > _MAX_FRAMES:
            raise BadInput(f"the ID3 tag has over {_MAX_FRAMES} frames; it is damaged")
        position = stop
    return tuple(frames), position, _only_nuls(data, position, limit), synchsafe


def _only_nuls(data: Buffer, start: int, stop: int) -> bool:
    return not any(data[p : min(p + _CHUNK, stop)].strip(b"\0") for p in range(start, stop, _CHUNK))


def _extended_end(data: Buffer, start: int, limit: int, version: int, stuffed: bool) -> int:
    """Where the extended header ends: its length leaves itself out in 2.3, is synchsafe and whole in 2.4."""
    head, body = _logical(data, start, 4, stuffed)
    if len(head) < 4 or body > limit:
        raise BadInput("the ID3 tag ends inside its extended header; it is damaged")
    size = _synchsafe(head) - 4 if version == 4 else int.from_bytes(head, "big")
    if size < 0 or size > limit - body:
        raise BadInput("the extended header runs past the end of the ID3 tag; the tag is damaged")
    return _stored_end(data, body, size) if stuffed else body + size


# ---- Unsynchronisation -----------------------------------------------------------------------------------


def _stored_end(data: Buffer, start: int, size: int) -> int:
    """Where `size` logical bytes end that are stored from `start` on with a NUL behind each FF that needs it."""
    counted, end = start, start + size
    while counted < end:
        stuffing = sum(
            data[p : min(p + _CHUNK, end) + 1].count(b"\xff\0") for p in range(counted, min(end, len(data)), _CHUNK)
        )
        counted, end = end, end + stuffing
    return end


def _logical(data: Buffer, start: int, size: int, stuffed: bool) -> tuple[bytes, int]:
    """`size` logical bytes from `start`, and where they end as stored."""
    stop = _stored_end(data, start, size) if stuffed else start + size
    stored = data[start:stop]
    return (_unstuff(stored) if stuffed else stored), stop


def _unstuff(stored: bytes) -> bytes:
    return stored.replace(b"\xff\0", b"\xff")


def _stuff(plain: bytes) -> bytes:
    return _SYNC.sub(b"\xff\0", plain)


def _synchsafe(digits: bytes) -> int:
    """Seven bits a byte, so that no length looks like an MPEG sync."""
    value = 0
    for digit in digits:
        value = value << 7 | digit & 0x7F
    return value


def _as_synchsafe(value: int) -> bytes:
    if value >= 1 << 28:
        raise BadInput("the ID3 tag would grow over 256 MiB, the most its header can state; drop a picture from it")
    return bytes(value >> shift & 0x7F for shift in (21, 14, 7, 0))


# ---- Frames that carry the item --------------------------------------------------------------------------


def _copies(data: Buffer, tag: Tag) -> list[_Found]:
    found: list[_Found] = []
    for frame in tag.frames:
        if frame.id == tag.layout.text_id:
            found += _from_text(data, tag, frame)
        elif frame.id == b"PRIV":
            packet = _packet(data, tag, frame)
            where = f"in the XMP packet of ID3v2.{tag.version} frame PRIV at byte {frame.start}"
            for copy in _xmp.read(packet, where) if packet else ():
                found.append(_Found(frame, replace(copy, normative=False)))
        if len(found) > _MAX_COPIES:
            raise BadInput(f"the ID3 tag holds over {_MAX_COPIES} copies of the AIGC item; it is damaged")
    return found


def _from_text(data: Buffer, tag: Tag, frame: Frame) -> Iterator[_Found]:
    # A few bytes tell the description; a long text of another kind is not unpacked.
    description, _ = _described(_content(data, tag, frame, 64))
    if description.casefold() != _DESCRIPTION.casefold():
        return
    description, value = _described(_content(data, tag, frame, _MAX_TEXT))
    where = f"in ID3v2.{tag.version} frame {frame.id.decode()}:{description} at byte {frame.start}"
    yield _Found(frame, Copy(value, where, normative=description == _DESCRIPTION))


def _described(content: bytes) -> tuple[str, str]:
    """The description and the value of a TXXX frame's content."""
    if not content or content[0] >= len(_ENCODINGS):
        return "", ""
    encoding, text = _ENCODINGS[content[0]], content[1:]
    wide = content[0] in (1, 2)
    cut = next((i for i in range(0, len(text) - 1, 2) if text[i : i + 2] == b"\0\0"), -1) if wide else text.find(b"\0")
    if cut < 0:
        return "", ""
    value = text[cut + (2 if wide else 1) :]
    if content[0] == 1 and text[:2] in _ORDER_MARKS and value[:2] not in _ORDER_MARKS:
        value = text[:2] + value  # one byte order mark for both strings, as careless writers have it
    if wide:
        value = value[: len(value) & ~1]
    return text[:cut].decode(encoding, "replace"), value.decode(encoding, "replace").rstrip("\0")


def _packet(data: Buffer, tag: Tag, frame: Frame) -> bytes | None:
    """The XMP packet of a PRIV frame that may hold the item; None where it is another owner's."""
    if _content(data, tag, frame, 4) != _XMP_OWNER:
        return None
    packet = _content(data, tag, frame, 4 + _xmp.MAX_PACKET + 1)[4:]
    return packet if b"AIGC" in packet else None


def _content(data: Buffer, tag: Tag, frame: Frame, most: int) -> bytes:
    """At most `most` bytes of a frame's content, unpacked; nothing of an encrypted one."""
    layout, flags = tag.layout, frame.flags
    if flags & layout.encrypted:
        return b""
    stored = data[frame.body : min(frame.stop, frame.body + 2 * most + 64)]
    if tag.stuffed or (tag.version == 4 and (flags & layout.unsynchronised or tag.flags & _UNSYNCHRONISED)):
        stored = _unstuff(stored)
    compressed = bool(flags & layout.compressed)
    skip = (1 if flags & layout.grouped else 0) + (4 if flags & layout.length_given else 0)
    if compressed and tag.version == 3:
        skip += 4  # the unpacked length, which is not trusted here
    if not compressed:
        return stored[skip : skip + most]
    try:
        return zlib.decompressobj().decompress(stored[skip:], most)
    except zlib.error as error:
        raise BadInput(f"the ID3 frame at byte {frame.start} does not decompress: {error}") from error


def _text_frame(item: str, version: int, tag_flags: int, synchsafe: bool) -> bytes:
    """The item as a TXXX frame: UTF-8 in version 2.4, else Latin-1 where that holds it, else UTF-16."""
    layout = _LAYOUTS[version]
    if version == 4:
        content = b"\3" + f"{_DESCRIPTION}\0{item}".encode()
    elif item.isascii():
        content = b"\0" + f"{_DESCRIPTION}\0{item}".encode()
    else:
        content = b"\1" + f"{_DESCRIPTION}\0".encode("utf-16") + item.encode("utf-16")
    flags = bytes(layout.flags_size)
    if version == 4 and tag_flags & _UNSYNCHRONISED:
        flags = bytes([0, layout.unsynchronised])  # "all frames are": text in UTF-8 holds no FF to stuff
    frame = layout.text_id + _length(len(content), layout.length_size, synchsafe) + flags + content
    return _stuff(frame) if version < 4 and tag_flags & _UNSYNCHRONISED else frame


def _length(size: int, digits: int, synchsafe: bool) -> bytes:
    if synchsafe:
        return _as_synchsafe(size)
    if size >= 1 << 8 * digits:
        raise BadInput("the label is too long for an ID3 frame; shorten it")
    return size.to_bytes(digits, "big")


# ---- Splicing --------------------------------------------------------------------------------------------


def _as_meant(data: Buffer, found: list[_Found], fresh: bytes) -> bool:
    """Whether the tag holds just what it shall: one copy stored as it would be now, or none where none is to be."""
    if not found or not fresh:
        return not found and not fresh
    frame = found[0].frame
    return len(found) == 1 and frame.stop - frame.start == len(fresh) and data[frame.start : frame.stop] == fresh


def _without_item(data: Buffer, tag: Tag, found: _Found) -> bytes:
    """What stays of a frame that carries a copy: nothing of a TXXX, the rest of an XMP packet."""
    if found.frame.id == tag.layout.text_id:
        return b""
    packet = _packet(data, tag, found.frame)
    assert packet is not None  # the copy was read from it
    content = _XMP_OWNER + _xmp.remove(packet, found.copy.where)
    frame = b"PRIV" + _length(len(content), 4, tag.synchsafe) + b"\0\0" + content
    return _stuff(frame) if tag.stuffed else frame


def _resized(data: Buffer, tag: Tag, changes: list[Edit]) -> list[Edit]:
    """The changes with the padding, the header and the footer that go with them."""
    footer = tag.version == 4 and bool(tag.flags & _FOOTER)
    grown = sum(len(new) - (stop - start) for start, stop, new in changes)
    room = tag.limit - tag.tail if tag.padded else 0
    # The signal stays where it is if it can; but a footer's tag has no padding (2.4 structure, 3.3).
    padding = 0 if footer else -grown if grown <= room else _PADDING
    end = tag.tail if tag.padded else tag.limit
    if padding:
        changes.append((end, end - min(padding, 0), bytes(max(padding, 0))))
    flags = tag.flags & ~_EXTENDED if tag.version == 3 else tag.flags
    size = tag.limit - (tag.start + 10) + grown + padding
    head = _header(tag.version, flags, size, data[tag.start + 4])
    if head != data[tag.start : tag.start + 10]:
        changes.append((tag.start, tag.start + 10, head))
    if footer:
        changes.append((tag.limit, tag.stop, b"3DI" + head[3:]))
    return changes


def _header(version: int, flags: int, size: int, revision: int = 0) -> bytes:
    return b"ID3" + bytes([version, revision, flags]) + _as_synchsafe(size)


def _extended_header(data: Buffer, tag: Tag) -> list[Edit]:
    """What to change in the extended header. Version 2.3's holds but the padding's length and a checksum, both of
    which change, so it is left out; version 2.4's loses its checksum."""
    start, stop = tag.extended
    if start == stop:
        return []
    if tag.version == 3:
        return [(start, stop, b"")]
    return [(start, stop, _without_checksum(take(data, start + 4, stop - start - 4, "the extended ID3 header", stop)))]


def _without_checksum(body: bytes) -> bytes:
    """A version 2.4 extended header from its flags on: each flag that is set has a length and data of its own."""
    if len(body) < 2 or body[0] != 1:
        raise BadInput("the ID3 tag's extended header is damaged")
    flags, position, kept = body[1], 2, b""
    for flag in (0x40, 0x20, 0x10):  # an update, its checksum, its restrictions
        if flags & flag:
            field = take(body, position, 1 + take(body, position, 1, "an extended header field")[0], "a header field")
            position += len(field)
            kept += b"" if flag == 0x20 else field
    content = bytes([1, flags & ~0x20]) + kept
    return _as_synchsafe(len(content) + 4) + content
