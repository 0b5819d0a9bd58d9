"""Student's t agrees with the printed tables, and Welch's test with what is known of it."""

from __future__ import annotations

import numpy as np
import pytest

from facepoints.evaluation.significance import cumulative, quantile, welch


@pytest.mark.parametrize(("freedom", "expected"), [(1, 12.706), (2, 4.303), (4, 2.776), (10, 2.228), (30, 2.042)])
def test_quantiles_are_those_of_the_tables(freedom: float, expected: float) -> None:
    assert quantile(0.975, freedom) == pytest.approx(expected, abs=6e-4)
    assert cumulative(expected, freedom) == pytest.approx(0.975, abs=1e-4)
    assert cumulative(-expected, freedom) == pytest.approx(0.025, abs=1e-4)


def test_equal_spreads_give_student_s_own_test() -> None:
    found = welch([2.0, 3.0, 4.0], [1.0, 2.0, 3.0])
    error = np.sqrt(2 / 3)
    assert found.value == 1
    assert found.high - found.value == pytest.approx(2.776 * error, rel=1e-3)
    assert found.p_value == pytest.approx(2 * (1 - cumulative(1 / error, 4)))


def test_one_less_the_other_is_the_other_way_round() -> None:
    a, b = [1.5, 1.7, 1.6, 1.9], [1.0, 1.4]
    one, other = welch(a, b), welch(b, a)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert one.p_value == pytest.approx(other.p_value)


def test_figures_that_never_vary_leave_no_doubt() -> None:
    assert welch([1.0, 1.0], [1.0, 1.0]).p_value == 1
    assert welch([2.0, 2.0], [1.0, 1.0]).p_value == 0


def test_luck_comes_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    lucks = [welch(*rng.normal(0, 1, (2, 3))).p_value for _ in range(400)]
    assert 0.005 < np.mean(np.array(lucks) < 0.05) < 0.09
