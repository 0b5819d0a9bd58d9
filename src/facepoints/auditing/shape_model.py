"""A multivariate Student t distribution of many points, fitted robustly to rows with wrong labels and gaps.

Used for shapes (the points of a face) and for errors (distance of labels from their expected positions, in units of
the error scale). The heavy tails admit hard faces; the correlations express that the points of one face err together,
so that a single point that differs from the others stands out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROUNDS = 12
"""Iterations of the fit; the weights settle within about eight."""
SHRINKAGE = 0.04
"""Shrinkage of the correlations to zero: keeps the matrix invertible with few rows and pairwise gaps."""
FREEDOMS = (2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 11.0, 16.0, 24.0)
"""Candidate degrees of freedom: below 2 nothing would be an outlier, above 24 every hard face."""


@dataclass(frozen=True)
class StudentT:
    """A multivariate t distribution over k points, in px or any unit."""

    center: Array
    """(k, 2)"""
    scatter: Array
    """(2k, 2k): scale matrix, x and y of a point side by side"""
    freedom: float
    """degrees of freedom; small is heavy-tailed"""

    def log_density(self, points: NDArray[np.floating], observed: NDArray[np.bool_]) -> Array:
        """Log density (n,) of the observed points of each row, 0 for rows without any.

        points (n, k, 2), observed (n, k). The density is the marginal one of the observed points.
        """
        return log_density(points - self.center, self.scatter, observed, self.freedom)

    def weights(self, points: NDArray[np.floating], observed: NDArray[np.bool_]) -> Array:
        """Weight (n,) of each row in the fit: about 1 for an ordinary row, towards 0 for an outlier."""
        weight = np.ones(len(points))
        for rows, coordinates in _patterns(observed):
            if len(coordinates):
                difference = (points[rows] - self.center).reshape(len(rows), -1)[:, coordinates]
                distance, _ = _mahalanobis(difference, self.scatter[np.ix_(coordinates, coordinates)])
                weight[rows] = (self.freedom + len(coordinates)) / (self.freedom + distance)
        return weight


def log_density(difference: NDArray[np.floating], scatter: Array, observed: NDArray[np.bool_], freedom: float) -> Array:
    """Log t density (n,) of points that differ from the center by (n, k, 2), where observed (n, k).

    scatter is (2k, 2k), or (n, 2k, 2k): one for each row.
    """
    density = np.zeros(len(difference))
    for rows, coordinates in _patterns(observed):
        d = len(coordinates)
        if not d:
            continue
        marginal = scatter[..., coordinates[:, None], coordinates]
        flat = difference[rows].reshape(len(rows), -1)[:, coordinates]
        distance, log_root = _mahalanobis(flat, marginal[rows] if marginal.ndim == 3 else marginal)
        half = freedom / 2
        constant = math.lgamma(half + d / 2) - math.lgamma(half) - d / 2 * math.log(math.pi * freedom)
        density[rows] = constant - log_root - (half + d / 2) * np.log1p(distance / freedom)
    return density


def _mahalanobis(difference: NDArray[np.floating], scatter: Array) -> tuple[Array, Array]:
    """Squared Mahalanobis distance (n,) of (n, d), and log of the root of the scatter's determinant, (n,) or ()."""
    root = np.linalg.cholesky(scatter)
    white = np.linalg.solve(root, difference[..., None] if root.ndim == 3 else difference.T)
    squares = np.square(white[..., 0]).sum(axis=1) if root.ndim == 3 else np.square(white).sum(axis=0)
    return squares, np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(axis=-1)


def product_of_gaussians(one: Array, other: Array) -> tuple[Array, Array]:
    """Scatter of the product of two Gaussians with scatters (n, d, d) or (d, d), and the weight of the first's mean."""
    together = np.linalg.inv(np.linalg.inv(one) + np.linalg.inv(other))
    together = (together + np.swapaxes(together, -1, -2)) / 2
    return together, together @ np.linalg.inv(one)


def fit_student_t(
    points: NDArray[np.floating], observed: NDArray[np.bool_], prior: Array | None = None, *, centered: bool = False
) -> StudentT:
    """The distribution of n rows of points (n, k, 2), observed (n, k).

    `prior` (n,), 0 to 1, is the weight of each row. `centered`: the center is known to be zero.
    Lange, Little and Taylor (1989), "Robust statistical modeling using the t distribution", with moments over the
    pairs that are observed instead of the exact step for gaps; the degrees of freedom by likelihood among FREEDOMS.
    """
    n, k = observed.shape
    prior = np.ones(n) if prior is None else prior
    flat = points.reshape(n, -1).astype(np.float64)
    given = np.repeat(observed, 2, axis=1)
    center, spread = _initial(flat, given, centered)
    fitted = StudentT(center.reshape(k, 2), np.diag(spread**2), 5.0)
    for step in range(ROUNDS):
        weight = (prior * fitted.weights(points, observed))[:, None] * given
        if not centered:
            center = (weight * flat).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-9)
        difference = np.where(given, flat - center, 0)
        both = (prior[:, None] * given).T @ given.astype(np.float64)
        scatter = (weight * difference).T @ difference / np.maximum(both, 1e-9)
        fitted = StudentT(center.reshape(k, 2), _regularized((scatter + scatter.T) / 2, spread), fitted.freedom)
        if step % 3 == 2:
            fitted = max(
                (StudentT(fitted.center, fitted.scatter, freedom) for freedom in FREEDOMS),
                key=lambda s: float(prior @ s.log_density(points, observed)),
            )
    return fitted


def _initial(flat: Array, given: NDArray[np.bool_], centered: bool) -> tuple[Array, Array]:
    """Median and spread (1.48 median absolute deviations) of each coordinate."""
    columns = [flat[given[:, c], c] for c in range(flat.shape[1])]
    center = np.array([np.median(c) if len(c) and not centered else 0.0 for c in columns])
    spread = np.array(
        [1.4826 * np.median(np.abs(c - m)) if len(c) else 0.0 for c, m in zip(columns, center, strict=True)]
    )
    positive = spread[spread > 0]
    return center, np.maximum(spread, 0.1 * (np.median(positive) if len(positive) else 1.0))


def _regularized(scatter: Array, spread: Array) -> Array:
    """The matrix made positive definite: coordinates that are never given get a small spread, correlations shrink."""
    size = np.sqrt(np.maximum(np.diag(scatter), (0.05 * spread) ** 2))
    correlation = (1 - SHRINKAGE) * (scatter / np.outer(size, size))
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(correlation)
    correlation = (vectors * np.maximum(values, SHRINKAGE / 4)) @ vectors.T
    fixed: Array = correlation * np.outer(size, size)
    return fixed


def _patterns(observed: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each pattern of observed points: the rows that have it, and the positions of its coordinates."""
    # sums of random weights identify patterns; np.unique over whole rows takes twenty times as long
    code = observed @ np.random.default_rng(0).random(observed.shape[1])
    codes, first, which = np.unique(code, return_index=True, return_inverse=True)
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(len(codes) + 1))
    for i, row in enumerate(first):
        yield order[starts[i] : starts[i + 1]], np.flatnonzero(np.repeat(observed[row], 2))
