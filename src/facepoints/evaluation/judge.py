"""A run and DATA -> its report: which rows are fair to judge it on, and what it says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from facepoints.data.faces import LabeledFaces
from facepoints.data.split import group_alike
from facepoints.errors import BadChoice
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
    about = read_json(run / "run.json")
    same = about["data"]["fingerprint"] == fingerprint(data)
    missing = sorted(set(model.keypoints.names) - set(data.keypoints.names))
    if missing:
        raise BadChoice(f"{run}: was trained on keypoints that the data does not have ({', '.join(missing)})")
    chosen = data.only(model.keypoints.names)
    if rows == "validation" and same:
        chosen = chosen.take(np.isin(chosen.row, about["validation_rows"]))
    predicted = model.predict(chosen.faces, chosen.source, flip=flip)
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
