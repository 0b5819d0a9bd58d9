"""Every known approach to the task, measured alike: writes docs/approaches.md, the page to cite.

    python benchmarks/approaches.py DATA --out runs/book [--suspects audit.csv] [--page docs/approaches.md]

Trains what benchmarks/accuracy.py trains, in the same folder and under the same rules, and beside it a few variants
that differ from a recipe in one thing only: what that thing brings is read from such pairs, by the paired bootstrap
over faces. It can be stopped at any time and goes on; several may share the folder, each with other names for `--only`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console

from accuracy import BUDGET, Bench, arguments, bench_from, caption, ending
from facepoints.data.split import group_alike
from facepoints.errors import BadChoice, FacepointsError
from facepoints.evaluation.paired_bootstrap import Bootstrap, paired_bootstrap
from facepoints.evaluation.student import Difference
from facepoints.scoring import point_distances, squared_error_sums
from facepoints.training.recipe import Recipe
from facepoints.training.recipe_book import BOOK, cnn, cnn_rotated, masked
from facepoints.writing import write_text, written_whole

_PROJECT = "a student project"
_OURS = "facepoints"
_HEADER = "| RMSE, px | source A | source B | parameters | epochs | minutes |\n"
COLORS = {True: "#0072b2", False: "#d55e00"}

WHO: dict[str, tuple[str, str]] = {
    "dense": ("fully connected net, gaps interpolated", f"{_PROJECT}, as its first model"),
    "cnn": ("plain CNN, gaps interpolated", f"{_PROJECT}, before augmentation"),
    "cnn-flip": ("the same, half of the faces mirrored", f"{_PROJECT}; most notebooks that augment"),
    "cnn-rotated": ("the same, turned by -15, 0 or 15 degrees and shifted, gaps filled both ways", _PROJECT),
    "cnn-leaky": ("CNN of 20 million parameters, gaps filled with means", f"{_PROJECT}, in Keras"),
    "cnn-leaky-median": ("the same, filled with medians", f"{_PROJECT}, in Keras"),
    "cnn-leaky-complete": ("the same, complete rows only", f"{_PROJECT}, in Keras"),
    "cnn-leaky-eight": ("the same, the eight best-labeled coordinates only", f"{_PROJECT}, in Keras"),
    "cnn-five": ("five convolutions, gaps filled from the row before", f"{_PROJECT}; many notebooks fill so"),
    "base": ("two strided convolutions, complete rows only", f"{_PROJECT}, as its base line"),
    "base-extended": ("more filters, pooling, dropout; complete rows only", f"{_PROJECT}, extended"),
    "masked": ("the same with a masked loss on all rows", f"{_PROJECT}, masked"),
    "cnn-masked": ("maps read by expectation, a head for each source, masked loss, full augmentation", _OURS),
    "flagship-ensemble": ("five networks on five folds, their mean straightened", f"{_OURS}, for the leaderboard"),
    "flagship": ("one network taught by those five, with expected errors", f"{_OURS}, what ships"),
    "demo": ("cnn-masked made small, meant for drawn faces", f"{_OURS}, for its demo"),
}
"""What each approach is, and who used it, in words."""

VARIANTS: dict[str, tuple[Recipe, str]] = {
    "masked, mean fill": (masked.but(missing="mean"), "masked"),
    "cnn turned": (cnn.but(angles=cnn_rotated.angles, shift=cnn_rotated.shift), "cnn"),
    "cnn, half as wide": (cnn.but(width=cnn.width // 2), "cnn"),
    "cnn, twice as wide": (cnn.but(width=cnn.width * 2), "cnn"),
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

    def rmse(self, name: str) -> str:
        return f"{self.lines[name]['all']['rmse']:.2f} px"


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, help="where the page goes; its plot lies beside it")
    args = parser.parse_args()
    console = Console()
    bench = bench_from(args, console)
    everything = [*BOOK, *VARIANTS]
    for name in args.only or everything:
        if name not in everything:
            raise BadChoice(f"--only {name}: expected one of {', '.join(everything)}")
        bench.train(name, VARIANTS[name][0] if name in VARIANTS else None)
    if absent := [name for name in everything if not bench.is_trained(name)]:
        console.print(f"No page yet, not trained: {', '.join(absent)}", markup=False, soft_wrap=True)
        return
    found = measure(bench, everything)
    text = page(found, bench)
    console.print(text, markup=False, soft_wrap=True)
    if args.page:
        plot(found, args.page.with_suffix(".png"))
        write_text(args.page, text)


def measure(bench: Bench, names: list[str]) -> Found:
    """Ask all of them about the same faces."""
    judged = bench.judged
    answers = {name: bench.answers(name) for name in names}
    each = [squared_error_sums(points, judged.points, judged.observed) for points in answers.values()]
    drawn = paired_bootstrap([squares for squares, _ in each], each[0][1], group_alike(judged.faces))
    distances = {
        name: point_distances(points, judged.points, judged.observed)[judged.observed]
        for name, points in answers.items()
    }
    return Found({name: bench.figures(name) for name in names}, drawn, distances)


def page(found: Found, bench: Bench) -> str:
    """The whole page as Markdown."""
    return "".join(
        [
            "# All approaches, measured\n\n",
            "What people have done about the task, each trained by the same tool on the same rows and judged on the "
            f"same others, within a stated budget. {caption(bench)}",
            "![Error of each approach, with its interval, and the share of points within a distance]"
            "(approaches.png)\n\n",
            "## What helped most\n\n",
            *(f"- {sentence}\n" for sentence in (fill_told(found), turns_told(found), size_told(found))),
            "\nEach pair differs in nothing but what is named. Differences are paired over faces, with their 95 % "
            "interval in brackets.\n\n",
            "## Each approach\n\n",
            f"| approach | what it is | who used it {_HEADER}|---|---|---|---|---|---|---|---|---|\n",
            *(_line(found, name) for name in _best_first(found, WHO)),
            "\nVariants that differ from an approach in one thing, for the sentences above:\n\n",
            f"| variant | differs from | in {_HEADER}|---|---|---|---|---|---|---|---|---|\n",
            *(_line(found, name) for name in _best_first(found, VARIANTS)),
            "\n## How it was measured\n\n",
            _how(bench),
        ]
    )


def fill_told(found: Found) -> str:
    """Mean fill, complete rows only and a masked loss, with the same network."""
    mean, rows = found.difference("masked", "masked, mean fill"), found.difference("masked", "base-extended")
    return (
        f"**Missing labels:** a loss over what was labeled has {found.rmse('masked')}; the same network with the gaps "
        f"filled with means has {found.rmse('masked, mean fill')} ({_told(mean)} for the masked loss), and on complete "
        f"rows only {found.rmse('base-extended')} ({_told(rows)})."
    )


def turns_told(found: Found) -> str:
    """Mirrored against turned faces, with the same network and filling."""
    flip, turned = found.difference("cnn-flip", "cnn"), found.difference("cnn turned", "cnn")
    pair = found.difference("cnn-flip", "cnn turned")
    between = "the two cannot be told apart" if pair.luck >= DOUBTFUL else f"mirroring has {_told(pair)} than turning"
    return (
        f"**Augmentation:** to the plain CNN ({found.rmse('cnn')}), mirroring half of the faces brings {_told(flip)}, "
        f"turning and shifting them {_told(turned)}; {between}."
    )


def size_told(found: Found) -> str:
    """The same network at three widths, and networks of other kinds."""
    half, twice = (found.difference(f"cnn, {size} as wide", "cnn") for size in ("half", "twice"))
    number = {name: f"{found.lines[name]['parameters'] / 1e6:.1f} million" for name in found.lines}
    return (
        f"**Size of the network:** the plain CNN at half its width ({number['cnn, half as wide']} parameters) has "
        f"{_told(half)} than at its own ({number['cnn']}), at twice that ({number['cnn, twice as wide']}) "
        f"{_told(twice)}; what a network is built for weighs more: `cnn-masked`, with {number['cnn-masked']}, has "
        f"{found.rmse('cnn-masked')} where `cnn-leaky`, with {number['cnn-leaky']}, has {found.rmse('cnn-leaky')} in "
        "its budget."
    )


def _told(difference: Difference) -> str:
    """A difference in RMSE in words: "0.31 px less (0.25 to 0.37)"."""
    if difference.luck >= DOUBTFUL:
        return f"no difference beyond luck ({difference.low:+.2f} to {difference.high:+.2f} px)"
    low, high = sorted((abs(difference.low), abs(difference.high)))
    return f"{abs(difference.value):.2f} px {'less' if difference.value < 0 else 'more'} ({low:.2f} to {high:.2f})"


def _best_first(found: Found, names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: found.lines[name]["all"]["rmse"])


def _line(found: Found, name: str) -> str:
    row = found.lines[name]
    if name in WHO:
        first, about = f"`{name}`", WHO[name]
    else:
        recipe, parent = VARIANTS[name]
        fields = recipe.differences(BOOK[parent][0])
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


def _how(bench: Bench) -> str:
    capped = ", ".join(f"`{name}` {n}" for name, n in {**BUDGET, **bench.epochs}.items())
    suspects = " --suspects audit.csv" if bench.suspects else ""
    return (
        f"Budget: the approaches of others may take a few minutes of one core each, in epochs: {capped}. Ours take "
        "their recipe's own number. A network of 20 million parameters is far from done after that: its figures say "
        "what it is worth in that time, not what it may reach. `flagship` also takes what its teacher, "
        "`flagship-ensemble`, took. Of the variants each has the budget of the recipe that it differs from.\n\n"
        "The faces have the competition's format but come from public research sets, and are harder (heads turn more) "
        "than the competition's own; figures here are no leaderboard scores. Minutes are from a shared machine: read "
        "them as an order of size.\n\n"
        f"    facepoints audit DATA --out audit\n    python benchmarks/approaches.py DATA{suspects} --out runs/book "
        "--page docs/approaches.md\n"
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
    with written_whole(path) as beside:
        figure.savefig(beside, format="png")


if __name__ == "__main__":
    try:
        main()
    except FacepointsError as error:
        sys.exit(f"error: {error}")
