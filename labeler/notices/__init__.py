"""What people perceive of an explicit mark. One module a media, each drawing notices and finding its own.

A notice module (`image`, `video`, `audio`, `text`, named like the media) defines

    Notice                       a frozen dataclass: the notice as planned; its fields are the options
        .facts() -> dict         the facts a detector would measure on it, which policies judge
    draw(asset, notice, scratch) -> Edited     the asset with the notice; large results go to the folder
                                               `scratch`, small ones may stay in memory
    find(asset, planned=None) -> list[Sighting]   biaoshi's own notices in the asset, each with its facts; a
                                               notice just `planned` is looked for beside the usual ones

Facts are named alike everywhere: `text`, `position`, `height` (ink height over the shortest displayed
side), `contrast` (WCAG ratio of text to what lies behind it), `start` and `seconds` (of display time),
`form`, `place`, `rate` (spoken characters a minute); an error of measurement is `<fact>_error`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol, TypedDict, cast

from labeler.asset import Asset
from labeler.discover import modules
from policies.errors import BadInput
from policies.judge import shortfalls
from policies.policy import Policy
from policies.terms import Finding, Mark, Media, Status


class NoticeOptions(TypedDict, total=False):
    """What a caller may ask of the explicit mark; the policy's suggestion fills what is left out.

    A media without a notice of that kind ignores the option: `cue` means nothing to an image.
    """

    text: str  # the wording; drawn or written
    language: str  # "zh", "en" or "zh-en": chooses the suggested wording and the recording
    position: str  # "top-left" … "bottom-right": edge or corner of the picture
    height: float  # ink height over the shortest displayed side
    font: str  # path of a font file for scripts that the packaged font lacks
    seconds: float  # how long the notice shows from the first frame
    whole_clip: bool  # show it all along
    cue: str  # "voice" or "rhythm"
    place: str  # "start", "end" or "both": of the sound or the text
    form: str  # "line" or "corner": a text notice as a line of its own or a corner mark


class Notice(Protocol):
    """A planned notice; every module has its own."""

    def facts(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Sighting:
    """One of biaoshi's own notices, found again. `confidence` is 0 to 1."""

    detail: str
    confidence: float
    where: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Edited:
    """An asset with a notice, and what of the source stayed bit-identical and how that was checked."""

    asset: Asset
    untouched: Mapping[str, str] = field(default_factory=dict)


class NoticeModule(Protocol):
    """One media's way of drawing and finding notices."""

    Notice: type[Any]

    def draw(self, asset: Asset, notice: Any, scratch: Path) -> Edited: ...
    def find(self, asset: Asset, planned: Any | None = None) -> list[Sighting]: ...


def notices(media: Media) -> NoticeModule:
    """The notice module of a media."""
    return cast(NoticeModule, modules(__name__)[media.value])


def plan(policy: Policy, media: Media, options: NoticeOptions | None = None) -> Notice:
    """The notice that `policy` suggests for this media, with the caller's options over it.

    Raises BadInput, naming the clause, for a choice that the policy would judge unmet.
    """
    unknown = (options or {}).keys() - NoticeOptions.__annotations__.keys()
    if unknown:
        raise BadInput(f"unknown notice option {', '.join(sorted(unknown))}")
    kind = notices(media).Notice
    chosen: dict[str, Any] = {**policy.notices.get(media, {}), **(options or {})}
    language = chosen.get("language", "zh")
    chosen = {name: _in_language(value, language) for name, value in chosen.items()}
    allowed = {f.name for f in fields(kind)}
    try:
        notice = cast(Notice, kind(**{name: value for name, value in chosen.items() if name in allowed}))
    except TypeError as error:
        raise BadInput(f"policy {policy.id!r} suggests no complete {media} notice: {error}") from error
    planned = Finding("plan", Mark.EXPLICIT, Status.FOUND, "as planned", measured=notice.facts())
    if wrong := shortfalls(policy, media, planned):
        raise BadInput("; ".join(f"{j.requirement.clause}: {j.because}" for j in wrong))
    return notice


def _in_language(value: Any, language: str) -> Any:
    """A wording given once a language, as policies do, is narrowed to the one that was chosen."""
    if not isinstance(value, Mapping):
        return value
    if language not in value:
        raise BadInput(f"no wording in language {language!r}; try: {', '.join(value)}, or give the text")
    return value[language]
