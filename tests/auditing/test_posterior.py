"""Posteriors of injected label errors, given accurate predictions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facepoints.auditing.cross_validation import OutOfFoldPoints
from facepoints.auditing.posterior import error_scales, estimate_posterior, matching_face
from facepoints.data.dataset import LabeledFaces
from facepoints.keypoints import FACE_SIZE, KeypointSet


@pytest.fixture(scope="module")
def evaluation(injected: Any, expected: Any) -> Any:
    # the labels of a near-duplicate were moved with its image; here only labels matter
    alone = np.setdiff1d(np.arange(len(injected.data)), [row for pair in injected.near_duplicates for row in pair])
    data = injected.data.take(alone)
    wrong = {int(np.flatnonzero(alone == row)[0]): kind for row, kind in injected.wrong.items()}
    return data, estimate_posterior(data, expected.take(alone)), wrong, expected.take(alone)


def test_injected_rows_rank_first_with_their_kind(evaluation: Any) -> None:
    _, posterior, wrong, _ = evaluation
    first = np.argsort(-posterior.log_odds_wrong)[: len(wrong)]
    assert len(set(first.tolist()) & set(wrong)) >= len(wrong) - 1
    assert np.mean([posterior.kind(row) == kind for row, kind in wrong.items()]) > 0.9


def test_probabilities_are_calibrated(evaluation: Any) -> None:
    _, posterior, wrong, _ = evaluation
    probability = 1 / (1 + np.exp(-posterior.log_odds_wrong))
    # as many rows are expected to be wrong as there are
    assert probability.sum() == pytest.approx(len(wrong), abs=0.3 * len(wrong))
    assert sum(int(row) not in wrong for row in np.flatnonzero(probability > 0.5)) <= 2


def test_the_displaced_point_is_named(evaluation: Any, synthetic: LabeledFaces, injected: Any) -> None:
    data, posterior, wrong, _ = evaluation
    for row in (row for row, kind in wrong.items() if kind == "displaced"):
        moved = np.abs(data.points[row] - synthetic.points[data.row[row]]).max(axis=1) > 1
        assert (posterior.displaced[row] == moved).all()


def test_a_hard_face_has_a_larger_error_scale(evaluation: Any) -> None:
    data, posterior, _, expected = evaluation
    hard = expected.spread.mean(axis=1) > 1
    assert (
        posterior.error_scale[hard][data.observed[hard]].mean()
        > 2 * posterior.error_scale[~hard][data.observed[~hard]].mean()
    )


def test_error_scales_are_in_pixels_as_they_are(synthetic: LabeledFaces, expected: Any) -> None:
    scale = error_scales(synthetic, expected.points, expected.spread)
    distance = np.linalg.norm(synthetic.points - expected.points, axis=2)
    # in units of the error scale a plane's Gaussian has a median distance of sqrt(2 log 2)
    assert np.median((distance / scale)[synthetic.observed]) == pytest.approx(np.sqrt(2 * np.log(2)), rel=0.1)


def test_mirrored_labels_are_swapped_too(synthetic: LabeledFaces, expected: Any) -> None:
    points, mirror = np.array(synthetic.points), synthetic.keypoints.mirror
    # a centered face is its own mirror image, and a hard one is ambiguous
    turned = np.flatnonzero((np.abs(points[:, 10, 0] - 47.5) > 6) & (expected.spread.mean(axis=1) < 1))[:5]
    points[turned] = points[turned][:, mirror]
    points[turned, :, 0] = FACE_SIZE - 1 - points[turned, :, 0]
    observed = np.array(synthetic.observed)
    observed[turned] = observed[turned][:, mirror]
    posterior = estimate_posterior(replace(synthetic, points=points, observed=observed), expected)
    assert [posterior.kind(int(row)) for row in turned] == ["swapped"] * len(turned)
    assert (posterior.log_odds_wrong[turned] > 0).all()


def test_the_face_of_mismatched_labels_is_found(synthetic: LabeledFaces, expected: Any) -> None:
    whole = np.flatnonzero(synthetic.observed.all(axis=1))
    row, owner = int(whole[3]), int(whole[8])
    points = np.array(synthetic.points)
    points[row] = points[owner] + 0.1
    data = replace(synthetic, points=points)
    posterior = estimate_posterior(data, expected)
    assert posterior.kind(row) == "mismatched"
    assert matching_face(data, posterior, row) == owner


def test_own_points_without_pairs_and_with_gaps() -> None:
    rng = np.random.default_rng(9)
    n = 200
    true = np.array([[30.0, 30], [60, 60], [45, 20]]) + rng.normal(0, 4, (n, 3, 2))
    points = (true + rng.normal(0, 1, true.shape)).astype(np.float32)
    points[7, 1] += 25
    observed = rng.random((n, 3)) < 0.9
    observed[7] = True
    observed[8] = [True, False, False]
    data = LabeledFaces(
        np.zeros((n, 96, 96), np.uint8),
        np.where(observed[..., None], points, np.float32(0)),
        observed,
        np.zeros(n, np.int64),
        KeypointSet(("a", "b", "c")),
        np.arange(n),
    )
    posterior = estimate_posterior(data, OutOfFoldPoints(true.astype(np.float32), np.ones((n, 3), np.float32)))
    assert int(np.argmax(posterior.log_odds_wrong)) == 7
    assert posterior.kind(7) == "displaced"
    assert posterior.displaced[7].tolist() == [False, True, False]
    assert np.isfinite(posterior.log_odds_wrong[8])
