"""The README's commands run, and its table of containers is the one that the modules make."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from labeler.containers import containers
from policies.terms import Media
from tests.conftest import ROOT, SAMPLES, tool

README = ROOT / "README.md"
_TABLE = re.compile(r"(?<=its test -->\n).*?(?=<!-- end -->)", re.DOTALL)
_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def container_table() -> str:
    """The README's table, a row for each container module."""
    rows = ["| container | files | media | slot of the AIGC item |", "|---|---|---|---|"]
    for module in containers().values():
        files = " ".join(f"`{suffix}`" for suffix in module.SUFFIXES)
        media = f"{module.MEDIA}, {Media.AUDIO}" if hasattr(module, "media") else module.MEDIA
        rows.append(f"| {module.NAME} | {files} | {media} | {module.SLOT or 'none: only the notice is written'} |")
    return "\n".join(rows) + "\n"


BLOCKS = [
    pytest.param(found[1], found[2], id=f"{number}-{found[1]}")
    for number, found in enumerate(_BLOCK.finditer(README.read_text("utf-8")), 1)
]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """An empty folder with the samples in it."""
    (tmp_path / "samples").symlink_to(SAMPLES)
    return tmp_path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_table_of_containers_is_up_to_date() -> None:
    found = _TABLE.search(README.read_text("utf-8"))
    assert found is not None
    assert found[0] == container_table(), "run: .venv/bin/python -m tests.test_readme"


@pytest.mark.parametrize(("language", "code"), BLOCKS)
def test_a_block_runs_as_it_stands(language: str, code: str, checkout: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(checkout)}
    if "curl " in code:
        tool("curl")
        port = str(free_port())
        code = code.replace("biaoshi serve", f"biaoshi serve --port {port}").replace("8000", port)
    shell = ["bash", "-euo", "pipefail", "-c", f"trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{code}"]
    command = shell if language == "sh" else [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)\)", README.read_text("utf-8")))
def test_a_link_leads_to_a_file(link: str) -> None:
    assert (ROOT / link).exists()


if __name__ == "__main__":
    text = README.read_text("utf-8")
    README.write_text(_TABLE.sub(lambda _: container_table(), text), "utf-8")
