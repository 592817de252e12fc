"""HTML: the item in `<meta name="AIGC">` in the head. No guide names a slot; this is the one that occurs."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape, unescape

from labeler.containers import Buffer, Copy, Piece, _html, _text, before_the_cut
from labeler.containers._html import Tag, Words
from labeler.containers._text import Edit, Text
from policies.terms import Media

NAME = "HTML"
MEDIA = Media.TEXT
SUFFIXES = (".html", ".htm", ".xhtml")
MIME = "text/html"
SLOT = 'meta element named "AIGC" in the head'

_ENTITIES = "xmlcharrefreplace"  # characters that the file's encoding lacks become references
_CHARSET = re.compile(rb"""<meta[^>]{0,256}?charset\s*=\s*["']?\s*([a-zA-Z0-9_.:-]{1,40})""", re.IGNORECASE)
# Encodings in which a tag is spelt in ASCII; others a meta element cannot declare (HTML standard, 13.2.3.2).
_DECLARED = re.compile(r"utf-8|gb18030|big5|euc_jp|euc_kr|shift_jis|koi8-[ru]|cp125\d|iso8859-\d+")
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "iso8859-1": "cp1252", "ascii": "cp1252"}
# What belongs to the head by itself: anything else opens the body (HTML standard, 13.2.6.4.4).
_HEAD = frozenset(
    {"!doctype", "html", "head", "meta", "title", "link", "script", "style", "base", "noscript", "template"}
)
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
)
_UNSEEN = frozenset(("script", "style", "title", "template", "noembed", "noframes", "iframe", "xmp"))
# Whatever is not among these begins a line of its own.
_INLINE = re.compile(
    "a|abbr|acronym|b|bdi|bdo|big|cite|code|data|del|dfn|em|font|i|img|ins|kbd|label|mark|meter|q|ruby|rb|rt|s|samp|"
    "small|span|strike|strong|sub|sup|time|tt|u|var|wbr"
)
_CORNER = re.compile(r"<sup\b[^>]{0,256}>\s*AI\s*</sup\s*>", re.IGNORECASE)
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\r\n\f]+")


@dataclass(frozen=True, slots=True)
class _Places:
    """The item's metas, and where things go, in characters: a new meta, the body's begin and its end."""

    metas: tuple[Tag, ...]
    slot: int
    body: int
    body_end: int


def sniff(data: Buffer, suffix: str) -> bool:
    head = _text.head(data)
    return head is not None and (suffix in SUFFIXES or _begins_as_html(head))


def read(data: Buffer) -> list[Copy]:
    content = _decode(data).text
    places = _places(content)
    return before_the_cut(_copy(content, meta, meta.start < places.body) for meta in places.metas)


def write(data: Buffer, item: str) -> list[Piece]:
    content = _decode(data)
    places = _places(content.text)
    value = escape(item, quote=False).replace("'", "&#39;")
    new = f"<meta name=\"AIGC\" content='{value}'{' /' if _is_xml(content.text) else ''}>"
    home = next((meta for meta in places.metas if meta.start < places.body), None)
    edits: list[Edit] = [(meta.start, meta.stop, new if meta is home else "") for meta in places.metas]
    if home is None:
        edits.append((places.slot, places.slot, new))
    return content.splice(data, edits, _ENTITIES)


def text(data: Buffer) -> str:
    """The words that show, a line a block; a superscript AI as the letters ᴬᴵ."""
    content = _CORNER.sub("ᴬᴵ", _decode(data).text)
    lines = "".join(_shown(content, _places(content).body)).split("\n")
    return "\n".join(line.strip() for line in lines if line.strip())


def insert(data: Buffer, notice: str, place: str, form: str = "line") -> list[Piece]:
    """The notice as the body's first or last paragraph; a corner mark is set superscript."""
    content = _decode(data)
    places = _places(content.text)
    words = escape(notice, quote=False)
    line = f'<p class="aigc-notice">{words if form == "line" else f"<sup>{words}</sup>"}</p>'
    at = places.body if place == "start" else places.body_end
    return content.splice(data, [(at, at, line)], _ENTITIES)


def _copy(content: str, meta: Tag, in_head: bool) -> Copy:
    line = content.count("\n", 0, meta.start) + 1
    return Copy(meta.attributes.get("content", ""), f"in a meta element at line {line}", in_head)


def _begins_as_html(head: str) -> bool:
    first = next((t for t in _html.tokens(head) if isinstance(t, Tag) or head[t.start : t.stop].strip()), None)
    if not isinstance(first, Tag):
        return False
    return first.name in ("html", "head", "body") or "html" in head[first.start : first.stop].lower()


def _is_xml(content: str) -> bool:
    return content.lstrip().startswith("<?xml")


def _decode(data: Buffer) -> Text:
    """The encoding is declared in the first 1024 bytes, or not at all (HTML standard, 13.2.3.2)."""
    found = _CHARSET.search(data[:1024])
    return _text.decode(data, _encoding(found[1].decode("ascii")) if found else "")


def _encoding(label: str) -> str:
    try:
        name = codecs.lookup(label).name
    except LookupError:
        return ""
    name = _WIDER.get(name, name)
    return name if _DECLARED.fullmatch(name) else ""


def _places(content: str) -> _Places:
    """One pass: the head ends at the first thing that cannot be in one."""
    metas: list[Tag] = []
    slot, slot_is_final = _prolog(content), False
    body = last = slot
    in_head, body_end, html_end = True, -1, -1
    for token in _html.tokens(content):
        if isinstance(token, Words):
            in_head = in_head and not (token.start >= last and content[token.start : token.stop].strip())
            continue
        in_head = in_head and token.name in _HEAD
        if in_head:
            body = last = token.end
            if not slot_is_final and _opens_head(token):
                slot, slot_is_final = token.stop, token.name == "meta"
        elif token.name == "body" and not token.closing:
            body = token.stop
        if token.closing and token.name == "body":
            body_end = token.start
        elif token.closing and token.name == "html":
            html_end = token.start
        if token.name == "meta" and token.attributes.get("name", "").casefold() == "aigc":
            metas.append(token)
    end = next((at for at in (body_end, html_end) if at >= body), len(content))
    return _Places(tuple(metas), slot, body, end)


def _opens_head(token: Tag) -> bool:
    """Behind this a meta may stand. The charset's comes first: browsers look for it in the first 1024 bytes."""
    if token.name == "meta":
        return "charset" in token.attributes or "charset=" in token.attributes.get("content", "").lower()
    return token.name in ("!doctype", "html", "head") and not token.closing


def _prolog(content: str) -> int:
    declaration = re.match(r"\s*<\?xml[^>]*>", content)
    return declaration.end() if declaration else 0


def _shown(content: str, start: int) -> Iterator[str]:
    hidden, depth = "", 0
    for token in _html.tokens(content):
        if token.stop <= start:
            continue
        if isinstance(token, Words):
            if not hidden:
                yield unescape(_SPACES.sub(" ", content[token.start : token.stop]))
        elif hidden:
            # Only tags of the same name can close it.
            depth += 0 if token.name != hidden else -1 if token.closing else 1
            hidden = hidden if depth > 0 else ""
        elif not token.closing and token.name not in _VOID and _is_hidden(token):
            hidden, depth = token.name, 1
        elif not _INLINE.fullmatch(token.name):
            yield "\n"


def _is_hidden(tag: Tag) -> bool:
    style = tag.attributes.get("style", "")
    return tag.name in _UNSEEN or "hidden" in tag.attributes or _HIDING.search(style) is not None
