"""The item in YAML front matter: exactly one, beside whatever else an author keeps there."""

import contextlib
import json

import pytest
import yaml
from hypothesis import given, settings

from labeler.containers import Span, identify, markdown, render
from labeler.metadata import decode, encode
from policies.errors import BadInput, ToolkitError
from policies.terms import AigcLabel
from tests.conftest import LABEL, sample
from tests.labeler.containers.hostile import mutations

ITEM = encode(LABEL)
NOTICE = "本内容由人工智能生成"

# From wild-labels: Markdown exported by three products.
MINIMAX = """---
AIGC:
    ContentProducer: Minimax Agent AI
    ContentPropagator: Minimax Agent AI
    Label: AIGC
    ProduceID: "00000000000000000000000000000000"
    PropagateID: "00000000000000000000000000000000"
    ReservedCode1: 3045022033db164e
    ReservedCode2: 304502210088c88f
---
text
"""
TENCENT = """---
AIGC:
    Label: "1"
    ContentProducer: 001191440300708461136T1XGW3
    ProduceID: 16b7bc9fc94e20a304dbfebfe1d20e00_87f202bba7a211f1b87f525400461939
    ReservedCode1: fBHQQT6tp+hnZ6CagX99VIxdDmb97T3pjLWTJfDeSGR2ELOWRORVB0F+H4ITF4K=
---
"""
FLOW = """---
AIGC: {"Label":"1","ContentProducer":"001191110108MA01KP2T5U00000","ProduceID":"921a22908f57f2c6ec15c2ff2fab7c7f"}
---
"""


def labelled(data: bytes) -> bytes:
    return render(data, markdown.write(data, ITEM))


def front_matter(data: bytes) -> dict[str, object]:
    """What a YAML parser of another make sees between the fences."""
    return dict(yaml.safe_load(data.decode("utf-8-sig").replace("\r\n", "\n").split("---\n")[1]))


def test_a_front_matter_is_put_before_a_text_that_has_none() -> None:
    written = labelled(b"# Title\n")
    assert front_matter(written) == {"AIGC": LABEL.as_dict()}
    assert written.endswith(b"---\n# Title\n")
    assert b"  ContentProducer: '001191110102MACQD9K64010000'\n" in written


def test_the_other_keys_and_comments_of_a_front_matter_stay_as_they_are() -> None:
    data = sample("markdown").read_bytes()
    pieces = markdown.write(data, ITEM)
    assert b"".join(data[p.start : p.stop] for p in pieces if isinstance(p, Span)) == data
    assert front_matter(render(data, pieces)) == {**front_matter(data), "AIGC": LABEL.as_dict()}


@pytest.mark.parametrize(
    ("before", "producer"),
    [
        (MINIMAX, "Minimax Agent AI"),
        (TENCENT, "001191440300708461136T1XGW3"),
        (FLOW, "001191110108MA01KP2T5U00000"),
    ],
)
def test_wild_front_matters_are_read_and_replaced_in_place(before: str, producer: str) -> None:
    [copy] = markdown.read(before.encode())
    reading = decode(copy.value)
    assert reading.label is not None
    assert reading.label.content_producer == producer
    written = labelled(before.encode())
    assert front_matter(written) == {"AIGC": LABEL.as_dict()}
    assert [decode(c.value).label for c in markdown.read(written)] == [LABEL]


def test_a_block_between_other_keys_is_replaced_and_the_comments_around_it_stay() -> None:
    data = b"---\n# one\nbefore: 1\nAIGC: |\n  {}\n\n# two\nafter: [a, b] # three\n---\nbody\n"
    written = labelled(data)
    assert front_matter(written) == {"before": 1, "AIGC": LABEL.as_dict(), "after": ["a", "b"]}
    assert written.startswith(b"---\n# one\nbefore: 1\nAIGC:\n")
    assert written.endswith(b"# two\nafter: [a, b] # three\n---\nbody\n")


def test_a_front_matter_in_flow_style_stays_one() -> None:
    written = labelled(b'---\n{"title": "x"}\n---\n')
    assert front_matter(written) == {"AIGC": LABEL.as_dict(), "title": "x"}
    assert b"{AIGC: {" in written
    assert labelled(written) == written


def test_byte_order_mark_and_newlines_are_kept() -> None:
    written = labelled(b"\xef\xbb\xbf---\r\ntitle: x\r\n---\r\nbody\r\n")
    assert written.startswith(b"\xef\xbb\xbf---\r\nAIGC:\r\n  Label: '1'\r\n")
    assert b"\n" not in written.replace(b"\r\n", b"")
    assert written.endswith(b"title: x\r\n---\r\nbody\r\n")


@pytest.mark.parametrize("encoding", ["utf-16", "gb18030"])
def test_other_encodings_are_kept(encoding: str) -> None:
    data = "---\n标题: 静夜思\n---\n床前明月光\n".encode(encoding)
    written = labelled(data)
    assert "标题: 静夜思" in written.decode(encoding)
    assert [decode(c.value).label for c in markdown.read(written)] == [LABEL]


def test_a_second_front_matter_is_read_as_not_normative_and_moved_into_the_first() -> None:
    data = f"---\ntitle: x\n---\n{FLOW}".encode()
    [copy] = markdown.read(data)
    assert not copy.normative
    [copy] = markdown.read(labelled(data))
    assert copy.normative


def test_rules_of_dashes_around_a_sentence_are_not_a_front_matter() -> None:
    data = b"---\nA sentence between rules.\n---\nmore\n"
    assert markdown.read(data) == []
    assert labelled(data).endswith(data)


def test_quotes_in_values_are_doubled() -> None:
    label = AigcLabel.produced("it's", "'#:'")
    written = render(b"x", markdown.write(b"x", encode(label)))
    [copy] = markdown.read(written)
    assert decode(copy.value).label == label


def test_numbers_keep_the_spelling_that_yaml_would_change() -> None:
    [copy] = markdown.read(b"---\nAIGC: {Label: 1, ProduceID: 00012}\n---\n")
    assert copy.value == {"Label": 1, "ProduceID": "00012"}


@pytest.mark.parametrize(
    "broken",
    [
        b"---\ntitle: [unclosed\n---\n",
        b"---\na: &x [" + b"[" * 200 + b"]" * 200 + b"]\n---\n",
        b"---\na: &a {k: v}\nAIGC: *a\n---\n",
        b"---\nAIGC: &a {Label: '1'}\nother: *a\n---\n",
    ],
)
def test_broken_deep_and_shared_yaml_is_refused(broken: bytes) -> None:
    with pytest.raises(BadInput, match=r"by hand|deeper"):
        markdown.write(broken, ITEM)


def test_aliases_cannot_be_multiplied_into_a_flood() -> None:
    layers = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9))
    bomb = f"---\nl0: &l0 [x]\n{layers}AIGC: {{Label: *l8}}\n---\n"
    with pytest.raises(BadInput, match="aliases counted in full"):
        markdown.read(bomb.encode())


def test_a_notice_stands_behind_the_front_matter() -> None:
    data = labelled(b"# Title\n")
    assert markdown.text(render(data, markdown.insert(data, NOTICE, "start"))) == f"{NOTICE}\n\n# Title\n"
    assert markdown.text(render(data, markdown.insert(data, "AI", "end", "corner"))) == "# Title\n\n<sup>AI</sup>\n"


def test_a_front_matter_that_names_the_item_tells_markdown_without_a_suffix() -> None:
    assert identify(labelled(b"# Title\n"), "")[0] == "markdown"
    assert identify(b"# Title\n", ".md")[0] == "markdown"


@settings(max_examples=150, deadline=None)
@given(mutations(labelled(sample("markdown").read_bytes())))
def test_damaged_files_raise_nothing_but_toolkit_errors(data: bytes) -> None:
    with contextlib.suppress(ToolkitError):
        markdown.text(data)
    with contextlib.suppress(ToolkitError):
        once = labelled(data)
        assert [(c.value, c.normative) for c in markdown.read(once)] == [(json.loads(ITEM), True)]
        assert labelled(once) == once
