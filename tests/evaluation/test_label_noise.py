"""The noise of labels that were made with a known noise is found again, wrong and copied labels or not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facepoints.data.dataset import LabeledFaces
from facepoints.data.duplicates import NearDuplicates
from facepoints.evaluation.label_noise import label_noise

NOISE = 0.7
PAIRS = 60


@pytest.fixture(scope="module")
def twice(data: LabeledFaces) -> tuple[LabeledFaces, list[NearDuplicates]]:
    """Source A's complete faces twice, each time labeled with noise of its own, the second picture moved."""
    rng = np.random.default_rng(1)
    matrix = np.array([[1.02, 0.0, 3.0], [0.0, 0.99, -2.0]])
    true = rng.uniform(20, 70, (PAIRS, 15, 2))
    points = np.concatenate([true, true @ matrix[:, :2].T + matrix[:, 2]])
    points += rng.normal(0, NOISE, points.shape)
    some = data.take(np.arange(2 * PAIRS))
    seen = np.ones((2 * PAIRS, 15), bool)
    faces = replace(some, points=points.astype(np.float32), observed=seen, source=np.zeros(2 * PAIRS, np.int64))
    return faces, [NearDuplicates(i, i + PAIRS, 1.0, False, matrix) for i in range(PAIRS)]


def test_known_noise_is_found_again(twice: Any) -> None:
    (found,) = label_noise(*twice)
    assert (found.source, found.pictures, found.copied) == ("A", PAIRS, 0)
    assert found.points + found.outlying == 15 * PAIRS
    assert found.outlying <= 2
    assert found.rmse == pytest.approx(NOISE, rel=0.04)
    assert found.interval is not None
    assert found.interval[0] < NOISE < found.interval[1]


def test_wrong_labels_are_left_out_and_counted(twice: Any) -> None:
    data, near_duplicates = twice
    points = np.array(data.points)
    points[:5] += 9
    (found,) = label_noise(replace(data, points=points), near_duplicates)
    assert found.outlying >= 5 * 15
    assert found.rmse == pytest.approx(NOISE, rel=0.06)


def test_copied_labels_say_nothing(twice: Any) -> None:
    data, near_duplicates = twice
    points = np.array(data.points)
    moved = near_duplicates[0].matrix
    points[PAIRS : PAIRS + 10] = points[:10] @ moved[:, :2].T + moved[:, 2]
    (found,) = label_noise(replace(data, points=points), near_duplicates)
    assert (found.copied, found.pictures) == (10, PAIRS - 10)


def test_too_few_twins_and_pairs_of_two_sources_tell_nothing(twice: Any, data: LabeledFaces) -> None:
    faces, near_duplicates = twice
    assert label_noise(faces.take(np.arange(PAIRS)), []) == []
    source = np.repeat([0, 1], PAIRS)
    assert label_noise(replace(faces, source=source), near_duplicates) == []


def test_twins_are_looked_for(few_faces: LabeledFaces) -> None:
    both = np.tile(np.arange(len(few_faces)), 2)
    rng = np.random.default_rng(0)
    points = few_faces.points[both] + rng.normal(0, NOISE, (len(both), 15, 2)).astype(np.float32)
    found = label_noise(replace(few_faces.take(both), points=points))
    assert [noise.source for noise in found] == ["A", "B"]
    for noise in found:
        assert noise.rmse == pytest.approx(NOISE, rel=0.15)
