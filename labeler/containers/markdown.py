"""Markdown: the item as the mapping AIGC in the YAML front matter (TC260-PG-20258A, 6.5)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from labeler.containers import Buffer, Copy, Piece, _text, before_the_cut
from labeler.containers._text import Edit, Text
from labeler.metadata import Deviation
from policies.errors import BadInput
from policies.terms import Media

NAME = "Markdown"
MEDIA = Media.TEXT
SUFFIXES = (".md", ".markdown", ".mdown", ".mkd")
MIME = "text/markdown"
SLOT = "YAML front matter, mapping AIGC"

_KEY = "AIGC"
_MAX_YAML = 256 << 10  # characters of one front matter
_MAX_DEPTH = 32
_MAX_EVENTS = 50_000
_MAX_NODES = 20_000  # visited while values are taken out: an alias may stand for many
_OPEN = re.compile(r"---[ \t]*(\r\n|\n|\r)")
_CLOSE = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\r\n|\n|\r|\Z)", re.MULTILINE)
_BLANK = re.compile(r"(?:[ \t]*(?:\r\n|\n|\r))*")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_UNQUOTED = Deviation("aigc.yaml.unquoted", "values stand without quotes, and YAML may take them for numbers")
_FLOW_STYLE = Deviation("aigc.yaml.flow", "the mapping is in flow style, on one line in braces")
_NO_MAPPING = Deviation("aigc.yaml.text", "AIGC is a text, where the guide has a mapping")
_SECOND = Deviation("aigc.yaml.second", "the item stands in a second front matter")
_BROKEN_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


@dataclass(frozen=True, slots=True)
class _Front:
    """A front matter by character offsets: the YAML in it, and all of it with its fences."""

    start: int
    yaml_start: int
    yaml_stop: int
    stop: int


@dataclass(frozen=True, slots=True)
class _Entry:
    """A pair of the front matter's top-level mapping; offsets are of the file's text. `safe`: it may be edited.

    `style` holds how the item is written in it, where it is the item.
    """

    key: str
    key_start: int
    value: Any
    value_stop: int
    safe: bool
    style: tuple[Deviation, ...] = ()


@dataclass(frozen=True, slots=True)
class _Document:
    """What the YAML of one front matter holds. `root` is -1 where it is empty, else where the mapping begins."""

    root: int
    column: int
    flow: bool
    entries: tuple[_Entry, ...]


def sniff(data: Buffer, suffix: str) -> bool:
    """By the suffix, as Markdown has no mark of its own; a front matter that names AIGC counts as one."""
    head = _text.head(data)
    if head is None:
        return False
    if suffix in SUFFIXES:
        return True
    front = _front(head, 0)
    return front is not None and re.search(rf"^\s*['\"]?{_KEY}['\"]?\s*:", _yaml(head, front), re.MULTILINE) is not None


def read(data: Buffer) -> list[Copy]:
    return before_the_cut(_copies(_text.decode(data).text))


def _copies(content: str) -> Iterator[Copy]:
    for number, (front, document) in enumerate(_documents(content), 1):
        line = content.count("\n", 0, front.start) + 1
        for entry in document.entries:
            if _is_ours(entry):
                where = f"in the YAML front matter at line {line}, key {entry.key}"
                style = entry.style if number == 1 else (_SECOND, *entry.style)
                yield Copy(_copied(entry.value), where, number == 1 and entry.key == _KEY, style)


def write(data: Buffer, item: str) -> list[Piece]:
    content = _text.decode(data)
    label = _label(item)
    edits = _edits(content, label)
    pieces = content.splice(data, edits)
    _check(content, edits, label)
    return pieces


def text(data: Buffer) -> str:
    """The text behind the front matter, its markup as it is written, HTML comments left out."""
    content = _text.decode(data).text
    return _COMMENT.sub("", content[_body(content) :])


def insert(data: Buffer, notice: str, place: str, form: str = "line") -> list[Piece]:
    """The notice as a paragraph behind the front matter or at the end; a corner mark is set superscript."""
    content = _text.decode(data)
    line = notice if form == "line" else f"<sup>{escape(notice)}</sup>"
    body = _body(content.text)
    start, stop, new = _text.line_edit(content, line, place, body)
    if place == "start" and body and content.text[body - 1] not in "\r\n":
        new = content.newline + new  # the closing fence is the file's last line and has no end
    return content.splice(data, [(start, stop, new)])


# ---- the front matter -------------------------------------------------------------------------------------


def _front(content: str, start: int) -> _Front | None:
    opened = _OPEN.match(content, start)
    closed = opened and _CLOSE.search(content, opened.end())
    return _Front(start, opened.end(), closed.start(), closed.end()) if opened and closed else None


def _yaml(content: str, front: _Front) -> str:
    return content[front.yaml_start : front.yaml_stop]


def _documents(content: str) -> Iterator[tuple[_Front, _Document]]:
    """The front matter, and a second one right behind it: some exporters put theirs before another's."""
    front = _front(content, 0)
    document = front and _parse(content, front)
    if not front or not document:
        return
    yield front, document
    second = _second(content, front)
    if second:
        yield second


def _second(content: str, first: _Front) -> tuple[_Front, _Document] | None:
    blank = _BLANK.match(content, first.stop)
    front = _front(content, blank.end()) if blank else None
    try:
        document = front and _parse(content, front)
    except BadInput:
        return None  # behind the front matter a line of dashes is a rule, and what follows need not be YAML
    if not front or not document or not any(map(_is_ours, document.entries)):
        return None
    return front, document


def _body(content: str) -> int:
    """Where the front matter ends and the text begins."""
    try:
        return max((front.stop for front, _ in _documents(content)), default=0)
    except BadInput:
        front = _front(content, 0)
        return front.stop if front else 0


def _parse(content: str, front: _Front) -> _Document | None:
    """The mapping in a front matter; None where it is a lone text between two rules. BadInput for broken YAML."""
    import yaml

    text = _yaml(content, front)
    if len(text) > _MAX_YAML:
        raise BadInput(f"the front matter is over {_MAX_YAML} characters long")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        shared = _survey(yaml, text, loader)
        root = yaml.compose(text, Loader=loader)
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        problem = " ".join(str(error).split())[:300]
        raise BadInput(f"the YAML front matter cannot be read: {problem}; mend it by hand") from error
    if root is None:
        return _Document(-1, 0, False, ())
    if not isinstance(root, yaml.MappingNode):
        return None
    budget = [_MAX_NODES]
    entries = tuple(_entry(yaml, key, value, front.yaml_start, shared, budget) for key, value in root.value)
    return _Document(front.yaml_start + root.start_mark.index, root.start_mark.column, bool(root.flow_style), entries)


def _survey(yaml: Any, text: str, loader: Any) -> list[int]:
    """Where anchors and aliases stand. The parser's events are bounded before anything recursive sees them."""
    shared = []
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=loader)):
        if count > _MAX_EVENTS:
            raise BadInput(f"the front matter has over {_MAX_EVENTS} elements")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            raise BadInput(f"the front matter nests deeper than {_MAX_DEPTH} levels")
        if getattr(event, "anchor", None):
            shared.append(event.start_mark.index)
    return shared


def _entry(yaml: Any, key: Any, value: Any, base: int, shared: list[int], budget: list[int]) -> _Entry:
    name = key.value if isinstance(key, yaml.ScalarNode) else ""
    stop = _end(yaml, value, budget)
    # An alias has its node elsewhere, and an anchor is needed elsewhere: neither may be cut out.
    inside = range(key.start_mark.index, value.end_mark.index)
    safe = value.start_mark.index >= key.end_mark.index and not any(mark in inside for mark in shared)
    ours = name.casefold() == _KEY.casefold()
    taken = _value(yaml, value, budget) if ours else None
    style = _style(yaml, value) if ours else ()
    return _Entry(name, base + key.start_mark.index, taken, base + stop, safe, style)


def _style(yaml: Any, node: Any) -> tuple[Deviation, ...]:
    """How the item's YAML departs from the guide's example: a block mapping of quoted texts."""
    if not isinstance(node, yaml.MappingNode):
        return (_NO_MAPPING,)
    plain = any(isinstance(value, yaml.ScalarNode) and not value.style for _, value in node.value)
    return ((_FLOW_STYLE,) if node.flow_style else ()) + ((_UNQUOTED,) if plain else ())


def _end(yaml: Any, node: Any, budget: list[int]) -> int:
    """Where a value's own characters end: a block mapping's mark stands behind the blank lines after it."""
    _spend(budget)
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(yaml, last[1] if isinstance(node, yaml.MappingNode) else last, budget)


def _value(yaml: Any, node: Any, budget: list[int]) -> Any:
    """A node as plain data. A scalar stays as it is spelt: `00012` is a number to YAML and a text to its author."""
    _spend(budget)
    if isinstance(node, yaml.MappingNode):
        return {str(_value(yaml, k, budget)): _value(yaml, v, budget) for k, v in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_value(yaml, v, budget) for v in node.value]
    if node.tag == "tag:yaml.org,2002:null":
        return None
    if node.tag == "tag:yaml.org,2002:int" and re.fullmatch(r"0|[1-9][0-9]{0,15}", node.value):
        return int(node.value)
    return node.value


def _spend(budget: list[int]) -> None:
    budget[0] -= 1
    if budget[0] < 0:
        raise BadInput(f"the front matter has over {_MAX_NODES} values, aliases counted in full")


def _copied(value: Any) -> str | Mapping[str, Any]:
    return value if isinstance(value, (str, Mapping)) else json.dumps(value, ensure_ascii=False)


# ---- writing ----------------------------------------------------------------------------------------------


def _label(item: str) -> dict[str, Any]:
    try:
        label = json.loads(item)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the item is not JSON: {error}") from error
    if not isinstance(label, dict) or not label:
        raise BadInput("the item is not a JSON object with keys")
    return label


def _edits(content: Text, label: Mapping[str, Any]) -> list[Edit]:
    """The first AIGC entry replaced where it stands, or one put in at the head; every other entry of it dropped."""
    documents = list(_documents(content.text))
    edits: list[Edit] = []
    written = False
    for number, (_, document) in enumerate(documents):
        for entry in document.entries:
            if not _is_ours(entry):
                continue
            new = "" if number or written else _rendered(label, document, content.newline)
            edits.append(_replaced(content.text, document, entry, new))
            written = True if number == 0 else written
    if written:
        return edits
    block = _block(label, 0, content.newline)
    if not documents:
        return [(0, 0, f"---{content.newline}{block}---{content.newline}")]
    front, document = documents[0]
    if document.root < 0:
        return [*edits, (front.yaml_stop, front.yaml_stop, block)]
    if document.flow:
        at = document.root + 1
        return [*edits, (at, at, f"{_flow(label)}, ")]
    at = document.root - document.column
    return [*edits, (at, at, _block(label, document.column, content.newline))]


def _rendered(label: Mapping[str, Any], document: _Document, newline: str) -> str:
    return _flow(label) if document.flow else _block(label, document.column, newline)


def _replaced(content: str, document: _Document, entry: _Entry, new: str) -> Edit:
    if not entry.safe:
        raise BadInput(f"the front matter's {entry.key} is a YAML alias or holds an anchor; write it out by hand")
    if document.flow:
        comma = re.compile(r"\s*,\s*").match(content, entry.value_stop)
        return (entry.key_start, comma.end() if comma and not new else entry.value_stop, new)
    start = entry.key_start - document.column
    if content[start : entry.key_start].strip(" "):
        raise BadInput(f"the front matter's {entry.key} does not begin its line; write it as a plain key by hand")
    stop = entry.value_stop
    if content[stop - 1] not in "\r\n":  # a literal scalar ends with its line, everything else before it
        line_end = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)").match(content, stop)
        stop = line_end.end() if line_end else stop
    return (start, stop, new)


def _block(label: Mapping[str, Any], column: int, newline: str) -> str:
    """As the guide shows it: one key a line, two spaces in, single quotes."""
    lines = [f"{_KEY}:", *(f"  {key}: {_scalar(value)}" for key, value in label.items())]
    return "".join(" " * column + line + newline for line in lines)


def _flow(label: Mapping[str, Any]) -> str:
    return f"{_KEY}: {{{', '.join(f'{key}: {_scalar(value)}' for key, value in label.items())}}}"


def _scalar(value: Any) -> str:
    if isinstance(value, str) and not _BROKEN_LINE.search(value):
        return "'" + value.replace("'", "''") + "'"
    return json.dumps(value)  # which is YAML, too


def _check(content: Text, edits: list[Edit], label: Mapping[str, Any]) -> None:
    """The edited front matter has to say what it said before, and the label: YAML has more forms than we know."""
    before = content.text
    after = before
    for start, stop, new in sorted(edits, reverse=True):
        after = after[:start] + new + after[stop:]
    found = [(e, after[e.key_start : e.value_stop]) for _, d in _documents(after) for e in d.entries]
    kept = [before[e.key_start : e.value_stop] for _, d in _documents(before) for e in d.entries if not _is_ours(e)]
    labels = [e.value for e, _ in found if _is_ours(e)]
    if labels != [dict(label)] or sorted(source for e, source in found if not _is_ours(e)) != sorted(kept):
        raise BadInput("the front matter is written in a form that cannot be edited safely; put AIGC into it by hand")


def _is_ours(entry: _Entry) -> bool:
    return entry.key.casefold() == _KEY.casefold()
