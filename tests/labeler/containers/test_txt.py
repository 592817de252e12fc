"""Plain text carries a notice and no metadata, in whatever encoding it is."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.containers import identify, render, txt
from labeler.metadata import encode
from policies.errors import BadInput, ToolkitError, Unsupported
from tests.conftest import LABEL, sample

NOTICE = "本内容由人工智能生成"
POEM = "床前明月光，\r\n疑是地上霜。\r\n"


def test_an_item_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(Unsupported, match="explicit notice, or store it as Markdown"):
        txt.write(sample("txt").read_bytes(), encode(LABEL))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize("place", ["start", "end"])
def test_a_notice_is_a_line_in_the_file_s_own_encoding_and_newline(encoding: str, place: str) -> None:
    data = POEM.encode(encoding)
    pieces = txt.insert(data, NOTICE, place)
    lines = (NOTICE, "", *POEM.split("\r\n")) if place == "start" else (*POEM.split("\r\n"), NOTICE, "")
    assert render(data, pieces).decode(encoding) == "\r\n".join(lines)
    assert sum(p.stop - p.start for p in pieces if not isinstance(p, bytes)) == len(data)


@pytest.mark.parametrize("suffix", [".json", ".rtf", ".py", ".log", ".mp3"])
def test_text_of_another_kind_is_refused_as_a_notice_line_would_break_it(suffix: str) -> None:
    with pytest.raises(Unsupported, match=r"plain text \(\.txt\)"):
        identify(b'{"a": 1}', suffix)
    assert identify(b'{"a": 1}', "")[0] == "txt"


def test_a_text_without_a_last_newline_keeps_its_last_line_apart_from_the_notice() -> None:
    assert render(b"one", txt.insert(b"one", NOTICE, "end")).decode() == f"one\n\n{NOTICE}\n"


def test_a_corner_mark_stands_in_brackets() -> None:
    assert render(b"one\n", txt.insert(b"one\n", "AI", "start", "corner")) == b"[AI]\n\none\n"


def test_binary_is_not_text() -> None:
    assert not txt.sniff(b"MZ\x90\x00\x03" * 40, ".txt")
    assert not txt.sniff(b"\x89PNG\r\n\x1a\n", ".txt")


def test_a_multibyte_character_at_the_edge_of_the_look_is_no_error() -> None:
    assert txt.sniff(b"a" * 65535 + "中文".encode(), ".txt")


def test_characters_that_the_encoding_lacks_are_an_error_with_the_remedy() -> None:
    with pytest.raises(BadInput, match="UTF-8"):
        txt.text("café".encode("latin-1"))


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_toolkit_errors(data: bytes) -> None:
    txt.sniff(data, ".txt")
    with contextlib.suppress(ToolkitError):
        assert NOTICE in txt.text(render(data, txt.insert(data, NOTICE, "end")))
