"""From findings to verdicts: pure, and the only place that compares a fact with a policy's number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from policies.errors import BadInput
from policies.policy import Check, Level, Policy, Requirement
from policies.terms import Facts, Finding, Mark, Media, Status


class Verdict(StrEnum):
    """What one requirement makes of the findings. Nothing that was not looked at is ever met."""

    MET = "met"
    UNMET = "unmet"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One requirement's verdict and the sentence that says because of what."""

    requirement: Requirement
    verdict: Verdict
    because: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that is to be said of one asset under one policy."""

    facts: Facts
    policy: str
    verdict: Verdict
    judgements: tuple[Judgement, ...]
    findings: tuple[Finding, ...]


def judge(policy: Policy, facts: Facts, findings: Sequence[Finding]) -> Report:
    """Every requirement that `policy` has for this media, each with its verdict.

    Raises BadInput where the policy asks nothing of this media: an empty policy is not a pass.
    """
    requirements = policy.requirements_for(facts.media, facts.container)
    if not requirements:
        raise BadInput(f"policy {policy.id!r} asks nothing of {facts.media} files; choose another policy")
    best = {mark: _champion(mark, requirements, findings) for mark in Mark}
    judgements = tuple(Judgement(r, *_weigh(r, best[r.mark], findings)) for r in requirements)
    return Report(facts, policy.id, _overall(judgements), judgements, tuple(findings))


def shortfalls(policy: Policy, media: Media, sighting: Finding) -> list[Judgement]:
    """The binding requirements that a mark as planned would leave unmet: asked before it is made."""
    requirements = [
        r
        for r in policy.requirements_for(media)
        if r.mark is sighting.mark and r.level is Level.MUST and r.check is not Check.PRESENT
    ]
    judgements = [Judgement(r, *_weigh(r, sighting, [sighting])) for r in requirements]
    return [j for j in judgements if j.verdict is Verdict.UNMET]


def _champion(mark: Mark, requirements: Sequence[Requirement], findings: Sequence[Finding]) -> Finding | None:
    """The sighting that meets most: one notice has to meet every clause, two can't share them out."""
    sightings = [f for f in findings if f.mark is mark and not f.id]
    asked = [r for r in requirements if r.mark is mark]

    def merit(finding: Finding) -> tuple[int, int]:
        met = sum(_weigh(r, finding, findings)[0] is Verdict.MET for r in asked)
        return _STANDING.index(finding.status), met

    return max(sightings, key=merit, default=None)


# Which sighting speaks for a mark, worst first. "Unchecked" outweighs "absent": something may be there.
_STANDING = (Status.ABSENT, Status.UNCHECKED, Status.DAMAGED, Status.FOUND)
_WITHOUT = {
    Status.ABSENT: Verdict.UNMET,
    Status.UNCHECKED: Verdict.UNDETERMINED,
    Status.DAMAGED: Verdict.UNMET,
}


def _weigh(requirement: Requirement, sighting: Finding | None, findings: Sequence[Finding]) -> tuple[Verdict, str]:
    if sighting is None:
        return Verdict.UNDETERMINED, f"no detector looked for this mark: {requirement.mark}"
    if sighting.status is Status.DAMAGED and requirement.check is not Check.PRESENT:
        return Verdict.UNDETERMINED, f"the mark is damaged: {sighting.detail}"
    if sighting.status is not Status.FOUND:
        return _WITHOUT[sighting.status], sighting.detail
    if requirement.check is Check.PRESENT:
        return Verdict.MET, sighting.detail
    if requirement.check is Check.FREE_OF:
        return _free_of(requirement, findings)
    return _compare(requirement, sighting)


def _free_of(requirement: Requirement, findings: Sequence[Finding]) -> tuple[Verdict, str]:
    unwanted = [f for f in findings if f.mark is requirement.mark and f.id in requirement.deviations]
    if unwanted:
        return Verdict.UNMET, "; ".join(f.detail for f in unwanted)
    return Verdict.MET, "nothing found against it"


def _compare(requirement: Requirement, finding: Finding) -> tuple[Verdict, str]:
    for fact, values in requirement.when.items():
        if fact not in finding.measured:
            return Verdict.UNDETERMINED, f"{fact} was not measured, so that nobody knows whether this is asked"
        if finding.measured[fact] not in values:
            return Verdict.MET, f"asked only where {fact} is {' or '.join(map(str, values))}"
    actual = finding.measured.get(requirement.fact)
    if actual is None:
        return Verdict.UNDETERMINED, f"{requirement.fact} was not measured"
    margin = float(finding.measured.get(f"{requirement.fact}_error", 0.0))
    return _COMPARISONS[requirement.check](requirement, actual, margin)


def _at_least(requirement: Requirement, actual: Any, margin: float) -> tuple[Verdict, str]:
    return _limit(requirement, actual, margin, "at least", actual - requirement.value)


def _at_most(requirement: Requirement, actual: Any, margin: float) -> tuple[Verdict, str]:
    return _limit(requirement, actual, margin, "at most", requirement.value - actual)


def _limit(requirement: Requirement, actual: float, margin: float, side: str, spare: float) -> tuple[Verdict, str]:
    """`spare` is how far the fact lies on the good side of the limit; within the measuring error nobody knows."""
    said = f"{requirement.fact} is {actual:.4g}, {side} {requirement.value:.4g} is asked"
    # A hair of tolerance: a measured 0.05 must not fail by float noise.
    if spare >= margin - 1e-9:
        return Verdict.MET, said
    if spare < -margin:
        return Verdict.UNMET, said
    return Verdict.UNDETERMINED, f"{said}; the measuring error is {margin:.2g}"


def _one_of(requirement: Requirement, actual: Any, _margin: float) -> tuple[Verdict, str]:
    said = f"{requirement.fact} is {actual!r}, asked is one of {', '.join(map(repr, requirement.value))}"
    return (Verdict.MET if actual in requirement.value else Verdict.UNMET), said


def _contains(requirement: Requirement, actual: Any, _margin: float) -> tuple[Verdict, str]:
    missing = [words for words in requirement.value if not any(w in actual for w in words)]
    if not missing:
        return Verdict.MET, f"{requirement.fact} {actual!r} holds every element asked for"
    asked = "; ".join(" or ".join(words) for words in missing)
    return Verdict.UNMET, f"{requirement.fact} {actual!r} lacks: {asked}"


_COMPARISONS: dict[Check, Callable[[Requirement, Any, float], tuple[Verdict, str]]] = {
    Check.AT_LEAST: _at_least,
    Check.AT_MOST: _at_most,
    Check.ONE_OF: _one_of,
    Check.CONTAINS: _contains,
}


def _overall(judgements: Sequence[Judgement]) -> Verdict:
    """Only what the rule says a file must have decides the whole; a "should" informs."""
    verdicts = [j.verdict for j in judgements if j.requirement.level is Level.MUST]
    if Verdict.UNMET in verdicts:
        return Verdict.UNMET
    return Verdict.UNDETERMINED if Verdict.UNDETERMINED in verdicts else Verdict.MET
