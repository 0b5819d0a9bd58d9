"""The section "Training" of a report: learning curves, differences of the recipe, layers of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from facepoints.evaluation.result import Evaluation
from facepoints.evaluation.run_summary import RunSummary
from facepoints.metrics import QUICK_PCK_DISTANCE
from facepoints.reports.charts import Plot, Trace, plot
from facepoints.reports.html import count

_CURVES = (
    ("loss", "loss", 1.0),
    ("rmse", "RMSE, px", 1.0),
    ("pck", f"points within {QUICK_PCK_DISTANCE} px, %", 100.0),
)


def training_context(evaluation: Evaluation) -> dict[str, Any] | None:
    """What the template shows of the training; None where it is unknown."""
    summary = evaluation.summary
    if summary is None:
        return None
    return {
        "facts": _facts(summary, evaluation),
        "curves": [plot(curve) for curve in learning_curves(summary)],
        "changes": [[field, value(old), value(new)] for field, (old, new) in summary.changes.items()],
        "differences": [[field, value(new), meaning] for field, (new, meaning) in summary.differences.items()],
        "layers": [
            [one.place, one.kind, " × ".join(map(str, one.shape)), count(one.parameters) if one.parameters else ""]
            for one in summary.layers
        ],
    }


def learning_curves(summary: RunSummary) -> list[Plot]:
    """Training and validation over the epochs; for an ensemble the validation of each network."""
    plots = []
    for measure, label, factor in _CURVES:
        if summary.members:
            label = f"validation {label}"
            traces = [_trace(name, own, f"validation_{measure}", factor) for name, own in summary.members.items()]
        else:
            traces = [_trace(part, summary.history, f"{part}_{measure}", factor) for part in ("training", "validation")]
            best = np.flatnonzero(traces[-1].x == summary.best_epoch)
            if len(best):
                traces.append(Trace("best epoch", traces[-1].x[best], traces[-1].y[best]))
        plots.append(_curve(label, traces, 100.0 if factor > 1 else None))
    return plots


def _trace(name: str, history: Sequence[Mapping[str, float]], column: str, factor: float) -> Trace:
    known = [epoch for epoch in history if column in epoch]
    x, y = (np.array([float(epoch[key]) for epoch in known]) for key in ("epoch", column))
    return Trace(name, x, factor * y)


def _curve(label: str, traces: Sequence[Trace], top: float | None) -> Plot:
    """Values of the first epochs beyond the 95th percentile are cut off."""
    limit = top or 1.25 * max((float(np.quantile(trace.y, 0.95)) for trace in traces if len(trace.y)), default=1.0)
    cut = tuple(Trace(trace.name, trace.x, np.minimum(trace.y, limit)) for trace in traces)
    return Plot(label, cut, "epoch", label, top=limit)


def _facts(summary: RunSummary, evaluation: Evaluation) -> list[list[str]]:
    epochs = f"{len(summary.history):,} epochs"
    if summary.members:
        epochs = f"{len(summary.members)} networks of {max(map(len, summary.members.values())):,} epochs"
    return [
        ["recipe", f"{summary.recipe}: {summary.summary}" if summary.summary else summary.recipe],
        ["trainable parameters", count(evaluation.model.parameters) if evaluation.model.parameters else "?"],
        ["training rows", count(summary.training_rows) if summary.training_rows else "?"],
        ["training time", f"{duration(summary.seconds)}, {epochs}"],
        ["started", summary.started.replace("T", " ")],
        ["machine", ", ".join(f"{key} {value}" for key, value in summary.machine.items()) or "?"],
        ["versions", ", ".join(f"{key} {value}" for key, value in summary.versions.items()) or "?"],
    ]


def value(content: object) -> str:
    """The value of a field as in a recipe file."""
    if isinstance(content, list | tuple):
        return f"({', '.join(value(item) for item in content)})"
    if isinstance(content, bool):
        return str(content).lower()
    return f"{content:g}" if isinstance(content, float) else str(content)


def duration(seconds: float) -> str:
    """34.9 min, or hours, or seconds."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
