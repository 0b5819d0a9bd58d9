"""Every known approach to the task, measured on the same rows: writes docs/approaches.md.

    python benchmarks/approaches.py DATA --out runs/book [--label-issues audit.csv] [--page docs/approaches.md]

Trains what benchmarks/accuracy.py trains, in the same folder and under the same rules, and a few variants that differ
from a recipe in one setting, whose effect is estimated by a paired bootstrap over faces. The script can be stopped at
any time and continues; several processes can share the folder, each with other names for `--only`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console

from accuracy import BUDGET, Bench, arguments, bench_from, caption, ending, one_line
from facepoints.evaluation.significance import Bootstrap, Difference, paired_bootstrap
from facepoints.files import atomic_write, write_text
from facepoints.metrics import point_distances, squared_error_sums
from facepoints.training.builtin_recipes import BUILTIN_RECIPES, find
from facepoints.training.recipe import Recipe

_PROJECT = "a student project"
_OURS = "facepoints"
_HEADER = "| RMSE, px | source A | source B | parameters | epochs | minutes |\n"
COLORS = {True: "#0072b2", False: "#d55e00"}

WHO: dict[str, tuple[str, str]] = {
    "dense": ("fully connected network, interpolated missing labels", f"{_PROJECT}, as its first model"),
    "cnn": ("plain CNN, interpolated missing labels", f"{_PROJECT}, before augmentation"),
    "cnn-flip": ("`cnn`, half of the faces flipped", f"{_PROJECT}; most notebooks that augment"),
    "cnn-rotated": ("`cnn`, rotated by -15, 0 or 15 degrees and shifted, backward-forward fill", _PROJECT),
    "cnn-leaky": ("CNN of 20 million parameters, mean imputation", f"{_PROJECT}, in Keras"),
    "cnn-leaky-median": ("`cnn-leaky`, median imputation", f"{_PROJECT}, in Keras"),
    "cnn-leaky-complete": ("`cnn-leaky`, complete rows only", f"{_PROJECT}, in Keras"),
    "cnn-leaky-eight": ("`cnn-leaky`, the eight best-labeled coordinates only", f"{_PROJECT}, in Keras"),
    "cnn-five": ("five convolutions, forward fill of missing labels", f"{_PROJECT}; many notebooks"),
    "base": ("two strided convolutions, complete rows only", f"{_PROJECT}, as its baseline"),
    "base-extended": ("`base` with more filters, pooling and dropout", f"{_PROJECT}, extended"),
    "masked": ("`base-extended` with a masked loss on all rows", f"{_PROJECT}, masked"),
    "cnn-masked": ("heatmaps decoded by expectation, a head for each source, masked loss, full augmentation", _OURS),
    "flagship-ensemble": (
        "mean of five networks on five folds, with linear bias correction",
        f"{_OURS}, for the leaderboard",
    ),
    "flagship": (
        "one network distilled from `flagship-ensemble`, with expected errors",
        f"{_OURS}, the bundled weights",
    ),
    "demo": ("a small `cnn-masked` for synthetic faces", f"{_OURS}, for its demo"),
}
"""Description and origin of each approach."""

VARIANTS: dict[str, tuple[Recipe, str]] = {
    "masked, mean imputation": (find("masked").replace(missing="mean"), "masked"),
    "cnn, rotated": (find("cnn").replace(angles=find("cnn-rotated").angles, shift=find("cnn-rotated").shift), "cnn"),
    "cnn, half as wide": (find("cnn").replace(width=find("cnn").width // 2), "cnn"),
    "cnn, a quarter as wide": (find("cnn").replace(width=find("cnn").width // 4), "cnn"),
}
"""Name -> a recipe that differs in one setting from a built-in recipe, and the name of that recipe."""

SIGNIFICANT = 0.05
"""p-value below which a difference is reported as one."""


@dataclass(frozen=True)
class Found:
    """The measurements: a line for each approach, and bootstrap resamples of the faces."""

    lines: dict[str, dict[str, Any]]
    bootstrap: Bootstrap
    distances: dict[str, NDArray[np.float64]]
    """px from the label, for each observed point"""

    def difference(self, name: str, other: str) -> Difference:
        """RMSE of one minus that of the other, px, on the same resamples."""
        names = list(self.lines)
        return self.bootstrap.difference(names.index(name), names.index(other))

    def in_words(self, name: str, other: str) -> str:
        """The same in words: "0.31 px lower (0.25 to 0.37)"."""
        one = self.difference(name, other)
        if one.p_value >= SIGNIFICANT:
            return f"no significant difference (between {_signed(one.low)} and {_signed(one.high)})"
        low, high = sorted((abs(one.low), abs(one.high)))
        return f"{abs(one.value):.2f} px {'lower' if one.value < 0 else 'higher'} ({low:.2f} to {high:.2f})"

    def rmse(self, name: str) -> str:
        return f"{self.lines[name]['all']['rmse']:.2f} px"


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, help="where the page goes; its plot lies beside it")
    parser.add_argument("--about", default="", metavar="TEXT", help="a note on the data, for the page")
    args = parser.parse_args()
    console = Console()
    bench = bench_from(args, console, VARIANTS)
    everything: dict[str, Recipe | None] = {
        **dict.fromkeys(BUILTIN_RECIPES),
        **{name: own for name, (own, _) in VARIANTS.items()},
    }
    for name in args.only or everything:
        bench.train(name, everything[name])
    if absent := [name for name in everything if not bench.is_trained(name)]:
        console.print(f"No page yet, not trained: {', '.join(absent)}", markup=False, soft_wrap=True)
        return
    found = measure(bench, everything)
    drawing = (args.page or Path("approaches.md")).with_suffix(".png")
    text = page(found, bench, drawing.name, args.about)
    console.print(text, markup=False, soft_wrap=True)
    if args.page:
        plot(found, drawing)
        write_text(args.page, text)


def measure(bench: Bench, every: Mapping[str, Recipe | None]) -> Found:
    """Predict the same faces with all of them."""
    evaluation = bench.evaluation
    runs = {name: bench.run(name, recipe) for name, recipe in every.items()}
    predictions = {name: bench.predict(run) for name, run in runs.items()}
    each = [squared_error_sums(points, evaluation.points, evaluation.observed) for points in predictions.values()]
    bootstrap = paired_bootstrap([squares for squares, _ in each], each[0][1], bench.groups)
    distances = {
        name: point_distances(points, evaluation.points, evaluation.observed)[evaluation.observed]
        for name, points in predictions.items()
    }
    lines = {name: bench.figures(name, run, predictions[name], every[name]) for name, run in runs.items()}
    return Found(lines, bootstrap, distances)


def page(found: Found, bench: Bench, drawing: str, about: str = "") -> str:
    """The page as Markdown; `drawing` is the path of its picture."""
    return "".join(
        [
            "# All approaches, measured\n\n",
            "Every known approach to the task, trained by the same tool on the same rows and scored on the same "
            f"validation rows, within a stated budget. {caption(bench)}",
            f"![Error of each approach, with its interval, and the share of points within a distance]({drawing})\n\n",
            "## Effect of imputation, augmentation and network size\n\n",
            *(
                f"- {sentence}\n"
                for sentence in (imputation_effect(found), augmentation_effect(found), size_effect(found))
            ),
            "\nThe networks of a pair differ only in what is named. Differences are paired over faces, with their "
            "95 % interval in brackets. The variation between seeds is not included.\n\n",
            "## Each approach\n\n",
            f"| approach | what it is | who used it {_HEADER}",
            "|---|---|---|---|---|---|---|---|---|\n",
            *(_line(found, name) for name in _best_first(found, WHO)),
            "\nVariants that differ from an approach in one setting:\n\n",
            f"| variant | differs from | in {_HEADER}",
            "|---|---|---|---|---|---|---|---|---|\n",
            *(_line(found, name) for name in _best_first(found, VARIANTS)),
            "\n## How it was measured\n\n",
            _how(bench, about),
        ]
    )


def imputation_effect(found: Found) -> str:
    """Mean imputation, complete rows only and a masked loss, with the same network."""
    all_rows, complete = (found.lines[name]["epochs"] for name in ("masked", "base-extended"))
    return (
        f"**Missing labels:** `masked` trains on all labeled points and has {found.rmse('masked')}. With missing "
        f"labels replaced by means the same network has {found.rmse('masked, mean imputation')}: the masked loss is "
        f"{found.in_words('masked', 'masked, mean imputation')}. On complete rows only, {complete} epochs of them "
        f"against {all_rows} epochs of all rows for `masked`, it has {found.rmse('base-extended')}: the masked loss is "
        f"{found.in_words('masked', 'base-extended')}."
    )


def augmentation_effect(found: Found) -> str:
    """Flipped against rotated faces, with the same network and imputation."""
    return (
        f"**Augmentation:** the plain CNN has {found.rmse('cnn')}. With half of the faces flipped it has "
        f"{found.rmse('cnn-flip')}, which is {found.in_words('cnn-flip', 'cnn')}; with faces rotated by -15, 0 or 15 "
        f"degrees and shifted {found.rmse('cnn, rotated')}, which is {found.in_words('cnn, rotated', 'cnn')}. Compared "
        f"with rotation and shift, flipping is {found.in_words('cnn-flip', 'cnn, rotated')}."
    )


def size_effect(found: Found) -> str:
    """The same network at three widths, and a smaller and a larger one of another architecture."""
    half, quarter = "cnn, half as wide", "cnn, a quarter as wide"
    number = {name: f"{found.lines[name]['parameters'] / 1e6:.1f} million parameters" for name in found.lines}
    return (
        f"**Size of the network:** the plain CNN has {found.rmse('cnn')} with {number['cnn']}. Half as wide "
        f"({number[half]}) it has {found.rmse(half)}, which is {found.in_words(half, 'cnn')}; a quarter as wide "
        f"({number[quarter]}) {found.rmse(quarter)}, which is {found.in_words(quarter, 'cnn')}. Other networks, "
        f"which also differ in everything else: `cnn-leaky`, with {number['cnn-leaky']}, has "
        f"{found.rmse('cnn-leaky')} in its budget, `cnn-masked`, with {number['cnn-masked']}, "
        f"{found.rmse('cnn-masked')}."
    )


def _signed(difference: float) -> str:
    return f"{abs(difference):.2f} px {'lower' if difference < 0 else 'higher'}"


def _best_first(found: Found, names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: found.lines[name]["all"]["rmse"])


def _line(found: Found, name: str) -> str:
    row = found.lines[name]
    if name in WHO:
        first, about = f"`{name}`", WHO[name]
    else:
        recipe, parent = VARIANTS[name]
        fields = recipe.differences(BUILTIN_RECIPES[parent][0])
        first, about = name, (f"`{parent}`", ", ".join(f"{field} = {value}" for field, value in fields.items()))
    cells = " | ".join(
        f"{'**' if part == 'all' else ''}{row[part]['rmse']:.2f}{'**' if part == 'all' else ''} "
        f"({row[part]['interval'][0]:.2f}-{row[part]['interval'][1]:.2f})"
        if part in row
        else "-"
        for part in ("all", "A", "B")
    )
    return (
        f"| {first} | {about[0]} | {about[1]} | {cells} | {row['parameters']:,} | {row['epochs']}{ending(row)} | "
        f"{row['seconds'] / 60:.0f} |\n"
    )


def _how(bench: Bench, about: str) -> str:
    capped = ", ".join(f"`{name}` {bench.recipe(name).epochs}" for name in BUDGET)
    own = [f"`{name}` {n}" for name, n in bench.epochs.items() if name not in BUDGET]
    ours = f" Except for {', '.join(own)}, the recipes of facepoints" if own else " The recipes of facepoints"
    audit = "    facepoints audit DATA --out audit\n" if bench.label_issues else ""
    words = ["--label-issues audit/audit.csv"] if bench.label_issues else []
    words += [f"--epochs {name}={n}" for name, n in bench.epochs.items()]
    return (
        f"Budget: the approaches of others take these epochs, a few minutes of one core each: {capped}.{ours} take "
        "all of their epochs. A network of 20 million parameters has not converged in that budget: its figure holds "
        "for the budget, not for a full training. A variant has the budget of the recipe that it differs from.\n\n"
        f"{about + chr(10) * 2 if about else ''}{audit}"
        f"    python benchmarks/approaches.py DATA {' '.join([*words, '--page docs/approaches.md'])}\n"
    )


def plot(found: Found, path: Path) -> None:
    """RMSE with intervals, best at the top, and the share of points within a distance."""
    names = _best_first(found, WHO)
    figure = Figure(figsize=(12, 5.4), layout="constrained", dpi=120)
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
    for number, name in enumerate(names):
        one = found.lines[name]["all"]
        color = COLORS[WHO[name][1].startswith(_OURS)]
        left.plot(one["interval"], [number, number], color=color, linewidth=2.2, solid_capstyle="round")
        left.plot(one["rmse"], number, "o", color=color, markersize=6)
        left.annotate(
            f"{one['rmse']:.2f}", (one["interval"][1], number), (6, 0), textcoords="offset points", va="center"
        )
        x = np.linspace(0, 8, 161)
        share = 100 * (found.distances[name][:, None] <= x).mean(axis=0)
        right.plot(x, share, color=color, linewidth=1.6, alpha=0.85)
    left.set_yticks(range(len(names)), names)
    left.invert_yaxis()
    left.set_xlim(0, 1.08 * max(found.lines[name]["all"]["interval"][1] for name in names))
    left.set_xlabel("RMSE with its 95 % interval, px")
    right.set_xlabel("distance from the label, px")
    right.set_ylabel("points within that distance, %")
    right.set_xlim(0, 8)
    right.set_ylim(0, 100)
    for label, ours in (("facepoints", True), ("student projects and notebooks", False)):
        right.plot([], [], color=COLORS[ours], label=label)
    right.legend(frameon=False, loc="lower right")
    for axes in (left, right):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    with atomic_write(path) as beside:
        figure.savefig(beside, format="png")


if __name__ == "__main__":
    one_line(main)
