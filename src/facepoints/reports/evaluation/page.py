"""evaluate.html: its order, and the parts that tell the score: in words, by source, by point, as curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.evaluation.label_noise import LabelNoise
from facepoints.evaluation.result import Evaluation
from facepoints.metrics import FAILURE_NME, PCK_DISTANCES, face_nme, point_distances, source_name
from facepoints.reports.charts import Plot, Trace, plot
from facepoints.reports.evaluation.error_ellipses import SHARES, Scatter, ellipses_on_page, part_with, scatters
from facepoints.reports.evaluation.errors import calibration_section, hard_section
from facepoints.reports.evaluation.faces import faces_section
from facepoints.reports.evaluation.tables import PART_ROWS, headline
from facepoints.reports.evaluation.training import story_section
from facepoints.reports.exploration.pictures import mean_face
from facepoints.reports.html import (
    Content,
    Html,
    Section,
    bold,
    details,
    face_card,
    facts,
    grid,
    heading,
    joined,
    listed,
    name,
    note,
    page,
    table,
    text,
)
from facepoints.scores import PartScores

_ELLIPSES = (
    "<style>.card ellipse{fill:none;stroke:#fff;stroke-width:.3}.card ellipse.outer{stroke-width:.2;"
    "stroke-opacity:.85}.card .label{stroke:var(--point);stroke-width:.3;fill:none}</style>"
)


def evaluate_page(evaluation: Evaluation) -> str:
    """The whole page."""
    sections = [
        score_section(evaluation),
        points_section(evaluation),
        hard_section(evaluation),
        calibration_section(evaluation),
        faces_section(evaluation),
        story_section(evaluation),
    ]
    return page(
        f"How well does {evaluation.title} find points?", _lead(evaluation), [s for s in sections if s is not None]
    )


def _lead(evaluation: Evaluation) -> Html:
    part = evaluation.scores.overall
    values: list[tuple[Content, Content]] = [
        (f"{part.rmse:.2f} px", f"RMSE{_within(part)}"),
        (f"{part.median_distance:.1f} px", "half of all points are at most so far from their label"),
        (f"{part.distance_95:.1f} px", "95 % of them are"),
    ]
    if part.eye_distance is not None:
        values.append((f"{part.eye_distance:.0f} px", "between the eyes"))
    values.append((f"{part.faces:,}", "faces scored"))
    return facts(values) + text(evaluation.rows.description + ".")


def score_section(evaluation: Evaluation) -> Section:
    """The headline, what it can be compared with, the table by source and the cumulative curves."""
    scores = evaluation.scores
    body = note(bold(headline(scores.overall)), " ", _interval_in_words(scores.overall))
    body += _noise_in_words(evaluation.noise, evaluation.scores.by_source)
    parts = {"all": scores.overall, **{f"source {n}": p for n, p in scores.by_source.items() if p is not None}}
    rows: list[list[Content]] = [
        [label.strip(), *(cell(part) for part in parts.values()), meaning] for label, cell, meaning in PART_ROWS
    ]
    body += _with_meanings(["", *parts, ""], rows)
    body += heading("How many are how good")
    body += text("The higher a curve rises and the farther left, the better.", muted=True)
    return Section("The score", body + grid([plot(curve) for curve in cumulative_plots(evaluation)], least=300))


def cumulative_plots(evaluation: Evaluation) -> list[Plot]:
    """Share of points within a distance, and share of faces below an NME."""
    data, predicted = evaluation.data, evaluation.predictions.points
    distance = point_distances(predicted, data.points, data.observed)
    series = {"all": np.ones(len(data), np.bool_)}
    if len(evaluation.sources) > 1:
        series |= {f"source {source_name(s)}": data.source == s for s in evaluation.sources}
    top = max(4.0, float(np.quantile(distance[data.observed], 0.97)))
    traces = [cumulative(n, distance[rows][data.observed[rows]], top) for n, rows in series.items()]
    plots = [Plot("points within a distance", tuple(traces), "distance from the label, px", "points, %", top=100.0)]
    nme = face_nme(predicted, data.points, data.observed, data.keypoints)
    if nme.count():
        traces = [cumulative(n, 100 * nme[rows].compressed(), 100 * FAILURE_NME) for n, rows in series.items()]
        label = "NME: mean distance to eye distance, %"
        plots.append(Plot("faces below an NME", tuple(traces), label, "faces, %", top=100.0))
    return plots


def cumulative(title: str, values: NDArray[np.floating[Any]], top: float) -> Trace:
    """Share of values, %, at most so large, from 0 to `top`."""
    x = np.linspace(0, top, 121)
    share = np.searchsorted(np.sort(values), x, side="right") / max(len(values), 1)
    return Trace(title, x, 100 * share)


def points_section(evaluation: Evaluation) -> Section:
    """Each point and each coordinate in figures, and as ellipses on the mean face."""
    names = [n for n, part in evaluation.scores.by_source.items() if part is not None]
    pck_columns = [f"≤ {px} px" for px in PCK_DISTANCES]
    header = ["point", "labels", "RMSE", *(f"RMSE {n}" for n in names if len(names) > 1), "mean distance", *pck_columns]
    points: list[list[Content]] = []
    coordinates: list[list[Content]] = []
    for title, point in evaluation.scores.by_keypoint.items():
        if point is None:
            points.append([name(title), "0", *["–"] * (len(header) - 2)])
            continue
        own = [point.rmse_by_source[n] for n in names] if len(names) > 1 else []
        cells: list[Content] = [name(title), f"{point.count:,}", bold(f"{point.rmse:.2f}"), *(_px(v) for v in own)]
        points.append([*cells, _px(_mean_distance(evaluation, title)), *_shares(point.pck)])
        for axis in "xy":
            rmse, bias, spread, share = (getattr(point, f"{what}_{axis}") for what in ("rmse", "bias", "spread", "pck"))
            figures = [f"{rmse:.2f}", f"{bias:+.2f}", f"{spread:.2f}", *_shares(share)]
            coordinates.append([name(f"{title}_{axis}"), f"{point.count:,}", *figures])
    body = table(header, points)
    words = ["coordinate", "labels", "RMSE", "bias", "spread", *pck_columns]
    legend = (
        "Bias is predicted less given: + is right in the picture, or down. Spread is the standard deviation about it."
    )
    body += details("each coordinate", text(legend, muted=True) + table(words, coordinates))
    return Section("Point by point", body + _ellipses(evaluation))


def _ellipses(evaluation: Evaluation) -> Html:
    cards = []
    for source in evaluation.sources:
        found = scatters(evaluation.data, evaluation.predictions.points, source)
        if found:
            cards.append(_ellipse_card(evaluation, found, source))
    if not cards:
        return Html("")
    inner, outer = (f"{100 * share:.0f} %" for share in SHARES)
    words = (
        f"On the mean face, in true size: crosses are the labels’ mean places, {inner} of a point’s answers lie "
        f"within the inner ellipse, {outer} within the outer one. Ellipses beside their cross are a bias. A long "
        "ellipse tells the direction in which the point is hard to place."
    )
    return heading("Which way each point errs") + text(words) + Html(_ELLIPSES) + grid(cards, least=300)


def _ellipse_card(evaluation: Evaluation, found: Sequence[Scatter], source: int) -> Html:
    rows = evaluation.data.source == source
    title = f"source {source_name(source)}, {int(rows.sum()):,} faces"
    largest = max(found, key=lambda one: float(np.hypot(*one.bias)))
    caption = f"{title}; largest bias: {largest.name.replace('_', ' ')}, {np.hypot(*largest.bias):.2f} px"
    background = mean_face(evaluation.data.faces[rows])
    shown = part_with(found, background.shape[0])
    over = ellipses_on_page(found, shown[1].start, shown[0].start)
    return face_card(background[shown], caption, alt=f"errors of {title}", over=over)


def _noise_in_words(noise: Sequence[LabelNoise], scores: Any) -> Html:
    """What the labels would allow, for each source, and how the figure was found."""
    if not noise:
        return text(
            "What label noise would allow at best cannot be told: too few pictures stand in two rows with labels of "
            "their own.",
            muted=True,
        )
    items: list[Content] = []
    for one in noise:
        reached = scores.get(one.source)
        low, high = one.interval or (one.rmse, one.rmse)
        ours = f"; this model has {reached.rmse:.2f} px" if reached is not None else ""
        items.append(
            joined(
                [
                    bold(f"Source {one.source}: {one.rmse:.2f} px"),
                    f" ({low:.2f} to {high:.2f}){ours}. Told by {one.points:,} points of {one.pictures:,} pictures "
                    f"that stand in two rows; {_left_out(one)}.",
                ]
            )
        )
    lead = text(
        bold("What label noise would allow at best: "),
        "the RMSE that a model would have if it always gave the true place. Two labels of one picture differ by "
        "√2 times the error of a single one.",
    )
    return lead + listed(items)


def _left_out(noise: LabelNoise) -> str:
    parts = []
    if noise.outlying:
        parts.append(f"{noise.outlying:,} too far apart to be both right are left out")
    if noise.copied:
        parts.append(f"{noise.copied:,} pairs of pictures with the same labels say nothing")
    return " and ".join(parts) or "none had to be left out"


def _interval_in_words(part: PartScores) -> str:
    if part.rmse_interval is None:
        return "One group of faces tells nothing of others."
    low, high = part.rmse_interval
    return (
        f"On other faces of the same kind the RMSE of {part.rmse:.2f} px would be from {low:.2f} to {high:.2f} px, 95 "
        "times in 100."
    )


def _within(part: PartScores) -> str:
    return (
        ""
        if part.rmse_interval is None
        else f", 95 % interval {part.rmse_interval[0]:.2f} to {part.rmse_interval[1]:.2f}"
    )


def _with_meanings(header: list[str], rows: list[list[Content]]) -> Html:
    """A table, and what its last column explains, to be opened: beside the figures a phone has no room for it."""
    meanings = [joined([bold(row[0]), ": ", row[-1]]) for row in rows if row[-1]]
    return table(header[:-1], [row[:-1] for row in rows]) + details("what these mean", listed(meanings))


def _mean_distance(evaluation: Evaluation, title: str) -> float:
    k = evaluation.data.keypoints.index(title)
    rows = evaluation.data.observed[:, k]
    errors = evaluation.predictions.points[rows, k].astype(np.float64) - evaluation.data.points[rows, k]
    return float(np.hypot(*errors.T).mean())


def _shares(pck: Any) -> list[str]:
    return [f"{100 * pck[px]:.0f} %" for px in PCK_DISTANCES]


def _px(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
