"""The part of the page to be looked at: faces by lot, the median, the worst, and labels that are contradicted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepoints.drawing import Image, contact_sheet
from facepoints.evaluation.result import Evaluation
from facepoints.metrics import source_name
from facepoints.reports.html import Html, Section, bold, code, face_card, grid, tabs, text

WORST, OTHERS = 32, 16
"""Faces that are shown of each kind."""


def shown_faces(evaluation: Evaluation) -> dict[str, tuple[str, NDArray[np.int64], list[str]]]:
    """File name -> title, positions, and a remark for each face."""
    labeled = evaluation.labeled()
    order = labeled[np.argsort(-evaluation.face_rmse[labeled], kind="stable")]
    lot = np.random.default_rng(evaluation.seed).permutation(labeled)[:OTHERS]
    start = max(0, (len(order) - OTHERS) // 2)
    doubted = evaluation.label_issues[:OTHERS]
    kinds = {
        "random.png": ("by lot", lot),
        "median.png": ("the median", order[start : start + OTHERS]),
        "worst.png": ("the worst", order[:WORST]),
    }
    found = {
        file: (title, rows, [_remark(evaluation, i) for i in rows.tolist()]) for file, (title, rows) in kinds.items()
    }
    if doubted:
        remarks = [f"{d.keypoint.replace('_', ' ')} {d.distance:.1f} px" for d in doubted]
        found["label_issues.png"] = ("label issues", np.array([d.position for d in doubted]), remarks)
    return found


def faces_section(evaluation: Evaluation) -> Section:
    """The kinds of faces in tabs; cards with given points as dots, answers as rings."""
    lead = text("Dots are the labels, rings are the model’s answers.")
    panels = []
    for title, rows, remarks in shown_faces(evaluation).values():
        words = Html("")
        if title == "the worst":
            words = text(
                "The largest error of all is as often a wrong label as a wrong answer: look first.", muted=True
            )
        if title == "label issues":
            words = text(
                bold(f"{len(evaluation.label_issues):,} labels lie far from an answer that the model is sure of. "),
                _why(evaluation),
                " ",
                code("facepoints audit"),
                " finds such labels with networks that have not seen them, on all rows.",
            )
        panels.append((title, words + _cards(evaluation, rows, remarks)))
    return Section("The faces", lead + tabs("faces", panels))


def face_sheets(evaluation: Evaluation) -> dict[str, Image]:
    """The same as PNG: file name -> picture."""
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


def _why(evaluation: Evaluation) -> str:
    if evaluation.predictions.expected_error is not None:
        return "It expects a small error there."
    return "It does not tell what error it expects: a label is listed where the face’s other points are met."


def _remark(evaluation: Evaluation, face: int) -> str:
    expected = evaluation.predictions.expected_error
    if expected is None:
        return f"{evaluation.face_rmse[face]:.1f} px"
    own = expected[face][evaluation.data.observed[face]].astype(np.float64)
    return f"{evaluation.face_rmse[face]:.1f} px, expects {np.sqrt(np.square(own).mean()):.1f}"


def _cards(evaluation: Evaluation, rows: NDArray[np.int64], remarks: list[str]) -> Html:
    data = evaluation.data
    cards = []
    for i, remark in zip(rows.tolist(), remarks, strict=True):
        given = np.where(data.observed[i][:, None], data.points[i], np.nan)
        words = f"row {data.row[i]} · {source_name(int(data.source[i]))} · {remark}"
        answers = evaluation.predictions.points[i]
        cards.append(face_card(data.faces[i], words, alt=f"face of {words}", points=given, guessed=answers))
    return grid(cards, least=140)
