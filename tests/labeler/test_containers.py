"""The contract of every container, found by its folder: adding one needs no line here."""

import contextlib

import pytest

from labeler.asset import Asset
from labeler.containers import containers, identify, render
from labeler.metadata import decode, encode
from policies.errors import ToolkitError, Unsupported
from tests.conftest import LABEL, sample

ITEM = encode(LABEL)
OTHER = encode(LABEL.with_produce_id("c0ffee00-0000-4000-8000-000000000002"))

every = pytest.mark.parametrize("name", list(containers()))
slotted = pytest.mark.parametrize("name", [name for name, c in containers().items() if c.SLOT])


def blank(name: str) -> bytes:
    return sample(name).read_bytes()


@every
def test_the_blank_sample_is_identified_by_its_content_alone(name: str) -> None:
    module = containers()[name]
    assert identify(blank(name), module.SUFFIXES[0])[0] == name
    if "text/" not in module.MIME:
        assert identify(blank(name), ".wrong")[0] == name


@every
def test_the_blank_sample_holds_no_item(name: str) -> None:
    assert containers()[name].read(blank(name)) == []


@slotted
def test_what_is_written_is_read_back_from_the_normative_slot(name: str) -> None:
    module = containers()[name]
    [copy] = module.read(render(blank(name), module.write(blank(name), ITEM)))
    assert copy.normative
    assert copy.where
    assert decode(copy.value).label == LABEL
    assert decode(copy.value).deviations == ()


@slotted
def test_writing_twice_equals_writing_once(name: str) -> None:
    module = containers()[name]
    once = render(blank(name), module.write(blank(name), ITEM))
    assert render(once, module.write(once, ITEM)) == once


@slotted
def test_another_item_takes_the_place_of_the_first(name: str) -> None:
    module = containers()[name]
    once = render(blank(name), module.write(blank(name), ITEM))
    [copy] = module.read(render(once, module.write(once, OTHER)))
    assert decode(copy.value).label == decode(OTHER).label


@slotted
def test_a_container_without_a_slot_says_so_and_one_with_a_slot_names_it(name: str) -> None:
    assert len(containers()[name].SLOT) > 3


@every
def test_a_file_cut_anywhere_raises_nothing_but_toolkit_errors(name: str) -> None:
    module, data = containers()[name], blank(name)
    step = max(1, len(data) // 60)
    for size in [*range(1, min(len(data), 64)), *range(64, len(data), step)]:
        for act in (lambda part: module.read(part), lambda part: render(part, module.write(part, ITEM))):
            with contextlib.suppress(ToolkitError):
                act(data[:size])


def test_unknown_bytes_are_unsupported_and_the_message_lists_what_is_known() -> None:
    with pytest.raises(Unsupported, match="PNG"):
        Asset.open(b"\x00\x01\x02\x03nothing anyone knows\xff\xfe" * 10)
