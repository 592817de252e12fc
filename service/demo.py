"""The demonstration: every blank sample labelled, verified and put in a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from policies.errors import BadInput
from service import batch, tables
from service.jobs import Job, LabelOptions, label_file
from service.render import Json

_PRODUCER = "biaoshi-demo"  # a name, which GB 45438-2025 6.1 a) allows beside a code: nobody's number is borrowed


def demo(samples: Path, target: Path, workers: int, say: Callable[[str], object]) -> bool:
    """Label and verify `samples`/<container>/blank.* into `target`; whether every verdict is met.

    Raises BadInput where there are no samples.
    """
    blanks = sorted(samples.glob("*/blank.*"))
    if not blanks:
        raise BadInput(f"no samples in {samples}; run from a checkout of biaoshi, or name --samples")
    results = list(batch.run(_jobs(blanks, target), workers))
    rows = sorted(_row(result, target) for result in results)
    for line in tables.columns([("file", "media", "marks", "verdict"), *rows]):
        say(line)
    met = len([result for result in results if result.get("verdict") == "met"])
    kinds = len({result["media"] for result in results if "media" in result})
    say(f"{met} of {len(results)} files met in {kinds} kinds of media; the labelled files are in {target.resolve()}")
    return met == len(results)


def _jobs(blanks: list[Path], target: Path) -> Iterator[Job]:
    # Overwritten, so that a second run shows the same.
    options = LabelOptions(_PRODUCER, force=True)
    for blank in blanks:
        # One folder a container: formats that share a suffix don't meet.
        place = target / blank.parent.name / f"labelled{blank.suffix}"
        place.parent.mkdir(parents=True, exist_ok=True)
        yield Job(str(blank), label_file, (str(blank), str(place), options))


def _row(result: Json, folder: Path) -> tuple[str, str, str, str]:
    if "error" in result:
        return result["source"], "-", "-", f"{result['error']['type']}: {result['error']['message']}"
    name = str(Path(result["target"]).relative_to(folder))
    return name, result["media"], ", ".join(result["marks"]), result["verdict"]
