"""Tiny videos of every kind, made by ffmpeg, and what ffmpeg and ffprobe see in a file."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.conftest import run, tool

SIZE = (320, 180)
_X265 = "log-level=none"

# Name -> what ffmpeg is told, and the file's ending. The picture is a moving test chart of 320 x 180, 30 frames/s.
RECIPES: dict[str, tuple[str, str]] = {
    "h264": ("-c:v libx264 -bf 3 -g 24 -pix_fmt yuv420p -movflags +faststart", "mp4"),
    "h264 tagged bt709": (
        "-c:v libx264 -pix_fmt yuv420p -color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv",
        "mp4",
    ),
    "h264 full range": ("-c:v libx264 -pix_fmt yuvj420p -color_range pc", "mp4"),
    "h264 baseline": ("-c:v libx264 -profile:v baseline -pix_fmt yuv420p", "mp4"),
    "h264 10 bit": ("-c:v libx264 -pix_fmt yuv420p10le", "mp4"),
    "h264 4:4:4": ("-c:v libx264 -pix_fmt yuv444p", "mp4"),
    "h264 interlaced": ("-c:v libx264 -pix_fmt yuv420p -flags +ildct+ilme -x264opts tff=1 -vf setfield=tff", "mp4"),
    "h264 anamorphic": ("-c:v libx264 -pix_fmt yuv420p -vf setsar=4/3", "mp4"),
    "h264 variable rate": (
        "-c:v libx264 -bf 2 -pix_fmt yuv420p -vf select='not(mod(n\\,3))+not(mod(n\\,7))' -vsync vfr",
        "mp4",
    ),
    "h264 fragmented": ("-c:v libx264 -pix_fmt yuv420p -movflags frag_keyframe+empty_moov", "mp4"),
    "h264 in mov": ("-c:v libx264 -pix_fmt yuv420p -timecode 01:00:00:00", "mov"),
    "h264 odd size": ("-c:v libx264 -pix_fmt yuv444p -vf scale=321:181", "mp4"),
    "vp9 odd size": ("-c:v libvpx-vp9 -pix_fmt yuv420p -vf scale=321:181 -b:v 400k", "mp4"),
    "vp9": ("-c:v libvpx-vp9 -pix_fmt yuv420p -b:v 400k -g 24", "mp4"),
    "hevc": (f"-c:v libx265 -x265-params {_X265} -pix_fmt yuv420p -tag:v hvc1", "mp4"),
    "hevc open GOP 4:2:2 10 bit": (
        f"-c:v libx265 -x265-params {_X265}:open-gop=1:keyint=20 -pix_fmt yuv422p10le",
        "mp4",
    ),
    "hevc grey": (f"-c:v libx265 -x265-params {_X265} -pix_fmt gray", "mp4"),
    "hevc grey 12 bit": (f"-c:v libx265 -x265-params {_X265} -pix_fmt gray12le", "mp4"),
    "hevc rgb": (f"-c:v libx265 -x265-params {_X265} -pix_fmt gbrp", "mp4"),
    "hevc bt2020 pq": (
        f"-c:v libx265 -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc "
        f"-x265-params {_X265}:max-cll=1000,400:master-display="
        "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)",
        "mp4",
    ),
    "av1": ("-c:v libaom-av1 -cpu-used 8 -pix_fmt yuv420p", "mp4"),
    "mpeg4": ("-c:v mpeg4 -bf 2 -q:v 3 -pix_fmt yuv420p", "mp4"),
    "mjpeg": ("-c:v mjpeg -q:v 3 -pix_fmt yuvj420p", "mov"),
    "prores": ("-c:v prores_ks -profile:v 2", "mov"),
}


def clip(folder: Path, recipe: str = "h264", seconds: float = 0.5) -> Path:
    """A clip by its recipe's name."""
    how, suffix = RECIPES[recipe]
    return made(folder / f"source.{suffix}", f"-f lavfi -i {chart(seconds)} {how}")


def chart(seconds: float, size: tuple[int, int] = SIZE) -> str:
    return f"testsrc2=s={size[0]}x{size[1]}:r=30:d={seconds}"


def made(target: Path, command: str) -> Path:
    """What ffmpeg makes when told `command`; no word of it may hold a space."""
    run(tool("ffmpeg"), "-y", "-v", "error", *command.split(), target)
    return target


def probe(path: Path, *what: str) -> dict[str, Any]:
    """What ffprobe says, e.g. probe(path, "-show_streams")."""
    answer: dict[str, Any] = json.loads(run(tool("ffprobe"), "-v", "error", *what, "-of", "json", path))
    return answer


def frame_times(path: Path, stream: str = "v:0") -> list[Fraction]:
    """When ffprobe sees each frame displayed, in seconds."""
    said = probe(path, "-select_streams", stream, "-show_entries", "frame=pts:stream=time_base")
    base = Fraction(said["streams"][0]["time_base"])
    return [frame["pts"] * base for frame in said["frames"]]


def keyframes(path: Path) -> list[float]:
    said = probe(path, "-select_streams", "v:0", "-show_entries", "packet=pts_time,flags")
    return sorted(float(p["pts_time"]) for p in said["packets"] if "K" in p["flags"] and "D" not in p["flags"])


def pictures(path: Path, stream: int = 0) -> NDArray[np.uint8]:
    """Every frame as ffmpeg displays it, (n, height, width, 3) RGB; any complaint of the decoder is an error."""
    raw = path.with_name(f"{path.name}.rgb")
    said = run(
        *(tool("ffmpeg"), "-y", "-v", "warning", "-i", path, "-map", f"0:v:{stream}", "-vsync", "passthrough"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-sws_flags", "accurate_rnd+full_chroma_int", raw),
    )
    assert not said
    first = probe(path, "-select_streams", f"v:{stream}", "-show_streams")["streams"][0]
    turned = any(abs(int(each.get("rotation", 0))) == 90 for each in first.get("side_data_list", ()))
    width, height = (first["height"], first["width"]) if turned else (first["width"], first["height"])
    return np.fromfile(raw, np.uint8).reshape(-1, height, width, 3)
