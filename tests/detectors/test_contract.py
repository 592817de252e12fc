"""The contract of every detector, found by its folder: adding one needs no line here."""

from pathlib import Path

import pytest

import detectors
from labeler.asset import Asset
from labeler.discover import modules
from policies.terms import Finding, Mark, Status
from tests.conftest import SAMPLES

every = pytest.mark.parametrize("name", list(modules("detectors")))
FILES = sorted(path for path in SAMPLES.glob("*/*.*") if path.parent.name not in ("pipelines", "__pycache__"))


@every
def test_a_detector_says_which_mark_it_is_about(name: str) -> None:
    module = modules("detectors")[name]
    assert isinstance(module.MARK, Mark)
    assert module.__doc__
    assert "?" in module.__doc__.splitlines()[0], "a detector answers one question"


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_finding_on_every_sample_names_its_detector_and_what_it_saw(path: Path) -> None:
    with Asset.open(path) as asset:
        found = detectors.detect(asset)
    by_name = {name: module.MARK for name, module in modules("detectors").items()}
    for finding in found:
        assert isinstance(finding, Finding)
        assert finding.mark is by_name[finding.detector]
        assert finding.detail
        assert 0 <= finding.confidence <= 1
    for mark in (Mark.EXPLICIT, Mark.METADATA):
        assert [f for f in found if f.mark is mark and not f.id], f"nobody says anything of the {mark} mark"


def test_what_cannot_be_looked_at_is_unchecked_with_the_reason() -> None:
    with Asset.open(b"just words\n", "a.txt") as asset:
        [finding] = [f for f in detectors.detect(asset) if f.mark is Mark.METADATA]
    assert finding.status is Status.UNCHECKED
    assert "plain text" in finding.detail
