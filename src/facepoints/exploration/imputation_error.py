"""How well do the strategies for missing labels guess? Known labels are hidden, filled, and compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.data.imputation import STRATEGIES, fill
from facepoints.errors import BadChoice

HIDDEN = 0.1
"""Share of the known labels that is hidden."""
GUESSES_NOTHING = ("mask", "drop")
"""Strategies that leave gaps alone, or their rows out: nothing to measure."""


@dataclass(frozen=True)
class FillScore:
    """What a strategy does with this data."""

    strategy: str
    rows_kept: int
    labels_believed: int
    """labels the network is told afterwards, real or guessed"""
    guessed: int
    """of these, guesses"""
    rmse: float | None
    """px, of guesses where the label was known and hidden; None for strategies that do not guess"""
    unfilled: float | None
    """share of hidden labels that it could not fill"""


def fill_scores(data: LabeledFaces, seed: int = 0) -> list[FillScore]:
    """Every strategy on the same hidden labels, the best first, those that guess nothing on top.

    Hidden are HIDDEN of the known labels, by lot; each strategy sees all others and the true gaps.
    """
    hidden = data.observed & (np.random.default_rng(seed).random(data.observed.shape) < HIDDEN)
    shown = data.observed & ~hidden
    points = np.where(shown[:, :, None], data.points, 0).astype(np.float32)
    scores = [_score(data, strategy, points, shown, hidden, seed) for strategy in STRATEGIES]
    return sorted(scores, key=lambda s: (s.rmse is not None, s.rmse or 0.0))


def _score(
    data: LabeledFaces,
    strategy: str,
    points: NDArray[np.float32],
    shown: NDArray[np.bool_],
    hidden: NDArray[np.bool_],
    seed: int,
) -> FillScore:
    try:
        used = fill(data.points, data.observed, strategy, seed)
    except BadChoice:  # complete rows only, where none is complete
        return FillScore(strategy, 0, 0, 0, None, None)
    believed = int(used.observed.sum())
    guessed = believed - int((used.observed & data.observed[used.kept]).sum())
    rmse = unfilled = None
    if strategy not in GUESSES_NOTHING and hidden.any():
        guess = fill(points, shown, strategy, seed)
        filled = hidden & guess.observed
        unfilled = 1 - float(filled.sum() / hidden.sum())
        if filled.any():
            error = guess.points[filled].astype(np.float64) - data.points[filled]
            rmse = float(np.sqrt((error**2).mean()))
    return FillScore(strategy, len(used.kept), believed, guessed, rmse, unfilled)
