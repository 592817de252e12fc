"""What is there: every public module here is a detector, detect(asset) -> Iterable[Finding].

A detector answers one question and never raises for what it meets in a file: damage is a finding, and what
it cannot look at is `unchecked` with the reason. It yields nothing for media it is not about.
"""

from __future__ import annotations

import os

from labeler.asset import Asset, Source
from labeler.discover import modules
from policies.errors import ToolkitError
from policies.judge import Report, judge
from policies.policy import Policy, load
from policies.terms import Finding, Mark, Status

__all__ = ["detect", "verify"]


def detect(asset: Asset) -> list[Finding]:
    """Everything that every detector sees in the asset."""
    found = [Finding("container", Mark.METADATA, Status.FOUND, note, id="asset.name.mismatch") for note in asset.notes]
    for name, detector in modules(__name__).items():
        try:
            found += detector.detect(asset)
        except ToolkitError as error:
            found.append(Finding(name, detector.MARK, Status.UNCHECKED, str(error)))
    return found


def verify(source: Source | Asset, policy: str | os.PathLike[str] | Policy = "cn", name: str = "") -> Report:
    """Detect, then judge: one verdict for each requirement that the policy has for this media.

    `name` names a source that is bytes or a stream. Raises BadInput for what cannot be read, Unsupported
    for a format biaoshi does not know.
    """
    rules = load(policy)
    if isinstance(source, Asset):
        return judge(rules, source.facts, detect(source))
    with Asset.open(source, name) as asset:
        return judge(rules, asset.facts, detect(asset))
