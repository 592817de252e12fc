"""The item in a meta element, judged by parsers of another make."""

import contextlib
from html.parser import HTMLParser

import lxml.html
import pytest
from hypothesis import given, settings

from labeler.containers import Span, html, identify, render
from labeler.metadata import encode
from policies.errors import ToolkitError
from policies.terms import AigcLabel
from tests.conftest import LABEL, sample
from tests.labeler.containers.hostile import mutations, survives

ITEM = encode(LABEL)
AWKWARD = encode(AigcLabel.produced("a'b<c>&amp;", "&#39;"))
NOTICE = "本内容由人工智能生成"


class Metas(HTMLParser):
    """The standard library's reading of meta elements."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "meta":
            self.found.append(dict(attrs))


def labelled(data: bytes, item: str = ITEM) -> bytes:
    return render(data, html.write(data, item))


@pytest.mark.parametrize("item", [ITEM, AWKWARD])
@pytest.mark.parametrize(
    "document",
    [
        "<!DOCTYPE html><html><head><meta charset=utf-8><title>静</title></head><body><p>x</p></body></html>",
        "<!doctype html><title>x</title><p>x",
        "<html><body>x</body></html>",
        "<!-- <head> --><HTML><HEAD><SCRIPT>'<head>'</SCRIPT></HEAD><BODY>x</BODY></HTML>",
        "x",
    ],
)
def test_two_other_parsers_see_the_item_once_and_in_the_head(document: str, item: str) -> None:
    written = labelled(document.encode(), item).decode()
    assert [m["content"] for m in Metas(written).found if m.get("name") == "AIGC"] == [item]
    assert lxml.html.document_fromstring(written).xpath("/html/head/meta[@name='AIGC']/@content") == [item]


def test_every_other_byte_of_the_sample_is_carried_over() -> None:
    data = sample("html").read_bytes()
    pieces = html.write(data, ITEM)
    assert b"".join(data[p.start : p.stop] for p in pieces if isinstance(p, Span)) == data


def test_the_charset_stays_within_the_first_kilobyte() -> None:
    written = labelled(b"<html><head><title>t</title><meta charset='gb2312'></head></html>")
    assert written.index(b"charset") < written.index(b"AIGC")


def test_existing_items_are_replaced_by_one() -> None:
    data = b"<head><meta content='{}' name=aigc><title>t</title></head><body><META NAME='AIGC' CONTENT='{}'>x</body>"
    assert [(c.value, c.normative) for c in html.read(data)] == [("{}", True), ("{}", False)]
    written = labelled(data)
    assert [(c.value, c.normative) for c in html.read(written)] == [(ITEM, True)]
    assert written.startswith(b"<head><meta name=")


def test_an_item_in_a_comment_or_a_script_is_none() -> None:
    assert html.read(b"<!-- <meta name=AIGC content=1> --><script>'<meta name=AIGC content=1>'</script>") == []


def test_xhtml_stays_well_formed() -> None:
    data = b'<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body/></html>'
    root = lxml.etree.fromstring(labelled(data))
    assert root.xpath("string(//*[@name='AIGC']/@content)") == ITEM


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "cp1252", "utf-16"])
def test_a_notice_reads_the_same_in_every_encoding(encoding: str) -> None:
    declared = f"<html><head><meta charset={encoding}></head><body><h1>Title</h1></body></html>"
    data = declared.encode(encoding)
    written = render(data, html.insert(data, NOTICE, "start"))
    assert lxml.html.document_fromstring(written.decode(encoding)).xpath("string(//body/*[1])") == NOTICE
    assert html.text(written) == f"{NOTICE}\nTitle"


@pytest.mark.parametrize("document", ["<title>t</title><p>x</p>", "<body><p>x</p></body></html>", "<p>x</p>"])
def test_a_notice_is_the_body_s_first_or_last_paragraph(document: str) -> None:
    data = document.encode()
    for place, number in (("start", 0), ("end", -1)):
        root = lxml.html.document_fromstring(render(data, html.insert(data, "AI-generated", place)).decode())
        assert root.xpath("//body/p")[number].text == "AI-generated"


def test_only_what_shows_is_text() -> None:
    data = b"<style>a</style><p>one<!-- b --></p><p hidden>c</p><div style='display:none'><div>d</div>e</div>two &amp;"
    assert html.text(data) == "one\ntwo &"


def test_a_superscript_is_a_corner_mark() -> None:
    assert html.text(render(b"<p>x</p>", html.insert(b"<p>x</p>", "AI", "end", "corner"))) == "x\nᴬᴵ"


def test_html_is_known_by_its_beginning() -> None:
    assert identify(b"\n<!-- c --><!DOCTYPE html><p>x", "")[0] == "html"
    assert identify(b"a text about <html>", "")[0] == "txt"


@settings(max_examples=150, deadline=None)
@given(mutations(labelled(sample("html").read_bytes())))
def test_damaged_files_raise_nothing_but_toolkit_errors(data: bytes) -> None:
    survives(html, data, ITEM)
    with contextlib.suppress(ToolkitError):
        html.text(data)
