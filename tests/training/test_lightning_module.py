"""Batches, optimizers, learning rate, moving average and precision of the LightningModule."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facepoints.data.dataset import LabeledFaces
from facepoints.models.checkpoint import load_model
from facepoints.training import lightning_module as fitting
from facepoints.training import run_folder
from facepoints.training.augmentation import Batch, augment
from facepoints.training.fit import fit
from facepoints.training.lightning_module import Batches
from facepoints.training.recipe import Recipe

Weights = Callable[[Path], dict[str, torch.Tensor]]


@pytest.fixture(scope="module")
def small() -> Recipe:
    """A plain CNN, too small to be good: three epochs in a third of a second."""
    return Recipe(name="small", network="plain", width=2, dense_units=8, epochs=3, batch_size=16)


@pytest.fixture(autouse=True)
def _no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing curves takes longer than training; `tiny_run`, made before, has true ones."""
    monkeypatch.setattr(run_folder, "draw_curves", lambda history, path, title: path.touch())


def history(folder: Path) -> list[dict[str, float]]:
    """The epochs, without how long they took."""
    epochs: list[dict[str, float]] = json.loads((folder / "history.json").read_text())
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in epochs]


def equal(some: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return list(some) == list(other) and all(torch.equal(some[name], other[name]) for name in some)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_weight_decay_shrinks_weights_but_not_with_adam(
    optimizer: str, small: Recipe, few_faces: LabeledFaces, tmp_path: Path, last_weights: Weights
) -> None:
    sums = []
    for decay in (0.0, 5.0):
        recipe = small.replace(optimizer=optimizer, weight_decay=decay, learning_rate=1e-2, clip=0.1, epochs=1)
        fit(recipe, few_faces, tmp_path / str(decay))
        weights = last_weights(tmp_path / str(decay))
        sums.append(sum(float(w.abs().sum()) for w in weights.values() if w.ndim > 1 and len(w) > 2))
    assert (sums[1] < 0.9 * sums[0]) == (optimizer != "adam")
    assert (sums[1] == sums[0]) == (optimizer == "adam")


def test_the_learning_rate_rises_and_falls(small: Recipe, few_faces: LabeledFaces, tmp_path: Path) -> None:
    recipe = small.replace(epochs=6, warmup_epochs=2.0, schedule="cosine", learning_rate=1e-2)
    fit(recipe, few_faces, tmp_path)
    rates = [epoch["learning_rate"] for epoch in history(tmp_path)]
    np.testing.assert_allclose(rates, [0.005, 0.01, *(0.005 * (1 + np.cos(np.pi * np.arange(1, 5) / 4)))], atol=1e-9)


def test_the_average_is_what_is_validated_and_kept(
    small: Recipe, few_faces: LabeledFaces, tmp_path: Path, last_weights: Weights
) -> None:
    fit(small.replace(ema=0.99, epochs=1), few_faces, tmp_path)
    kept = load_model(tmp_path / "model.safetensors")[0].state_dict()
    last = last_weights(tmp_path)
    averaged = {name: last[f"averaged.module.{name}"] for name in kept}
    current = {name: last[f"model.{name}"] for name in kept}
    assert equal(kept, averaged)
    assert not equal(kept, current)


@pytest.mark.parametrize(("n", "batch_size", "ranks"), [(60, 16, 1), (60, 16, 2), (7, 16, 3), (33, 8, 4), (5, 5, 1)])
def test_an_epoch_shows_every_row_and_all_processes_take_equally_many_steps(
    n: int, batch_size: int, ranks: int
) -> None:
    own = [list(Batches(n, batch_size, lambda: 3, rank, ranks)) for rank in range(ranks)]
    steps = {len(batches) for batches in own}
    assert steps == {len(Batches(n, batch_size, lambda: 3, 0, ranks))}
    rows = torch.cat([row for batches in own for row in batches])
    assert set(rows.tolist()) == set(range(n))
    assert len(rows) - n < ranks  # rows that are shown twice, so that the shares are equal
    assert max(len(batch) for batches in own for batch in batches) <= batch_size


def test_batches_are_shuffled_by_the_epoch_s_seed() -> None:
    seed = 0
    batches = Batches(50, 10, lambda: seed, 0, 1)
    first, again = torch.cat(list(batches)), torch.cat(list(batches))
    seed = 1
    assert torch.equal(first, again)
    assert not torch.equal(first, torch.cat(list(batches)))
    assert torch.equal(torch.cat(list(Batches(50, 10, None, 0, 1))), torch.arange(50))


def test_mixed_precision_does_not_round_the_geometry(
    few_faces: LabeledFaces, tmp_path: Path, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounded: list[bool] = []

    def watched(*arguments: Any) -> Batch:
        rounded.append(torch.is_autocast_enabled("cpu"))
        return augment(*arguments)

    monkeypatch.setattr(fitting, "augment", watched)
    fit(tiny.replace(epochs=1, squared_epochs=0, precision="bf16-mixed"), few_faces, tmp_path)
    assert rounded
    assert not any(rounded)
