"""Calibration of the expected error: measured RMSE against the expected RMSE, by deciles of the expected error.

After the reliability diagrams of Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017), for a regression.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.metrics import point_distances, rmse_interval

TOLERANCE = 0.15
"""A decile is calibrated where its measured RMSE differs from the expected RMSE by at most this share."""
DECILES = 10


@dataclass(frozen=True)
class Decile:
    """A tenth of all points, with similar expected errors. RMSE of a coordinate, px."""

    points: int
    expected: float
    measured: float
    interval: tuple[float, float]

    @property
    def ratio(self) -> float:
        """Measured / expected: above 1, the expected error is too small."""
        return self.measured / self.expected if self.expected else math.inf


@dataclass(frozen=True)
class Calibration:
    """Expected against measured errors of a model."""

    deciles: tuple[Decile, ...]
    calibrated_deciles: int
    """deciles whose ratio is within TOLERANCE of 1"""
    worst_ratio: float
    rank_correlation: float
    """of expected and measured error over points (Spearman)"""
    top_decile_share: float
    """share of all squared error in the decile with the largest expected errors"""

    def as_dict(self) -> dict[str, Any]:
        deciles = [{**asdict(decile), "ratio": decile.ratio} for decile in self.deciles]
        return {**asdict(self), "deciles": deciles, "tolerance": TOLERANCE}


def calibration(
    data: LabeledFaces,
    predicted: NDArray[np.floating[Any]],
    expected_error: NDArray[np.floating[Any]],
    groups: NDArray[np.int64],
) -> Calibration | None:
    """Calibration of expected_error (n, k) px for predicted (n, k, 2); None for fewer than ten labeled points."""
    face, point = np.nonzero(data.observed)
    if len(face) < DECILES:
        return None
    distance = point_distances(predicted, data.points, data.observed)[face, point]
    expected = expected_error[face, point].astype(np.float64)
    order = np.argsort(expected, kind="stable")
    deciles = [_decile(rows, face, distance, expected, groups) for rows in np.array_split(order, DECILES)]
    ratios = [decile.ratio for decile in deciles]
    squares = np.square(distance)
    return Calibration(
        deciles=tuple(deciles),
        calibrated_deciles=sum(abs(ratio - 1) <= TOLERANCE for ratio in ratios),
        worst_ratio=max(ratios, key=lambda ratio: abs(math.log(max(ratio, 1e-9)))),
        rank_correlation=_rank_correlation(expected, distance),
        top_decile_share=float(squares[np.array_split(order, DECILES)[-1]].sum() / max(float(squares.sum()), 1e-12)),
    )


def _decile(
    rows: NDArray[np.int64],
    face: NDArray[np.int64],
    distance: NDArray[np.float64],
    expected: NDArray[np.float64],
    groups: NDArray[np.int64],
) -> Decile:
    squares = np.square(distance[rows])
    measured = math.sqrt(squares.sum() / (2 * len(rows)))
    values = np.full(len(rows), 2, np.int64)
    interval = rmse_interval(squares, values, groups=groups[face[rows]]) or (measured, measured)
    return Decile(len(rows), math.sqrt(np.square(expected[rows]).mean()), measured, interval)


def _rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    ranks = [np.argsort(np.argsort(v, kind="stable")).astype(np.float64) for v in (a, b)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
