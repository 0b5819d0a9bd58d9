"""What a photo file's first bytes say: its kind, its size in pixels, whether it is see-through.

Known before anything is unpacked: a file of a few kilobytes can claim to be gigabytes of pixels.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from struct import error as TooShort
from struct import unpack_from

HEIC = "HEIC"
"""Photos of iPhones: OpenCV does not read them."""

AVIF, TIFF = "AVIF", "TIFF"


@dataclass(frozen=True)
class Turn:
    """What is done to a photo to see it upright."""

    quarters: int = 0
    """turns, counterclockwise"""
    mirrored: int | None = None
    """then mirrored: 0 top to bottom, 1 left to right; None: not"""


_EXIF_TURNS = {
    2: Turn(0, 1),
    3: Turn(2),
    4: Turn(0, 0),
    5: Turn(1, 0),
    6: Turn(3),
    7: Turn(1, 1),
    8: Turn(1),
}
"""By EXIF's orientation (CIPA DC-008, "Orientation"); any other is upright."""


@dataclass(frozen=True)
class Header:
    """What is known of a photo before it is decoded."""

    kind: str
    width: int
    height: int
    see_through: bool = False
    """may it have transparent places?"""
    turn: Turn = Turn()
    """where OpenCV does not know of it"""


def read_header(content: bytes) -> Header | None:
    """The header of a photo file; None where the bytes are no photo of a known kind, or end too soon."""
    for start, reader in _KINDS:
        if start.match(content):
            try:
                return reader(content)
            except (TooShort, IndexError, ValueError):
                return None
    return None


def turn_of_exif(exif: bytes) -> Turn:
    """How a photo with this EXIF block is turned; as it is, where the block says nothing or is damaged."""
    try:
        orientation = _tags(exif.removeprefix(b"Exif\0\0")).get(274)
    except (TooShort, IndexError, ValueError):
        return Turn()
    return _EXIF_TURNS.get(orientation or 1, Turn())


def _jpeg(content: bytes) -> Header:
    at = 2
    while True:
        if content[at] != 0xFF:
            raise ValueError("no marker where one must be")
        mark = content[at + 1]
        if mark == 0xFF or 0xD0 <= mark <= 0xD8:  # fill bytes and markers without content
            at += 1 if mark == 0xFF else 2
            continue
        if 0xC0 <= mark <= 0xCF and mark not in (0xC4, 0xC8, 0xCC):  # a start of frame, of whatever coding
            height, width = unpack_from(">HH", content, at + 5)
            return Header("JPEG", width, height)
        at += 2 + unpack_from(">H", content, at + 2)[0]


def _png(content: bytes) -> Header:
    width, height = unpack_from(">II", content, 16)
    see_through = content[25] in (4, 6) or b"tRNS" in content[: content.find(b"IDAT")]
    return Header("PNG", width, height, see_through)


def _webp(content: bytes) -> Header:
    kind = content[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(content[i : i + 3], "little") + 1 for i in (24, 27))
        return Header("WebP", width, height, see_through=bool(content[20] & 0x10))
    if kind == b"VP8L":
        (bits,) = unpack_from("<I", content, 21)
        return Header("WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, see_through=bool(bits >> 28 & 1))
    width, height = unpack_from("<HH", content, 26)
    return Header("WebP", width & 0x3FFF, height & 0x3FFF)


def _gif(content: bytes) -> Header:
    width, height = unpack_from("<HH", content, 6)
    return Header("GIF", width, height, see_through=True)


def _bmp(content: bytes) -> Header:
    if unpack_from("<I", content, 14)[0] == 12:  # the header of OS/2
        return Header("BMP", *unpack_from("<HH", content, 18))
    width, height = unpack_from("<ii", content, 18)
    return Header("BMP", abs(width), abs(height))  # a negative height: its first row is the top one


def _tiff(content: bytes) -> Header:
    tags = _tags(content)
    if not {256, 257} <= tags.keys():  # ImageWidth, ImageLength
        raise ValueError("no width or height")
    return Header(TIFF, tags[256], tags[257], see_through=338 in tags)  # ExtraSamples


def _tags(content: bytes) -> dict[int, int]:
    """The first directory of a TIFF, which EXIF blocks are too: the number of each tag that is one short or long."""
    order = "<" if content[:2] == b"II" else ">"
    (at,) = unpack_from(f"{order}I", content, 4)
    (entries,) = unpack_from(f"{order}H", content, at)
    tags: dict[int, int] = {}
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind = unpack_from(f"{order}HH", content, entry)
        tags[tag] = unpack_from(f"{order}{'H' if kind == 3 else 'I'}", content, entry + 8)[0]
    return tags


def _boxed(content: bytes) -> Header:
    """AVIF and HEIC: the largest of the sizes of all images in the file."""
    sizes = [unpack_from(">II", content, found.end() + 4) for found in re.finditer(b"ispe", content[:65536])]
    brands = content[8:64]
    kind = AVIF if b"avif" in brands or b"avis" in brands else HEIC
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    turned, mirrored = (re.search(name + b"(.)", content[:65536], re.DOTALL) for name in (b"irot", b"imir"))
    turn = Turn(turned[1][0] & 3 if turned else 0, mirrored[1][0] & 1 if mirrored else None)
    return Header(kind, width, height, b"auxiliary:alpha" in content[:65536], turn)


def _jpeg2000(content: bytes) -> Header:
    # of the code itself, which is what gets unpacked: the box before it may say something else
    right, bottom, left, top = unpack_from(">4I", content, content.index(b"\xff\x4f\xff\x51") + 8)
    return Header("JPEG 2000", right - left, bottom - top)


def _pnm(content: bytes) -> Header:
    numbers = re.match(rb"P[1-6]\s+(?:#.*\n\s*)*(\d+)\s+(?:#.*\n\s*)*(\d+)", content[:4096])
    if numbers is None:
        raise ValueError("no size")
    return Header("PNM", int(numbers[1]), int(numbers[2]))


_KINDS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], Header]], ...] = (
    (re.compile(rb"\xff\xd8\xff"), _jpeg),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _png),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), _webp),
    (re.compile(rb"GIF8[79]a"), _gif),
    (re.compile(rb"BM"), _bmp),
    (re.compile(rb"II\*\0|MM\0\*"), _tiff),
    (re.compile(rb".{4}ftyp(?:avi|hei|hev|mif|msf)", re.DOTALL), _boxed),
    (re.compile(rb"\0\0\0\x0cjP"), _jpeg2000),
    (re.compile(rb"P[1-6]\s"), _pnm),
)
"""How a file of each kind begins, and who reads its header."""
