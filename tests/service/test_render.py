"""What the fronts give out: JSON that any reader takes, text that no terminal obeys."""

from __future__ import annotations

import json

import numpy as np
import pytest

from policies.policy import load
from policies.terms import Finding, Mark, Status
from service import render, tables
from tests.conftest import CODE, LABEL


def found(**measured: object) -> Finding:
    return Finding("test", Mark.EXPLICIT, Status.FOUND, "seen", label=LABEL, measured=measured)


def test_measured_numpy_values_become_plain_json() -> None:
    finding = render.finding(found(height=np.float32(0.5), box=np.array([1, 2]), flag=np.bool_(True), text="AI生成"))
    assert json.loads(render.to_json(finding))["measured"] == {
        "height": 0.5,
        "box": [1, 2],
        "flag": True,
        "text": "AI生成",
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("nan")])
def test_what_is_no_number_becomes_null(value: float) -> None:
    assert render.finding(found(contrast=value))["measured"] == {"contrast": None}


def test_a_label_stands_under_annex_e_keys() -> None:
    assert render.finding(found())["label"] == LABEL.as_dict()


def test_a_name_that_is_not_utf8_survives_json_as_ascii() -> None:
    name = b"\xff.png".decode("utf-8", "surrogateescape")
    line = render.to_json(render.failure(name, "BadInput", "no"))
    assert line.isascii()
    assert json.loads(line)["source"] == name


def test_a_policy_is_rendered_with_every_requirement() -> None:
    rendered = json.loads(render.to_json(render.policy(load("cn"))))
    assert [r["id"] for r in rendered["requirements"]] == [r.id for r in load("cn").requirements]
    assert all(r["clause"] and r["source"] for r in rendered["requirements"])


def test_the_segments_of_a_code_are_the_whole_code() -> None:
    result = render.provider_code(CODE)
    assert "".join(segment["characters"] for segment in result["segments"]) == CODE
    assert result["valid"]


def test_a_mistyped_code_names_its_check_character() -> None:
    result = render.provider_code(CODE.replace("MACQD9K64", "MACQD9K65"))
    assert "aigc.code.check" in {fault["id"] for fault in result["faults"]}


@pytest.mark.parametrize("hostile", ["\x1b[2J", "a\nb", "\u202etxt.exe", "\udcff", "\x9b31m"])
def test_text_from_a_file_cannot_steer_the_terminal(hostile: str) -> None:
    safe = tables.shown(f"AI生成{hostile}")
    assert safe.startswith("AI生成")
    assert safe.isprintable()


def test_columns_line_up() -> None:
    lines = list(tables.columns([("a", "bb"), ("ccc", "d")]))
    assert lines == ["a    bb", "ccc  d"]


def test_a_policys_alternatives_are_told_apart_from_its_parts() -> None:
    text = "\n".join(tables.policy(render.policy(load("cn"))))
    assert "人工智能 or AI, and 生成 or 合成" in text
