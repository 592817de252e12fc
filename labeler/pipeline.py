"""label(): the one straight line. Open, draw, embed, read back, replace; no stage looks back."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from labeler.asset import Asset, Source, checked
from labeler.containers import Span
from labeler.metadata import decode, encode
from labeler.notices import Notice, NoticeOptions, notices, plan
from policies.errors import BadInput, ToolkitError, Unsupported
from policies.policy import Policy, load
from policies.terms import AigcLabel, Mark


@dataclass(frozen=True, slots=True)
class Labelled:
    """What `label` did. `data` holds the labelled file where no target was named."""

    source: str
    target: Path | None
    sha256: str
    label: AigcLabel
    marks: tuple[Mark, ...]
    untouched: Mapping[str, str]
    notes: tuple[str, ...]
    data: bytes | None = None


def label(
    source: Source,
    target: str | os.PathLike[str] | None,
    label: AigcLabel,
    *,
    policy: str | os.PathLike[str] | Policy = "cn",
    marks: Collection[Mark | str] | None = None,
    notice: NoticeOptions | None = None,
    force: bool = False,
    name: str = "",
) -> Labelled:
    """Label one file: the explicit mark, then the metadata, each checked by reading it back.

    `marks` defaults to what the policy requires of the media. `target` None returns the bytes in `data`.
    `force` overwrites an existing target and replaces a label too damaged to read. `name` names a source
    that is bytes or a stream. A label or notice of biaoshi's that is already there is kept, not doubled;
    another producer's label is never overwritten.

    Raises ToolkitError; then the source is as it was and the target absent or as it was.
    """
    rules = load(policy)
    with ExitStack() as stack:
        asset = stack.enter_context(Asset.open(source, name))
        wanted = _wanted(rules, asset, marks)
        final = reconcile(asset, label, force) if Mark.METADATA in wanted else label
        planned = plan(rules, asset.media, notice) if Mark.EXPLICIT in wanted else None
        stage = stack.enter_context(_staging(asset, target, force))

        untouched: dict[str, str] = {}
        edited = asset
        if planned is not None and not _has_notice(asset, planned):
            drawn = notices(asset.media).draw(asset, planned, stage.parent)
            edited = stack.enter_context(drawn.asset)
            untouched.update(drawn.untouched)
        item = final if Mark.METADATA in wanted else None
        kept, digest = _embed(edited, item, stage)
        whose = "the source's" if edited is asset else "the drawn file's"
        untouched["bytes"] = f"{kept} of {whose} {len(edited.data)}, copied as they were and compared after writing"
        _read_back(stage, asset, item, planned)

        data = stage.read_bytes() if target is None else None
        path = _replace(stage, Path(target), force) if target is not None else None
        ordered = tuple(mark for mark in Mark if mark in wanted)
        return Labelled(asset.source, path, digest, final, ordered, untouched, asset.notes, data)


def _wanted(rules: Policy, asset: Asset, marks: Collection[Mark | str] | None) -> frozenset[Mark]:
    if marks is None:
        wanted = rules.marks(asset.media, asset.container_name)
        if not wanted:
            raise BadInput(f"policy {rules.id!r} asks nothing of {asset.media} files; name --marks")
        return wanted
    try:
        wanted = frozenset(Mark(m) for m in marks)
    except ValueError as error:
        raise BadInput(f"{error}; marks are explicit and metadata") from error
    if not wanted or wanted - {Mark.EXPLICIT, Mark.METADATA}:
        raise Unsupported("this version writes the marks explicit and metadata")
    return wanted


def reconcile(asset: Asset, label: AigcLabel, force: bool = False) -> AigcLabel:
    """The label that the file shall carry: the wanted one, or the one that is already there.

    The producer's half is written once (Measures, Art. 10; GB 45438-2025 6.1 c). Raises BadInput where
    that would be broken.
    """
    numbered = label if label.produce_id else label.with_produce_id(str(uuid4()))
    encode(numbered)  # refuse what cannot be written before any work is done
    try:
        copies = asset.container.read(asset.data)
    except BadInput:
        if force:
            return numbered
        raise
    present: AigcLabel | None = None
    for copy in copies:
        reading = decode(copy.value)
        read = reading.label
        if read is None:
            if not force:
                what = "of another schema" if reading.is_other_schema else "too damaged to read"
                raise BadInput(f"the label {copy.where} is {what}; --force replaces it")
        elif read.content_producer != label.content_producer:
            raise BadInput(
                f"already labelled by {read.content_producer!r} ({copy.where}); a producer's half is never overwritten"
            )
        elif label.produce_id and read.produce_id != label.produce_id:
            raise BadInput(f"already labelled as {read.produce_id!r}; leave out the number to keep that one")
        elif present is not None and read != present:
            raise BadInput("carries two labels that differ; which one is right has to be settled first")
        else:
            present = read
    return present or numbered


def _embed(edited: Asset, final: AigcLabel | None, stage: Path) -> tuple[int, str]:
    """Write the file with the item in its slot, and read it again: how many bytes were kept, and its SHA-256."""
    if final is None:
        pieces: list[bytes | Span] = [Span(0, len(edited.data))]
    else:
        pieces = list(edited.container.write(edited.data, encode(final)))
    try:
        return edited.save(pieces, stage), checked(edited, pieces, stage)
    except OSError as error:
        raise BadInput(f"cannot write the labelled file: {error.strerror or error}; free space or permit it") from error


def _has_notice(asset: Asset, planned: Notice) -> bool:
    return bool(notices(asset.media).find(asset, planned))


def _read_back(stage: Path, source: Asset, final: AigcLabel | None, planned: Notice | None) -> None:
    with Asset.open(stage, source.source) as written:
        if final is not None:
            copies = written.container.read(written.data)
            if [decode(c.value).label for c in copies] != [final]:
                places = "; ".join(c.where for c in copies) or "nowhere"
                raise ToolkitError(
                    f"after writing, the label stands {places}; exactly one copy in {written.container.SLOT} was meant"
                )
        if planned is not None and not _has_notice(written, planned):
            raise ToolkitError(
                "the notice could not be found again in the result, so nothing was saved; "
                "try another position or a greater height"
            )


@contextmanager
def _staging(asset: Asset, target: str | os.PathLike[str] | None, force: bool) -> Iterator[Path]:
    """A place to write beside the target, on its file system; gone afterwards, whatever happened."""
    try:
        folder = None if target is None else _folder(asset, Path(target), force)
        with tempfile.TemporaryDirectory(prefix=".biaoshi-", dir=folder) as scratch:
            # The name is ours, not the client's: no name from outside becomes a path.
            yield Path(scratch) / f"labelled{asset.container.SUFFIXES[0]}"
    except OSError as error:
        raise BadInput(f"cannot write {target}: {error.strerror or error}; choose another target") from error


def _folder(asset: Asset, target: Path, force: bool) -> Path:
    """The folder of a target that may be written. Raises BadInput, or OSError where the system refuses the name."""
    if "\0" in str(target):
        raise BadInput(f"cannot write {target}: a NUL in the name; choose another target")
    if target.is_dir():
        raise BadInput(f"{target} is a folder; name the target file")
    if target.exists() and not target.is_file():
        raise BadInput(f"{target} is not a regular file; name one")  # to replace a device would break it for all
    if target.exists() and asset.path is not None and target.samefile(asset.path):
        raise BadInput(f"{target} is the source itself, which is never changed; name another target")
    if os.path.lexists(target) and not force:
        raise BadInput(f"{target} exists; --force overwrites it")
    return target.parent


def _replace(stage: Path, target: Path, force: bool) -> Path:
    if force:
        stage.replace(target)
        return target
    try:
        os.link(stage, target)  # unlike replace, it fails where the target has come to exist meanwhile
    except FileExistsError:
        raise BadInput(f"{target} came to exist meanwhile; --force overwrites it") from None
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise BadInput(f"{target} came to exist meanwhile; --force overwrites it") from None
        stage.rename(target)
    return target
