"""One file labelled, verified or inspected: the same calls for the command line, HTTP and worker processes.

Arguments and results are plain and picklable; a failure is a result too, so that it crosses process borders
and stops no batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from detectors import detect
from labeler import AigcLabel, Asset, NoticeOptions
from labeler import label as write_label
from policies.errors import BadInput, MissingDependency, TooLarge, ToolkitError, Unsupported
from policies.judge import Report, Verdict, judge
from policies.policy import Level, load
from policies.provider_code import faults, looks_like_code
from policies.terms import Facts, Mark
from service import render
from service.render import Json

NO_PRODUCER = (
    "who generated the content is not given; name the producer with --producer CODE, "
    "BIAOSHI_PRODUCER or `producer = …` in biaoshi.toml (a 27-character provider code or a name; `biaoshi code` checks)"
)


class Crashed(ToolkitError):
    """The worker process died of the file, or was killed."""


class TimeLimit(ToolkitError):
    """The work on one file took longer than allowed."""


_KINDS = (TooLarge, BadInput, Unsupported, MissingDependency, Crashed, TimeLimit)
"""What may be told of an error, the narrower kind first; formats have finer ones of their own."""


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """What a user asks of a labelling, as the library takes it."""

    producer: str
    policy: str = "cn"
    produce_id: str = ""
    reserved_code: str = ""
    marks: tuple[str, ...] | None = None
    notice: NoticeOptions = field(default_factory=NoticeOptions)
    force: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> LabelOptions:
        """From a front's options by name, None where not given; `height` is in percent there.

        Raises BadInput without a producer or with a height that is no percentage.
        """
        given = {key: value for key, value in values.items() if value not in (None, "")}
        if "producer" not in given:
            raise BadInput(NO_PRODUCER)
        notice = {key: given[key] for key in NoticeOptions.__annotations__ if key in given}
        if "height" in notice:
            notice["height"] = ratio(notice["height"])
        return cls(
            producer=given["producer"],
            policy=given.get("policy", "cn"),
            produce_id=given.get("produce_id", ""),
            reserved_code=given.get("reserved_code", ""),
            marks=tuple(mark.strip() for mark in given["marks"].split(",")) if "marks" in given else None,
            notice=NoticeOptions(**notice),  # type: ignore[typeddict-item]  # its keys were picked above
            force=bool(given.get("force")),
        )


def ratio(percent: float | str) -> float:
    """6 or "6%" as 0.06; BadInput outside 1 to 50, where a ratio was probably meant."""
    try:
        value = float(str(percent).strip().removesuffix("%"))
    except ValueError:
        value = 0.0
    if not 1 <= value <= 50:
        raise BadInput(f"height {percent!r} is not a percentage from 1 to 50; 6 stands for 6 % of the shortest side")
    return value / 100


def producer_warnings(producer: str) -> list[str]:
    """What `verify` would hold against this producer code; nothing for a name."""
    if not looks_like_code(producer):
        return []
    return [f"producer {producer}: {fault.detail}" for fault in faults(producer)]


def label_file(source: str, target: str, options: LabelOptions, name: str = "") -> Json:
    """Label one file and verify the result. `name` stands in for the source's where that is a client's upload."""
    wanted = AigcLabel.produced(options.producer, options.produce_id, options.reserved_code)
    done = write_label(
        source,
        target,
        wanted,
        policy=options.policy,
        marks=options.marks,
        notice=options.notice,
        force=options.force,
        name=name or source,
    )
    with Asset.open(target, name or target) as asset:
        # The hash was taken while the file was compared; a large one is not read once more for it.
        facts = Facts(asset.source, done.sha256, asset.media, asset.container_name)
        judged = judge(load(options.policy), facts, detect(asset))
        return render.labelled(done, judged, [*producer_warnings(options.producer), *_left_open(judged, done.marks)])


def _left_open(judged: Report, marks: Collection[Mark]) -> list[str]:
    """What the marks that were made still leave to be desired, a clip under two seconds for instance."""
    return [
        f"{j.verdict.value}: {j.requirement.clause}: {j.because}"
        for j in judged.judgements
        if j.requirement.level is Level.MUST and j.verdict is not Verdict.MET and j.requirement.mark in marks
    ]


def verify_file(source: str, policy: str = "cn", name: str = "") -> Json:
    """Verify one file."""
    rules = load(policy)
    with Asset.open(source, name or source) as asset:
        return render.report(judge(rules, asset.facts, detect(asset)))


def inspect_file(source: str, name: str = "") -> Json:
    """Everything that any detector sees in one file; nobody judges it."""
    with Asset.open(source, name or source) as asset:
        return {**render.facts(asset.facts), "findings": [render.finding(f) for f in detect(asset)]}


@dataclass(frozen=True, slots=True)
class Job:
    """One call of a function above, ready to be sent to a worker. `source` names it where it fails."""

    source: str
    function: Callable[..., Json]
    arguments: tuple[Any, ...]


def attempt(job: Job) -> Json:
    """Do the job; whatever goes wrong becomes its result, because one bad file never stops the rest."""
    try:
        return job.function(*job.arguments)
    except ToolkitError as error:
        return failed(job.source, error)
    except ImportError as error:
        return failed(job.source, MissingDependency(f"{error}; install biaoshi with all it depends on"))
    except MemoryError:
        return failed(job.source, BadInput("the file needs more memory than there is; give it a larger machine"))
    except Exception as error:  # a bug, ours or a library's; on hostile files those have to be lived with
        message = f"{type(error).__name__}: {error}; this is a bug in biaoshi, please report it with the file"
        return render.failure(job.source, "InternalError", message)


def failed(source: str, error: ToolkitError) -> Json:
    """The error as a result, under the name that the fronts have for its kind."""
    kind = next((kind.__name__ for kind in _KINDS if isinstance(error, kind)), ToolkitError.__name__)
    return render.failure(source, kind, str(error))
