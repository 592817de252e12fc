"""Decode a still or animated picture, lay an overlay on it, encode it in the same format.

What a format can keep is kept: PNG and lossless WebP every sample outside the overlay, bit depth and colour
type; JPEG its quantisation tables, colour sampling and scan order; animations their timing. Metadata is left
to the container's graft().
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin
from PIL.ImageFile import ImageFile

from labeler.asset import Asset
from labeler.codecs import _apng, _png
from labeler.codecs._apng import stamped
from labeler.codecs._compositing import Box, around, box, check_outside
from labeler.codecs._planes import Geometry, Overlay
from labeler.containers import Buffer, _exif, _riff
from policies.errors import BadInput, TooLarge, Unsupported

Size: TypeAlias = tuple[int, int]
Draw: TypeAlias = "Callable[[Asset, Any, Overlay], Drawn]"

MOST_PIXELS = 178_956_970
"""Of a picture: twice Pillow's warning level, where it refuses too."""

_MOST_SHOWN = 1 << 31  # pixels of all frames of an animation, decoded one by one
_MOST_HELD = 1 << 27  # pixels of all frames of an animated WebP, held together in memory
_ANMF_HEADER = 16  # bytes before the chunks of an animation's frame
_ORIENTATION = 0x0112
_SHORT = 3
_LOSSY_QUALITY = 95  # for WebP's lossy kind: its own loss stays far below that of usual sources (75 to 90)


@dataclass(frozen=True, slots=True)
class Drawn:
    """The encoded picture without its metadata, and what of the source's pixels stayed and how that was checked."""

    encoded: bytes
    untouched: str


def luma(asset: Asset) -> NDArray[np.uint8]:
    """The first picture as it is displayed, in grey (h, w), what is clear over white.

    Raises BadInput for damage, TooLarge, Unsupported for formats that are not decoded.
    """
    with _opened(asset) as picture:
        picture.load()
        grey = _grey(picture)
        return np.ascontiguousarray(_geometry(picture).to_displayed(grey))


def draw(asset: Asset, overlay: Callable[[Size], Overlay]) -> Drawn:
    """The picture with what `overlay` makes for its displayed size (width, height), on every frame.

    Raises BadInput for damage and for a notice that does not fit, TooLarge, Unsupported.
    """
    with _opened(asset) as picture:
        way = _geometry(picture)
        return _FORMATS[asset.container_name].draw(asset, picture, way.to_stored(overlay(way.size)))


@contextmanager
def _opened(asset: Asset) -> Iterator[ImageFile]:
    """The picture, its pixels not decoded yet. What Pillow raises inside leaves as a BadInput.

    The plug-in is called itself: Image.open() would try all others, and warns by a limit that is global.
    """
    if asset.container_name not in _FORMATS:
        known = ", ".join(sorted(_FORMATS))
        raise Unsupported(f"pictures in {asset.container.NAME} are not decoded; {known} are")
    try:
        with warnings.catch_warnings(), asset.reader() as file:
            warnings.simplefilter("ignore")  # damage that Pillow passes over is no news here
            picture = _FORMATS[asset.container_name].plugin(file)
            _check_size(picture)
            yield picture
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, struct.error) as error:
        raise BadInput(f"the picture cannot be decoded ({error}); the file is damaged or cut short") from error
    except (Image.DecompressionBombError, MemoryError) as error:
        raise TooLarge(f"the picture is too large to decode: {error}; label a smaller one") from error


def _check_size(picture: ImageFile) -> None:
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise TooLarge(f"the picture has {width}x{height} pixels, at most {MOST_PIXELS} are decoded; scale it down")
    if _frames(picture) * width * height > _MOST_SHOWN:
        raise TooLarge(f"the animation has {_frames(picture)} frames, {_MOST_SHOWN} pixels at most; shorten it")


def _frames(picture: Image.Image) -> int:
    return int(getattr(picture, "n_frames", 1))


# ---- Seeing ---------------------------------------------------------------------------------------------


def _grey(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode.startswith("I"):
        return (np.asarray(picture).astype(np.int64) >> 8).astype(np.uint8)  # 16-bit grey
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return np.asarray(picture.convert("RGB").convert("L"))


def _geometry(picture: Image.Image) -> Geometry:
    """How the picture is displayed by its EXIF Orientation (CIPA DC-008, 4.6.4 A)."""
    turn = _orientation(picture)
    return Geometry(
        *picture.size, transposed=turn >= 5, mirrored_x=turn in (2, 3, 6, 7), mirrored_y=turn in (3, 4, 7, 8)
    )


def _orientation(picture: Image.Image) -> int:
    if isinstance(picture, PngImagePlugin.PngImageFile):
        picture.load()  # the eXIf chunk may stand behind the pixels
    block = picture.info.get("exif", b"").removeprefix(_exif.SIGNATURE)
    for entry in _exif.first_ifd(block):
        if entry.tag == _ORIENTATION and entry.type == _SHORT and entry.stop - entry.start >= 2:
            (turn,) = struct.unpack_from(_exif.byte_order(block) + "H", block, entry.start)
            return int(turn) if 1 <= turn <= 8 else 1
    return 1


# ---- PNG ------------------------------------------------------------------------------------------------


def _draw_png(asset: Asset, picture: PngImagePlugin.PngImageFile, overlay: Overlay) -> Drawn:
    if _apng.is_animated(asset.data) and picture.is_animated:
        return _draw_apng(asset, picture, overlay)
    head = _png.header(asset.data)
    encoded = _png.draw(asset.data, picture, overlay)
    with PngImagePlugin.PngImageFile(io.BytesIO(encoded)) as again:
        before = _png.samples(asset.data, picture, head)
        after = _png.samples(encoded, again, head)
    check_outside(before, after, box(overlay, before.shape))
    return Drawn(encoded, f"{head.depth}-bit {head.mode} pixels outside {_where(overlay)}: decoded again, identical")


def _draw_apng(asset: Asset, picture: PngImagePlugin.PngImageFile, overlay: Overlay) -> Drawn:
    encoded = _apng.draw(asset.data, picture, overlay)
    with PngImagePlugin.PngImageFile(io.BytesIO(encoded)) as again:
        _check_frames(picture, again, overlay)
    return Drawn(encoded, _frames_said(picture, overlay) + "; encoded as 8-bit RGBA")


def _check_frames(before: Image.Image, after: Image.Image, overlay: Overlay) -> None:
    inside = box(overlay, (before.height, before.width))
    for one, other in zip(_apng.frames(before), _apng.frames(after), strict=True):
        check_outside(np.asarray(one), np.asarray(other), inside)


def _frames_said(picture: Image.Image, overlay: Overlay) -> str:
    if _frames(picture) == 1:
        return f"{picture.mode} pixels outside {_where(overlay)}: decoded again, identical"
    return f"{_frames(picture)} frames outside {_where(overlay)}: decoded again, identical; their times are kept"


def _where(overlay: Overlay) -> str:
    rows, columns = overlay.rgba.shape[:2]
    return f"the {columns}x{rows} box of the notice"


# ---- JPEG -----------------------------------------------------------------------------------------------


def _draw_jpeg(asset: Asset, picture: JpegImagePlugin.JpegImageFile, overlay: Overlay) -> Drawn:
    """Encode again with the source's own tables; in YCbCr, so that no colour conversion adds to the loss."""
    ycc = picture.mode == "RGB" and not _is_rgb_coded(picture)
    if ycc:
        picture.draft("YCbCr", None)
    picture.load()
    drawn = picture.copy()
    drawn.paste(stamped(drawn, overlay), (overlay.x, overlay.y))
    sampling = JpegImagePlugin.get_sampling(picture) if ycc else -1
    file = io.BytesIO()
    drawn.save(
        file,
        "JPEG",
        qtables=_tables(picture, ycc),
        subsampling=max(sampling, 0) if ycc else -1,
        progressive="progressive" in picture.info,
        keep_rgb=True,
    )
    encoded = file.getvalue()
    return Drawn(encoded, _change(picture, encoded, overlay, ycc))


def _is_rgb_coded(picture: JpegImagePlugin.JpegImageFile) -> bool:
    """As libjpeg tells: JFIF is YCbCr, Adobe's segment says, else the components' names do."""
    if "jfif" in picture.info:
        return False
    if "adobe_transform" in picture.info:
        return bool(picture.info["adobe_transform"] == 0)
    return [component[0] for component in picture.layer] == list(b"RGB")


def _tables(picture: JpegImagePlugin.JpegImageFile, ycc: bool) -> list[list[int]]:
    """The quantisation tables in the order of the components that Pillow gives them to."""
    used = [component[3] for component in picture.layer[: 2 if ycc else 1]]
    return [list(picture.quantization[number]) for number in used]


def _change(picture: Image.Image, encoded: bytes, overlay: Overlay, ycc: bool) -> str:
    with JpegImagePlugin.JpegImageFile(io.BytesIO(encoded)) as again:
        if ycc:
            again.draft("YCbCr", None)
        before, after = np.asarray(picture), np.asarray(again)
    parts = [part for part in around(box(overlay, before.shape)) if before[part].size]
    most = max((int(np.abs(before[p].astype(np.int16) - after[p]).max()) for p in parts), default=0)
    changed = sum(int(np.count_nonzero(before[p] != after[p])) for p in parts)
    share = changed / max(1, sum(before[p].size for p in parts))
    return (
        "encoded again with the source's own quantisation tables, colour sampling and scan order; outside "
        f"{_where(overlay)} {share:.2%} of the samples differ, by {most} of 255 at most"
    )


# ---- WebP -----------------------------------------------------------------------------------------------


def _draw_webp(asset: Asset, picture: WebPImagePlugin.WebPImageFile, overlay: Overlay) -> Drawn:
    width, height = picture.size
    if picture.n_frames * width * height > _MOST_HELD:
        raise TooLarge(f"the animated WebP has over {_MOST_HELD} pixels in all its frames; shorten it")
    lossless = _is_lossless(asset.data)
    frames, times = [], []
    for number in range(picture.n_frames):
        picture.seek(number)
        picture.load()  # its time is known only then
        times.append(picture.info["duration"])
        frame = picture.copy()
        frame.paste(stamped(frame, overlay), (overlay.x, overlay.y))
        frames.append(frame)
    options: dict[str, Any] = {"lossless": lossless, "method": 4}
    # For the lossless kind quality is effort.
    options |= {"quality": 75, "exact": True} if lossless else {"quality": _LOSSY_QUALITY, "alpha_quality": 100}
    if len(frames) > 1:
        options |= {"save_all": True, "append_images": frames[1:], "duration": times}
        options |= {"loop": picture.info["loop"], "background": picture.info["background"]}
    file = io.BytesIO()
    frames[0].save(file, "WEBP", **options)
    encoded = file.getvalue()
    if not lossless:
        return Drawn(encoded, f"encoded again at quality {_LOSSY_QUALITY}; timing, loops and alpha are kept")
    with WebPImagePlugin.WebPImageFile(io.BytesIO(encoded)) as again:
        _check_webp(picture, again, box(overlay, (height, width)))
    return Drawn(encoded, _frames_said(picture, overlay))


def _is_lossless(data: Buffer) -> bool:
    """Whether every picture in the file is of the lossless kind, those in the frames of an animation too."""
    kinds = set()
    for chunk in _webp_chunks(data, _riff.HEADER, _riff.form_end(data, _riff.form_size(data))):
        inner = _webp_chunks(data, chunk.body + _ANMF_HEADER, chunk.end) if chunk.id == b"ANMF" else [chunk]
        kinds |= {part.id for part in inner}
    return b"VP8L" in kinds and b"VP8 " not in kinds


def _webp_chunks(data: Buffer, start: int, stop: int) -> Iterator[_riff.Chunk]:
    return _riff.chunks(data, start, stop, stop)


def _check_webp(before: WebPImagePlugin.WebPImageFile, after: WebPImagePlugin.WebPImageFile, inside: Box) -> None:
    """Every source frame against what is shown at its time: the encoder joins frames that are alike."""
    shown = _timed(after)
    stop, now = next(shown)
    for until, frame in _timed(before):
        while stop < until:
            stop, now = next(shown)
        check_outside(frame, now, inside)


def _timed(picture: WebPImagePlugin.WebPImageFile) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Each frame's end in milliseconds and its pixels; clear ones without the colour that nobody sees."""
    end = 0
    for number in range(picture.n_frames):
        picture.seek(number)
        picture.load()
        end += picture.info["duration"]
        pixels = np.array(picture.convert("RGBA"))
        pixels[pixels[..., 3] == 0] = 0
        yield end, pixels


@dataclass(frozen=True, slots=True)
class _Format:
    """Pillow's plug-in for a container, and how an overlay is drawn into it."""

    plugin: Callable[[Any], ImageFile]
    draw: Draw


_FORMATS: Mapping[str, _Format] = {
    "jpeg": _Format(JpegImagePlugin.JpegImageFile, _draw_jpeg),
    "png": _Format(PngImagePlugin.PngImageFile, _draw_png),
    "webp": _Format(WebPImagePlugin.WebPImageFile, _draw_webp),
}
