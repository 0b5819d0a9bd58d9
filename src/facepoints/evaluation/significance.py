"""Significance of the difference of two models: paired bootstrap over faces, Welch's t test over trainings.

Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), sections 13.3 and 15.4; for two systems on one test set
Koehn, "Statistical Significance Tests for Machine Translation Evaluation" (EMNLP 2004). Groups of near-duplicates are
resampled as a whole. All models share the resamples, so that the difficulty of a face cancels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepoints.errors import BadChoice

RESAMPLES = 10_000
_AT_ONCE = 2_000_000  # sampled indices in memory


@dataclass(frozen=True)
class Bootstrap:
    """RMSE of m models, px, on all faces and on each resample of them."""

    rmse: NDArray[np.float64]
    """(m,)"""
    samples: NDArray[np.float64]
    """(resamples, m)"""

    def interval(self, model: int) -> tuple[float, float]:
        """95 % percentile interval of a model's RMSE."""
        low, high = np.quantile(self.samples[:, model], (0.025, 0.975)).tolist()
        return low, high

    def difference(self, model: int, other: int) -> Difference:
        """RMSE of a model minus that of another.

        The two-sided p-value is twice the share of resamples in which the order of the two is reversed or undecided;
        one resample is added to either side, so that it is never 0.
        """
        differences = self.samples[:, model] - self.samples[:, other]
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
    """From the sums of squared errors of each model (n,) px², the counts of values (n,) in them, and groups (n,).

    The order of the faces does not matter. Raises BadChoice for fewer than two groups.
    """
    unit = np.unique(groups, return_inverse=True)[1]
    totals = np.zeros((unit.max(initial=-1) + 1, len(sums) + 1))
    np.add.at(totals, unit, np.stack([*sums, counts], axis=1))
    totals = totals[totals[:, -1] > 0]
    if len(totals) < 2:
        raise BadChoice("all faces are near-duplicates or unlabeled: there is no interval. Give more faces")
    totals = totals[np.lexsort(totals.T)]  # the order of the faces does not matter
    samples = np.concatenate([weights @ totals for weights in _weights(len(totals), resamples, seed)])
    whole = totals.sum(axis=0)
    return Bootstrap(np.sqrt(whole[:-1] / whole[-1]), np.sqrt(samples[:, :-1] / samples[:, -1:]))


def _weights(units: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each group occurs in each resample: (some resamples, units) at a time."""
    rng = np.random.default_rng(seed)
    step = max(1, _AT_ONCE // units)
    for start in range(0, resamples, step):
        some = min(step, resamples - start)
        index = rng.integers(units, size=(some, units)) + np.arange(some)[:, None] * units
        yield np.bincount(index.ravel(), minlength=some * units).reshape(some, units).astype(np.float64)


@dataclass(frozen=True)
class Difference:
    """Difference of two means."""

    value: float
    low: float
    high: float
    """95 % interval"""
    p_value: float
    """two-sided: probability of a difference at least as large if the means were equal"""


def welch(ours: Sequence[float], best: Sequence[float]) -> Difference:
    """Mean of `ours` minus mean of `best`, two values or more each, by Welch's t test (Biometrika 34, 1947)."""
    a, b = np.asarray(ours, np.float64), np.asarray(best, np.float64)
    value = float(a.mean() - b.mean())
    if a.var() == b.var() == 0:
        return Difference(value, value, value, 1.0 if value == 0 else 0.0)
    from scipy.stats import ttest_ind  # takes a second to import

    test = ttest_ind(a, b, equal_var=False)
    interval = test.confidence_interval(0.95)
    return Difference(value, float(interval.low), float(interval.high), float(test.pvalue))
