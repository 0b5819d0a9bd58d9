"""The part of the page about the training: learning curves, the recipe as its difference, the network, the machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facepoints.evaluation.result import Evaluation
from facepoints.evaluation.run_summary import RunSummary
from facepoints.metrics import QUICK_PCK_DISTANCE
from facepoints.reports.charts import Plot, Trace, plot
from facepoints.reports.html import (
    Content,
    Html,
    Section,
    bold,
    code,
    details,
    figure,
    grid,
    heading,
    joined,
    picture,
    table,
    text,
)

_CURVES = (
    ("loss", "loss", 1.0),
    ("rmse", "RMSE, px", 1.0),
    ("pck", f"points within {QUICK_PCK_DISTANCE} px, %", 100.0),
)


def story_section(evaluation: Evaluation) -> Section:
    """How the model came about, as far as is known."""
    title = "How it was trained"
    summary = evaluation.summary
    if summary is None:
        what = {
            "run": "The run folder holds no history.json: nothing is told of the training.",
            "ONNX file": "A model file says what it answers, not how it was trained: judge its run folder to see.",
            "table of points": "A table of points, made elsewhere: nothing is known of what made it.",
        }[evaluation.model.kind]
        return Section(title, text(what))
    body = _facts(summary, evaluation) + heading("Learning curves")
    if summary.members:
        told = f"Each of the {len(summary.members)} networks is judged on the rows that it was not trained on."
    else:
        told = f"The best epoch by validation RMSE was {summary.best_epoch or '?'} of {len(summary.history)}."
    body += text(told, muted=True)
    body += grid([plot(curve) for curve in learning_curves(summary)], least=300)
    body += heading("The recipe") + _recipe(summary)
    return Section(title, body + heading("The network") + _network(summary))


def learning_curves(summary: RunSummary) -> list[Plot]:
    """Training beside validation, epoch by epoch; measures that an older history lacks are left out."""
    if summary.members:
        return _members_curves(summary)
    plots = []
    epochs = np.array([float(epoch["epoch"]) for epoch in summary.history])
    for measure, label, factor in _CURVES:
        traces = []
        for part in ("training", "validation"):
            if all(f"{part}_{measure}" in epoch for epoch in summary.history):
                values = factor * np.array([float(epoch[f"{part}_{measure}"]) for epoch in summary.history])
                traces.append(Trace(part, epochs, values))
        if traces and summary.best_epoch in epochs:
            best = np.flatnonzero(epochs == summary.best_epoch)
            traces.append(Trace("best epoch", epochs[best], traces[-1].y[best]))
        if traces:
            plots.append(_curve(label, traces, 100.0 if factor > 1 else None))
    return plots


def _members_curves(summary: RunSummary) -> list[Plot]:
    """What an ensemble's networks reach on their unseen rows, epoch by epoch."""
    plots = []
    for measure, label, factor in _CURVES:
        traces = [
            Trace(
                name,
                np.array([float(epoch["epoch"]) for epoch in history]),
                factor * np.array([float(epoch[f"validation_{measure}"]) for epoch in history]),
            )
            for name, history in summary.members.items()
            if all(f"validation_{measure}" in epoch for epoch in history)
        ]
        if traces:
            plots.append(_curve(f"validation {label}", traces, 100.0 if factor > 1 else None))
    return plots


def _curve(label: str, traces: Sequence[Trace], top: float | None) -> Plot:
    """Over epochs, cut off above: the first ones would flatten all that follows."""
    limit = top or 1.25 * max(float(np.quantile(trace.y, 0.95)) for trace in traces)
    cut = tuple(Trace(trace.name, trace.x, np.minimum(trace.y, limit)) for trace in traces)
    return Plot(label, cut, "epoch", label, top=limit)


def _facts(summary: RunSummary, evaluation: Evaluation) -> Html:
    parameters = f"{evaluation.model.parameters:,}" if evaluation.model.parameters else "?"
    machine = ", ".join(f"{key} {value}" for key, value in summary.machine.items())
    epochs = f"{len(summary.history):,} epochs"
    if summary.members:
        epochs = f"{len(summary.members)} networks of {max(map(len, summary.members.values())):,} epochs"
    rows: list[list[Content]] = [
        ["recipe", joined([bold(summary.recipe), f": {summary.summary}" if summary.summary else ""])],
        ["trainable parameters", parameters],
        ["rows trained on", f"{summary.training_rows:,}" if summary.training_rows else "?"],
        ["training time", f"{duration(summary.seconds)}, {epochs}"],
        ["started", summary.started.replace("T", " ")],
        ["machine", machine or "?"],
        ["versions", ", ".join(f"{key} {value}" for key, value in summary.versions.items()) or "?"],
    ]
    return table(["", ""], rows, words=2)


def _recipe(summary: RunSummary) -> Html:
    body = Html("")
    if summary.changes:
        changed: list[list[Content]] = [
            [code(field), value(old), value(new)] for field, (old, new) in summary.changes.items()
        ]
        body += table(["changed with --set", "in the book", "here"], changed, words=3)
    if not summary.differences:
        return body + text(f"It does not differ from {summary.parent}.")
    rows: list[list[Content]] = [
        [code(field), value(new), meaning] for field, (new, meaning) in summary.differences.items()
    ]
    return body + table([f"but for {summary.parent}", "value", "meaning"], rows, words=3)


def _network(summary: RunSummary) -> Html:
    alt = f"diagram of the network '{summary.network}'"
    which = f" This is the first of the {len(summary.members)} networks." if summary.members else ""
    shown = figure(picture(summary.diagram, alt), f"A block’s height is the side of its maps in pixels.{which}")
    rows = [
        [one.place, one.kind, " × ".join(map(str, one.shape)), f"{one.parameters:,}" if one.parameters else ""]
        for one in summary.layers
    ]
    header = ["layer", "kind", "output", "parameters"]
    return shown + details(f"its {len(rows)} layers", table(header, rows, words=2))


def value(content: object) -> str:
    """A field's value as one would type it."""
    if isinstance(content, list | tuple):
        return f"({', '.join(value(item) for item in content)})"
    if isinstance(content, bool):
        return str(content).lower()
    return f"{content:g}" if isinstance(content, float) else str(content)


def duration(seconds: float) -> str:
    """34.9 minutes, or hours, or seconds."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
