"""The AIGC item as text: strict to write, lenient to read."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.metadata import decode, encode
from policies.errors import BadInput
from policies.terms import KEYS, AigcLabel
from tests.conftest import CODE, LABEL


def ids(value: Any) -> set[str]:
    return {deviation.id for deviation in decode(value).deviations}


def test_the_seven_keys_stand_in_the_order_of_annex_e_without_spaces() -> None:
    assert encode(LABEL) == (
        f'{{"Label":"1","ContentProducer":"{CODE}","ProduceID":"{LABEL.produce_id}","ReservedCode1":"",'
        f'"ContentPropagator":"{CODE}","PropagateID":"{LABEL.produce_id}","ReservedCode2":""}}'
    )


WRITABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\"), max_size=80)


@given(st.builds(AigcLabel, st.sampled_from("123"), *[WRITABLE.filter(bool)] * 2, *[WRITABLE] * 4))
def test_what_is_written_reads_back_without_a_form_deviation(label: AigcLabel) -> None:
    reading = decode(encode(label))
    assert reading.label == label
    assert not {
        id for id in ids(encode(label)) if id.startswith(("aigc.form", "aigc.key", "aigc.json", "aigc.charset"))
    }


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (AigcLabel("4", CODE, "id"), "Label"),
        (AigcLabel("1", "", "id"), "ContentProducer is empty"),
        (AigcLabel("1", CODE, ""), "ProduceID is empty"),
        (AigcLabel("1", CODE, "a b"), "ProduceID: character ' ' at position 2"),
        (AigcLabel("1", "北京", "id"), "ContentProducer: character '北' at position 1"),
        (AigcLabel("1", CODE, "id", "a\\b"), "ReservedCode1"),
        (AigcLabel("1", CODE, "id\n"), "ProduceID"),
    ],
)
def test_what_annex_e_does_not_allow_is_refused_by_key_character_and_position(label: AigcLabel, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        encode(label)


def test_a_quote_is_allowed_in_its_escaped_form() -> None:
    label = AigcLabel.produced(CODE, "id", '{"SecurityData":{}}')
    assert r"\"SecurityData\"" in encode(label)
    assert decode(encode(label)).label == label


BARE = encode(LABEL)


@pytest.mark.parametrize(
    ("value", "id"),
    [
        (f'{{"AIGC":{BARE}}}', "aigc.form.wrapped"),
        (f"AIGC{BARE}", "aigc.form.prefixed"),
        (f"AIGC:{BARE}", "aigc.form.prefixed"),
        (f"AIGC={BARE}", "aigc.form.prefixed"),
        (json.dumps(BARE), "aigc.json.double"),
        (BARE.replace('"Label"', '"label"'), "aigc.key.case"),
        (BARE.replace('"Label":"1"', '"Label":1'), "aigc.value.type"),
        (json.dumps(dict(sorted(LABEL.as_dict().items()))), "aigc.key.order"),
        (BARE[:-1] + ',"Extra":"x"}', "aigc.key.unknown"),
        (BARE.replace('"ProduceID"', '"ProducerID"'), "aigc.key.misspelt"),
        (str(LABEL.as_dict()), "aigc.json.pseudo"),
        (json.dumps(LABEL.as_dict(), indent=2), "aigc.json.whitespace"),
    ],
)
def test_a_deviating_form_reads_to_the_same_label_and_says_so(value: str, id: str) -> None:
    assert decode(value).label == LABEL
    assert id in ids(value)


def test_a_good_item_has_no_deviation() -> None:
    assert decode(BARE).deviations == ()
    assert decode(LABEL.as_dict()).deviations == ()


def test_missing_keys_are_named_and_the_rest_is_read() -> None:
    reading = decode('{"Label":"1","ContentProducer":"picwish"}')
    assert reading.label == AigcLabel("1", "picwish")
    missing = [d.detail for d in reading.deviations if d.id == "aigc.key.missing"]
    assert [key for key in KEYS if any(key in detail for detail in missing)] == list(KEYS)[2:]


@pytest.mark.parametrize(
    "value", ["", "{", "[]", '"x"', "null", "{}", '{"ServiceProvider":"x"}', "[" * 100000, "1e999"]
)
def test_what_is_no_label_is_read_as_none_and_never_raises(value: str) -> None:
    assert decode(value).label is None
    assert decode(value).deviations


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=9),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from([*KEYS, "AIGC", "label", "x"]), x),
        max_leaves=9,
    )
)
def test_no_json_makes_the_reader_raise(value: Any) -> None:
    decode(json.dumps(value))


@pytest.mark.parametrize(
    "number", ["0" * 32, "null", "%s", "${id}", "[object Object]", "ExportRequest(files=[ExportFile(docType=1)])"]
)
def test_a_programs_slip_in_place_of_a_number_is_told(number: str) -> None:
    assert "aigc.value.placeholder" in ids(LABEL.with_produce_id(number).as_dict())


def test_a_reserved_object_is_kept_as_its_json() -> None:
    reading = decode({**LABEL.as_dict(), "ReservedCode1": {"SecurityData": {"Type": "TC260PG"}}})
    assert reading.label is not None
    assert reading.label.reserved_code1 == '{"SecurityData":{"Type":"TC260PG"}}'
    assert "aigc.reserved.object" in {deviation.id for deviation in reading.deviations}


@pytest.mark.parametrize(
    "value",
    [
        '{"ServiceProvider":"x","ServiceUser":"y","Time":"z","ContentId":"1"}',
        '{"AIGC":{"ServiceProvider":"x","ServiceUser":"y","Time":"z","ContentId":"1"}}',
        '{"data":{"product":"aweme","aigc_info":{"aigc_type":1,"aigc_label_type":1}}}',
    ],
)
def test_another_schema_is_not_read_as_the_label_nor_as_a_damaged_one(value: str) -> None:
    reading = decode(value)
    assert reading.label is None
    assert reading.is_other_schema
    assert ids(value) == {"aigc.schema.other"}


@pytest.mark.parametrize("value", ["{}", '{"AIGC":{}}', '{"ProduceID":"1","Extra":"2"}', '{"ServiceProvider":'])
def test_what_may_have_been_a_label_is_no_other_schema(value: str) -> None:
    assert decode(value).label is None
    assert not decode(value).is_other_schema


def test_a_place_for_any_text_asks_for_the_wrapped_form_and_a_named_slot_for_the_bare_one() -> None:
    wrapped = f'{{"AIGC":{BARE}}}'
    assert decode(wrapped, generic=True).deviations == ()
    assert [d.id for d in decode(BARE, generic=True).deviations] == ["aigc.form.bare"]
    assert ids(wrapped) == {"aigc.form.wrapped"}


def test_keys_beside_the_wrapped_item_are_told() -> None:
    assert decode(f'{{"AIGC":{BARE},"app":"x"}}').label == LABEL
    assert "aigc.key.unknown" in ids(f'{{"AIGC":{BARE},"app":"x"}}')


def test_a_label_that_is_missing_is_not_also_called_invalid() -> None:
    assert "aigc.label.invalid" not in ids({"ContentProducer": CODE})
    assert "aigc.label.invalid" in ids({"Label": "", "ContentProducer": CODE})


@pytest.mark.parametrize(
    ("reserved", "opaque"),
    [
        ("", False),
        ('{"SecurityData":{"Type":"TC260PG","Version":1}}', False),
        ("e862483430d978cbf828b8b24296ef9328d843a0", True),
        ("551ca7ae-8b16-40a1-b9e9-569e7142fb84", True),
        ('{"a":1}', True),
    ],
)
def test_a_reserved_code_is_opaque_unless_it_is_security_data(reserved: str, opaque: bool) -> None:
    assert ("aigc.reserved.opaque" in ids({**LABEL.as_dict(), "ReservedCode1": reserved})) is opaque


def test_of_two_keys_as_near_none_is_guessed() -> None:
    assert "aigc.key.unknown" in ids({"Label": "1", "ReservedCode": "x"})


def test_an_oversized_item_is_not_parsed() -> None:
    assert decode('{"Label":"1","ContentProducer":"' + "x" * (2 << 20) + '"}').label is None
