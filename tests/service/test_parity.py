"""Library, command line and HTTP service give one and the same report of every sample."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from detectors import verify
from policies.errors import ToolkitError
from service import render
from service.cli import cli
from service.jobs import failed
from service.settings import ServiceSettings
from tests.conftest import SAMPLES
from tests.service.server import client_of

FILES = sorted(path for path in SAMPLES.glob("*/*") if path.is_file())


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with client_of(ServiceSettings(workers=1)) as client:
        yield client


def library(path: Path) -> dict[str, Any]:
    try:
        return json.loads(render.to_json(render.report(verify(path, "cn"))))
    except ToolkitError as error:
        return failed(str(path), error)


def command_line(path: Path) -> dict[str, Any]:
    return json.loads(CliRunner().invoke(cli, ["verify", "--policy", "cn", "--json", str(path)]).stdout)


def http(client: httpx.Client, path: Path) -> dict[str, Any]:
    return client.put("/v1/verify", params={"filename": path.name, "policy": "cn"}, content=path.read_bytes()).json()


def unnamed(report: dict[str, Any], *names: str) -> dict[str, Any]:
    """The report without the name its source went by."""
    text = json.dumps({key: value for key, value in report.items() if key != "source"})
    for name in names:
        text = text.replace(json.dumps(name)[1:-1], "NAME")
    return json.loads(text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_all_fronts_give_one_report(client: httpx.Client, path: Path) -> None:
    expected = unnamed(library(path), str(path), path.name)
    assert unnamed(command_line(path), str(path), path.name) == expected
    assert unnamed(http(client, path), str(path), path.name) == expected


def test_there_are_samples_to_compare() -> None:
    assert FILES
