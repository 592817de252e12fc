"""What a user has settled once: biaoshi.toml and BIAOSHI_… variables, as defaults for the options.

Flags win over variables, variables over the file in the working folder, that over the one in the user's
configuration folder.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policies.errors import BadInput

FILE = "biaoshi.toml"
PREFIX = "BIAOSHI_"

OPTION_KEYS = (
    "policy",
    "producer",
    "reserved_code",
    "marks",
    "text",
    "language",
    "position",
    "height",
    "seconds",
    "whole_clip",
    "font",
    "cue",
    "place",
    "form",
    "jobs",
)
"""Defaults for the options of that name, of every command that has them."""
SERVICE_KEYS = ("host", "port", "max_upload", "time_limit", "stall_limit", "workers", "queue")
"""Options of `biaoshi serve` and limits of the HTTP service."""
KEYS = frozenset(OPTION_KEYS + SERVICE_KEYS)

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d+)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """The HTTP service's own: who labels by default, and how much one machine takes on."""

    producer: str = ""
    policy: str = "cn"
    host: str = "127.0.0.1"
    port: int = 8000
    max_upload: int = 2 << 30  # bytes
    time_limit: float = 600  # seconds of work for one file
    stall_limit: float = 30  # seconds without a byte of an upload
    workers: int = 0  # processes; 0: one a processor
    queue: int = 16  # uploads waiting for a worker; one more is answered with 503

    @property
    def processes(self) -> int:
        return self.workers or os.cpu_count() or 1

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> ServiceSettings:
        """From `load()`'s values; those of other fronts are passed over. Raises BadInput naming the key."""
        chosen = {}
        for key, parse in _PARSERS.items():
            if key in values:
                try:
                    chosen[key] = parse(values[key])
                except (TypeError, ValueError):
                    raise BadInput(f"setting {key}: {values[key]!r} is not usable; compare the defaults") from None
        return cls(**chosen)


def size(value: str | int) -> int:
    """Bytes from a number or from text such as "500 MB" or "2GiB" (both powers of 1024); ValueError otherwise."""
    found = _SIZE.fullmatch(str(value).strip())
    if found is None or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a size")
    return int(found[1]) * _UNITS[found[2].upper()]


def _positive(value: Any) -> float:
    if (number := float(value)) <= 0:
        raise ValueError(f"{value!r} is not positive")
    return number


def _count(value: Any) -> int:
    if (number := int(value)) < 0:
        raise ValueError(f"{value!r} is negative")
    return number


_PARSERS: Mapping[str, Any] = {
    "producer": str,
    "policy": str,
    "host": str,
    "port": _count,
    "max_upload": size,
    "time_limit": _positive,
    "stall_limit": _positive,
    "workers": _count,
    "queue": _count,
}


def load(environ: Mapping[str, str] = os.environ, folder: str | os.PathLike[str] = ".") -> dict[str, Any]:
    """Every setting that is made anywhere, by key; text from the environment stays text.

    Raises BadInput for a file that is no TOML or has a key nobody knows.
    """
    values: dict[str, Any] = {}
    for path in (_user_file(environ), Path(folder) / FILE):
        values |= _read(path)
    named = {key: environ.get(PREFIX + key.upper(), "") for key in KEYS}
    return values | {key: value for key, value in named.items() if value}


def _user_file(environ: Mapping[str, str]) -> Path:
    home = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or "~").expanduser() / ".config"
    return Path(home) / "biaoshi" / FILE


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {path}: {error}; correct or move it") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path} is not TOML: {error}") from error
    if unknown := sorted(values.keys() - KEYS):
        raise BadInput(f"{path}: unknown key {', '.join(unknown)}; known are {', '.join(sorted(KEYS))}")
    return values
