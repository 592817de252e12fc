"""What tests share: the samples, and the independent tools that judge what we write."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from policies.terms import AigcLabel

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "samples"
TOOLS = ROOT / ".tools" / "bin"

CODE = "001191110102MACQD9K64010000"
LABEL = AigcLabel.produced(CODE, "c0ffee00-0000-4000-8000-000000000001")


def sample(container: str, name: str = "blank") -> Path:
    """The sample of that name for a container module, e.g. sample("png") -> samples/png/blank.png."""
    found = sorted((SAMPLES / container).glob(f"{name}.*"))
    assert len(found) == 1, f"samples/{container}/{name}.*: {found or 'none'}; run samples/make.py"
    return found[0]


def tool(name: str) -> str:
    """The path of an independent tool; the test is skipped by name where it is not installed."""
    path = shutil.which(name, path=f"{TOOLS}:/usr/local/bin:/usr/bin:/bin")
    if path is None:
        pytest.skip(f"{name} is not installed; `make test` installs it as root on Debian")
    return path


def run(*command: str | Path) -> str:
    """Run a tool; its standard output. A failure shows what it said."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def stream_hash(path: Path) -> str:
    """A hash of every packet of every stream, as ffmpeg demuxes them: equal when no signal byte changed."""
    return run(tool("ffmpeg"), "-v", "error", "-i", path, "-map", "0", "-c", "copy", "-f", "streamhash", "-")
