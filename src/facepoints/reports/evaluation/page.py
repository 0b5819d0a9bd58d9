"""evaluate.html: the numbers, charts and pictures for templates/evaluation.html."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.evaluation.calibration import TOLERANCE
from facepoints.evaluation.error_breakdown import OUTLIER, PatternScore
from facepoints.evaluation.result import Evaluation
from facepoints.metrics import PCK_DISTANCES, source_name
from facepoints.reports.charts import plot
from facepoints.reports.evaluation.error_ellipses import SHARES, part_with, scatters
from facepoints.reports.evaluation.faces import shown_faces
from facepoints.reports.evaluation.plots import calibration_plot, cumulative_plots, property_plot
from facepoints.reports.evaluation.tables import PART_ROWS, headline
from facepoints.reports.evaluation.training import training_context
from facepoints.reports.exploration.pictures import mean_face
from facepoints.reports.html import count, interval, percent, px, render
from facepoints.scores import PointScores

Rows = list[list[str]]


def evaluate_page(evaluation: Evaluation) -> str:
    """The page as HTML."""
    scores, found = evaluation.scores, evaluation.calibration
    parts = {"all": scores.overall, **{f"source {n}": p for n, p in scores.by_source.items() if p is not None}}
    return render(
        "evaluation.html",
        evaluation=evaluation,
        facts=_facts(evaluation),
        headline=headline(scores.overall),
        score_header=["", *parts],
        score_rows=[[label.strip(), *(cell(part) for part in parts.values())] for label, cell, _ in PART_ROWS],
        meanings=[(label.strip(), meaning) for label, _, meaning in PART_ROWS if meaning],
        cumulative=[plot(curve) for curve in cumulative_plots(evaluation)],
        ellipses=_ellipses(evaluation),
        shares=" and ".join(percent(share) for share in SHARES),
        by_property=[(plot(property_plot(one)), percent(one.excess)) for one in evaluation.by_property],
        outlier=f"{OUTLIER:g}",
        pattern_rows=[
            [_pattern(one, evaluation), count(one.faces), px(one.rmse), interval(one.interval)]
            for one in evaluation.patterns
        ],
        calibration=found,
        tolerance=TOLERANCE,
        calibration_chart=plot(calibration_plot(found)) if found else "",
        calibration_rows=_calibration(evaluation),
        panels=_panels(evaluation),
        summary=evaluation.summary,
        training=training_context(evaluation),
        **_keypoints(evaluation),
    )


def _facts(evaluation: Evaluation) -> list[tuple[str, str]]:
    part = evaluation.scores.overall
    within = "" if part.rmse_interval is None else f", 95 % interval {interval(part.rmse_interval)}"
    values = [
        (f"{part.rmse:.2f} px", f"RMSE{within}"),
        (f"{part.median_distance:.1f} px", "median distance of a point from its label"),
        (f"{part.distance_95:.1f} px", "95th percentile of the distance"),
    ]
    if part.eye_distance is not None:
        values.append((f"{part.eye_distance:.0f} px", "median distance of the eyes"))
    return [*values, (count(part.faces), "faces scored")]


def _keypoints(evaluation: Evaluation) -> dict[str, Any]:
    """The tables of keypoints and of coordinates."""
    sources = [n for n, part in evaluation.scores.by_source.items() if part is not None]
    shown = sources if len(sources) > 1 else []
    pck = [f"≤ {distance} px" for distance in PCK_DISTANCES]
    header = ["keypoint", "labels", "RMSE", *(f"RMSE {n}" for n in shown), "mean distance", *pck]
    keypoints: Rows = []
    coordinates: Rows = []
    for name, point in evaluation.by_keypoint.items():
        if point is None:
            keypoints.append([name, "0", *["–"] * (len(header) - 2)])
            continue
        own = [px(point.rmse_by_source[n]) for n in shown]
        mean = px(_mean_distance(evaluation, name))
        keypoints.append([name, count(point.count), px(point.rmse), *own, mean, *_shares(point.pck)])
        coordinates += [_coordinate(name, point, axis) for axis in "xy"]
    return {
        "keypoint_header": header,
        "keypoint_rows": keypoints,
        "coordinate_header": ["coordinate", "labels", "RMSE", "bias", "spread", *pck],
        "coordinate_rows": coordinates,
    }


def _coordinate(name: str, point: PointScores, axis: str) -> list[str]:
    rmse, bias, spread, pck = (getattr(point, f"{what}_{axis}") for what in ("rmse", "bias", "spread", "pck"))
    return [f"{name}_{axis}", count(point.count), px(rmse), f"{bias:+.2f}", px(spread), *_shares(pck)]


def _ellipses(evaluation: Evaluation) -> list[dict[str, Any]]:
    """For each source a card: the part of the mean face that holds the error ellipses, and the ellipses."""
    cards = []
    for source in evaluation.sources:
        found = scatters(evaluation.data, evaluation.predictions.points, source)
        if not found:
            continue
        rows = evaluation.data.source == source
        background = mean_face(evaluation.data.faces[rows])
        part = part_with(found, background.shape[0])
        title = f"source {source_name(source)}, {int(rows.sum()):,} faces"
        largest = max(found, key=lambda one: float(np.hypot(*one.bias)))
        caption = f"{title}; largest bias: {largest.name.replace('_', ' ')}, {np.hypot(*largest.bias):.2f} px"
        place = {"top": part[0].start, "left": part[1].start}
        cards.append({"face": background[part], "title": title, "caption": caption, "found": found, **place})
    return cards


def _pattern(one: PatternScore, evaluation: Evaluation) -> str:
    names = evaluation.data.keypoints.names
    if not one.missing:
        return "all keypoints"
    if 2 * len(one.missing) > len(names):
        return "only " + ", ".join(n.replace("_", " ") for n in names if n not in one.missing)
    return "without " + ", ".join(n.replace("_", " ") for n in one.missing)


def _calibration(evaluation: Evaluation) -> Rows:
    if evaluation.calibration is None:
        return []
    return [
        [f"{i}", count(one.points), px(one.expected), px(one.measured), interval(one.interval), px(one.ratio)]
        for i, one in enumerate(evaluation.calibration.deciles, start=1)
    ]


def _panels(evaluation: Evaluation) -> list[dict[str, Any]]:
    data = evaluation.data
    return [
        {
            "file": file,
            "title": title,
            "cards": [
                {
                    "face": data.faces[i],
                    "caption": f"row {data.row[i]} · {source_name(int(data.source[i]))} · {remark}",
                    "points": labeled_points(evaluation, i),
                    "predicted": evaluation.predictions.points[i],
                }
                for i, remark in zip(rows.tolist(), remarks, strict=True)
            ],
        }
        for file, (title, rows, remarks) in shown_faces(evaluation).items()
    ]


def labeled_points(evaluation: Evaluation, face: int) -> NDArray[np.floating[Any]]:
    """The labels (k, 2) px of a face, NaN where there is none."""
    return np.where(evaluation.data.observed[face][:, None], evaluation.data.points[face], np.nan)


def _mean_distance(evaluation: Evaluation, keypoint: str) -> float:
    k = evaluation.data.keypoints.index(keypoint)
    rows = evaluation.data.observed[:, k]
    errors = evaluation.predictions.points[rows, k].astype(np.float64) - evaluation.data.points[rows, k]
    return float(np.hypot(*errors.T).mean())


def _shares(pck: Mapping[int, float]) -> list[str]:
    return [percent(pck[distance]) for distance in PCK_DISTANCES]
