"""The command line. It translates: options to jobs, results to lines, errors to exit codes.

Only click and the standard library are imported before a command runs, so that `biaoshi --version` is quick.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from service.jobs import Job, LabelOptions
    from service.render import Json
    from service.sources import Found, Targets

_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_ALL_MET, _NOT_MET, _BAD_INPUT, _MISSING, _BUG, _INTERRUPTED = 0, 1, 2, 3, 70, 130
# "center" is for policies that allow it; where the clause forbids it, the refusal names the clause.
_POSITIONS = ("top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right")

F = TypeVar("F", bound=Callable[..., Any])


def _names(value: Any) -> str:
    """Names after commas, as flags and variables have them, or a list, as TOML has it."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


class Fronted(click.Group):
    """A group whose errors are one line on stderr and an exit code, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click knows what to do
        except KeyboardInterrupt:
            click.echo("biaoshi: interrupted; finished files are complete, the others as they were", err=True)
            ctx.exit(_INTERRUPTED)
        except Exception as error:
            from policies.errors import MissingDependency, ToolkitError

            if isinstance(error, ImportError):
                error = MissingDependency(f"{error}; install biaoshi with all it depends on")
            if not isinstance(error, ToolkitError):
                click.echo(f"biaoshi: bug: {type(error).__name__}: {error}; please report it", err=True)
                ctx.exit(_BUG)
            _complain(str(error))
            ctx.exit(_MISSING if isinstance(error, MissingDependency) else _BAD_INPUT)


@click.group(cls=Fronted, context_settings=_HELP)
@click.version_option(package_name="biaoshi", prog_name="biaoshi")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Label AI-generated images, video, audio and text as China's GB 45438-2025 asks, and verify what comes in.

    \b
      biaoshi label photo.png -o labelled.png --producer 001191110102MACQD9K64010000
      biaoshi verify labelled.png

    Options can be settled in biaoshi.toml (here or in ~/.config/biaoshi) or in variables: BIAOSHI_PRODUCER=….
    """
    from service import settings

    values = settings.load()
    ctx.default_map = dict.fromkeys(cli.commands, values)


def main() -> None:
    """The entry point."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that temporary folders are removed
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # no name and no locale stops the output
    cli(prog_name="biaoshi")


def _policy(command: F) -> F:
    return click.option(
        "--policy", default="cn", show_default=True, metavar="NAME|FILE", help="The rules: see `biaoshi policies`."
    )(command)


def _json(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")(command)


def _many(command: F) -> F:
    command = click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes.")(
        command
    )
    return click.option("--recursive", "-r", is_flag=True, help="Take folders, and all files below them.")(command)


@cli.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("-o", "--output", "target", required=True, metavar="TARGET", help="A file, or a folder for several.")
@click.option("--producer", metavar="CODE", help="Who generated it: a provider code, or a name.")
@click.option("--produce-id", metavar="ID", help="Its number at the producer; a fresh UUID otherwise.")
@click.option("--reserved-code", metavar="TEXT", help="ReservedCode1, for the producer's own use.")
@_policy
@click.option(
    "--marks", type=_names, metavar="LIST", help="explicit,metadata or one; what the policy requires otherwise."
)
@click.option("--text", help="Wording of the notice.")
@click.option("--language", type=click.Choice(["zh", "en", "zh-en"]), help="Suggested wording in this language.")
@click.option("--position", type=click.Choice(_POSITIONS), metavar="PLACE", help="top-left, top … bottom-right.")
@click.option("--height", metavar="PERCENT", help="Height of its letters: 6 is 6 % of the shortest side.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Video: how long the notice shows.")
@click.option("--whole-clip/--opening", default=None, help="Video: show it all along, or at the opening only.")
@click.option("--font", type=click.Path(exists=True, dir_okay=False), help="For scripts the packaged font lacks.")
@click.option("--cue", type=click.Choice(["voice", "rhythm"]), help="Audio: spoken notice, or short-long short-short.")
@click.option("--place", type=click.Choice(["start", "end", "both"]), help="Audio and text: where the notice goes.")
@click.option("--form", type=click.Choice(["line", "corner"]), help="Text: a line of its own, or a corner mark.")
@click.option("--force", is_flag=True, help="Overwrite targets; replace a label too damaged to read.")
@_many
@_json
def label(sources: tuple[str, ...], target: str, recursive: bool, jobs: int, as_json: bool, **options: Any) -> None:
    """Label files; the sources are never changed.

    \b
      biaoshi label clip.mp4 -o out/clip.mp4 --producer CODE --position top-left
      biaoshi label "shots/*.jpg" -o out/ --marks metadata
      biaoshi label library -r -o out/ --jobs 4 --json
    """
    from service import tables
    from service.jobs import LabelOptions, producer_warnings

    chosen = LabelOptions.of(options)
    for warning in producer_warnings(chosen.producer):
        click.echo(f"biaoshi: warning: {warning}", err=True)
    work = _labelling(sources, target, recursive, chosen)
    sys.exit(_run(work, jobs, as_json, tables.label))


@cli.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@_policy
@_many
@_json
def verify(sources: tuple[str, ...], policy: str, recursive: bool, jobs: int, as_json: bool) -> None:
    """Judge files clause by clause.

    Exits 0 if everything is met, 1 if something is not, 2 if a file could not be judged.

    \b
      biaoshi verify photo.png
      biaoshi verify incoming -r --jobs 4 --json > reports.jsonl

    Results come as they are ready: with several jobs, in no particular order.
    """
    from policies.policy import load
    from service import tables
    from service.jobs import Job, verify_file
    from service.sources import find

    load(policy)  # wrong for one is wrong for all: say it once
    work = (
        Job(found.path, verify_file, (found.path, policy)) if found.problem is None else _problem(found)
        for found in find(sources, recursive)
    )
    sys.exit(_run(work, jobs, as_json, tables.report))


@cli.command()
@click.argument("source")
@_json
def inspect(source: str, as_json: bool) -> None:
    """Show what is found in a file, and where.

    \b
      biaoshi inspect photo.png
    """
    from service import tables
    from service.jobs import Job, inspect_file

    sys.exit(_run([Job(source, inspect_file, (source,))], 1, as_json, tables.findings))


@cli.command()
@click.argument("name", required=False)
@_json
def policies(name: str | None, as_json: bool) -> None:
    """List the policies, or one's requirements.

    \b
      biaoshi policies
      biaoshi policies cn
    """
    from policies.policy import load, names
    from service import render, tables

    if name is not None:
        _show([render.policy(load(name))], as_json, tables.policy)
        return
    heads = [render.policy_head(load(known)) for known in names()]
    if as_json:
        _show(heads, as_json, tables.policy)
    else:
        _echo(tables.policies(heads))


@cli.command()
@click.argument("code", required=False)
@click.option("--build", "credit_code", metavar="USCC", help="Build the code from a unified social credit code.")
@click.option("--service", default="0", help="With --build: 1 generation, 2 propagation.  [default: not stated]")
@click.option(
    "--app", default="0000", metavar="CODE", show_default=True, help="With --build: your own four characters."
)
@_json
def code(code: str | None, credit_code: str | None, service: str, app: str, as_json: bool) -> None:
    """Check a provider code, or build one.

    The 27 characters of TC260-PG-20252A are explained part by part. Exits 0 for a good code, 1 otherwise.

    \b
      biaoshi code 001191110102MACQD9K64010000
      biaoshi code --build 91110102MACQD9K640 --service 1
    """
    from policies import provider_code
    from service import render, tables

    if (code is None) == (credit_code is None):
        raise click.UsageError("give a CODE to check, or --build USCC to build one")
    if credit_code is not None:
        code = provider_code.build(credit_code, service, app)
    assert code is not None
    result = render.provider_code(code)
    if credit_code is not None and not as_json:
        click.echo(code)
    else:
        _show([result], as_json, tables.provider_code)
    sys.exit(_ALL_MET if result["valid"] else _NOT_MET)


@cli.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one.  [default: 8000]")
@click.option("--max-upload", metavar="SIZE", help="Largest file taken.  [default: 2GiB]")
@click.option("--time-limit", type=float, metavar="SECONDS", help="Longest work on one file.  [default: 600]")
@click.option("--stall-limit", type=float, metavar="SECONDS", help="Longest pause in an upload.  [default: 30]")
@click.option("--workers", type=click.IntRange(0), help="Processes.  [default: one a processor]")
@click.option("--queue", type=click.IntRange(0), help="Uploads that may wait; more get 503.  [default: 16]")
def serve(**options: Any) -> None:
    """Serve label and verify over HTTP.

    The page /docs describes it. There is no log-in: keep it on this machine, or behind a proxy that has one.

    \b
      biaoshi serve
      curl -T photo.png "http://127.0.0.1:8000/v1/verify?filename=photo.png"
    """
    from service import settings
    from service.app import serve as serve_http

    given = {key: value for key, value in options.items() if value is not None}
    serve_http(settings.ServiceSettings.of(settings.load() | given))


@cli.command()
@click.option("--samples", default="samples", show_default=True, type=click.Path(), help="Where the samples lie.")
@click.option("-o", "--output", "target", default="demo-out", show_default=True, type=click.Path(), help="Results.")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes.")
def demo(samples: str, target: str, jobs: int) -> None:
    """Label and verify a sample of every format.

    Exits 1 if a verdict is not met.

    \b
      biaoshi demo
    """
    from service.demo import demo as run_demo

    sys.exit(_ALL_MET if run_demo(Path(samples), Path(target), jobs, click.echo) else _NOT_MET)


def _labelling(sources: tuple[str, ...], target: str, recursive: bool, options: LabelOptions) -> Iterator[Job | Json]:
    """A job for every file found, each with its own target. Wrong usage is said before anything is written."""
    from policies.policy import load
    from service.jobs import Job, label_file
    from service.sources import Targets, find, single

    load(options.policy)
    alone = single(sources)
    if options.produce_id and alone is None:
        raise click.UsageError("--produce-id numbers one file; leave it out for several, each then gets a UUID")
    is_folder = os.path.isdir(target)  # noqa: PTH112 - says no where Path raises, at a name too long for instance
    if alone is not None and not is_folder and not target.endswith("/"):
        return iter([Job(alone, label_file, (alone, target, options))])
    if not is_folder and os.path.exists(target):  # noqa: PTH110 - the same
        raise click.UsageError(f"TARGET {target} is a file; for several sources name a folder")
    targets = Targets(Path(target))
    return (
        _placed(found, targets, lambda source, place: Job(source, label_file, (source, place, options)))
        for found in find(sources, recursive, outside=targets.folder)
    )


def _placed(found: Found, targets: Targets, job: Callable[[str, str], Job]) -> Job | Json:
    from policies.errors import BadInput
    from service.jobs import failed

    if found.problem is not None:
        return _problem(found)
    try:
        return job(found.path, str(targets.place(found)))
    except BadInput as error:
        return failed(found.path, error)


def _problem(found: Found) -> Json:
    from service.jobs import failed

    assert found.problem is not None
    return failed(found.path, found.problem)


def _run(work: Iterable[Job | Json], jobs: int, as_json: bool, lines: Callable[[Json], Iterator[str]]) -> int:
    """Do the work, print each result when it is there, and sum up in an exit code: the worst that happened."""
    from service import batch, tables

    exits = set()
    with _Counter() as counter:
        for result in batch.run(work, jobs):
            counter.clear()
            exits.add(_exit_code(result))
            if "error" in result and not as_json:
                _complain(tables.failure(result))
            else:
                _show([result], as_json, lines)
            counter.count("error" in result)
    if not exits:
        _complain("no file found; folders are searched with --recursive")
        return _BAD_INPUT
    return next(code for code in (_BAD_INPUT, _MISSING, _NOT_MET, _ALL_MET) if code in exits)


def _exit_code(result: Json) -> int:
    if "error" in result:
        return _MISSING if result["error"]["type"] == "MissingDependency" else _BAD_INPUT
    # A verification is asked whether all is met; of a labelling the verdict is news, not a failure.
    return _NOT_MET if "requirements" in result and result["verdict"] != "met" else _ALL_MET


def _show(results: Iterable[Json], as_json: bool, lines: Callable[[Json], Iterator[str]]) -> None:
    from service.render import to_json

    for result in results:
        _echo([to_json(result)] if as_json else lines(result))


def _echo(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _complain(message: str) -> None:
    from service.tables import shown

    click.echo(f"biaoshi: error: {shown(message)}", err=True)


class _Counter:
    """How far a run is, on a terminal that does not show the results themselves."""

    def __init__(self) -> None:
        self._active = sys.stderr.isatty() and not sys.stdout.isatty()
        self._done = self._failed = 0

    def count(self, failed: bool) -> None:
        self._done += 1
        self._failed += failed
        if self._active:
            click.echo(f"\r{self._done} done, {self._failed} failed", nl=False, err=True)

    def clear(self) -> None:
        if self._active:
            click.echo("\r\x1b[K", nl=False, err=True)

    def __enter__(self) -> _Counter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._active and self._done:
            click.echo(err=True)
