"""What is said of a sound: the cue that was heard, damage, or that nobody could listen for more."""

from pathlib import Path

import pytest

from detectors import detect, explicit_audio, verify
from labeler import label
from labeler.asset import Asset
from policies.judge import Verdict
from policies.terms import Finding, Mark, Status
from tests.conftest import LABEL, sample


def heard(source: Path | bytes) -> list[Finding]:
    with Asset.open(source) as asset:
        return list(explicit_audio.detect(asset))


@pytest.mark.parametrize(
    ("container", "name"), [("wav", "blank"), ("mp3", "blank"), ("flac", "blank"), ("mp4", "audio")]
)
def test_a_labelled_sound_meets_chinas_rule_on_audible_notices(container: str, name: str, tmp_path: Path) -> None:
    source = sample(container, name)
    out = tmp_path / f"labelled{source.suffix}"
    label(source, out, LABEL)
    [finding] = heard(out)
    assert (finding.status, finding.mark) == (Status.FOUND, Mark.EXPLICIT)
    assert finding.measured["place"] == "start"
    judged = [j for j in verify(out).judgements if j.requirement.mark is Mark.EXPLICIT]
    assert {j.verdict for j in judged} == {Verdict.MET}


def test_a_sound_without_a_cue_is_undetermined_because_no_one_listened_for_words() -> None:
    [finding] = heard(sample("flac"))
    assert finding.status is Status.UNCHECKED
    assert "no speech recogniser is configured" in finding.detail
    [present] = [j for j in verify(sample("flac")).judgements if j.requirement.id == "audio.notice"]
    assert present.verdict is Verdict.UNDETERMINED


def test_a_sound_that_cannot_be_decoded_is_unchecked_not_without_notice() -> None:
    data = sample("flac").read_bytes()
    start = data.index(b"\xff\xf8")
    [finding] = heard(data[:start] + bytes(len(data) - start))
    assert finding.status is Status.UNCHECKED


def test_pictures_and_films_are_none_of_its_business() -> None:
    for name in ("png", "mp4"):
        assert heard(sample(name)) == []


def test_no_damage_makes_it_raise() -> None:
    for name in ("wav", "mp3", "flac"):
        data = sample(name).read_bytes()
        for size in range(60, 3000, 200):
            with Asset.open(data[:size]) as asset:
                assert Mark.EXPLICIT in {finding.mark for finding in detect(asset)}
