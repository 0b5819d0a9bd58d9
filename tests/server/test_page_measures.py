"""The page's own measures are those of the Python, to the last digits: whoever changes one must change the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints.data.head_pose import MEAN_FACE, rotation
from facepoints.data.synthetic.faces import draw_faces
from facepoints.inference.measures import COLUMNS, measure
from facepoints.keypoints import FIFTEEN, FOUR

from .javascript import in_node

IMPORTS = 'import { measurable, measure } from "./face-measures.js";\nimport { MEAN_FACE } from "./fit-pose.js";\n'


def held(roll: float, yaw: float, pitch: float) -> NDArray[np.float64]:
    """(15, 2): the mean face, its head held so many degrees off, eyes 50 px apart if seen from the front."""
    turned = rotation(np.radians([[roll, yaw, pitch, 0, 0, 0]]))[0]
    return np.asarray(50 * MEAN_FACE @ turned[:2].T + (300, 200))


def faces() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points (n, 15, 2) and expected errors (n, 15): drawn faces, heads in many poses, points that went astray."""
    rng = np.random.default_rng(7)
    poses = [(0, 0, 0), (178, 10, 0), (-179.9, 0, 20), (90, -40, 30), (20, 84, -10), (0, 89, 0), (-45, 60, 60)]
    drawn = 3 * draw_faces(40, seed=8)[1].astype(np.float64) + 40
    posed = np.stack([held(*pose) for pose in poses]) + rng.normal(0, 0.5, (len(poses), 15, 2))
    astray = drawn[:10] + rng.normal(0, 25, (10, 15, 2))
    points = np.concatenate([drawn, posed, astray])
    return points, rng.gamma(2, 1.0, points.shape[:2]) + 0.05


def named(values: NDArray[np.float64]) -> dict[str, Any]:
    return dict(zip(FIFTEEN.names, values.tolist(), strict=True))


def test_both_measure_the_same(tmp_path: Path) -> None:
    points, errors = faces()
    given = [[named(at), named(error)] for at, error in zip(points, errors, strict=True)]
    found = in_node(tmp_path, IMPORTS, "return given.map(([points, errors]) => measure(points, errors));", given)
    assert [list(each) for each in found] == [list(COLUMNS)] * len(points)
    for i, each in enumerate(found):
        # one by one: a face that is among others is fitted until all of them have settled
        alone = measure(points[i : i + 1], errors[i : i + 1])
        (expected,) = alone.columns()
        assert each == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_both_know_the_same_mean_face_and_what_can_be_measured(tmp_path: Path) -> None:
    given = [FIFTEEN.names, FIFTEEN.names[::-1], FOUR]
    mean, can = in_node(tmp_path, IMPORTS, "return [MEAN_FACE, given.map(measurable)];", given)
    np.testing.assert_allclose(mean, MEAN_FACE, atol=1e-12)
    assert can == [True, True, False]
