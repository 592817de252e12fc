"""Policies are data: every packaged one parses, names its clauses, and refuses what it does not know."""

from pathlib import Path

import pytest

from policies import BadInput, Level, Mark, Media, load, names
from policies.policy import parse

HEAD = '[policy]\nid = "x"\ntitle = "X"\nversion = "1"\nin_force = "2025-09-01"\n'
ROW = (
    '[[requirement]]\nid = "a"\nclause = "1"\nsays = "s"\nlevel = "must"\nmark = "metadata"\n'
    'media = ["image"]\ncheck = "present"\nsource = "t"\n'
)


@pytest.mark.parametrize("name", names())
def test_every_packaged_policy_gives_clause_source_and_sentence_for_each_requirement(name: str) -> None:
    policy = load(name)
    assert policy.id == name
    for requirement in policy.requirements:
        assert requirement.clause
        assert requirement.says
        assert requirement.source
        assert requirement.media


@pytest.mark.parametrize("media", list(Media))
def test_cn_asks_for_an_explicit_and_a_metadata_mark_of_every_media(media: Media) -> None:
    assert load("cn").marks(media) == {Mark.EXPLICIT, Mark.METADATA}


def test_cn_asks_no_metadata_of_a_plain_text_file_which_has_no_slot() -> None:
    assert load("cn").marks(Media.TEXT, "txt") == {Mark.EXPLICIT}


def test_cn_holds_the_numbers_of_the_standard() -> None:
    rules = {r.id: r for r in load("cn").requirements}
    assert rules["image.notice.height"].value == 0.05
    assert rules["video.notice.height"].value == 0.05
    assert rules["video.notice.duration"].value == 2.0
    assert rules["image.notice.height"].level is Level.MUST
    assert rules["watermark"].level is Level.SHOULD


def test_an_unknown_name_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(BadInput, match="cn"):
        load("atlantis")


def test_a_policy_of_ones_own_is_read_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "house.toml"
    path.write_text(HEAD + ROW)
    assert load(path).id == "x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD, "no requirement"),
        (ROW, "'policy' is missing"),
        (HEAD + ROW + ROW, "share an id"),
        (HEAD + ROW.replace("present", "perhaps"), "perhaps"),
        (HEAD + ROW.replace("metadata", "tattoo"), "tattoo"),
        (HEAD + ROW + "colour = 1\n", "colour"),
        (HEAD + ROW + "[extra]\n", "unknown tables extra"),
        ("[[", "not TOML"),
    ],
)
def test_what_a_policy_file_gets_wrong_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parse(text, "file.toml")


def test_a_missing_policy_file_is_a_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read"):
        load(tmp_path / "none.toml")
