"""Which files a command is about, found while it runs, and where each one's result goes."""

# ruff: noqa: PTH112, PTH113, PTH118, PTH119, PTH207
# os.path says no where pathlib raises (a folder without permission, a name too long), and keeps names as given.

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from policies.errors import BadInput

SCRATCH = ".biaoshi-"
"""How label()'s own temporary folders begin; one that a crash left behind is no source."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to work on, and its path below the source it was found in, which targets mirror."""

    path: str
    relative: str
    number: int = 0  # of the source among all sources
    root: str = ""  # the source, where that is a folder
    problem: BadInput | None = None


def expand(arguments: Iterable[str]) -> Iterator[str]:
    """The arguments, patterns among them expanded for shells that leave that to the program."""
    for argument in arguments:
        if not _is_pattern(argument):
            yield argument
            continue
        matches = glob.iglob(argument, recursive=True)
        first = next(matches, None)
        yield argument if first is None else first  # a pattern without a match is reported as a missing file
        yield from matches


def find(arguments: Iterable[str], recursive: bool, outside: Path | None = None) -> Iterator[Found]:
    """Every file the arguments name, as it is come upon; folders are entered only where `recursive`.

    `outside` is a folder not to enter: the one that results are written to.
    """
    for number, path in enumerate(expand(arguments)):
        if recursive and os.path.isdir(path):
            yield from _walk(path, number, outside)
        else:
            yield Found(path, os.path.basename(path), number)


def _walk(root: str, number: int, outside: Path | None) -> Iterator[Found]:
    """The files below `root`, a folder at a time and in the system's order: memory stays flat for any number.

    Links to folders are not followed, so no loop is possible; links to files are.
    """
    levels: list[Iterator[os.DirEntry[str]]] = []
    waiting = [root]
    while waiting or levels:
        if waiting:
            folder = waiting.pop()
            try:
                levels.append(os.scandir(folder))
            except OSError as error:
                problem = BadInput(f"cannot list {folder}: {error.strerror or error}; permit it or leave it out")
                yield Found(folder, "", number, root, problem)
            continue
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
        elif entry.is_dir(follow_symlinks=False):
            if not entry.name.startswith(SCRATCH) and not _same(entry, outside):
                waiting.append(entry.path)
        elif not (entry.is_symlink() and os.path.isdir(entry.path)):
            yield Found(entry.path, os.path.relpath(entry.path, root), number, root)


def _same(entry: os.DirEntry[str], folder: Path | None) -> bool:
    try:
        return folder is not None and os.path.samestat(entry.stat(), folder.stat())
    except OSError:
        return False  # one of the two is not there, or not to be looked at


@dataclass
class Targets:
    """Where each file's result goes: into `folder`, under its relative path, and no two to one place."""

    folder: Path
    _files: dict[str, str] = field(default_factory=dict)  # relative path -> file, of sources that are files
    _folders: dict[int, str] = field(default_factory=dict)  # number -> root, of sources that are folders

    def place(self, found: Found) -> Path:
        """The target of a file; BadInput where another source's file goes there, or its folder can't be made."""
        if rival := self._rival(found):
            raise BadInput(f"would be written to the same target as {rival}; label the two into different folders")
        target = self.folder / found.relative
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"cannot make the folder {target.parent}: {error.strerror}; choose another") from error
        return target

    def _rival(self, found: Found) -> str | None:
        """An earlier source's file of the same relative path. For folders the disk is asked: nothing is
        remembered a file, so that memory stays flat."""
        earlier = [root for number, root in self._folders.items() if number < found.number]
        for path in (os.path.join(root, found.relative) for root in earlier):
            if os.path.isfile(path):
                return path
        rival = self._files.get(found.relative)
        if found.root:
            self._folders[found.number] = found.root
        else:
            self._files[found.relative] = found.path
        return rival


def single(arguments: Sequence[str]) -> str | None:
    """The one file the arguments name; None where there are several, a folder or a pattern."""
    first, *more = arguments
    return None if more or os.path.isdir(first) or _is_pattern(first) else first


def _is_pattern(argument: str) -> bool:
    """Whether to expand it: a file may really be called "[1].png"."""
    return glob.has_magic(argument) and not os.path.lexists(argument)
