"""What each strategy makes of absent points: against a table made by hand, and against pandas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from facepoints.data.imputation import STRATEGIES, fill
from facepoints.errors import BadChoice

_ = np.nan

# One point, five rows, x as given (y is x + 100), and x as each strategy leaves it; NaN is unobserved.
GIVEN = [_, 10, _, 40, _]
BY_HAND = {
    "mask": [_, 10, _, 40, _],
    "drop": [10, 40],
    "mean": [25, 10, 25, 40, 25],
    "median": [25, 10, 25, 40, 25],
    "forward": [_, 10, 10, 40, 40],
    "interpolate": [_, 10, 25, 40, 40],
}
FILLING = sorted(set(STRATEGIES) - {"mask", "drop"})


def table_of(frame: pd.DataFrame) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Points (n, k, 2) and observed (n, k) of 2k columns; NaN is unobserved and becomes 0."""
    points = frame.to_numpy(np.float32).reshape(len(frame), -1, 2)
    return np.nan_to_num(points, nan=0.0), ~np.isnan(points[:, :, 0])


def frame_of(points: NDArray[np.float32], observed: NDArray[np.bool_]) -> pd.DataFrame:
    """The 2k columns of points, with NaN where unobserved."""
    return pd.DataFrame(np.where(observed[:, :, None], points, np.nan).reshape(len(points), -1))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Forty rows of five points, 60 % of them absent, at both ends too; three rows are complete."""
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 96, (40, 5, 2))
    gaps = rng.random((40, 5)) < 0.6
    gaps[[0, -1], :3] = True
    gaps[10:13] = False
    points[gaps] = np.nan
    return pd.DataFrame(points.reshape(40, 10)).astype(np.float32)


@pytest.mark.parametrize("strategy", BY_HAND)
def test_a_table_made_by_hand(strategy: str) -> None:
    x = pd.DataFrame({"x": GIVEN, "y": np.array(GIVEN) + 100})
    filled = fill(*table_of(x), strategy)
    expected = np.array(BY_HAND[strategy])
    np.testing.assert_array_equal(frame_of(filled.points, filled.observed).to_numpy().T, [expected, expected + 100])


def test_the_median_is_not_the_mean() -> None:
    frame = pd.DataFrame({"x": [0, 1, 90, _], "y": [5, 6, 7, _]})
    assert fill(*table_of(frame), "median").points[3].tolist() == [[1, 6]]
    assert fill(*table_of(frame), "mean").points[3].tolist() == [[np.float32(91 / 3), 6]]


def shuffled_fill(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    order = np.random.default_rng(seed).permutation(len(frame))
    return frame.iloc[order].bfill().ffill().sort_index()


@pytest.mark.parametrize(
    ("strategy", "by_pandas"),
    [
        ("mask", lambda frame: frame),
        ("drop", lambda frame: frame.dropna()),
        ("mean", lambda frame: frame.fillna(frame.mean())),
        ("median", lambda frame: frame.fillna(frame.median())),
        ("forward", lambda frame: frame.ffill()),
        ("backward-forward", lambda frame: shuffled_fill(frame, 7)),
        ("interpolate", lambda frame: frame.interpolate()),
    ],
)
def test_the_same_as_pandas(
    frame: pd.DataFrame, strategy: str, by_pandas: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    filled = fill(*table_of(frame), strategy, seed=7)
    ours = frame_of(filled.points, filled.observed)
    theirs = by_pandas(frame)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert filled.kept.tolist() == theirs.index.tolist()


def test_every_strategy_is_compared() -> None:
    assert set(BY_HAND) | {"backward-forward"} == set(STRATEGIES)


def test_backward_forward_leaves_nothing_empty(frame: pd.DataFrame) -> None:
    points, observed = table_of(frame)
    seeds = [fill(points, observed, "backward-forward", seed) for seed in range(5)]
    assert all(filled.observed.all() for filled in seeds)
    assert not np.array_equal(seeds[0].points, seeds[1].points)
    again = fill(points, observed, "backward-forward", 0)
    np.testing.assert_array_equal(again.points, seeds[0].points)


def test_backward_forward_spreads_its_donors() -> None:
    # all labeled rows first, as in the competition's files: an unshuffled fill would give one row's label to all
    points = np.arange(200, dtype=np.float32).reshape(100, 1, 2)
    observed = np.arange(100)[:, None] < 50
    donors = np.unique(fill(points, observed, "backward-forward").points[50:], axis=0)
    assert len(donors) > 10
    assert len(np.unique(fill(points, observed, "forward").points[50:], axis=0)) == 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_was_labeled_stays_and_what_was_not_is_never_read(frame: pd.DataFrame, strategy: str) -> None:
    points, observed = table_of(frame)
    garbage = np.where(observed[:, :, None], points, np.nan)
    garbage[::2][~observed[::2]] = 1e9
    clean, dirty = fill(points, observed, strategy), fill(garbage, observed, strategy)
    np.testing.assert_array_equal(clean.observed, dirty.observed)
    np.testing.assert_array_equal(clean.points[clean.observed], dirty.points[clean.observed])
    labeled = observed[clean.kept]
    assert clean.observed[labeled].all()
    np.testing.assert_array_equal(clean.points[labeled], points[clean.kept][labeled])


@pytest.mark.parametrize("strategy", FILLING)
def test_values_come_from_the_given_rows_only(frame: pd.DataFrame, strategy: str) -> None:
    points, observed = table_of(frame)
    filled = fill(points, observed, strategy)
    for k in range(points.shape[1]):
        given, made = points[observed[:, k], k], filled.points[filled.observed[:, k], k]
        assert (made >= given.min(axis=0)).all()
        assert (made <= given.max(axis=0)).all()


@pytest.mark.parametrize("strategy", ["mask", *FILLING])
def test_a_point_that_nobody_labeled_stays_out_of_the_loss(frame: pd.DataFrame, strategy: str) -> None:
    points, observed = table_of(frame)
    observed[:, 2] = False
    filled = fill(points, observed, strategy)
    assert not filled.observed[:, 2].any()
    assert filled.observed[:, [0, 1, 3, 4]].any()
    assert np.isfinite(filled.points).all()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_given_arrays_are_left_alone(frame: pd.DataFrame, strategy: str) -> None:
    points, observed = table_of(frame)
    points.flags.writeable = observed.flags.writeable = False  # as memory-mapped files are
    filled = fill(points, observed, strategy)
    assert len(filled.points) == len(filled.observed) == len(filled.kept)
    assert filled.points.dtype == np.float32


def test_drop_says_that_no_row_is_complete() -> None:
    with pytest.raises(BadChoice, match="none is complete"):
        fill(np.zeros((3, 2, 2), np.float32), np.eye(3, 2, dtype=bool), "drop")


def test_an_unknown_strategy_is_answered_with_the_nearest() -> None:
    with pytest.raises(BadChoice, match="did you mean 'median'"):
        fill(np.zeros((1, 1, 2), np.float32), np.ones((1, 1), bool), "medain")
