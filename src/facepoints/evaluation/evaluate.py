"""A predictor and DATA -> its report: which rows are fair to judge it on, and what it says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from facepoints.data.dataset import LabeledFaces
from facepoints.errors import BadChoice
from facepoints.evaluation.label_noise import label_noise
from facepoints.evaluation.predictor import HeldOutRows, Predictor, common_points, predictions_on
from facepoints.evaluation.result import Evaluation, evaluate_predictions
from facepoints.reports.evaluation.files import write_report
from facepoints.scores import Scores

Rows = Literal["fair", "all"]


def evaluate(
    model: Path | Predictor,
    data: LabeledFaces,
    out: Path,
    *,
    rows: Rows = "fair",
    flip: bool = False,
    rows_of: Predictor | None = None,
    step: Callable[[str], None] = lambda name: None,
    say: Callable[[str], None] = lambda words: None,
    seed: int = 0,
) -> Scores:
    """Score a run folder (or anything else that answers faces) and write the report into `out`.

    "fair" takes the rows whose pictures the run was not trained on, and of `rows_of`, another run, likewise; "all"
    takes every row, those it was trained on too: their scores flatter. `step` hears what comes next, `say` which rows
    are scored and why.
    """
    if isinstance(model, Path):
        from facepoints.evaluation.trained_run import open_run  # torch: a model file is judged without

        model = open_run(model)
    evaluation, fair = evaluate_rows(model, data, rows=rows, flip=flip, rows_of=rows_of, step=step, seed=seed)
    say(fair.why)
    step("writing page and pictures")
    extra: dict[str, object] = {
        "run": model.name,
        **fair.as_dict(),
        "flip": flip,
        "best_epoch": evaluation.summary.best_epoch if evaluation.summary else None,
        "parameters": model.facts.parameters,
        "row_numbers": evaluation.data.row.tolist(),
    }
    write_report(out, evaluation, extra=extra)
    return evaluation.scores


def evaluate_rows(
    model: Predictor,
    data: LabeledFaces,
    *,
    rows: Rows = "fair",
    flip: bool = False,
    rows_of: Predictor | None = None,
    step: Callable[[str], None] = lambda name: None,
    seed: int = 0,
) -> tuple[Evaluation, HeldOutRows]:
    """Everything that is told of a predictor on some data, and the rows that it was scored on; writes nothing."""
    chosen = common_points(data, model)
    step("choosing rows")
    fair = choose_rows(model, data, rows, rows_of)
    some = chosen.take(fair.chosen)
    step("answering")
    answers = predictions_on(some, model, flip=flip)
    step("looking for twins, which tell the noise of the labels")
    noise = label_noise(chosen)
    step("scoring")
    title = model.summary.recipe if model.summary is not None else model.name
    evaluation = evaluate_predictions(
        some,
        answers,
        title=title,
        noise=noise,
        rows_in_words=fair.why,
        model=model.facts,
        summary=model.summary,
        seed=seed,
    )
    return evaluation, fair


def choose_rows(model: Predictor, data: LabeledFaces, rows: Rows, rows_of: Predictor | None = None) -> HeldOutRows:
    """The rows that are scored, and why; BadChoice where none is left."""
    fair = model.held_out_rows(data)
    if rows_of is not None:
        theirs = rows_of.held_out_rows(data)
        both = fair.chosen & theirs.chosen
        why = f"{int(both.sum()):,} rows that {rows_of.name} was not trained on: {theirs.why}"
        fair = replace(fair, chosen=both, kind="unseen" if not both.all() else fair.kind, why=why)
    if rows == "all":
        seen = int((~fair.chosen).sum())
        why = f"all {len(data):,} rows" + (
            f", {seen:,} of them trained on: that flatters" if seen else f" ({fair.why})"
        )
        return HeldOutRows(np.ones(len(data), np.bool_), "all", why)
    if not fair.chosen.any():
        what = f"{model.name}: every one of the {len(data):,} rows was trained on, so that nothing is left to judge"
        raise BadChoice(f"{what}. Give other data, or --all-rows to score them all the same")
    return fair
