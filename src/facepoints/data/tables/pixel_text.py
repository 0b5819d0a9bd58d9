"""Pixels as text: "238 236 237 ..." to uint8 and back, vectorized and fully validated.

One face is 9,216 grey values from 0 to 255, separated by one space. Blocks of faces are parsed with arithmetic on
their bytes: a value is its last digit, plus ten times the digit before, plus a hundred times the one before that.
7,049 faces (235 MB of text) take 0.3 s; `np.fromstring` takes 1.1 s and silently wraps 256 to 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facepoints.keypoints import FACE_SIZE

PIXELS = FACE_SIZE * FACE_SIZE

ROWS_AT_ONCE = 8
"""Rows per call of `parse_pixels`: 0.3 MB of text stay in the processor's cache."""

SPACE, ZERO, NINE = np.uint8(ord(" ")), np.uint8(ord("0")), np.uint8(ord("9"))


def parse_pixels(rows: Sequence[bytes]) -> NDArray[np.uint8] | None:
    """Faces (r, 96, 96) from r texts, or None if any of them is invalid (see `pixel_fault`)."""
    text = np.frombuffer(b" ".join([b"  ", *rows, b""]), np.uint8)  # three spaces first, one last
    is_space = text == SPACE
    is_digit = text >= ZERO
    digit = text & np.uint8(15)  # "0".."9" are 0x30..0x39 and the space is 0x20: a space counts as 0

    two_digits = is_digit[:-1] & is_digit[1:]
    hundreds = digit[:-2] * two_digits[1:].view(np.uint8)
    value = digit[1:-1] * np.uint8(10) + digit[2:]  # of the text that ends at byte 2, 3, 4, ...
    highest_hundred = hundreds.max()
    hundreds *= np.uint8(100)
    value += hundreds  # wraps above 255, and is then smaller than its hundreds

    ends = np.flatnonzero(is_digit[2:-1] & is_space[3:])  # last digits, counted from byte 2
    row_ends = np.cumsum([len(row) + 1 for row in rows]) - 1
    sound = (
        text.max() <= NINE
        and len(ends) == len(rows) * PIXELS
        and np.array_equal(ends[PIXELS - 1 :: PIXELS], row_ends)  # every row has exactly 9,216 values
        and np.count_nonzero(is_space) == len(ends) + 3  # one space after each value: none doubled
        and np.count_nonzero(is_digit) == len(text) - len(ends) - 3  # nothing but digits and spaces
        and highest_hundred <= 2
        and not (value < hundreds).any()
        and not (two_digits[:-2] & two_digits[2:]).any()  # four digits in a row
    )
    return value.take(ends).reshape(len(rows), FACE_SIZE, FACE_SIZE) if sound else None


def pixel_fault(row: bytes) -> str | None:
    """The fault of one face's text, or None. Slow: only for rows that `parse_pixels` rejects."""
    values = row.split(b" ") if row else []
    for position, value in enumerate(values, start=1):
        if not value:
            return f"two spaces in a row, or one at the start or end, at pixel {position:,}"
        if not value.isdigit() or len(value) > 3 or int(value) > 255:
            shown = value[:12].decode("ascii", "backslashreplace")
            return f"pixel {position:,} is '{shown}', expected a whole number from 0 to 255"
    if len(values) != PIXELS:
        return f"the image has {len(values):,} pixels, expected {PIXELS:,} ({FACE_SIZE} x {FACE_SIZE})"
    return None


def pixel_text(face: NDArray[np.uint8]) -> bytes:
    """The text of one face, uint8 (96, 96)."""
    padded = _PADDED[face.reshape(-1)].tobytes()
    return padded.translate(None, b"\0")[:-1]


_PADDED = np.array([f"{value} ".encode() for value in range(256)], "S4").view(np.uint8).reshape(256, 4)
"""Each grey value and a space as text, padded to four bytes with NUL, which `translate` removes."""
