"""The part of the page about the training: learning curves, the recipe as its difference, the network, the machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facepoints.charts import Plot, Trace, plot
from facepoints.evaluation.judged import Judged
from facepoints.evaluation.run_story import RunStory
from facepoints.pages import (
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
from facepoints.scoring import QUICK_HIT_DISTANCE

_CURVES = (
    ("loss", "loss", 1.0),
    ("rmse", "RMSE, px", 1.0),
    ("hit_rate", f"points within {QUICK_HIT_DISTANCE} px, %", 100.0),
)


def story_section(judged: Judged) -> Section:
    """How the model came about, as far as is known."""
    title = "How it was trained"
    story = judged.story
    if story is None:
        what = {
            "run": "The run folder holds no history.json: nothing is told of the training.",
            "model file": "A model file says what it answers, not how it was trained: judge its run folder to see.",
            "table of points": "A table of points, made elsewhere: nothing is known of what made it.",
        }[judged.model.kind]
        return Section(title, text(what))
    body = _facts(story, judged) + heading("Learning curves")
    if story.members:
        told = f"Each of the {len(story.members)} networks is judged on the rows that it was not trained on."
    else:
        told = f"The best epoch by validation RMSE was {story.best_epoch or '?'} of {len(story.history)}."
    body += text(told, muted=True)
    body += grid([plot(curve) for curve in learning_curves(story)], least=300)
    body += heading("The recipe") + _recipe(story)
    return Section(title, body + heading("The network") + _network(story))


def learning_curves(story: RunStory) -> list[Plot]:
    """Training beside validation, epoch by epoch; measures that an older history lacks are left out."""
    if story.members:
        return _members_curves(story)
    plots = []
    epochs = np.array([float(epoch["epoch"]) for epoch in story.history])
    for measure, label, factor in _CURVES:
        traces = []
        for part in ("training", "validation"):
            if all(f"{part}_{measure}" in epoch for epoch in story.history):
                values = factor * np.array([float(epoch[f"{part}_{measure}"]) for epoch in story.history])
                traces.append(Trace(part, epochs, values))
        if traces and story.best_epoch in epochs:
            best = np.flatnonzero(epochs == story.best_epoch)
            traces.append(Trace("best epoch", epochs[best], traces[-1].y[best]))
        if traces:
            plots.append(_curve(label, traces, 100.0 if factor > 1 else None))
    return plots


def _members_curves(story: RunStory) -> list[Plot]:
    """What a committee's networks reach on their unseen rows, epoch by epoch."""
    plots = []
    for measure, label, factor in _CURVES:
        traces = [
            Trace(
                name,
                np.array([float(epoch["epoch"]) for epoch in history]),
                factor * np.array([float(epoch[f"validation_{measure}"]) for epoch in history]),
            )
            for name, history in story.members.items()
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


def _facts(story: RunStory, judged: Judged) -> Html:
    parameters = f"{judged.model.parameters:,}" if judged.model.parameters else "?"
    machine = ", ".join(f"{key} {value}" for key, value in story.machine.items())
    epochs = f"{len(story.history):,} epochs"
    if story.members:
        epochs = f"{len(story.members)} networks of {max(map(len, story.members.values())):,} epochs"
    rows: list[list[Content]] = [
        ["recipe", joined([bold(story.recipe), f": {story.summary}" if story.summary else ""])],
        ["trainable parameters", parameters],
        ["rows trained on", f"{story.training_rows:,}" if story.training_rows else "?"],
        ["training time", f"{duration(story.seconds)}, {epochs}"],
        ["started", story.started.replace("T", " ")],
        ["machine", machine or "?"],
        ["versions", ", ".join(f"{key} {value}" for key, value in story.versions.items()) or "?"],
    ]
    return table(["", ""], rows, words=2)


def _recipe(story: RunStory) -> Html:
    body = Html("")
    if story.changes:
        changed: list[list[Content]] = [
            [code(field), value(old), value(new)] for field, (old, new) in story.changes.items()
        ]
        body += table(["changed with --set", "in the book", "here"], changed, words=3)
    if not story.differences:
        return body + text(f"It does not differ from {story.parent}.")
    rows: list[list[Content]] = [
        [code(field), value(new), meaning] for field, (new, meaning) in story.differences.items()
    ]
    return body + table([f"but for {story.parent}", "value", "meaning"], rows, words=3)


def _network(story: RunStory) -> Html:
    alt = f"diagram of the network '{story.network}'"
    which = f" This is the first of the {len(story.members)} networks." if story.members else ""
    shown = figure(picture(story.diagram, alt), f"A block’s height is the side of its maps in pixels.{which}")
    rows = [
        [one.place, one.kind, " × ".join(map(str, one.shape)), f"{one.parameters:,}" if one.parameters else ""]
        for one in story.layers
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
