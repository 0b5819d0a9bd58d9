"""Metrics of predicted keypoints: RMSE, MAE, PCK, NME and bootstrap intervals, over labeled points only.

Training and evaluation both call this module, so their numbers cannot disagree. All functions take `predicted` and
`points`, float (n, k, 2), (x, y) in px of the face, and `observed`, bool (n, k). Entries that are not observed are
ignored and may be NaN. Everything is computed in float64. A *value* is one coordinate: an observed point counts as two,
as in the competition.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.errors import BadChoice
from facepoints.keypoints import SOURCES, KeypointSet

PCK_DISTANCES = (1, 2, 3)
"""Distances in px for PCK (percentage of correct keypoints): a point within this distance of its label is correct."""

QUICK_PCK_DISTANCE = 2
"""The PCK distance of `quick_scores`, px: about 5 % of the eye distance, so the share is far from both 0 and 1."""

FAILURE_NME = 0.10
"""A face with a larger NME counts as failed; also where the cumulative error curve ends. See `face_nme`."""

EYES = ("left_eye_center", "right_eye_center")
"""The points whose labeled distance is the unit of NME."""

RESAMPLES = 1_000
"""Bootstrap resamples of each 95 % interval."""

_SMALLEST_EYE_DISTANCE = 1.0  # px; a smaller distance is a wrong label and would dominate the mean NME

Floats = NDArray[np.floating[Any]]
Observed = NDArray[np.bool_]
Integers = NDArray[np.integer[Any]]
MaskedFloats = np.ma.MaskedArray[Any, np.dtype[np.float64]]
Interval = tuple[float, float]


def quick_scores(predicted: Floats, points: Floats, observed: Observed) -> dict[str, float]:
    """The scores of each epoch: rmse and mae in px, pck within QUICK_PCK_DISTANCE px."""
    errors = differences(predicted, points, observed)[observed]
    if not len(errors):
        raise nothing_observed(len(observed))
    pck = share_within(np.hypot(*errors.T), QUICK_PCK_DISTANCE)
    return {"rmse": root_mean_square(errors), "mae": float(np.abs(errors).mean()), "pck": pck}


def squared_error_sums(
    predicted: Floats, points: Floats, observed: Observed
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Per face the sum of squared errors, float64 (n,) px², and the count of values in it, int64 (n,).

    RMSE over any faces is sqrt(sums.sum() / counts.sum()), which is all that a bootstrap needs.
    """
    return squares_and_counts(differences(predicted, points, observed), observed)


def point_distances(predicted: Floats, points: Floats, observed: Observed) -> NDArray[np.float64]:
    """Distance of each prediction from its label, float64 (n, k) px; 0 where not observed."""
    difference = differences(predicted, points, observed)
    return np.hypot(difference[:, :, 0], difference[:, :, 1])


def face_rmse(predicted: Floats, points: Floats, observed: Observed) -> NDArray[np.float64]:
    """RMSE of each face over its own values, float64 (n,) px; 0 for a face without observed points."""
    sums, counts = squared_error_sums(predicted, points, observed)
    return np.sqrt(sums / np.maximum(counts, 1))


def face_nme(predicted: Floats, points: Floats, observed: Observed, keypoints: KeypointSet) -> MaskedFloats:
    """Normalized mean error: mean distance of a face's points / its labeled eye distance, masked (n,).

    Sagonas et al., "300 Faces In-The-Wild Challenge: database and results" (Image and Vision Computing 47, 2016)
    divide by the distance of the outer eye corners. Source B labels only the eye centers, so their distance is used
    here, and the figures are about 1.4 times those of 300-W. Masked without a unit: the keypoint set lacks the eye
    centers, one of the two is not labeled, or they are less than 1 px apart.
    """
    mean = point_distances(predicted, points, observed).sum(axis=1) / np.maximum(observed.sum(axis=1), 1)
    eyes = eye_distances(points, observed, keypoints)
    return np.ma.masked_array(mean / eyes.filled(1.0), mask=np.ma.getmaskarray(eyes))


def rmse_interval(
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
    *,
    groups: Integers | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Interval | None:
    """95 % percentile bootstrap interval of the RMSE, px, from `squared_error_sums`; None for a single unit.

    Units (faces, or groups of them) are resampled with replacement: Efron and Tibshirani, "An Introduction to the
    Bootstrap" (1993), section 13.3.
    """
    unit = np.arange(len(sums)) if groups is None else np.unique(groups, return_inverse=True)[1]
    totals = np.zeros((unit.max(initial=-1) + 1, 2))  # of each unit: sum of squares, count of values
    np.add.at(totals, unit, np.stack((sums, counts), axis=1))
    totals = totals[totals[:, 1] > 0]
    if len(totals) < 2:
        return None
    totals = totals[np.lexsort(totals.T)]  # the same resamples whatever the order of the faces
    rng = np.random.default_rng(seed)
    resampled = np.empty(resamples)
    step = max(1, 1_000_000 // len(totals))  # at most 24 MB at a time
    for start in range(0, resamples, step):
        index = rng.integers(len(totals), size=(min(step, resamples - start), len(totals)))
        squares, values = totals[index].sum(axis=1).T
        resampled[start : start + step] = np.sqrt(squares / values)
    low, high = np.quantile(resampled, (0.025, 0.975))
    return float(low), float(high)


def source_name(number: int) -> str:
    """Name of a source in tables and files: A, B, then the number itself."""
    return SOURCES[number] if 0 <= number < len(SOURCES) else str(number)


def differences(predicted: Floats, points: Floats, observed: Observed) -> NDArray[np.float64]:
    """predicted - points, float64 (n, k, 2), 0 where not observed; raises BadChoice if they do not fit."""
    if points.ndim != 3 or points.shape[2] != 2:
        raise BadChoice(f"points have shape {points.shape}, expected (faces, keypoints, 2)")
    if predicted.shape != points.shape:
        raise BadChoice(f"predicted has shape {predicted.shape} but the points {points.shape}: give one per label")
    if observed.shape != points.shape[:2] or observed.dtype != np.bool_:
        got = f"observed is {observed.dtype} of shape {observed.shape}"
        raise BadChoice(f"{got}, expected bool of shape {points.shape[:2]}")
    difference = np.zeros(points.shape)
    # float64 before the subtraction: float32 resolves only 1e-5 px at 96
    difference[observed] = predicted[observed].astype(np.float64) - points[observed]
    if not np.isfinite(difference).all():
        face, keypoint, axis = np.argwhere(~np.isfinite(difference))[0].tolist()
        culprit = "label" if not np.isfinite(points[face, keypoint, axis]) else "prediction"
        raise BadChoice(
            f"face {face}, keypoint {keypoint}: the {culprit} of {'xy'[axis]} is not a finite number; "
            f"mark the point as not observed or correct it"
        )
    return difference


def eye_distances(points: Floats, observed: Observed, keypoints: KeypointSet) -> MaskedFloats:
    """Labeled distance of the eye centers in px, masked (n,); masked where it cannot serve as a unit."""
    if not set(EYES) <= set(keypoints.names):
        return np.ma.masked_array(np.zeros(len(points)), mask=True)
    left, right = (keypoints.index(name) for name in EYES)
    known = observed[:, left] & observed[:, right]
    distance = np.zeros(len(points))
    distance[known] = np.linalg.norm(points[known, left].astype(np.float64) - points[known, right], axis=1)
    return np.ma.masked_array(distance, mask=distance < _SMALLEST_EYE_DISTANCE)


def squares_and_counts(
    difference: NDArray[np.float64], observed: Observed
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    return np.square(difference).sum(axis=(1, 2)), np.asarray(2 * observed.sum(axis=1, dtype=np.int64))


def root_mean_square(errors: NDArray[np.float64]) -> float:
    return math.sqrt(np.square(errors).mean())


def share_within(distance: NDArray[np.float64], limit: float) -> float:
    return float((distance <= limit).mean())


def nothing_observed(n: int) -> BadChoice:
    what = f"none of the {n:,} faces has an observed point" if n else "there are no faces"
    return BadChoice(f"nothing to score: {what}; choose labeled rows")
