"""How accurate each recipe is: trains every recipe of the book on the same rows and writes one table.

    python benchmarks/accuracy.py DATA --out runs/book [--cap cnn-leaky=8 ...] [--readme README.md]

All recipes get the same validation rows (15 % of the rows by groups), whatever split they would choose themselves, and
are scored on all points of these rows: a recipe with fewer keypoints answers the others with their typical place.
A run that is there is not trained again and a stopped one goes on, so the script can be stopped at any time. What
recipes.json says of the recipes that --only leaves aside stays; README.md is written once the table is complete.
flagship-ensemble and flagship, which take hours, are trained only where --only names them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from facepoints.data.faces import LabeledFaces
from facepoints.data.fingerprint import fingerprint
from facepoints.data.loading import load_training
from facepoints.data.split import Split, group_alike, split_groups
from facepoints.errors import AlreadyTrained, FacepointsError
from facepoints.models.checkpoint import load_model
from facepoints.scoring import Scores, score
from facepoints.training.fit import fit
from facepoints.training.progress import TrainingProgress
from facepoints.training.recipe_book import BOOK
from facepoints.training.run_folder import MODEL_FILE, read_json
from facepoints.writing import write_text

FRACTION, SEED = 0.15, 0
BEGIN, END = "<!-- recipes: begin -->", "<!-- recipes: end -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder with the competition's files, or 'drawn'")
    parser.add_argument("--out", type=Path, default=Path("runs/book"))
    parser.add_argument("--cap", action="append", default=[], metavar="RECIPE=EPOCHS", help="fewer epochs for a recipe")
    parser.add_argument("--only", action="append", default=[], metavar="RECIPE", help="train just these")
    parser.add_argument("--readme", type=Path, help="put the table between its marks in this file")
    args = parser.parse_args()
    caps = {name: int(epochs) for name, _, epochs in (cap.partition("=") for cap in args.cap)}
    data = load_training(args.data)
    rows = split_groups(data, FRACTION, SEED)
    book = [name for name in BOOK if name not in ("demo", "flagship", "flagship-ensemble")]
    judged = data.take(rows.validation)
    measured = kept(args.out / "recipes.json", fingerprint(judged))
    console = Console()
    for name in args.only or book:
        console.print(f"[bold]{name}[/]")
        measured[name] = measure(name, caps.get(name), data, rows, args.out / name, console)
        write_text(args.out / "recipes.json", json.dumps(list(measured.values()), indent=1))
    text = markdown([measured[name] for name in BOOK if name in measured], len(judged))
    console.print(text, markup=False, soft_wrap=True)
    absent = [name for name in book if name not in measured]
    if args.readme and absent:
        console.print(
            f"{args.readme} stays as it is: not measured yet: {', '.join(absent)}", markup=False, soft_wrap=True
        )
    elif args.readme:
        old = args.readme.read_text("utf-8")
        before, _, rest = old.partition(BEGIN)
        _, _, after = rest.partition(END)
        write_text(args.readme, f"{before}{BEGIN}\n{text}{END}{after}")


def kept(path: Path, judged: str) -> dict[str, dict[str, Any]]:
    """What was measured before, by recipe; `judged` is the fingerprint of the rows that it has to be of."""
    if not path.exists():
        return {}
    # figures from before the rows were noted are taken on trust
    return {row["recipe"]: row for row in read_json(path) if row.get("judged", judged) == judged}


def measure(
    name: str, cap: int | None, data: LabeledFaces, rows: Split, folder: Path, console: Console
) -> dict[str, Any]:
    """Train a recipe (or find it trained) and score its best epoch on all points of the validation rows."""
    recipe = BOOK[name][0]
    recipe = recipe.but(split="groups", validation_fraction=FRACTION, seed=SEED)
    if cap and cap < recipe.epochs:
        recipe = recipe.but(epochs=cap, squared_epochs=min(recipe.squared_epochs, cap // 4))
    try:
        fit(recipe, data, folder, rows=rows, resume=True, callbacks=[TrainingProgress(console)])
    except AlreadyTrained:
        console.print("  already trained")
    model, _ = load_model(folder / MODEL_FILE)
    judged = data.take(rows.validation)
    predicted = model.predict_all(judged.faces, judged.source)
    labels = judged.points, judged.observed, judged.source, judged.keypoints
    scores = score(predicted, *labels, groups=group_alike(judged.faces))
    history = json.loads((folder / "history.json").read_text("utf-8"))
    return {
        "recipe": name,
        "summary": recipe.summary,
        **_parts(scores),
        "parameters": sum(p.numel() for p in model.network.parameters()),
        "seconds_per_epoch": statistics.median(epoch["seconds"] for epoch in history),
        "epochs": len(history),
        "epochs_allowed": recipe.epochs,
        "epochs_of_recipe": BOOK[name][0].epochs,
        "judged": fingerprint(judged),
    }


def _parts(scores: Scores) -> dict[str, Any]:
    parts = {"all": scores.overall, **scores.by_source}
    return {
        part: {"rmse": one.rmse, "interval": one.rmse_interval, "median_face": one.median_face_rmse}
        for part, one in parts.items()
        if one is not None
    }


def markdown(table: list[dict[str, Any]], faces: int) -> str:
    """The table as Markdown, best recipe last, with its caption."""
    lines = [
        f"RMSE in pixels on the same {faces:,} validation rows, 95 % interval; a few of their labels are wrong, which "
        "weighs on every RMSE, so the median over faces stands beside it. The best epoch of each training was chosen "
        "by its RMSE on these very rows, which flatters all of them a little.\n\n",
        "| recipe | all | source A | source B | median face | parameters | s / epoch | epochs |\n",
        "|---|---|---|---|---|---|---|---|\n",
    ]
    for row in sorted(table, key=lambda row: -row["all"]["rmse"]):
        low, high = row["all"]["interval"]
        sources = " | ".join(f"{row[s]['rmse']:.2f}" if s in row else "-" for s in "AB")
        lines.append(
            f"| `{row['recipe']}` | **{row['all']['rmse']:.2f}** ({low:.2f}-{high:.2f}) | {sources} | "
            f"{row['all']['median_face']:.2f} | {row['parameters']:,} | {row['seconds_per_epoch']:.1f} | "
            f"{row['epochs']}{ending(row)} |\n"
        )
    return "".join(lines)


def ending(row: dict[str, Any]) -> str:
    """Why a training took fewer epochs than its recipe has."""
    allowed = row.get("epochs_allowed", row["epochs"])  # older figures don't say
    if row["epochs"] < allowed:
        return " (stopped early)"
    return " (capped)" if allowed < row["epochs_of_recipe"] else ""


if __name__ == "__main__":
    try:
        main()
    except FacepointsError as error:
        sys.exit(f"error: {error}")
