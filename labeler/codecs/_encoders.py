"""The encoder for each source codec: settings that look lossless, within what the source asks of a decoder.

Quality and preset were chosen on 1080p30 of moving photograph with grain (4.9 MB in 45 frames of x264 medium crf
20), CPU seconds, size and luma PSNR of encoding that again:

    libx264 veryfast crf 17          3.5 s   5.1 MB   45.1 dB        (medium crf 17: 7.8 s, 5.3 MB, 47.0 dB)
    libx265 veryfast crf 17          7.6 s   2.5 MB   44.3 dB        (superfast:     5.4 s, 1.9 MB, 42.5 dB)
    libvpx-vp9 realtime 6, crf 20    3.1 s   3.8 MB   44.3 dB        (good 4:       17.9 s, 3.1 MB, 43.9 dB)
    libsvtav1 preset 8, crf 14       4.5 s   1.9 MB   42.6 dB
    mpeg4 and mjpeg, quantiser 2     1.3 s   5.9 and 12 MB   44.6 and 45.4 dB
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, cast

import av
from av.container import OutputContainer
from av.sidedata.sidedata import Type
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from labeler.codecs._planes import side_data
from policies.errors import Unsupported

KEYFRAME_INTERVAL = 250  # frames, at most; the source's own keyframes stay keyframes


@dataclass(frozen=True, slots=True)
class Encoder:
    """An FFmpeg encoder and its settings.

    `private` names the option that takes the library's own parameters (key=value:…), `parameters` are those
    always given. `fields`: knows interlaced pictures.
    """

    name: str
    options: Mapping[str, str]
    private: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    tag: str = ""
    fields: bool = False


ENCODERS: Mapping[str, Encoder] = {
    "h264": Encoder(
        "libx264", {"preset": "veryfast", "crf": "17", "forced-idr": "1"}, "x264-params", tag="avc1", fields=True
    ),
    "hevc": Encoder(
        "libx265",
        {"preset": "veryfast", "crf": "17", "forced-idr": "1"},
        "x265-params",
        {"log-level": "none", "open-gop": "0", "info": "0"},
        tag="hvc1",  # the parameter sets stand in the sample entry only, as Apple's players ask
    ),
    "vp9": Encoder("libvpx-vp9", {"crf": "20", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}),
    "vp8": Encoder("libvpx", {"crf": "6", "b": "20M", "deadline": "good", "cpu-used": "4"}),
    "av1": Encoder("libsvtav1", {"preset": "8", "crf": "14"}, "svtav1-params"),
    "mpeg4": Encoder("mpeg4", {"flags": "+qscale", "global_quality": "236"}, fields=True),
    "mjpeg": Encoder("mjpeg", {"flags": "+qscale", "global_quality": "236"}),
    "prores": Encoder("prores_ks", {}, fields=True),
}
"""FFmpeg's name of the source codec -> how it is encoded again. A global_quality of 236 is a quantiser of 2."""

_AVC_PROFILES = {
    "Baseline": "baseline",
    "Constrained Baseline": "baseline",
    "Main": "main",
    "Extended": "main",
    "High": "high",
    "High 10": "high10",
    "High 10 Intra": "high10",
    "High 4:2:2": "high422",
    "High 4:2:2 Intra": "high422",
    "High 4:4:4 Predictive": "high444",
}
_PROFILES = {("libx264", name): option for name, option in _AVC_PROFILES.items()} | {
    ("prores_ks", name): name.lower() for name in ("Proxy", "LT", "Standard", "HQ")
}
"""Encoder, FFmpeg's name of the source's profile -> the encoder's own. The others follow from the pixel format."""
_AVC_RATES = {30: 12.5, 31: 17.5, 32: 25, 40: 25, 41: 62.5, 42: 62.5, 50: 168.75, 51: 300, 52: 300, 60: 300}
_HEVC_RATES = {90: 6, 93: 10, 120: 12, 123: 20, 150: 25, 153: 40, 156: 60, 180: 60, 183: 120, 186: 240}
_RATES = {("libx264", level): rate for level, rate in _AVC_RATES.items()} | {
    ("libx265", level): rate for level, rate in _HEVC_RATES.items()
}
"""Encoder, level -> Mbit/s (H.264 table A-1, High profile; H.265 table A.9, main tier)."""


def encoder_for(stream: VideoStream, frame: av.VideoFrame) -> Encoder:
    """How a stream that begins with `frame` is encoded again. Raises Unsupported with the remedy."""
    codec = stream.codec_context.codec.canonical_name
    found = ENCODERS.get(codec)
    if found is None:
        raise Unsupported(f"biaoshi can't encode {codec} video; it does {', '.join(ENCODERS)}: convert it to H.264")
    formats = av.Codec(found.name, "w").video_formats or []
    if frame.format.name not in {each.name for each in formats}:
        raise Unsupported(f"{found.name} can't encode {codec} as {frame.format.name}; convert it to yuv420p")
    if frame.interlaced_frame and not found.fields:
        raise Unsupported(f"interlaced {codec} video can't be encoded as such; deinterlace it first")
    if any(side_data(frame, kind) is not None for kind in (Type.DOVI_RPU_BUFFER, Type.DOVI_METADATA)):
        raise Unsupported("encoding would lose the Dolby Vision layer; convert the video to HDR10 or SDR first")
    return found


def open_encoder(
    encoder: Encoder, out: OutputContainer, source: VideoStream, frame: av.VideoFrame
) -> tuple[VideoStream, VideoCodecContext]:
    """The output stream, with all that the source's stream says of itself, and its encoder, opened."""
    native = source.codec_context.codec.name == source.codec_context.codec.canonical_name
    in_place = native and av.Codec(source.codec_context.codec.canonical_name, "w").name == encoder.name
    # A stream whose own context is the encoder keeps everything (chroma location for one) that PyAV can't copy.
    stream = out.add_stream_from_template(source, opaque=not in_place)
    context = stream.codec_context if in_place else cast(VideoCodecContext, av.CodecContext.create(encoder.name, "w"))
    _describe(context, source, frame)
    context.time_base = 1 / _rate(source)
    context.options = _options(encoder, source, frame)
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 prints its settings and has no other way to be told not to
    context.open()
    stream.codec_context.codec_tag = encoder.tag or context.codec_tag
    if not in_place:
        stream.codec_context.extradata = context.extradata
        stream.codec_context.sample_aspect_ratio = context.sample_aspect_ratio
    return stream, context


def _describe(context: VideoCodecContext, source: VideoStream, frame: av.VideoFrame) -> None:
    decoder = source.codec_context
    context.width, context.height, context.pix_fmt = frame.width, frame.height, frame.format.name
    context.sample_aspect_ratio = source.sample_aspect_ratio or Fraction(0)
    for name in ("color_primaries", "color_trc", "colorspace", "color_range", "field_order"):
        setattr(context, name, getattr(decoder, name))
    context.framerate = _rate(source)
    context.bit_rate = 0
    context.gop_size = KEYFRAME_INTERVAL
    context.thread_type = "AUTO"  # PyAV's default, SLICE, costs x264 both speed and quality
    context.thread_count = 0


def _rate(source: VideoStream) -> Fraction:
    rate = source.average_rate or source.guessed_rate or Fraction(25)
    return Fraction(rate).limit_denominator(1001) or Fraction(25)


def _options(encoder: Encoder, source: VideoStream, frame: av.VideoFrame) -> dict[str, str]:
    options = dict(encoder.options)
    flags = options.pop("flags", "") + "+global_header" + ("+ildct+ilme" if frame.interlaced_frame else "")
    options["flags"] = flags
    if profile := _PROFILES.get((encoder.name, source.codec_context.profile or "")):
        options["profile"] = profile
    options |= _rate_limit(encoder, source)
    parameters = dict(encoder.parameters) | (_hdr(encoder, frame) if encoder.private else {})
    if parameters:
        options[encoder.private] = ":".join(f"{key}={value}" for key, value in parameters.items())
    return options


def _rate_limit(encoder: Encoder, source: VideoStream) -> dict[str, str]:
    """The bit rate that the source's level lets a decoder expect; under level 3 it would show, and is left open."""
    limit = _RATES.get((encoder.name, source.codec_context.level))
    if limit is None:
        return {}
    rate = max(int(limit * 1_000_000), 2 * (source.codec_context.bit_rate or 0))
    return {"maxrate": str(rate), "bufsize": str(rate)}


def _hdr(encoder: Encoder, frame: av.VideoFrame) -> dict[str, str]:
    """Mastering display and content light level (SMPTE ST 2086, CTA-861.3) as the encoder's parameters."""
    said: dict[str, Any] = {}
    light = side_data(frame, Type.CONTENT_LIGHT_LEVEL)
    display = side_data(frame, Type.MASTERING_DISPLAY_METADATA)
    x265, x264 = encoder.name == "libx265", encoder.name == "libx264"
    if light is not None and len(light) >= 8:
        name = "max-cll" if x265 else "cll" if x264 else "content-light"
        said[name] = "{},{}".format(*struct.unpack_from("=2I", light))
    if display is not None and len(display) >= 88:
        name = "master-display" if x265 else "mastering-display"
        said[name] = _mastering(display, 1 if encoder.private == "svtav1-params" else 50000)
    return said


def _mastering(display: bytes, unit: int) -> str:
    """FFmpeg's AVMasteringDisplayMetadata in the notation the encoders share; colours in 1/`unit`."""
    numbers = struct.unpack_from("=20i2i", display)
    values = [Fraction(n, d or 1) for n, d in zip(numbers[:20:2], numbers[1:20:2], strict=True)]
    whole = unit != 1
    xy = [round(v * unit) if whole else float(v) for v in values[:8]]
    least, most = (round(v * 10000) if whole else float(v) for v in values[8:])
    red, green, blue, white = (f"({xy[i]},{xy[i + 1]})" for i in (0, 2, 4, 6))
    return f"G{green}B{blue}R{red}WP{white}L({most},{least})"
