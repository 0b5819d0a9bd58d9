"""What the tests of evaluation share: labels with a model of known errors, and whole pages looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from facepoints.data.faces import LabeledFaces
from facepoints.errors import BadChoice
from facepoints.evaluation.predictor import Answers, FairRows, ModelFacts
from facepoints.keypoints import FIFTEEN, FOUR, KeypointSet

N = 120
FACTS = ModelFacts("table of points")


@dataclass(frozen=True)
class Known:
    """A model that is off by a normal error of so many pixels, the same for the same row."""

    name: str
    off: float
    seed: int = 0
    keypoints: KeypointSet = FIFTEEN
    seen: frozenset[int] = frozenset()
    says: bool = False
    facts: ModelFacts = FACTS
    story: None = None

    def fair_rows(self, data: LabeledFaces) -> FairRows:
        return FairRows(~np.isin(data.row, list(self.seen)), "unseen", "as it was made")

    def answer(self, data: LabeledFaces, *, flip: bool = False) -> Answers:
        if flip:
            raise BadChoice(f"{self.name}: no mirror")
        columns = [data.keypoints.index(name) for name in self.keypoints.names if name in data.keypoints.names]
        points = np.empty((len(data), len(self.keypoints), 2))
        for i, row in enumerate(data.row.tolist()):
            errors = np.random.default_rng((self.seed, row)).normal(0, self.off, (len(self.keypoints), 2))
            points[i] = data.points[i, columns] + errors
        return Answers(points, np.full(points.shape[:2], self.off) if self.says else None)

    def milliseconds(self, data: LabeledFaces) -> None:
        return None


@pytest.fixture(scope="session")
def data() -> LabeledFaces:
    """Noise for pictures, so that no two are alike; two sources, gaps, one row without a label."""
    rng = np.random.default_rng(0)
    source = np.arange(N) % 2
    observed = rng.random((N, 15)) < 0.9
    observed[source == 1] &= np.isin(FIFTEEN.names, FOUR)
    observed[:, :2] = True
    observed[5] = False
    base = rng.uniform(20, 76, (15, 2))
    base[:2] = [[66, 38], [30, 37]]
    points = (base + rng.normal(0, 2, (N, 15, 2))).astype(np.float32)
    points[~observed] = 0
    faces = rng.integers(0, 256, (N, 96, 96)).astype(np.uint8)
    return LabeledFaces(faces, points, observed, source, FIFTEEN, np.arange(N) + 1000)


@pytest.fixture(scope="session")
def known() -> Callable[..., Any]:
    """Makes a model of known errors."""
    return Known
