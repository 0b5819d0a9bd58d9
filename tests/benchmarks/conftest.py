"""The benchmark scripts as modules, and simulated trainings."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from facepoints.data.dataset import LabeledFaces


@pytest.fixture
def accuracy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return _script("accuracy", monkeypatch)


@pytest.fixture
def approaches(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return _script("approaches", monkeypatch)


def _script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module(name)


@pytest.fixture
def simulated(
    accuracy: ModuleType, few_faces: LabeledFaces, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, float]], None]:
    """Replaces trainings by an empty finished run, whose predictions have the given error in pixels."""
    monkeypatch.setattr(accuracy, "load_training", lambda data: few_faces)

    def simulate(off: dict[str, float]) -> None:
        def train(bench: Any, name: str, recipe: object = None) -> None:
            bench.folder(name).mkdir(parents=True, exist_ok=True)
            (bench.folder(name) / "scores.json").write_text("{}")

        def predict(bench: Any, name: str) -> Any:
            # errors are independent between recipes but equal for a recipe and its variants
            rng = np.random.default_rng(sum(map(ord, name.partition(",")[0])))
            return bench.evaluation.points + np.float32(off.get(name, 3.0)) * rng.normal(
                size=bench.evaluation.points.shape
            )

        def figures(bench: Any, name: str, *_: object) -> dict[str, Any]:
            one = {"rmse": off.get(name, 3.0), "interval": (1.0, 4.0), "median": 1.0}
            return {"recipe": name, "all": one, "A": one, "parameters": 5, "seconds": 60.0, **epochs}

        epochs = {"epochs": 3, "epochs_allowed": 3, "epochs_of_recipe": 3}
        monkeypatch.setattr(accuracy.Bench, "run", lambda bench, name, recipe=None: name)
        for made in (train, predict, figures):
            monkeypatch.setattr(accuracy.Bench, made.__name__, made)

    return simulate
