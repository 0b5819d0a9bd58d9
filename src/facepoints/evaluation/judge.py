"""A run and DATA -> its report: which rows are fair to judge it on, and what it says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from facepoints.data.faces import LabeledFaces
from facepoints.data.split import group_alike
from facepoints.errors import BadChoice, BadRun
from facepoints.evaluation.report import write_report
from facepoints.models.checkpoint import load_model
from facepoints.scoring import Scores
from facepoints.training.run_folder import MODEL_FILE, fingerprint, read_json

Rows = Literal["validation", "all"]


def judge(run: Path, data: LabeledFaces, out: Path, *, rows: Rows = "validation", flip: bool = False) -> Scores:
    """Score a run's best model and write the report into `out`.

    "validation" takes the rows that the run kept aside if `data` is what it was trained on, and all rows of other
    data; "all" takes every row, those it was trained on too: their scores flatter.
    """
    model, facts = load_model(run / MODEL_FILE)
    about = _read_about(run / "run.json")
    same = about["data"]["fingerprint"] == fingerprint(data)
    missing = sorted(set(model.keypoints.names) - set(data.keypoints.names))
    if missing:
        raise BadChoice(f"{run}: was trained on keypoints that the data does not have ({', '.join(missing)})")
    if flip and model.keypoints.lone_sides():
        alone = ", ".join(model.keypoints.lone_sides())
        raise BadChoice(f"{run}: has no mirror image to average with, as {alone} has no partner. Leave out --flip")
    chosen = data.only(model.keypoints.names)
    if rows == "validation" and same:
        chosen = chosen.take(np.isin(chosen.row, about["validation_rows"]))
    order = [model.keypoints.index(name) for name in chosen.keypoints.names]  # the data's, which may differ
    predicted = model.predict(chosen.faces, chosen.source, flip=flip)[:, order]
    extra = {
        "run": run.name,
        "rows": "validation" if rows == "validation" and same else "all",
        "flip": flip,
        "best_epoch": facts.get("epoch"),
        "parameters": about["parameters"],
        "row_numbers": chosen.row.tolist(),
    }
    groups = group_alike(chosen.faces)
    return write_report(out, chosen, predicted, title=about["recipe"] or run.name, groups=groups, extra=extra)


def _read_about(path: Path) -> dict[str, Any]:
    about = read_json(path)
    try:
        about["data"]["fingerprint"], about["validation_rows"], about["parameters"], about["recipe"]
    except (KeyError, TypeError) as error:
        raise BadRun(
            f"{path}: not what `facepoints train` leaves ({error}). Copy the run again or train anew"
        ) from error
    kept: dict[str, Any] = about
    return kept
