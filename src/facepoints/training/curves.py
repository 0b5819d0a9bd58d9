"""Learning curves: loss, RMSE, MAE and PCK of training and validation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facepoints.files import atomic_write
from facepoints.metrics import QUICK_PCK_DISTANCE

PANELS = (
    ("loss", "loss"),
    ("rmse", "RMSE, pixels"),
    ("mae", "MAE, pixels"),
    ("pck", f"points within {QUICK_PCK_DISTANCE} px of their label, %"),
)


def draw_curves(history: Sequence[dict[str, float]], path: Path, title: str) -> None:
    """Write the four curves of a history (one dict per epoch, as in history.json) as one PNG."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs = [int(epoch["epoch"]) for epoch in history]
    best = min(history, key=lambda epoch: epoch["validation_rmse"])
    figure = Figure(figsize=(10, 6.6), layout="constrained", dpi=110)
    figure.suptitle(f"{title}: best epoch {int(best['epoch'])}, validation RMSE {best['validation_rmse']:.3f} px")
    for axes, (name, label) in zip(figure.subplots(2, 2).flat, PANELS, strict=True):
        factor = 100 if name == "pck" else 1
        for part, color, style in (("training", "#7a8793", "--"), ("validation", "#c8541b", "-")):
            values = [factor * epoch[f"{part}_{name}"] for epoch in history]
            marker = "o" if len(values) < 3 else None
            axes.plot(epochs, values, style, color=color, label=part, linewidth=1.8, marker=marker, markersize=4)
        axes.plot(int(best["epoch"]), factor * best[f"validation_{name}"], "o", color="#c8541b", markersize=6)
        if name == "pck":
            axes.set_ylim(0, 100)
        elif max(values) > 8 * min(values) > 0:
            axes.set_yscale("log")  # the first epochs would flatten the rest
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False)
    for axes in figure.axes[2:]:
        axes.set_xlabel("epoch")
    with atomic_write(path) as partial:
        figure.savefig(partial, format="png")
