"""Which candidates are faces, and which of them are the same face.

A network that was trained on faces gives points wherever it looks. On a face they stay where they are when the crop
gets a little larger or smaller; on a wall, a shoe or a tie they move along. Measured on 1,524 candidates of OpenCV's
cascades in 333 photos, looked at by a person where no label said what they show: of 481 that are no faces 1 moved
less than 1.6 px, of 1,043 on faces 39 moved more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepoints.inference.regions import Regions
from facepoints.keypoints import FACE_SIZE

VIEWS = (1.0, 0.85, 1.15)
"""Sizes of the crops that are compared, in sides of the region."""

EVEN = 2.28
"""Disagreement, px of a crop, at which a candidate of the cascades was as often a face as not."""

STEEPNESS = 5.52
"""Slope of the log-odds of being a face, against the logarithm of the disagreement; fitted to the same candidates."""

SAME = 0.2
"""Mean distance of two faces' points, in sides of the region, below which they are one face seen twice."""


def face_score(disagreement: NDArray[np.floating]) -> NDArray[np.float64]:
    """How likely crops show faces, 0 to 1, whose points differ so much between the VIEWS; px of a crop, (n,)."""
    odds = (EVEN / np.maximum(disagreement.astype(np.float64), 1e-3)) ** STEEPNESS
    score: NDArray[np.float64] = odds / (1 + odds)
    return score


def disagreement(points: NDArray[np.float32], regions: Regions) -> NDArray[np.float64]:
    """How far other views' points are from the first view's: mean over points, of the worst view; px of a crop, (n,).

    points (views, n, k, 2), px of the photo; regions as the first view saw them.
    """
    away = np.linalg.norm(points[1:] - points[:1], axis=3).mean(axis=2).max(axis=0, initial=0.0)
    px: NDArray[np.float64] = away * FACE_SIZE / regions.side
    return px


def distinct(points: NDArray[np.float32], side: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.intp]:
    """Positions of the first, in that order, of faces that are one: points (n, k, 2) and side (n,), px of the photo."""
    kept: list[int] = []
    for i in order.tolist():
        away = np.linalg.norm(points[kept] - points[i], axis=2).mean(axis=1)
        if not (away < SAME * np.maximum(side[kept], side[i])).any():
            kept.append(i)
    return np.array(kept, np.intp)
