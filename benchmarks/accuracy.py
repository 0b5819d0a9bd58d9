"""How accurate each recipe is: trains every recipe of the book on the same rows and writes one table.

    python benchmarks/accuracy.py DATA --out runs/book [--suspects audit.csv] [--readme README.md]

All recipes get the same validation rows (5 % of the rows by groups: those that `flagship` keeps aside), whatever split
they would choose themselves, and are scored on all points of these rows: a recipe with fewer keypoints answers the
others with their typical place. Each may take the epochs that BUDGET says, a few minutes of one core; `--epochs
RECIPE=N` gives more or fewer. `--suspects` leaves out, of training and of scoring, what an audit holds for wrong.

A run that is there is not trained again and a stopped one goes on, so the script can be stopped at any time; several
may share a folder, each with other recipes for `--only`. `--trained RECIPE=RUN` takes a run that lies elsewhere.
The table is written once every recipe is trained.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from facepoints.data.dataset import LabeledFaces
from facepoints.data.label_errors import without_label_issues
from facepoints.data.loading import load_training
from facepoints.data.similarity import group_alike
from facepoints.data.split import Split, split_groups
from facepoints.errors import AlreadyTrained, BadChoice, FacepointsError
from facepoints.evaluation.trained_run import TrainedRun, open_run
from facepoints.files import write_text
from facepoints.scores import Scores, score
from facepoints.training.builtin_recipes import BUILTIN_RECIPES
from facepoints.training.fit import fit
from facepoints.training.progress import TrainingProgress
from facepoints.training.recipe import Recipe, read_toml

FRACTION, SEED = 0.05, 0
BEGIN, END = "<!-- recipes: begin -->", "<!-- recipes: end -->"

BUDGET = {
    "dense": 12,
    "cnn": 8,
    "cnn-flip": 8,
    "cnn-rotated": 8,
    "cnn-leaky": 1,
    "cnn-leaky-median": 1,
    "cnn-leaky-complete": 1,
    "cnn-leaky-eight": 1,
    "cnn-five": 2,
    "base": 15,
    "base-extended": 10,
    "masked": 3,
}
"""Epochs that a recipe may take here; those that are not named take all of their own."""


@dataclass(frozen=True)
class Bench:
    """What all trainings share."""

    data: LabeledFaces
    rows: Split
    evaluation: LabeledFaces
    """the validation rows, without the labels that are held for wrong"""
    out: Path
    console: Console
    label_issues: str = ""
    epochs: dict[str, int] = field(default_factory=dict)
    trained: dict[str, Path] = field(default_factory=dict)

    def recipe(self, name: str, recipe: Recipe | None = None) -> Recipe:
        """The recipe, or a variant of one, as it is trained here: on the same rows as all others, within the budget."""
        book = recipe or BUILTIN_RECIPES[name][0]
        one = book.replace(split="groups", validation_fraction=FRACTION, seed=SEED, drop_label_issues=self.label_issues)
        if one.teacher:
            one = one.replace(teacher=str(self.folder(one.teacher)))
        budget = min(one.epochs, BUDGET.get(book.name, one.epochs))
        epochs = self.epochs.get(book.name, budget)  # a variant has its recipe's
        if epochs != one.epochs:
            one = one.replace(epochs=epochs, squared_epochs=min(one.squared_epochs, epochs // 4))
        return one

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """(n,): judged faces of the same number are alike."""
        return group_alike(self.evaluation.faces)

    def folder(self, name: str) -> Path:
        return self.trained.get(name, self.out / name)

    def train(self, name: str, recipe: Recipe | None = None) -> None:
        """Train a recipe of the book, or a variant of this name, if it is not trained yet."""
        self.console.print(f"[bold]{name}[/]")
        if name in self.trained:
            self.console.print(f"  is in {self.trained[name]}", markup=False, highlight=False)
            return
        one, shown = self.recipe(name, recipe), [TrainingProgress(self.console)]
        try:
            fit(one, self.data, self.folder(name), rows=self.rows, resume=True, callbacks=[*shown])
        except AlreadyTrained:
            self.console.print("  already trained")

    def is_trained(self, name: str) -> bool:
        return (self.folder(name) / "scores.json").exists()

    def run(self, name: str, recipe: Recipe | None = None) -> TrainedRun:
        """The finished run; raises BadChoice where it is not what would be trained here."""
        folder = self.folder(name)
        run, wanted = open_run(folder), self.recipe(name, recipe)
        kept = read_toml(folder / "recipe.toml")
        # whoever trained it may have called these files something else
        told = (
            {"teacher", "drop_label_issues"}
            if bool(kept.drop_label_issues) == bool(wanted.drop_label_issues)
            else {"teacher"}
        )
        if changed := {f: v for f, v in wanted.differences(kept).items() if f not in told}:
            what, value = next(iter(changed.items()))
            raise BadChoice(f"{folder}: is no run of {name} as it is trained here ({what} is not {value!r} there)")
        if not run.held_out_rows(self.evaluation).chosen.all():
            raise BadChoice(f"{folder}: has seen some of the rows that all are judged on; train it here")
        return run

    def answers(self, run: TrainedRun) -> NDArray[np.float32]:
        """(n, k, 2) px: what the best epoch says of the judged faces, of all points of the data."""
        return run.model.predict_all(self.evaluation.faces, self.evaluation.source)

    def figures(
        self, name: str, run: TrainedRun, answers: NDArray[np.float32], recipe: Recipe | None = None
    ) -> dict[str, Any]:
        """The line of the table: scores of its answers (n, k, 2) px, its size, what its training took."""
        evaluation, one = self.evaluation, self.recipe(name, recipe)
        labels = evaluation.points, evaluation.observed, evaluation.source, evaluation.keypoints
        scores = score(answers, *labels, groups=self.groups)
        histories = [run.history, *run.members.values()]
        return {
            "recipe": name,
            "summary": one.summary,
            **_parts(scores),
            "parameters": run.facts.parameters,
            "seconds": run.facts.training_seconds or 0.0,
            "epochs": max(len(history) for history in histories),
            "epochs_allowed": one.epochs,
            "epochs_of_recipe": (recipe or BUILTIN_RECIPES[name][0]).epochs,
        }


def _parts(scores: Scores) -> dict[str, Any]:
    parts = {"all": scores.overall, **scores.by_source}
    return {
        part: {"rmse": one.rmse, "interval": one.rmse_interval or (one.rmse, one.rmse), "median": one.median_face_rmse}
        for part, one in parts.items()
        if one is not None
    }


def arguments(about: str) -> argparse.ArgumentParser:
    """What every script that trains the book may be told."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("data", help="folder with the competition's files, or 'synthetic'")
    parser.add_argument("--out", type=Path, default=Path("runs/book"), help="where the runs are")
    parser.add_argument("--only", action="append", default=[], metavar="RECIPE", help="train just these")
    parser.add_argument("--epochs", action="append", default=[], metavar="RECIPE=N", help="more or fewer epochs")
    parser.add_argument("--trained", action="append", default=[], metavar="RECIPE=RUN", help="a run that is there")
    parser.add_argument("--suspects", metavar="FILE", default="", help="audit.csv: labels to leave out, everywhere")
    return parser


def bench_from(args: argparse.Namespace, console: Console, variants: Collection[str] = ()) -> Bench:
    """The bench that the command line asks for; raises BadChoice before anything takes long."""
    for name in args.only:
        if name not in BUILTIN_RECIPES and name not in variants:
            raise BadChoice(f"--only {name}: expected one of {', '.join((*BUILTIN_RECIPES, *variants))}")
    epochs, trained = _pairs("--epochs", args.epochs), _pairs("--trained", args.trained)
    for name, number in epochs.items():
        if not number.isdecimal() or not int(number):
            raise BadChoice(f"--epochs {name}={number}: expected a number of epochs, such as {name}=10")
    for name, folder in trained.items():
        if not (Path(folder) / "scores.json").exists():
            raise BadChoice(f"--trained {name}={folder}: no finished run there")
    data = load_training(args.data)
    rows = split_groups(data, FRACTION, SEED)
    evaluation = data.take(rows.validation)
    if args.label_issues:
        trusted = without_label_issues(data, Path(args.label_issues))
        evaluation = trusted.take(np.isin(trusted.row, evaluation.row))
    counts, places = {n: int(v) for n, v in epochs.items()}, {n: Path(v) for n, v in trained.items()}
    bench = Bench(data, rows, evaluation, args.out, console, args.label_issues, counts, places)
    for name in trained:
        bench.run(name)
    return bench


def _pairs(option: str, words: list[str]) -> dict[str, str]:
    pairs = {name: value for name, _, value in (word.partition("=") for word in words)}
    for name, value in pairs.items():
        if name not in BUILTIN_RECIPES or not value:
            raise BadChoice(f"{option} {name}: expected RECIPE=VALUE, RECIPE one of {', '.join(BUILTIN_RECIPES)}")
    return pairs


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--readme", type=Path, help="put the table between its marks in this file")
    args = parser.parse_args()
    around = _around(args.readme) if args.readme else None
    console = Console()
    bench = bench_from(args, console)
    for name in args.only or BUILTIN_RECIPES:
        bench.train(name)
    if absent := [name for name in BUILTIN_RECIPES if not bench.is_trained(name)]:
        console.print(f"No table yet, not trained: {', '.join(absent)}", markup=False, soft_wrap=True)
        return
    runs = {name: bench.run(name) for name in BUILTIN_RECIPES}
    table = [bench.figures(name, run, bench.answers(run)) for name, run in runs.items()]
    write_text(args.out / "recipes.json", json.dumps(table, indent=1))
    text = markdown(table, bench)
    console.print(text, markup=False, soft_wrap=True)
    if around:
        write_text(args.readme, f"{around[0]}{BEGIN}\n{text}{END}{around[1]}")


def _around(readme: Path) -> tuple[str, str]:
    """What stands before and after the table; raises BadChoice where there is no place for it."""
    text = readme.read_text("utf-8") if readme.exists() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise BadChoice(f"--readme {readme}: has no place for the table; put the lines {BEGIN} and {END} there")
    return before, after


def caption(bench: Bench) -> str:
    """On what all were scored, and what flatters them."""
    labels = int(bench.data.take(bench.rows.validation).observed.sum() - bench.evaluation.observed.sum())
    wrong = f", without the {labels} labels there that the audit holds for wrong" if bench.label_issues else ""
    return (
        f"RMSE in pixels on the same {len(bench.rows.validation):,} validation rows{wrong}, 95 % interval over faces; "
        f"all could learn from the other {len(bench.rows.training):,}. The best epoch of a network was chosen by its "
        "RMSE on these very rows, which flatters it a little (those of `flagship-ensemble` choose on folds of their "
        "own). One seed each. Minutes are what a training took where it ran (of `flagship` without its teacher): an "
        "order of size.\n\n"
    )


def markdown(table: list[dict[str, Any]], bench: Bench) -> str:
    """The table as Markdown, best recipe last, with its caption."""
    lines = [
        caption(bench),
        "| recipe | all | source A | source B | median face | parameters | epochs | minutes |\n",
        "|---|---|---|---|---|---|---|---|\n",
    ]
    for row in sorted(table, key=lambda row: -row["all"]["rmse"]):
        low, high = row["all"]["interval"]
        sources = " | ".join(f"{row[s]['rmse']:.2f}" if s in row else "-" for s in "AB")
        lines.append(
            f"| `{row['recipe']}` | **{row['all']['rmse']:.2f}** ({low:.2f}-{high:.2f}) | {sources} | "
            f"{row['all']['median']:.2f} | {row['parameters']:,} | {row['epochs']}{ending(row)} | "
            f"{row['seconds'] / 60:.0f} |\n"
        )
    return "".join(lines)


def ending(row: dict[str, Any]) -> str:
    """Why a training took fewer epochs than its recipe has."""
    if row["epochs"] < row["epochs_allowed"]:
        return " (stopped early)"
    return " (capped)" if row["epochs_allowed"] < row["epochs_of_recipe"] else ""


def one_line(main: Callable[[], None]) -> None:
    """Run a script; what is wrong with its input is one line."""
    try:
        main()
    except FacepointsError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped; the same command goes on after the last whole epoch", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    one_line(main)
