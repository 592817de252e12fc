"""Reports, labels and policies as plain dicts, and those as one line of JSON: the form every front gives out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from labeler.pipeline import Labelled
from policies.judge import Judgement, Report
from policies.policy import Policy, Requirement
from policies.provider_code import LENGTH, SERVICES, faults
from policies.terms import Facts, Finding

Json = dict[str, Any]


def to_json(value: Mapping[str, Any]) -> str:
    """One line of ASCII, fit for JSON Lines and HTTP headers; names that are not UTF-8 survive as \\udcXX."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False)


def report(report: Report) -> Json:
    """A verification, in the order people read it."""
    return {
        **facts(report.facts),
        "policy": report.policy,
        "verdict": report.verdict.value,
        "requirements": [_judgement(j) for j in report.judgements],
        "findings": [finding(f) for f in report.findings],
    }


def facts(facts: Facts) -> Json:
    """What is known of the file itself."""
    return {
        "source": facts.source,
        "sha256": facts.sha256,
        "media": facts.media.value,
        "container": facts.container,
    }


def labelled(done: Labelled, judged: Report, warnings: list[str]) -> Json:
    """A labelling: what was done to which file, and how the result verifies."""
    return {
        "source": done.source,
        "target": str(done.target),
        "sha256": done.sha256,
        "media": judged.facts.media.value,
        "container": judged.facts.container,
        "label": done.label.as_dict(),
        "marks": [mark.value for mark in done.marks],
        "untouched": dict(done.untouched),
        "notes": [*done.notes, *warnings],
        "verdict": judged.verdict.value,
    }


def finding(finding: Finding) -> Json:
    return {
        "detector": finding.detector,
        "mark": finding.mark.value,
        "status": finding.status.value,
        "id": finding.id,
        "label": finding.label.as_dict() if finding.label else None,
        "confidence": _plain(finding.confidence),
        "detail": finding.detail,
        "where": finding.where,
        "measured": _plain(finding.measured),
    }


def policy(policy: Policy) -> Json:
    """A policy with its requirements."""
    return {**policy_head(policy), "requirements": [_requirement(r) for r in policy.requirements]}


def policy_head(policy: Policy) -> Json:
    return {"id": policy.id, "title": policy.title, "version": policy.version, "in_force": policy.in_force}


def failure(source: str, kind: str, message: str) -> Json:
    """What stands in a result's place where there is none."""
    return {"source": source, "error": {"type": kind, "message": message}}


def provider_code(code: str) -> Json:
    """A provider code taken apart (TC260-PG-20252A), and what is wrong with it."""
    found = faults(code)
    return {
        "code": code,
        "valid": not found,
        "faults": [{"id": fault.id, "detail": fault.detail} for fault in found],
        "segments": _segments(code) if len(code) == LENGTH else [],
    }


_SEGMENTS = (
    (0, 2, "label format, always 00"),
    (2, 3, "subject type, 1 = organisation"),
    (3, 4, "what identifies it, 1 = unified social credit code"),
    (4, 5, "credit code: registering department"),
    (5, 6, "credit code: kind of organisation"),
    (6, 12, "credit code: place of registration (GB/T 2260)"),
    (12, 21, "credit code: organisation code, the last one its check character (GB 11714)"),
    (21, 22, "credit code: check character (GB 32100-2015)"),
)


def _segments(code: str) -> list[Json]:
    service = SERVICES.get(code[22], "not defined")
    parts = (*_SEGMENTS, (22, 23, f"service: {service}"), (23, 27, "application, numbered by the provider itself"))
    return [{"at": start + 1, "characters": code[start:stop], "meaning": meaning} for start, stop, meaning in parts]


def _judgement(judgement: Judgement) -> Json:
    return {
        "id": judgement.requirement.id,
        "clause": judgement.requirement.clause,
        "level": judgement.requirement.level.value,
        "verdict": judgement.verdict.value,
        "because": judgement.because,
    }


def _requirement(requirement: Requirement) -> Json:
    return {
        "id": requirement.id,
        "clause": requirement.clause,
        "level": requirement.level.value,
        "mark": requirement.mark.value,
        "media": sorted(media.value for media in requirement.media),
        "says": requirement.says,
        "check": requirement.check.value,
        "fact": requirement.fact,
        "value": _plain(requirement.value),
        "when": _plain(requirement.when),
        "deviations": list(requirement.deviations),
        "not_for": sorted(requirement.not_for),
        "source": requirement.source,
    }


def _plain(value: Any) -> Any:
    """A fact as JSON has it: NumPy's scalars become numbers, and what is no number becomes null."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(inner) for inner in value]
    if hasattr(value, "tolist"):  # NumPy, without importing it
        return _plain(value.tolist())
    return str(value)
