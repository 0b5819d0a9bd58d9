"""Twins: one picture in two rows, also after small changes of brightness, size or compression.

Candidates are alike as small pictures. Each is verified at full size: one picture is laid onto the other, and what
remains must be no more than a compression leaves. Two film frames of a person are alike too, but an eye, a lip or a
shadow has moved, and that remains.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.data.split import alike_pairs
from facepoints.keypoints import FACE_SIZE

CANDIDATE = 0.82
"""Likeness (see data.split.embed) from which a pair is looked at closely. Enlarging by a tenth leaves 0.88."""
SAME_PLACE, MOVED = 0.945, 0.975
"""Agreement from which two pictures count as one: where nothing moved, and where one had to be moved or resized.
Measured on 7,049 real faces and planted twins: JPEG at quality 40 leaves 0.947, resizing by 7 % 0.99. Film frames of
one person reach 0.97 and, once, 0.986; but frames move."""
STILL = 0.5
"""Pixels by which a corner of the picture may move and still be in its place."""

_COARSE = 0.96  # correlation of the halved pictures below which no pair was ever one: twins have 0.984 and more
_INSIDE = slice(6, FACE_SIZE - 6)  # a picture that was moved or resized has nothing at its border
_BLURS = (0.0, 0.6, 1.0, 1.6)  # px: a twin may have been compressed or resized, its double has to be as soft


@dataclass(frozen=True)
class Twins:
    """Two rows that show one picture."""

    first: int
    second: int
    """positions, first < second"""
    agreement: float
    """0 to 1"""
    exact: bool
    """every pixel is the same"""
    matrix: NDArray[np.float64]
    """(2, 3), px: takes a place in the first picture to its place in the second"""


def find_twins(faces: NDArray[np.uint8]) -> list[Twins]:
    """All pairs of faces (n, 96, 96) that show one picture, the surest first."""
    found = []
    for i, j in alike_pairs(faces, CANDIDATE).tolist():
        one, other = np.asarray(faces[i]), np.asarray(faces[j])
        if np.array_equal(one, other):
            found.append(Twins(i, j, 1.0, True, np.eye(2, 3)))
            continue
        matrix = align(one, other)
        if matrix is None:
            continue
        value = agreement(one, other, matrix)
        if value >= (SAME_PLACE if moved_by(matrix) < STILL else MOVED):
            found.append(Twins(i, j, min(value, 0.9999), False, matrix))
    return sorted(found, key=lambda t: (-t.agreement, t.first, t.second))


def align(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """The (2, 3) affine map, px, from places in the first picture to those in the second, or None.

    Evangelidis and Psarakis (2008), "Parametric image alignment using enhanced correlation coefficient maximization":
    blind to brightness and contrast. At half the size first, where most pairs that are not one picture part.
    """
    half = [cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint8) for p in (one, other)]
    everywhere = np.full((FACE_SIZE, FACE_SIZE), 255, np.uint8)
    start = np.eye(2, 3, dtype=np.float32)
    try:
        likeness, found = cv2.findTransformECC(
            half[0], half[1], start, cv2.MOTION_AFFINE, _stop(25), everywhere[::2, ::2].copy(), 3
        )
        if likeness < _COARSE:
            return None
        matrix = np.array(found, np.float32)
        # a place p of the whole picture is p / 2 - 1/4 of the half one
        matrix[:, 2] = 2 * (matrix[:, 2] - 0.25 * matrix[:, :2].sum(axis=1) + 0.25)
        _, found = cv2.findTransformECC(one, other, matrix, cv2.MOTION_AFFINE, _stop(40), everywhere, 5)
    except cv2.error:  # nothing that correlates: the pictures are not one
        return None
    return np.asarray(found, np.float64)


def moved_by(matrix: NDArray[np.float64]) -> float:
    """Pixels by which a (2, 3) map moves the corner of a face that it moves most."""
    end = FACE_SIZE - 1.0
    corners = np.array([[0, 0], [end, 0], [0, end], [end, end]])
    return float(np.linalg.norm(corners @ matrix[:, :2].T + matrix[:, 2] - corners, axis=1).max())


def agreement(one: NDArray[np.uint8], other: NDArray[np.uint8], matrix: NDArray[np.float64]) -> float:
    """How far two pictures are one, up to 1: the correlation of their fine structure in the worst part of the face.

    matrix (2, 3), px, lays the first onto the second. The softer of the two decides how much structure can agree.
    """
    size = (FACE_SIZE, FACE_SIZE)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(other, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    own = one.astype(np.float32)
    best = -1.0
    for blur in _BLURS:
        for a, b in ((_soft(own, blur), laid), (own, _soft(laid, blur))):
            best = max(best, _worst_part(_fine(a), _fine(b)))
    return best


def _worst_part(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """The lowest correlation of two fine structures among the parts of the face that have some."""
    a, b = a[_INSIDE, _INSIDE], b[_INSIDE, _INSIDE]
    energy = float(np.sqrt(np.mean(a * a) * np.mean(b * b))) + 1e-6
    values = []
    side = a.shape[0] // 3
    for y in range(3):
        for x in range(3):
            part = slice(y * side, (y + 1) * side), slice(x * side, (x + 1) * side)
            p, q = a[part], b[part]
            # a smooth part holds noise only: the whole's energy, weighted in, keeps it from deciding
            power = float(np.sqrt(np.mean(p * p) * np.mean(q * q)))
            values.append(float((np.mean(p * q) + 0.1 * energy) / (power + 0.1 * energy)))
    return min(values)


def _stop(rounds: int) -> tuple[int, int, float]:
    return cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, rounds, 1e-5


def _fine(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a picture has beyond its Gaussian blur (3 px)."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.5) - cv2.GaussianBlur(picture, (0, 0), 3.0), np.float32)


def _soft(picture: NDArray[np.float32], blur: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.float32) if blur else picture
