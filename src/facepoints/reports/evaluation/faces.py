"""The faces of a report: random ones, the median, the largest errors, and label issues."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepoints.drawing import Image, contact_sheet
from facepoints.evaluation.result import Evaluation

WORST, OTHERS = 32, 16
"""Number of faces with the largest errors, and of the other kinds."""


def shown_faces(evaluation: Evaluation) -> dict[str, tuple[str, NDArray[np.int64], list[str]]]:
    """File name -> title, positions, and a remark for each face."""
    labeled = evaluation.labeled()
    order = labeled[np.argsort(-evaluation.face_rmse[labeled], kind="stable")]
    some = np.random.default_rng(evaluation.seed).permutation(labeled)[:OTHERS]
    start = max(0, (len(order) - OTHERS) // 2)
    kinds = {
        "random.png": ("random", some),
        "median.png": ("median error", order[start : start + OTHERS]),
        "worst.png": ("largest errors", order[:WORST]),
    }
    found = {
        file: (title, rows, [_remark(evaluation, i) for i in rows.tolist()]) for file, (title, rows) in kinds.items()
    }
    if issues := evaluation.label_issues[:OTHERS]:
        remarks = [f"{issue.keypoint.replace('_', ' ')} {issue.distance:.1f} px" for issue in issues]
        found["label_issues.png"] = ("label issues", np.array([issue.position for issue in issues]), remarks)
    return found


def face_sheets(evaluation: Evaluation) -> dict[str, Image]:
    """The faces as contact sheets: file name -> image."""
    sheets = {}
    for file, (title, rows, remarks) in shown_faces(evaluation).items():
        some, points = evaluation.data.take(rows), evaluation.predictions.points[rows]
        captions = [f"row {row} · {remark}" for row, remark in zip(some.row.tolist(), remarks, strict=True)]
        heading = f"{evaluation.title}: {len(rows)} faces, {title}"
        columns = 8 if len(rows) > OTHERS else 4
        sheets[file] = contact_sheet(
            some.faces, some.points, points, some.observed, captions, title=heading, columns=columns
        )
    return sheets


def _remark(evaluation: Evaluation, face: int) -> str:
    expected = evaluation.predictions.expected_error
    if expected is None:
        return f"{evaluation.face_rmse[face]:.1f} px"
    own = expected[face][evaluation.data.observed[face]].astype(np.float64)
    return f"{evaluation.face_rmse[face]:.1f} px, expected {np.sqrt(np.square(own).mean()):.1f}"
