"""The crowd: every face is at its points, complete, and not covered."""

from __future__ import annotations

import itertools
from typing import Any

import cv2
import numpy as np
import pytest

from facepoints.data.alignment import squares_of_points
from facepoints.data.synthetic.crowd import SIDES, draw_crowd
from facepoints.data.synthetic.faces import draw_faces
from facepoints.errors import BadChoice
from facepoints.keypoints import FACE_SIZE

N = 10


@pytest.fixture(scope="module")
def crowd() -> Any:
    return draw_crowd(N, seed=4, width=1000, height=700)


@pytest.fixture(scope="module")
def squares(crowd: Any) -> Any:
    """Center (n, 2), side (n,) and roll (n,) of the prints, from nothing but the points."""
    _, alone = draw_faces(N, seed=4)
    found = [squares_of_points(crowd.points[i : i + 1], alone[i].astype(float)) for i in range(N)]
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


def test_a_face_rotated_back_is_the_original(crowd: Any, squares: Any) -> None:
    faces, _ = draw_faces(N, seed=4)
    gray = cv2.cvtColor(crowd.pixels, cv2.COLOR_BGR2GRAY)
    for face, (x, y), side, roll in zip(faces, *squares, strict=True):
        # from 96 x 96 px to the picture
        step = side / FACE_SIZE * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        middle = np.full(2, (FACE_SIZE - 1) / 2)
        back = np.column_stack([step, [x, y] - step @ middle])
        seen = cv2.warpAffine(gray, back, (FACE_SIZE, FACE_SIZE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        inner = np.s_[3:-3, 3:-3]
        # a small print is blurred, and one that is off by a pixel differs by far more than this
        assert np.corrcoef(seen[inner].ravel(), face[inner].ravel())[0, 1] > 0.97


def test_sizes_and_rolls_are_many(squares: Any) -> None:
    _, side, roll = squares
    assert side.min() >= SIDES[0] - 1
    assert side.max() <= SIDES[1] + 1
    assert side.max() > 1.5 * side.min()
    assert np.abs(roll).max() > 0.15


def test_no_print_covers_another_or_leaves_the_picture(crowd: Any, squares: Any) -> None:
    center, side, _ = squares
    reach = side / np.sqrt(2)
    for i, j in itertools.combinations(range(N), 2):
        assert np.linalg.norm(center[i] - center[j]) > reach[i] + reach[j]
    assert (center - reach[:, None] > 0).all()
    assert (center + reach[:, None] < [1000, 700]).all()


def test_a_seed_gives_one_picture(crowd: Any) -> None:
    again, other = draw_crowd(N, seed=4, width=1000, height=700), draw_crowd(N, seed=5, width=1000, height=700)
    assert np.array_equal(again.pixels, crowd.pixels)
    assert np.array_equal(again.points, crowd.points)
    assert not np.array_equal(other.pixels, crowd.pixels)


def test_many_are_smaller(crowd: Any) -> None:
    many = draw_crowd(20, seed=4, width=1000, height=700)

    def eyes(points: Any) -> Any:
        return np.linalg.norm(points[:, 0] - points[:, 1], axis=1)

    assert np.median(eyes(many.points)) < np.median(eyes(crowd.points))


@pytest.mark.parametrize(("n", "width", "height"), [(1, 60, 60), (40, 400, 300), (2, 500, 50)])
def test_faces_without_room_are_an_error(n: Any, width: Any, height: Any) -> None:
    with pytest.raises(BadChoice, match=f"{n} faces have no room on {width} x {height} px"):
        draw_crowd(n, width=width, height=height)


def test_no_faces_are_a_mistake() -> None:
    with pytest.raises(BadChoice, match="cannot draw 0 faces"):
        draw_crowd(0)
