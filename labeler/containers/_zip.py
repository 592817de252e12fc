"""ZIP archives (APPNOTE 6.3): members read within bounds, and some replaced while all others keep their bytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from labeler.containers import Buffer, Piece, Span, take
from policies.errors import BadInput, TooLarge, Unsupported

MAGIC = b"PK\x03\x04"
MAX_PART = 64 << 20
"""Bytes of one inflated member."""

_MAX_DIRECTORY = 64 << 20
_MAX_MEMBERS = 100_000
_LIMIT_16, _LIMIT_32 = 0xFFFF, 0xFFFFFFFF
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR64 = struct.Struct("<4sIQI")
_OFFSET_AT = 42  # of the local header's offset in a central record
_ENCRYPTED, _UTF8 = 1 << 0, 1 << 11
_STORED, _DEFLATED = 0, 8
_EARLIEST = 0x21  # 1980-01-01, the first day that ZIP knows: a file written twice is the same file


@dataclass(frozen=True, slots=True)
class Member:
    """One member: `record` is its entry in the directory, `start` to `stop` its bytes with all that follows them."""

    name: str
    record: bytes
    start: int
    stop: int
    body: int
    packed: int
    size: int
    crc: int
    method: int
    encrypted: bool


@dataclass(frozen=True, slots=True)
class _Directory:
    start: int
    size: int
    shift: int  # what stands before the archive, and is not counted in its offsets
    stop: int  # behind the end record and its comment
    comment: bytes


class Archive:
    """A ZIP file's members by name. Raises BadInput for one that is damaged, TooLarge for one beyond bounds."""

    def __init__(self, data: Buffer) -> None:
        self._data = data
        self._directory = _find_directory(data)
        self.members = _members(data, self._directory)
        self._by_name = {member.name.casefold(): member for member in self.members}
        if len(self._by_name) < len(self.members):
            raise BadInput("two members of the ZIP file have the same name; save the document again")

    def __contains__(self, name: str) -> bool:
        return name.casefold() in self._by_name

    def names(self) -> list[str]:
        """The members' names in the order in which they lie in the file."""
        return [member.name for member in self.members]

    def read(self, name: str) -> bytes:
        """A member's content, inflated within 64 MiB and checked against its CRC."""
        member = self._by_name.get(name.casefold())
        if member is None:
            raise BadInput(f"the ZIP file has no member {name}; the document is incomplete")
        if member.encrypted:
            raise Unsupported(f"{name} is encrypted; save the document without a password")
        if max(member.size, member.packed) > MAX_PART:
            raise TooLarge(f"{name} is over {MAX_PART} bytes long")
        content = _unpack(take(self._data, member.body, member.packed, name), member)
        if len(content) != member.size or zlib.crc32(content) != member.crc:
            raise BadInput(f"{name} does not match its checksum; the file is damaged")
        return content

    def within(self, names: Sequence[str]) -> list[str]:
        """All of these members, or the first and the last where all inflate to over 64 MiB."""
        sizes = (self._by_name[name.casefold()].size for name in names)
        return list(names) if sum(sizes) <= MAX_PART else [names[0], names[-1]]

    def rewrite(self, changes: Mapping[str, bytes | None]) -> list[Piece]:
        """The archive with the named members replaced, added (at the end) or, for None, left out.

        All other members are Spans of the source: header, packed data and descriptor as they were.
        """
        wanted = {name.casefold(): (name, content) for name, content in changes.items()}
        wanted = {key: change for key, change in wanted.items() if not self._is(key, change[1])}
        if not wanted:
            return [Span(0, len(self._data))]
        out = _Writer(self._directory.shift)
        for member in self.members:
            name, content = wanted.pop(member.name.casefold(), ("", None))
            if not name:
                out.keep(member)
            elif content is not None:
                out.add(member.name, content)
        for name, content in wanted.values():
            if content is not None:
                out.add(name, content)
        end = self._directory
        return [*out.finish(end.comment), Span(end.stop, len(self._data))]

    def _is(self, key: str, content: bytes | None) -> bool:
        return content is None if key not in self._by_name else content is not None and self.read(key) == content


class _Writer:
    """Pieces of an archive, and the directory that goes with them."""

    def __init__(self, start: int) -> None:
        self._pieces: list[Piece] = [Span(0, start)] if start else []
        self._records: list[bytes] = []
        self._position = start
        self._start = start

    def keep(self, member: Member) -> None:
        self._records.append(_moved(member, self._position - self._start))
        last = self._pieces[-1] if self._pieces else None
        if isinstance(last, Span) and last.stop == member.start:
            self._pieces[-1] = Span(last.start, member.stop)
        else:
            self._pieces.append(Span(member.start, member.stop))
        self._position += member.stop - member.start

    def add(self, name: str, content: bytes) -> None:
        raw = name.encode()
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = deflate.compress(content) + deflate.flush()
        flags = 0 if name.isascii() else _UTF8
        shared = (20, flags, _DEFLATED, 0, _EARLIEST, zlib.crc32(content), len(packed), len(content), len(raw), 0)
        self._records.append(
            _CENTRAL.pack(b"PK\x01\x02", 20, *shared, 0, 0, 0, 0, _in_32_bits(self._position - self._start)) + raw
        )
        local = _LOCAL.pack(b"PK\x03\x04", *shared) + raw
        self._pieces.append(local + packed)
        self._position += len(local) + len(packed)

    def finish(self, comment: bytes) -> list[Piece]:
        directory = b"".join(self._records)
        count, offset = len(self._records), self._position - self._start
        tail = b""
        if count >= _LIMIT_16 or offset + len(directory) >= _LIMIT_32:
            size = _END64.size - 12
            tail = _END64.pack(b"PK\x06\x06", size, 45, 45, 0, 0, count, count, len(directory), offset)
            tail += _LOCATOR64.pack(b"PK\x06\x07", 0, offset + len(directory), 1)
        counts = (min(count, _LIMIT_16),) * 2
        sizes = min(len(directory), _LIMIT_32), min(offset, _LIMIT_32)
        tail += _END.pack(b"PK\x05\x06", 0, 0, *counts, *sizes, len(comment)) + comment
        return [*self._pieces, directory + tail]


def _in_32_bits(offset: int) -> int:
    if offset >= _LIMIT_32:
        raise TooLarge("the archive is over 4 GiB long")
    return offset


def _moved(member: Member, offset: int) -> bytes:
    """The member's record with its new offset, where it kept the old one: in 32 bits or in the ZIP64 field."""
    record = member.record
    at = _OFFSET_AT
    if record[at : at + 4] != b"\xff\xff\xff\xff":
        return record[:at] + struct.pack("<I", _in_32_bits(offset)) + record[at + 4 :]
    at = _wide_offset(record)
    return record[:at] + struct.pack("<Q", offset) + record[at + 8 :]


# ---- reading the directory --------------------------------------------------------------------------------


def _find_directory(data: Buffer) -> _Directory:
    start = max(0, len(data) - _END.size - _LIMIT_16)
    at = data.rfind(b"PK\x05\x06", start)
    if at < 0:
        raise BadInput("the ZIP file has no directory at its end; it is cut short")
    end = _END.unpack(take(data, at, _END.size, "the end of the ZIP directory"))
    _, disk, first_disk, here, count, size, offset, comment = end
    stop = at + _END.size + comment
    text = take(data, at + _END.size, comment, "the ZIP comment")
    if _LIMIT_16 in (here, count) or _LIMIT_32 in (size, offset):
        at, disk, first_disk, count, size, offset = _end64(data, at, (disk, first_disk, count, size, offset))
    if disk or first_disk:
        raise BadInput("the ZIP file is one part of several; join them first")
    if size > _MAX_DIRECTORY or count > _MAX_MEMBERS:
        raise TooLarge(f"the ZIP directory has {count} members in {size} bytes, more than a document has")
    begin = at - size
    if begin < 0 or begin < offset:
        raise BadInput("the ZIP directory does not lie where its end says; the file is damaged")
    return _Directory(begin, size, begin - offset, stop, text)


def _end64(data: Buffer, end: int, classic: tuple[int, ...]) -> tuple[int, ...]:
    """The ZIP64 end record before the classic one, if there is one (APPNOTE 4.3.14)."""
    if end < _LOCATOR64.size or data[end - _LOCATOR64.size : end - _LOCATOR64.size + 4] != b"PK\x06\x07":
        return (end, *classic)
    at = end - _LOCATOR64.size - _END64.size
    record = _END64.unpack(take(data, at, _END64.size, "the ZIP64 directory end"))
    if record[0] != b"PK\x06\x06":
        raise BadInput("the ZIP64 directory end is not where it should be; the file is damaged")
    _, _, _, _, disk, first_disk, _, count, size, offset = record
    return at, disk, first_disk, count, size, offset


def _members(data: Buffer, directory: _Directory) -> tuple[Member, ...]:
    records = list(_records(take(data, directory.start, directory.size, "the ZIP directory")))
    if not records:
        raise BadInput("the ZIP file has no members; the document is empty or damaged")
    starts = sorted({_offset(record) for record in records})
    if len(starts) < len(records):
        raise BadInput("two members of the ZIP file lie in the same place; the file is damaged")
    ends = dict(zip(starts, [*starts[1:], directory.start - directory.shift], strict=True))
    members = [_member(data, r, directory.shift, ends[_offset(r)]) for r in records]
    return tuple(sorted(members, key=lambda member: member.start))


def _records(table: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(table):
        head = take(table, position, _CENTRAL.size, "a ZIP directory entry")
        if head[:4] != b"PK\x01\x02":
            return  # a digital signature may follow the entries
        size = _CENTRAL.size + sum(struct.unpack_from("<HHH", head, 28))
        yield take(table, position, size, "a ZIP directory entry")
        position += size


def _member(data: Buffer, record: bytes, shift: int, end: int) -> Member:
    fields = _CENTRAL.unpack_from(record)
    flags, method, crc, packed, size, name_size = fields[3], fields[4], *fields[7:11]
    raw = record[_CENTRAL.size : _CENTRAL.size + name_size]
    name = raw.decode("utf-8" if flags & _UTF8 else "cp437", "replace")
    wide = dict(_wide(record))
    start, stop = _offset(record) + shift, end + shift
    local = take(data, start, _LOCAL.size, f"the member {name[:80]}", stop)
    if local[:4] != MAGIC:
        raise BadInput(f"the member {name[:80]} of the ZIP file is not where the directory says; the file is damaged")
    body = start + _LOCAL.size + sum(struct.unpack_from("<HH", local, 26))
    packed, size = wide.get("packed", packed), wide.get("size", size)
    if body + packed > stop:
        raise BadInput(f"the member {name[:80]} of the ZIP file runs into the next; the file is damaged")
    return Member(name, record, start, stop, body, packed, size, crc, method, bool(flags & _ENCRYPTED))


def _offset(record: bytes) -> int:
    plain: int = int.from_bytes(record[_OFFSET_AT : _OFFSET_AT + 4], "little")
    return dict(_wide(record)).get("offset", plain)


def _wide(record: bytes) -> Iterator[tuple[str, int]]:
    """The values that the ZIP64 extra field holds: those whose 32 bits are all set, in this order (4.5.3)."""
    at = _wide_field(record)
    for name, place in (("size", 24), ("packed", 20), ("offset", _OFFSET_AT)):
        if record[place : place + 4] == b"\xff\xff\xff\xff":
            yield name, struct.unpack("<Q", take(record, at, 8, "a ZIP64 field"))[0]
            at += 8


def _wide_field(record: bytes) -> int:
    name, extra = struct.unpack_from("<HH", record, 28)
    at: int = _CENTRAL.size + name
    stop = at + extra
    while at + 4 <= stop:
        kind, size = struct.unpack_from("<HH", record, at)
        if kind == 1:
            return at + 4
        at += 4 + size
    return len(record)


def _wide_offset(record: bytes) -> int:
    return _wide_field(record) + 8 * (record[24:28] == b"\xff\xff\xff\xff") + 8 * (record[20:24] == b"\xff\xff\xff\xff")


def _unpack(packed: bytes, member: Member) -> bytes:
    if member.method == _STORED:
        return packed
    if member.method != _DEFLATED:
        raise BadInput(f"{member.name} is packed by method {member.method}; save the document again")
    inflater = zlib.decompressobj(-15)
    try:
        content = inflater.decompress(packed, MAX_PART + 1)
    except zlib.error as error:
        raise BadInput(f"{member.name} cannot be inflated: {error}; the file is damaged") from error
    if len(content) > MAX_PART:
        raise TooLarge(f"{member.name} inflates to over {MAX_PART} bytes")
    return content
