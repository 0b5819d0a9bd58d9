"""Train recipes with several seeds, for a comparison over trainings."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from facepoints.data.dataset import LabeledFaces
from facepoints.data.split import split_groups
from facepoints.errors import AlreadyTrained, BadChoice
from facepoints.training.recipe import Recipe


def train_seeds(
    recipes: list[Recipe], seeds: int, data: LabeledFaces, out: Path, console: Console
) -> dict[str, list[Path]]:
    """Train each recipe with several seeds on the same rows; recipe -> its run folders, out/RECIPE-seedN.

    The rows are split once, by the fraction and seed of the first recipe: only initial weights, batches and
    augmentation differ. Complete runs are reused, stopped ones resumed.
    """
    if seeds < 2:
        raise BadChoice(f"--seeds {seeds}: a standard deviation needs at least two trainings of each recipe")
    names = [recipe.name for recipe in recipes]
    if len(set(names)) < len(names) or len(names) < 2:
        raise BadChoice(f"--seeds compares at least two different recipes, got {', '.join(names)}")
    from facepoints.training.fit import fit  # imports torch: check the arguments first
    from facepoints.training.progress import TrainingProgress

    fraction = recipes[0].validation_fraction
    rows = split_groups(data, fraction, recipes[0].seed)
    folders: dict[str, list[Path]] = {}
    for recipe in recipes:
        for seed in range(seeds):
            folder = out / f"{recipe.name}-seed{seed}"
            folders.setdefault(recipe.name, []).append(folder)
            one = recipe.replace(seed=seed, split="groups", validation_fraction=fraction)
            console.print(f"{recipe.name}, training {seed + 1} of {seeds}", highlight=False)
            try:
                fit(one, data, folder, rows=rows, resume=True, callbacks=[TrainingProgress(console)])
            except AlreadyTrained:
                console.print("  already trained", style="dim")
    return folders
