"""Squares of points: the mean shape in a rotated, moved, scaled square gives that square."""

from __future__ import annotations

import numpy as np
import pytest

from facepoints.data.alignment import squares_of_points

MEAN_SHAPE = np.array([[66.0, 37.0], [30.0, 38.0], [48.0, 57.0], [48.0, 78.0]])


@pytest.mark.parametrize("roll", [0.0, 0.7, -2.0, 3.1])
@pytest.mark.parametrize("side", [24.0, 96.0, 700.0])
def test_points_determine_the_square_they_lie_in(roll: float, side: float) -> None:
    center = np.array([310.0, 92.5])
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    points = center + (MEAN_SHAPE - 47.5) * side / 96 @ turn.T
    found_center, found_side, found_roll = squares_of_points(points[None], MEAN_SHAPE)
    np.testing.assert_allclose(found_center[0], center, atol=1e-6)
    assert found_side[0] == pytest.approx(side)
    assert found_roll[0] == pytest.approx(roll)


def test_no_faces_have_no_squares() -> None:
    center, side, roll = squares_of_points(np.zeros((0, 4, 2)), MEAN_SHAPE)
    assert center.shape == (0, 2)
    assert len(side) == len(roll) == 0
