"""The charts of an evaluation: cumulative errors, RMSE by property, calibration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.evaluation.calibration import TOLERANCE, Calibration
from facepoints.evaluation.error_breakdown import PropertyScores
from facepoints.evaluation.result import Evaluation
from facepoints.metrics import FAILURE_NME, face_nme, point_distances, source_name
from facepoints.reports.charts import Plot, Trace

Values = NDArray[np.floating[Any]]


def cumulative_plots(evaluation: Evaluation) -> list[Plot]:
    """Share of points within a distance, and share of faces below an NME, overall and for each source."""
    data, predicted = evaluation.data, evaluation.predictions.points
    distance = point_distances(predicted, data.points, data.observed)
    series = {"all": np.ones(len(data), np.bool_)}
    if len(evaluation.sources) > 1:
        series |= {f"source {source_name(s)}": data.source == s for s in evaluation.sources}
    top = max(4.0, float(np.quantile(distance[data.observed], 0.97)))
    nme = face_nme(predicted, data.points, data.observed, data.keypoints)
    return cumulative(
        {name: distance[rows][data.observed[rows]] for name, rows in series.items()},
        {name: nme[rows].compressed() for name, rows in series.items()} if nme.count() else {},
        top,
    )


def cumulative(distances: Mapping[str, Values], nme: Mapping[str, Values], top: float) -> list[Plot]:
    """Cumulative curves: distances (m,) px up to `top`, and, where there are any, NME (m,) up to a failure."""
    traces = tuple(_curve(name, values, top) for name, values in distances.items())
    plots = [Plot("points within a distance", traces, "distance from the label, px", "points, %", top=100.0)]
    if nme:
        traces = tuple(_curve(name, 100 * values, 100 * FAILURE_NME) for name, values in nme.items())
        label = "NME: mean distance / eye distance, %"
        plots.append(Plot("faces below an NME", traces, label, "faces, %", top=100.0))
    return plots


def _curve(name: str, values: Values, top: float) -> Trace:
    """Share of values, %, up to each of the numbers from 0 to `top`."""
    x = np.linspace(0, top, 121)
    share = np.searchsorted(np.sort(values), x, side="right") / max(len(values), 1)
    return Trace(name, x, 100 * share)


def property_plot(found: PropertyScores) -> Plot:
    """RMSE over a property, one line for each source."""
    traces = []
    for name, bins in found.by_source.items():
        low, high = (np.array([one.interval[i] for one in bins]) for i in (0, 1))
        x, y = np.array([one.median for one in bins]), np.array([one.rmse for one in bins])
        traces.append(Trace(f"source {name}", x, y, low, high, dots=True))
    return Plot(found.title, tuple(traces), found.title, "RMSE, px")


def calibration_plot(found: Calibration) -> Plot:
    """Measured over expected RMSE, with the line on which they agree."""
    x, y = (np.array([getattr(decile, name) for decile in found.deciles]) for name in ("expected", "measured"))
    low, high = (np.array([decile.interval[i] for decile in found.deciles]) for i in (0, 1))
    trace = Trace("deciles of all points", x, y, low, high, dots=True)
    return Plot("calibration", (trace,), "expected error, px", "measured RMSE, px", band=TOLERANCE)
