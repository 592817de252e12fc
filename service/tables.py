"""Results as text for people. What a file says of itself is shown with its control characters written out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from service.render import Json

_COLOURS = {
    "met": "green",
    "unmet": "red",
    "undetermined": "yellow",
    "found": "green",
    "damaged": "red",
    "absent": "red",
    "unchecked": "yellow",
}
_WIDTH = 100


def shown(text: str) -> str:
    """Text from outside made safe for a terminal: control characters, direction marks and odd bytes as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def coloured(word: str) -> str:
    """A verdict or status in its colour; `click.echo` drops colours where no terminal reads them."""
    return click.style(word, fg=_COLOURS.get(word))


def report(result: Json) -> Iterator[str]:
    """A verification: the file's verdict, then each requirement's with clause and reason."""
    kind = f"{result['media']}, {result['container']}"
    yield f"{shown(result['source'])}: {coloured(result['verdict'])} ({kind}; policy {shown(result['policy'])})"
    for row in result["requirements"]:
        yield f"  {_cell(row['verdict'], 12)} {row['level']:<6} {row['id']} [{row['clause']}]"
        yield from _wrapped(row["because"])


def failure(result: Json) -> str:
    """What went wrong with which file."""
    source, message = result["source"], result["error"]["message"]
    return shown(message if source in message else f"{source}: {message}")


def label(result: Json) -> Iterator[str]:
    """A labelling, in one line, and its notes."""
    number = result["label"]["ProduceID"] if "metadata" in result["marks"] else ""  # elsewhere it was not written
    done = "; ".join(filter(None, [", ".join(result["marks"]), number]))
    yield f"{shown(result['source'])} -> {shown(result['target'])} ({done}): {coloured(result['verdict'])}"
    for note in result["notes"]:
        yield from _wrapped(note)


def findings(result: Json) -> Iterator[str]:
    """An inspection: each finding with where it is, the label's elements and what was measured."""
    yield f"{shown(result['source'])} ({result['media']}, {result['container']}, sha256 {result['sha256']})"
    for found in result["findings"]:
        name = found["id"] or found["detector"]
        yield f"  {_cell(found['status'], 10)} {found['mark']:<10} {name}"
        yield from _wrapped(found["detail"])
        if found["where"] and found["where"] not in found["detail"]:
            yield from _wrapped(f"where: {found['where']}")
        if found["label"]:
            yield from _wrapped("; ".join(f"{key} {value or '(empty)'}" for key, value in found["label"].items()))
        if found["measured"]:
            yield from _wrapped("; ".join(f"{key} {_short(value)}" for key, value in found["measured"].items()))


def policy(result: Json) -> Iterator[str]:
    """A policy's requirements with their numbers and sources."""
    yield f"{result['id']}: {result['title']} (in force {result['in_force']}, version {result['version']})"
    for row in result["requirements"]:
        yield ""
        yield f"{row['id']} ({row['level']}; {', '.join(row['media'])}) [{row['clause']}]"
        yield from _wrapped(row["says"])
        if row["fact"]:
            limits = "; ".join(f"where {k} is {' or '.join(map(str, v))}" for k, v in row["when"].items())
            yield from _wrapped(f"{row['fact']} {row['check']} {_value(row['value'])} {limits}".rstrip())
        if row["deviations"]:
            yield from _wrapped(f"{row['check']} {', '.join(row['deviations'])}")
        yield from _wrapped(f"source: {row['source']}")


def policies(heads: Sequence[Json]) -> Iterator[str]:
    return columns([(head["id"], head["in_force"], head["title"]) for head in heads])


def provider_code(result: Json) -> Iterator[str]:
    """A provider code taken apart, and whether it holds."""
    yield from columns([(f"{s['at']:>2}", s["characters"], s["meaning"]) for s in result["segments"]])
    for fault in result["faults"]:
        yield f"{coloured('unmet')}: {shown(fault['detail'])} ({fault['id']})"
    if result["valid"]:
        yield f"{shown(result['code'])} follows TC260-PG-20252A; all check characters hold"


def columns(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Rows in columns as wide as their widest cell; cells are made safe."""
    cells = [[shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(shown(text), _WIDTH, initial_indent="      ", subsequent_indent="      ")


def _cell(word: str, width: int) -> str:
    return coloured(word) + " " * (width - len(word))


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _value(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    if any(isinstance(inner, list) for inner in value):
        return ", and ".join(" or ".join(inner) for inner in value)
    return ", ".join(map(str, value))
