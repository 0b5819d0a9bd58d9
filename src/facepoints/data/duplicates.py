"""Near-duplicates: one image in two rows, also after small changes of brightness, size or compression.

Candidates are similar as small images (`data.similarity`). Each is verified at full size: one image is registered onto
the other, and the remaining difference must not exceed that of a compression. Two film frames of a person are similar
too, but an eye, a lip or a shadow has moved, which leaves a larger difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.data.similarity import similar_pairs
from facepoints.keypoints import FACE_SIZE

CANDIDATE = 0.78
"""Similarity from which a pair is verified. Enlarging an image by a tenth leaves 0.8."""
SAME_PLACE, MOVED = 0.92, 0.985
"""Agreement from which two images count as one: unmoved, and after registration. Measured on 7,049 real faces: JPEG at
quality 40 leaves 0.955 at least and at quality 20 mostly 0.95, resizing by 7 % 0.993; film frames of one person reach
0.81 unmoved, but 0.98 after registration."""

_ROUGHLY = 0.85  # correlation of images of 32 px, moved and resized: at least 0.89 between near-duplicates
_COARSE = 0.9  # correlation of the halved images after registration: at least 0.95 between near-duplicates
_SIZES = (0.88, 0.92, 0.96, 1.0, 1.04, 1.08, 1.12)
_SMALL, _PATCH = 32, 22  # px of the small images, and of the center that is searched for in the other image
_INSIDE = slice(6, FACE_SIZE - 6)  # a moved or resized image has no content at its border
_FEWEST = 0.15  # share of the pixels that must be neither black nor saturated in both images
_BLURS = (0.0, 0.6, 1.0, 1.6)  # px: one image may be compressed or resized, so the other is blurred alike

_Gray = NDArray[np.float32]


@dataclass(frozen=True)
class NearDuplicates:
    """Two rows that show one image."""

    first: int
    second: int
    """positions, first < second"""
    agreement: float
    """0 to 1"""
    exact: bool
    """every pixel is the same"""
    matrix: NDArray[np.float64]
    """(2, 3), px: maps a place in the first image to its place in the second"""


def find_near_duplicates(faces: NDArray[np.uint8], similarity: float = CANDIDATE) -> list[NearDuplicates]:
    """All near-duplicate pairs of faces (n, 96, 96), highest agreement first; `similarity` selects candidates."""
    found = []
    for i, j in similar_pairs(faces, similarity)[0].tolist():
        one, other = np.asarray(faces[i]), np.asarray(faces[j])
        unmoved = np.eye(2, 3)
        if np.array_equal(one, other):
            found.append(NearDuplicates(i, j, 1.0, True, unmoved))
            continue
        value, matrix = agreement(one, other, unmoved), unmoved
        if value < SAME_PLACE:
            aligned = align(one, other)
            if aligned is None:
                continue
            value, matrix = agreement(one, other, aligned), aligned
            if value < MOVED:
                continue
        found.append(NearDuplicates(i, j, min(value, 0.9999), False, matrix))
    return sorted(found, key=lambda pair: (-pair.agreement, pair.first, pair.second))


def align(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """The (2, 3) affine map, px, from places in the first image to those in the second, or None.

    Evangelidis and Psarakis (2008), "Parametric image alignment using enhanced correlation coefficient maximization":
    invariant to brightness and contrast, but a local search, so a template search precedes it. A first registration at
    half the size rejects most pairs; the final one ignores gray values that are saturated in either image.
    """
    correlation, start = _rough(one, other)
    if correlation < _ROUGHLY:
        return None
    half = [cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint8) for p in (one, other)]
    matrix = start.astype(np.float32)
    try:
        # a place p of the whole image is p / 2 - 1/4 of the halved one
        matrix[:, 2] = 0.5 * (matrix[:, 2] + 0.5 * matrix[:, :2].sum(axis=1) - 0.5)
        correlation, matrix = _register(half[0], half[1], matrix, 30, 3)
        if correlation < _COARSE:
            return None
        matrix[:, 2] = 2 * (matrix[:, 2] - 0.25 * matrix[:, :2].sum(axis=1) + 0.25)
        in_common = _grays_in_common(one, other, matrix)
        if in_common is None:
            return None
        _, matrix = _register(*in_common, matrix, 50, 5)
    except cv2.error:  # no correlation: different images
        return None
    return matrix.astype(np.float64)


def moved_by(matrix: NDArray[np.float64]) -> float:
    """Largest displacement of a face's corners under a (2, 3) map, px."""
    end = FACE_SIZE - 1.0
    corners = np.array([[0, 0], [end, 0], [0, end], [end, end]])
    return float(np.linalg.norm(corners @ matrix[:, :2].T + matrix[:, 2] - corners, axis=1).max())


def agreement(one: NDArray[np.uint8], other: NDArray[np.uint8], matrix: NDArray[np.float64]) -> float:
    """Agreement of two images, up to 1: the lowest correlation of their detail over nine parts of the face.

    matrix (2, 3), px, maps the first onto the second. The sharper image is blurred to match the other, and both are
    clipped to the gray values that neither has lost.
    """
    in_common = _grays_in_common(one, other, matrix)
    if in_common is None:
        return 0.0
    own, warped = in_common[0], _warped(in_common[1], matrix)
    pairs = [pair for blur in _BLURS for pair in ((_blurred(own, blur), warped), (own, _blurred(warped, blur)))]
    return max(_worst_part(_detail(a), _detail(b)) for a, b in pairs)


def _rough(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[float, NDArray[np.float64]]:
    """Template search for the first image's center, at several sizes: correlation and (2, 3) map, px."""
    a, b = (cv2.resize(p, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA).astype(np.float32) for p in (one, other))
    middle, inner = (_SMALL - 1) / 2, (_PATCH - 1) / 2
    best, found = -1.0, np.eye(2, 3)
    for size in _SIZES:
        cut = np.array([[size, 0, inner - size * middle], [0, size, inner - size * middle]])
        patch = cv2.warpAffine(a, cut, (_PATCH, _PATCH), borderMode=cv2.BORDER_REPLICATE)
        correlation = cv2.matchTemplate(b, patch, cv2.TM_CCOEFF_NORMED)
        y, x = np.unravel_index(int(correlation.argmax()), correlation.shape)
        if correlation[y, x] > best:
            best = float(correlation[y, x])
            moved = (np.array([x, y]) - (_SMALL - _PATCH) / 2) * FACE_SIZE / _SMALL
            found = np.column_stack([size * np.eye(2), (1 - size) * (FACE_SIZE - 1) / 2 + moved])
    return best, found


def _register(
    one: NDArray[np.uint8] | _Gray, other: NDArray[np.uint8] | _Gray, start: _Gray, rounds: int, blur: int
) -> tuple[float, _Gray]:
    """Correlation and (2, 3) map after at most `rounds` iterations of ECC maximization."""
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, rounds, 1e-5)
    everywhere = np.full(one.shape, 255, np.uint8)
    correlation, found = cv2.findTransformECC(one, other, start, cv2.MOTION_AFFINE, stop, everywhere, blur)
    return float(correlation), np.asarray(found, np.float32)


def _grays_in_common(
    one: NDArray[np.uint8], other: NDArray[np.uint8], matrix: NDArray[np.floating]
) -> tuple[_Gray, _Gray] | None:
    """Both images in the first's brightness, clipped to the gray values that neither has lost; None if few are left.

    Black or saturated regions of one image have no detail to compare.
    """
    own, theirs = one.astype(np.float32), other.astype(np.float32)
    warped = _warped(theirs, matrix)
    usable = np.zeros(own.shape, bool)
    usable[_INSIDE, _INSIDE] = True
    usable &= (own > 1) & (own < 254) & (warped > 1) & (warped < 254)
    if usable.mean() < _FEWEST:
        return None
    contrast = (warped[usable].std() + 1e-3) / (own[usable].std() + 1e-3)
    shift = warped[usable].mean() - contrast * own[usable].mean()
    lowest, highest = max(1.0, (1 - shift) / contrast), min(254.0, (254 - shift) / contrast)
    cut = [np.clip(p, lowest, highest).astype(np.float32) for p in (own, (theirs - shift) / contrast)]
    return cut[0], cut[1]


def _warped(image: _Gray, matrix: NDArray[np.floating]) -> _Gray:
    """The second image, warped onto the first."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (FACE_SIZE, FACE_SIZE)
    warped = cv2.warpAffine(image, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.float32)


def _worst_part(a: _Gray, b: _Gray) -> float:
    """The lowest correlation of two detail images over nine parts of the face."""
    a, b = a[_INSIDE, _INSIDE], b[_INSIDE, _INSIDE]
    # a smooth part contains only noise: a share of the whole's energy keeps it from dominating
    energy = 0.3 * float(np.sqrt(np.mean(a * a) * np.mean(b * b))) + 1e-6
    return float(((_parts(a * b) + energy) / (np.sqrt(_parts(a * a) * _parts(b * b)) + energy)).min())


def _parts(a: _Gray) -> _Gray:
    """Means of three by three parts."""
    side = len(a) // 3
    return np.asarray(a.reshape(3, side, 3, side).mean(axis=(1, 3)), np.float32)


def _detail(image: _Gray) -> _Gray:
    """Detail: the image less its Gaussian blur (3 px)."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.5) - cv2.GaussianBlur(image, (0, 0), 3.0), np.float32)


def _blurred(image: _Gray, blur: float) -> _Gray:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), blur), np.float32) if blur else image
