"""What training does with absent points: the strategies.

Each takes the training rows' points (n, k, 2) and observed (n, k), and says which rows to train on, which points to
believe there, and which of these count. The loss is always masked, so the strategies cannot contradict each other.
Values are learned from the rows given: give training rows only.
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
    """What to train on. A point that nobody could fill stays unobserved and out of the loss."""

    kept: NDArray[np.int64]
    """positions of the rows to train on, (m,)"""
    points: Points
    """(m, k, 2)"""
    observed: Observed
    """(m, k): labeled or filled"""


def fill(points: Points, observed: Observed, strategy: str, seed: int = 0) -> Filled:
    """Carry out a strategy of STRATEGIES; `seed` matters for those that shuffle."""
    if strategy not in STRATEGIES:
        raise unknown("strategy for missing points", strategy, STRATEGIES)
    return STRATEGIES[strategy](points, observed, seed)


def mask(points: Points, observed: Observed, seed: int) -> Filled:
    """Train on what was labeled, guess nothing."""
    return Filled(np.arange(len(points)), points, observed)


def drop(points: Points, observed: Observed, seed: int) -> Filled:
    """Complete rows only."""
    kept = np.flatnonzero(observed.all(axis=1))
    if not len(kept):
        raise BadChoice("missing='drop' leaves no training row: none is complete. Try missing='mask'")
    return Filled(kept, points[kept], observed[kept])


def mean(points: Points, observed: Observed, seed: int) -> Filled:
    """Every gap gets the mean of the labeled values of its coordinate."""
    count = observed.sum(axis=0)
    total = np.where(observed[:, :, None], points, 0).sum(axis=0, dtype=np.float64)
    return _constant(points, observed, total / np.maximum(count, 1)[:, None])


def median(points: Points, observed: Observed, seed: int) -> Filled:
    """Every gap gets the median of the labeled values of its coordinate."""
    value = np.zeros(points.shape[1:])
    for k in range(points.shape[1]):
        if observed[:, k].any():
            value[k] = np.median(points[observed[:, k], k], axis=0)
    return _constant(points, observed, value)


def forward(points: Points, observed: Observed, seed: int) -> Filled:
    """Every gap gets the last labeled value above it; gaps before the first one stay."""
    return _from_rows(points, observed, _last_labeled(observed))


def backward_forward(points: Points, observed: Observed, seed: int) -> Filled:
    """After a shuffle, every gap gets the next labeled value below it, or else the last one above it.

    The shuffle matters: in the competition's files all rows of one source come first, and an unshuffled fill gives
    thousands of rows the same few faces' brows.
    """
    order = np.random.default_rng(seed).permutation(len(points))
    shuffled = observed[order]
    below = len(points) - 1 - _last_labeled(shuffled[::-1])[::-1]
    below = np.where(below < len(points), below, -1)  # the reversed -1, "none", has become n
    rows = np.where(below >= 0, below, _last_labeled(shuffled))
    origin = np.empty_like(rows)
    origin[order] = np.where(rows >= 0, order[rows], -1)
    return _from_rows(points, observed, origin)


def interpolate(points: Points, observed: Observed, seed: int) -> Filled:
    """Every gap gets a value on the line between its labeled neighbors above and below, in row order.

    Like pandas' `interpolate`: gaps after the last label repeat it, gaps before the first one stay.
    """
    filled = points.copy()
    rows = np.arange(len(points))
    for k in range(points.shape[1]):
        known = np.flatnonzero(observed[:, k])
        if len(known):
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
