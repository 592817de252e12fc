"""Settings: which of several wins, and that nothing unknown passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.errors import BadInput
from service.settings import FILE, ServiceSettings, load, size


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    """An environment whose configuration folder is our own."""
    (tmp_path / "config" / "biaoshi").mkdir(parents=True)
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


def settle(folder: Path, text: str) -> None:
    (folder / FILE).write_text(text, "utf-8")


def test_the_working_folder_wins_over_the_users_file_key_by_key(tmp_path: Path, user: dict[str, str]) -> None:
    settle(tmp_path / "config" / "biaoshi", 'producer = "users"\npolicy = "users.toml"\n')
    settle(tmp_path, 'producer = "folders"\n')
    assert load(user, tmp_path) == {"producer": "folders", "policy": "users.toml"}


def test_a_variable_wins_over_files(tmp_path: Path, user: dict[str, str]) -> None:
    settle(tmp_path, 'producer = "folders"\njobs = 3\n')
    assert load(user | {"BIAOSHI_PRODUCER": "variables"}, tmp_path) == {"producer": "variables", "jobs": 3}


def test_without_xdg_the_file_is_looked_for_under_home(tmp_path: Path) -> None:
    (tmp_path / ".config" / "biaoshi").mkdir(parents=True)
    settle(tmp_path / ".config" / "biaoshi", "jobs = 2")
    assert load({"HOME": str(tmp_path)}, tmp_path / "elsewhere") == {"jobs": 2}


def test_an_unknown_key_is_named_with_its_file(tmp_path: Path, user: dict[str, str]) -> None:
    settle(tmp_path, 'produser = "typo"\n')
    with pytest.raises(BadInput, match=r"biaoshi\.toml: unknown key produser; known are .*producer"):
        load(user, tmp_path)


@pytest.mark.parametrize("content", [b"producer = ", b"\xff\xfe"])
def test_a_broken_file_is_named(tmp_path: Path, user: dict[str, str], content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(BadInput, match=r"biaoshi\.toml"):
        load(user, tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"), [(5, 5), ("5", 5), ("2GiB", 2 << 30), ("500 MB", 500 << 20), ("1k", 1024), ("3B", 3)]
)
def test_sizes_are_read_as_people_write_them(text: str | int, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [("max_upload", "much"), ("port", "-1"), ("time_limit", 0), ("workers", "two"), ("max_upload", True)],
)
def test_an_unusable_service_setting_is_named(key: str, value: object) -> None:
    with pytest.raises(BadInput, match=f"setting {key}"):
        ServiceSettings.of({key: value})


def test_service_settings_pass_over_the_other_fronts_keys() -> None:
    assert ServiceSettings.of({"height": "6", "queue": "3"}) == ServiceSettings(queue=3)
