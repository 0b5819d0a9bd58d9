"""Student's t distribution, which figures from few trainings need: means of three vary more than a normal tells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STEPS = 20_001


@dataclass(frozen=True)
class Difference:
    """One mean less another."""

    value: float
    low: float
    high: float
    """95 % interval"""
    luck: float
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
