"""What is normal for many points at once: a multivariate t distribution, learned in spite of wrong rows and gaps.

The same model serves twice: for shapes (where the points of a face lie) and for errors (how far labels lie from where
they are expected, in units of what is usual). Its heavy tails admit the hard face; its correlations know that points
of one face err together, so that one point that leaves the others stands out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDS = 12
"""Rounds of the fit; the weights settle within about eight."""
SHRINKAGE = 0.04
"""How far correlations are drawn to zero: keeps the matrix invertible with few rows and pairwise gaps."""
FREEDOMS = (2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 11.0, 16.0, 24.0)
"""Degrees of freedom to choose from: below 2 nothing would be suspicious, above 24 nothing hard."""


@dataclass(frozen=True)
class NormalShape:
    """A multivariate t distribution over k points, px or any unit."""

    center: NDArray[np.float64]
    """(k, 2)"""
    scatter: NDArray[np.float64]
    """(2k, 2k): the scale matrix, x and y of a point side by side"""
    freedom: float
    """degrees of freedom: small is heavy-tailed"""

    def log_density(self, points: NDArray[np.floating], observed: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Logarithm of the density of the observed points of each row, (n,); 0 where a row has none.

        points (n, k, 2), observed (n, k). Missing points are left out of the distribution (its marginal), not filled.
        """
        return log_density_each(points - self.center, self.scatter, observed, self.freedom)

    def weights(self, points: NDArray[np.floating], observed: NDArray[np.bool_]) -> NDArray[np.float64]:
        """How much each row counts in the fit, (n,): about 1 for a usual one, towards 0 for an outlier."""
        weight = np.ones(len(points))
        for rows, coordinates in _patterns(observed):
            if len(coordinates):
                away = (points[rows] - self.center).reshape(len(rows), -1)[:, coordinates]
                distance, _ = _distance(away, self.scatter[np.ix_(coordinates, coordinates)])
                weight[rows] = (self.freedom + len(coordinates)) / (self.freedom + distance)
        return weight


def log_density_each(
    away: NDArray[np.floating], scatter: NDArray[np.float64], observed: NDArray[np.bool_], freedom: float
) -> NDArray[np.float64]:
    """Logarithm of the t density, (n,), of points (n, k, 2) that lie `away` from their center, where observed (n, k).

    scatter is (2k, 2k), or (n, 2k, 2k): each row's own.
    """
    density = np.zeros(len(away))
    for rows, coordinates in _patterns(observed):
        d = len(coordinates)
        if not d:
            continue
        few = scatter[..., coordinates[:, None], coordinates]
        flat = away[rows].reshape(len(rows), -1)[:, coordinates]
        distance, log_root = _distance(flat, few[rows] if few.ndim == 3 else few)
        half = freedom / 2
        constant = math.lgamma(half + d / 2) - math.lgamma(half) - d / 2 * math.log(math.pi * freedom)
        density[rows] = constant - log_root - (half + d / 2) * np.log1p(distance / freedom)
    return density


def _distance(
    away: NDArray[np.floating], scatter: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squared Mahalanobis distance (n,) of away (n, d), and the log of the scatter's root determinant, (n,) or ()."""
    root = np.linalg.cholesky(scatter)
    white = np.linalg.solve(root, away[..., None] if root.ndim == 3 else away.T)
    squares = np.square(white[..., 0]).sum(axis=1) if root.ndim == 3 else np.square(white).sum(axis=0)
    return squares, np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(axis=-1)


def blend(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What two opinions with scatters (n, d, d) or (d, d) come to together: the scatter, and the weight of the first.

    As of two Gaussians: precisions add up, and each opinion counts with its precision.
    """
    together = np.linalg.inv(np.linalg.inv(one) + np.linalg.inv(other))
    together = (together + np.swapaxes(together, -1, -2)) / 2
    return together, together @ np.linalg.inv(one)


def fit_shape(
    points: NDArray[np.floating],
    observed: NDArray[np.bool_],
    trust: NDArray[np.float64] | None = None,
    *,
    centered: bool = False,
) -> NormalShape:
    """The distribution of n rows of points (n, k, 2), observed (n, k).

    `trust` (n,), 0 to 1, is the share with which a row counts at all. `centered`: the center is known to be zero.
    Lange, Little and Taylor (1989), "Robust statistical modeling using the t distribution", with moments over the
    pairs that are given instead of the exact step for gaps; the degrees of freedom by likelihood among FREEDOMS.
    """
    n, k = observed.shape
    trust = np.ones(n) if trust is None else trust
    flat = points.reshape(n, -1).astype(np.float64)
    given = np.repeat(observed, 2, axis=1)
    center, spread = _first_guess(flat, given, centered)
    shape = NormalShape(center.reshape(k, 2), np.diag(spread**2), 5.0)
    for step in range(ROUNDS):
        weight = (trust * shape.weights(points, observed))[:, None] * given
        if not centered:
            center = (weight * flat).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-9)
        away = np.where(given, flat - center, 0)
        both = (trust[:, None] * given).T @ given.astype(np.float64)
        scatter = (weight * away).T @ away / np.maximum(both, 1e-9)
        shape = NormalShape(center.reshape(k, 2), _sound((scatter + scatter.T) / 2, spread), shape.freedom)
        if step % 3 == 2:
            shape = max(
                (NormalShape(shape.center, shape.scatter, freedom) for freedom in FREEDOMS),
                key=lambda s: float(trust @ s.log_density(points, observed)),
            )
    return shape


def _first_guess(
    flat: NDArray[np.float64], given: NDArray[np.bool_], centered: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median and spread (1.48 median absolute deviations) of each coordinate."""
    columns = [flat[given[:, c], c] for c in range(flat.shape[1])]
    center = np.array([np.median(c) if len(c) and not centered else 0.0 for c in columns])
    spread = np.array(
        [1.4826 * np.median(np.abs(c - m)) if len(c) else 0.0 for c, m in zip(columns, center, strict=True)]
    )
    usual = spread[spread > 0]
    return center, np.maximum(spread, 0.1 * (np.median(usual) if len(usual) else 1.0))


def _sound(scatter: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix made positive definite: never-given coordinates get their first spread, correlations are shrunk."""
    size = np.sqrt(np.maximum(np.diag(scatter), (0.05 * spread) ** 2))
    correlation = scatter / np.outer(size, size)
    correlation = (1 - SHRINKAGE) * correlation
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(correlation)
    correlation = (vectors * np.maximum(values, SHRINKAGE / 4)) @ vectors.T
    fixed: NDArray[np.float64] = correlation * np.outer(size, size)
    return fixed


def _patterns(observed: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each pattern of observed points the rows that have it and the positions of its coordinates."""
    # sums of random weights tell patterns apart; np.unique over whole rows takes twenty times as long
    code = observed @ np.random.default_rng(0).random(observed.shape[1])
    codes, first, which = np.unique(code, return_index=True, return_inverse=True)
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(len(codes) + 1))
    for i, row in enumerate(first):
        yield order[starts[i] : starts[i + 1]], np.flatnonzero(np.repeat(observed[row], 2))
