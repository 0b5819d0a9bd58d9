"""Welch's t test over trainings."""

from __future__ import annotations

import numpy as np
import pytest

from facepoints.evaluation.significance import welch


def test_equal_spreads_give_student_s_own_test() -> None:
    found = welch([2.0, 3.0, 4.0], [1.0, 2.0, 3.0])
    error = np.sqrt(2 / 3)
    assert found.value == 1
    assert found.high - found.value == pytest.approx(2.776 * error, rel=1e-3)
    assert found.p_value == pytest.approx(0.28786, abs=1e-5)


def test_one_less_the_other_is_the_other_way_round() -> None:
    a, b = [1.5, 1.7, 1.6, 1.9], [1.0, 1.4]
    one, other = welch(a, b), welch(b, a)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert one.p_value == pytest.approx(other.p_value)


def test_values_without_variance() -> None:
    assert welch([1.0, 1.0], [1.0, 1.0]).p_value == 1
    assert welch([2.0, 2.0], [1.0, 1.0]).p_value == 0


def test_p_values_are_uniform_under_the_null_hypothesis() -> None:
    rng = np.random.default_rng(0)
    p_values = [welch(*rng.normal(0, 1, (2, 3))).p_value for _ in range(400)]
    assert 0.005 < np.mean(np.array(p_values) < 0.05) < 0.09
