"""Paired bootstrap and Welch's t test: symmetric, independent of the order of the faces, with correct p-values."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints.errors import BadChoice
from facepoints.evaluation.significance import Bootstrap, paired_bootstrap, welch

N = 300


def errors(count: int, seed: int = 0, better: float = 0.0) -> list[NDArray[np.float64]]:
    """Squared errors of models on faces of which some are hard for all; the first is better by a share."""
    rng = np.random.default_rng(seed)
    hard = rng.exponential(1, N)
    own = [hard * rng.exponential(1, N) for _ in range(count)]
    return [own[0] * (1 - better), *own[1:]]


def bootstrap(sums: list[NDArray[np.float64]], resamples: int = 1000) -> Bootstrap:
    return paired_bootstrap(sums, np.full(N, 8), np.arange(N), resamples=resamples)


def test_the_rmse_is_that_of_all_faces() -> None:
    sums = errors(3)
    assert bootstrap(sums).rmse == pytest.approx([np.sqrt(s.sum() / (8 * N)) for s in sums])


def test_a_model_is_as_good_as_itself() -> None:
    (own,) = errors(1)
    found = bootstrap([own, own.copy()]).difference(0, 1)
    assert (found.value, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_one_less_the_other_is_the_other_way_round() -> None:
    drawn = bootstrap(errors(2, better=0.2))
    one, other = drawn.difference(0, 1), drawn.difference(1, 0)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert one.p_value == other.p_value
    assert one.low < one.value < one.high < 0


def test_what_is_hard_for_both_cancels() -> None:
    hard = np.random.default_rng(0).exponential(1, N)
    drawn = bootstrap([hard, 1.05 * hard])
    low, high = drawn.interval(0)
    difference = drawn.difference(1, 0)
    assert difference.high - difference.low < 0.05 * (high - low)
    assert difference.p_value == pytest.approx(2 / 1001)


def test_the_order_of_faces_changes_nothing_and_twins_are_drawn_together() -> None:
    sums, order = errors(2), np.random.default_rng(3).permutation(N)
    same = paired_bootstrap([s[order] for s in sums], np.full(N, 8), np.arange(N)[order], resamples=50)
    np.testing.assert_allclose(same.samples, bootstrap(sums, 50).samples)
    doubled = paired_bootstrap([np.tile(s, 2) for s in sums], np.full(2 * N, 8), np.tile(np.arange(N), 2), resamples=50)
    np.testing.assert_allclose(doubled.samples, bootstrap(sums, 50).samples)


def test_p_values_are_uniform_under_the_null_hypothesis() -> None:
    p_values = [bootstrap(errors(2, seed), 400).difference(0, 1).p_value for seed in range(200)]
    assert 0.005 < np.mean(np.array(p_values) < 0.05) < 0.11


def test_one_group_tells_nothing() -> None:
    with pytest.raises(BadChoice, match="there is no interval"):
        paired_bootstrap(errors(2), np.full(N, 8), np.zeros(N, np.int64))


def test_equal_spreads_give_student_s_own_test() -> None:
    found = welch([2.0, 3.0, 4.0], [1.0, 2.0, 3.0])
    error = np.sqrt(2 / 3)
    assert found.value == 1
    assert found.high - found.value == pytest.approx(2.776 * error, rel=1e-3)
    assert found.p_value == pytest.approx(0.28786, abs=1e-5)


def test_welch_s_difference_is_antisymmetric() -> None:
    a, b = [1.5, 1.7, 1.6, 1.9], [1.0, 1.4]
    one, other = welch(a, b), welch(b, a)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert one.p_value == pytest.approx(other.p_value)


def test_values_without_variance() -> None:
    assert welch([1.0, 1.0], [1.0, 1.0]).p_value == 1
    assert welch([2.0, 2.0], [1.0, 1.0]).p_value == 0


def test_welch_s_p_values_are_uniform_under_the_null_hypothesis() -> None:
    rng = np.random.default_rng(0)
    p_values = [welch(*rng.normal(0, 1, (2, 3))).p_value for _ in range(400)]
    assert 0.005 < np.mean(np.array(p_values) < 0.05) < 0.09
