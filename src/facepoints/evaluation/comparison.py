"""`facepoints compare`: models or recipes side by side -> a table, a page and numbers in a folder.

compare.html     the page
compare.json     everything that was found in numbers
curves.png       the cumulative curves
"""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from facepoints.data.faces import LabeledFaces
from facepoints.data.split import split_groups
from facepoints.errors import AlreadyTrained, BadChoice
from facepoints.evaluation.compare_page import compare_page, curves
from facepoints.evaluation.compared import Compared
from facepoints.evaluation.plot_pictures import can_draw, draw_plots
from facepoints.training.recipe import Recipe
from facepoints.writing import write_text


def names_of(paths: list[Path]) -> list[str]:
    """What tables call models at these places: the last part of the path, or all of it where two end alike."""
    short = [path.name if path.is_file() else path.resolve().name for path in paths]
    return [str(path) if short.count(name) > 1 else name for name, path in zip(short, paths, strict=True)]


def write_compared(found: Compared, out: Path) -> None:
    """Write the files named above into the folder `out`; nothing before everything could be computed."""
    texts = {
        "compare.html": compare_page(found),
        "compare.json": json.dumps(found.as_dict(), indent=2, allow_nan=False) + "\n",
    }
    for name, text in texts.items():
        write_text(out / name, text)
    if can_draw():
        draw_plots(curves(found), out / "curves.png", "Side by side")


def train_seeds(
    recipes: list[Recipe], seeds: int, data: LabeledFaces, out: Path, console: Console
) -> dict[str, list[Path]]:
    """Train each recipe with so many seeds on the same rows; recipe -> its run folders, out/RECIPE-seedN.

    The rows are split once, as the first recipe's fraction and seed say: only start weights, batches and
    augmentation differ. What is trained already is used as it is, what was stopped goes on.
    """
    from facepoints.training.fit import fit  # torch takes seconds, which a mistake need not wait for
    from facepoints.training.progress import TrainingProgress

    if seeds < 2:
        raise BadChoice(f"--seeds {seeds}: a spread needs two trainings of each recipe at least")
    names = [recipe.name for recipe in recipes]
    if len(set(names)) < len(names) or len(names) < 2:
        raise BadChoice(f"--seeds compares two different recipes or more, got {', '.join(names)}")
    fraction = recipes[0].validation_fraction
    rows = split_groups(data, fraction, recipes[0].seed)
    folders: dict[str, list[Path]] = {}
    for recipe in recipes:
        for seed in range(seeds):
            folder = out / f"{recipe.name}-seed{seed}"
            folders.setdefault(recipe.name, []).append(folder)
            one = recipe.but(seed=seed, split="groups", validation_fraction=fraction)
            console.print(f"{recipe.name}, training {seed + 1} of {seeds}", highlight=False)
            try:
                fit(one, data, folder, rows=rows, resume=True, callbacks=[TrainingProgress(console)])
            except AlreadyTrained:
                console.print("  trained before", style="dim")
    return folders
