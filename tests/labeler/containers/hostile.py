"""Files as an attacker or a bad disk makes them: a sound one with bytes changed, cut, doubled or put in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from hypothesis import strategies as st

from labeler.containers import Container, render
from policies.errors import ToolkitError

_EXTREMES = (b"\0", b"\xff", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\1")


def mutations(sound: bytes) -> st.SearchStrategy[bytes]:
    """Variants of a sound file, each with up to six changes."""
    place = st.integers(0, len(sound))
    new = st.sampled_from(_EXTREMES) | st.binary(min_size=1, max_size=8)
    change = st.tuples(st.sampled_from([_set, _insert, _cut, _double, _end]), place, place, new)
    return st.lists(change, min_size=1, max_size=6).map(lambda changes: _changed(sound, changes))


def survives(container: Container, data: bytes, item: str) -> None:
    """Reading and writing raise nothing but ToolkitError; what is written without one is read back, and stays."""
    with contextlib.suppress(ToolkitError):
        container.read(data)
    with contextlib.suppress(ToolkitError):
        once = render(data, container.write(data, item))
        assert [(c.value, c.normative) for c in container.read(once)] == [(item, True)]
        assert render(once, container.write(once, item)) == once


_Change = Callable[[bytes, int, int, bytes], bytes]


def _changed(data: bytes, changes: list[tuple[_Change, int, int, bytes]]) -> bytes:
    for change, start, stop, new in changes:
        data = change(data, *sorted((start, stop)), new)
    return data


def _set(data: bytes, start: int, _stop: int, new: bytes) -> bytes:
    return data[:start] + new + data[start + len(new) :]


def _insert(data: bytes, start: int, _stop: int, new: bytes) -> bytes:
    return data[:start] + new + data[start:]


def _cut(data: bytes, start: int, stop: int, _new: bytes) -> bytes:
    return data[:start] + data[stop:]


def _double(data: bytes, start: int, stop: int, _new: bytes) -> bytes:
    return data[:stop] + data[start:]


def _end(data: bytes, _start: int, stop: int, _new: bytes) -> bytes:
    return data[:stop]
