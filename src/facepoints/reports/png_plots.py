"""The page's plots as one PNG, for slides and papers: the same `charts.Plot`, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from facepoints.files import atomic_write
from facepoints.reports.charts import Plot

_COLORS = ("#0072b2", "#d55e00", "#008c66", "#a3428a", "#a87600", "#69757f")
_COLUMNS = 3


def can_draw() -> bool:
    """Is matplotlib there? It comes with the training extra; pages don't need it."""
    return find_spec("matplotlib") is not None


def draw_plots(plots: Sequence[Plot], path: Path, title: str) -> None:
    """Write the plots side by side, in rows of three."""
    from matplotlib.figure import Figure  # no pyplot: no window system, no global state

    rows, columns = -(-len(plots) // _COLUMNS), min(len(plots), _COLUMNS)
    figure = Figure(figsize=(4.6 * columns, 3.3 * rows + 0.4), layout="constrained", dpi=110)
    figure.suptitle(title)
    every = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, plot in zip(every, plots, strict=False):
        _draw(axes, plot)
    for axes in every[len(plots) :]:
        axes.set_axis_off()
    with atomic_write(path) as beside:
        figure.savefig(beside, format="png")


def _draw(axes: Any, plot: Plot) -> None:
    low, high, top = plot.limits()
    if plot.band is not None:
        ends = np.array([low, high])
        axes.fill_between(ends, (1 - plot.band) * ends, (1 + plot.band) * ends, color="#8d99a3", alpha=0.2, linewidth=0)
        axes.plot(ends, ends, color="#8d99a3", linewidth=1)
    for i, trace in enumerate(plot.traces):
        color, style = _COLORS[i % len(_COLORS)], "-" if i < len(_COLORS) else "--"
        if trace.low is not None and trace.high is not None:
            reach = np.maximum(0, np.stack([trace.y - trace.low, trace.high - trace.y]))
            axes.errorbar(trace.x, trace.y, reach, fmt="o-", color=color, linewidth=0.7, elinewidth=1.6, markersize=4)
        else:
            axes.plot(trace.x, trace.y, "o" if len(trace.x) == 1 else style, color=color, linewidth=1.7)
    axes.set_ylim(0, top if plot.top else 1.15 * top)  # room for the legend
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if len(plot.traces) > 1:
        handles = [axes.plot([], [], color=_COLORS[i % 6], label=t.name)[0] for i, t in enumerate(plot.traces)]
        axes.legend(handles=handles, frameon=False, fontsize=8)
