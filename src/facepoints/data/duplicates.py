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

from facepoints.data.similarity import alike_pairs
from facepoints.keypoints import FACE_SIZE

CANDIDATE = 0.78
"""Likeness (see data.split.embed) from which a pair is looked at closely. Enlarging by a tenth leaves 0.8."""
SAME_PLACE, MOVED = 0.92, 0.985
"""Agreement from which two pictures count as one: as they lie, and where one had to be moved or resized. Measured on
7,049 real faces: JPEG at quality 40 leaves 0.955 at least and at quality 20 mostly 0.95, resizing by 7 % 0.993; film
frames of one person reach 0.81 as they lie, but moved onto each other 0.98."""

_ROUGHLY = 0.85  # correlation of pictures of 32 pixels, moved and resized: 0.89 at least between twins
_COARSE = 0.9  # correlation of the halved pictures, laid onto each other closely: 0.95 at least between twins
_SIZES = (0.88, 0.92, 0.96, 1.0, 1.04, 1.08, 1.12)
_SMALL, _PATCH = 32, 22  # pixels of the small pictures, and of the middle that is looked for in the other
_INSIDE = slice(6, FACE_SIZE - 6)  # a picture that was moved or resized has nothing at its border
_FEWEST = 0.15  # share of the pixels that have to be neither black nor burnt out in both pictures
_BLURS = (0.0, 0.6, 1.0, 1.6)  # px: a twin may have been compressed or resized, its double has to be as soft

_Gray = NDArray[np.float32]


@dataclass(frozen=True)
class NearDuplicates:
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


def find_near_duplicates(faces: NDArray[np.uint8], likeness: float = CANDIDATE) -> list[NearDuplicates]:
    """All pairs of faces (n, 96, 96) that show one picture, the surest first; `likeness` is that of candidates."""
    found = []
    for i, j in alike_pairs(faces, likeness).tolist():
        one, other = np.asarray(faces[i]), np.asarray(faces[j])
        as_it_lies = np.eye(2, 3)
        if np.array_equal(one, other):
            found.append(NearDuplicates(i, j, 1.0, True, as_it_lies))
            continue
        value, matrix = agreement(one, other, as_it_lies), as_it_lies
        if value < SAME_PLACE:
            aligned = align(one, other)
            if aligned is None:
                continue
            value, matrix = agreement(one, other, aligned), aligned
            if value < MOVED:
                continue
        found.append(NearDuplicates(i, j, min(value, 0.9999), False, matrix))
    return sorted(found, key=lambda t: (-t.agreement, t.first, t.second))


def align(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """The (2, 3) affine map, px, from places in the first picture to those in the second, or None.

    Evangelidis and Psarakis (2008), "Parametric image alignment using enhanced correlation coefficient maximization":
    blind to brightness and contrast, but it climbs the nearest hill, so that a rough search has to come first. Then at
    half the size, where most pairs that are not one picture part; and at last without what is burnt out in either.
    """
    likeness, start = _rough(one, other)
    if likeness < _ROUGHLY:
        return None
    half = [cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint8) for p in (one, other)]
    matrix = start.astype(np.float32)
    try:
        # a place p of the whole picture is p / 2 - 1/4 of the half one
        matrix[:, 2] = 0.5 * (matrix[:, 2] + 0.5 * matrix[:, :2].sum(axis=1) - 0.5)
        likeness, matrix = _climb(half[0], half[1], matrix, 30, 3)
        if likeness < _COARSE:
            return None
        matrix[:, 2] = 2 * (matrix[:, 2] - 0.25 * matrix[:, :2].sum(axis=1) + 0.25)
        in_common = _grays_in_common(one, other, matrix)
        if in_common is None:
            return None
        _, matrix = _climb(*in_common, matrix, 50, 5)
    except cv2.error:  # nothing that correlates: the pictures are not one
        return None
    return matrix.astype(np.float64)


def moved_by(matrix: NDArray[np.float64]) -> float:
    """Pixels by which a (2, 3) map moves the corner of a face that it moves most."""
    end = FACE_SIZE - 1.0
    corners = np.array([[0, 0], [end, 0], [0, end], [end, end]])
    return float(np.linalg.norm(corners @ matrix[:, :2].T + matrix[:, 2] - corners, axis=1).max())


def agreement(one: NDArray[np.uint8], other: NDArray[np.uint8], matrix: NDArray[np.float64]) -> float:
    """How far two pictures are one, up to 1: the correlation of their fine structure in the worst part of the face.

    matrix (2, 3), px, lays the first onto the second. The softer of the two decides how much structure can agree, and
    the paler how many grays.
    """
    in_common = _grays_in_common(one, other, matrix)
    if in_common is None:
        return 0.0
    own, laid = in_common[0], _laid(in_common[1], matrix)
    pairs = [pair for blur in _BLURS for pair in ((_soft(own, blur), laid), (own, _soft(laid, blur)))]
    return max(_worst_part(_fine(a), _fine(b)) for a, b in pairs)


def _rough(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[float, NDArray[np.float64]]:
    """Where the first picture's middle, at one of the sizes, is found in the second: correlation and (2, 3) map, px."""
    a, b = (cv2.resize(p, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA).astype(np.float32) for p in (one, other))
    middle, inner = (_SMALL - 1) / 2, (_PATCH - 1) / 2
    best, found = -1.0, np.eye(2, 3)
    for size in _SIZES:
        cut = np.array([[size, 0, inner - size * middle], [0, size, inner - size * middle]])
        patch = cv2.warpAffine(a, cut, (_PATCH, _PATCH), borderMode=cv2.BORDER_REPLICATE)
        likeness = cv2.matchTemplate(b, patch, cv2.TM_CCOEFF_NORMED)
        y, x = np.unravel_index(int(likeness.argmax()), likeness.shape)
        if likeness[y, x] > best:
            best = float(likeness[y, x])
            moved = (np.array([x, y]) - (_SMALL - _PATCH) / 2) * FACE_SIZE / _SMALL
            found = np.column_stack([size * np.eye(2), (1 - size) * (FACE_SIZE - 1) / 2 + moved])
    return best, found


def _climb(
    one: NDArray[np.uint8] | _Gray, other: NDArray[np.uint8] | _Gray, start: _Gray, rounds: int, blur: int
) -> tuple[float, _Gray]:
    """Correlation and (2, 3) map that rounds of Evangelidis and Psarakis' method lead to."""
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, rounds, 1e-5)
    everywhere = np.full(one.shape, 255, np.uint8)
    likeness, found = cv2.findTransformECC(one, other, start, cv2.MOTION_AFFINE, stop, everywhere, blur)
    return float(likeness), np.asarray(found, np.float32)


def _grays_in_common(
    one: NDArray[np.uint8], other: NDArray[np.uint8], matrix: NDArray[np.floating]
) -> tuple[_Gray, _Gray] | None:
    """Both pictures in the first's brightness, cut to the range of gray that neither lost: None if hardly any is left.

    What is black or burnt out in one of them has no structure there; the other must not be held to it.
    """
    own, theirs = one.astype(np.float32), other.astype(np.float32)
    laid = _laid(theirs, matrix)
    told = np.zeros(own.shape, bool)
    told[_INSIDE, _INSIDE] = True
    told &= (own > 1) & (own < 254) & (laid > 1) & (laid < 254)
    if told.mean() < _FEWEST:
        return None
    contrast = (laid[told].std() + 1e-3) / (own[told].std() + 1e-3)
    shift = laid[told].mean() - contrast * own[told].mean()
    lowest, highest = max(1.0, (1 - shift) / contrast), min(254.0, (254 - shift) / contrast)
    cut = [np.clip(p, lowest, highest).astype(np.float32) for p in (own, (theirs - shift) / contrast)]
    return cut[0], cut[1]


def _laid(picture: _Gray, matrix: NDArray[np.floating]) -> _Gray:
    """The second picture, drawn where the first one lies."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (FACE_SIZE, FACE_SIZE)
    laid = cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(laid, np.float32)


def _worst_part(a: _Gray, b: _Gray) -> float:
    """The lowest correlation of two fine structures among nine parts of the face."""
    a, b = a[_INSIDE, _INSIDE], b[_INSIDE, _INSIDE]
    # a smooth part holds noise only: the whole's energy, weighted in, keeps it from deciding
    energy = 0.3 * float(np.sqrt(np.mean(a * a) * np.mean(b * b))) + 1e-6
    return float(((_parts(a * b) + energy) / (np.sqrt(_parts(a * a) * _parts(b * b)) + energy)).min())


def _parts(a: _Gray) -> _Gray:
    """Means of three by three parts."""
    side = len(a) // 3
    return np.asarray(a.reshape(3, side, 3, side).mean(axis=(1, 3)), np.float32)


def _fine(picture: _Gray) -> _Gray:
    """What a picture has beyond its Gaussian blur (3 px)."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.5) - cv2.GaussianBlur(picture, (0, 0), 3.0), np.float32)


def _soft(picture: _Gray, blur: float) -> _Gray:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.float32) if blur else picture
