"""Drawn faces with planted faults, and what good networks would expect of them: the truth and a little noise."""

from __future__ import annotations

import numpy as np
import pytest

from facepoints.data.faces import LabeledFaces
from facepoints.inspection.out_of_fold import Expected
from facepoints.inspection.planted import Planted, plant


@pytest.fixture(scope="session")
def planted(drawn: LabeledFaces) -> Planted:
    return plant(drawn, each=5, twins=12, seed=1)


@pytest.fixture(scope="session")
def expected(drawn: LabeledFaces) -> Expected:
    """The points of a face err together, as networks do; one face in ten is hard: three times the error and spread."""
    rng = np.random.default_rng(5)
    hard = np.where(rng.random(len(drawn)) < 0.1, 3.0, 1.0)[:, None]
    together = rng.normal(0, 0.6, (len(drawn), 1, 2))
    noise = (together + rng.normal(0, 0.5, drawn.points.shape)) * hard[..., None]
    spread = 0.5 * hard * rng.uniform(0.8, 1.2, drawn.observed.shape)
    return Expected((drawn.points + noise).astype(np.float32), spread.astype(np.float32))
