"""Which share of a joint answer each of several models deserves, learned on faces that none of them was trained on.

Weights are not negative and sum to one (Breiman, 1996, "Stacked regressions"), so that a joint answer never leaves
the hull of the models' own; each source has weights of its own, as a model may know one of them better.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.errors import BadChoice
from facepoints.evaluation.predictor import Predictor, common_points, predictions_on
from facepoints.keypoints import SOURCES

FEWEST = 100
"""Faces of a source from which weights can be learned."""

_OUTLIER = 10.0
"""Pixels beyond which a label that all models contradict is not believed."""


def learn_weights(models: Sequence[Predictor], data: LabeledFaces, *, flip: bool = False) -> NDArray[np.float64]:
    """The models' shares (sources, m), from the faces of `data` that none of the m models was trained on.

    Raises BadChoice where there are too few of them. A source that is not among them gets equal shares.
    """
    fair = [model.held_out_rows(data) for model in models]
    chosen = np.all([rows.chosen for rows in fair], axis=0)
    unknown = [model.name for model, rows in zip(models, fair, strict=True) if not rows.sure]
    if unknown:
        raise BadChoice(f"--stack: {unknown[0]} does not say on which of these faces it was trained. Leave --stack out")
    if chosen.sum() < FEWEST:
        what = f"only {chosen.sum()} faces were kept from the training of all {len(models)} models, expected {FEWEST}"
        raise BadChoice(f"--stack: {what}. Train them with the same split and seed, or leave --stack out")
    unseen = data.take(chosen)
    for model in models:
        unseen = common_points(unseen, model)
    errors = np.stack([predictions_on(unseen, model, flip=flip).points - unseen.points for model in models])
    believed = unseen.observed & (np.abs(errors).max(axis=3) < _OUTLIER).any(axis=0)
    shares = np.full((len(SOURCES), len(models)), 1 / len(models))
    for source in range(len(SOURCES)):
        mine = believed & (unseen.source == source)[:, None]
        if np.count_nonzero(unseen.source == source) >= FEWEST:
            shares[source] = least_error_shares(errors[:, mine].reshape(len(models), -1))
    return shares


def least_error_shares(errors: NDArray[np.floating]) -> NDArray[np.float64]:
    """The shares (m,) under which the mean of errors (m, v) has the least square, by projected gradient descent."""
    m = len(errors)
    product = errors.astype(np.float64) @ errors.T.astype(np.float64) / errors.shape[1]
    step = 1 / np.linalg.norm(product, 2)
    shares = np.full(m, 1 / m)
    for _ in range(2000):
        shares = _nearest_shares(shares - step * product @ shares)
    return shares


def _nearest_shares(wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest point of the simplex (Duchi et al., 2008, "Efficient projections onto the l1-ball")."""
    ordered = np.sort(wanted)[::-1]
    excess = (np.cumsum(ordered) - 1) / np.arange(1, len(wanted) + 1)
    least = excess[np.flatnonzero(ordered > excess)[-1]]
    return np.asarray(np.maximum(wanted - least, 0))
