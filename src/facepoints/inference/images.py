"""Photos as a person sees them, from whatever holds one: a file, an array, a Pillow image.

OpenCV decodes JPEG (CMYK, too), PNG of any depth, WebP, AVIF, TIFF, GIF (the first picture), BMP, JPEG 2000 and PNM,
and turns them as their EXIF orientation says. What it does not do happens here: sizes are looked at before anything
is unpacked, see-through places become white, what OpenCV leaves lying is turned, and HEIC is handed to pillow-heif
where that is there.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.errors import BadChoice, BadFile, MissingExtra
from facepoints.inference.image_header import AVIF, HEIC, TIFF, Header, Turn, read_header, turn_of_exif

Pixels = NDArray[np.uint8]

LARGEST = 200_000_000
"""Pixels of the largest photo that is decoded: four times what a good camera takes, 600 MB as color."""

URL = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
"""How an address in the net begins; of the two slashes a path keeps one."""

_STRIPE = 256  # rows that are laid on white at once: their sums take several times the photo's memory

_JPEG, _PNM = (".jpg", ".jpeg", ".jpe", ".jfif"), (".pgm", ".ppm", ".pbm")

ENDINGS = frozenset(
    (*_JPEG, ".png", ".webp", ".avif", ".tif", ".tiff", ".gif", ".bmp", ".jp2", *_PNM, ".heic", ".heif")
)
"""File endings of photos: what is looked for in folders."""


@dataclass(frozen=True)
class Photo:
    """A photo, the right way up."""

    pixels: Pixels
    """grey (h, w) or BGR (h, w, 3), as OpenCV has it"""

    @cached_property
    def gray(self) -> Pixels:
        """(h, w)"""
        if self.pixels.ndim == 2:
            return self.pixels
        return np.asarray(cv2.cvtColor(self.pixels, cv2.COLOR_BGR2GRAY), np.uint8)

    @cached_property
    def bgr(self) -> Pixels:
        """(h, w, 3)"""
        if self.pixels.ndim == 3:
            return self.pixels
        return np.asarray(cv2.cvtColor(self.pixels, cv2.COLOR_GRAY2BGR), np.uint8)


def open_photo(photo: object) -> Photo:
    """A photo from a path, a Pillow image, or an array uint8: grey (h, w), RGB (h, w, 3) or RGBA (h, w, 4)."""
    if isinstance(photo, Photo):
        return photo
    if isinstance(photo, str | Path):
        return read_photo(Path(photo))
    if isinstance(photo, np.ndarray):
        return _of_array(photo)
    if type(photo).__module__.split(".")[0] == "PIL":
        return _of_pillow(photo)
    raise BadChoice(f"a photo is a path, a Pillow image or an array, got {type(photo).__name__}")


def read_photo(path: Path) -> Photo:
    """A photo file; raises BadFile where it is absent, damaged, too large or none, MissingExtra for HEIC."""
    if URL.match(str(path)):
        raise BadFile(f"{path}: nothing is fetched from the net. Save the photo to a file and give that")
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise BadFile(f"{path}: cannot be read ({reason})") from error
    return decode_photo(content, str(path))


def decode_photo(content: bytes, name: str) -> Photo:
    """A photo from a file's content; `name` stands in errors."""
    if not content:
        raise BadFile(f"{name}: the file is empty, expected a photo")
    header = read_header(content)
    if header is None:
        raise BadFile(f"{name}: no photo, or damaged; expected JPEG, PNG, WebP, AVIF, TIFF, GIF, BMP or HEIC")
    if header.width * header.height > LARGEST:
        size = f"{header.width:,} x {header.height:,} px"
        raise BadFile(f"{name}: claims to be {size}, more than {LARGEST // 10**6} megapixels. Make it smaller")
    if header.kind == HEIC:
        return _of_heic(content, name)
    photo = (_on_paper(content, header) if header.see_through else None) or _in_color(content, header)
    if photo is None:
        raise BadFile(f"{name}: a damaged {header.kind} file, or a variety that OpenCV does not read. Save it as PNG")
    return photo


def _in_color(content: bytes, header: Header) -> Photo | None:
    with _quiet():
        try:
            pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:
            return None
    return None if pixels is None else Photo(_turned(_eight_bits(pixels), header.turn))


def _on_paper(content: bytes, header: Header) -> Photo | None:
    """A photo with its see-through places white; None where it has none, or is damaged."""
    with _quiet():
        try:
            pixels, kinds, parts = cv2.imdecodeWithMetadata(
                np.frombuffer(content, np.uint8), flags=cv2.IMREAD_UNCHANGED
            )
        except cv2.error:
            return None
    if pixels is None or pixels.shape[2:] != (4,) or pixels.dtype not in (np.uint8, np.uint16):
        return None
    multiplied = header.kind == TIFF and pixels.dtype == np.uint8  # by libtiff, whatever the file holds
    pixels = _eight_bits(pixels)
    colors, opacity = pixels[:, :, :3], pixels[:, :, 3]
    if multiplied:
        paper = np.asarray(cv2.add(colors, cv2.cvtColor(255 - opacity, cv2.COLOR_GRAY2BGR)), np.uint8)
    else:
        paper = _on_white(colors, opacity)
    turn = header.turn
    if header.kind != AVIF:  # there a box has the say, which the header has read; TIFF comes turned and without EXIF
        for kind, part in zip(kinds, parts, strict=True):
            turn = turn_of_exif(bytes(part)) if kind == cv2.IMAGE_METADATA_EXIF else turn
    return Photo(_turned(paper, turn))


@contextmanager
def _quiet() -> Iterator[None]:
    """Within it OpenCV keeps its warnings to itself: it would write to the terminal what we raise."""
    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)


def _turned(pixels: Pixels, turn: Turn) -> Pixels:
    if turn == Turn():
        return pixels
    turned = np.rot90(pixels, turn.quarters)
    return np.ascontiguousarray(turned if turn.mirrored is None else np.flip(turned, turn.mirrored))


def _eight_bits(pixels: NDArray[Any]) -> Pixels:
    """16 bits as 8; 8 bits as they are."""
    if pixels.dtype != np.uint16:
        return np.asarray(pixels, np.uint8)
    made = np.empty(pixels.shape, np.uint8)
    np.right_shift(pixels, 8, out=made, casting="unsafe")  # a photo of 16 bits between would double the memory
    return made


def _on_white(pixels: Pixels, opacity: Pixels) -> Pixels:
    """Colors (h, w, 3) of which opacity (h, w) of 255 is left, on white paper."""
    made = np.empty(pixels.shape, np.uint8)
    for top in range(0, len(pixels), _STRIPE):
        rows = slice(top, top + _STRIPE)
        share = opacity[rows, :, None].astype(np.uint16)
        made[rows] = (pixels[rows] * share + 255 * (255 - share) + 127) // 255
    return made


def _of_array(array: NDArray[Any]) -> Photo:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,), (4,)) or not array.size:
        what = f"the photo is {array.dtype} of shape {array.shape}"
        raise BadChoice(f"{what}, expected uint8: grey (h, w), RGB (h, w, 3) or RGBA (h, w, 4)")
    if array.ndim == 2:
        return Photo(np.ascontiguousarray(array))
    pixels = np.ascontiguousarray(array[:, :, 2::-1])
    return Photo(pixels if array.shape[2] == 3 else _on_white(pixels, array[:, :, 3]))


def _of_pillow(image: Any) -> Photo:
    """A Pillow image of any mode, turned as its EXIF orientation says."""
    upright = importlib.import_module("PIL.ImageOps").exif_transpose(image)
    if upright.mode.startswith("I"):  # Pillow would cut 16 bits off at 255
        deep = np.asarray(upright)
        return _of_array(_eight_bits(deep.clip(0, 65535).astype(np.uint16)) if deep.max() > 255 else deep.astype("u1"))
    clear = upright.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in upright.info
    return _of_array(np.asarray(upright.convert("L" if upright.mode == "L" else "RGBA" if clear else "RGB")))


def _of_heic(content: bytes, name: str) -> Photo:
    try:
        heif = importlib.import_module("pillow_heif")
    except ImportError:
        raise MissingExtra(f"{name}: HEIC needs `pip install pillow-heif`, or save the photo as JPEG") from None
    try:
        return _of_array(np.asarray(heif.read_heif(content)))
    except (ValueError, RuntimeError, EOFError, SyntaxError) as error:
        raise BadFile(f"{name}: a damaged HEIC file ({error})") from error
