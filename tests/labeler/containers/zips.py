"""ZIP packages taken apart and put together by the standard library."""

from __future__ import annotations

import io
import zipfile

from labeler.containers import Piece, Span


def rezipped(data: bytes, changes: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The package with parts replaced or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", method) as target:
        for info in source.infolist():
            if info.filename not in changes:
                target.writestr(info, source.read(info))
        for name, content in changes.items():
            target.writestr(name, content)
    return out.getvalue()


def members(data: bytes) -> dict[str, bytes]:
    """Every member's content, all checksums verified."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {info.filename: archive.read(info) for info in archive.infolist()}


def changed(before: bytes, after: bytes) -> set[str]:
    """The names of the members that differ, or are in one only."""
    old, new = members(before), members(after)
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def keeps_packed_bytes(data: bytes, pieces: list[Piece], but: set[str]) -> bool:
    """Whether every member's header and packed bytes lie in the Spans of the source."""
    spans = b"".join(data[p.start : p.stop] for p in pieces if isinstance(p, Span))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        kept = [info for info in archive.infolist() if info.filename not in but]
        sizes = [30 + len(info.filename.encode()) + info.compress_size for info in kept]
    return all(data[i.header_offset : i.header_offset + size] in spans for i, size in zip(kept, sizes, strict=True))
