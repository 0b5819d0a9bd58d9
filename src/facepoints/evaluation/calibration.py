"""Does a model know how wrong it is? Measured RMSE where it expects little error, and where it expects much.

After the reliability diagrams of Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017), with the error of
a regression in place of a PCK: in each tenth of the points, by expected error, the measured RMSE is set beside the
root mean square of what was expected.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.metrics import point_distances, rmse_interval
from facepoints.reports.charts import Plot, Trace

WITHIN = 0.15
"""A tenth is well judged where its measured RMSE is within this share of what was expected."""
DECILES = 10


@dataclass(frozen=True)
class Decile:
    """A tenth of all points, those with similar expected errors. px, RMSE of a coordinate."""

    points: int
    expected: float
    measured: float
    interval: tuple[float, float]

    @property
    def ratio(self) -> float:
        """Measured to expected: above 1, the model was too sure."""
        return self.measured / self.expected if self.expected else math.inf


@dataclass(frozen=True)
class Calibration:
    """The expected errors of a model beside its errors."""

    deciles: tuple[Decile, ...]
    well_judged: int
    """tenths whose ratio is within WITHIN of 1"""
    worst_ratio: float
    rank_correlation: float
    """of expected and measured error over points (Spearman): 1 would be a model that knows which point is worst"""
    unsure_share: float
    """share of all squared error that lies in the tenth with the largest expected errors"""

    def as_dict(self) -> dict[str, Any]:
        deciles = [{**asdict(tenth), "ratio": tenth.ratio} for tenth in self.deciles]
        return {**asdict(self), "deciles": deciles, "within": WITHIN}

    def plot(self) -> Plot:
        """Measured over expected, beside the line on which they agree."""
        x, y = (np.array([getattr(t, name) for t in self.deciles]) for name in ("expected", "measured"))
        low, high = (np.array([t.interval[i] for t in self.deciles]) for i in (0, 1))
        trace = Trace("tenths of all points", x, y, low, high, dots=True)
        return Plot("calibration", (trace,), "expected error, px", "measured RMSE, px", band=WITHIN)


def calibration(
    data: LabeledFaces,
    predicted: NDArray[np.floating[Any]],
    expected_error: NDArray[np.floating[Any]],
    groups: NDArray[np.int64],
) -> Calibration | None:
    """expected_error (n, k) px beside the errors of predicted (n, k, 2); None for fewer than ten labeled points."""
    face, point = np.nonzero(data.observed)
    if len(face) < DECILES:
        return None
    distance = point_distances(predicted, data.points, data.observed)[face, point]
    expected = expected_error[face, point].astype(np.float64)
    order = np.argsort(expected, kind="stable")
    deciles = [_decile(rows, face, distance, expected, groups) for rows in np.array_split(order, DECILES)]
    ratios = [tenth.ratio for tenth in deciles]
    squares = np.square(distance)
    return Calibration(
        deciles=tuple(deciles),
        well_judged=sum(abs(ratio - 1) <= WITHIN for ratio in ratios),
        worst_ratio=max(ratios, key=lambda ratio: abs(math.log(max(ratio, 1e-9)))),
        rank_correlation=_rank_correlation(expected, distance),
        unsure_share=float(squares[np.array_split(order, DECILES)[-1]].sum() / max(float(squares.sum()), 1e-12)),
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
