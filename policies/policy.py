"""A regime's rules as data: one TOML file each, with the clause and the source beside every number."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from policies.errors import BadInput
from policies.terms import Mark, Media


class Level(StrEnum):
    """How binding a requirement is."""

    MUST = "must"
    SHOULD = "should"


class Check(StrEnum):
    """The questions a requirement may ask of the findings; `policies.judge` answers them."""

    PRESENT = "present"
    FREE_OF = "free-of"
    AT_LEAST = "at-least"
    AT_MOST = "at-most"
    ONE_OF = "one-of"
    CONTAINS = "contains"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One clause, asked of one mark.

    `fact` and `value` are what a comparing check compares; `when` limits it to marks with those facts;
    `deviations` are the finding ids that `free-of` forbids. `not_for` names containers it is not asked of.
    """

    id: str
    clause: str
    level: Level
    mark: Mark
    media: frozenset[Media]
    check: Check
    says: str
    source: str
    fact: str = ""
    value: Any = None
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    deviations: tuple[str, ...] = ()
    not_for: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Policy:
    """One regime's set of requirements, and the notice it suggests for each media."""

    id: str
    title: str
    version: str
    in_force: str
    requirements: tuple[Requirement, ...]
    notices: Mapping[Media, Mapping[str, Any]]

    def requirements_for(self, media: Media, container: str = "") -> tuple[Requirement, ...]:
        """What is asked of a file of this media, in this container where one is named."""
        return tuple(r for r in self.requirements if media in r.media and container not in r.not_for)

    def marks(self, media: Media, container: str = "") -> frozenset[Mark]:
        """The marks that such a file must carry."""
        asked = self.requirements_for(media, container)
        return frozenset(r.mark for r in asked if r.level is Level.MUST)


def names() -> list[str]:
    """The policies that come with biaoshi."""
    folder = resources.files("policies")
    return sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml"))


def load(name: str | os.PathLike[str] | Policy) -> Policy:
    """A packaged policy by name, or one of the user's own by the path of its TOML file."""
    if isinstance(name, Policy):
        return name
    if str(name) in names():
        return _packaged(str(name))
    path = Path(name)
    if path.suffix != ".toml":
        raise BadInput(f"no policy called {str(name)!r}; try: {', '.join(names())}, or the path of a .toml file")
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"cannot read the policy {path}: {reason}; check its name and content") from error
    return parse(text, str(path))


@cache
def _packaged(name: str) -> Policy:
    return parse(resources.files("policies").joinpath(f"{name}.toml").read_text("utf-8"), name)


def parse(text: str, origin: str) -> Policy:
    """Parse a policy; a key, mark or check it does not know is an error, never skipped."""
    try:
        data = tomllib.loads(text)
        head = data.pop("policy")
        notices = {Media(k): MappingProxyType(v) for k, v in data.pop("notice", {}).items()}
        requirements = tuple(_requirement(row) for row in data.pop("requirement", []))
        policy = Policy(
            id=head["id"],
            title=head["title"],
            version=str(head["version"]),
            in_force=str(head["in_force"]),
            requirements=requirements,
            notices=MappingProxyType(notices),
        )
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"policy {origin} is not TOML: {error}; mend it there") from error
    except KeyError as error:
        raise BadInput(f"policy {origin}: {error} is missing; compare it with `biaoshi policies cn`") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"policy {origin}: {error!r}; compare it with `biaoshi policies cn`") from error
    if data:
        raise BadInput(f"policy {origin}: unknown tables {', '.join(sorted(data))}")
    if not requirements:
        raise BadInput(f"policy {origin} has no requirement; an empty policy would pass everything")
    if len({r.id for r in requirements}) != len(requirements):
        raise BadInput(f"policy {origin}: two requirements share an id")
    return policy


def _requirement(row: dict[str, Any]) -> Requirement:
    row = dict(row)
    return Requirement(
        level=Level(row.pop("level")),
        mark=Mark(row.pop("mark")),
        media=frozenset(Media(m) for m in row.pop("media")),
        check=Check(row.pop("check")),
        when={k: tuple(v) for k, v in row.pop("when", {}).items()},
        deviations=tuple(row.pop("deviations", ())),
        not_for=frozenset(row.pop("not_for", ())),
        **row,
    )
