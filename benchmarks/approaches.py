"""Every known approach to the task, measured alike: writes docs/approaches.md, the page to cite.

    python benchmarks/approaches.py DATA --out runs/book [--suspects audit.csv] [--page docs/approaches.md]

Trains what benchmarks/accuracy.py trains, in the same folder and under the same rules, and beside it a few variants
that differ from a recipe in one thing only: what that thing brings is read from such pairs, by the paired bootstrap
over faces. It can be stopped at any time and goes on; several may share the folder, each with other names for `--only`.
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
from facepoints.training.builtin_recipes import BUILTIN_RECIPES, cnn, cnn_rotated, masked
from facepoints.training.recipe import Recipe

_PROJECT = "a student project"
_OURS = "facepoints"
_HEADER = "| RMSE, px | source A | source B | parameters | epochs | minutes |\n"
COLORS = {True: "#0072b2", False: "#d55e00"}

WHO: dict[str, tuple[str, str]] = {
    "dense": ("fully connected net, gaps interpolated", f"{_PROJECT}, as its first model"),
    "cnn": ("plain CNN, gaps interpolated", f"{_PROJECT}, before augmentation"),
    "cnn-flip": ("`cnn`, half of the faces mirrored", f"{_PROJECT}; most notebooks that augment"),
    "cnn-rotated": ("`cnn`, turned by -15, 0 or 15 degrees and shifted, gaps filled both ways", _PROJECT),
    "cnn-leaky": ("CNN of 20 million parameters, gaps filled with means", f"{_PROJECT}, in Keras"),
    "cnn-leaky-median": ("`cnn-leaky`, gaps filled with medians", f"{_PROJECT}, in Keras"),
    "cnn-leaky-complete": ("`cnn-leaky`, complete rows only", f"{_PROJECT}, in Keras"),
    "cnn-leaky-eight": ("`cnn-leaky`, the eight best-labeled coordinates only", f"{_PROJECT}, in Keras"),
    "cnn-five": ("five convolutions, gaps filled from the row before", f"{_PROJECT}; many notebooks fill so"),
    "base": ("two strided convolutions, complete rows only", f"{_PROJECT}, as its base line"),
    "base-extended": ("`base` with more filters, pooling and dropout", f"{_PROJECT}, extended"),
    "masked": ("`base-extended` with a masked loss on all rows", f"{_PROJECT}, masked"),
    "cnn-masked": ("maps read by expectation, a head for each source, masked loss, full augmentation", _OURS),
    "flagship-ensemble": ("five networks on five folds, their mean straightened", f"{_OURS}, for the leaderboard"),
    "flagship": ("one network taught by `flagship-ensemble`, with expected errors", f"{_OURS}, what ships"),
    "demo": ("`cnn-masked` made small, meant for drawn faces", f"{_OURS}, for its demo"),
}
"""What each approach is, and who used it, in words."""

VARIANTS: dict[str, tuple[Recipe, str]] = {
    "masked, mean fill": (masked.replace(missing="mean"), "masked"),
    "cnn turned": (cnn.replace(angles=cnn_rotated.angles, shift=cnn_rotated.shift), "cnn"),
    "cnn, half as wide": (cnn.replace(width=cnn.width // 2), "cnn"),
    "cnn, a quarter as wide": (cnn.replace(width=cnn.width // 4), "cnn"),
}
"""Name -> a recipe that differs in one thing only from a recipe of the book, and the name of that one."""

DOUBTFUL = 0.05
"""Probability of luck from which a difference is not called one."""


@dataclass(frozen=True)
class Found:
    """What was measured: a line for each approach, and draws of the faces to tell them apart."""

    lines: dict[str, dict[str, Any]]
    drawn: Bootstrap
    distances: dict[str, NDArray[np.float64]]
    """px from the label, for each observed point"""

    def difference(self, name: str, other: str) -> Difference:
        """RMSE of one less that of another, px, on the same draws."""
        names = list(self.lines)
        return self.drawn.difference(names.index(name), names.index(other))

    def told(self, name: str, other: str) -> str:
        """The same in words: "0.31 px lower (0.25 to 0.37)"."""
        one = self.difference(name, other)
        if one.p_value >= DOUBTFUL:
            return f"no different beyond luck (between {_signed(one.low)} and {_signed(one.high)})"
        low, high = sorted((abs(one.low), abs(one.high)))
        return f"{abs(one.value):.2f} px {'lower' if one.value < 0 else 'higher'} ({low:.2f} to {high:.2f})"

    def rmse(self, name: str) -> str:
        return f"{self.lines[name]['all']['rmse']:.2f} px"


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, help="where the page goes; its plot lies beside it")
    parser.add_argument("--about", default="", metavar="TEXT", help="a word on the data, for the page")
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
    """Ask all of them about the same faces."""
    evaluation = bench.evaluation
    runs = {name: bench.run(name, recipe) for name, recipe in every.items()}
    answers = {name: bench.answers(run) for name, run in runs.items()}
    each = [squared_error_sums(points, evaluation.points, evaluation.observed) for points in answers.values()]
    drawn = paired_bootstrap([squares for squares, _ in each], each[0][1], bench.groups)
    distances = {
        name: point_distances(points, evaluation.points, evaluation.observed)[evaluation.observed]
        for name, points in answers.items()
    }
    lines = {name: bench.figures(name, run, answers[name], every[name]) for name, run in runs.items()}
    return Found(lines, drawn, distances)


def page(found: Found, bench: Bench, drawing: str, about: str = "") -> str:
    """The whole page as Markdown; `drawing` is where its picture lies."""
    return "".join(
        [
            "# All approaches, measured\n\n",
            "What people have done about the task, each trained by the same tool on the same rows and judged on the "
            f"same others, within a stated budget. {caption(bench)}",
            f"![Error of each approach, with its interval, and the share of points within a distance]({drawing})\n\n",
            "## What filling, augmentation and size bring\n\n",
            *(f"- {sentence}\n" for sentence in (fill_told(found), turns_told(found), size_told(found))),
            "\nNetworks of a pair differ in nothing but what is named. Differences are paired over faces, with their "
            "95 % interval in brackets; another seed would move each figure, too, and that is not in them.\n\n",
            "## Each approach\n\n",
            f"| approach | what it is | who used it {_HEADER}",
            "|---|---|---|---|---|---|---|---|---|\n",
            *(_line(found, name) for name in _best_first(found, WHO)),
            "\nVariants that differ from an approach in one thing, for the sentences above:\n\n",
            f"| variant | differs from | in {_HEADER}",
            "|---|---|---|---|---|---|---|---|---|\n",
            *(_line(found, name) for name in _best_first(found, VARIANTS)),
            "\n## How it was measured\n\n",
            _how(bench, about),
        ]
    )


def fill_told(found: Found) -> str:
    """Mean fill, complete rows only and a masked loss, with the same network."""
    all_rows, complete = (found.lines[name]["epochs"] for name in ("masked", "base-extended"))
    return (
        f"**Missing labels:** `masked` learns from all that was labeled and has {found.rmse('masked')}. With the gaps "
        f"filled with means the same network has {found.rmse('masked, mean fill')}: the masked loss is "
        f"{found.told('masked', 'masked, mean fill')}. On complete rows only, shown {complete} times where `masked` is "
        f"shown all rows {all_rows} times, it has {found.rmse('base-extended')}: the masked loss is "
        f"{found.told('masked', 'base-extended')}."
    )


def turns_told(found: Found) -> str:
    """Mirrored against turned faces, with the same network and filling."""
    return (
        f"**Augmentation:** the plain CNN has {found.rmse('cnn')}. With half of the faces mirrored it has "
        f"{found.rmse('cnn-flip')}, which is {found.told('cnn-flip', 'cnn')}; with faces turned by -15, 0 or 15 "
        f"degrees and shifted {found.rmse('cnn turned')}, which is {found.told('cnn turned', 'cnn')}. Against "
        f"turning and shifting, mirroring is {found.told('cnn-flip', 'cnn turned')}."
    )


def size_told(found: Found) -> str:
    """The same network at three widths, and a small and a large one of other kinds."""
    half, quarter = "cnn, half as wide", "cnn, a quarter as wide"
    number = {name: f"{found.lines[name]['parameters'] / 1e6:.1f} million parameters" for name in found.lines}
    return (
        f"**Size of the network:** the plain CNN has {found.rmse('cnn')} with {number['cnn']}. Half as wide "
        f"({number[half]}) it has {found.rmse(half)}, which is {found.told(half, 'cnn')}; a quarter as wide "
        f"({number[quarter]}) {found.rmse(quarter)}, which is {found.told(quarter, 'cnn')}. Networks of other "
        f"kinds, in which all else differs, too: `cnn-leaky`, with {number['cnn-leaky']}, has "
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
    told = f" But for {', '.join(own)}, ours" if own else " Ours"
    audit = "    facepoints audit DATA --out audit\n" if bench.label_issues else ""
    words = ["--suspects audit/audit.csv"] if bench.label_issues else []
    words += [f"--epochs {name}={n}" for name, n in bench.epochs.items()]
    return (
        f"Budget: the approaches of others take these epochs, a few minutes of one core each: {capped}.{told} take all "
        "of their recipe's. A network of 20 million parameters is far from done in that time: its figure says what it "
        "is worth then, not what it may reach. A variant has the budget of the recipe that it differs from.\n\n"
        f"{about + chr(10) * 2 if about else ''}{audit}"
        f"    python benchmarks/approaches.py DATA {' '.join([*words, '--page docs/approaches.md'])}\n"
    )


def plot(found: Found, path: Path) -> None:
    """RMSE with intervals, best at the top, and how many points each has within a distance."""
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
