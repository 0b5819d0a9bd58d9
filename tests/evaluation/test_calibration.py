"""Expected errors that are right are called so, and those that are not are told by how much."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facepoints.data.dataset import LabeledFaces
from facepoints.evaluation.calibration import calibration

Made = tuple[Any, Any, Any]


@pytest.fixture(scope="module")
def made(data: LabeledFaces) -> Made:
    """Answers whose errors have exactly the standard deviations that are expected."""
    rng = np.random.default_rng(2)
    expected = rng.uniform(0.3, 4, data.observed.shape)
    return data.points + rng.normal(0, 1, data.points.shape) * expected[..., None], expected, np.arange(len(data))


def test_right_expectations_are_calibrated_deciles(data: LabeledFaces, made: Made) -> None:
    found = calibration(data, *made)
    assert found is not None
    assert sum(tenth.points for tenth in found.deciles) == data.observed.sum()
    expected = [tenth.expected for tenth in found.deciles]
    assert expected == sorted(expected)
    assert found.calibrated_deciles >= 6  # a tenth holds a hundred points: its RMSE scatters by 7 %
    assert found.worst_ratio == pytest.approx(1, abs=0.35)
    assert found.rank_correlation > 0.5
    assert found.top_decile_share > 0.2


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_too_sure_and_too_doubtful_are_told_by_how_much(data: LabeledFaces, made: Made, factor: float) -> None:
    predicted, expected, groups = made
    found = calibration(data, predicted, expected * factor, groups)
    assert found is not None
    assert found.calibrated_deciles == 0
    assert np.mean([tenth.ratio for tenth in found.deciles]) == pytest.approx(1 / factor, rel=0.1)


def test_a_model_that_always_says_the_same_is_not_undone(data: LabeledFaces, made: Made) -> None:
    predicted, _, groups = made
    found = calibration(data, predicted, np.zeros(data.observed.shape), groups)
    assert found is not None
    assert found.calibrated_deciles == 0


def test_few_points_tell_nothing(data: LabeledFaces, made: Made) -> None:
    predicted, expected, groups = made
    one = [6]
    assert calibration(data.take(np.array([5])), predicted[one], expected[one], groups[one]) is None
