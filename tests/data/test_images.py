"""Decoding photos: golden images of every supported format, orientation, transparency, limits and error messages."""

from __future__ import annotations

import io
import struct
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from facepoints.data import images
from facepoints.data.images import LARGEST, decode_image, open_image, read_image
from facepoints.errors import BadChoice, BadFile, FacepointsError

ORIENTATION = 0x0112


def a_picture() -> Image.Image:
    """Smooth colors that differ in every corner, wider than high."""
    y, x = np.mgrid[:60, :90]
    return Image.fromarray(np.stack([x * 2, y * 4, 255 - x - y], axis=2).astype(np.uint8))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def rgb(content: bytes) -> NDArray[np.int64]:
    return decode_image(content, "photo").bgr[:, :, ::-1].astype(np.int64)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_photos_stand_as_a_person_sees_them(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    content = saved(a_picture(), kind, exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    assert np.abs(rgb(content) - np.asarray(expected)).mean() < 3


def deep(channels: str, ending: str) -> bytes:
    """The picture with 16 bits per channel; channels L or RGB."""
    eight = np.asarray(a_picture().convert(channels))
    return cv2.imencode(ending, (eight if channels == "L" else eight[:, :, ::-1]).astype(np.uint16) * 257)[1].tobytes()


GOLDEN: dict[str, tuple[str, bytes, float]] = {
    # name: (mode of the picture in it, file, largest mean difference of its pixels)
    "jpeg": ("RGB", saved(a_picture(), "JPEG", quality=95), 2),
    "jpeg progressive": ("RGB", saved(a_picture(), "JPEG", quality=95, progressive=True), 2),
    "jpeg grey": ("L", saved(a_picture().convert("L"), "JPEG", quality=95), 1),
    "jpeg cmyk": ("CMYK", saved(a_picture().convert("CMYK"), "JPEG", quality=95), 4),
    "png": ("RGB", saved(a_picture(), "PNG"), 0),
    "png grey": ("L", saved(a_picture().convert("L"), "PNG"), 0),
    "png grey, transparent": ("LA", saved(a_picture().convert("LA"), "PNG"), 0),
    "png 1 bit": ("1", saved(a_picture().convert("1"), "PNG"), 0),
    "png palette": ("P", saved(a_picture().convert("P"), "PNG"), 0),
    "png 16 bits": ("RGB", deep("RGB", ".png"), 0),
    "png 16 bits grey": ("L", deep("L", ".png"), 0),
    "webp": ("RGB", saved(a_picture(), "WEBP", quality=95), 2),
    "webp lossless": ("RGB", saved(a_picture(), "WEBP", lossless=True), 0),
    "avif": ("RGB", saved(a_picture(), "AVIF", quality=95), 2),
    "jpeg 2000": ("RGB", saved(a_picture(), "JPEG2000"), 0.5),
    "jpeg 2000, 16 bits": ("RGB", deep("RGB", ".jp2"), 1),
    "tiff": ("RGB", saved(a_picture(), "TIFF"), 0),
    "tiff lzw": ("RGB", saved(a_picture(), "TIFF", compression="tiff_lzw"), 0),
    "tiff 1 bit": ("1", saved(a_picture().convert("1"), "TIFF"), 0),
    "tiff cmyk": ("CMYK", saved(a_picture().convert("CMYK"), "TIFF"), 4),
    "tiff 16 bits": ("RGB", deep("RGB", ".tiff"), 0),
    "tiff 16 bits grey": ("L", deep("L", ".tiff"), 0),
    "bmp": ("RGB", saved(a_picture(), "BMP"), 0),
    "bmp palette": ("P", saved(a_picture().convert("P"), "BMP"), 0),
    "gif": ("P", saved(a_picture().convert("P"), "GIF"), 0),
    "ppm": ("RGB", saved(a_picture(), "PPM"), 0),
    "pgm": ("L", saved(a_picture().convert("L"), "PPM"), 0),
    "pbm": ("1", saved(a_picture().convert("1"), "PPM"), 0),
    "ppm 16 bits": ("RGB", deep("RGB", ".ppm"), 0),
    "pgm 16 bits": ("L", deep("L", ".pgm"), 0),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_images(name: str) -> None:
    mode, content, largest = GOLDEN[name]
    picture = a_picture().convert(mode).convert("RGB")
    assert np.abs(rgb(content) - np.asarray(picture)).mean() <= largest
    gray = decode_image(content, name).gray.astype(int)
    assert np.abs(gray - cv2.cvtColor(rgb(content).astype(np.uint8), cv2.COLOR_RGB2GRAY)).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_is_decoded_by_pillow_heif(orientation: int) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    content = saved(a_picture(), "HEIF", quality=95, exif=exif.tobytes())
    turned = a_picture()
    turned.getexif()[ORIENTATION] = orientation
    assert np.abs(rgb(content) - np.asarray(ImageOps.exif_transpose(turned))).mean() < 4


@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_sixteen_bits_are_read_as_eight(ending: str) -> None:
    eight = np.asarray(a_picture())
    content = cv2.imencode(ending, eight[:, :, ::-1].astype(np.uint16) * 257)[1].tobytes()
    assert np.abs(rgb(content) - eight).max() <= 1


def with_a_hole(orientation: int = 1) -> tuple[Image.Image, NDArray[np.uint8]]:
    """A picture without its upper left corner, and as it looks on white, turned by EXIF's orientation."""
    clear = np.dstack([np.asarray(a_picture()), np.full((60, 90), 255, np.uint8)])
    clear[:20, :30] = 0
    clear[40:, :10, 3] = 128
    plain = Image.alpha_composite(Image.new("RGBA", (90, 60), "white"), Image.fromarray(clear)).convert("RGB")
    plain.getexif()[ORIENTATION] = orientation
    return Image.fromarray(clear), np.asarray(ImageOps.exif_transpose(plain))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_see_through_places_become_white_where_a_person_sees_them(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image, expected = with_a_hole(orientation)
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "AVIF" else {}
    pixels = rgb(saved(image, kind, exif=exif, **options))
    assert np.abs(pixels - expected).mean() < (3 if kind == "AVIF" else 0.5)


@pytest.mark.parametrize("profile", [b"", bytes(range(256)) * 400])  # a long color profile lies before the holes
@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_palettes_see_through_color_becomes_white(kind: str, profile: bytes) -> None:
    tone = (np.mgrid[:60, :90][1] // 10 + 1).astype(np.uint8)
    tone[:20, :30] = 0
    image = Image.fromarray(tone)
    image.putpalette([0, 0, 0, *(v for i in range(1, 10) for v in (25 * i, 90, 250 - 25 * i))])
    pixels = rgb(saved(image, kind, transparency=0, **({"icc_profile": profile} if kind == "PNG" and profile else {})))
    assert (pixels[:20, :30] == 255).all()
    assert (pixels[30, ::10] == [[25 * i, 90, 250 - 25 * i] for i in range(1, 10)]).all()


def test_see_through_places_of_16_bits_become_white() -> None:
    image, expected = with_a_hole()
    deep = cv2.cvtColor(np.asarray(image), cv2.COLOR_RGBA2BGRA).astype(np.uint16) * 257
    assert np.abs(rgb(cv2.imencode(".png", deep)[1].tobytes()) - expected).max() <= 1


def test_white_behind_a_large_photo_takes_no_more_than_the_photo() -> None:
    photo = np.full((12_000, 500, 4), 128, np.uint8)
    tracemalloc.start()
    try:
        opened = open_image(photo)
        assert opened.bgr.shape == (12_000, 500, 3)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (opened.bgr == (128 * 128 + 255 * 127 + 127) // 255).all()
    assert peak < 2.5 * opened.bgr.nbytes


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"", b"MM\0*", b"II*\0\x08\0\0\0\xff\xff", b"no EXIF at all", b"Exif\0\0MM"])
def test_damaged_exif_leaves_a_photo_as_stored(kind: str, exif: bytes) -> None:
    pixels = rgb(saved(a_picture(), kind, exif=exif))
    assert np.abs(pixels - np.asarray(a_picture())).mean() < 4


def test_of_an_animation_the_first_picture_counts() -> None:
    content = saved(a_picture(), "GIF", save_all=True, append_images=[a_picture().rotate(180)])
    assert np.abs(rgb(content) - np.asarray(a_picture())).mean() < 8


def test_file_array_and_pillow_image_are_the_same_photo(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    (tmp_path / "a.png").write_bytes(saved(a_picture(), "PNG", exif=exif))
    from_file = read_image(tmp_path / "a.png").bgr
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.png")))
    for other in (str(tmp_path / "a.png"), upright, Image.open(tmp_path / "a.png")):
        assert (open_image(other).bgr == from_file).all()


def test_pillow_images_of_16_bits_keep_their_shades() -> None:
    gray = np.asarray(a_picture().convert("L"))
    assert np.abs(open_image(Image.fromarray(gray.astype(np.uint16) * 257)).gray.astype(int) - gray).max() <= 1


def png(side: int, bits: int, body: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", side, side, bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part)) for kind, part in chunks
    )


def bomb(side: int) -> bytes:
    """A PNG of a few hundred bytes that claims to be large."""
    return png(side, 8, zlib.compress(b"\0" * 1000))


def one_bit(side: int) -> bytes:
    """A PNG of some kilobytes that is as large as it claims: black, eight pixels to a byte."""
    return png(side, 1, zlib.compress(b"\0" * ((1 + side // 8) * side), 1))


def lying_jpeg2000() -> bytes:
    """A JPEG 2000 photo whose box says 90 x 60 px and whose code says 60,000 x 60,000 px."""
    content = bytearray(saved(a_picture(), "JPEG2000"))
    struct.pack_into(">2I", content, content.index(b"\xff\x4f\xff\x51") + 8, 60_000, 60_000)
    return bytes(content)


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\x14ispe\0\0\0\0" + struct.pack(">II", 640, 480)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"buy milk", "not a photo, or damaged"),
        (b"%PDF-1.7", "not a photo, or damaged"),
        (saved(a_picture(), "JPEG")[:30], "not a photo, or damaged"),
        (saved(a_picture(), "JPEG")[:700], "a damaged JPEG file"),
        (saved(a_picture(), "PNG")[:120], "a damaged PNG file"),
        (saved(a_picture(), "GIF")[:300], "not a photo, or damaged"),
        (bomb(60_000), "claims to be 60,000 x 60,000 px"),
        (one_bit(16_000), "claims to be 16,000 x 16,000 px"),
        (lying_jpeg2000(), "a damaged JPEG 2000 file"),
        (bomb(500), "a damaged PNG file"),
    ],
)
def test_what_is_no_photo_says_so_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(BadFile) as caught:
        read_image(tmp_path / "x.jpg")
    assert words in str(caught.value)
    assert "x.jpg: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_heic_needs_a_reader_or_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.heic").write_bytes(HEIC)
    with pytest.raises(FacepointsError, match=r"facepoints\[heic\]|not a photo, or damaged"):
        read_image(tmp_path / "x.heic")


@pytest.mark.parametrize("name", ["https://example.org/a.jpg", "http://example.org/a.jpg", "ftp://a/b.png"])
def test_nothing_is_fetched(name: str) -> None:
    with pytest.raises(BadFile, match="nothing is fetched"):
        open_image(name)


@pytest.mark.parametrize("place", ["absent.jpg", ".", "a\0b.jpg"])
def test_what_cannot_be_opened_says_so(tmp_path: Path, place: str) -> None:
    with pytest.raises(BadFile, match="cannot be read"):
        read_image(tmp_path / place)


@pytest.mark.parametrize(
    "photo",
    [
        np.zeros((9, 9), np.float32),
        np.zeros((9, 9, 2), np.uint8),
        np.zeros((0, 9), np.uint8),
        np.zeros(9, np.uint8),
        7,
        None,
    ],
)
def test_what_holds_no_photo_is_refused(photo: object) -> None:
    with pytest.raises(BadChoice, match=r"expected uint8|a photo is a path"):
        open_image(photo)


def test_the_limit_admits_what_cameras_take() -> None:
    assert LARGEST > 2 * 8_700 * 5_800


def test_a_huge_jpeg_is_decoded_at_half_its_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    content = saved(a_picture().resize((91, 61)), "JPEG", quality=95, exif=exif)
    whole = rgb(content)
    monkeypatch.setattr(images, "REDUCED", 5000)
    reduced = rgb(content)
    assert reduced.shape == whole.shape == (91, 61, 3)
    assert 0 < np.abs(reduced - whole).mean() < 3


def test_photos_of_any_number_of_threads_leave_pillows_settings_alone() -> None:
    before = (Image.MAX_IMAGE_PIXELS, list(warnings.filters))
    content = one_bit(12_000)  # beyond the size at which Pillow warns
    with ThreadPoolExecutor(4) as pool:
        sizes = list(pool.map(lambda _: decode_image(content, "x").gray.shape, range(4)))
    assert sizes == [(12_000, 12_000)] * 4
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


def test_a_check_runs_before_decoding() -> None:
    claimed: list[tuple[int, int]] = []

    def refuse(width: int, height: int) -> None:
        claimed.append((width, height))
        raise BadChoice("too long")

    with pytest.raises(BadChoice, match="too long"):
        decode_image(bomb(500), "x", refuse)
    assert claimed == [(500, 500)]
