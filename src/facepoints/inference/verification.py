"""Face verification: which candidates are faces, and which of them are the same face.

A network that was trained on faces predicts points for any crop. On a face they stay in place when the crop gets a
little larger or smaller; elsewhere they move along. Measured on 1,524 candidates of OpenCV's cascades in 333 photos,
checked by a person where no label decided: of 481 non-faces 1 moved less than 1.6 px, of 1,043 faces 39 moved more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepoints.inference.regions import Regions
from facepoints.keypoints import FACE_SIZE

VIEWS = (1.0, 0.85, 1.15)
"""Sizes of the compared crops, in sides of the region."""

EVEN = 2.28
"""Disagreement, px of a crop, at which a face and a non-face were equally frequent among those candidates."""

STEEPNESS = 5.52
"""Slope of the log-odds of being a face against the logarithm of the disagreement, fitted to the same candidates."""

SAME = 0.2
"""Mean distance of two faces' points, in sides of the region, below which they are duplicates."""


def face_score(disagreement: NDArray[np.floating]) -> NDArray[np.float64]:
    """Verification score (n,), 0 to 1: probability of a face for this disagreement (n,) of the VIEWS, px of a crop."""
    odds = (EVEN / np.maximum(disagreement.astype(np.float64), 1e-3)) ** STEEPNESS
    score: NDArray[np.float64] = odds / (1 + odds)
    return score


def disagreement(points: NDArray[np.float32], regions: Regions) -> NDArray[np.float64]:
    """Distance of the other views' points from the first view's, (n,) px of a crop: mean over points, worst view.

    points (views, n, k, 2), px of the photo; regions: those of the first view.
    """
    away = np.linalg.norm(points[1:] - points[:1], axis=3).mean(axis=2).max(axis=0, initial=0.0)
    px: NDArray[np.float64] = away * FACE_SIZE / regions.side
    return px


def distinct(points: NDArray[np.float32], side: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.intp]:
    """Positions of the faces kept when duplicates are removed, earlier in `order` first.

    points (n, k, 2) and side (n,) of the regions, px of the photo.
    """
    kept: list[int] = []
    for i in order.tolist():
        away = np.linalg.norm(points[kept] - points[i], axis=2).mean(axis=1)
        if not (away < SAME * np.maximum(side[kept], side[i])).any():
            kept.append(i)
    return np.array(kept, np.intp)
