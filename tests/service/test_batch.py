"""Many files: what is found, where it goes, and that one file never harms another."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from policies.errors import BadInput
from service import batch
from service.batch import Worker
from service.jobs import Job
from service.render import Json
from service.sources import Found, Targets, find, single


def echo(name: str) -> Job:
    """A job that gives its name back; its function is the standard library's, so any worker can import it."""
    return Job(name, dict, ({"source": name},))


def paths(*arguments: Path | str, recursive: bool = True, outside: Path | None = None) -> set[str]:
    return {found.path for found in find(map(str, arguments), recursive, outside)}


# ---- the engine


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_has_its_result(workers: int) -> None:
    results = list(batch.run([echo(str(i)) for i in range(20)], workers))
    assert sorted(int(r["source"]) for r in results) == list(range(20))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_job_is_reported_among_the_others(workers: int) -> None:
    results = list(batch.run([echo("a"), Job("bad", json.loads, ("{",)), echo("b")], workers))
    assert {r["source"]: r.get("error", {}).get("type") for r in results} == {
        "a": None,
        "bad": "InternalError",
        "b": None,
    }


@pytest.mark.parametrize("deadly", [Job("poison", os.abort, ()), Job("poison", os._exit, (7,))])
def test_a_file_that_kills_its_worker_is_the_only_one_lost(deadly: Job) -> None:
    jobs = [echo(str(i)) for i in range(10)]
    results = {r["source"]: r for r in batch.run([*jobs[:5], deadly, *jobs[5:]], 2)}
    assert results.pop("poison")["error"]["type"] == "Crashed"
    assert {job.source for job in jobs} == results.keys()
    assert not any("error" in r for r in results.values())


def test_a_job_killed_once_from_outside_is_done_again(tmp_path: Path) -> None:
    marker = tmp_path / "died"
    script = (
        "import os,sys\nif not os.path.exists(sys.argv[1]):\n open(sys.argv[1],'w').close(); os.kill(os.getppid(), 9)"
    )
    job = Job("victim", _status, ([sys.executable, "-c", script, str(marker)],))
    results = list(batch.run([job, echo("other")], 2))
    assert marker.exists()
    assert {"source": "victim", "status": 0} in results


def _status(command: list[str]) -> Json:
    return {"source": "victim", "status": subprocess.run(command, check=False).returncode}


def test_a_worker_over_its_time_is_stopped_and_the_next_job_runs() -> None:
    worker = Worker()
    try:
        began = time.monotonic()
        assert worker.run(Job("slow", time.sleep, (600,)), seconds=0.5)["error"]["type"] == "TimeLimit"
        assert time.monotonic() - began < 300
        assert worker.run(echo("next"), seconds=60) == {"source": "next"}
    finally:
        worker.stop()


def test_a_worker_that_died_idle_is_replaced() -> None:
    worker = Worker()
    try:
        pid = worker.run(Job("", os.getpid, ()))
        os.kill(int(str(pid)), signal.SIGKILL)
        # Dead to the last thread: before that its end of the pipe is still open, and would take a job.
        while int(str(pid)) in {child.pid for child in multiprocessing.active_children()}:
            time.sleep(0.05)
        assert worker.run(echo("next")) == {"source": "next"}
    finally:
        worker.stop()


def test_sources_are_drawn_only_as_workers_become_free() -> None:
    drawn = 0

    def endless() -> Iterator[Job]:
        nonlocal drawn
        while True:
            drawn += 1
            yield echo(str(drawn))

    results = batch.run(endless(), 2)
    for _ in range(10):
        next(results)
    assert drawn <= 10 + 2 + 1
    results.close()  # type: ignore[attr-defined]


def test_workers_die_with_an_abruptly_killed_driver() -> None:
    script = (
        "import os, time\nfrom service.batch import Worker\nfrom service.jobs import Job\n"
        "if __name__ == '__main__':\n"
        " w = Worker(); print(w.run(Job('', os.getpid, ())), flush=True)\n"
        " w.start(Job('', time.sleep, (600,))); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        pid = int(driver.stdout.readline())
        assert _alive(pid)
        driver.kill()
    deadline = time.monotonic() + 60
    while _alive(pid):
        assert time.monotonic() < deadline, "the worker outlived its driver"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# ---- discovery


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.png", "sub/b.png", "sub/deeper/c.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"x")
    return tmp_path / "in"


def test_a_folder_is_searched_to_its_depth(tree: Path) -> None:
    assert {f.relative for f in find([str(tree)], True)} == {"a.png", "sub/b.png", "sub/deeper/c.png"}


def test_a_link_back_up_is_not_followed(tree: Path) -> None:
    (tree / "sub" / "loop").symlink_to(tree, target_is_directory=True)
    (tree / "linked.png").symlink_to(tree / "a.png")
    assert {f.relative for f in find([str(tree)], True)} == {"a.png", "linked.png", "sub/b.png", "sub/deeper/c.png"}


def test_temporary_folders_of_a_killed_run_are_passed_over(tree: Path) -> None:
    (tree / ".biaoshi-x1y2").mkdir()
    (tree / ".biaoshi-x1y2" / "labelled.png").write_bytes(b"half")
    assert not any(".biaoshi-" in path for path in paths(tree))


def test_the_target_folder_inside_the_source_is_not_searched(tree: Path) -> None:
    (tree / "out").mkdir()
    (tree / "out" / "a.png").write_bytes(b"x")
    assert str(tree / "out" / "a.png") not in paths(tree, outside=tree / "out")


def test_a_target_folder_of_an_impossible_name_is_in_nobodys_way(tree: Path) -> None:
    assert paths(tree, outside=tree / ("n" * 300)) == paths(tree)


def test_patterns_are_expanded_for_shells_that_do_not(tree: Path) -> None:
    assert paths(tree / "*.png", recursive=False) == {str(tree / "a.png")}
    assert len(paths(tree / "**" / "*.png", recursive=False)) == 3


def test_a_name_that_looks_like_a_pattern_is_taken_as_it_is(tree: Path) -> None:
    (tree / "[1].png").write_bytes(b"x")
    assert paths(tree / "[1].png") == {str(tree / "[1].png")}


def test_an_unreadable_folder_is_a_problem_not_the_end(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = os.scandir

    def refuse(path: str) -> os.scandir[str]:
        if Path(path).name == "deeper":
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = list(find([str(tree)], True))
    assert [f.path for f in found if f.problem] == [str(tree / "sub" / "deeper")]
    assert {f.relative for f in found if not f.problem} == {"a.png", "sub/b.png"}


def test_one_file_is_told_from_several(tree: Path) -> None:
    assert single([str(tree / "a.png")]) == str(tree / "a.png")
    assert single([str(tree / "*.png")]) is None
    assert single([str(tree)]) is None
    assert single([str(tree / "a.png"), str(tree / "sub" / "b.png")]) is None


# ---- targets


def test_the_folder_structure_is_mirrored(tree: Path, tmp_path: Path) -> None:
    targets = Targets(tmp_path / "out")
    placed = {targets.place(f).relative_to(tmp_path / "out").as_posix() for f in find([str(tree)], True)}
    assert placed == {"a.png", "sub/b.png", "sub/deeper/c.png"}
    assert (tmp_path / "out" / "sub" / "deeper").is_dir()


def test_two_files_of_one_name_are_not_written_to_one_target(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.png").write_bytes(b"y")
    named, folder = str(other / "a.png"), str(tree)
    for first, second in ((named, str(tree / "a.png")), (named, folder), (folder, named), (folder, str(other))):
        assert _refused([first, second], tmp_path / "out") == ["a.png"], (first, second)


def _refused(sources: list[str], folder: Path) -> list[str]:
    targets = Targets(folder)
    refused = []
    for found in find(sources, True):
        try:
            targets.place(found)
        except BadInput:
            refused.append(found.relative)
    return refused


def test_a_target_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BadInput, match="cannot make the folder"):
        Targets(tmp_path / "file" / "out").place(Found("a.png", "a.png"))
