"""Accuracy of each recipe: trains every built-in recipe on the same rows and writes one table.

    python benchmarks/accuracy.py DATA --out runs/book [--label-issues audit.csv] [--readme docs/results.md]

All recipes get the same validation rows (5 % of the rows by groups: those that `flagship` holds out) instead of their
own split, and are scored on all points of these rows: a recipe with fewer keypoints predicts the mean shape for the
others. BUDGET limits the epochs of each, to a few minutes of one core; `--epochs RECIPE=N` changes the limit.
`--label-issues` leaves out, in training and in scoring, what an audit considers wrong.

Finished runs are not trained again and an interrupted one is resumed, so the script can be stopped at any time. Several
processes can share a folder, each with other recipes for `--only`. `--trained RECIPE=RUN` uses a run in another folder.
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
"""Limit of the epochs of a recipe; the others take all of their epochs."""


@dataclass(frozen=True)
class Bench:
    """What all trainings have in common."""

    data: LabeledFaces
    rows: Split
    evaluation: LabeledFaces
    """the validation rows, without the labels that the audit considers wrong"""
    out: Path
    console: Console
    label_issues: str = ""
    epochs: dict[str, int] = field(default_factory=dict)
    trained: dict[str, Path] = field(default_factory=dict)

    def recipe(self, name: str, recipe: Recipe | None = None) -> Recipe:
        """The recipe, or a variant of one, with the common rows and the budget."""
        book = recipe or BUILTIN_RECIPES[name][0]
        one = book.replace(split="groups", validation_fraction=FRACTION, seed=SEED, drop_label_issues=self.label_issues)
        if one.teacher:
            one = one.replace(teacher=str(self.folder(one.teacher)))
        budget = min(one.epochs, BUDGET.get(book.name, one.epochs))
        epochs = self.epochs.get(book.name, budget)  # a variant has the budget of its recipe
        if epochs != one.epochs:
            one = one.replace(epochs=epochs, squared_epochs=min(one.squared_epochs, epochs // 4))
        return one

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """(n,): validation faces with the same number are near-duplicates."""
        return group_alike(self.evaluation.faces)

    def folder(self, name: str) -> Path:
        return self.trained.get(name, self.out / name)

    def train(self, name: str, recipe: Recipe | None = None) -> None:
        """Train a built-in recipe, or a variant with this name, if it is not trained yet."""
        self.console.print(f"[bold]{name}[/]")
        if name in self.trained:
            self.console.print(f"  trained in {self.trained[name]}", markup=False, highlight=False)
            return
        one, shown = self.recipe(name, recipe), [TrainingProgress(self.console)]
        try:
            fit(one, self.data, self.folder(name), rows=self.rows, resume=True, callbacks=[*shown])
        except AlreadyTrained:
            self.console.print("  already trained")

    def is_trained(self, name: str) -> bool:
        return (self.folder(name) / "scores.json").exists()

    def run(self, name: str, recipe: Recipe | None = None) -> TrainedRun:
        """The finished run; raises BadChoice if it differs from what this script trains."""
        folder = self.folder(name)
        run, wanted = open_run(folder), self.recipe(name, recipe)
        kept = read_toml(folder / "recipe.toml")
        # the same files may have had other names
        ignored = (
            {"teacher", "drop_label_issues"}
            if bool(kept.drop_label_issues) == bool(wanted.drop_label_issues)
            else {"teacher"}
        )
        if changed := {f: v for f, v in wanted.differences(kept).items() if f not in ignored}:
            what, value = next(iter(changed.items()))
            raise BadChoice(f"{folder}: not a run of {name} as trained here ({what} is not {value!r} there)")
        if not run.held_out_rows(self.evaluation).chosen.all():
            raise BadChoice(f"{folder}: was trained on some of the validation rows; train it here")
        return run

    def predict(self, run: TrainedRun) -> NDArray[np.float32]:
        """Predictions (n, k, 2) px of the best epoch for the validation faces, for all points of the data."""
        return run.model.predict_all(self.evaluation.faces, self.evaluation.source)

    def figures(
        self, name: str, run: TrainedRun, predictions: NDArray[np.float32], recipe: Recipe | None = None
    ) -> dict[str, Any]:
        """A line of the table: scores of the predictions (n, k, 2) px, number of parameters, training time."""
        evaluation, one = self.evaluation, self.recipe(name, recipe)
        labels = evaluation.points, evaluation.observed, evaluation.source, evaluation.keypoints
        scores = score(predictions, *labels, groups=self.groups)
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
    """The arguments of the scripts that train all recipes."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("data", help="folder with the competition's files, or 'synthetic'")
    parser.add_argument("--out", type=Path, default=Path("runs/book"), help="where the runs are")
    parser.add_argument("--only", action="append", default=[], metavar="RECIPE", help="train just these")
    parser.add_argument("--epochs", action="append", default=[], metavar="RECIPE=N", help="more or fewer epochs")
    parser.add_argument("--trained", action="append", default=[], metavar="RECIPE=RUN", help="use this finished run")
    parser.add_argument(
        "--label-issues", metavar="FILE", default="", help="audit.csv: labels to leave out in training and scoring"
    )
    return parser


def bench_from(args: argparse.Namespace, console: Console, variants: Collection[str] = ()) -> Bench:
    """The bench for these arguments; raises BadChoice before anything slow starts."""
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
    table = [bench.figures(name, run, bench.predict(run)) for name, run in runs.items()]
    write_text(args.out / "recipes.json", json.dumps(table, indent=1))
    text = markdown(table, bench)
    console.print(text, markup=False, soft_wrap=True)
    if around:
        write_text(args.readme, f"{around[0]}{BEGIN}\n{text}{END}{around[1]}")


def _around(readme: Path) -> tuple[str, str]:
    """The text before and after the table; raises BadChoice if the marks are absent."""
    text = readme.read_text("utf-8") if readme.exists() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise BadChoice(f"--readme {readme}: no place for the table; add the lines {BEGIN} and {END} there")
    return before, after


def caption(bench: Bench) -> str:
    """The rows of the table, and what makes its figures optimistic."""
    labels = int(bench.data.take(bench.rows.validation).observed.sum() - bench.evaluation.observed.sum())
    wrong = f", without the {labels} labels there that the audit considers wrong" if bench.label_issues else ""
    return (
        f"RMSE in pixels on the same {len(bench.rows.validation):,} validation rows{wrong}, with 95 % interval over "
        f"faces. All recipes trained on the other {len(bench.rows.training):,} rows. The best epoch of a network was "
        "chosen by its RMSE on the same validation rows, which makes the figures slightly optimistic (the networks of "
        "`flagship-ensemble` choose on their own folds). One seed each. Minutes are training time on the machine used "
        "(for `flagship` without its teacher): an order of magnitude.\n\n"
    )


def markdown(table: list[dict[str, Any]], bench: Bench) -> str:
    """The table as Markdown, best recipe last, with its caption."""
    lines = [
        caption(bench),
        "| recipe | all | source A | source B | median RMSE per face | parameters | epochs | minutes |\n",
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
    """The reason why a training took fewer epochs than its recipe has."""
    if row["epochs"] < row["epochs_allowed"]:
        return " (stopped early)"
    return " (capped)" if row["epochs_allowed"] < row["epochs_of_recipe"] else ""


def one_line(main: Callable[[], None]) -> None:
    """Run a script; a user's mistake is one line and exit code 2."""
    try:
        main()
    except FacepointsError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped; the same command continues after the last complete epoch", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    one_line(main)
