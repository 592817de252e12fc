"""The words on a PDF page by where they stand, as far as its fonts say what their codes mean (ISO 32000-1, 9)."""

from __future__ import annotations

import re
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import pikepdf

from policies.errors import BadInput

Matrix: TypeAlias = "tuple[float, float, float, float, float, float]"

MAX_STREAM = 32 << 20
"""Bytes of one stream, inflated."""

# What pikepdf and our own arithmetic raise where an object is not of the type that the format says.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError)

_MAX_CONTENT = 2 << 20  # of one page's content: a dense page of words has a tenth of it
_OPERATORS = "q Q cm Do BI ID EI BT Tf TL Tm Td TD T* Tj TJ ' \""

_MAX_DEPTH = 8  # of form XObjects in each other
_MAX_OPERATORS = 400_000  # of one page
_MAX_CODES = 1 << 16
_EDGE = 0.08  # of the page's height: its upper and lower margin
_SMALL = 8.0  # points: of the size of superscript letters
_IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
_WIDE_GAP = -200  # thousandths of an em in a TJ array: a space between words, 9.4.3
_HEX = re.compile(rb"<([0-9A-Fa-f\s]*)>")
_SECTION = re.compile(rb"begin(codespacerange|bfchar|bfrange)")
_RANGE = re.compile(
    rb"<([0-9A-Fa-f\s]*)>\s*<([0-9A-Fa-f\s]*)>\s*(?:<([0-9A-Fa-f\s]*)>|\[((?:\s*<[0-9A-Fa-f\s]*>)*)\s*\])"
)
# Predefined CMaps (9.7.5.2) that are a known encoding: its name in Python, by the CMap's first part.
_CMAPS = {
    "UniGB-UCS2": "utf-16-be",
    "UniGB-UTF16": "utf-16-be",
    "UniCNS-UCS2": "utf-16-be",
    "UniCNS-UTF16": "utf-16-be",
    "UniJIS-UCS2": "utf-16-be",
    "UniJIS-UTF16": "utf-16-be",
    "UniKS-UCS2": "utf-16-be",
    "UniKS-UTF16": "utf-16-be",
    "GB-EUC": "gb18030",
    "GBK-EUC": "gb18030",
    "GBKp-EUC": "gb18030",
    "GBK2K": "gb18030",
    "B5pc": "big5",
    "ETen-B5": "big5",
    "90ms-RKSJ": "cp932",
    "KSCms-UHC": "cp949",
}
_SIMPLE = {"/WinAnsiEncoding": "cp1252", "/MacRomanEncoding": "mac_roman"}


@dataclass(frozen=True, slots=True)
class PageText:
    """A page's lines from top to bottom, how many codes have no known meaning, and whether it shows pictures."""

    lines: tuple[str, ...]
    unknown: int
    pictures: bool


@dataclass(frozen=True, slots=True)
class _Run:
    """Words shown at once, where they begin on the displayed page and how large they are, in points."""

    x: float
    y: float
    size: float
    text: str


@dataclass(slots=True)
class _State:
    """The graphics and text state that placing words needs."""

    ctm: Matrix = _IDENTITY
    text: Matrix = _IDENTITY
    line: Matrix = _IDENTITY
    leading: float = 0.0
    size: float = 1.0
    font: _Font | None = None

    def copy(self) -> _State:
        return _State(self.ctm, self.text, self.line, self.leading, self.size, self.font)


class _Font:
    """A font's codes as text: by its ToUnicode map, its encoding or a predefined CMap."""

    def __init__(self, font: Any) -> None:
        self._map: dict[bytes, str] = {}
        self._widths: tuple[int, ...] = (1,)
        self._codec = ""
        if isinstance(map_ := font.get("/ToUnicode"), pikepdf.Stream):
            self._map, self._widths = _to_unicode(inflated(map_))
        elif font.get("/Subtype") == "/Type0":
            encoding = str(font.get("/Encoding", "")).lstrip("/")
            self._codec = _CMAPS.get(encoding.rsplit("-", 1)[0], "")
            self._widths = (2,)
        else:
            self._map = _simple(font)

    def decode(self, codes: bytes) -> tuple[str, int]:
        """The text, and how many codes could not be told."""
        if self._codec:
            text = codes.decode(self._codec, "replace")
            return text.replace("\ufffd", ""), text.count("\ufffd")
        words, unknown, position = [], 0, 0
        while position < len(codes):
            code = next((c for w in self._widths if (c := codes[position : position + w]) in self._map), None)
            words.append(self._map[code] if code else "")
            unknown += code is None
            position += len(code) if code else self._widths[0]
        return "".join(words), unknown


def read(page: pikepdf.Page, displayed: Matrix, width: float, height: float) -> PageText:
    """The page's words; `displayed` maps its space to the page as it is shown, y pointing up, in points.

    Words outside of what is shown are left out.

    Raises BadInput for content that cannot be parsed.
    """
    reader = _Reader()
    try:
        reader.content(page.obj.get("/Contents"), inherited(page, "/Resources"), _State(ctm=displayed), 0)
    except (pikepdf.PdfError, *MALFORMED) as error:
        raise BadInput(f"the page's content cannot be read: {error}") from error
    shown = [r for r in reader.runs if r.text and -r.size < r.x < width and -r.size < r.y < height]
    return PageText(tuple(_lines(shown, height)), reader.unknown, reader.pictures)


def inflated(stream: Any) -> bytes:
    """A stream's data within `MAX_STREAM`; a filter that hides how large it gets is not followed."""
    filters = stream.get("/Filter")
    names = [str(f) for f in filters] if isinstance(filters, pikepdf.Array) else [str(filters)] if filters else []
    raw: bytes = stream.read_raw_bytes()
    if names == ["/FlateDecode"] and "/DecodeParms" not in stream:
        inflater = zlib.decompressobj()
        try:
            raw = inflater.decompress(raw, MAX_STREAM + 1)
        except zlib.error as error:
            raise BadInput(f"a stream cannot be inflated: {error}") from error
    elif names:
        if names.count("/FlateDecode") > 1 or len(raw) > MAX_STREAM // 1032:
            raise BadInput(f"a stream packed by {' and '.join(names)} is not followed")
        raw = stream.read_bytes()
    if len(raw) > MAX_STREAM:
        raise BadInput(f"a stream is over {MAX_STREAM} bytes long")
    return raw


def streams(content: Any) -> list[Any]:
    """A page's /Contents as a list: it may be one stream, several or none."""
    parts = list(content) if isinstance(content, pikepdf.Array) else [content]
    return [part for part in parts if isinstance(part, pikepdf.Stream)]


def instructions(content: Any, operators: str) -> list[Any]:
    """The operators of these kinds in a content, which may be cut into several streams anywhere."""
    joined = b"\n".join(inflated(stream) for stream in streams(content))
    if len(joined) > _MAX_CONTENT:
        raise BadInput(f"the page's content is over {_MAX_CONTENT} bytes long")
    # A warning is how pikepdf says that the content stops in the middle; what came before it counts.
    with pikepdf.new() as holder, warnings.catch_warnings(action="ignore"):
        return list(pikepdf.parse_content_stream(holder.make_stream(joined), operators))


def inherited(page: pikepdf.Page, key: str) -> Any:
    """A page attribute that the page tree's nodes hand down, 7.7.3.4."""
    node: Any = page.obj
    for _ in range(64):
        if key in node:
            return node[key]
        node = node.get("/Parent")
        if not isinstance(node, pikepdf.Dictionary):
            break
    return pikepdf.Dictionary()


class _Reader:
    """Interprets content streams as far as words and pictures go."""

    def __init__(self) -> None:
        self.runs: list[_Run] = []
        self.unknown = 0
        self.pictures = False
        self._fonts: dict[Any, _Font] = {}
        self._left = _MAX_OPERATORS

    def content(self, content: Any, resources: Any, state: _State, depth: int) -> None:
        stack: list[_State] = []
        for instruction in instructions(content, _OPERATORS):
            self._left -= 1
            if self._left < 0:
                raise BadInput(f"the page has over {_MAX_OPERATORS} operators")
            state = self._step(instruction, resources, state, stack, depth)

    def _step(self, instruction: Any, resources: Any, state: _State, stack: list[_State], depth: int) -> _State:
        name, operands = str(instruction.operator), list(instruction.operands)
        if name == "q":
            stack.append(state.copy())
        elif name == "Q" and stack:
            return stack.pop()
        elif name == "cm":
            state.ctm = _times(_matrix(operands), state.ctm)
        elif name == "Do":
            self._xobject(_resource(resources, "/XObject", operands), resources, state, depth)
        elif name == "INLINE IMAGE":
            self.pictures = True
        else:
            self._text_operator(name, operands, resources, state)
        return state

    def _text_operator(self, name: str, operands: Sequence[Any], resources: Any, state: _State) -> None:
        if name == "BT":
            state.text = state.line = _IDENTITY
        elif name == "Tf":
            state.font = self._font(_resource(resources, "/Font", operands))
            state.size = float(operands[1])
        elif name == "TL":
            state.leading = float(operands[0])
        elif name == "Tm":
            state.text = state.line = _matrix(operands)
        elif name in ("Td", "TD"):
            _move(state, float(operands[0]), float(operands[1]))
            state.leading = -float(operands[1]) if name == "TD" else state.leading
        elif name == "T*":
            _move(state, 0.0, -state.leading)
        elif name in ("Tj", "TJ", "'", '"'):
            if name in ("'", '"'):
                _move(state, 0.0, -state.leading)
            self._show(operands[-1], state)

    def _show(self, shown: Any, state: _State) -> None:
        if state.font is None:
            return
        words = ""
        for part in shown if isinstance(shown, pikepdf.Array) else [shown]:
            if isinstance(part, pikepdf.String):
                text, unknown = state.font.decode(bytes(part))
                words += text
                self.unknown += unknown
            elif float(part) < _WIDE_GAP:
                words += " "
        _, _, c, d, x, y = _times(state.text, state.ctm)
        size = abs(state.size) * max(abs(c) + abs(d), 1e-6)
        self.runs.append(_Run(x, y, size, words))
        # Without the glyphs' widths the next words' place is a guess; it only has to lie behind these.
        along = sum(1.0 if ord(c) > 0x2E7F else 0.5 for c in words) * state.size
        state.text = _times((1.0, 0.0, 0.0, 1.0, along, 0.0), state.text)

    def _xobject(self, found: Any, resources: Any, state: _State, depth: int) -> None:
        if not isinstance(found, pikepdf.Stream):
            return
        if found.get("/Subtype") == "/Image":
            self.pictures = True
        elif found.get("/Subtype") == "/Form" and depth < _MAX_DEPTH:
            inner = state.copy()
            if isinstance(matrix := found.get("/Matrix"), pikepdf.Array):
                inner.ctm = _times(_matrix(list(matrix)), state.ctm)
            self.content(found, found.get("/Resources", resources), inner, depth + 1)

    def _font(self, found: Any) -> _Font | None:
        if not isinstance(found, pikepdf.Dictionary):
            return None
        key = found.objgen if found.is_indirect else id(found)
        if key not in self._fonts:
            self._fonts[key] = _Font(found)
        return self._fonts[key]


def _resource(resources: Any, kind: str, operands: Sequence[Any]) -> Any:
    of_kind = resources.get(kind) if isinstance(resources, pikepdf.Dictionary) else None
    return of_kind.get(str(operands[0])) if isinstance(of_kind, pikepdf.Dictionary) and operands else None


def _matrix(operands: Sequence[Any]) -> Matrix:
    a, b, c, d, e, f = (float(o) for o in operands[:6])
    return a, b, c, d, e, f


def _times(m: Matrix, n: Matrix) -> Matrix:
    """First `m`, then `n`, as PDF multiplies (8.3.4)."""
    return (
        m[0] * n[0] + m[1] * n[2],
        m[0] * n[1] + m[1] * n[3],
        m[2] * n[0] + m[3] * n[2],
        m[2] * n[1] + m[3] * n[3],
        m[4] * n[0] + m[5] * n[2] + n[4],
        m[4] * n[1] + m[5] * n[3] + n[5],
    )


def _move(state: _State, x: float, y: float) -> None:
    state.text = state.line = _times((1.0, 0.0, 0.0, 1.0, x, y), state.line)


# ---- lines ------------------------------------------------------------------------------------------------


def _lines(runs: Iterable[_Run], height: float) -> Iterator[str]:
    """Runs on one height are a line, read from the left; lines from the top."""
    line: list[_Run] = []
    for run in sorted(runs, key=lambda r: -r.y):
        if line and line[0].y - run.y > 0.4 * max(line[0].size, run.size):
            yield _line(line, height)
            line = []
        line.append(run)
    if line:
        yield _line(line, height)


def _line(line: Sequence[_Run], height: float) -> str:
    """A line's words; small letters AI by themselves at the page's edge are a corner mark."""
    words = _joined(line)
    at_edge = not _EDGE * height < line[0].y < (1 - _EDGE) * height
    return "ᴬᴵ" if words == "AI" and at_edge and line[0].size <= _SMALL else words


def _joined(line: Sequence[_Run]) -> str:
    words, end = "", None
    for run in sorted(line, key=lambda r: r.x):
        if end is not None and run.x - end > 0.3 * run.size and not words.endswith(" "):
            words += " "
        words += run.text
        end = run.x + sum(1.0 if ord(c) > 0x2E7F else 0.5 for c in run.text) * run.size
    return " ".join(words.split())


# ---- what codes mean ----------------------------------------------------------------------------------------


def _to_unicode(cmap: bytes) -> tuple[dict[bytes, str], tuple[int, ...]]:
    """A ToUnicode CMap (9.10.3) as code -> text, and the lengths of its codes, longest first."""
    meanings: dict[bytes, str] = {}
    lengths: set[int] = set()
    for kind, body in _sections(cmap):
        if kind == b"codespacerange":
            lengths |= {len(_unhex(h)) for h in _HEX.findall(body)}
        elif kind == b"bfchar":
            found = _HEX.findall(body)
            meanings |= {_unhex(c): _utf16(_unhex(t)) for c, t in zip(found[::2], found[1::2], strict=False)}
        else:
            for first, last, start, several in _RANGE.findall(body):
                meanings |= _range(_unhex(first), _unhex(last), _unhex(start), _HEX.findall(several))
        if len(meanings) > 4 * _MAX_CODES:
            raise BadInput("a font's map has more codes than a font can have")
    lengths |= {len(code) for code in meanings}
    return meanings, tuple(sorted((n for n in lengths if 0 < n <= 4), reverse=True)) or (1,)


def _sections(cmap: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while (begin := _SECTION.search(cmap, position)) and (end := cmap.find(b"end" + begin[1], begin.end())) >= 0:
        yield begin[1], cmap[begin.end() : end]
        position = end


def _range(first: bytes, last: bytes, start: bytes, several: Sequence[bytes]) -> dict[bytes, str]:
    low, high = int.from_bytes(first, "big"), int.from_bytes(last, "big")
    if not first or len(first) > 4 or not low <= high < low + _MAX_CODES:
        return {}
    codes = [n.to_bytes(len(first), "big") for n in range(low, min(high, 256 ** len(first) - 1) + 1)]
    if several:
        return {code: _utf16(_unhex(text)) for code, text in zip(codes, several, strict=False)}
    base = int.from_bytes(start, "big")
    room = 256 ** len(start)
    return {c: _utf16((base + n).to_bytes(len(start), "big")) for n, c in enumerate(codes) if base + n < room}


def _unhex(digits: bytes) -> bytes:
    text = b"".join(digits.split()).decode("ascii")
    return bytes.fromhex(text + "0" * (len(text) % 2))


def _utf16(raw: bytes) -> str:
    return raw.decode("utf-16-be", "replace")


def _simple(font: Any) -> dict[bytes, str]:
    """A simple font's codes: base encoding and differences (9.6.6); a font of its own making has no meaning."""
    encoding = font.get("/Encoding")
    described = isinstance(encoding, pikepdf.Dictionary)
    base = str(encoding.get("/BaseEncoding", "")) if described else str(encoding or "")
    embedded = any(k in font.get("/FontDescriptor", {}) for k in ("/FontFile", "/FontFile2", "/FontFile3"))
    meanings: dict[bytes, str] = {}
    if base in _SIMPLE or (not embedded and font.get("/Subtype") != "/Type3"):
        codec = _SIMPLE.get(base, "latin-1")
        every = ((bytes([n]), bytes([n]).decode(codec, "ignore")) for n in range(32, 256))
        meanings = {code: text for code, text in every if text}
    if described and isinstance(differences := encoding.get("/Differences"), pikepdf.Array):
        meanings |= _differences(differences)
    return meanings


def _differences(differences: Any) -> Mapping[bytes, str]:
    code, meanings = 0, {}
    for item in differences:
        if isinstance(item, pikepdf.Name):
            text = _glyph(str(item).lstrip("/"))
            if text and 0 <= code < 256:
                meanings[bytes([code])] = text
            code += 1
        else:
            code = int(item)
    return meanings


@cache
def _glyph(name: str) -> str:
    """A glyph's character by the Adobe Glyph List."""
    from fontTools.agl import toUnicode

    return str(toUnicode(name))
