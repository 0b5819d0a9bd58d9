"""The Student t distribution: density, gaps, robustness to wrong rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facepoints.auditing.shape_model import StudentT, fit_student_t

ALL = np.ones((1, 1), bool)


@pytest.mark.parametrize("freedom", [2.0, 5.0, 24.0])
def test_the_density_of_one_point_is_the_known_one(freedom: Any) -> None:
    # bivariate t at its center: 1 / (2 pi sqrt|scatter|), whatever the freedom
    shape = StudentT(np.array([[3.0, 4.0]]), np.diag([4.0, 9.0]), freedom)
    at_center = shape.log_density(np.array([[[3.0, 4.0]]]), ALL)[0]
    assert at_center == pytest.approx(-np.log(2 * np.pi * 6))
    # and it sums to one
    line = np.linspace(-400, 400, 1601)
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 1, 2)
    total = np.exp(shape.log_density(grid, np.ones((len(grid), 1), bool))).sum() * 0.25
    assert total == pytest.approx(1, abs=0.02)


def test_a_missing_point_changes_nothing_whatever_stands_there() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(0, 3, (300, 4, 2)) + rng.normal(0, 5, (300, 1, 2))
    observed = rng.random((300, 4)) < 0.8
    other = np.where(observed[..., None], points, 1e6)
    one, two = fit_student_t(points, observed), fit_student_t(other, observed)
    assert np.allclose(one.scatter, two.scatter)
    assert np.allclose(one.log_density(points, observed), one.log_density(other, observed))
    assert one.log_density(points[:1], np.zeros((1, 4), bool))[0] == 0


def test_center_and_scatter_are_found_in_spite_of_wrong_rows() -> None:
    rng = np.random.default_rng(1)
    points = np.array([[30.0, 40], [60, 41], [45, 70]]) + rng.normal(0, 2, (800, 3, 2)) + rng.normal(0, 3, (800, 1, 2))
    wrong = points.copy()
    wrong[:40] += rng.normal(0, 60, (40, 3, 2))
    seen = np.ones((800, 3), bool)
    shape = fit_student_t(wrong, seen)
    assert np.abs(shape.center - points.mean(axis=0)).max() < 0.6
    assert shape.weights(wrong, seen)[:40].mean() < 0.3 * shape.weights(wrong, seen)[40:].mean()
    # points of one face move together
    size = np.sqrt(np.diag(shape.scatter))
    assert shape.scatter[0, 2] / size[0] / size[2] > 0.5


def test_rows_of_prior_zero_do_not_count() -> None:
    rng = np.random.default_rng(2)
    points = rng.normal(0, 1, (400, 2, 2))
    points[:200] += 50
    prior = np.repeat([0.0, 1.0], 200)
    assert np.abs(fit_student_t(points, np.ones((400, 2), bool), prior).center).max() < 1


def test_a_point_without_labels_is_no_obstacle() -> None:
    rng = np.random.default_rng(3)
    points, observed = rng.normal(40, 5, (60, 3, 2)), np.ones((60, 3), bool)
    observed[:, 2] = False
    assert np.isfinite(fit_student_t(points, observed).log_density(points, observed)).all()
