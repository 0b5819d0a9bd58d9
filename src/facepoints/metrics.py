"""The one yardstick: RMSE and its relatives, over observed points, in pixels of the face.

Training and evaluation both measure with this room, so their numbers cannot disagree. Three arrays come in
everywhere: `predicted` and `points`, both float (n, k, 2), (x, y) in px, and `observed`, bool (n, k). What
stands where `observed` is false is never looked at, NaN included. Everything is computed in float64.
A *value* is one coordinate: an observed point counts as two of them, as in the competition.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.errors import BadChoice
from facepoints.keypoints import SOURCES, KeypointSet

PCK_DISTANCES = (1, 2, 3)
"""A point is a hit when it lies at most this many px from its label."""

QUICK_HIT_DISTANCE = 2
"""The hit distance of `quick_scores`, px: some 5 % of the eye distance, neither always missed nor met."""

FAILURE_NME = 0.10
"""A face with a larger NME counts as failed; also where the cumulative error curve ends. See `face_nme`."""

EYES = ("left_eye_center", "right_eye_center")
"""The points whose labeled distance is the unit of NME."""

RESAMPLES = 1_000
"""Bootstrap resamples behind each 95 % interval."""

_SMALLEST_EYE_DISTANCE = 1.0  # px; closer eyes are a wrong label, and dividing by them would drown all other faces

Floats = NDArray[np.floating[Any]]
MaskedFloats = np.ma.MaskedArray[Any, np.dtype[np.float64]]
Interval = tuple[float, float]


@dataclass(frozen=True)
class PartScores:
    """How well a part of the faces was met: all, or those of one source. Distances in px, rates 0 to 1."""

    faces: int
    """faces with at least one observed point; the others have no say"""
    values: int
    """observed coordinates: two for each observed point"""
    rmse: float
    """sqrt(mean squared difference over all values): the competition's score"""
    rmse_interval: Interval | None
    """95 % bootstrap interval of `rmse` over faces (or groups); None for one: it says nothing of others"""
    rmse_x: float
    rmse_y: float
    median_face_rmse: float
    """median over faces of the RMSE of one face: a few wrong labels leave it where it is"""
    mae: float
    """mean absolute difference over all values"""
    median_distance: float
    """half of the points are at most this far from their label"""
    distance_95: float
    """95 % of the points are at most this far from their label"""
    pck: Mapping[int, float]
    """px of HIT_DISTANCES -> share of the points at most that far from their label"""
    eye_distance: float | None
    """median labeled eye distance; None where no face has both eye centers labeled"""
    nme: float | None
    """mean over faces of `face_nme`, of the faces that have one; None if none has"""
    failure_rate: float | None
    """share of those faces whose NME is above FAILURE_NME"""
    auc: float | None
    """area under their cumulative error curve from 0 to FAILURE_NME, divided by FAILURE_NME: 1 is perfect"""


@dataclass(frozen=True)
class PointScores:
    """How well one keypoint was met, in px; bias is predicted minus given: +x is image right, +y is down."""

    count: int
    rmse: float
    rmse_x: float
    rmse_y: float
    bias_x: float
    bias_y: float
    spread_x: float
    """standard deviation of the errors about their bias"""
    spread_y: float
    mae: float
    pck: Mapping[int, float]
    hit_rate_x: Mapping[int, float]
    """px of HIT_DISTANCES -> share of the labels that x alone is at most that far from"""
    hit_rate_y: Mapping[int, float]
    rmse_by_source: Mapping[str, float | None]


@dataclass(frozen=True)
class Scores:
    """Everything `score` found. A source or keypoint without any observed point has None, never NaN."""

    overall: PartScores
    by_source: Mapping[str, PartScores | None]
    by_keypoint: Mapping[str, PointScores | None]

    @property
    def rmse(self) -> float:
        """The competition's score over all sources."""
        return self.overall.rmse

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers for JSON: overall numbers, then "by_source" and "by_keypoint"."""
        nested = _plain(asdict(self))
        return {**nested.pop("overall"), **nested}


def score(
    predicted: Floats,
    points: Floats,
    observed: NDArray[np.bool_],
    source: NDArray[np.integer[Any]],
    keypoints: KeypointSet,
    *,
    groups: NDArray[np.integer[Any]] | None = None,
    seed: int = 0,
) -> Scores:
    """All scores of predicted (n, k, 2) against points (n, k, 2) px where observed (n, k); source (n,).

    `groups` (n,) numbers the faces that belong together (twins, one person): the bootstrap then draws whole
    groups, since faces of a group err alike and would make the interval too narrow. The order of the faces
    does not matter. Raises BadChoice if nothing was observed: a score is never a number about nothing.
    """
    difference = _difference(predicted, points, observed)
    _check_rows(difference, source, keypoints, groups)
    unit = np.arange(len(difference)) if groups is None else groups
    normalized = face_nme(predicted, points, observed, keypoints)
    eyes = _eye_distance(points, observed, keypoints)
    present = sorted({*range(len(SOURCES)), *np.unique(source).tolist()})
    rows_of = {source_name(number): source == number for number in present}

    def part(rows: NDArray[np.bool_]) -> PartScores | None:
        return _part(difference[rows], observed[rows], normalized[rows], eyes[rows], unit[rows], seed)

    overall = part(np.ones(len(difference), np.bool_))
    if overall is None:
        raise _nothing_observed(len(difference))
    return Scores(
        overall,
        {name: part(rows) for name, rows in rows_of.items()},
        {name: _point(difference[:, i], observed[:, i], rows_of) for i, name in enumerate(keypoints.names)},
    )


def quick_scores(predicted: Floats, points: Floats, observed: NDArray[np.bool_]) -> dict[str, float]:
    """Three numbers worth having each epoch: rmse and mae in px, hit_rate within QUICK_HIT_DISTANCE px."""
    errors = _difference(predicted, points, observed)[observed]
    if not len(errors):
        raise _nothing_observed(len(observed))
    return {
        "rmse": _root_mean_square(errors),
        "mae": float(np.abs(errors).mean()),
        "pck": _pck(np.hypot(*errors.T), QUICK_HIT_DISTANCE),
    }


def squared_error_sums(
    predicted: Floats, points: Floats, observed: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Per face the sum of squared errors, float64 (n,) px², and the count of values in it, int64 (n,).

    RMSE over any faces is sqrt(sums.sum() / counts.sum()): all that a bootstrap needs to know of a face.
    """
    difference = _difference(predicted, points, observed)
    return np.square(difference).sum(axis=(1, 2)), _values(observed)


def point_distances(predicted: Floats, points: Floats, observed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance of each prediction from its label, float64 (n, k) px; 0 where not observed."""
    difference = _difference(predicted, points, observed)
    return np.hypot(difference[:, :, 0], difference[:, :, 1])


def face_rmse(predicted: Floats, points: Floats, observed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """RMSE of each face over its own values, float64 (n,) px.

    0 for a face without observed points, as in `points`: look at `observed.any(axis=1)`, never at the value.
    """
    sums, counts = squared_error_sums(predicted, points, observed)
    return np.sqrt(sums / np.maximum(counts, 1))


def face_nme(predicted: Floats, points: Floats, observed: NDArray[np.bool_], keypoints: KeypointSet) -> MaskedFloats:
    """Normalized mean error: mean distance of a face's points / its labeled eye distance, masked (n,).

    After Sagonas et al., "300 Faces In-The-Wild Challenge: database and results" (Image and Vision Computing
    47, 2016), which divides by the distance of the outer eye corners. Here it is that of the eye centers,
    since source B labels nothing else of the eyes, so the figures are about 1.4 times those of 300-W.
    Masked where there is no unit: the keypoint set lacks the eye centers, the face lacks one of the two
    labels, or they are less than 1 px apart.
    """
    mean = point_distances(predicted, points, observed).sum(axis=1) / np.maximum(observed.sum(axis=1), 1)
    eyes = _eye_distance(points, observed, keypoints)
    return np.ma.masked_array(mean / eyes.filled(1.0), mask=np.ma.getmaskarray(eyes))


def rmse_interval(
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
    *,
    groups: NDArray[np.integer[Any]] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Interval | None:
    """95 % percentile bootstrap interval of the RMSE, px, from `squared_error_sums`; None for one unit.

    Units (faces, or groups of them) are drawn with replacement, as many as there are: Efron and Tibshirani,
    "An Introduction to the Bootstrap" (1993), section 13.3.
    """
    unit = np.arange(len(sums)) if groups is None else np.unique(groups, return_inverse=True)[1]
    totals = np.zeros((unit.max(initial=-1) + 1, 2))  # of each unit: sum of squares, count of values
    np.add.at(totals, unit, np.stack((sums, counts), axis=1))
    totals = totals[totals[:, 1] > 0]
    if len(totals) < 2:
        return None
    totals = totals[np.lexsort(totals.T)]  # the same draws whatever the order of the faces
    rng = np.random.default_rng(seed)
    drawn = np.empty(resamples)
    step = max(1, 1_000_000 // len(totals))  # at most 24 MB at a time
    for start in range(0, resamples, step):
        index = rng.integers(len(totals), size=(min(step, resamples - start), len(totals)))
        squares, values = totals[index].sum(axis=1).T
        drawn[start : start + step] = np.sqrt(squares / values)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def source_name(number: int) -> str:
    """What a source is called in tables and files: A, B, then the number itself."""
    return SOURCES[number] if 0 <= number < len(SOURCES) else str(number)


def _part(
    difference: NDArray[np.float64],
    observed: NDArray[np.bool_],
    normalized: MaskedFloats,
    eyes: MaskedFloats,
    unit: NDArray[np.integer[Any]],
    seed: int,
) -> PartScores | None:
    errors = difference[observed]  # (points, 2)
    if not len(errors):
        return None
    distance = np.hypot(*errors.T)
    sums, counts = np.square(difference).sum(axis=(1, 2)), _values(observed)
    labeled = counts > 0
    nme = normalized.compressed()
    return PartScores(
        faces=int(labeled.sum()),
        values=errors.size,
        rmse=_root_mean_square(errors),
        rmse_interval=rmse_interval(sums, counts, groups=unit, seed=seed),
        rmse_x=_root_mean_square(errors[:, 0]),
        rmse_y=_root_mean_square(errors[:, 1]),
        median_face_rmse=float(np.median(np.sqrt(sums[labeled] / counts[labeled]))),
        mae=float(np.abs(errors).mean()),
        median_distance=float(np.median(distance)),
        distance_95=float(np.quantile(distance, 0.95)),
        pck={limit: _pck(distance, limit) for limit in PCK_DISTANCES},
        eye_distance=float(np.median(eyes.compressed())) if len(nme) else None,
        nme=float(nme.mean()) if len(nme) else None,
        failure_rate=float((nme > FAILURE_NME).mean()) if len(nme) else None,
        # the area under a step curve, exactly: each face adds the stretch of the axis to its right
        auc=float((1 - nme / FAILURE_NME).clip(min=0).mean()) if len(nme) else None,
    )


def _point(
    difference: NDArray[np.float64], observed: NDArray[np.bool_], rows_of: Mapping[str, NDArray[np.bool_]]
) -> PointScores | None:
    """difference (n, 2) px and observed (n,) of one keypoint."""
    errors = difference[observed]
    if not len(errors):
        return None
    distance = np.hypot(*errors.T)
    bias, spread = errors.mean(axis=0).tolist(), errors.std(axis=0).tolist()
    by_source = {name: difference[observed & rows] for name, rows in rows_of.items()}
    return PointScores(
        count=len(errors),
        rmse=_root_mean_square(errors),
        rmse_x=_root_mean_square(errors[:, 0]),
        rmse_y=_root_mean_square(errors[:, 1]),
        bias_x=bias[0],
        bias_y=bias[1],
        spread_x=spread[0],
        spread_y=spread[1],
        mae=float(np.abs(errors).mean()),
        pck={limit: _pck(distance, limit) for limit in PCK_DISTANCES},
        hit_rate_x={limit: _pck(np.abs(errors[:, 0]), limit) for limit in PCK_DISTANCES},
        hit_rate_y={limit: _pck(np.abs(errors[:, 1]), limit) for limit in PCK_DISTANCES},
        rmse_by_source={name: _root_mean_square(e) if len(e) else None for name, e in by_source.items()},
    )


def _difference(predicted: Floats, points: Floats, observed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """predicted - points, float64 (n, k, 2), 0 where not observed; raises BadChoice if they do not fit."""
    if points.ndim != 3 or points.shape[2] != 2:
        raise BadChoice(f"points have shape {points.shape}, expected (faces, keypoints, 2)")
    if predicted.shape != points.shape:
        raise BadChoice(f"predicted has shape {predicted.shape} but the points {points.shape}: give one per label")
    if observed.shape != points.shape[:2] or observed.dtype != np.bool_:
        got = f"observed is {observed.dtype} of shape {observed.shape}"
        raise BadChoice(f"{got}, expected bool of shape {points.shape[:2]}")
    difference = np.zeros(points.shape)
    # float64 before the subtraction: float32 has only 1e-5 px left at 96
    difference[observed] = predicted[observed].astype(np.float64) - points[observed]
    if not np.isfinite(difference).all():
        face, keypoint, axis = np.argwhere(~np.isfinite(difference))[0].tolist()
        culprit = "label" if not np.isfinite(points[face, keypoint, axis]) else "prediction"
        raise BadChoice(
            f"face {face}, keypoint {keypoint}: the {culprit} of {'xy'[axis]} is not a finite number; "
            f"mark the point as not observed or mend it"
        )
    return difference


def _check_rows(
    difference: NDArray[np.float64],
    source: NDArray[np.integer[Any]],
    keypoints: KeypointSet,
    groups: NDArray[np.integer[Any]] | None,
) -> None:
    n, k = difference.shape[:2]
    if len(keypoints) != k:
        raise BadChoice(f"the keypoint set has {len(keypoints)} names but there are {k} points on each face")
    for name, numbers in (("source", source), ("groups", source if groups is None else groups)):
        if numbers.shape != (n,) or not np.issubdtype(numbers.dtype, np.integer):
            raise BadChoice(f"{name} is {numbers.dtype} of shape {numbers.shape}, expected integers of shape ({n},)")


def _eye_distance(points: Floats, observed: NDArray[np.bool_], keypoints: KeypointSet) -> MaskedFloats:
    """Labeled distance of the eye centers in px, masked (n,); masked where it cannot serve as a unit."""
    if not set(EYES) <= set(keypoints.names):
        return np.ma.masked_array(np.zeros(len(points)), mask=True)
    left, right = (keypoints.index(name) for name in EYES)
    known = observed[:, left] & observed[:, right]
    distance = np.zeros(len(points))
    distance[known] = np.linalg.norm(points[known, left].astype(np.float64) - points[known, right], axis=1)
    return np.ma.masked_array(distance, mask=distance < _SMALLEST_EYE_DISTANCE)


def _values(observed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The count of coordinates of each face, int64 (n,): two for each observed point."""
    values: NDArray[np.int64] = 2 * observed.sum(axis=1, dtype=np.int64)
    return values


def _root_mean_square(errors: NDArray[np.float64]) -> float:
    return math.sqrt(np.square(errors).mean())


def _pck(distance: NDArray[np.float64], limit: float) -> float:
    return float((distance <= limit).mean())


def _nothing_observed(n: int) -> BadChoice:
    what = f"none of the {n:,} faces has an observed point" if n else "there are no faces"
    return BadChoice(f"nothing to score: {what}; choose rows that were labeled")


def _plain(value: Any) -> Any:
    """The same with string keys and lists, as it would come back from JSON."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value
