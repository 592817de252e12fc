"""The notice drawn in the picture of a video from its first displayed frame on (GB 45438-2025 5.4).

All of the video is encoded again, see `labeler.codecs.video`; sound, subtitles and everything else in the file
are copied. A file with several video tracks carries the notice in each: a viewer may choose any of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeler.asset import Asset
from labeler.codecs import video
from labeler.notices import Edited, Sighting
from labeler.notices._lettering import stamp
from labeler.notices._looking import Match, still_there
from labeler.notices._looking import find as find_lettering
from policies.errors import BadInput, Unsupported

_LOOK = 5.0  # seconds; no policy asks how long a notice stands beyond them
_MOST_FRAMES = 2000  # within that time: a file may claim any frame rate
_STANDS = 0.6  # correlation: letters stay over 0.7, other pictures under 0.5


@dataclass(frozen=True, slots=True)
class Notice:
    """Words to draw on the frames that are displayed before `seconds`, or on all of them.

    `height` is ink over the shortest displayed side. Raises BadInput for a time that is none.
    """

    text: str
    position: str
    height: float
    seconds: float
    whole_clip: bool = False
    font: str | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.seconds, int | float) and 0 < self.seconds < math.inf):
            raise BadInput(f"a notice shows for a number of seconds over 0, not {self.seconds!r}; change --seconds")

    def facts(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "position": self.position,
            "height": self.height,
            "start": 0.0,
            "seconds": float(self.seconds),
        }


def draw(asset: Asset, notice: Notice, scratch: Path) -> Edited:
    """The video with the notice, in a file in `scratch`.

    Raises BadInput for damage, Unsupported for what cannot be encoded without losing something, with the remedy.
    """
    graft = getattr(asset.container, "graft", None)
    if graft is None:
        raise Unsupported(f"videos in {asset.container.NAME} are not labelled yet; remux the file as MP4")

    def overlay(size: video.Size) -> video.Overlay:
        made = stamp(notice.text, notice.position, notice.height, size, notice.font)
        return video.Overlay(made.rgba, made.x, made.y)

    suffix = asset.container.SUFFIXES[0]
    encoded, drawn = scratch / f"encoded{suffix}", scratch / f"drawn{suffix}"
    kept = video.draw(asset, encoded, overlay, math.inf if notice.whole_clip else notice.seconds)
    with Asset.open(encoded) as signal:
        signal.save(graft(asset.data, signal.data), drawn)
    encoded.unlink()
    result = Asset.open(drawn, asset.source)
    try:
        return Edited(result, kept.compare(result))
    except BaseException:
        result.close()
        raise


def find(asset: Asset, planned: Notice | None = None) -> list[Sighting]:
    """biaoshi's notices on the first displayed frame, and how long each stays; of several tracks the worst one's.

    Nothing is found unless every track that can be watched has one. Raises BadInput, Unsupported where the frames
    cannot be decoded.
    """
    tracks = [list(_in_track(asset, track, planned)) for track in range(video.tracks(asset))]
    if not all(tracks):
        return []
    return min(tracks, key=_longest, default=[])


def _longest(sightings: Sequence[Sighting]) -> float:
    return max(float(s.facts["seconds"]) for s in sightings)


def _in_track(asset: Asset, track: int, planned: Notice | None) -> Iterator[Sighting]:
    with closing(video.shown(asset, track)) as frames:
        first = next(frames)
        texts, font = ((planned.text,), planned.font) if planned else ((), None)
        matches = find_lettering(first.grey(), texts, font)
        if not matches:
            return
        ends = dict.fromkeys(matches, first.stop)
        standing, ended = matches, True
        for number, frame in enumerate(frames):
            if frame.start >= _LOOK or number >= _MOST_FRAMES:
                ended = False
                break
            picture = frame.grey()
            standing = [match for match in standing if still_there(picture, match) >= _STANDS]
            if not standing:
                break
            ends.update(dict.fromkeys(standing, frame.stop))
    for match in matches:
        yield _sighting(match, ends[match], ended and match in standing, track)


def _sighting(match: Match, seconds: float, whole_clip: bool, track: int) -> Sighting:
    facts = {
        "text": match.text,
        "position": match.position,
        "height": match.height,
        "height_error": match.height_error,
        "contrast": match.contrast,
        "start": 0.0,
        "seconds": seconds,
        "whole_clip": whole_clip,
    }
    until = "to its end" if whole_clip else f"for {seconds:.2f} s"
    detail = f"{match.text!r} drawn {match.position} from the first frame {until}"
    return Sighting(detail, match.confidence, f"video track {track + 1}", facts)
