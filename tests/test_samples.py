"""Each sample is what samples/expected.toml says: found, damaged or absent marks, and what stands against them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from detectors import verify
from policies.judge import Verdict
from policies.terms import Mark, Status
from tests.conftest import ROOT, SAMPLES

EXPECTED: Mapping[str, Mapping[str, Any]] = tomllib.loads((SAMPLES / "expected.toml").read_text("utf-8"))
PIPELINES = SAMPLES / "pipelines"


def test_every_sample_has_its_row_and_every_row_its_sample() -> None:
    files = (path for path in SAMPLES.glob("*/*.*") if path.suffix not in (".py", ".pyc"))
    assert {str(path.relative_to(SAMPLES)) for path in files} == EXPECTED.keys()


@pytest.mark.parametrize("name", list(EXPECTED))
def test_a_sample_gets_the_verdict_it_was_made_for(name: str) -> None:
    expected = EXPECTED[name]
    report = verify(SAMPLES / name)
    marks = {f.mark: f.status for f in report.findings if not f.id}
    found = {mark for mark, status in marks.items() if status is Status.FOUND}
    judged = [j for j in report.judgements if j.requirement.mark in found]
    assert {
        "verdict": report.verdict,
        "explicit": marks[Mark.EXPLICIT],
        "metadata": marks[Mark.METADATA],
        "against": [j.requirement.id for j in judged if j.verdict is Verdict.UNMET],
    } == {"against": [], **expected}


def test_the_image_pipeline_hands_out_labelled_pictures_only(tmp_path: Path) -> None:
    numbers = _run("image.py", tmp_path)
    made = sorted(tmp_path.iterdir())
    assert len(made) == 3
    for path in made:
        with Image.open(path) as picture:
            assert picture.size == (480, 320)
        assert verify(path).verdict is Verdict.MET
        assert f"{path.name} " in numbers


def test_the_video_pipeline_hands_out_a_labelled_film(tmp_path: Path) -> None:
    _run("video.py", tmp_path / "waves.mp4")
    assert verify(tmp_path / "waves.mp4").verdict is Verdict.MET


def _run(program: str, target: Path) -> str:
    command = [sys.executable, str(PIPELINES / program), str(target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
