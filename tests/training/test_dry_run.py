"""An estimate of a training: its rows and sizes are those of the training, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from facepoints.data.dataset import LabeledFaces
from facepoints.training.dry_run import estimate_training
from facepoints.training.fit import fit
from facepoints.training.recipe import Recipe
from facepoints.training.run_folder import read_json


def test_rows_and_parameters_are_those_of_the_training(
    few_faces: LabeledFaces, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    estimate = estimate_training(tiny, few_faces)
    assert list(tmp_path.iterdir()) == []
    fit(tiny, few_faces, tmp_path / "run")
    about = read_json(tmp_path / "run" / "run.json")
    assert estimate.parameters == about["parameters"]
    assert estimate.training_rows == about["training_rows"]
    assert estimate.validation_rows == len(about["validation_rows"])
    assert estimate.networks == 1
    assert estimate.seconds > 0


def test_more_epochs_and_networks_take_longer(few_faces: LabeledFaces, tiny: Recipe) -> None:
    one = estimate_training(tiny, few_faces)
    many = estimate_training(tiny.replace(epochs=4000, folds=3), few_faces)
    assert many.networks == 3
    assert many.seconds > 20 * one.seconds
