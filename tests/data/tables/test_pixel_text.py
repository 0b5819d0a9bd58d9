"""Pixels as text: what is written is read, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from facepoints.data.tables.pixel_text import PIXELS, parse_pixels, pixel_fault, pixel_text

FACES = np.random.default_rng(0).integers(0, 256, (3, 96, 96)).astype(np.uint8)
GOOD = b" ".join([b"7"] * PIXELS)


def test_a_round_trip_gives_the_same_faces() -> None:
    extremes = np.stack([np.zeros((96, 96), np.uint8), np.full((96, 96), 255, np.uint8), *FACES])
    read = parse_pixels([pixel_text(face) for face in extremes])
    assert read is not None
    np.testing.assert_array_equal(read, extremes)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda text: text[:-2], "9,215 pixels, expected 9,216"),
        (lambda text: text + b" 7", "9,217 pixels"),
        (lambda text: text.replace(b"7 7", b"7  7", 1), "two spaces"),
        (lambda text: b" " + text, "two spaces in a row, or one at the start"),
        (lambda text: b"256" + text[1:], "pixel 1 is '256'"),
        (lambda text: b"1000" + text[1:], "pixel 1 is '1000'"),
        (lambda text: b"-1" + text[1:], "pixel 1 is '-1'"),
        (lambda text: b"7.5" + text[1:], "pixel 1 is '7.5'"),
        (lambda text: b"x" + text[1:], "pixel 1 is 'x'"),
        (lambda text: b"", "0 pixels"),
    ],
)
def test_anything_else_is_refused_with_its_reason(change, fault) -> None:  # type: ignore[no-untyped-def]
    assert pixel_fault(GOOD) is None
    text = change(GOOD)
    if text:
        assert parse_pixels([GOOD, text, GOOD]) is None
    assert fault in str(pixel_fault(text))


def test_a_row_cannot_lend_a_pixel_to_the_next() -> None:
    assert parse_pixels([GOOD[:-2], GOOD + b" 7"]) is None
