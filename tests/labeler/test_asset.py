"""The asset: identified, never changed, copied piece by piece and checked after writing."""

import hashlib
import io
import os
from pathlib import Path

import pytest

from labeler.asset import Asset, checked
from labeler.containers import Span
from policies.errors import BadInput, ToolkitError
from tests.conftest import sample


@pytest.fixture
def asset() -> Asset:
    return Asset.open(sample("png"))


def pieces(asset: Asset) -> list[bytes | Span]:
    return [Span(0, 40), b"inserted", Span(40, len(asset.data))]


def test_pieces_are_saved_in_order_and_the_kept_bytes_counted(asset: Asset, tmp_path: Path) -> None:
    target = tmp_path / "a"
    data = bytes(asset.data)
    assert asset.save(pieces(asset), target) == len(data)
    assert target.read_bytes() == data[:40] + b"inserted" + data[40:]


def test_a_good_copy_is_hashed_while_it_is_compared(asset: Asset, tmp_path: Path) -> None:
    target = tmp_path / "a"
    asset.save(pieces(asset), target)
    assert checked(asset, pieces(asset), target) == hashlib.sha256(target.read_bytes()).hexdigest()


@pytest.mark.parametrize("change", ["first byte", "inserted byte", "last byte", "longer", "shorter"])
def test_a_copy_that_differs_anywhere_is_noticed(asset: Asset, change: str, tmp_path: Path) -> None:
    target = tmp_path / "a"
    asset.save(pieces(asset), target)
    data = bytearray(target.read_bytes())
    if change == "longer":
        data += b"x"
    elif change == "shorter":
        del data[-1]
    else:
        data[{"first byte": 0, "inserted byte": 42, "last byte": -1}[change]] ^= 1
    target.write_bytes(data)
    with pytest.raises(ToolkitError, match="differs"):
        checked(asset, pieces(asset), target)


def test_a_stream_an_array_of_bytes_and_a_path_are_the_same_asset() -> None:
    path = sample("png")
    data = path.read_bytes()
    opened = [Asset.open(path), Asset.open(str(path)), Asset.open(data), Asset.open(io.BytesIO(data))]
    assert {asset.sha256 for asset in opened} == {hashlib.sha256(data).hexdigest()}
    assert {asset.container_name for asset in opened} == {"png"}
    for asset in opened:
        asset.close()


def test_an_asset_is_copied_across_file_systems(asset: Asset, tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system at /dev/shm")
    target = other / f"biaoshi-test-{os.getpid()}"
    try:
        asset.save(pieces(asset), target)
        assert checked(asset, pieces(asset), target)
    finally:
        target.unlink(missing_ok=True)


def test_a_name_no_system_takes_is_a_bad_input() -> None:
    for name in ("a\0b.png", "x" * 300 + ".png"):
        with pytest.raises(BadInput, match="cannot read"):
            Asset.open(name)
