"""Every label seen in the wild, in the place where it was seen, reads to its seven values and its known deviations.

The carriers are made by Pillow, mutagen, pikepdf, ffmpeg and plain bytes, never by biaoshi's own writers.
"""

from __future__ import annotations

import io
import json
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pikepdf
import pytest
import yaml
from mutagen.id3 import ID3, TXXX
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from detectors import metadata, verify
from labeler.asset import Asset
from policies.judge import Verdict
from policies.policy import Level, load
from policies.terms import AigcLabel, Finding, Mark, Status
from tests.conftest import LABEL, sample, tool

RECORDS: Mapping[str, Mapping[str, Any]] = {
    record["id"]: record
    for record in map(
        json.loads, (Path(__file__).parent / "data" / "wild-labels.jsonl").read_text("utf-8").splitlines()
    )
}

# What the collection calls a deviation, and the id under which biaoshi reports it.
IDS = {
    "bare-in-generic-slot": "aigc.form.bare",
    "charset-space": "aigc.charset",
    "key-case": "aigc.key.case",
    "key-order": "aigc.key.order",
    "keys-missing": "aigc.key.missing",
    "label-not-numeric": "aigc.label.invalid",
    "prefix-glued": "aigc.form.prefixed",
    "produce-id-object-dump": "aigc.value.placeholder",
    "produce-id-placeholder": "aigc.value.placeholder",
    "producer-brand-name": "aigc.producer.name",
    "propagate-id-empty": "aigc.propagate-id.empty",
    "propagator-empty": "aigc.propagator.empty",
    "reserved-nested-object": "aigc.reserved.object",
    "reserved-opaque": "aigc.reserved.opaque",
    "slot-alternative": "aigc.slot.nonstandard",
    "slot-vendor": "aigc.slot.nonstandard",
    "unquoted-scalar": "aigc.yaml.unquoted",
    "xmp-attribute": "aigc.xmp.attribute",
    "xpacket-nonstandard": "aigc.xmp.packet",
    "yaml-flow-json": "aigc.yaml.flow",
}
# These are no TC260 labels: what stands there is not read as one.
OTHER_SCHEMAS = {"private-schema", "other-schema"}

INFORMATIONAL = {
    "aigc.producer.name",
    "aigc.reserved.opaque",
    "aigc.xmp.attribute",
    "aigc.xmp.packet",
    "aigc.yaml.flow",
    "aigc.yaml.unquoted",
}

# ---- The carriers --------------------------------------------------------------------------------------------

Carrier = Callable[[str], tuple[bytes, str]]
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
TC260 = "http://www.tc260.org.cn/ns/AIGC/1.0/"
USER_COMMENT, IMAGE_DESCRIPTION, EXIF_IFD = 0x9286, 0x010E, 0x8769
XMP_KEYWORD = "XML:com.adobe.xmp"


def picture(form: str, **how: Any) -> tuple[bytes, str]:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "gray").save(out, form, **how)
    return out.getvalue(), f"wild.{form.lower()}"


def png_text(text: str, keyword: str = "AIGC") -> tuple[bytes, str]:
    chunks = PngInfo()
    chunks.add_text(keyword, text)
    return picture("PNG", pnginfo=chunks)


def png_compressed(text: str) -> tuple[bytes, str]:
    chunks = PngInfo()
    chunks.add_text("AIGC", text, zip=True)
    return picture("PNG", pnginfo=chunks)


def png_behind_pixels(text: str) -> tuple[bytes, str]:
    data, name = png_text(text)
    (size,) = struct.unpack(">I", data[33:37])  # the first chunk behind IHDR
    chunk, rest = data[33 : 45 + size], data[45 + size :]
    assert chunk[4:8] == b"tEXt"
    return data[:33] + rest[:-12] + chunk + rest[-12:], name


def png_xmp(packet: str) -> tuple[bytes, str]:
    chunks = PngInfo()
    chunks.add_itxt(XMP_KEYWORD, packet)
    return picture("PNG", pnginfo=chunks)


def jpeg_xmp(packet: str) -> tuple[bytes, str]:
    return picture("JPEG", xmp=packet.encode())


def webp_xmp(packet: str) -> tuple[bytes, str]:
    return picture("WEBP", xmp=packet.encode())


def user_comment(form: str) -> Carrier:
    def make(text: str) -> tuple[bytes, str]:
        exif = Image.Exif()
        exif.get_ifd(EXIF_IFD)[USER_COMMENT] = b"ASCII\0\0\0" + text.encode()
        return picture(form, exif=exif.tobytes())

    return make


def image_description(form: str) -> Carrier:
    def make(text: str) -> tuple[bytes, str]:
        exif = Image.Exif()
        exif[IMAGE_DESCRIPTION] = text.encode()
        return picture(form, exif=exif.tobytes())

    return make


def jpeg_segment(marker: int) -> Carrier:
    def make(text: str) -> tuple[bytes, str]:
        data, name = picture("JPEG")
        body = text.encode()
        return data[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + data[2:], name

    return make


def mp4_key(text: str, key: str = "AIGC") -> tuple[bytes, str]:
    """moov/udta/meta by ffmpeg, as TC260-PG-20257A gives its command."""
    flags = ("-map", "0", "-c", "copy", "-movflags", "use_metadata_tags", "-metadata", f"{key}={text}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wild.mp4"
        subprocess.run([tool("ffmpeg"), "-v", "error", "-i", sample("mp4"), *flags, path], check=True)
        return path.read_bytes(), path.name


def mp3_frame(text: str) -> tuple[bytes, str]:
    out = io.BytesIO(sample("mp3").read_bytes())
    tags = ID3(out)
    tags.add(TXXX(encoding=3, desc="AIGC", text=text))
    tags.save(out, v2_version=4)
    return out.getvalue(), "wild.mp3"


def markdown(front: str) -> tuple[bytes, str]:
    return f"---\ntitle: 归乡\n{front}\n---\n\n# 归乡\n".encode(), "wild.md"


def pdf_info(text: str) -> tuple[bytes, str]:
    out = io.BytesIO()
    with pikepdf.open(sample("pdf")) as document:
        document.docinfo["/AIGC"] = text
        document.save(out)
    return out.getvalue(), "wild.pdf"


def html_meta(text: str) -> tuple[bytes, str]:
    page = f"<!doctype html><html><head><title>x</title><meta name='AIGC' content='{text}'></head><body>x</body></html>"
    return page.encode(), "wild.html"


def packet(attributes: str = "", properties: str = "", namespace: str = TC260) -> str:
    described = f'<rdf:Description rdf:about="" xmlns:TC260="{namespace}" {attributes}>{properties}</rdf:Description>'
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">{described}</rdf:RDF></x:xmpmeta>'


def element(item: str) -> str:
    return packet(properties=f"<TC260:AIGC>{item}</TC260:AIGC>")


# ---- What was seen, completed where only a part of the text was kept ------------------------------------------


def whole(part: str, producer: str, reserved: str = '""') -> str:
    """The record kept one pair of the item: the others are added as Annex E has them, all good."""
    rest = f'"ProduceID":"42","ReservedCode1":{reserved},"ContentPropagator":"{producer}","PropagateID":"42"'
    return f'{{"Label":"1",{part},{rest},"ReservedCode2":""}}'


def block(lines: str, *more: str) -> str:
    """The record's lines as a front matter's mapping AIGC, with `more` where the propagator's half belongs."""
    pairs = [line.strip() for line in lines.splitlines() if line != "AIGC:"]
    at = next((i for i, pair in enumerate(pairs) if pair.startswith("ReservedCode2:")), len(pairs))
    return "\n    ".join(("AIGC:", *pairs[:at], *more, *pairs[at:]))


@dataclass(frozen=True)
class Case:
    """The carriers of one record, how its text is completed, and what it has to read to.

    `also` are deviations that are there and that the collection does not list.
    """

    carriers: tuple[Carrier, ...]
    label: AigcLabel
    also: tuple[str, ...] = ()
    text: Callable[[str], str] = str


DOUBAO = "001191110102MACQD9K64010000"
JIMENG = "00119144030008867405X210002"
HONOR = "001191440300MA5G49LC9K1YO01"
TENCENT = "001191440300708461136T1XGW3"
UNNAMED = "001191110102MAD55U9H0F10002"
ALIBABA = "001191330110MADHPQQY7L10000"
ZHIPU = "001191110108MA01KP2T5U00000"
UUID = "551ca7ae-8b16-40a1-b9e9-569e7142fb84"
EXPORT = "ExportRequest(files=[ExportFile(docType=1, fileType=3), ...])"
KLING_ID = "SGP_PROD_ai_web_1"
TENCENT_CODE = (
    "fBHQQT6tp+hnZ6CagX99VIxdDmb97T3pjLWTJfDeSGR2ELOWRORVB0F+H4ITF4K/LH5Fc58/lDGD9+zkPf+mDARv+0qGgBY0GjZBeX/"
    "UmkkZApIWV0VweRLUIgqHmCTuTEEisMn5EOmu4zFEEE4c2up/lI22arO4ykhuQMdUos4DXul/zZqmjRpUnoY="
)
MINIMAX_CODES = (
    "3045022033db164e70579ab2f23ff4a1a41482ca44fbb710a1558f1245870f5a2f0e3291022100c8b4d3b849fdbda98018c7c2b14a63fc9"
    "643957eb95c94e142777d9ac9630e23",
    "304502210088c88f2a3bf17d0ffa93811ae94337217bcfe8c15f4454072b33037918f186460220054a7809072f74379b778f3f487f6a08e"
    "e471e8f1f12529800edab57f7732cdc",
)
SECURITY_DATA = '{"SecurityData":{"Type":"TC260PG","Version":1,"PubSd":[{"Type":"DS"}]}}'

EXPORTED = AigcLabel(
    "1", ALIBABA, EXPORT, "967456e2881d94e21230cfe5cf0357c4ff08291fcec28b3a14425b63e8de22b2", ALIBABA, "42"
)


def exported(lines: str) -> str:
    """The kind of document was not recorded; Label and the propagator's half were not kept."""
    return f'Label: "1"\n{lines}\nContentPropagator: {ALIBABA}\nPropagateID: "42"\nReservedCode2: ""'


# The first word of each name is the record's id.
CASES = {
    "W1": Case((png_xmp, jpeg_xmp, webp_xmp), AigcLabel("1", DOUBAO, "cc75f5e99aae4210960acb722f10974e")),
    "W2": Case((png_xmp, jpeg_xmp, webp_xmp), AigcLabel("1", DOUBAO, "e3578014edd949debed102781a8c26f7")),
    "W5": Case(
        (png_text,),
        AigcLabel("1", "doubao", "42", "", "doubao", "42"),
        text=lambda part: whole(part, "doubao"),
    ),
    "W8": Case(
        tuple(map(user_comment, ("JPEG", "PNG", "WEBP"))), AigcLabel("1", "001191440300708461136T1308L", "abc123")
    ),
    "W9": Case((jpeg_segment(0xE9), jpeg_segment(0xEB)), AigcLabel("1", JIMENG, "8F995586")),
    "W10": Case((png_xmp, jpeg_xmp, webp_xmp), AigcLabel("1", "picwish"), text=packet),
    "W13": Case(
        (mp4_key,),
        AigcLabel("1", "kling", KLING_ID, "", "kling", KLING_ID),
        # Its number was cut short, and that of the propagator left out.
        text=lambda part: part.replace("web_...", "web_1").replace("...", f'"{KLING_ID}"'),
    ),
    "W15": Case(
        (mp3_frame,),
        AigcLabel("1", "MiniMax", "42", "", "MiniMax", "42"),
        text=lambda part: whole(part, "MiniMax"),
    ),
    "W16": Case(
        (markdown,),
        AigcLabel(
            "AIGC", "Minimax Agent AI", "0" * 32, MINIMAX_CODES[0], "Minimax Agent AI", "0" * 32, MINIMAX_CODES[1]
        ),
        ("aigc.yaml.unquoted", "aigc.reserved.opaque"),
    ),
    "W17": Case(
        (markdown,),
        AigcLabel(
            "1",
            TENCENT,
            "16b7bc9fc94e20a304dbfebfe1d20e00_87f202bba7a211f1b87f525400461939",
            TENCENT_CODE,
            TENCENT,
            "42",
            TENCENT_CODE,
        ),
        # The propagator's two lines were not kept.
        text=lambda lines: block(lines, f"ContentPropagator: {TENCENT}", 'PropagateID: "42"'),
    ),
    "W20": Case(
        (markdown,),
        AigcLabel("1", UNNAMED, "891ae9b2-fc7b-4b96-b5b6-1deb0322833b", UUID, UNNAMED, "42", UUID),
        ("aigc.yaml.unquoted",),
        # Neither the propagator's two lines nor Label were kept.
        lambda lines: block('Label: "1"\n' + lines, f"ContentPropagator: {UNNAMED}", 'PropagateID: "42"'),
    ),
    "W21": Case(
        (markdown,),
        AigcLabel.produced(ZHIPU, "921a22908f57f2c6ec15c2ff2fab7c7f"),
    ),
    "W23": Case((markdown,), EXPORTED, ("aigc.yaml.unquoted",), lambda lines: block(exported(lines))),
    "W23 in another document": Case(
        (pdf_info,), EXPORTED, text=lambda lines: json.dumps(yaml.safe_load(exported(lines)))
    ),
    "W26": Case(
        (user_comment("JPEG"),),
        AigcLabel("1", HONOR, "42", SECURITY_DATA, HONOR, "42"),
        # The object in ReservedCode was not kept; PubSd is how Honor spells it.
        text=lambda part: f'{{"AIGC":{whole(part, HONOR, SECURITY_DATA)}}}',
    ),
    "W29": Case(
        # No text was kept and no carrier named: Annex E's item with the class's key names, where such were seen.
        (lambda item: png_xmp(element(item)), mp4_key, mp3_frame, pdf_info, html_meta),
        LABEL,
        text=lambda _: json.dumps({key[0].lower() + key[1:]: value for key, value in LABEL.as_dict().items()}),
    ),
}

# ---- What is checked -----------------------------------------------------------------------------------------


def look(carried: tuple[bytes, str]) -> list[Finding]:
    with Asset.open(*carried) as asset:
        return list(metadata.detect(asset))


def ids(findings: Iterable[Finding]) -> set[str]:
    return {finding.id for finding in findings if finding.id}


def listed(record: Mapping[str, Any]) -> dict[str, str]:
    """The record's deviations without the notes: name and argument."""
    names = (deviation for deviation in record["deviations"] if not deviation.startswith("note:"))
    return {name: argument for name, _, argument in (deviation.partition(":") for deviation in names)}


def test_every_record_has_a_case_and_every_deviation_an_id() -> None:
    others = {id for id, record in RECORDS.items() if OTHER_SCHEMAS & listed(record).keys()}
    assert {name.split()[0] for name in CASES} | others == RECORDS.keys()
    assert {name for record in RECORDS.values() for name in listed(record)} == IDS.keys() | OTHER_SCHEMAS


PLACED = [
    pytest.param(name, carrier, id=f"{name}-{number}")
    for name, case in CASES.items()
    for number, carrier in enumerate(case.carriers, 1)
]


@pytest.mark.parametrize(("name", "carrier"), PLACED)
def test_a_wild_label_reads_to_its_values_and_exactly_its_deviations(name: str, carrier: Carrier) -> None:
    record, case = RECORDS[name.split()[0]], CASES[name]
    findings = look(carrier(case.text(record["payload"])))
    [sighting] = [finding for finding in findings if not finding.id]
    assert sighting.status is Status.FOUND
    assert sighting.label == case.label
    expected = listed(record)
    assert ids(findings) == {IDS[name] for name in expected} | {*case.also}
    missing = {f.detail.split()[1] for f in findings if f.id == "aigc.key.missing"}
    assert missing == set(expected.get("keys-missing", "").split(",")) - {""}


# ---- Other schemas -------------------------------------------------------------------------------------------

SERVICE = {"ServiceProvider": "腾讯云", "ServiceUser": "100000000001", "Time": "2025-09-01 00:00:00"}
OTHERS = {
    # Of W7a the record leaves the rest out, of W11 no text was kept: its keys are known, in two spellings.
    "W7a": RECORDS["W7a"]["payload"].replace(",...", ""),
    "W7b": RECORDS["W7b"]["payload"],
    "W7c": RECORDS["W7c"]["payload"],
    "W11": json.dumps({**SERVICE, "ContentId": "1"}, ensure_ascii=False),
    "W11 in another spelling": json.dumps({**SERVICE, "ContentID": "1"}, ensure_ascii=False),
    "W11 wrapped": json.dumps({"AIGC": {**SERVICE, "ContentId": "1"}}, ensure_ascii=False),
}
ANY_TEXT = {
    f"{make.__name__} {form}": make(form)
    for make in (user_comment, image_description)
    for form in ("JPEG", "PNG", "WEBP")
} | {"APP9": jpeg_segment(0xE9), "MP4 comment": lambda text: mp4_key(text, "comment")}
NAMED = {"XMP": lambda item: png_xmp(element(item)), "MP4": mp4_key, "MP3": mp3_frame, "PDF": pdf_info, "PNG": png_text}


@pytest.mark.parametrize("place", ANY_TEXT)
@pytest.mark.parametrize("other", OTHERS)
def test_another_schema_in_a_place_for_any_text_is_no_label(other: str, place: str) -> None:
    findings = look(ANY_TEXT[place](OTHERS[other]))
    assert [(f.status, f.id, f.label) for f in findings] == [(Status.ABSENT, "", None)]


@pytest.mark.parametrize("place", NAMED)
@pytest.mark.parametrize("other", OTHERS)
def test_another_schema_in_a_slot_named_aigc_is_told_and_is_no_label(other: str, place: str) -> None:
    findings = look(NAMED[place](OTHERS[other]))
    assert {(f.status, f.id, f.label) for f in findings} == {
        (Status.FOUND, "aigc.schema.other", None),
        (Status.ABSENT, "", None),
    }


@pytest.mark.parametrize(
    ("carried", "verdict"),
    [
        (markdown(RECORDS["W21"]["payload"]), Verdict.MET),
        (markdown(RECORDS["W16"]["payload"]), Verdict.MET),
        (markdown(f"AIGC: {OTHERS['W11']}"), Verdict.UNMET),
        (image_description("JPEG")(OTHERS["W11"]), Verdict.UNMET),
        (image_description("JPEG")(OTHERS["W7b"]), Verdict.UNMET),
        (user_comment("JPEG")(RECORDS["W8"]["payload"]), Verdict.MET),
    ],
)
def test_the_report_says_whether_there_is_a_label(carried: tuple[bytes, str], verdict: Verdict) -> None:
    data, name = carried
    report = verify(data, "cn", name)
    assert [f for f in report.findings if f.mark is Mark.METADATA] == look(carried)
    assert {j.requirement.id: j.verdict for j in report.judgements}["metadata.item"] is verdict


def test_a_label_beside_another_schema_is_the_only_copy() -> None:
    exif = Image.Exif()
    exif[IMAGE_DESCRIPTION] = OTHERS["W11 wrapped"].encode()
    findings = look(picture("JPEG", exif=exif.tobytes(), xmp=element(ITEM).encode()))
    assert [(f.status, f.id, f.label) for f in findings] == [(Status.FOUND, "", LABEL)]


# ---- The variant classes of which no text was kept -------------------------------------------------------------

ITEM = json.dumps(LABEL.as_dict(), separators=(",", ":"))
QUOTED = ITEM.replace('"', "&quot;")
FIELDS = LABEL.as_dict()
PROPERTY = f"<TC260:AIGC>{ITEM}</TC260:AIGC>"
OTHER = PROPERTY.replace(LABEL.produce_id, "42")
SLOT = "aigc.slot.nonstandard"


def front(*lines: str) -> str:
    return "\n".join(("AIGC:", *(f"    {key}: '{value}'" for key, value in FIELDS.items()), *lines))


CLASSES: Mapping[str, tuple[Carrier, str, set[str]]] = {
    "bare in XMP": (png_xmp, element(ITEM), set()),
    "block mapping, 4 spaces": (markdown, front(), set()),
    "wrapped in a text for anything": (png_text, f'{{"AIGC": {ITEM}}}', {SLOT}),
    "wrapped in XMP": (jpeg_xmp, element(f'{{"AIGC":{ITEM}}}'), {"aigc.form.wrapped"}),
    "prefix AIGC": (jpeg_segment(0xEB), f"AIGC{ITEM}", {SLOT, "aigc.form.prefixed"}),
    "prefix AIGC:": (user_comment("JPEG"), f"AIGC:{ITEM}", {SLOT, "aigc.form.prefixed"}),
    "prefix AIGC=": (pdf_info, f"AIGC={ITEM}", {"aigc.form.prefixed"}),
    "XMP attribute": (webp_xmp, packet(f'TC260:AIGC="{QUOTED}"'), {"aigc.xmp.attribute"}),
    "XMP property for each key": (
        jpeg_xmp,
        packet(properties="".join(f"<TC260:{k}>{v}</TC260:{k}>" for k, v in FIELDS.items())),
        {SLOT, "aigc.xmp.per-field"},
    ),
    "lower-case XMP prefix": (
        jpeg_xmp,
        element(ITEM).replace("TC260:", "tc260:").replace(":TC260=", ":tc260="),
        set(),
    ),
    **{
        f"XMP namespace {uri}": (jpeg_xmp, element(ITEM).replace(TC260, uri), {SLOT, "aigc.xmp.namespace"})
        for uri in ("http://ns.tc260.org.cn/AIGC/1.0/", "http://ns.adobe.com/xap/1.0/tc/")
    },
    "no XML": (jpeg_xmp, f'TC260:AIGC="{QUOTED}"', {SLOT, "aigc.xmp.not-xml"}),
    "usual packet header": (
        png_xmp,
        f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{element(ITEM)}<?xpacket end="w"?>',
        set(),
    ),
    "JSON encoded twice": (mp3_frame, json.dumps(ITEM), {"aigc.json.double"}),
    "JSON encoded twice inside": (
        user_comment("JPEG"),
        json.dumps({"AIGC": ITEM}),
        {SLOT, "aigc.json.double"},
    ),
    "JSON escaped twice": (png_xmp, element(QUOTED.replace("&", "&amp;")), {"aigc.json.escaped"}),
    "JSON on lines": (pdf_info, json.dumps(FIELDS, indent=2), {"aigc.json.whitespace"}),
    "single quotes": (mp3_frame, str(FIELDS), {"aigc.json.pseudo"}),
    "flow mapping": (markdown, f"AIGC: {ITEM}", {"aigc.yaml.flow"}),
    "text in front matter": (markdown, f"AIGC: '{ITEM}'", {"aigc.yaml.text"}),
    "second front matter": (markdown, f"---\n---\n{front()}", {SLOT, "aigc.yaml.second"}),
    "misspelt key": (mp3_frame, ITEM.replace("ProduceID", "ProducerID"), {"aigc.key.misspelt"}),
    "extra key": (mp3_frame, ITEM[:-1] + ',"Extra":"x"}', {"aigc.key.unknown"}),
    "number for a label": (mp3_frame, ITEM.replace('"1"', "1", 1), {"aigc.value.type"}),
    "zTXt": (png_compressed, ITEM, {SLOT, "aigc.form.bare"}),
    "behind the pixels": (png_behind_pixels, ITEM, {SLOT, "aigc.form.bare"}),
    "image description": (image_description("WEBP"), ITEM, {SLOT, "aigc.form.bare"}),
    "key in lower case": (lambda item: mp4_key(item, "aigc"), ITEM, {SLOT}),
    "twice": (webp_xmp, packet(properties=PROPERTY * 2), {"aigc.copy.duplicate"}),
    "twice and not the same": (webp_xmp, packet(properties=PROPERTY + OTHER), {"aigc.copy.conflicting"}),
}


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_of_variants_reads_to_the_label_and_exactly_its_deviations(name: str) -> None:
    carrier, text, expected = CLASSES[name]
    findings = look(carrier(text))
    assert (Status.FOUND, LABEL) in {(f.status, f.label) for f in findings if not f.id}
    assert ids(findings) == expected


@pytest.mark.parametrize(
    ("value", "id"),
    [
        ("示例工作室", "aigc.charset"),
        ("{}", "aigc.value.placeholder"),
        ("%s", "aigc.value.placeholder"),
        ("undefined", "aigc.value.placeholder"),
        ("[object Object]", "aigc.value.placeholder"),
    ],
)
def test_what_a_program_leaves_in_place_of_a_number_is_told(value: str, id: str) -> None:
    label = LABEL.with_produce_id(value)
    findings = look(mp3_frame(json.dumps(label.as_dict(), ensure_ascii=False)))
    assert label in [finding.label for finding in findings]
    assert id in ids(findings)


@pytest.mark.parametrize(
    ("code", "id"),
    [
        (DOUBAO[:-1], "aigc.code.length"),
        (DOUBAO.replace("K64", "k64"), "aigc.code.alphabet"),
        (DOUBAO.replace("K640", "K641"), "aigc.code.check"),
        (DOUBAO[:-5] + "00001", "aigc.code.extension"),
    ],
)
def test_a_wrong_provider_code_is_read_and_told(code: str, id: str) -> None:
    findings = look(mp3_frame(json.dumps(AigcLabel.produced(code, "42").as_dict())))
    assert ids(findings) == {id}


def test_a_label_with_broken_quotes_is_damaged_and_not_absent() -> None:
    findings = look(mp3_frame(ITEM[:-9]))
    assert {(f.status, f.id) for f in findings} == {(Status.DAMAGED, ""), (Status.FOUND, "aigc.json.broken")}


# ---- What the policy makes of them ---------------------------------------------------------------------------


def test_what_only_informs_stands_in_no_requirement_and_the_rest_is_judged() -> None:
    requirements = load("cn").requirements
    judged = {id for requirement in requirements for id in requirement.deviations}
    assert not judged & INFORMATIONAL
    # The slot and the Label's value are facts that requirements of their own compare.
    assert {*IDS.values()} - INFORMATIONAL - {SLOT, "aigc.label.invalid"} <= judged


def test_the_form_of_a_label_never_fails_a_file_by_itself() -> None:
    binding = {id for r in load("cn").requirements if r.level is Level.MUST for id in r.deviations}
    assert {id.split(".")[1] for id in binding} <= {"copy", "code"}
