"""Imputation errors of known distributions, in the expected order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facepoints.data.dataset import LabeledFaces
from facepoints.data.imputation import STRATEGIES
from facepoints.exploration.imputation_error import ImputationError, imputation_errors
from facepoints.keypoints import KeypointSet

N = 2000


def made(points: np.ndarray, observed: np.ndarray | None = None) -> LabeledFaces:
    observed = np.ones(points.shape[:2], bool) if observed is None else observed
    names = KeypointSet(tuple(f"p{i}" for i in range(points.shape[1])))
    faces = np.zeros((len(points), 96, 96), np.uint8)
    rows = np.arange(len(points))
    return LabeledFaces(faces, points.astype(np.float32), observed, np.zeros(len(points), np.int64), names, rows)


def by_name(data: LabeledFaces) -> dict[str, ImputationError]:
    return {score.strategy: score for score in imputation_errors(data)}


def test_independent_points_have_their_known_errors() -> None:
    scores = by_name(made(np.random.default_rng(0).normal(48, 3, (N, 2, 2))))
    assert scores["mean"].rmse == pytest.approx(3, rel=0.1)  # the spread itself
    assert scores["forward"].rmse == pytest.approx(3 * np.sqrt(2), rel=0.1)  # of two independent values
    assert scores["interpolate"].rmse == pytest.approx(3 * np.sqrt(1.5), rel=0.1)  # against the mean of two
    assert list(scores) == sorted(scores, key=lambda name: (scores[name].rmse is not None, scores[name].rmse or 0))


def test_where_neighbors_are_alike_interpolation_wins_and_the_shuffle_loses() -> None:
    line = np.repeat(np.linspace(20, 70, N)[:, None, None], 2, axis=1).repeat(2, axis=2)
    scores = by_name(made(line))
    rmse = {name: score.rmse for name, score in scores.items() if score.rmse is not None}
    assert rmse["interpolate"] < rmse["forward"] < rmse["mean"] < rmse["backward-forward"]


def test_without_imputation_there_is_no_error() -> None:
    observed = np.random.default_rng(1).random((N, 3)) < 0.5
    scores = by_name(made(np.full((N, 3, 2), 40.0), observed))
    assert set(scores) == set(STRATEGIES)
    assert scores["mask"].rmse is None
    assert scores["mask"].labels == observed.sum()
    assert scores["mask"].imputed == scores["drop"].imputed == 0
    assert scores["drop"].rows_kept == observed.all(axis=1).sum()
    assert scores["mean"].imputed == (~observed).sum()
    assert scores["mean"].rmse == 0


def test_no_complete_row_is_no_failure() -> None:
    observed = np.tile([True, False], (N, 1))
    scores = by_name(made(np.full((N, 2, 2), 40.0), observed))
    assert scores["drop"].rows_kept == 0


def test_the_same_labels_are_hidden_from_all_and_the_given_data_stay() -> None:
    data = made(np.random.default_rng(0).normal(48, 3, (N, 2, 2)))
    before = data.points.copy()
    assert imputation_errors(data, seed=5) == imputation_errors(replace(data), seed=5)
    np.testing.assert_array_equal(data.points, before)
