"""Decode photos with Pillow: files, bytes, arrays and Pillow images, for training and inference alike.

Every photo comes out as displayed: EXIF orientation applied, transparency on white, 8 bits per channel.
"""

from __future__ import annotations

import importlib
import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# importing a plugin registers it; Image.open itself would import all forty
from PIL import AvifImagePlugin, Image, ImageOps, Jpeg2KImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401

from facepoints.errors import BadChoice, BadFile, MissingExtra

Pixels = NDArray[np.uint8]

LARGEST = 200_000_000
"""Pixels of the largest photo that is decoded: four times a 50-megapixel camera, 600 MB as color."""

REDUCED = 100_000_000
"""Pixels above which a JPEG is decoded at half its resolution and enlarged again: it saves a third of the peak memory.
Only phones that interpolate between sensor pixels make such files."""

URL = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
"""Start of a network address; `Path` keeps one of its two slashes."""

ENDINGS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".tif", ".tiff", ".gif", ".bmp", ".jp2")
    + (".pgm", ".ppm", ".pbm", ".heic", ".heif")
)
"""File endings of photos in a folder."""

_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP", "JPEG2000", "PPM")
_NAMES = {"HEIF": "HEIC", "JPEG2000": "JPEG 2000", "PPM": "PNM", "MPO": "JPEG", "WEBP": "WebP"}
_HEIC = re.compile(rb".{4}ftyp(?:hei|hev|mif|msf)", re.DOTALL)

Check = Callable[[int, int], None]
"""Called with the width and height in px that a file claims, before it is decoded; raises to refuse the file."""


@dataclass(frozen=True)
class Photo:
    """A photo as displayed."""

    content: Pixels | Image.Image
    """grey (h, w), BGR (h, w, 3), or a Pillow image of mode L or RGB, whose pixels are copied only when needed"""

    @cached_property
    def gray(self) -> Pixels:
        """(h, w)"""
        if isinstance(self.content, Image.Image):
            return np.asarray(self.content.convert("L"))
        if self.content.ndim == 2:
            return self.content
        return np.asarray(cv2.cvtColor(self.content, cv2.COLOR_BGR2GRAY), np.uint8)

    @cached_property
    def bgr(self) -> Pixels:
        """(h, w, 3)"""
        if isinstance(self.content, Image.Image) and self.content.mode == "RGB":
            size = (self.content.height, self.content.width, 3)
            return np.frombuffer(self.content.tobytes("raw", "BGR"), np.uint8).reshape(size)
        if isinstance(self.content, np.ndarray) and self.content.ndim == 3:
            return self.content
        return np.asarray(cv2.cvtColor(self.gray, cv2.COLOR_GRAY2BGR), np.uint8)


def open_image(photo: object) -> Photo:
    """A photo from a path, a Pillow image, or a uint8 array: grey (h, w), RGB (h, w, 3) or RGBA (h, w, 4)."""
    if isinstance(photo, Photo):
        return photo
    if isinstance(photo, str | Path):
        return read_image(Path(photo))
    if isinstance(photo, np.ndarray):
        return _of_array(photo)
    if isinstance(photo, Image.Image):
        return Photo(_flat(ImageOps.exif_transpose(photo)))
    raise BadChoice(f"a photo is a path, a Pillow image or an array, got {type(photo).__name__}")


def read_image(path: Path) -> Photo:
    """Read a photo file; raises BadFile if it is absent, damaged, too large or not a photo, MissingExtra for HEIC."""
    if URL.match(str(path)):
        raise BadFile(f"{path}: nothing is fetched from the network. Save the photo to a file and pass its path")
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise BadFile(f"{path}: cannot be read ({reason})") from error
    return decode_image(content, str(path))


def decode_image(content: bytes, name: str, check: Check | None = None) -> Photo:
    """Decode the content of a photo file; `name` appears in errors."""
    if not content:
        raise BadFile(f"{name}: the file is empty, expected a photo")
    formats: tuple[str, ...] = _FORMATS
    if _HEIC.match(content) and not re.search(rb"avi[fs]", content[8:64]):
        formats = (_heic(name),)
    with _quiet():
        try:
            image: Image.Image = Image.open(io.BytesIO(content), formats=formats)
        except Exception as error:  # plugins raise whatever their parsers do
            expected = "expected JPEG, PNG, WebP, AVIF, TIFF, GIF, BMP, JPEG 2000, PNM or HEIC"
            raise BadFile(f"{name}: not a photo, or damaged; {expected}") from error
        width, height = image.size
        if check is not None:
            check(width, height)
        if width * height > LARGEST:
            what = f"claims to be {width:,} x {height:,} px, more than {LARGEST // 10**6} megapixels"
            raise BadFile(f"{name}: {what}. Make it smaller")
        kind = _NAMES.get(image.format or "", image.format)
        reduced = kind == "JPEG" and width * height > REDUCED
        if reduced:
            image.draft(None, (width // 2, height // 2))
        try:
            image.load()
            if reduced:
                image = image.resize((width, height), Image.Resampling.BILINEAR)
            with suppress(Exception):  # damaged EXIF: the photo stays as stored
                ImageOps.exif_transpose(image, in_place=True)
            return Photo(_flat(image))
        except Exception as error:
            remedy = "or a variety that Pillow does not read. Save it as PNG"
            raise BadFile(f"{name}: a damaged {kind} file, {remedy}") from error


def _heic(name: str) -> str:
    """Register pillow-heif with Pillow; returns its format."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        raise MissingExtra(f"{name}: HEIC needs `pip install 'facepoints[heic]'`, or save it as JPEG") from None
    return "HEIF"


_lock, _users, _limit = threading.Lock(), 0, Image.MAX_IMAGE_PIXELS


@contextmanager
def _quiet() -> Iterator[None]:
    """Within it Pillow neither warns nor applies its own pixel limit, which is below LARGEST.

    Both settings belong to the process: the first thread in changes them, the last one out restores them.
    """
    global _users, _limit
    with _lock:
        if not _users:
            _limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                Image.MAX_IMAGE_PIXELS = _limit
                warnings.filters = [kept for kept in warnings.filters if kept[3] != re.compile(r"PIL\.")]


def _flat(image: Image.Image) -> Image.Image:
    """A Pillow image of any mode as L or RGB."""
    if image.mode.startswith("I"):  # Pillow would clip 16 bits at 255
        deep = np.asarray(image)
        if ";16" in image.mode or deep.max() > 255:
            deep = deep.clip(0, 65535).astype(np.uint16) >> 8
        return Image.fromarray(deep.astype(np.uint8))
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(clear, mask=clear)
        return white
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _of_array(array: NDArray[Any]) -> Photo:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,), (4,)) or not array.size:
        what = f"the photo is {array.dtype} of shape {array.shape}"
        raise BadChoice(f"{what}, expected uint8: grey (h, w), RGB (h, w, 3) or RGBA (h, w, 4)")
    if array.shape[2:] == (4,):
        return Photo(_flat(Image.fromarray(array)))
    return Photo(np.ascontiguousarray(array if array.ndim == 2 else array[:, :, ::-1]))
