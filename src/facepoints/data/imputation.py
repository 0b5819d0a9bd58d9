"""Strategies for missing labels.

Each takes the training rows' points (n, k, 2) and observed (n, k) and returns the rows to train on, their points, and
which of these count. The loss is always masked, so a point that stays unobserved is ignored. Values are computed from
the given rows: pass training rows only, or the validation rows leak.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepoints.errors import BadChoice, unknown

Points = NDArray[np.float32]
Observed = NDArray[np.bool_]


@dataclass(frozen=True)
class Filled:
    """Training rows after imputation. A point without a value stays unobserved."""

    kept: NDArray[np.int64]
    """positions of the rows to train on, (m,)"""
    points: Points
    """(m, k, 2)"""
    observed: Observed
    """(m, k): labeled or imputed"""


def fill(points: Points, observed: Observed, strategy: str, seed: int = 0) -> Filled:
    """Apply a strategy of STRATEGIES; `seed` is used by those that shuffle."""
    if strategy not in STRATEGIES:
        raise unknown("strategy for missing points", strategy, STRATEGIES)
    return STRATEGIES[strategy](points, observed, seed)


def mask(points: Points, observed: Observed, seed: int) -> Filled:
    """Train on labeled points only; no imputation."""
    return Filled(np.arange(len(points)), points, observed)


def drop(points: Points, observed: Observed, seed: int) -> Filled:
    """Complete rows only."""
    kept = np.flatnonzero(observed.all(axis=1))
    if not len(kept):
        raise BadChoice("missing='drop' leaves no training row: none is complete. Try missing='mask'")
    return Filled(kept, points[kept], observed[kept])


def mean(points: Points, observed: Observed, seed: int) -> Filled:
    """Every gap gets the mean of its coordinate's labels."""
    total = np.where(observed[:, :, None], points, 0).sum(axis=0, dtype=np.float64)
    return _constant(points, observed, total / np.maximum(observed.sum(axis=0), 1)[:, None])


def median(points: Points, observed: Observed, seed: int) -> Filled:
    """Every gap gets the median of its coordinate's labels."""
    value = np.zeros(points.shape[1:])
    for k in np.flatnonzero(observed.any(axis=0)):
        value[k] = np.median(points[observed[:, k], k], axis=0)
    return _constant(points, observed, value)


def forward(points: Points, observed: Observed, seed: int) -> Filled:
    """Every gap gets the last label above it; gaps before the first label stay."""
    return _from_rows(points, observed, _last_labeled(observed))


def backward_forward(points: Points, observed: Observed, seed: int) -> Filled:
    """After a shuffle, every gap gets the next label below it, or else the last one above it.

    The shuffle matters: in the competition's files all rows of one source come first, and without it thousands of rows
    get the eyebrows of the same few faces.
    """
    order = np.random.default_rng(seed).permutation(len(points))
    shuffled = observed[order]
    below = len(points) - 1 - _last_labeled(shuffled[::-1])[::-1]  # n where there is none below
    rows = np.where(below < len(points), below, _last_labeled(shuffled))
    origin = np.empty_like(rows)
    origin[order] = np.where(rows >= 0, order[rows], -1)
    return _from_rows(points, observed, origin)


def interpolate(points: Points, observed: Observed, seed: int) -> Filled:
    """Every gap gets a linear interpolation between the labels above and below, in row order.

    Like `interpolate` of pandas: gaps after the last label repeat it, gaps before the first one stay.
    """
    filled = points.copy()
    rows = np.arange(len(points))
    for k in np.flatnonzero(observed.any(axis=0)):
        known = np.flatnonzero(observed[:, k])
        for axis in range(2):
            filled[:, k, axis] = np.interp(rows, known, points[known, k, axis])
    return Filled(rows, filled, _last_labeled(observed) >= 0)


STRATEGIES: dict[str, Callable[[Points, Observed, int], Filled]] = {
    "mask": mask,
    "drop": drop,
    "mean": mean,
    "median": median,
    "forward": forward,
    "backward-forward": backward_forward,
    "interpolate": interpolate,
}


def _constant(points: Points, observed: Observed, value: NDArray[np.float64]) -> Filled:
    filled = np.where(observed[:, :, None], points, value.astype(np.float32))
    known = np.broadcast_to(observed.any(axis=0), observed.shape)
    return Filled(np.arange(len(points)), filled, known)


def _last_labeled(observed: Observed) -> NDArray[np.int64]:
    """For each row and point the row of the last label at or above it, -1 where there is none: (n, k)."""
    rows = np.where(observed, np.arange(len(observed))[:, None], -1)
    return np.maximum.accumulate(rows, axis=0)


def _from_rows(points: Points, observed: Observed, rows: NDArray[np.int64]) -> Filled:
    filled = points[np.maximum(rows, 0), np.arange(points.shape[1])]
    return Filled(np.arange(len(points)), filled, rows >= 0)
