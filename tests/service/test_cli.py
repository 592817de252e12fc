"""The command line as its users meet it: exit codes, lines, JSON, and errors that say what to do."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from policies.errors import MissingDependency
from service import jobs
from service.cli import cli
from tests.clips import clip
from tests.conftest import CODE, LABEL, ROOT, SAMPLES, run, sample, tool

BIAOSHI = (sys.executable, "-c", "from service.cli import main; main()")
METADATA = ("--marks", "metadata", "--producer", CODE)


@pytest.fixture(autouse=True)
def _nobodys_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("BIAOSHI_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))


def biaoshi(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments], prog_name="biaoshi")


def process(*arguments: str | bytes | Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    """The real thing: its own process, its own streams."""
    return subprocess.run(
        [*BIAOSHI, *arguments], capture_output=True, timeout=120, check=False, env={**os.environ, **(env or {})}
    )


def records(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def png() -> Path:
    return sample("png")


@pytest.fixture
def labelled(png: Path, tmp_path: Path) -> Path:
    target = tmp_path / "labelled.png"
    assert biaoshi("label", png, "-o", target, *METADATA).exit_code == 0
    return target


@pytest.fixture
def lenient(tmp_path: Path) -> Path:
    """A policy that asks for the metadata item only."""
    path = tmp_path / "lenient.toml"
    path.write_text(
        '[policy]\nid = "lenient"\ntitle = "t"\nversion = "1"\nin_force = "2025-09-01"\n[[requirement]]\n'
        'id = "item"\nclause = "c"\nsays = "s"\nlevel = "must"\nmark = "metadata"\nmedia = ["image"]\n'
        'check = "present"\nsource = "s"\n'
    )
    return path


# ---- label


def test_label_writes_the_item_that_exiftool_reads(labelled: Path) -> None:
    assert CODE in run(tool("exiftool"), "-XMP:all", "-b", labelled)


def test_label_says_in_json_what_it_did(png: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    (record,) = records(biaoshi("label", png, "-o", target, *METADATA, "--produce-id", LABEL.produce_id, "--json"))
    assert record["label"] == LABEL.as_dict()
    assert (record["source"], record["target"]) == (str(png), str(target))
    assert record["marks"] == ["metadata"]
    assert record.keys() >= {"sha256", "untouched", "notes", "verdict"}


def test_each_file_gets_a_number_of_its_own(png: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png.read_bytes())
    done = records(biaoshi("label", tmp_path / "*.png", "-o", tmp_path / "out", *METADATA, "--json"))
    assert len({record["label"]["ProduceID"] for record in done}) == 2


def test_a_number_for_several_files_is_refused(png: Path, tmp_path: Path) -> None:
    result = biaoshi("label", png, png, "-o", tmp_path / "out", *METADATA, "--produce-id", "n1")
    assert result.exit_code == 2
    assert "--produce-id numbers one file" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_is_labelled_with_its_structure_by_several_processes(png: Path, tmp_path: Path) -> None:
    for name in ("a.png", "sub/b.png", "sub/c.txt.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(png.read_bytes())
    result = biaoshi("label", tmp_path / "in", "-r", "-o", tmp_path / "out", *METADATA, "--jobs", "2")
    assert result.exit_code == 0, result.output
    assert {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.png")} == {
        "a.png",
        "sub/b.png",
        "sub/c.txt.png",
    }


def test_a_missing_producer_is_explained(png: Path, tmp_path: Path) -> None:
    result = biaoshi("label", png, "-o", tmp_path / "out.png")
    assert result.exit_code == 2
    assert all(way in result.stderr for way in ("--producer", "BIAOSHI_PRODUCER", "biaoshi.toml"))


def test_a_faulty_producer_code_is_warned_of(png: Path, tmp_path: Path) -> None:
    wrong = CODE.replace("K64", "K65")
    result = biaoshi("label", png, "-o", tmp_path / "out.png", "--marks", "metadata", "--producer", wrong)
    assert result.exit_code == 0
    assert "biaoshi: warning: producer" in result.stderr
    assert "check" in result.stderr


def test_an_existing_target_is_kept_without_force(labelled: Path, png: Path) -> None:
    before = labelled.read_bytes()
    result = biaoshi("label", png, "-o", labelled, *METADATA)
    assert result.exit_code == 2
    assert "--force" in result.stderr
    assert labelled.read_bytes() == before
    assert biaoshi("label", png, "-o", labelled, *METADATA, "--force").exit_code == 0


@pytest.mark.parametrize("height", ["0.06", "six", "-3", "90"])
def test_a_height_that_is_no_percentage_is_explained(png: Path, tmp_path: Path, height: str) -> None:
    result = biaoshi("label", png, "-o", tmp_path / "out.png", "--producer", CODE, f"--height={height}")
    assert result.exit_code == 2
    assert "6 stands for 6 %" in result.stderr


@pytest.mark.parametrize("given", [6, 6.0, "6", "6%", " 6 % "])
def test_heights_are_percentages(given: float | str) -> None:
    assert jobs.ratio(given) == pytest.approx(0.06)


def test_only_what_was_given_is_asked_of_the_notice() -> None:
    assert jobs.LabelOptions.of({"producer": "x", "whole_clip": None, "text": None}).notice == {}
    asked = jobs.LabelOptions.of({"producer": "x", "whole_clip": False, "height": "6", "cue": "rhythm"})
    assert asked.notice == {"whole_clip": False, "height": 0.06, "cue": "rhythm"}


@pytest.mark.parametrize(
    ("flags", "given"), [([], None), (["--whole-clip"], True), (["--opening"], False)], ids=["none", "whole", "opening"]
)
def test_a_flag_not_given_leaves_the_choice_to_the_policy(flags: list[str], given: bool | None) -> None:
    context = cli.commands["label"].make_context("label", ["a.png", "-o", "b.png", *flags])
    assert context.params["whole_clip"] is given


def test_settings_give_defaults_that_flags_override(png: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("biaoshi.toml").write_text('producer = "from-file"\nmarks = ["metadata"]\n')
    (record,) = records(biaoshi("label", png, "-o", tmp_path / "1.png", "--json"))
    assert record["label"]["ContentProducer"] == "from-file"
    monkeypatch.setenv("BIAOSHI_PRODUCER", "from-variable")
    (record,) = records(biaoshi("label", png, "-o", tmp_path / "2.png", "--json"))
    assert record["label"]["ContentProducer"] == "from-variable"
    (record,) = records(biaoshi("label", png, "-o", tmp_path / "3.png", "--json", "--producer", "from-flag"))
    assert record["label"]["ContentProducer"] == "from-flag"


def test_an_unknown_setting_stops_with_its_name(png: Path) -> None:
    Path("biaoshi.toml").write_text("colour = 1\n")
    result = biaoshi("verify", png)
    assert result.exit_code == 2
    assert "unknown key colour" in result.stderr


# ---- verify


def test_verify_exits_0_where_all_is_met(labelled: Path, lenient: Path) -> None:
    assert process("verify", labelled, "--policy", lenient).returncode == 0


def test_verify_exits_1_where_something_is_unmet(png: Path, lenient: Path) -> None:
    done = process("verify", png, "--policy", lenient)
    assert done.returncode == 1
    assert b"unmet" in done.stdout


def test_verify_names_verdict_clause_and_reason_of_each_requirement(labelled: Path) -> None:
    text = biaoshi("verify", labelled).stdout
    assert re.search(
        r"met +must +metadata\.item \[Measures Art\. 5; GB 45438-2025 6\.1 a\)\]\n +AIGC item, in iTXt", text
    )


def test_verify_json_is_one_object_a_line(labelled: Path, png: Path) -> None:
    done = records(biaoshi("verify", labelled, png, "--json"))
    assert [record["source"] for record in done] == [str(labelled), str(png)]
    assert list(done[0]) == [
        "source",
        "sha256",
        "media",
        "container",
        "policy",
        "verdict",
        "requirements",
        "findings",
    ]
    assert {tuple(row) for row in done[0]["requirements"]} == {("id", "clause", "level", "verdict", "because")}
    (item,) = [f for f in done[0]["findings"] if f["detector"] == "metadata" and not f["id"]]
    assert item["label"]["ContentProducer"] == CODE


def test_a_bad_file_does_not_stop_the_rest(labelled: Path, tmp_path: Path, lenient: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"\0nothing known")
    result = biaoshi("verify", tmp_path / "bad.png", labelled, "--policy", lenient, "--json")
    bad, good = records(result)
    assert bad["error"]["type"] == "Unsupported"
    assert good["verdict"] == "met"
    assert result.exit_code == 2


def test_a_target_name_no_system_takes_is_bad_input(png: Path, tmp_path: Path) -> None:
    result = biaoshi("label", png, "-o", tmp_path / ("n" * 300), "--producer", CODE, "--marks", "metadata")
    assert result.exit_code == 2
    assert "name too long; choose another" in result.stderr


@pytest.mark.parametrize("source", ["missing.png", ".", "/dev/null"])
def test_what_is_no_file_is_bad_input(source: str) -> None:
    result = biaoshi("verify", source)
    assert result.exit_code == 2
    assert result.stderr.startswith("biaoshi: error: ")
    assert "Traceback" not in result.output


def test_a_pipe_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "not a regular file" in biaoshi("verify", tmp_path / "pipe.png").stderr


def test_an_empty_folder_is_not_a_pass(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert biaoshi("verify", tmp_path / "empty", "-r").exit_code == 2


def test_a_policy_nobody_knows_is_named_once(png: Path) -> None:
    result = biaoshi("verify", png, png, "--policy", "atlantis")
    assert result.exit_code == 2
    assert result.stderr.count("no policy called 'atlantis'") == 1


def test_a_missing_dependency_exits_3(png: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(*_: object) -> None:
        raise MissingDependency("reading this takes a library; pip install it")

    monkeypatch.setattr(jobs, "verify_file", without)
    result = biaoshi("verify", png)
    assert result.exit_code == 3
    assert "pip install it" in result.stderr


def test_a_name_that_is_not_utf8_is_reported_and_read(labelled: Path, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\x1b[31m.png"
    with open(name, "wb") as file:
        file.write(labelled.read_bytes())
    done = process(b"verify", name, b"--json")
    assert os.fsencode(json.loads(done.stdout)["source"]) == name
    shown = process(b"verify", name)
    assert shown.returncode in (0, 1)
    assert b"\\udcff\\x1b[31m.png" in shown.stdout


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}])
def test_no_locale_stops_the_output(labelled: Path, locale: dict[str, str]) -> None:
    done = process("verify", labelled, env=locale)
    assert done.returncode in (0, 1)
    assert not done.stderr


def test_no_colours_and_no_progress_in_a_pipe(labelled: Path) -> None:
    done = process("verify", labelled)
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"\r" not in done.stdout + done.stderr


def test_a_reader_that_leaves_early_is_no_error(labelled: Path) -> None:
    sources = [str(labelled)] * 50
    with subprocess.Popen(
        [*BIAOSHI, "verify", *sources], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.read(1)
        running.stdout.close()
        assert running.stderr.read() == b""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_exits_130_without_a_traceback(labelled: Path, workers: str) -> None:
    sources = [str(labelled)] * 5000
    with subprocess.Popen(
        [*BIAOSHI, "verify", "--jobs", workers, *sources],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        bufsize=0,
    ) as running:
        assert running.stdout is not None
        running.stdout.read(1)  # it is at work
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the workers too
        _, complaints = running.communicate(timeout=60)
    assert running.returncode == 130
    assert b"Traceback" not in complaints


def test_terminating_a_labelling_leaves_no_scratch_folder(tmp_path: Path) -> None:
    source = tmp_path / "big.png"
    source.write_bytes(sample("png").read_bytes() + bytes(256 << 20))
    with subprocess.Popen([*BIAOSHI, "label", str(source), "-o", str(tmp_path / "out.png"), *METADATA]) as running:
        while running.poll() is None and not list(tmp_path.glob(".biaoshi-*/*")):
            time.sleep(0.01)
        running.terminate()
        assert running.wait(60) in (0, 143)
    assert not list(tmp_path.glob(".biaoshi-*"))


def test_a_clip_shorter_than_the_notice_has_to_stand_is_labelled_and_the_shortfall_noted(tmp_path: Path) -> None:
    source = clip(tmp_path, seconds=1)
    target = tmp_path / "out.mp4"
    (record,) = records(biaoshi("label", source, "-o", target, "--producer", "x", "--json"))
    assert record["verdict"] == "unmet"
    assert any("5.4 (duration)" in note and "at least 2" in note for note in record["notes"])


# ---- the other commands


def test_inspect_shows_the_label_and_where_it_is(labelled: Path) -> None:
    text = biaoshi("inspect", labelled).stdout
    assert CODE in text
    assert "iTXt chunk XML:com.adobe.xmp at byte" in text
    (record,) = records(biaoshi("inspect", labelled, "--json"))
    assert record["findings"]


def test_policies_lists_them_and_shows_one() -> None:
    assert "cn " in biaoshi("policies").stdout
    text = biaoshi("policies", "cn").stdout
    assert "GB 45438-2025 5.2 (text height)" in text
    assert "height at-least 0.05" in text
    assert biaoshi("policies", "atlantis").exit_code == 2


def test_code_explains_a_code_and_exits_1_for_a_wrong_one() -> None:
    good = biaoshi("code", CODE)
    assert good.exit_code == 0
    assert "service: generation" in good.stdout
    wrong = biaoshi("code", CODE[:-1])
    assert wrong.exit_code == 1
    assert "26 characters" in wrong.stdout


def test_code_builds_a_code_from_a_credit_code() -> None:
    assert biaoshi("code", "--build", CODE[4:22], "--service", "1").stdout == CODE + "\n"
    assert biaoshi("code", "--build", CODE[4:21] + "9").exit_code == 2
    assert biaoshi("code").exit_code == 2


def test_demo_labels_all_four_kinds_and_all_are_met(tmp_path: Path) -> None:
    result = biaoshi("demo", "--samples", SAMPLES, "-o", tmp_path / "demo")
    assert result.exit_code == 0, result.output
    assert "4 kinds of media" in result.stdout
    assert str(tmp_path / "demo") in result.stdout


def test_demo_says_where_samples_come_from(tmp_path: Path) -> None:
    result = biaoshi("demo", "--samples", tmp_path)
    assert result.exit_code == 2
    assert "--samples" in result.stderr


def test_serve_answers_until_ctrl_c() -> None:
    with subprocess.Popen(
        [*BIAOSHI, "serve", "--port", "0", "--workers", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        address = next(found[0] for line in server.stderr if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
        assert httpx.get(f"{address}/healthz", timeout=60).json()["status"] == "ok"
        server.send_signal(signal.SIGINT)
        complaints = server.communicate(timeout=60)[1]
    assert server.returncode == 0  # asked to stop, it stopped
    assert "Traceback" not in complaints


def test_a_port_that_is_taken_is_bad_input() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = process("serve", "--port", str(taken.getsockname()[1]), "--workers", "1")
    assert done.returncode == 2
    assert b"choose another --host or --port" in done.stderr


# ---- help and start-up


@pytest.mark.parametrize("command", [None, *cli.commands])
def test_help_fits_a_screen_and_has_an_example(command: str | None) -> None:
    text = biaoshi(*([command] if command else []), "--help").stdout
    assert len(text.splitlines()) <= 40
    assert max(map(len, text.splitlines())) <= 100
    assert f"  biaoshi {command or 'label'}" in text


def test_the_readme_and_help_examples_name_options_that_exist() -> None:
    for command in cli.commands.values():
        known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
        for line in (command.help or "").splitlines():
            if line.strip().startswith("biaoshi "):
                assert {word for word in line.split() if re.match("--?[a-z]", word)} <= known, line


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    script = (
        "import sys\nfrom service.cli import cli\n"
        "try: cli(['--version'])\nexcept SystemExit: pass\n"
        "print({'numpy', 'cv2', 'av', 'PIL', 'fastapi', 'uvicorn', 'lxml', 'labeler', 'policies'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "set()"
