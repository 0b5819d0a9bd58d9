"""Near-duplicates: injected ones are found, other persons and film frames of one person are not."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from facepoints.data.dataset import LabeledFaces
from facepoints.data.duplicates import MOVED, SAME_PLACE, agreement, align, find_near_duplicates, moved_by


def test_injected_near_duplicates_are_found_and_nothing_else(injected: Any) -> None:
    found = find_near_duplicates(injected.data.faces)
    assert {(pair.first, pair.second) for pair in found} == set(injected.near_duplicates)
    for pair in found:
        assert pair.exact == (injected.near_duplicates[pair.first, pair.second] == "none")
        assert SAME_PLACE <= pair.agreement <= 1
    assert [pair.agreement for pair in found] == sorted((pair.agreement for pair in found), reverse=True)


def _brighter(face: Any, contrast: Any, shift: Any) -> Any:
    return np.clip(np.rint(face * contrast + shift), 0, 255).astype(np.uint8)


def _resized(face: Any, size: Any, x: Any, y: Any) -> Any:
    middle = 47.5 * (1 - size)
    matrix = np.array([[size, 0, middle + x], [0, size, middle + y]])
    return cv2.warpAffine(face, matrix, (96, 96), borderMode=cv2.BORDER_REPLICATE)


def _compressed(face: Any, quality: Any) -> Any:
    return cv2.imdecode(cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)


@pytest.mark.parametrize(
    "change",
    [
        lambda face: _brighter(face, 1.5, 30),  # much is burnt out
        lambda face: _brighter(face, 0.6, -40),  # much is black
        lambda face: _resized(face, 1.05, 1, 0),
        lambda face: _resized(face, 0.95, 0, -1),
        lambda face: _compressed(face, 30),
        lambda face: _brighter(_resized(face, 1.04, 0, 0), 1.3, 20),
        lambda face: _compressed(_brighter(face, 0.8, 30), 50),
    ],
)
def test_a_changed_picture_is_the_same_picture(synthetic: LabeledFaces, change: Any) -> None:
    lost = []
    for number in range(20):
        face = np.asarray(synthetic.faces[number])
        if len(find_near_duplicates(np.stack([face, np.asarray(change(face))]))) != 1:
            lost.append(number)
    assert lost == []


def test_a_picture_without_grays_is_no_near_duplicate(synthetic: LabeledFaces) -> None:
    face = np.asarray(synthetic.faces[0])
    shape = np.where(face > np.median(face), 255, 0).astype(np.uint8)
    assert agreement(face, shape, np.eye(2, 3)) == 0
    assert find_near_duplicates(np.stack([face, shape])) == []


def test_the_map_between_near_duplicates_carries_points_over(synthetic: LabeledFaces) -> None:
    face = synthetic.faces[0]
    matrix = np.array([[1.04, 0.02, -1.5], [-0.02, 1.04, 0.5]])
    moved = np.asarray(cv2.warpAffine(face, matrix, (96, 96), borderMode=cv2.BORDER_REPLICATE), np.uint8)
    found = align(face, moved)
    there = synthetic.points[0] @ matrix[:, :2].T + matrix[:, 2]
    assert found is not None
    assert np.abs(synthetic.points[0] @ found[:, :2].T + found[:, 2] - there).max() < 0.3
    assert agreement(face, moved, found) > MOVED


def test_a_moved_mouth_is_another_picture(synthetic: LabeledFaces) -> None:
    face = np.array(synthetic.faces[3])
    x, y = synthetic.points[3, synthetic.keypoints.index("mouth_center_bottom_lip")].round().astype(int)
    later = face.copy()
    later[y - 10 : y + 4, x - 14 : x + 14] = face[y - 13 : y + 1, x - 14 : x + 14]
    assert find_near_duplicates(np.stack([face, later])) == []


def test_moved_by_is_the_farthest_corner() -> None:
    assert moved_by(np.eye(2, 3)) == 0
    assert moved_by(np.array([[1, 0, 3.0], [0, 1, 4.0]])) == 5


def test_pictures_of_one_gray_are_no_trouble() -> None:
    faces = np.zeros((3, 96, 96), np.uint8)
    faces[2] = 200
    assert find_near_duplicates(faces) == []
