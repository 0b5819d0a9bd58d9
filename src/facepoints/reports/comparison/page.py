"""compare.html: models side by side, with what could be luck, their curves, points, and the faces they differ on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepoints.evaluation.compare import TIMED, CandidateResult, Comparison
from facepoints.evaluation.significance import RESAMPLES
from facepoints.metrics import FAILURE_NME, face_nme, face_rmse, point_distances, source_name
from facepoints.reports.charts import Plot, plot
from facepoints.reports.comparison.tables import DOUBTFUL, columns, verdict
from facepoints.reports.evaluation.page import cumulative
from facepoints.reports.html import (
    Content,
    Html,
    Section,
    bold,
    face_card,
    grid,
    heading,
    listed,
    name,
    note,
    page,
    table,
    tabs,
    text,
)

SHOWN = 16
"""Faces that are shown of each pair."""
_PAIRS = 6


def compare_page(found: Comparison) -> str:
    """The whole page."""
    sections = [table_section(found), points_section(found), faces_section(found), method_section(found)]
    lead = text(f"{len(found.results)} models, scored on {found.rows_description}.")
    return page("Which model finds points best?", lead, sections)


def table_section(found: Comparison) -> Section:
    """The verdict, the table and the curves."""
    shown = columns(found)
    rows: list[list[Content]] = []
    for result in found.results:
        first: Content = bold(name(result.name)) if result is found.results[0] else name(result.name)
        rows.append([first, *(cell(result) for _, cell in shown)])
    body = note(bold(verdict(found)))
    body += table(["", *(header for header, _ in shown)], rows)
    body += heading("How many are how good") + text("The higher a curve and the farther left, the better.", muted=True)
    return Section("Side by side", body + grid([plot(curve) for curve in curves(found)], least=300))


def curves(found: Comparison) -> list[Plot]:
    """One line a model: points within a distance, and faces below an NME where eyes are labeled."""
    data = found.data
    distances = {
        result.name: point_distances(result.points, data.points, data.observed)[data.observed]
        for result in found.results
    }
    top = max(4.0, float(np.quantile(np.concatenate(list(distances.values())), 0.95)))
    traces = tuple(cumulative(title, own, top) for title, own in distances.items())
    plots = [Plot("points within a distance", traces, "distance from the label, px", "points, %", top=100.0)]
    nme = {r.name: face_nme(r.points, data.points, data.observed, data.keypoints) for r in found.results}
    if all(own.count() for own in nme.values()):
        most = 100 * FAILURE_NME
        traces = tuple(cumulative(title, 100 * own.compressed(), most) for title, own in nme.items())
        label = "NME: mean distance to eye distance, %"
        plots.append(Plot("faces below an NME", traces, label, "faces, %", top=100.0))
    return plots


def points_section(found: Comparison) -> Section:
    """RMSE of each point, the best of each line in bold."""
    rows: list[list[Content]] = []
    for title in found.data.keypoints.names:
        own = [result.scores.by_keypoint[title] for result in found.results]
        values = [None if point is None else point.rmse for point in own]
        if any(value is not None for value in values):
            rows.append([name(title), *_best_in_bold(values)])
    header = ["RMSE, px", *(result.name for result in found.results)]
    return Section("Point by point", table(header, rows))


def faces_section(found: Comparison) -> Section:
    """Where the best and each other model differ most."""
    best, *others = found.results
    panels = []
    for result in others[:_PAIRS]:
        words = text(
            f"Dots are the labels, orange rings {best.name}, blue rings {result.name}; the faces on which the two are "
            "farthest apart."
        )
        rows = most_different(found, best, result)
        panels.append((result.name, words + grid([_card(found, best, result, i) for i in rows.tolist()], least=140)))
    lead = text(f"{best.name}, the best, beside ...", muted=True)
    return Section("Where they differ most", lead + tabs("pairs", panels))


def most_different(found: Comparison, one: CandidateResult, other: CandidateResult) -> NDArray[np.int64]:
    """Positions of the faces on whose labeled points two models' answers are farthest apart."""
    apart = face_rmse(one.points, other.points, found.data.observed)
    return np.argsort(-apart, kind="stable")[:SHOWN]


def method_section(found: Comparison) -> Section:
    """How the figures come about."""
    several = any(len(result.by_seed) > 1 for result in found.results)
    items: list[Content] = [
        f"All models are scored on the same values: {found.rows_description}.",
        f"Intervals and differences: a paired bootstrap. {RESAMPLES:,} times as many faces are drawn as there are, "
        "with replacement, alike faces always together; all models see the same draw (Efron and Tibshirani 1993; "
        "Koehn 2004).",
        "Luck: the probability of a difference at least so large, either way, if the two were equally good on all "
        "faces of this kind: twice the share of draws in which their order is reversed. "
        f"Below {100 * DOUBTFUL:.0f} % a difference is taken for real. The best of many models is also the luckiest: "
        "with many models believe small differences less.",
        f"Milliseconds: measured here, {TIMED} faces in a batch, one thread; compare them with each other only.",
    ]
    if several:
        items.append(
            "Trainings: the same recipe with other seeds and the same rows, mean ± standard deviation. Luck of seeds "
            "is that of another training: Welch’s t test over trainings (Welch 1947). What is better for "
            "good has both small: other faces and another seed would say the same."
        )
    return Section("How the figures come about", listed(items))


def _card(found: Comparison, best: CandidateResult, result: CandidateResult, face: int) -> Html:
    data = found.data
    labels = data.points[face : face + 1], data.observed[face : face + 1]
    ours, theirs = (float(face_rmse(r.points[face : face + 1], *labels)[0]) for r in (best, result))
    words = f"row {data.row[face]} · {source_name(int(data.source[face]))} · {ours:.1f} and {theirs:.1f} px"
    given = np.where(data.observed[face][:, None], data.points[face], np.nan)
    return face_card(
        data.faces[face],
        words,
        alt=f"face of {words}",
        points=given,
        guessed=best.points[face],
        result=result.points[face],
    )


def _best_in_bold(values: list[float | None]) -> list[Content]:
    least = min(value for value in values if value is not None)
    return ["–" if v is None else bold(f"{v:.2f}") if v == least else f"{v:.2f}" for v in values]
