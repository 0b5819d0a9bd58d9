"""What a training would do, without training: rows, parameters and an estimate of its time."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facepoints.data.dataset import LabeledFaces
from facepoints.data.imputation import fill
from facepoints.data.split import Split, split
from facepoints.training.builtin_recipes import BUILTIN_RECIPES
from facepoints.training.fit import fit
from facepoints.training.recipe import Recipe
from facepoints.training.run_folder import read_json
from facepoints.training.trainer import Machine

_STEPS = 6  # optimizer steps that are timed


@dataclass(frozen=True)
class TrainingEstimate:
    """What `facepoints train --dry-run` reports."""

    training_rows: int
    validation_rows: int
    parameters: int
    """of one network"""
    networks: int
    """that are trained one after the other: folds, ensemble networks, and those of a teacher"""
    seconds: float
    """estimated from a few steps on this machine, without early stopping"""


def estimate_training(recipe: Recipe, data: LabeledFaces, machine: Machine | None = None) -> TrainingEstimate:
    """Train a few steps in a temporary folder and extrapolate to the whole recipe, its teacher included."""
    chosen = data.only(recipe.keypoints)
    rows = split(chosen, recipe.split, recipe.validation_fraction, recipe.seed)
    training = chosen.take(rows.training)
    kept = len(fill(training.points, training.observed, recipe.missing, recipe.seed).kept)
    networks = recipe.folds * max(1, len(recipe.ensemble_networks)) if recipe.folds else 1
    # each network of an ensemble leaves out one of the folds
    share = (recipe.folds - 1) / recipe.folds if recipe.folds > 1 else 1.0
    seconds_per_face, parameters = _time_steps(recipe, chosen, rows, machine)
    seconds = seconds_per_face * kept * share * recipe.epochs * networks
    if recipe.teacher in BUILTIN_RECIPES:
        teacher = estimate_training(BUILTIN_RECIPES[recipe.teacher][0], data, machine)
        networks, seconds = networks + teacher.networks, seconds + teacher.seconds
    return TrainingEstimate(kept, len(rows.validation), parameters, networks, seconds)


def _time_steps(recipe: Recipe, data: LabeledFaces, rows: Split, machine: Machine | None) -> tuple[float, int]:
    """Seconds per face of the second of two short epochs, and the parameters of one network."""
    short = recipe.replace(
        epochs=2, squared_epochs=0, folds=0, ensemble_networks=(), teacher="", expected_error=False, warmup_epochs=0.0
    )
    size = min(len(rows.training), _STEPS * recipe.batch_size)
    some = np.random.default_rng(0).permutation(rows.training)
    # complete rows first: whatever the imputation, none of them is dropped
    some = some[np.argsort(-data.observed[some].sum(axis=1), kind="stable")][:size]
    timed = Split(training=np.sort(some), validation=rows.validation[:1])
    with tempfile.TemporaryDirectory() as folder:
        fit(short.replace(drop_label_issues=""), data, Path(folder) / "run", rows=timed, machine=machine)
        seconds = float(read_json(Path(folder) / "run" / "history.json")[1]["seconds"])
        parameters = int(read_json(Path(folder) / "run" / "run.json")["parameters"])
    return seconds / size, parameters
