"""Error of each imputation strategy: known labels are hidden, imputed, and compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facepoints.data.dataset import LabeledFaces
from facepoints.data.imputation import STRATEGIES, fill
from facepoints.errors import BadChoice

HIDDEN = 0.1
"""Share of the known labels that is hidden."""
NO_IMPUTATION = ("mask", "drop")
"""Strategies that leave gaps, or leave out their rows."""


@dataclass(frozen=True)
class ImputationError:
    """A strategy on this data."""

    strategy: str
    rows_kept: int
    labels: int
    """labels for training, real or imputed"""
    imputed: int
    """the imputed ones of these"""
    rmse: float | None
    """px, of imputed labels that were known and hidden; None without imputation"""
    unfilled: float | None
    """share of hidden labels that it could not impute"""


def imputation_errors(data: LabeledFaces, seed: int = 0) -> list[ImputationError]:
    """Every strategy on the same hidden labels: strategies without imputation first, the others by RMSE.

    A random share HIDDEN of the known labels is hidden; each strategy gets all others and the original gaps.
    """
    hidden = data.observed & (np.random.default_rng(seed).random(data.observed.shape) < HIDDEN)
    shown = data.observed & ~hidden
    points = np.where(shown[:, :, None], data.points, 0).astype(np.float32)
    errors = []
    for strategy in STRATEGIES:
        try:
            used = fill(data.points, data.observed, strategy, seed)
        except BadChoice:  # `drop` without complete rows
            errors.append(ImputationError(strategy, 0, 0, 0, None, None))
            continue
        labels = int(used.observed.sum())
        imputed = labels - int((used.observed & data.observed[used.kept]).sum())
        rmse = unfilled = None
        if strategy not in NO_IMPUTATION and hidden.any():
            result = fill(points, shown, strategy, seed)
            filled = hidden & result.observed
            unfilled = 1 - float(filled.sum() / hidden.sum())
            if filled.any():
                error = result.points[filled].astype(np.float64) - data.points[filled]
                rmse = float(np.sqrt((error**2).mean()))
        errors.append(ImputationError(strategy, len(used.kept), labels, imputed, rmse, unfilled))
    return sorted(errors, key=lambda e: (e.rmse is not None, e.rmse or 0.0))
