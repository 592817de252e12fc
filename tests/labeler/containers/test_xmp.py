"""XMP packets: the property read in every form that was seen, and put into packets that hold other things."""

import contextlib
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labeler.containers import Copy, _xmp
from labeler.metadata import MAX_ITEM, decode, encode
from policies.errors import BadInput, ToolkitError
from tests.conftest import LABEL
from tests.labeler.containers.hostile import mutations

ITEM = encode(LABEL)
OTHER = encode(LABEL.with_produce_id("c0ffee00-0000-4000-8000-000000000002"))
NS = "http://www.tc260.org.cn/ns/AIGC/1.0/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def packet(properties: str, attributes: str = "") -> bytes:
    """A packet as an editor leaves it, with a title and padding."""
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="{RDF}">
  <rdf:Description rdf:about="uuid:1" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:TC260="{NS}" {attributes}>
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">一只猫 &amp; more</rdf:li></rdf:Alt></dc:title>
   {properties}
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
{" " * 40}
<?xpacket end="w"?>""".encode()


def element(value: str) -> str:
    return f"<TC260:AIGC>{value}</TC260:AIGC>"


def quoted(item: str) -> str:
    return item.replace('"', "&quot;")


def read(data: bytes) -> list[Copy]:
    return _xmp.read(data, "here")


def values(data: bytes) -> list[tuple[object, bool]]:
    return [(copy.value, copy.normative) for copy in read(data)]


def parsed(data: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(data.strip(b"\0 "))


EMPTY = packet("")
FORMS = {
    "element": packet(element(ITEM)),
    "element with entities": packet(element(quoted(ITEM))),
    "element with CDATA": packet(element(f"<![CDATA[{ITEM}]]>")),
    "attribute": packet("", f'TC260:AIGC="{quoted(ITEM)}"'),
    "attribute in apostrophes": packet("", f"TC260:AIGC='{ITEM}' dc:format='a > b'"),
    "inside an Alt": packet(element(f'<rdf:Alt><rdf:li xml:lang="x-default">{ITEM}</rdf:li></rdf:Alt>')),
    "with a lower-case prefix": packet(f'<tc260:AIGC xmlns:tc260="{NS}">{ITEM}</tc260:AIGC>'),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_property_is_read_in_every_form_of_xml(form: str) -> None:
    assert values(FORMS[form]) == [(ITEM, True)]


@pytest.mark.parametrize("form", FORMS)
def test_another_item_takes_its_place_and_the_title_stays(form: str) -> None:
    new = _xmp.write(FORMS[form], OTHER)
    assert values(new) == [(OTHER, True)]
    assert "一只猫 & more" in ElementTree.tostring(parsed(new), "unicode").replace("&amp;", "&")
    assert new.endswith(FORMS[form][-100:])
    assert _xmp.write(new, OTHER) == new


def test_doubaos_packet_is_read_as_it_stands() -> None:
    data = (
        '<?xml version="1.0" encoding="UTF-8"?><?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"??>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
        f'<rdf:Description rdf:about="" xmlns:TC260="{NS}">{element(quoted(ITEM))}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )
    assert values(data.encode()) == [(ITEM, True)]
    assert values(_xmp.write(data.encode(), OTHER)) == [(OTHER, True)]


@pytest.mark.parametrize("namespace", ["http://ns.tc260.org.cn/AIGC/1.0/", "http://ns.adobe.com/xap/1.0/tc/"])
def test_a_wrong_namespace_is_read_as_not_normative_and_put_right(namespace: str) -> None:
    data = packet(f'<w:AIGC xmlns:w="{namespace}">{ITEM}</w:AIGC>')
    assert values(data) == [(ITEM, False)]
    assert values(_xmp.write(data, ITEM)) == [(ITEM, True)]


def test_a_property_for_each_key_is_one_copy_and_becomes_one_property() -> None:
    keys = "".join(f"<TC260:{key}>{value}</TC260:{key}>" for key, value in LABEL.as_dict().items())
    [copy] = read(packet(keys))
    assert not copy.normative
    assert decode(copy.value).label == LABEL
    new = _xmp.write(packet(keys), ITEM)
    assert values(new) == [(ITEM, True)]
    assert b"TC260:ProduceID" not in new


def test_keys_as_attributes_and_elements_belong_to_one_copy() -> None:
    data = packet("<TC260:ProduceID>42</TC260:ProduceID>", 'TC260:Label="1" TC260:ContentProducer="x"')
    assert values(data) == [({"Label": "1", "ContentProducer": "x", "ProduceID": "42"}, False)]
    assert values(_xmp.write(data, ITEM)) == [(ITEM, True)]


@pytest.mark.parametrize(
    "structure",
    [
        '<TC260:AIGC rdf:parseType="Resource"><TC260:Label>1</TC260:Label></TC260:AIGC>',
        "<TC260:AIGC><rdf:Description><TC260:Label>1</TC260:Label></rdf:Description></TC260:AIGC>",
        '<TC260:AIGC TC260:Label="1"/>',
    ],
)
def test_the_property_as_a_structure_is_read_and_becomes_text(structure: str) -> None:
    assert values(packet(structure)) == [({"Label": "1"}, False)]
    assert values(_xmp.write(packet(structure), ITEM)) == [(ITEM, True)]


def test_bare_text_instead_of_xml_is_read_and_becomes_a_packet() -> None:
    bare = f'TC260:AIGC="{quoted(ITEM)}"'.encode()
    assert values(bare) == [(ITEM, False)]
    assert values(_xmp.write(bare, ITEM)) == [(ITEM, True)]


def test_of_several_copies_one_is_left() -> None:
    data = packet(element(OTHER) + element(ITEM) + f'<w:AIGC xmlns:w="urn:w">{OTHER}</w:AIGC>', 'TC260:AIGC="{}"')
    assert len(read(data)) == 4
    assert values(_xmp.write(data, ITEM)) == [(ITEM, True)]


def test_two_attributes_of_that_name_in_one_tag_are_told_apart() -> None:
    data = packet("", f"""xmlns:w="urn:w" w:AIGC='one' TC260:AIGC='{ITEM}'""")
    assert values(data) == [("one", False), (ITEM, True)]
    assert values(_xmp.write(data, ITEM)) == [(ITEM, True)]


def test_an_empty_property_element_is_replaced() -> None:
    assert values(_xmp.write(packet("<TC260:AIGC/>"), ITEM)) == [(ITEM, True)]


def test_an_empty_rdf_element_is_opened() -> None:
    data = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="{RDF}" /></x:xmpmeta>'.encode()
    assert values(_xmp.write(data, ITEM)) == [(ITEM, True)]


def test_xml_without_rdf_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match="rdf:RDF"):
        _xmp.write(b"<x/>", ITEM)


def test_a_packet_that_holds_the_item_is_returned_as_it_is() -> None:
    assert _xmp.write(FORMS["attribute"], ITEM) is FORMS["attribute"]


def test_only_the_new_description_is_added_to_a_packet_without_the_item() -> None:
    new = _xmp.write(EMPTY, ITEM)
    at = next(i for i, (a, b) in enumerate(zip(EMPTY, new, strict=False)) if a != b)
    assert new[at + len(new) - len(EMPTY) :] == EMPTY[at:]
    assert b'rdf:about="uuid:1"' in new[at:][: len(new) - len(EMPTY)]


def test_special_characters_are_escaped_in_a_new_packet() -> None:
    awkward = '{"Label":"1<&>\'六"}'
    assert values(_xmp.write(None, awkward)) == [(awkward, True)]
    parsed(_xmp.write(None, awkward))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le", "utf-32-be", "utf-32-le", "utf-8-sig"])
def test_other_encodings_are_read_and_edited(encoding: str) -> None:
    data = ('<?xml version="1.0" encoding="UTF-16"?>' + FORMS["element"].decode()).encode(encoding)
    assert values(data) == [(ITEM, True)]
    new = _xmp.write(data, OTHER)
    assert values(new) == [(OTHER, True)]
    assert encoding == "utf-8-sig" or parsed(new) is not None


@pytest.mark.parametrize(("before", "after"), [(b"\n \0", b""), (b"", b"\0\0\0"), (b"", b"<junk/>"), (b"", b"\xff>")])
def test_what_surrounds_the_packet_does_not_hide_the_item(before: bytes, after: bytes) -> None:
    data = before + FORMS["element"] + after
    assert values(data) == [(ITEM, True)]
    assert values(_xmp.write(data, OTHER)) == [(OTHER, True)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no XML",
        FORMS["element"][:300],
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + FORMS["element"],
        b"<a>" * 100 + b"</a>" * 100,
        b" " * (_xmp.MAX_PACKET + 1),
        b"<\0\xd8\0",
    ],
    ids=["empty", "text", "cut", "document type", "deep", "large", "broken UTF-16"],
)
def test_what_cannot_be_a_packet_is_bad_input(data: bytes) -> None:
    for act in (lambda: read(data), lambda: _xmp.write(data, ITEM)):
        with pytest.raises(BadInput):
            act()


def test_a_hostile_value_is_held_no_longer_than_needed_to_call_it_too_long() -> None:
    [copy] = read(packet(element("x" * (3 * MAX_ITEM))))
    assert len(copy.value) == MAX_ITEM + 1


def test_many_copies_become_one_up_to_a_limit() -> None:
    many = "".join(f'<w:AIGC xmlns:w="urn:{i}">x</w:AIGC>' for i in range(32))
    wide = " ".join(f"xmlns:w{i}='urn:{i}' w{i}:AIGC='x'" for i in range(32))
    assert values(_xmp.write(packet(many, wide), ITEM)) == [(ITEM, True)]
    for act in (lambda data: read(data), lambda data: _xmp.write(data, ITEM)):
        with pytest.raises(BadInput, match="one belongs"):
            act(packet(many + many, wide))


def test_of_two_packets_the_one_that_held_the_item_keeps_it() -> None:
    first, second, third = _xmp.write_all([EMPTY, FORMS["element"], FORMS["attribute"]], OTHER)
    assert first == EMPTY
    assert values(second) == [(OTHER, True)]
    assert values(third) == []
    assert parsed(third) is not None


def test_a_second_packet_of_bare_text_comes_back_empty() -> None:
    assert _xmp.write_all([FORMS["element"], b"TC260:AIGC='x'"], ITEM) == [FORMS["element"], b""]


_BASE = packet(element(ITEM) + "<TC260:Label>1</TC260:Label>", 'TC260:AIGC="a" TC260:ProduceID="b"')


@given(mutations(_BASE))
@example(_BASE)
def test_damaged_packets_raise_nothing_but_toolkit_errors(data: bytes) -> None:
    with contextlib.suppress(ToolkitError):
        read(data)
    with contextlib.suppress(ToolkitError):
        once = _xmp.write(data, OTHER)
        assert values(once) == [(OTHER, True)]
        assert _xmp.write(once, OTHER) == once


@given(st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")))
def test_any_text_of_xml_characters_comes_back_from_a_packet(item: str) -> None:
    assert values(_xmp.write(EMPTY, item)) == [(item, True)]
