"""Metrics of arrays by hand; their sums over a data set are in test_scores."""

from __future__ import annotations

import numpy as np
import pytest

from facepoints.errors import BadChoice
from facepoints.metrics import face_rmse, point_distances, quick_scores, rmse_interval, squared_error_sums

POINTS = np.full((3, 2, 2), 40.0)
PREDICTED = POINTS + [3.0, 4.0]
OBSERVED = np.array([[True, True], [True, False], [False, False]])


def test_a_shift_by_three_and_four_is_five_pixels() -> None:
    np.testing.assert_array_equal(point_distances(PREDICTED, POINTS, OBSERVED), [[5, 5], [5, 0], [0, 0]])
    np.testing.assert_allclose(face_rmse(PREDICTED, POINTS, OBSERVED), [np.sqrt(12.5), np.sqrt(12.5), 0])
    sums, counts = squared_error_sums(PREDICTED, POINTS, OBSERVED)
    assert (sums.tolist(), counts.tolist()) == ([50, 25, 0], [4, 2, 0])
    assert quick_scores(PREDICTED, POINTS, OBSERVED) == pytest.approx({"rmse": np.sqrt(12.5), "mae": 3.5, "pck": 0})


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        errors = rng.normal(0, 1, (100, 4))
        interval = rmse_interval(np.square(errors).sum(axis=1), np.full(100, 4), resamples=200)
        assert interval is not None
        covered += interval[0] <= 1 <= interval[1]
    assert 0.88 * 200 <= covered <= 0.99 * 200


def test_quick_scores_refuse_to_score_nothing() -> None:
    with pytest.raises(BadChoice, match="nothing to score"):
        quick_scores(PREDICTED, POINTS, np.zeros((3, 2), np.bool_))
