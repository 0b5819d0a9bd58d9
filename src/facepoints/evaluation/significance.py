"""Is one model better than another, or lucky with these faces? Both are scored on the same draws of the faces.

Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), sections 13.3 and 15.4; for two systems on one test set
Koehn, "Statistical Significance Tests for Machine Translation Evaluation" (EMNLP 2004). Groups of alike faces are drawn
whole. All models see the same draws, so that what makes a face hard for all of them cancels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepoints.errors import BadChoice

RESAMPLES = 10_000
_AT_ONCE = 2_000_000  # draws held in memory


@dataclass(frozen=True)
class Bootstrap:
    """RMSE of m models, px, on all faces and on each resample of them."""

    rmse: NDArray[np.float64]
    """(m,)"""
    drawn: NDArray[np.float64]
    """(resamples, m)"""

    def interval(self, model: int) -> tuple[float, float]:
        """95 % percentile interval of a model's RMSE."""
        low, high = np.quantile(self.drawn[:, model], (0.025, 0.975)).tolist()
        return low, high

    def difference(self, model: int, other: int) -> Difference:
        """RMSE of a model less that of another.

        `p_value` is twice the share of resamples in which the order of the two is reversed (or undecided), with one
        resample added to either side so that it is never 0: the two-sided p-value of "they are equally good".
        """
        differences = self.drawn[:, model] - self.drawn[:, other]
        low, high = np.quantile(differences, (0.025, 0.975)).tolist()
        reversed_order = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
        p_value = min(1.0, 2 * (reversed_order + 1) / (len(differences) + 1))
        return Difference(float(self.rmse[model] - self.rmse[other]), low, high, p_value)


def paired_bootstrap(
    sums: Sequence[NDArray[np.float64]],
    counts: NDArray[np.int64],
    groups: NDArray[np.int64],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Bootstrap:
    """From each model's squared errors (n,) px², the counts of values (n,) that they are sums of, and groups (n,).

    The order of the faces does not matter. Raises BadChoice for less than two groups.
    """
    unit = np.unique(groups, return_inverse=True)[1]
    totals = np.zeros((unit.max(initial=-1) + 1, len(sums) + 1))
    np.add.at(totals, unit, np.stack([*sums, counts], axis=1))
    totals = totals[totals[:, -1] > 0]
    if len(totals) < 2:
        raise BadChoice("all faces are alike or unlabeled: nothing can be said of others. Give more faces")
    totals = totals[np.lexsort(totals.T)]  # the same draws whatever the order of the faces
    drawn = np.concatenate([weights @ totals for weights in _weights(len(totals), resamples, seed)])
    whole = totals.sum(axis=0)
    return Bootstrap(np.sqrt(whole[:-1] / whole[-1]), np.sqrt(drawn[:, :-1] / drawn[:, -1:]))


def _weights(units: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each unit is drawn in each resample: (some resamples, units) at a time."""
    rng = np.random.default_rng(seed)
    step = max(1, _AT_ONCE // units)
    for start in range(0, resamples, step):
        some = min(step, resamples - start)
        index = rng.integers(units, size=(some, units)) + np.arange(some)[:, None] * units
        yield np.bincount(index.ravel(), minlength=some * units).reshape(some, units).astype(np.float64)


_STEPS = 20_001


@dataclass(frozen=True)
class Difference:
    """One mean less another."""

    value: float
    low: float
    high: float
    """95 % interval"""
    p_value: float
    """probability of a difference at least so large, either way, if the means were the same"""


def welch(ours: Sequence[float], best: Sequence[float]) -> Difference:
    """Mean of `ours` less mean of `best`, both of two values or more, by Welch's t test.

    Welch, "The generalization of 'Student's' problem when several different population variances are involved"
    (Biometrika 34, 1947): the two spreads may differ.
    """
    a, b = np.asarray(ours, np.float64), np.asarray(best, np.float64)
    parts = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    value, variance = float(a.mean() - b.mean()), float(sum(parts))
    if variance == 0:
        return Difference(value, value, value, 1.0 if value == 0 else 0.0)
    freedom = variance**2 / sum(part**2 / (len(v) - 1) for part, v in zip(parts, (a, b), strict=True) if part)
    error = math.sqrt(variance)
    reach = quantile(0.975, freedom) * error
    return Difference(value, value - reach, value + reach, 2 * (1 - cumulative(abs(value) / error, freedom)))


def cumulative(t: float, freedom: float) -> float:
    """P(T <= t) with these degrees of freedom."""
    angle, share = _by_angle(freedom)
    half = float(np.interp(math.atan2(abs(t), math.sqrt(freedom)), angle, share))
    return 0.5 + math.copysign(half, t)


def quantile(probability: float, freedom: float) -> float:
    """The t that is not exceeded with this probability, 0.5 to 1."""
    angle, share = _by_angle(freedom)
    return math.sqrt(freedom) * math.tan(float(np.interp(probability - 0.5, share, angle)))


def _by_angle(freedom: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angles from 0 to pi / 2 and the probability of 0 < T < sqrt(freedom) tan(angle).

    In this angle the density is proportional to cos(angle) ** (freedom - 1), smooth and bounded.
    """
    angle = np.linspace(0, math.pi / 2, _STEPS)
    density = np.maximum(np.cos(angle), 0) ** (freedom - 1)
    area = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return angle, 0.5 * area / area[-1]
