"""compare.html: the numbers, charts and faces for templates/comparison.html."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.evaluation.compare import TIMED, CandidateResult, Comparison
from facepoints.evaluation.significance import RESAMPLES
from facepoints.metrics import face_nme, face_rmse, point_distances, source_name
from facepoints.reports.charts import Plot, plot
from facepoints.reports.comparison.tables import ALPHA, columns, verdict
from facepoints.reports.evaluation.plots import cumulative
from facepoints.reports.html import render

SHOWN = 16
"""Number of faces shown for each pair."""
_PAIRS = 6


def compare_page(found: Comparison) -> str:
    """The page as HTML."""
    shown, (best, *others) = columns(found), found.results
    keypoints = []
    for name in found.data.keypoints.names:
        own = [result.scores.by_keypoint[name] for result in found.results]
        if any(point is not None for point in own):
            keypoints.append((name, [None if point is None else point.rmse for point in own]))
    return render(
        "comparison.html",
        found=found,
        verdict=verdict(found),
        header=["", *(header for header, _ in shown)],
        rows=[[result.name, *(cell(result) for _, cell in shown)] for result in found.results],
        charts=[plot(curve) for curve in curves(found)],
        keypoints=keypoints,
        panels=[
            {"name": other.name, "cards": [_card(found, best, other, i) for i in most_different(found, best, other)]}
            for other in others[:_PAIRS]
        ],
        several=any(len(result.by_seed) > 1 for result in found.results),
        resamples=RESAMPLES,
        alpha=ALPHA,
        timed=TIMED,
    )


def curves(found: Comparison) -> list[Plot]:
    """One line for each model: points within a distance, and faces below an NME where eyes are labeled."""
    data = found.data
    distances = {
        result.name: point_distances(result.points, data.points, data.observed)[data.observed]
        for result in found.results
    }
    top = max(4.0, float(np.quantile(np.concatenate(list(distances.values())), 0.95)))
    nme = {r.name: face_nme(r.points, data.points, data.observed, data.keypoints) for r in found.results}
    known = all(own.count() for own in nme.values())
    return cumulative(distances, {name: own.compressed() for name, own in nme.items()} if known else {}, top)


def most_different(found: Comparison, one: CandidateResult, other: CandidateResult) -> NDArray[np.int64]:
    """Positions of the faces with the largest distance between the predictions of two models, at labeled points."""
    apart = face_rmse(one.points, other.points, found.data.observed)
    return np.argsort(-apart, kind="stable")[:SHOWN]


def _card(found: Comparison, best: CandidateResult, other: CandidateResult, face: int) -> dict[str, Any]:
    data = found.data
    labels = data.points[face : face + 1], data.observed[face : face + 1]
    errors = " and ".join(f"{face_rmse(r.points[face : face + 1], *labels)[0]:.1f}" for r in (best, other))
    return {
        "face": data.faces[face],
        "caption": f"row {data.row[face]} · {source_name(int(data.source[face]))} · {errors} px",
        "points": np.where(data.observed[face][:, None], data.points[face], np.nan),
        "predicted": best.points[face],
        "other": other.points[face],
    }
