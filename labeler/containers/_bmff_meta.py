"""The `meta` box with its list of named values, as QuickTime and iTunes write it.

QuickTime File Format, "Metadata": handler `mdta`, names in `keys`, values in `ilst` under the 1-based index of
their name. iTunes: handler `mdir`, no `keys`; the type of a value's box is its name, `----` has it spelt out.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labeler.containers import Buffer, _item
from labeler.containers._bmff import Box, Edits, box, boxes, children, end_of, first, number
from labeler.metadata import MAX_ITEM, decode

KEY = "AIGC"
_NAMESPACE = b"mdta"
_UTF8, _UTF16 = 1, 2
_TEXT = {0: "utf-8", _UTF8: "utf-8", _UTF16: "utf-16-be", 4: "utf-8", 5: "utf-16-be"}
_MAX_GUESS = 1 << 16
_HDLR = box(b"hdlr", bytes(8), _NAMESPACE, bytes(13))


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of the list: its box, what names it, and the `data` box with its well-known type."""

    box: Box
    space: str
    name: str
    data: Box | None
    type: int

    def text(self, data: Buffer, limit: int = MAX_ITEM) -> str:
        """The value as text, "" where it is none; cut behind the limit, which no real item reaches."""
        if self.data is None or self.type not in _TEXT:
            return ""
        start = self.data.body + 8
        return data[start : min(start + limit + 1, self.data.stop)].decode(_TEXT[self.type], "replace")


@dataclass(frozen=True, slots=True)
class Meta:
    """A `meta` box, with the boxes around it in `inside`."""

    box: Box
    inside: tuple[Box, ...]
    handler: bytes
    keys: Box | None
    names: tuple[bytes, ...]
    ilst: Box | None
    entries: tuple[Entry, ...]

    @property
    def has_names(self) -> bool:
        """Whether values stand under the index of a name: another name can be added to it."""
        return self.handler == _NAMESPACE and (self.keys is not None or not self.entries)

    def is_normative(self, entry: Entry) -> bool:
        return (
            len(self.inside) == 2  # moov and udta
            and self.handler == _NAMESPACE
            and (entry.space, entry.name, entry.type) == ("mdta", KEY, _UTF8)
        )


def parse(data: Buffer, chain: Sequence[Box]) -> Meta:
    """The meta box that `chain` leads to; BadInput where its list of values is damaged."""
    found = chain[-1]
    hdlr = first(data, found, b"hdlr")
    handler = data[hdlr.body + 8 : min(hdlr.body + 12, hdlr.stop)] if hdlr else b""
    keys = first(data, found, b"keys")
    ilst = first(data, found, b"ilst")
    names = _names(data, keys) if keys else ()
    entries = tuple(_entry(data, inner, names) for inner in children(data, ilst)) if ilst else ()
    return Meta(found, tuple(chain[:-1]), handler, keys, names, ilst, entries)


def _names(data: Buffer, keys: Box) -> tuple[bytes, ...]:
    """Namespace and name of each entry; the list has the form of boxes."""
    return tuple(b.kind + data[b.body : b.stop] for b in _entries(data, keys))


def _entries(data: Buffer, keys: Box) -> list[Box]:
    number(data, keys, keys.body + 4)  # the count, which has to be there; the boxes tell it better
    return list(boxes(data, keys.body + 8, keys.stop))


def _entry(data: Buffer, found: Box, names: tuple[bytes, ...]) -> Entry:
    inner = children(data, found)
    value = next((b for b in inner if b.kind == b"data" and b.stop - b.body >= 8), None)
    kind = struct.unpack_from(">I", data, value.body)[0] if value else 0
    space, name = "", found.kind.decode("latin-1")
    index = int.from_bytes(found.kind, "big")
    if found.kind == b"----":
        space, name = (_part(data, inner, part) for part in (b"mean", b"name"))
    elif 1 <= index <= len(names):
        space, name = names[index - 1][:4].decode("latin-1"), names[index - 1][4:].decode("utf-8", "replace")
    elif index < 1 << 24:
        name = f"no. {index}"
    return Entry(found, space, name, value, kind)


def _part(data: Buffer, inner: list[Box], kind: bytes) -> str:
    part = next((b for b in inner if b.kind == kind), None)
    return data[min(part.body + 4, part.stop) : part.stop].decode("utf-8", "replace") if part else ""


def item_of(data: Buffer, entry: Entry) -> str | None:
    """The AIGC item that a value is by its name, or holds whatever its name; None for any other value."""
    if entry.name.casefold() == KEY.casefold():
        return entry.text(data)
    text = entry.text(data, _MAX_GUESS)
    found = _item.find(text) if len(text) <= _MAX_GUESS else None
    return found.text if found else None


def is_only_item(data: Buffer, entry: Entry) -> bool:
    """Whether an entry is an AIGC item and nothing else, so that it can go without anything being lost."""
    if entry.name.casefold() == KEY.casefold():
        return True
    found = _item.find(entry.text(data, _MAX_GUESS))
    return (
        found is not None and found.alone and not any(d.id == "aigc.key.unknown" for d in decode(found.text).deviations)
    )


def new_meta(value: str, shared: tuple[bytes, ...] = ()) -> bytes:
    """A meta box as ffmpeg's use_metadata_tags writes it, with the item as its only value.

    `shared` are names in another meta box of the movie. They come first in this one's `keys` too: ffmpeg and
    MediaInfo look every index of the file up in the first `keys` they meet.
    """
    name = _NAMESPACE + KEY.encode()
    names = shared if name in shared else (*shared, name)
    values = box(b"ilst", _value(names.index(name) + 1, value))
    return box(b"meta", bytes(4), _HDLR, _keys(names), values)


def _keys(names: Sequence[bytes]) -> bytes:
    return box(b"keys", struct.pack(">II", 0, len(names)), *(box(n[:4], n[4:]) for n in names))


def _value(index: int, text: str) -> bytes:
    return box(struct.pack(">I", index), box(b"data", struct.pack(">II", _UTF8, 0), text.encode()))


def put(edits: Edits, meta: Meta, text: str) -> None:
    """Make `text` the one AIGC item of a meta box whose values have names."""
    items = [e for e in meta.entries if item_of(edits.data, e) is not None]
    inside = (*meta.inside, meta.box)
    index = name_it(edits, meta)
    value = _value(index, text)
    if meta.ilst is None:
        edits.insert(end_of(edits.data, meta.box), box(b"ilst", value), inside)
        return
    home = next((e for e in items if (e.space, e.name) == ("mdta", KEY)), None)
    for entry in items:
        new = [value] if entry is home else []
        edits.replace(entry.box.start, entry.box.stop, new, (*inside, meta.ilst))
    if home is None:
        edits.insert(end_of(edits.data, meta.ilst), value, (*inside, meta.ilst))


def name_it(edits: Edits, meta: Meta) -> int:
    """The 1-based index of the name AIGC, added as the last one where it is not among them."""
    name = _NAMESPACE + KEY.encode()
    if name in meta.names:
        return meta.names.index(name) + 1
    inside = (*meta.inside, meta.box)
    if meta.keys is None:
        at = meta.ilst.start if meta.ilst else end_of(edits.data, meta.box)
        edits.insert(at, _keys([name]), inside)
        return 1
    edits.overwrite(meta.keys.body + 4, struct.pack(">I", len(meta.names) + 1))
    entries = _entries(edits.data, meta.keys)
    at = entries[-1].stop if entries else meta.keys.body + 8
    edits.insert(at, box(name[:4], name[4:]), (*inside, meta.keys))
    return len(meta.names) + 1


def take_out(edits: Edits, meta: Meta, doomed: Callable[[Entry], bool]) -> None:
    """Delete entries, and the whole box where that leaves it without a value or anything else of its own.

    The names stay in `keys`, so that no other value's index changes.
    """
    gone = [e for e in meta.entries if doomed(e)]
    own = {b.kind for b in children(edits.data, meta.box)} - {b"hdlr", b"keys", b"ilst", b"free", b"skip"}
    if gone and len(gone) == len(meta.entries) and not own:
        edits.delete(meta.box, meta.inside)
        return
    for entry in gone:
        assert meta.ilst is not None
        edits.delete(entry.box, (*meta.inside, meta.box, meta.ilst))
