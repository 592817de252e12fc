"""The media file being labelled or verified: identified, mapped rather than slurped, never changed."""

from __future__ import annotations

import hashlib
import io
import mmap
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, TypeAlias

from labeler.containers import Buffer, Container, Piece, Span, identify
from policies.errors import BadInput, ToolkitError
from policies.terms import Facts, Media

Source: TypeAlias = "str | os.PathLike[str] | bytes | BinaryIO"
_CHUNK = 1 << 20


class Asset:
    """Bytes with a known container. Open it with `Asset.open`, close it or use it in a `with`."""

    def __init__(self, source: str, path: Path | None, data: Buffer, closing: ExitStack | None = None) -> None:
        self._closing = closing or ExitStack()
        self.source = source
        self.path = path
        self.data = data
        suffix = Path(source).suffix.lower()
        self.container_name, self.container = identify(data, suffix)
        self.notes = _mismatch(suffix, self.container)

    @classmethod
    def open(cls, source: Source, name: str = "") -> Asset:
        """Open a path, bytes or a binary stream; `name` stands in where the source has none.

        Raises BadInput for what cannot be read, Unsupported for a format biaoshi does not know.
        """
        if isinstance(source, bytes):
            if not source:
                raise BadInput("the input is empty; give content")
            return cls(name or "<bytes>", None, source)
        with ExitStack() as stack:
            if isinstance(source, (str, os.PathLike)):
                path = Path(source)
                name = name or str(path)
            else:
                path = _spool(source, stack)
                name = name or str(getattr(source, "name", "<stream>"))
            data = stack.enter_context(_mapped(path, name))
            asset = cls(name, path, data)
            asset._closing = stack.pop_all()
            return asset

    @cached_property
    def media(self) -> Media:
        """What the file holds: an MP4 without pictures is audio."""
        of = getattr(self.container, "media", None)
        return Media(of(self.data)) if of else self.container.MEDIA

    @cached_property
    def sha256(self) -> str:
        """The hash of the whole file, in hexadecimal."""
        digest = hashlib.sha256()
        with self.reader() as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    @property
    def facts(self) -> Facts:
        return Facts(self.source, self.sha256, self.media, self.container_name)

    def reader(self) -> BinaryIO:
        """A fresh, seekable binary file over the same bytes; the caller closes it."""
        return self.path.open("rb") if self.path else io.BytesIO(bytes(self.data))

    def save(self, pieces: Sequence[Piece], target: Path) -> int:
        """Write the pieces to `target` and force them to disk. Returns how many bytes are the source's own."""
        kept = 0
        with self.reader() as source, target.open("wb") as out:
            for piece in pieces:
                if isinstance(piece, Span):
                    _copy_range(source, out, piece)
                    kept += piece.stop - piece.start
                else:
                    out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        return kept

    def close(self) -> None:
        self._closing.close()

    def __enter__(self) -> Asset:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def _mapped(path: Path, name: str) -> Iterator[mmap.mmap]:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise BadInput(f"{name} is a folder; give its files, or --recursive on the command line")
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for, a device read, without end
            raise BadInput(f"{name} is not a regular file; save it to one first")
        if status.st_size == 0:
            raise BadInput(f"{name} is empty; give a file with content")
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"cannot read {name}: {reason}; check its name, and that you may read it") from error


def _spool(stream: BinaryIO, stack: ExitStack) -> Path:
    file = tempfile.NamedTemporaryFile(prefix="biaoshi-")  # noqa: SIM115 - the stack closes it
    stack.enter_context(file)
    shutil.copyfileobj(stream, file, _CHUNK)
    file.flush()
    return Path(file.name)


def _mismatch(suffix: str, container: Container) -> tuple[str, ...]:
    if not suffix or suffix in container.SUFFIXES:
        return ()
    return (f"the name ends in {suffix}, the content is {container.NAME}; it is handled by its content",)


def _copy_range(source: BinaryIO, out: BinaryIO, span: Span) -> None:
    """Copy inside the kernel where it can, which keeps memory flat and shares blocks on file systems that do."""
    out.flush()
    position, stop = span.start, span.stop
    try:
        while position < stop:
            moved = os.copy_file_range(source.fileno(), out.fileno(), stop - position, position)
            if moved == 0:
                break
            position += moved
    except (AttributeError, OSError, io.UnsupportedOperation):
        pass  # across file systems, other platforms, in-memory sources: the plain way below
    # copy_file_range moved the descriptor behind the file object's back.
    out.seek(0, io.SEEK_END)
    source.seek(position)
    while position < stop:
        chunk = source.read(min(_CHUNK, stop - position))
        if not chunk:
            raise BadInput("the source became shorter while it was being copied")
        out.write(chunk)
        position += len(chunk)


def checked(asset: Asset, pieces: Sequence[Piece], written: Path) -> str:
    """The SHA-256 of `written`, read again beside the source and found to be the pieces, byte for byte.

    Raises ToolkitError where it is not.
    """
    digest = hashlib.sha256()
    with asset.reader() as source, written.open("rb") as file:
        for meant in _contents(source, pieces):
            if file.read(len(meant)) != meant:
                raise _unlike()
            digest.update(meant)
        if file.read(1):
            raise _unlike()
    return digest.hexdigest()


def _contents(source: BinaryIO, pieces: Sequence[Piece]) -> Iterator[bytes]:
    """What the pieces say, a chunk at a time."""
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
            continue
        source.seek(piece.start)
        left = piece.stop - piece.start
        while left:
            chunk = source.read(min(_CHUNK, left))
            if not chunk:
                raise _unlike()
            yield chunk
            left -= len(chunk)


def _unlike() -> ToolkitError:
    return ToolkitError("the file read back differs from what was written; the disk or memory is failing")
