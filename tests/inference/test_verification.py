"""Which candidates are faces: those whose points stay when the crop changes; and each only once."""

from __future__ import annotations

import numpy as np
import pytest

from facepoints.inference.regions import Regions
from facepoints.inference.verification import EVEN, disagreement, distinct, face_score


def test_the_less_views_agree_the_less_it_is_a_face() -> None:
    score = face_score(np.array([0.0, 0.5, EVEN, 5.0, 50.0]))
    assert score[2] == pytest.approx(0.5)
    assert score[0] > 0.999
    assert (np.diff(score) < 0).all()
    assert score[-1] < 0.001


def test_disagreement_is_in_pixels_of_a_crop_and_of_the_worst_view() -> None:
    regions = Regions.of_boxes([[0, 0, 192, 192], [0, 0, 96, 96]])
    points = np.zeros((3, 2, 4, 2), np.float32)
    points[1, 0] += [3, 4]  # 5 px of the photo are 2.5 of the crop
    points[2, 0] += [0, 2]
    np.testing.assert_allclose(disagreement(points, regions), [2.5, 0])
    np.testing.assert_allclose(disagreement(points[:1], regions), [0, 0])


def test_of_faces_whose_points_coincide_the_first_stays() -> None:
    face = np.random.default_rng(0).uniform(0, 100, (15, 2)).astype(np.float32)
    points = np.stack([face, face + 3, face + 200, face + 1])
    side = np.full(4, 100.0)
    assert distinct(points, side, np.array([0, 1, 2, 3])).tolist() == [0, 2]
    assert distinct(points, side, np.array([3, 2, 1, 0])).tolist() == [3, 2]
    assert distinct(points[:0], side[:0], np.array([], np.intp)).tolist() == []
