"""What the rules say: terms, policies as data, and the judge. Standard library only."""

from policies.errors import BadInput, MissingDependency, TooLarge, ToolkitError, Unsupported
from policies.judge import Judgement, Report, Verdict, judge
from policies.policy import Check, Level, Policy, Requirement, load, names
from policies.terms import AigcLabel, Facts, Finding, Mark, Media, Status

__all__ = [
    "AigcLabel",
    "BadInput",
    "Check",
    "Facts",
    "Finding",
    "Judgement",
    "Level",
    "Mark",
    "Media",
    "MissingDependency",
    "Policy",
    "Report",
    "Requirement",
    "Status",
    "TooLarge",
    "ToolkitError",
    "Unsupported",
    "Verdict",
    "judge",
    "load",
    "names",
]
