"""Evaluate a predictor on the rows of a data set that it was not trained on. No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from facepoints.data.dataset import LabeledFaces
from facepoints.errors import BadChoice
from facepoints.evaluation.label_noise import label_noise
from facepoints.evaluation.predictor import HeldOutRows, Predictor, common_points, predictions_on
from facepoints.evaluation.result import Evaluation, Origin, evaluate_predictions

Rows = Literal["held-out", "all"]


def evaluate(
    model: Predictor,
    data: LabeledFaces,
    *,
    rows: Rows = "held-out",
    flip: bool = False,
    rows_of: Predictor | None = None,
    progress: Callable[[str], None] = lambda step: None,
    seed: int = 0,
) -> Evaluation:
    """Score a predictor; writes nothing.

    rows "held-out": the rows whose images neither the model nor the model `rows_of` was trained on; "all": all rows,
    with the training rows, which is optimistic. flip: test-time augmentation. `progress` is called with the next step.
    """
    known = common_points(data, model)
    progress("selecting rows")
    chosen = select_rows(model, data, rows, rows_of)
    some = known.take(chosen.chosen)
    progress("predicting")
    predictions = predictions_on(some, model, flip=flip)
    progress("searching near-duplicates for the label noise")
    noise = tuple(label_noise(known))
    progress("scoring")
    title = model.summary.recipe if model.summary is not None else model.name
    origin = Origin(model.name, title, chosen, model.facts, model.summary, flip, noise)
    return evaluate_predictions(some, predictions, origin, seed=seed)


def select_rows(model: Predictor, data: LabeledFaces, rows: Rows, rows_of: Predictor | None = None) -> HeldOutRows:
    """The rows to score; BadChoice where none is left."""
    found = model.held_out_rows(data)
    if rows_of is not None:
        other = rows_of.held_out_rows(data)
        both = found.chosen & other.chosen
        description = f"{int(both.sum()):,} rows that {rows_of.name} was not trained on: {other.description}"
        found = replace(found, chosen=both, kind=found.kind if both.all() else "held-out", description=description)
    if rows == "all":
        trained = int((~found.chosen).sum())
        detail = f", including {trained:,} training rows (optimistic)" if trained else f" ({found.description})"
        return HeldOutRows(np.ones(len(data), np.bool_), "all", f"all {len(data):,} rows{detail}")
    if not found.chosen.any():
        what = f"{model.name}: all {len(data):,} rows are training rows, so none is left to score"
        raise BadChoice(f"{what}. Give other data, or --all-rows to score the training rows")
    return found
