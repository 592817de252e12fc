"""Drawing on pictures: what must not change does not, in any mode, depth, orientation or animation."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from labeler.asset import Asset
from labeler.codecs import _png, raster
from labeler.codecs._planes import Overlay
from labeler.containers import render
from labeler.containers.png import SIGNATURE, chunks, make_chunk
from policies.errors import BadInput, TooLarge, Unsupported
from tests.conftest import sample

WIDTH, HEIGHT = 96, 64
BOX = (slice(40, 56), slice(50, 90))  # rows and columns of the overlay in the displayed picture


def scene(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A busy colour picture: gradients and noise."""
    noise = np.random.default_rng(3).integers(0, 60, (height, width, 3))
    y, x = np.mgrid[0:height, 0:width]
    base = np.dstack([x * 190 // width, y * 190 // height, (x + y) * 190 // (width + height)])
    return (base + noise).astype(np.uint8)


def patch(size: tuple[int, int]) -> Overlay:
    """Half a box dark, half letters white, in the lower right of the displayed picture."""
    rgba = np.zeros((16, 40, 4), np.uint8)
    rgba[..., 3] = 168
    rgba[4:12, 8:32] = 255
    return Overlay(rgba, 50, 40)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def drawn(data: bytes, overlay: Callable[[tuple[int, int]], Overlay] = patch) -> tuple[bytes, str]:
    """The file with the overlay and the source's metadata, as the notice module puts it together."""
    with Asset.open(data) as asset:
        result = raster.draw(asset, overlay)
        return render(asset.data, asset.container.graft(asset.data, result.encoded)), result.untouched


def samples(data: bytes) -> np.ndarray:
    """As OpenCV decodes them, which knows 16 bits and takes no part in the drawing of shallower pictures."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def outside(pixels: np.ndarray) -> np.ndarray:
    kept = pixels.copy()
    kept[BOX] = 0
    return kept


def png(array: np.ndarray, depth: int, colour: int, extra: tuple[tuple[bytes, bytes], ...] = ()) -> bytes:
    """A PNG of any depth and colour type: samples (h, w, channels), filter type None."""
    height, width = array.shape[:2]
    if depth == 16:
        lines = array.reshape(height, -1).astype(">u2").view(np.uint8)
    else:
        bits = np.unpackbits(array.reshape(height, -1, 1).astype(np.uint8), axis=2)[..., 8 - depth :]
        lines = np.packbits(bits.reshape(height, -1), axis=1)
    raw = np.hstack([np.zeros((height, 1), np.uint8), lines]).tobytes()
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", head), *extra, (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    return SIGNATURE + b"".join(make_chunk(*part) for part in parts)


CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


@pytest.mark.parametrize(
    ("colour", "depth"), [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (4, 8), (4, 16), (6, 8), (6, 16)]
)
def test_a_png_keeps_its_kind_and_every_sample_outside(colour: int, depth: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 1 << depth, (HEIGHT, WIDTH, CHANNELS[colour]))
    data = png(pixels, depth, colour, ((b"tEXt", b"Title\0kept"),))
    result, _ = drawn(data)
    assert result[16:33] == data[16:33], "the header changed"
    assert (b"tEXt", b"Title\0kept") in [(c.type, c.data(result)) for c in chunks(result)]
    before, after = samples(data), samples(result)
    assert np.array_equal(outside(before), outside(after))
    most = int(after.max())
    letters, box = after[46:50, 60:80], after[41:43, 52:88]
    assert np.all(letters[..., :3] == most) if letters.ndim == 3 else np.all(letters == most)
    assert (box.reshape(-1, box.shape[-1] if box.ndim == 3 else 1)[:, 0] < most // 2 + 1).all()


@pytest.mark.parametrize("mode", ["RGB", "P", "L"])
def test_an_interlaced_png_stays_interlaced(mode: str, tmp_path: Path) -> None:
    plain = encoded(Image.fromarray(scene()).convert(mode), "PNG")
    data = _interlaced(plain)
    assert np.array_equal(samples(data), samples(plain)), "the test's own file is wrong"
    result, _ = drawn(data)
    assert result[28] == 1
    assert np.array_equal(outside(samples(data)), outside(samples(result)))
    assert np.array_equal(samples(result)[46:50, 60:80], samples(drawn(plain)[0])[46:50, 60:80])


def _interlaced(data: bytes) -> bytes:
    """The same 8-bit PNG in Adam7, written out independently of the code under test."""
    image = Image.open(io.BytesIO(data))
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    raw = b""
    for x, y, dx, dy in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        part = pixels[y::dy, x::dx]
        raw += b"".join(b"\0" + row.tobytes() for row in part if row.size)
    parts = []
    for chunk in chunks(data):
        body = chunk.data(data)
        if chunk.type == b"IHDR":
            body = body[:12] + b"\1"
        if chunk.type == b"IDAT":
            body = zlib.compress(raw)
        parts.append(make_chunk(chunk.type, body))
    return SIGNATURE + b"".join(parts)


@pytest.mark.parametrize("colours", [2, 7, 16, 200, 256])
def test_a_palette_picture_stays_one(colours: int) -> None:
    data = encoded(Image.fromarray(scene()).quantize(colours), "PNG", bits=8 if colours > 16 else 4)
    result, _ = drawn(data)
    before, after = (Image.open(io.BytesIO(each)) for each in (data, result))
    assert after.mode == "P"
    assert result[24:26] == data[24:26]
    assert np.array_equal(outside(np.asarray(before)), outside(np.asarray(after)))
    assert np.array_equal(outside(np.asarray(before.convert("RGB"))), outside(np.asarray(after.convert("RGB"))))


def test_a_palette_with_room_gets_white_and_dark() -> None:
    data = encoded(Image.fromarray(scene() // 4 + 100).quantize(5), "PNG", bits=4)
    after = np.asarray(Image.open(io.BytesIO(drawn(data)[0])).convert("L"))
    assert (after[46:50, 60:80] == 255).all()
    assert (after[41:43, 52:88] < 80).all()


def test_clear_palette_entries_stay_clear_outside_and_opaque_under_the_notice() -> None:
    image = Image.fromarray(scene()).quantize(20)
    data = encoded(image, "PNG", transparency=bytes([0] * 20))
    result, _ = drawn(data)
    alpha = np.asarray(Image.open(io.BytesIO(result)).convert("RGBA"))[..., 3]
    assert (outside(alpha) == 0).all()
    assert (alpha[BOX] == 255).all()


def test_white_letters_stay_visible_where_white_is_the_clear_colour() -> None:
    pixels = np.full((HEIGHT, WIDTH, 3), 255)
    data = png(pixels, 8, 2, ((b"tRNS", struct.pack(">3H", 255, 255, 255)),))
    result, _ = drawn(data)
    alpha = np.asarray(Image.open(io.BytesIO(result)).convert("RGBA"))[..., 3]
    assert (outside(alpha) == 0).all()
    assert (alpha[BOX] == 255).all()


def test_clear_pixels_show_the_box_over_whatever_lies_behind() -> None:
    data = encoded(Image.new("RGBA", (WIDTH, HEIGHT), (255, 255, 255, 0)), "PNG")
    after = np.asarray(Image.open(io.BytesIO(drawn(data)[0])))
    assert tuple(after[41, 52]) == (0, 0, 0, 168)
    assert tuple(after[48, 70]) == (255, 255, 255, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_overlay_stands_upright_in_every_orientation(kind: str, orientation: int) -> None:
    size = (WIDTH, HEIGHT) if orientation < 5 else (HEIGHT, WIDTH)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, object] = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(Image.new("RGB", size, (90, 120, 60)), kind, exif=exif, **options)
    sizes = []

    def overlay(displayed: tuple[int, int]) -> Overlay:
        sizes.append(displayed)
        return patch(displayed)

    result, _ = drawn(data, overlay)
    assert sizes == [(WIDTH, HEIGHT)]
    with Asset.open(result) as asset:
        grey = raster.luma(asset).astype(int)
    assert grey.shape == (HEIGHT, WIDTH)
    assert grey[46:50, 60:80].min() > 240
    assert grey[41:43, 52:88].max() < 60
    assert abs(outside(grey)[:30] - grey[0, 0]).max() < 4
    assert Image.open(io.BytesIO(result)).getexif()[0x0112] == orientation


def test_an_exif_chunk_behind_the_pixels_of_a_png_counts() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    data = encoded(Image.new("RGB", (HEIGHT, WIDTH)), "PNG")
    late = data[:-12] + make_chunk(b"eXIf", block) + data[-12:]
    with Asset.open(drawn(late)[0]) as asset:
        assert raster.luma(asset)[46:50, 60:80].min() > 240


JPEGS = {
    "4:4:4": (Image.fromarray(scene()), {"subsampling": 0, "quality": 92}),
    "4:2:2": (Image.fromarray(scene()), {"subsampling": 1, "quality": 85}),
    "4:2:0": (Image.fromarray(scene()), {"subsampling": 2, "quality": 80}),
    "progressive": (Image.fromarray(scene()), {"progressive": True}),
    "grey": (Image.fromarray(scene()).convert("L"), {}),
    "cmyk": (Image.fromarray(scene()).convert("CMYK"), {"quality": 90}),
    "rgb": (Image.fromarray(scene()), {"keep_rgb": True}),
}


@pytest.mark.parametrize("name", JPEGS)
def test_a_jpeg_is_encoded_with_its_own_tables(name: str) -> None:
    image, options = JPEGS[name]
    data = encoded(image, "JPEG", comment=b"kept", **options)
    result, said = drawn(data)
    before, after = (Image.open(io.BytesIO(each)) for each in (data, result))
    assert after.mode == before.mode
    assert after.layer == before.layer
    assert after.quantization == before.quantization
    assert ("progressive" in after.info) == ("progressive" in before.info)
    assert after.info["comment"] == b"kept"
    one, other = (np.asarray(each.convert("RGB")).astype(int) for each in (before, after))
    assert np.abs(one - other)[:32].mean() < 1.5
    assert other[46:50, 60:80].min() > 215
    assert other[41:42, 54:86].max() < 130
    assert "differ" in said


def test_a_jpeg_keeps_exif_and_colour_profile() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010E] = "description"
    result, _ = drawn(encoded(Image.fromarray(scene()), "JPEG", exif=exif, icc_profile=profile))
    after = Image.open(io.BytesIO(result))
    assert after.info["icc_profile"] == profile
    assert after.getexif()[0x010E] == "description"


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_lossless_webp_stays_lossless(mode: str) -> None:
    image = Image.fromarray(scene()).convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.fromarray(scene()[..., 0]))
    data = encoded(image, "WEBP", lossless=True, exact=True)
    result, said = drawn(data)
    assert "identical" in said
    assert np.array_equal(outside(np.asarray(image)), outside(np.asarray(Image.open(io.BytesIO(result)))))


def test_lossy_webp_says_that_it_was_encoded_again() -> None:
    data = encoded(Image.fromarray(scene()), "WEBP", quality=80)
    result, said = drawn(data)
    assert "encoded again" in said
    one, other = (np.asarray(Image.open(io.BytesIO(each))).astype(int) for each in (data, result))
    assert np.abs(outside(one) - outside(other)).mean() < 4


def moving(count: int = 4) -> list[Image.Image]:
    frames = []
    for number in range(count):
        frame = Image.fromarray(scene()).convert("RGBA")
        frame.paste((255, 0, 0, 255), (10 * number, 5, 10 * number + 12, 20))
        frames.append(frame)
    return frames


TIMES = [100, 240, 40, 500]


@pytest.mark.parametrize("lossless", [True, False])
def test_an_animated_webp_keeps_frames_and_times(lossless: bool) -> None:
    frames = moving()
    data = encoded(
        frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=TIMES, loop=3, lossless=lossless
    )
    after = Image.open(io.BytesIO(drawn(data)[0]))
    assert (after.n_frames, after.info["loop"]) == (4, 3)
    assert _times(after) == TIMES
    assert all(np.asarray(f.convert("L"))[46:50, 60:80].min() > 240 for f in _frames(after))


@pytest.mark.parametrize("disposal", [0, 1, 2])
@pytest.mark.parametrize("blend", [0, 1])
@pytest.mark.parametrize("default", [True, False])
def test_every_frame_of_an_animated_png_carries_the_overlay(disposal: int, blend: int, default: bool) -> None:
    frames = moving()
    data = encoded(
        frames[0],
        "PNG",
        save_all=True,
        append_images=frames[1:],
        duration=TIMES[1:] if default else TIMES,
        loop=2,
        disposal=disposal,
        blend=blend,
        default_image=default,
    )
    result, _ = drawn(data)
    before, after = (Image.open(io.BytesIO(each)) for each in (data, result))
    assert (after.n_frames, after.info["loop"], after.default_image) == (before.n_frames, 2, default)
    assert _times(after) == _times(before)
    for one, other in zip(_frames(before), _frames(after), strict=True):
        assert np.array_equal(outside(np.asarray(one)), outside(np.asarray(other)))
        assert np.asarray(other)[46:50, 60:80, :3].min() == 255


def _frames(image: Image.Image) -> list[Image.Image]:
    frames = []
    for number in range(image.n_frames):
        image.seek(number)
        frames.append(image.convert("RGBA"))
    return frames


def _times(image: Image.Image) -> list[float]:
    times = []
    for number in range(image.n_frames):
        image.seek(number)
        image.load()
        times.append(image.info.get("duration"))
    return times


@pytest.mark.parametrize("container", ["png", "jpeg", "webp"])
def test_a_file_cut_short_is_bad_input(container: str) -> None:
    data = sample(container).read_bytes()
    for share in (0.1, 0.5, 0.9):
        cut = data[: int(len(data) * share)]
        with Asset.open(cut) as asset, pytest.raises(BadInput):
            raster.draw(asset, lambda size: Overlay(np.zeros((2, 2, 4), np.uint8), 0, 0))


def test_a_picture_of_300_million_pixels_is_refused_by_name_of_the_limit() -> None:
    head = struct.pack(">IIBBBBB", 20_000, 15_000, 8, 2, 0, 0, 0)
    data = SIGNATURE + make_chunk(b"IHDR", head) + make_chunk(b"IDAT", zlib.compress(b"")) + make_chunk(b"IEND", b"")
    with Asset.open(data) as asset, pytest.raises(TooLarge, match=str(raster.MOST_PIXELS)):
        raster.luma(asset)
    assert Image.MAX_IMAGE_PIXELS == 89_478_485


@pytest.mark.parametrize(
    "change",
    [
        (16, b"\0\0\0\0"),  # no width
        (24, b"\7"),  # no such depth
        (25, b"\5"),  # no such colour type
    ],
)
def test_a_header_no_png_has_is_bad_input(change: tuple[int, bytes]) -> None:
    data = bytearray(encoded(Image.fromarray(scene()), "PNG"))
    data[change[0] : change[0] + len(change[1])] = change[1]
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    with Asset.open(bytes(data)) as asset, pytest.raises(BadInput):
        raster.draw(asset, patch)


def test_a_palette_index_without_colour_is_bad_input() -> None:
    pixels = np.full((HEIGHT, WIDTH, 1), 9)
    data = png(pixels, 8, 3, ((b"PLTE", bytes(9)),))
    with Asset.open(data) as asset, pytest.raises(BadInput):
        raster.draw(asset, patch)


def test_16_bit_grey_is_seen_in_its_upper_bits() -> None:
    pixels = np.full((HEIGHT, WIDTH, 1), 0x8000)
    with Asset.open(png(pixels, 16, 0)) as asset:
        assert raster.luma(asset)[0, 0] == 0x80


def test_what_is_clear_is_seen_over_white() -> None:
    with Asset.open(encoded(Image.new("RGBA", (9, 9), (0, 0, 0, 0)), "PNG")) as asset:
        assert raster.luma(asset).min() == 255


def test_pictures_in_a_container_without_decoder_are_unsupported() -> None:
    with Asset.open(sample("wav")) as asset, pytest.raises(Unsupported):
        raster.luma(asset)


def test_scanlines_outside_the_overlay_are_kept_as_they_were_filtered() -> None:
    data = encoded(Image.fromarray(scene()), "PNG")
    result, _ = drawn(data)
    line = 1 + 3 * WIDTH
    one, other = (
        zlib.decompress(b"".join(c.data(each) for c in chunks(each) if c.type == b"IDAT")) for each in (data, result)
    )
    assert one[: 40 * line] == other[: 40 * line]
    assert one[57 * line :] == other[57 * line :]
    assert _png.header(result) == _png.header(data)
