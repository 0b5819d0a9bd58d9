"""Write the report of an evaluation: a page, numbers and pictures in a folder. No torch.

evaluate.html    the page
scores.json      everything in numbers
per_point.csv    one line for each keypoint
per_face.csv     one line for each face: errors, head pose, image quality, missing labels
*.png            faces, error ellipses, plots, network
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from facepoints.drawing import Image, write_png
from facepoints.evaluation.result import Evaluation
from facepoints.files import write_text
from facepoints.metrics import PCK_DISTANCES, face_nme, point_distances, source_name
from facepoints.reports.charts import save_png
from facepoints.reports.evaluation.error_ellipses import ellipse_picture, scatters
from facepoints.reports.evaluation.faces import face_sheets
from facepoints.reports.evaluation.page import evaluate_page
from facepoints.reports.evaluation.plots import calibration_plot, cumulative_plots, property_plot
from facepoints.scores import Scores

PAGE = "evaluate.html"


def write_report(out: Path, evaluation: Evaluation) -> None:
    """Write the files named above into the folder `out`; nothing before everything is computed."""
    texts = {
        "scores.json": json.dumps(evaluation.as_dict(), indent=2, allow_nan=False) + "\n",
        "per_point.csv": _csv(_point_lines(evaluation.scores)),
        "per_face.csv": _csv(_face_lines(evaluation)),
        PAGE: evaluate_page(evaluation),
    }
    pictures = _pictures(evaluation)
    for name, text in texts.items():
        write_text(out / name, text)
    for name, picture in pictures.items():
        write_png(out / name, picture)
    plots = [*cumulative_plots(evaluation), *(property_plot(one) for one in evaluation.by_property)]
    plots += [calibration_plot(evaluation.calibration)] if evaluation.calibration else []
    save_png(plots, out / "plots.png", evaluation.title)


def _pictures(evaluation: Evaluation) -> dict[str, Image]:
    pictures = face_sheets(evaluation)
    for source in evaluation.sources:
        found = scatters(evaluation.data, evaluation.predictions.points, source)
        if found:
            pictures[f"ellipses_{source_name(source)}.png"] = ellipse_picture(evaluation.data, found, source)
    if evaluation.summary is not None:
        pictures["network.png"] = evaluation.summary.diagram
    return pictures


def _point_lines(scores: Scores) -> list[list[object]]:
    pck_columns = [f"pck{px}" for px in PCK_DISTANCES]
    sources = [f"rmse_{name}" for name in scores.by_source]
    numbers = ["rmse", "rmse_x", "rmse_y", "bias_x", "bias_y", "spread_x", "spread_y", "mae"]
    lines: list[list[object]] = [["keypoint", "count", *numbers, *pck_columns, *sources]]
    for name, point in scores.by_keypoint.items():
        if point is None:
            lines.append([name, 0, *[None] * (len(lines[0]) - 2)])
            continue
        values = [getattr(point, number) for number in numbers]
        lines.append([name, point.count, *values, *point.pck.values(), *point.rmse_by_source.values()])
    return lines


def _face_lines(evaluation: Evaluation) -> list[list[object]]:
    """One line for each face; max_error: distance of its worst point; missing: keypoints without a label.

    Cells are empty where a value is unknown.
    """
    data, predicted = evaluation.data, evaluation.predictions.points
    furthest = point_distances(predicted, data.points, data.observed).max(axis=1)
    nme = face_nme(predicted, data.points, data.observed, data.keypoints)
    unknown = np.ma.getmaskarray(nme)
    properties = evaluation.properties.properties
    names = [one.column for one in properties]
    lines: list[list[object]] = [["row", "source", "observed", "rmse", "max_error", "nme", *names, "missing"]]
    expected = evaluation.predictions.expected_error
    if expected is not None:
        lines[0].append("expected_error")
    for i, count in enumerate(data.observed.sum(axis=1).tolist()):
        px = (float(evaluation.face_rmse[i]), float(furthest[i])) if count else (None, None)
        share = None if unknown[i] else float(nme[i])
        values = [float(one.values[i]) if np.isfinite(one.values[i]) else None for one in properties]
        line = [int(data.row[i]), source_name(int(data.source[i])), count, *px, share, *values]
        line.append(" ".join(evaluation.properties.missing[i]))
        if expected is not None:
            own = expected[i][data.observed[i]].astype(np.float64)
            line.append(float(np.sqrt(np.square(own).mean())) if count else None)
        lines.append(line)
    return lines


def _csv(lines: Iterable[Sequence[object]]) -> str:
    """Lines as CSV; None is an empty cell, and numbers have six digits."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [f"{cell:.6g}" if isinstance(cell, float) else cell for cell in line] for line in lines
    )
    return text.getvalue()
