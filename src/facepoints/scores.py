"""Scores of a data set: overall, by source and by keypoint; see `metrics` for the arrays and the single metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.errors import BadChoice
from facepoints.keypoints import SOURCES, KeypointSet
from facepoints.metrics import (
    FAILURE_NME,
    PCK_DISTANCES,
    Floats,
    Integers,
    Interval,
    MaskedFloats,
    Observed,
    differences,
    eye_distances,
    face_nme,
    nothing_observed,
    rmse_interval,
    root_mean_square,
    share_within,
    source_name,
    squares_and_counts,
)


@dataclass(frozen=True)
class PartScores:
    """Scores of all faces, or of one source's. Distances in px, shares 0 to 1."""

    faces: int
    """faces with at least one observed point; other faces do not count"""
    values: int
    """observed coordinates: two for each observed point"""
    rmse: float
    """sqrt(mean squared difference over all values): the competition's score"""
    rmse_interval: Interval | None
    """95 % bootstrap interval of `rmse` over faces or groups; None for a single one"""
    rmse_x: float
    rmse_y: float
    median_face_rmse: float
    """median RMSE per face: robust to a few wrong labels"""
    mae: float
    """mean absolute difference over all values"""
    median_distance: float
    """median distance of a point from its label"""
    distance_95: float
    """95th percentile of that distance"""
    pck: Mapping[int, float]
    """distance of PCK_DISTANCES -> share of the points within it"""
    eye_distance: float | None
    """median labeled eye distance; None without a face that has both eye centers labeled"""
    nme: float | None
    """mean of `face_nme` over the faces that have one; None without any"""
    failure_rate: float | None
    """share of those faces whose NME is above FAILURE_NME"""
    auc: float | None
    """area under their cumulative error curve from 0 to FAILURE_NME, divided by FAILURE_NME: 1 is perfect"""


@dataclass(frozen=True)
class PointScores:
    """Scores of one keypoint, px. Bias is predicted minus labeled: +x is image right, +y is down."""

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
    pck_x: Mapping[int, float]
    """distance of PCK_DISTANCES -> share of the labels whose x alone is within it"""
    pck_y: Mapping[int, float]
    rmse_by_source: Mapping[str, float | None]


@dataclass(frozen=True)
class Scores:
    """All scores. A source or keypoint without an observed point is None, never NaN."""

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
    observed: Observed,
    source: Integers,
    keypoints: KeypointSet,
    *,
    groups: Integers | None = None,
    seed: int = 0,
) -> Scores:
    """All scores of predicted (n, k, 2) against points (n, k, 2) px where observed (n, k); source (n,).

    `groups` (n,) numbers faces that belong together (near-duplicates, one person): the bootstrap resamples whole
    groups, because correlated errors would make the interval too narrow. The order of the faces does not matter.
    Raises BadChoice if nothing is observed.
    """
    difference = differences(predicted, points, observed)
    n, k = difference.shape[:2]
    if len(keypoints) != k:
        raise BadChoice(f"the keypoint set has {len(keypoints)} names but there are {k} points on each face")
    unit = np.arange(n) if groups is None else groups
    for name, numbers in (("source", source), ("groups", unit)):
        if numbers.shape != (n,) or not np.issubdtype(numbers.dtype, np.integer):
            raise BadChoice(f"{name} is {numbers.dtype} of shape {numbers.shape}, expected integers of shape ({n},)")
    if not observed.any():
        raise nothing_observed(n)
    normalized = face_nme(predicted, points, observed, keypoints)
    eyes = eye_distances(points, observed, keypoints)
    present = sorted({*range(len(SOURCES)), *np.unique(source).tolist()})
    rows_of = {source_name(number): source == number for number in present}

    def part(rows: Any) -> PartScores | None:
        if not observed[rows].any():
            return None
        return _part(difference[rows], observed[rows], normalized[rows], eyes[rows], unit[rows], seed)

    return Scores(
        _part(difference, observed, normalized, eyes, unit, seed),
        {name: part(rows) for name, rows in rows_of.items()},
        {name: _point(difference[:, i], observed[:, i], rows_of) for i, name in enumerate(keypoints.names)},
    )


def _part(
    difference: NDArray[np.float64],
    observed: Observed,
    normalized: MaskedFloats,
    eyes: MaskedFloats,
    unit: Integers,
    seed: int,
) -> PartScores:
    errors = difference[observed]  # (points, 2)
    distance = np.hypot(*errors.T)
    sums, counts = squares_and_counts(difference, observed)
    labeled = counts > 0
    nme = normalized.compressed()
    return PartScores(
        **_common(errors),
        faces=int(labeled.sum()),
        values=errors.size,
        rmse_interval=rmse_interval(sums, counts, groups=unit, seed=seed),
        median_face_rmse=float(np.median(np.sqrt(sums[labeled] / counts[labeled]))),
        median_distance=float(np.median(distance)),
        distance_95=float(np.quantile(distance, 0.95)),
        eye_distance=float(np.median(eyes.compressed())) if len(nme) else None,
        nme=float(nme.mean()) if len(nme) else None,
        failure_rate=float((nme > FAILURE_NME).mean()) if len(nme) else None,
        # exact area under the step curve: each face adds the part of the axis to its right
        auc=float((1 - nme / FAILURE_NME).clip(min=0).mean()) if len(nme) else None,
    )


def _point(difference: NDArray[np.float64], observed: Observed, rows_of: Mapping[str, Observed]) -> PointScores | None:
    """difference (n, 2) px and observed (n,) of one keypoint."""
    errors = difference[observed]
    if not len(errors):
        return None
    bias, spread = errors.mean(axis=0).tolist(), errors.std(axis=0).tolist()
    by_source = {name: difference[observed & rows] for name, rows in rows_of.items()}
    return PointScores(
        **_common(errors),
        count=len(errors),
        bias_x=bias[0],
        bias_y=bias[1],
        spread_x=spread[0],
        spread_y=spread[1],
        pck_x=_pck(np.abs(errors[:, 0])),
        pck_y=_pck(np.abs(errors[:, 1])),
        rmse_by_source={name: root_mean_square(e) if len(e) else None for name, e in by_source.items()},
    )


def _common(errors: NDArray[np.float64]) -> dict[str, Any]:
    """The fields that PartScores and PointScores share, of errors (points, 2) px."""
    return {
        "rmse": root_mean_square(errors),
        "rmse_x": root_mean_square(errors[:, 0]),
        "rmse_y": root_mean_square(errors[:, 1]),
        "mae": float(np.abs(errors).mean()),
        "pck": _pck(np.hypot(*errors.T)),
    }


def _pck(distance: NDArray[np.float64]) -> dict[int, float]:
    return {limit: share_within(distance, limit) for limit in PCK_DISTANCES}


def _plain(value: Any) -> Any:
    """The same with string keys and lists, as JSON returns it."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value
