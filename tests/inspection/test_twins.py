"""Twins: planted ones are found, other people and the same person a moment later are not."""

from __future__ import annotations

import cv2
import numpy as np

from facepoints.inspection.twins import MOVED, agreement, align, find_twins, moved_by


def test_planted_twins_are_found_and_nothing_else(planted):
    found = find_twins(planted.data.faces)
    assert {(pair.first, pair.second) for pair in found} == set(planted.twins)
    for pair in found:
        assert pair.exact == (planted.twins[pair.first, pair.second] == "none")
        assert MOVED * 0.9 < pair.agreement <= 1
    assert [pair.agreement for pair in found] == sorted((pair.agreement for pair in found), reverse=True)


def test_the_map_between_twins_carries_points_over(drawn):
    face = drawn.faces[0]
    matrix = np.array([[1.04, 0.02, -1.5], [-0.02, 1.04, 0.5]])
    moved = cv2.warpAffine(face, matrix, (96, 96), borderMode=cv2.BORDER_REPLICATE)
    found = align(face, moved)
    there = drawn.points[0] @ matrix[:, :2].T + matrix[:, 2]
    assert found is not None
    assert np.abs(drawn.points[0] @ found[:, :2].T + found[:, 2] - there).max() < 0.3
    assert agreement(face, moved, found) > MOVED


def test_a_moved_mouth_is_another_picture(drawn):
    face = np.array(drawn.faces[3])
    x, y = drawn.points[3, drawn.keypoints.index("mouth_center_bottom_lip")].round().astype(int)
    later = face.copy()
    later[y - 10 : y + 4, x - 14 : x + 14] = face[y - 13 : y + 1, x - 14 : x + 14]
    assert find_twins(np.stack([face, later])) == []


def test_moved_by_is_the_farthest_corner():
    assert moved_by(np.eye(2, 3)) == 0
    assert moved_by(np.array([[1, 0, 3.0], [0, 1, 4.0]])) == 5


def test_pictures_of_one_gray_are_no_trouble():
    faces = np.zeros((3, 96, 96), np.uint8)
    faces[2] = 200
    assert find_twins(faces) == []
