"""label(): nothing lost, nothing doubled, nothing half-written, whatever goes wrong."""

import io
import os
import stat
from pathlib import Path

import pytest

import detectors
import labeler
from labeler import pipeline
from labeler.asset import Asset
from labeler.containers import containers
from labeler.metadata import decode
from policies import AigcLabel, BadInput, Mark, ToolkitError, Unsupported, Verdict
from tests.conftest import CODE, LABEL, sample

OTHER_CODE = "00119144030008867405X210002"
every = pytest.mark.parametrize("container", list(containers()))


def only_copy(path: Path) -> AigcLabel | None:
    with Asset.open(path) as asset:
        [copy] = asset.container.read(asset.data)
        return decode(copy.value).label


@every
def test_a_labelled_sample_is_met_under_cn(container: str, tmp_path: Path) -> None:
    source = sample(container)
    target = tmp_path / source.name
    before = source.read_bytes()
    done = labeler.label(source, target, LABEL)
    report = detectors.verify(target)
    assert report.verdict is Verdict.MET, [j for j in report.judgements if j.verdict is not Verdict.MET]
    assert done.sha256 == report.facts.sha256
    assert source.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == [source.name]


@every
def test_labelling_twice_equals_labelling_once(container: str, tmp_path: Path) -> None:
    source = sample(container)
    once, twice = tmp_path / f"once{source.suffix}", tmp_path / f"twice{source.suffix}"
    first = labeler.label(source, once, AigcLabel.produced(CODE))
    second = labeler.label(once, twice, AigcLabel.produced(CODE))
    assert twice.read_bytes() == once.read_bytes()
    assert second.marks == first.marks


def test_a_fresh_number_is_given_to_each_file(tmp_path: Path) -> None:
    done = [labeler.label(sample("png"), tmp_path / f"{n}.png", AigcLabel.produced(CODE)) for n in "ab"]
    numbers = {d.label.produce_id for d in done}
    assert len(numbers) == 2
    assert all(d.label.propagate_id == d.label.produce_id for d in done)


def test_another_producers_label_is_never_overwritten(tmp_path: Path) -> None:
    labeler.label(sample("png"), tmp_path / "a.png", LABEL, marks=["metadata"])
    with pytest.raises(BadInput, match="never overwritten"):
        labeler.label(tmp_path / "a.png", tmp_path / "b.png", AigcLabel.produced(OTHER_CODE), force=True)
    assert not (tmp_path / "b.png").exists()


def test_another_number_for_the_same_file_is_refused(tmp_path: Path) -> None:
    labeler.label(sample("png"), tmp_path / "a.png", LABEL, marks=["metadata"])
    with pytest.raises(BadInput, match="already labelled as"):
        labeler.label(tmp_path / "a.png", tmp_path / "b.png", AigcLabel.produced(CODE, "another"))


def test_a_damaged_label_is_replaced_only_by_force(tmp_path: Path) -> None:
    labeler.label(sample("png"), tmp_path / "a.png", LABEL, marks=["metadata"])
    broken = (tmp_path / "a.png").read_bytes().replace(b'{"Label"', b'["Label"')
    with pytest.raises(BadInput, match="too damaged to read; --force"):
        labeler.label(broken, tmp_path / "b.png", LABEL, marks=["metadata"])
    labeler.label(broken, tmp_path / "b.png", LABEL, marks=["metadata"], force=True)
    assert only_copy(tmp_path / "b.png") == LABEL


def test_bytes_and_streams_come_back_as_bytes() -> None:
    data = sample("png").read_bytes()
    from_bytes = labeler.label(data, None, LABEL, name="a.png")
    from_stream = labeler.label(io.BytesIO(data), None, LABEL, name="a.png")
    assert from_bytes.data is not None
    assert from_bytes.data == from_stream.data
    assert detectors.verify(from_bytes.data, name="a.png").verdict is Verdict.MET


@pytest.mark.parametrize(
    ("options", "clause"),
    [
        ({"text": "AI-generated"}, "wording"),
        ({"language": "en"}, "wording"),
        ({"position": "center"}, "position"),
        ({"height": 0.03}, "text height"),
    ],
)
def test_a_choice_the_standard_forbids_is_refused_by_clause(
    options: labeler.NoticeOptions, clause: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=rf"GB 45438-2025 5\.2 \({clause}\)"):
        labeler.label(sample("png"), tmp_path / "a.png", LABEL, notice=options)
    assert list(tmp_path.iterdir()) == []


def test_a_video_notice_under_two_seconds_is_refused_by_clause(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"5\.4 \(duration\)"):
        labeler.label(sample("mp4"), tmp_path / "a.mp4", LABEL, notice={"seconds": 1.0})


def test_an_option_of_another_media_means_nothing_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    labeler.label(sample("png"), tmp_path / "a.png", LABEL, notice={"cue": "rhythm"})
    with pytest.raises(BadInput, match="colour"):
        labeler.label(sample("png"), tmp_path / "b.png", LABEL, notice={"colour": "red"})  # type: ignore[typeddict-unknown-key]


def test_the_source_as_target_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(sample("png").read_bytes())
    alias = tmp_path / "link.png"
    alias.symlink_to(source)
    for target in (source, alias):
        with pytest.raises(BadInput, match="source itself"):
            labeler.label(source, target, LABEL, force=True)


def test_an_existing_target_is_kept_without_force_and_replaced_with_it(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    target.write_bytes(b"precious")
    with pytest.raises(BadInput, match="--force"):
        labeler.label(sample("png"), target, LABEL)
    assert target.read_bytes() == b"precious"
    labeler.label(sample("png"), target, LABEL, force=True)
    assert only_copy(target) == LABEL


def test_a_target_that_is_no_ordinary_file_is_refused_even_by_force(tmp_path: Path) -> None:
    """Replaced by the result, a pipe or a device (/dev/null, for root) would be gone for all."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    alias = tmp_path / "alias"
    alias.symlink_to(pipe)
    for target in (pipe, alias):
        with pytest.raises(BadInput, match="regular file; name"):
            labeler.label(sample("txt"), target, LABEL, force=True)
    assert stat.S_ISFIFO(alias.stat().st_mode)


def test_a_link_to_nowhere_is_a_target_that_exists(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.symlink_to("nowhere.txt")
    with pytest.raises(BadInput, match="exists; --force"):
        labeler.label(sample("txt"), target, LABEL)
    assert target.is_symlink()


@pytest.mark.parametrize("name", ["n" * 300, "a\0b", "file.txt/below"])
def test_a_target_no_file_can_have_is_a_bad_input(name: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").touch()
    with pytest.raises(BadInput, match=r"cannot write .*; choose"):
        labeler.label(sample("txt"), tmp_path / name, LABEL)


def test_a_target_that_comes_to_exist_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.png"
    replace = pipeline._replace

    def late(stage: Path, path: Path, force: bool) -> Path:
        path.write_bytes(b"somebody else's")
        return replace(stage, path, force)

    monkeypatch.setattr(pipeline, "_replace", late)
    with pytest.raises(BadInput, match="meanwhile"):
        labeler.label(sample("png"), target, LABEL)
    assert target.read_bytes() == b"somebody else's"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "folder"),
        ("empty.png", "is empty;"),
        ("none.png", "cannot read .*;"),
        ("pipe.png", "not a regular file; save it"),
        ("\0.png", "cannot read .*;"),
    ],
)
def test_what_cannot_be_opened_is_a_bad_input_with_a_remedy(source: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(BadInput, match=message):
        labeler.label(tmp_path / source, tmp_path / "out.png", LABEL)
    assert not (tmp_path / "out.png").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give up its rights to a file")
def test_an_unreadable_source_is_a_bad_input(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(sample("png").read_bytes())
    source.chmod(0)
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        try:
            labeler.label(source, None, LABEL)
        except BadInput as error:
            os._exit(0 if "cannot read" in str(error) else 1)
        except BaseException:
            os._exit(2)
        os._exit(3)
    tmp_path.chmod(0o755)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_name_that_lies_about_the_content_is_handled_by_content_and_said(tmp_path: Path) -> None:
    source = tmp_path / "photo.jpg"
    source.write_bytes(sample("png").read_bytes())
    done = labeler.label(source, tmp_path / "out.jpg", LABEL)
    assert "content is PNG" in done.notes[0]
    report = detectors.verify(tmp_path / "out.jpg")
    assert report.facts.container == "png"
    assert "asset.name.mismatch" in {f.id for f in report.findings}


def test_a_full_disk_is_a_bad_input_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    save = Asset.save
    monkeypatch.setattr(Asset, "save", lambda self, pieces, target: save(self, pieces, full))
    with pytest.raises(BadInput, match="free space"):
        labeler.label(sample("png"), tmp_path / "a.png", LABEL, marks=["metadata"])
    assert list(tmp_path.iterdir()) == []


def test_a_target_folder_that_does_not_exist_is_a_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot write"):
        labeler.label(sample("png"), tmp_path / "no" / "a.png", LABEL)


def test_a_result_that_reads_back_wrongly_is_never_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    png = containers()["png"]
    write = png.write
    monkeypatch.setattr(png, "write", lambda data, item: write(data, item.replace('"1"', '"2"')))
    with pytest.raises(ToolkitError, match="exactly one copy"):
        labeler.label(sample("png"), tmp_path / "a.png", LABEL, marks=["metadata"])
    assert list(tmp_path.iterdir()) == []


def test_marks_this_version_cannot_make_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="marks are"):
        labeler.label(sample("png"), None, LABEL, marks=["tattoo"])
    with pytest.raises(Unsupported, match="explicit and metadata"):
        labeler.label(sample("png"), None, LABEL, marks=[Mark.WATERMARK])


def test_the_target_gets_ordinary_permissions(tmp_path: Path) -> None:
    done = labeler.label(sample("png"), tmp_path / "a.png", LABEL)
    assert done.target is not None
    assert stat.S_IMODE(done.target.stat().st_mode) & stat.S_IRUSR
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(done.target.stat().st_mode) == 0o666 & ~umask
