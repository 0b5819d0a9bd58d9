"""What the tests of training share; the tiny recipe and its faces are in tests/conftest.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facepoints.data.dataset import LabeledFaces
from facepoints.data.split import Split
from facepoints.models.checkpoint import load_tree


@pytest.fixture(scope="session")
def plain_split(few_faces: LabeledFaces) -> Split:
    """Every fifth face validates."""
    rows = np.arange(len(few_faces))
    return Split(training=rows[rows % 5 > 0], validation=rows[rows % 5 == 0])


@pytest.fixture(scope="session")
def last_weights() -> Callable[[Path], dict[str, torch.Tensor]]:
    """What a run's last epoch left: every weight, moving average and running statistic."""

    def read(folder: Path) -> dict[str, torch.Tensor]:
        weights: dict[str, torch.Tensor] = load_tree(folder / "last.safetensors")["state_dict"]
        return weights

    return read


@pytest.fixture(scope="session")
def with_garbage(few_faces: LabeledFaces) -> LabeledFaces:
    """The few faces, with nonsense wherever nothing was labeled."""
    points = few_faces.points.copy()
    points[~few_faces.observed] = [1e6, -1e6]
    return replace(few_faces, points=points)
